//! A temporary table hides the schema's table of the same name from SQL. Bulk ingest puts rows into the one that it was asked for, and
//! leaves the other as it was.

use std::sync::Arc;

use adbc_core::error::Status;
use adbc_databricks::Connection;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use conformance::{answers, connect, connect_with, ingest, query, reader, scalar, start};

const VOLUME: (&str, &str) = ("databricks.ingest.staging_volume", "/Volumes/main/default/staging");
const TEMPORARY: &str = "adbc.ingest.temporary";
/// What SQL names, and what means something in the patterns of `SHOW TABLES`.
const NAME: &str = "odd `_%name";
const QUOTED: &str = "`odd ``_%name`";

fn numbers(values: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("a", column)]).unwrap()
}

fn create(connection: &mut Connection, temporary: bool, value: i64) {
    let (kind, table) = match temporary {
        true => ("TEMPORARY TABLE", QUOTED.to_owned()),
        false => ("TABLE", format!("default.{QUOTED}")),
    };
    query(
        connection,
        &format!("CREATE {kind} {table} AS SELECT CAST({value} AS BIGINT) AS a"),
    )
    .unwrap();
}

/// The rows of the lasting table, and of the temporary one; `None` when there is none.
fn rows(connection: &mut Connection) -> [Option<String>; 2] {
    let all =
        |table: &str| format!("SELECT concat_ws(' ', sort_array(collect_list(CAST(a AS STRING)))) AS all FROM {table}");
    let mut read = |table: &str| match query(connection, &all(table)) {
        Ok(_) => Some(scalar(connection, &all(table))),
        Err(error) => {
            assert_eq!(error.status, Status::NotFound, "{error}");
            None
        }
    };
    let lasting = read(&format!("default.{QUOTED}"));
    let listed = query(connection, "SHOW TABLES").unwrap();
    let listed = arrow::util::pretty::pretty_format_batches(&[listed])
        .unwrap()
        .to_string();
    let mut lines = listed.lines();
    let is_temporary = lines.any(|line| line.contains(NAME) && line.contains("true"));
    let temporary = is_temporary.then(|| scalar(connection, &all(QUOTED)));
    [lasting, temporary]
}

#[test]
fn every_mode_reaches_the_table_that_was_asked_for_and_no_other() {
    use Status::{AlreadyExists, NotFound};
    // By mode: what becomes of a table with the row 1, and of one that is not there, when the row 2 is put into it.
    type Expected = Result<&'static str, Status>;
    let modes: [(&str, Expected, Expected); 4] = [
        ("adbc.ingest.mode.create", Err(AlreadyExists), Ok("2")),
        ("adbc.ingest.mode.append", Ok("1 2"), Err(NotFound)),
        ("adbc.ingest.mode.replace", Ok("2"), Ok("2")),
        ("adbc.ingest.mode.create_append", Ok("1 2"), Ok("2")),
    ];
    let workspace = start(|builder| builder);
    let mut first = connect(&workspace);
    query(&mut first, "CREATE VOLUME main.default.staging").unwrap();
    for method in ["volume", "insert"] {
        for (mode, there, missing) in modes {
            for case in 0..16 {
                let [temporary, exists, other_exists, has_temporaries] = [1, 2, 4, 8].map(|bit| case & bit != 0);
                if has_temporaries && if temporary { exists } else { other_exists } {
                    // As without the third table.
                    continue;
                }
                let case = format!(
                    "{method} {mode} temporary={temporary} exists={exists} other_exists={other_exists} has_temporaries={has_temporaries}"
                );
                let options = [VOLUME, ("databricks.ingest.method", method)];
                let mut connection = connect_with(&workspace, &options).unwrap();
                if has_temporaries {
                    query(&mut connection, "CREATE TEMPORARY TABLE another (b INT)").unwrap();
                }
                if exists {
                    create(&mut connection, temporary, 1);
                }
                if other_exists {
                    create(&mut connection, !temporary, 100);
                }
                let flag = if temporary { "true" } else { "false" };
                let options = [("adbc.ingest.mode", mode), (TEMPORARY, flag)];
                let put = ingest(&mut connection, NAME, &options, reader(vec![numbers(&[2])]));
                let expected = if exists { there } else { missing };
                assert_eq!(put.map_err(|error| error.status), expected.map(|_| Some(1)), "{case}");
                let own = expected.ok().or(exists.then_some("1"));
                let other = other_exists.then_some("100");
                let [lasting, of_session] = if temporary { [other, own] } else { [own, other] };
                assert_eq!(
                    rows(&mut connection),
                    [lasting, of_session].map(|rows| rows.map(str::to_owned)),
                    "{case}"
                );
                drop(connection);
                query(&mut first, &format!("DROP TABLE IF EXISTS {QUOTED}")).unwrap();
            }
        }
    }
}

#[test]
fn a_session_that_has_no_temporary_tables_asks_for_no_names() {
    let workspace = start(|builder| builder);
    let mut connection = connect(&workspace);
    let posts = || answers(&workspace, "POST", |path| path.ends_with("/statements")).len();
    let mut put = |temporary: &str, mode: &str| {
        let before = posts();
        let options = [(TEMPORARY, temporary), ("adbc.ingest.mode", mode)];
        let put = ingest(&mut connection, NAME, &options, reader(vec![numbers(&[2])]));
        (put.map_err(|error| error.status), posts() - before)
    };
    assert_eq!(put("true", "adbc.ingest.mode.append"), (Err(Status::NotFound), 0));
    // The creation and the rows.
    assert_eq!(put("false", "adbc.ingest.mode.create"), (Ok(Some(1)), 2));
    assert_eq!(put("true", "adbc.ingest.mode.create"), (Ok(Some(1)), 2));
    // Now there is one, so that names have to be whole: a question, the columns, the rows.
    assert_eq!(put("false", "adbc.ingest.mode.append"), (Ok(Some(1)), 3));
    assert_eq!(put("true", "adbc.ingest.mode.append"), (Ok(Some(1)), 3));
    assert_eq!(rows(&mut connection), ["2 2", "2 2"].map(|rows| Some(rows.to_owned())));
}
