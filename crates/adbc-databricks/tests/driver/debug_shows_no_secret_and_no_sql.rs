//! Whatever is printed with `{:?}` holds neither token nor SQL nor link nor the server's words.

use adbc_core::options::OptionDatabase;
use adbc_core::sync::{Optionable as _, Statement as _};
use adbc_databricks::{Driver, Error, options};
use serde_json::json;

use crate::support::{self, Server, TOKEN, cloud, ok, statement};

#[test]
fn of_any_public_type() {
    let server = Server::start(|request, port| cloud(request, port, 3, 5));
    let database = server.database(&[("databricks.catalog", "canary_catalog")]);
    let mut connection = adbc_core::sync::Database::new_connection(&database).unwrap();
    let statement = statement(&mut connection, "SELECT 'canary_sql'");
    let shown = format!("{:?} {database:?} {connection:?} {statement:?} {:#?}", Driver, database);
    assert!(!shown.contains(TOKEN) && !shown.contains("canary"), "{shown}");
    assert!(shown.contains("session-1"), "ids are of use: {shown}");
}

#[test]
fn of_an_error_and_of_what_wraps_it() {
    let failed = json!({"statement_id": "statement-1", "status": {"state": "FAILED",
        "error": {"error_code": "BAD_REQUEST", "message": "[X] canary_message"}}});
    let server = Server::start(move |request, port| {
        if request.path.ends_with("/statements") {
            return Some(ok(failed.clone()));
        }
        cloud(request, port, 1, 1)
    });
    let mut connection = server.connect();
    let error = statement(&mut connection, "SELECT").execute().map(drop).unwrap_err();
    assert!(
        error.message.contains("canary_message"),
        "the user reads the whole message"
    );

    let broken = Server::start(|request, port| {
        if support::is_storage(request) && support::last_number(&request.path) == 1 {
            return Some(support::refusal(400, "canary_code"));
        }
        cloud(request, port, 2, 5)
    });
    let mut connection = broken.connect();
    let mut reader = statement(&mut connection, "SELECT").execute().unwrap();
    reader.next().unwrap().unwrap();
    let wrapped = reader.next().unwrap().unwrap_err();
    let own: Error = support::driver_error(&wrapped);
    assert!(own.message().contains("canary_code says"));
    for shown in [format!("{wrapped:?}"), format!("{own:?}")] {
        assert!(
            !shown.contains("says the server") && !shown.contains("/storage/"),
            "{shown}"
        );
    }
}

#[test]
fn of_no_option_that_is_a_secret() {
    let server = Server::start(|_, _| None);
    let mut database = server.database(&[("password", "canary_password")]);
    for spec in options::CATALOGUE.iter().filter(|spec| spec.is_secret()) {
        for key in std::iter::once(&spec.key).chain(spec.aliases) {
            assert!(
                database.get_option_string(OptionDatabase::from(*key)).is_err(),
                "{key} can be read"
            );
        }
    }
    database.set_option(OptionDatabase::Password, "other".into()).unwrap();
    assert!(!format!("{database:?}").contains("canary"));
}
