use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, builder};

fn entry(sql_driver_log: Value) -> String {
    json!({
        "frontend_log_event_id": "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
        "context": { "client_context": { "timestamp_millis": 1_793_264_400_000_i64, "user_agent": "test/1.0" } },
        "entry": { "sql_driver_log": sql_driver_log },
    })
    .to_string()
}

fn request(logs: &[String]) -> Value {
    json!({ "uploadTime": 1_793_264_400_000_i64, "items": [], "protoLogs": logs })
}

fn taken(count: u64) -> Value {
    json!({ "errors": [], "numSuccess": count, "numProtoSuccess": count, "numRealtimeSuccess": count })
}

#[tokio::test]
async fn and_violations_have_their_path() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let good = entry(json!({ "session_id": "s", "operation_latency_ms": "12" }));
    let bad = entry(json!({ "sql_operation": { "statement_type": "NONE" }, "secret": 1 }));
    let answer = client
        .post("/telemetry-ext", request(&[good, bad, "{".to_owned()]))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, taken(1));
    assert!(workspace.wait_for_telemetry(3, Duration::ZERO));

    let records = workspace.telemetry();
    assert!(records.iter().all(|record| record.authenticated));
    assert_eq!(records[0].violations, Vec::<String>::new());
    assert_eq!(records[0].log["entry"]["sql_driver_log"]["session_id"], "s");
    assert_eq!(
        records[1].violations,
        [
            "entry.sql_driver_log.sql_operation.statement_type: unknown value",
            "entry.sql_driver_log.secret: unknown member",
        ]
    );
    assert_eq!(records[2].violations, ["request.protoLogs[2]: not JSON"]);
    assert!(!workspace.wait_for_telemetry(4, Duration::ZERO));
    assert_eq!(workspace.telemetry_dropped(), 0);
}

#[tokio::test]
async fn and_without_authentication_nobody_is_named() {
    let workspace = builder().start().unwrap();
    let mut client = Client::new(&workspace);
    client.token = None;
    let anonymous = entry(json!({ "error_info": { "error_name": "connect" } }));
    let named = entry(json!({ "session_id": "s", "driver_connection_params": { "mode": "SEA" } }));
    let answer = client.post("/telemetry-unauth", request(&[anonymous, named])).await;
    assert_eq!(answer.body, taken(1));
    let records = workspace.telemetry();
    assert!(records.iter().all(|record| !record.authenticated));
    assert_eq!(records[0].violations, Vec::<String>::new());
    assert_eq!(
        records[1].violations,
        [
            "entry.sql_driver_log.session_id: not allowed without authentication",
            "entry.sql_driver_log.driver_connection_params: not allowed without authentication",
        ]
    );
}

#[tokio::test]
async fn and_the_request_around_it_too() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let mut body = request(&[entry(json!({}))]);
    body["batch"] = json!(1);
    assert_eq!(client.post("/telemetry-ext", body).await.body, taken(0));
    assert_eq!(workspace.telemetry()[0].violations, ["request.batch: unknown member"]);
    assert_eq!(client.post("/telemetry-ext", json!([])).await.status, 200);
    assert_eq!(workspace.telemetry()[1].violations, ["request: not an object"]);
}
