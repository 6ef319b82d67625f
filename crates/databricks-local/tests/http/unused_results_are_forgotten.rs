use std::time::Duration;

use serde_json::json;

use crate::client::{Client, builder, statement};

#[tokio::test]
async fn after_their_time_to_live() {
    let workspace = builder().result_ttl(Duration::from_millis(200)).start().unwrap();
    let client = Client::new(&workspace);
    let body = client.succeed("SELECT 1", json!({})).await;
    let id = body["statement_id"].as_str().unwrap();
    while client.get(&statement(id)).await.status == 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        client.get(&statement(id)).await.body["error_code"],
        "RESOURCE_DOES_NOT_EXIST"
    );
}

#[tokio::test]
async fn with_the_workspace_also_when_a_statement_runs() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let id = client.submit(crate::client::ENDLESS).await;
    client.wait_for_state(&id, "RUNNING").await;
    let url = workspace.url().to_owned();
    workspace.stop();
    assert!(client.http.get(url).send().await.is_err(), "nobody listens any more");
}
