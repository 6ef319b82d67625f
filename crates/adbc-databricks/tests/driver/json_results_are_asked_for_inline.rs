//! JSON results are asked for inline unless a disposition is set, and are read wherever they come.

use adbc_core::error::Status;
use adbc_core::sync::{Connection as _, Statement as _};
use serde_json::{Value, json};

use crate::support::{
    Reply, Request, Server, cloud, inline, is_storage, last_number, manifest, ok, query, statement, succeeded,
};

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

/// Three chunks of two rows behind links, each file a JSON array.
fn behind_links(request: &Request, port: u16, file: fn(u64) -> Vec<u8>) -> Option<Reply> {
    if is_storage(request) {
        return Some(Reply::Bytes(file(last_number(&request.path))));
    }
    let mut answer = ok_json(cloud(request, port, 3, 2)?)?;
    if request.is_execute() {
        answer["manifest"]["format"] = json!("JSON_ARRAY");
        answer["manifest"]["result_compression"] = json!(null);
    }
    Some(ok(answer))
}

fn ok_json(reply: Reply) -> Option<Value> {
    match reply {
        Reply::Json(200, body) => Some(body),
        _ => None,
    }
}

#[test]
fn behind_links_their_files_are_read() {
    let rows = |index: u64| {
        json!([[(2 * index).to_string()], [(2 * index + 1).to_string()]])
            .to_string()
            .into_bytes()
    };
    let server = Server::start(move |request, port| behind_links(request, port, rows));
    let mut connection = server.connect_with(&[(FORMAT, "JSON_ARRAY"), (DISPOSITION, "EXTERNAL_LINKS")]);
    assert_eq!(query(&mut connection).unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(asked(&server), [(json!("EXTERNAL_LINKS"), json!("JSON_ARRAY"))]);
}

#[test]
fn a_file_that_is_cut_off_or_short_is_an_error_without_its_content() {
    for file in [
        |_| br#"[["canary"],["#.to_vec(),
        |_| br#"[["1"]]"#.to_vec(),
        |_| br#"[["canary"],["1"]]"#.to_vec(),
    ] {
        let server = Server::start(move |request, port| behind_links(request, port, file));
        let mut connection = server.connect_with(&[(FORMAT, "JSON_ARRAY"), (DISPOSITION, "EXTERNAL_LINKS")]);
        let error = query(&mut connection).unwrap_err();
        assert_eq!(error.status, Status::Internal);
        assert!(!error.message.contains("canary"), "{error}");
    }
}

#[test]
fn the_drivers_own_questions_are_not_concerned() {
    let server = Server::start(|request, _| as_asked(request));
    let mut connection = server.connect_with(&[(FORMAT, "JSON_ARRAY"), (DISPOSITION, "EXTERNAL_LINKS")]);
    // The scripted answer describes nothing; what counts is how it was asked for.
    let _ = connection.get_table_schema(None, None, "t");
    let _ = statement(&mut connection, "SELECT 1").execute_schema();
    let default = (json!("INLINE_OR_EXTERNAL_LINKS"), json!("ARROW_STREAM"));
    // The table, twice because the first answer describes nothing, and the query.
    assert_eq!(asked(&server), [default.clone(), default.clone(), default]);
}
