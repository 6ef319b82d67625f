//! JSON results are never put behind links, where the driver could not read them after the statement has run.

mod support;

use adbc_core::error::Status;
use adbc_core::sync::{Connection as _, Statement as _};
use serde_json::{Value, json};
use support::{Reply, Request, Server, inline, manifest, ok, query, statement, succeeded};

const FORMAT: &str = "databricks.result.format";
const DISPOSITION: &str = "databricks.result.disposition";

/// Answers in the format that was asked for.
fn as_asked(request: &Request) -> Option<Reply> {
    request.is_execute().then(|| {
        if request.json()["format"] != "JSON_ARRAY" {
            return ok(inline(2));
        }
        let mut manifest = manifest(&[2]);
        manifest["format"] = json!("JSON_ARRAY");
        manifest["result_compression"] = json!(null);
        ok(succeeded(
            manifest,
            json!({"chunk_index": 0, "row_count": 2, "data_array": [["0"], ["1"]]}),
        ))
    })
}

/// Disposition and format of each execution.
fn asked(server: &Server) -> Vec<(Value, Value)> {
    let executes = server.requests().into_iter().filter(Request::is_execute);
    let wanted = executes.map(|request| (request.json()["disposition"].clone(), request.json()["format"].clone()));
    wanted.collect()
}

#[test]
fn unless_a_disposition_is_set() {
    let server = Server::start(|request, _| as_asked(request));
    let mut connection = server.connect_with(&[(FORMAT, "JSON_ARRAY")]);
    assert_eq!(query(&mut connection).unwrap(), [0, 1]);
    let mut connection = server.connect_with(&[(FORMAT, "JSON_ARRAY"), (DISPOSITION, "INLINE_OR_EXTERNAL_LINKS")]);
    assert_eq!(query(&mut connection).unwrap(), [0, 1]);
    assert_eq!(
        asked(&server),
        [
            (json!("INLINE"), json!("JSON_ARRAY")),
            (json!("INLINE_OR_EXTERNAL_LINKS"), json!("JSON_ARRAY")),
        ]
    );
}

#[test]
fn with_links_they_are_refused_before_anything_runs() {
    let server = Server::start(|request, _| as_asked(request));
    let mut connection = server.connect_with(&[(FORMAT, "JSON_ARRAY"), (DISPOSITION, "EXTERNAL_LINKS")]);
    let mut statement = statement(&mut connection, "SELECT 1");
    let refused = [
        statement.execute().map(drop).unwrap_err(),
        statement.execute_update().map(drop).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.status, Status::InvalidArguments);
        assert!(
            error.message.contains(FORMAT) && error.message.contains(DISPOSITION),
            "{error}"
        );
    }
    assert_eq!(asked(&server), []);
}

#[test]
fn the_drivers_own_questions_are_not_concerned() {
    let server = Server::start(|request, _| as_asked(request));
    let mut connection = server.connect_with(&[(FORMAT, "JSON_ARRAY"), (DISPOSITION, "EXTERNAL_LINKS")]);
    // The scripted answer describes nothing; what counts is how it was asked for.
    let _ = connection.get_table_schema(None, None, "t");
    let _ = statement(&mut connection, "SELECT 1").execute_schema();
    let default = (json!("INLINE_OR_EXTERNAL_LINKS"), json!("ARROW_STREAM"));
    assert_eq!(asked(&server), [default.clone(), default]);
}
