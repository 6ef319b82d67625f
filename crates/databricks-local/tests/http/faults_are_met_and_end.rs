use std::time::{Duration, Instant};

use databricks_local::Fault;
use serde_json::json;

use crate::client::{Client, builder};

#[tokio::test]
async fn as_statuses_latencies_and_dropped_connections() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    workspace.fault(Fault::Status {
        path_prefix: "POST /api/2.0/sql/statements".to_owned(),
        status: 429,
        retry_after: Some(Duration::from_secs(7)),
        times: 2,
    });
    assert_eq!(client.get("/api/2.0/sql/warehouses").await.status, 200);
    for _ in 0..2 {
        let body = json!({ "warehouse_id": client.warehouse_id, "statement": "SELECT 1" });
        let response = client
            .send(reqwest::Method::POST, "/api/2.0/sql/statements", Some(body.to_string()))
            .await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
    }
    client.succeed("SELECT 1", json!({})).await;

    let path_prefix = "/api/2.0/sql/warehouses".to_owned();
    let delay = Duration::from_millis(50);
    workspace.fault(Fault::Latency {
        path_prefix: path_prefix.clone(),
        delay,
        times: 1,
    });
    let started = Instant::now();
    assert_eq!(client.get(&path_prefix).await.status, 200);
    assert!(started.elapsed() >= delay);

    // reqwest itself tries again when a reused connection ends, so a few are needed until it gives up.
    workspace.fault(Fault::Drop {
        path_prefix: path_prefix.clone(),
        times: 100,
    });
    let request = client
        .http
        .get(format!("{}{path_prefix}", client.url))
        .bearer_auth(workspace.token());
    assert!(request.send().await.is_err());
    assert_eq!(workspace.requests().pop().unwrap().status, 0);
    workspace.clear_faults();
    assert_eq!(client.get(&path_prefix).await.status, 200);
}

#[tokio::test]
async fn on_links_in_the_words_of_storage() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let members = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM" });
    let body = client.succeed("SELECT 1", members).await;
    let link = &body["result"]["external_links"][0];
    workspace.fault(Fault::Status {
        path_prefix: "/results/".to_owned(),
        status: 503,
        retry_after: None,
        times: 1,
    });
    let response = client.download(link).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (503, &"application/xml".parse().unwrap())
    );
    assert_eq!(client.download(link).await.status(), 200);
}

#[tokio::test]
async fn as_silence_and_garbage_for_telemetry_alone() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let post = || {
        client
            .http
            .post(format!("{}/telemetry-ext", client.url))
            .bearer_auth(workspace.token())
            .body("{}")
            .timeout(Duration::from_millis(200))
    };
    workspace.fault("telemetry=hang*1".parse().unwrap());
    assert!(post().send().await.unwrap_err().is_timeout());
    workspace.fault("telemetry=garbage*1".parse().unwrap());
    let answer = post().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.bytes().await.unwrap()).is_err());
    workspace.fault("telemetry=drop".parse().unwrap());
    client.succeed("SELECT 1", json!({})).await;
    assert_eq!(workspace.telemetry().len(), 0);
}
