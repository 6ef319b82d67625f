use serde_json::json;

use crate::client::{Client, builder};

#[tokio::test]
async fn as_a_table_with_typed_columns() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let log = |statement_id: &str, latency_ms: i64| {
        json!({
            "frontend_log_event_id": "e",
            "context": { "client_context": { "timestamp_millis": 1_786_019_696_000_i64, "user_agent": "test/1.0" } },
            "entry": { "sql_driver_log": {
                "sql_statement_id": statement_id, "operation_latency_ms": latency_ms.to_string(), "auth_type": "pat",
                "system_configuration": { "driver_name": "test", "driver_version": "1.2.3" },
                "sql_operation": {
                    "statement_type": "QUERY", "is_compressed": true, "execution_result": "EXTERNAL_LINKS",
                    "retry_count": 2,
                    "chunk_details": { "total_chunks_present": 5, "total_chunks_iterated": 4 },
                    "operation_detail": { "operation_type": "EXECUTE_STATEMENT", "n_operation_status_calls": 3 },
                },
            } },
        })
        .to_string()
    };
    let logs = [log("a", 10), log("b", 20), "{".to_owned()];
    client
        .post(
            "/telemetry-ext",
            json!({ "uploadTime": 1, "items": [], "protoLogs": logs }),
        )
        .await;

    let sql = "SELECT statement_id, operation_latency_ms, event_at, is_compressed, chunks_present, \
        chunks_iterated, poll_count, retry_count, driver_version, operation_type, session_id, authenticated \
        FROM system.telemetry.driver_log WHERE operation_latency_ms > 15";
    let body = client.succeed(sql, json!({})).await;
    assert_eq!(
        body["result"]["data_array"],
        json!([[
            "b",
            "20",
            "2026-08-06T12:34:56.000Z",
            "true",
            "5",
            "4",
            "3",
            "2",
            "1.2.3",
            "EXECUTE_STATEMENT",
            null,
            "true"
        ]])
    );
    let types: Vec<_> = body["manifest"]["schema"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["type_text"].clone())
        .collect();
    assert_eq!(types[..6], ["STRING", "BIGINT", "TIMESTAMP", "BOOLEAN", "INT", "INT"]);

    let sql = "SELECT statement_type, count(*), sum(operation_latency_ms) \
        FROM system.telemetry.driver_log GROUP BY 1 ORDER BY 1";
    let body = client.succeed(sql, json!({})).await;
    assert_eq!(
        body["result"]["data_array"],
        json!([[null, "1", null], ["QUERY", "2", "30"]])
    );

    let sql = "SELECT violations, log FROM system.telemetry.driver_log WHERE statement_id IS NULL";
    let body = client.succeed(sql, json!({})).await;
    assert_eq!(
        body["result"]["data_array"],
        json!([["[\"request.protoLogs[2]: not JSON\"]", "{"]])
    );
}
