//! A small query goes out as documented and comes back as Arrow.

use adbc_core::sync::{Connection as _, Statement as _};
use arrow_array::RecordBatchReader as _;
use serde_json::json;

use crate::support::{self, Server, TOKEN, inline, numbers, ok, statement};

#[test]
fn a_small_query_is_one_request_and_its_statement_and_session_are_closed() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(3))));
    let mut connection = server.connect();
    let reader = statement(&mut connection, "SELECT x FROM numbers").execute().unwrap();
    assert_eq!(reader.schema().field(0).name(), "x");
    assert_eq!(reader.schema().field(0).metadata()["databricks.type_text"], "BIGINT");
    assert_eq!(numbers(reader).unwrap(), [0, 1, 2]);
    drop(connection);

    let asked: Vec<_> = server
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    assert_eq!(
        asked,
        [
            "POST /api/2.0/sql/sessions",
            "POST /api/2.0/sql/statements",
            "DELETE /api/2.0/sql/statements/statement-1",
            "DELETE /api/2.0/sql/sessions/session-1?warehouse_id=w1",
        ]
    );
    let execute = &server.requests()[1];
    assert_eq!(
        execute.json(),
        json!({
            "warehouse_id": "w1", "session_id": "session-1", "statement": "SELECT x FROM numbers",
            "disposition": "INLINE_OR_EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME",
        })
    );
    assert_eq!(execute.headers["authorization"], format!("Bearer {TOKEN}"));
    assert!(execute.headers["user-agent"].starts_with("adbc-databricks-rust/"));
}

#[test]
fn an_empty_result_has_the_schema_of_its_manifest() {
    let empty = support::succeeded(
        json!({"schema": {"column_count": 2, "columns": [
            {"name": "a", "type_text": "DECIMAL(10,2)", "position": 0},
            {"name": "b", "type_text": "ARRAY<STRING>", "position": 1}]},
            "total_chunk_count": 0, "total_row_count": 0, "chunks": []}),
        json!({}),
    );
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(empty.clone())));
    let mut connection = server.connect();
    let mut statement = connection.new_statement().unwrap();
    statement.set_sql_query("SELECT").unwrap();
    let mut reader = statement.execute().unwrap();
    assert_eq!(
        reader.schema().field(0).data_type(),
        &arrow_schema::DataType::Decimal128(10, 2)
    );
    assert!(matches!(
        reader.schema().field(1).data_type(),
        arrow_schema::DataType::List(_)
    ));
    assert!(reader.next().is_none());
}

#[test]
fn an_empty_result_has_the_arrow_schema_that_the_server_sends() {
    let mut empty = support::succeeded(support::manifest(&[]), json!({}));
    // Only the Arrow schema tells that the column is what the data would have been.
    empty["manifest"]["schema"]["columns"][0]["type_text"] = json!("SOMETHING_NEW");
    empty["manifest"]["arrow_schema"] = json!(support::base64(&support::stream(&[])));
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(empty.clone())));
    let reader = statement(&mut server.connect(), "SELECT").execute().unwrap();
    assert_eq!(reader.schema().field(0).name(), "x");
    assert_eq!(reader.schema().field(0).data_type(), &arrow_schema::DataType::Int64);
}
