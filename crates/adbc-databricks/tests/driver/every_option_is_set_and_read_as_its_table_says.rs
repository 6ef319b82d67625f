//! All of the catalogue, on every object: set under each of its names and in its natural type, read back, refused by name.

use adbc_core::error::{Error, Status};
use adbc_core::options::OptionValue;
use adbc_core::sync::{Connection as _, Database as _, Driver as _, Optionable};
use adbc_databricks::Driver;
use adbc_databricks::options::{CATALOGUE, Kind, Scope, Spec};

use crate::support::Server;

const TRACE_PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What an open connection carries out, or refuses although it knows the key, rather than remembers. The tests below this table and
/// those of sessions are about them.
const CARRIED_OUT: [&str; 4] = [
    "adbc.connection.catalog",
    "adbc.connection.db_schema",
    "adbc.connection.autocommit",
    "adbc.connection.readonly",
];

/// A good value as text, how it reads back, and in its natural type.
fn good(spec: &Spec) -> (String, String, OptionValue) {
    let text = |text: &str| (text.to_owned(), text.to_owned(), text.into());
    match spec.kind {
        Kind::Flag => text("false"),
        Kind::Integer { min, .. } => (min.to_string(), min.to_string(), OptionValue::Int(min)),
        Kind::Number { .. } => ("1".to_owned(), "1".to_owned(), OptionValue::Double(1.0)),
        Kind::Seconds => ("1.5".to_owned(), "1.5".to_owned(), OptionValue::Double(1.5)),
        Kind::TraceParent => text(TRACE_PARENT),
        Kind::Choice(words) => (words[0].to_ascii_lowercase(), words[0].to_owned(), words[0].into()),
        Kind::Tags => text("team:a,alone"),
        Kind::Timestamp => text("2026-11-21T09:00:00Z"),
        Kind::Secret if spec.key == "uri" => text("databricks://token:canary@host/sql/1.0/warehouses/w"),
        Kind::Secret => text("canary"),
        _ => text("some text"),
    }
}

/// Values that the kind refuses.
fn bad(spec: &Spec) -> Vec<OptionValue> {
    match spec.kind {
        Kind::Flag => vec!["maybe".into(), OptionValue::Int(7)],
        Kind::Integer { min, max } => {
            let mut values = vec!["many".into(), "".into(), OptionValue::Double(0.5)];
            values.extend(min.checked_sub(1).map(OptionValue::Int));
            values.extend(max.checked_add(1).map(OptionValue::Int));
            values
        }
        Kind::Number { min, max } => vec![
            "soon".into(),
            OptionValue::Double(f64::from(min) - 0.1),
            OptionValue::Double(f64::from(max) + 0.1),
            OptionValue::Double(f64::NAN),
        ],
        Kind::Seconds => vec!["soon".into(), OptionValue::Double(-1.0), OptionValue::Double(f64::NAN)],
        Kind::TraceParent => vec!["00-x".into()],
        Kind::Choice(_) => vec!["nonsense".into()],
        Kind::Tags => vec![":value".into()],
        Kind::Timestamp => vec!["yesterday".into()],
        _ => vec![OptionValue::Bytes(vec![0xff])],
    }
}

fn shown(value: &OptionValue) -> Option<String> {
    match value {
        OptionValue::String(text) => Some(text.clone()),
        OptionValue::Int(number) => Some(number.to_string()),
        OptionValue::Double(number) => Some(number.to_string()),
        _ => None,
    }
}

fn every_way<T: Optionable>(object: &T, key: &str) -> [Result<String, Error>; 4]
where
    T::Option: for<'a> From<&'a str>,
{
    let key = || T::Option::from(key);
    [
        object.get_option_string(key()),
        object
            .get_option_bytes(key())
            .map(|bytes| String::from_utf8(bytes).unwrap()),
        object.get_option_int(key()).map(|number| number.to_string()),
        object.get_option_double(key()).map(|number| number.to_string()),
    ]
}

fn check<T: Optionable>(object: &mut T, scope: Scope, spec: &Spec)
where
    T::Option: for<'a> From<&'a str>,
{
    let names = std::iter::once(&spec.key).chain(spec.aliases);
    if !spec.scopes.contains(&scope) {
        for name in names {
            let error = object.set_option((*name).into(), good(spec).2).unwrap_err();
            assert_eq!(
                error.status,
                Status::NotImplemented,
                "{name} on {scope:?}: {}",
                error.message
            );
            for read in every_way(object, name) {
                assert_eq!(read.unwrap_err().status, Status::NotFound, "{name} on {scope:?}");
            }
        }
        return;
    }
    if scope == Scope::Connection && CARRIED_OUT.contains(&spec.key) {
        return;
    }
    if spec.is_read_only() {
        let error = object.set_option(spec.key.into(), good(spec).2).unwrap_err();
        assert_eq!(error.status, Status::NotImplemented, "{}: {}", spec.key, error.message);
        assert!(error.message.contains("can only be read"), "{}", error.message);
        return;
    }
    let (text, back, natural) = good(spec);
    for name in names {
        for value in [
            natural.clone(),
            text.as_str().into(),
            OptionValue::Bytes(text.clone().into_bytes()),
        ] {
            object
                .set_option((*name).into(), value)
                .unwrap_or_else(|error| panic!("{name}: {}", error.message));
            let [string, bytes, integer, double] = every_way(object, name);
            if spec.is_secret() {
                for read in [string, bytes, integer, double] {
                    let error = read.unwrap_err();
                    assert_eq!(error.status, Status::NotFound, "{name}");
                    assert!(!error.message.contains("canary"), "{}", error.message);
                }
                continue;
            }
            assert_eq!(
                (string.unwrap(), bytes.unwrap()),
                (back.clone(), back.clone()),
                "{name}"
            );
            match spec.kind {
                Kind::Integer { min, .. } => {
                    assert_eq!(integer.unwrap(), min.to_string(), "{name}");
                    assert_eq!(double.unwrap(), (min as f64).to_string(), "{name}");
                }
                Kind::Number { .. } => {
                    assert_eq!(integer.unwrap(), "1", "{name}");
                    assert_eq!(double.unwrap(), "1", "{name}");
                }
                Kind::Seconds => assert_eq!(double.unwrap(), "1.5", "{name}"),
                Kind::Flag => assert_eq!(integer.unwrap(), "0", "{name}"),
                _ => assert_eq!(integer.unwrap_err().status, Status::NotFound, "{name}"),
            }
        }
    }
    for value in bad(spec) {
        let error = object.set_option(spec.key.into(), value.clone()).unwrap_err();
        assert_eq!(error.status, Status::InvalidArguments, "{}: {value:?}", spec.key);
        assert!(error.message.contains(spec.key), "{}", error.message);
        if let Some(value) = shown(&value) {
            assert!(error.message.contains(&value), "{value} in: {}", error.message);
        }
    }
}

fn unknown<T: Optionable>(object: &mut T)
where
    T::Option: for<'a> From<&'a str>,
{
    let values = [
        "1".into(),
        OptionValue::Bytes(vec![1]),
        OptionValue::Int(1),
        OptionValue::Double(1.0),
    ];
    for value in values {
        let error = object.set_option("no.such.option".into(), value).unwrap_err();
        assert_eq!(error.status, Status::NotImplemented);
    }
    for read in every_way(object, "no.such.option") {
        assert_eq!(read.unwrap_err().status, Status::NotFound);
    }
}

#[test]
fn on_a_database() {
    for spec in CATALOGUE {
        check(&mut Driver.new_database().unwrap(), Scope::Database, spec);
    }
    unknown(&mut Driver.new_database().unwrap());
}

#[test]
fn on_a_connection() {
    let server = Server::start(|_, _| None);
    let mut connection = server.connect();
    for spec in CATALOGUE {
        check(&mut connection, Scope::Connection, spec);
    }
    unknown(&mut connection);
}

#[test]
fn on_a_statement() {
    let server = Server::start(|_, _| None);
    let mut connection = server.connect();
    for spec in CATALOGUE {
        check(&mut connection.new_statement().unwrap(), Scope::Statement, spec);
    }
    unknown(&mut connection.new_statement().unwrap());
}

#[test]
fn what_is_set_above_is_read_below() {
    let server = Server::start(|_, _| None);
    let database = server.database(&[("databricks.result.row_limit", "7"), ("databricks.query_tags", "a:b")]);
    let mut connection = database.new_connection().unwrap();
    let statement = connection.new_statement().unwrap();
    assert_eq!(
        statement.get_option_int("databricks.result.row_limit".into()).unwrap(),
        7
    );
    assert_eq!(
        statement
            .get_option_string("adbc.databricks.query_tags".into())
            .unwrap(),
        "a:b"
    );
    assert_eq!(
        statement.get_option_string("databricks.result.format".into()).unwrap(),
        "ARROW_STREAM"
    );
}

#[test]
fn what_a_connection_cannot_do_is_refused_and_what_it_is_can_be_read() {
    let server = Server::start(|_, _| None);
    let mut connection = server.connect();
    for (key, value, status) in [
        ("adbc.connection.autocommit", "false", Status::NotImplemented),
        ("adbc.connection.autocommit", "maybe", Status::InvalidArguments),
        ("adbc.connection.readonly", "true", Status::NotImplemented),
        ("databricks.session_id", "mine", Status::NotImplemented),
        ("databricks.traces.dropped", "1", Status::NotImplemented),
    ] {
        assert_eq!(
            connection.set_option(key.into(), value.into()).unwrap_err().status,
            status,
            "{key}"
        );
    }
    for (key, value) in [
        ("adbc.connection.autocommit", "true"),
        ("adbc.connection.readonly", "false"),
        ("databricks.session_id", "session-1"),
    ] {
        assert_eq!(connection.get_option_string(key.into()).unwrap(), value);
    }
}
