//! Each bound row is executed when the reader comes to it, one result is open at a time, and a cancel reaches the current one.

use std::sync::Arc;

use adbc_core::error::{Error, Status};
use adbc_core::sync::Statement as _;
use arrow_array::{ArrayRef, Int32Array, RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::ArrowError;
use serde_json::json;

use crate::support::{self, Reply, Request, Server, driver_error, inline, numbers, ok, statement};

fn rows(values: &[i32]) -> RecordBatch {
    let values: ArrayRef = Arc::new(Int32Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("a", values)]).unwrap()
}

/// Two rows for each execution, whose id is the value of its parameter.
fn two_rows(request: &Request) -> Option<Reply> {
    request.is_execute().then(|| {
        let mut answer = inline(2);
        answer["statement_id"] = json!(id(request));
        ok(answer)
    })
}

fn id(request: &Request) -> String {
    let value = request.json()["parameters"][0]["value"].clone();
    format!("statement-{}", value.as_str().expect("a bound value"))
}

fn executed(server: &Server) -> Vec<String> {
    let executes = server.requests().into_iter().filter(Request::is_execute);
    executes.map(|request| id(&request)).collect()
}

fn is_about(request: &Request, method: &str, path: &str) -> bool {
    request.is(method, &format!("/api/2.0/sql/statements/{path}"))
}

fn status(item: Option<Result<RecordBatch, ArrowError>>) -> Status {
    Error::from(driver_error(&item.expect("an error").unwrap_err())).status
}

#[test]
fn a_row_waits_for_the_end_of_the_result_before_it() {
    let server = Server::start(|request, _| two_rows(request));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT ?");
    statement.bind(rows(&[1, 2, 3])).unwrap();
    let mut reader = statement.execute().unwrap();
    drop((statement, connection));
    assert_eq!(executed(&server), ["statement-1"]);
    reader.next().unwrap().unwrap();
    assert_eq!(executed(&server), ["statement-1"]);
    reader.next().unwrap().unwrap();
    assert_eq!(executed(&server), ["statement-1", "statement-2"]);
    assert_eq!(numbers(reader).unwrap(), [0, 1]);
    assert_eq!(executed(&server), ["statement-1", "statement-2", "statement-3"]);
    server.wait_until("the closes and then the session's", |asked| {
        let closed = |id: &str| asked.iter().any(|request| is_about(request, "DELETE", id));
        let session = asked
            .iter()
            .any(|request| request.is("DELETE", "/api/2.0/sql/sessions/session-1"));
        ["statement-1", "statement-2", "statement-3"]
            .iter()
            .all(|id| closed(id))
            && session
    });
    assert_eq!(server.count(|request| request.path.ends_with("/cancel")), 0);
}

#[test]
fn a_cancel_reaches_the_row_that_is_being_read_and_ends_the_series() {
    let server = Server::start(|request, _| two_rows(request));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT ?");
    statement.bind(rows(&[1, 2, 3])).unwrap();
    let mut reader = statement.execute().unwrap();
    reader.next().unwrap().unwrap();
    reader.next().unwrap().unwrap();
    let cancel = statement.get_cancel_handle();
    cancel.try_cancel().unwrap();
    assert_eq!(status(reader.next()), Status::Cancelled);
    assert!(reader.next().is_none());
    assert_eq!(cancel.try_cancel().unwrap_err().status, Status::InvalidState);
    server.wait_until("the second row's cancel", |asked| {
        asked
            .iter()
            .any(|request| is_about(request, "POST", "statement-2/cancel"))
    });
    assert_eq!(server.count(|request| request.path.ends_with("/cancel")), 1);
    assert_eq!(executed(&server), ["statement-1", "statement-2"]);
}

/// A bound stream of the rows 1 and 2 that cancels its statement between the two.
fn cancelling_between(statement: &adbc_databricks::Statement) -> Box<dyn RecordBatchReader + Send> {
    let cancel = statement.get_cancel_handle();
    let batches = [1, 2].into_iter().map(move |value| {
        if value == 2 {
            cancel.try_cancel().unwrap();
        }
        Ok(rows(&[value]))
    });
    Box::new(RecordBatchIterator::new(batches, rows(&[]).schema()))
}

#[test]
fn a_cancel_between_two_rows_is_not_lost() {
    let server = Server::start(|request, _| two_rows(request));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT ?");
    statement.bind_stream(cancelling_between(&statement)).unwrap();
    let mut reader = statement.execute().unwrap();
    reader.next().unwrap().unwrap();
    assert_eq!(status(reader.next()), Status::Cancelled);
    assert!(reader.next().is_none());

    statement.bind_stream(cancelling_between(&statement)).unwrap();
    assert_eq!(statement.execute_update().unwrap_err().status, Status::Cancelled);
    assert_eq!(
        executed(&server),
        ["statement-1", "statement-1"],
        "never the second row"
    );
}

#[test]
fn a_failing_row_is_the_readers_error_and_the_last_row_executed() {
    let server = Server::start(|request, _| {
        if request.is_execute() && id(request) == "statement-2" {
            let mut answer = inline(2);
            answer["status"] = json!({"state": "FAILED", "sql_state": "22012",
                "error": {"error_code": "BAD_REQUEST", "message": "[DIVIDE_BY_ZERO] no"}});
            return Some(ok(answer));
        }
        two_rows(request)
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT 1 / ?");
    statement.bind(rows(&[1, 2, 3])).unwrap();
    let mut reader = statement.execute().unwrap();
    reader.next().unwrap().unwrap();
    let error = Error::from(driver_error(&reader.next().unwrap().unwrap_err()));
    assert_eq!(support::sqlstate(&error), "22012");
    assert!(reader.next().is_none());
    assert_eq!(executed(&server), ["statement-1", "statement-2"]);
}

#[test]
fn rows_with_other_columns_are_refused() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(2);
            if id(request) == "statement-2" {
                answer["manifest"]["schema"]["columns"][0]["name"] = json!("y");
            }
            ok(answer)
        })
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT ?");
    statement.bind(rows(&[1, 2])).unwrap();
    let mut reader = statement.execute().unwrap();
    reader.next().unwrap().unwrap();
    let error = reader.next().unwrap().unwrap_err();
    assert!(
        driver_error(&error).to_string().contains("different columns"),
        "{error}"
    );
    assert!(reader.next().is_none());
}

#[test]
fn an_earlier_series_goes_on_after_the_statement_was_executed_again() {
    let server = Server::start(|request, _| two_rows(request));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT ?");
    statement.bind(rows(&[1, 2])).unwrap();
    let mut earlier = statement.execute().unwrap();
    earlier.next().unwrap().unwrap();
    let mut later = statement.execute().unwrap();
    // The earlier one's second row is not what a cancel is about.
    earlier.next().unwrap().unwrap();
    statement.get_cancel_handle().try_cancel().unwrap();
    assert_eq!(status(later.next()), Status::Cancelled);
    assert!(earlier.next().is_none());
}
