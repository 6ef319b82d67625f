//! Each way to fail has its ADBC status, its SQLSTATE and its details.

use std::net::TcpListener;

use adbc_core::error::Status;
use adbc_core::sync::{Database as _, Driver as _};
use adbc_databricks::Driver;
use serde_json::json;

use crate::support::{self, Server, detail, ok, query, refusal, sqlstate};

#[test]
fn a_wrong_token_is_unauthenticated() {
    let server = Server::start(|_, _| Some(refusal(401, "UNAUTHENTICATED")));
    let error = server.database(&[]).new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert_eq!(detail(&error, "http.status_code").as_deref(), Some("401"));
    assert!(!error.message.contains(support::TOKEN));
}

#[test]
fn a_refused_connection_is_an_io_error_that_names_the_place() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("databricks://token:t@127.0.0.1:{port}/sql/1.0/warehouses/w");
    let options = [
        ("uri", uri.as_str()),
        ("databricks.retry.max_retries", "1"),
        ("databricks.retry.min_wait_ms", "1"),
    ];
    let database = Driver
        .new_database_with_opts(options.map(|(key, value)| (key.into(), value.into())))
        .unwrap();
    let error = database.new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::IO);
    assert!(
        error
            .message
            .contains(&format!("could not connect to 127.0.0.1:{port}")),
        "{error}"
    );
    assert!(error.message.to_lowercase().contains("refused"), "{error}");
}

#[test]
fn an_unknown_warehouse_fails_the_connect() {
    let server = Server::start(|request, _| {
        request
            .is("POST", "/api/2.0/sql/sessions")
            .then(|| refusal(404, "RESOURCE_DOES_NOT_EXIST"))
    });
    assert_eq!(
        server.database(&[]).new_connection().map(drop).unwrap_err().status,
        Status::NotFound
    );
}

#[test]
fn a_failed_statement_keeps_the_servers_words_and_codes() {
    let failed = json!({"statement_id": "statement-1", "status": {"state": "FAILED", "sql_state": "42P01",
        "error": {"error_code": "BAD_REQUEST", "message": "[TABLE_OR_VIEW_NOT_FOUND] no `t`\u{0}. SQLSTATE: 42P01"}}});
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(failed.clone())));
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!((error.status, sqlstate(&error).as_str()), (Status::NotFound, "42P01"));
    assert!(
        error.message.starts_with("[TABLE_OR_VIEW_NOT_FOUND] no `t`") && !error.message.contains('\0'),
        "{error}"
    );
    assert_eq!(detail(&error, "databricks.error_code").as_deref(), Some("BAD_REQUEST"));
    assert_eq!(
        detail(&error, "databricks.error_class").as_deref(),
        Some("TABLE_OR_VIEW_NOT_FOUND")
    );
    assert_eq!(
        detail(&error, "databricks.statement_id").as_deref(),
        Some("statement-1")
    );
}

#[test]
fn a_statement_that_the_server_cancelled_is_cancelled() {
    let cancelled = json!({"statement_id": "statement-1", "status": {"state": "CANCELED"}});
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(cancelled.clone())));
    assert_eq!(query(&mut server.connect()).unwrap_err().status, Status::Cancelled);
}

#[test]
fn an_answer_that_is_no_answer_is_an_error() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(json!([1, 2]))));
    assert_eq!(query(&mut server.connect()).unwrap_err().status, Status::Internal);
    let redirect = Server::start(|request, _| request.is_execute().then(|| refusal(307, "ELSEWHERE")));
    assert_eq!(query(&mut redirect.connect()).unwrap_err().status, Status::IO);
}
