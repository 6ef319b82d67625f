//! Each bound row is one execution with its parameters; the results follow one another, the counts add up.

use std::sync::Arc;

use adbc_core::error::Status;
use adbc_core::sync::{Optionable as _, Statement as _};
use arrow_array::{ArrayRef, Int32Array, RecordBatch, RecordBatchIterator, StringArray};
use serde_json::{Value, json};

use crate::support::{Request, Server, inline, is_close, numbers, ok, statement};

fn rows() -> RecordBatch {
    let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2), None]));
    let b: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "z"]));
    RecordBatch::try_from_iter_with_nullable([("a", a, true), ("b", b, true)]).unwrap()
}

fn sent(server: &Server) -> Vec<Value> {
    server
        .requests()
        .iter()
        .filter(|request| request.is_execute())
        .map(|request| request.json()["parameters"].clone())
        .collect()
}

#[test]
fn positional_parameters_and_concatenated_results() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(2))));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT ?, ?");
    statement.bind(rows()).unwrap();
    assert_eq!(numbers(statement.execute().unwrap()).unwrap(), [0, 1, 0, 1, 0, 1]);
    assert_eq!(
        sent(&server),
        [
            json!([{"ordinal": 1, "type": "INT", "value": "1"}, {"ordinal": 2, "type": "STRING", "value": "x"}]),
            json!([{"ordinal": 1, "type": "INT", "value": "2"}, {"ordinal": 2, "type": "STRING", "value": "y"}]),
            json!([{"ordinal": 1, "type": "INT", "value": null}, {"ordinal": 2, "type": "STRING", "value": "z"}]),
        ]
    );
}

#[test]
fn columns_that_no_marker_waits_for_are_an_error_and_not_passed_over() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(1))));
    let mut connection = server.connect();
    for (sql, markers) in [
        ("SELECT ?", 1),
        ("SELECT :a, :b", 0),
        ("SELECT '?', x?::INT, `?` -- ?", 0),
    ] {
        let mut statement = statement(&mut connection, sql);
        statement.bind(rows()).unwrap();
        let said = format!("2 columns are bound, and the text has {markers} markers");
        for error in [
            statement.execute().map(drop).unwrap_err(),
            statement.execute_update().map(drop).unwrap_err(),
            statement.execute_partitions().map(drop).unwrap_err(),
            statement.execute_schema().map(drop).unwrap_err(),
        ] {
            assert_eq!(error.status, Status::InvalidArguments, "{}", error.message);
            assert!(error.message.contains(&said), "{}", error.message);
        }
    }
    assert_eq!(server.count(Request::is_execute), 0, "nothing was executed");
    // Of too few the server complains, which knows its own text best.
    let mut statement = statement(&mut connection, "SELECT ?, ?, ?");
    statement.bind(rows()).unwrap();
    drop(statement.execute().unwrap());
}

#[test]
fn named_parameters_on_request() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(1))));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT :a, :b");
    statement
        .set_option("adbc.statement.bind_by_name".into(), "true".into())
        .unwrap();
    let batch = rows();
    let schema = batch.schema();
    statement
        .bind_stream(Box::new(RecordBatchIterator::new([Ok(batch.slice(0, 1))], schema)))
        .unwrap();
    numbers(statement.execute().unwrap()).unwrap();
    assert_eq!(
        sent(&server),
        [json!([{"name": "a", "type": "INT", "value": "1"}, {"name": "b", "type": "STRING", "value": "x"}])]
    );
}

#[test]
fn changed_rows_add_up_from_the_status_or_the_result() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            if request.json()["parameters"][0]["value"] == "1" {
                answer["status"]["num_modified_rows"] = json!(5);
            } else {
                // 0 + 1 + 2 in the result's rows.
                answer["manifest"]["schema"]["columns"][0]["name"] = json!("num_affected_rows");
            }
            ok(answer)
        })
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "UPDATE t SET a = ? WHERE b = ?");
    statement.bind(rows()).unwrap();
    assert_eq!(statement.execute_update().unwrap(), Some(5 + 3 + 3));
    drop((statement, connection));
    assert_eq!(server.count(is_close), 3);
    assert_eq!(server.count(|request| request.path.ends_with("/cancel")), 0);
}

#[test]
fn a_statement_that_says_nothing_of_rows_has_no_count() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(3))));
    let mut connection = server.connect();
    assert_eq!(statement(&mut connection, "SELECT 1").execute_update().unwrap(), None);
}

#[test]
fn without_sql_everything_is_an_invalid_state_and_prepare_is_local() {
    let server = Server::start(|_, _| None);
    let mut connection = server.connect();
    let mut empty = adbc_core::sync::Connection::new_statement(&mut connection).unwrap();
    assert_eq!(empty.prepare().unwrap_err().status, Status::InvalidState);
    assert_eq!(empty.execute().map(drop).unwrap_err().status, Status::InvalidState);
    assert_eq!(empty.execute_schema().unwrap_err().status, Status::InvalidState);
    empty.set_sql_query("SELECT 1").unwrap();
    empty.prepare().unwrap();
    assert_eq!(server.count(Request::is_execute), 0);
}
