//! Servers differ: null members, `CLOSED` with a result, no sessions, no hybrid disposition.

mod support;

use adbc_core::error::Status;
use serde_json::json;
use support::{Request, Server, cloud, inline, ok, query, refusal};

#[test]
fn null_members_are_like_absent_ones() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            answer["status"] =
                json!({"state": "SUCCEEDED", "error": null, "sql_state": null, "num_modified_rows": null});
            for key in [
                "external_links",
                "data_array",
                "next_chunk_index",
                "next_chunk_internal_link",
            ] {
                answer["result"][key] = json!(null);
            }
            for key in ["chunks", "total_byte_count", "arrow_schema", "is_volume_operation"] {
                answer["manifest"][key] = json!(null);
            }
            ok(answer)
        })
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2]);
}

#[test]
fn closed_with_a_result_is_success_and_needs_no_close() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            answer["status"]["state"] = json!("CLOSED");
            ok(answer)
        })
    });
    let mut connection = server.connect();
    assert_eq!(query(&mut connection).unwrap(), [0, 1, 2]);
    drop(connection);
    assert_eq!(
        server.count(|request| request.is("DELETE", "/api/2.0/sql/statements/statement-1")),
        0
    );
}

#[test]
fn closed_without_a_result_is_an_error() {
    let closed = json!({"statement_id": "statement-1", "status": {"state": "CLOSED"}});
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(closed.clone())));
    assert_eq!(query(&mut server.connect()).unwrap_err().status, Status::InvalidState);
}

#[test]
fn a_refused_hybrid_disposition_is_remembered() {
    let server = Server::start(|request, port| {
        if request.is_execute() && request.json()["disposition"] == "INLINE_OR_EXTERNAL_LINKS" {
            return Some(refusal(400, "INVALID_PARAMETER_VALUE"));
        }
        cloud(request, port, 2, 5)
    });
    let mut connection = server.connect();
    assert_eq!(query(&mut connection).unwrap().len(), 10);
    assert_eq!(query(&mut connection).unwrap().len(), 10);
    let asked: Vec<_> = server
        .requests()
        .iter()
        .filter(|request| request.is_execute())
        .map(|r| r.json()["disposition"].clone())
        .collect();
    assert_eq!(asked, ["INLINE_OR_EXTERNAL_LINKS", "EXTERNAL_LINKS", "EXTERNAL_LINKS"]);
}

#[test]
fn a_400_that_is_not_about_the_disposition_is_reported_as_it_was() {
    let server = Server::start(|request, _| request.is_execute().then(|| refusal(400, "BAD_REQUEST")));
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::InvalidArguments);
    assert!(error.message.contains("BAD_REQUEST says the server"), "{error}");
}

#[test]
fn without_sessions_the_namespace_travels_with_each_statement() {
    for (status, code) in [(404, "ENDPOINT_NOT_FOUND"), (501, "NOT_IMPLEMENTED")] {
        let server = Server::start(move |request, _| {
            if request.is("POST", "/api/2.0/sql/sessions") {
                return Some(refusal(status, code));
            }
            request.is_execute().then(|| ok(inline(2)))
        });
        let mut connection = server.connect_with(&[("databricks.catalog", "c"), ("databricks.schema", "s")]);
        assert_eq!(query(&mut connection).unwrap(), [0, 1]);
        let execute = server.requests().into_iter().find(Request::is_execute).unwrap().json();
        assert_eq!(
            (&execute["catalog"], &execute["schema"], &execute["session_id"]),
            (&json!("c"), &json!("s"), &json!(null))
        );
        drop(connection);
        assert_eq!(
            server.count(|request| request.method == "DELETE" && request.path.contains("/sessions/")),
            0
        );
    }
}

#[test]
fn a_ddl_statement_has_no_columns_and_no_rows() {
    let server = Server::start(|request, _| {
        let ddl = json!({"statement_id": "statement-1", "status": {"state": "SUCCEEDED"},
            "manifest": {"schema": {"column_count": 0}, "total_chunk_count": 0, "total_row_count": 0}, "result": {}});
        request.is_execute().then(|| ok(ddl))
    });
    assert!(query(&mut server.connect()).unwrap().is_empty());
}
