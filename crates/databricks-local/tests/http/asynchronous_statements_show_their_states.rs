use serde_json::json;

use crate::client::{Client, ENDLESS, builder, chunk, statement};

#[tokio::test]
async fn from_pending_to_succeeded() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let answer = client.execute("SELECT 1", json!({ "wait_timeout": "0s" })).await;
    assert_eq!(answer.body["status"], json!({ "state": "PENDING" }));
    assert_eq!(
        answer.body.as_object().unwrap().len(),
        2,
        "an id and a status, nothing else"
    );
    let id = answer.body["statement_id"].as_str().unwrap();
    client.wait_for_state(id, "SUCCEEDED").await;
    assert_eq!(
        client.get(&statement(id)).await.body["result"]["data_array"],
        json!([["1"]])
    );
}

#[tokio::test]
async fn running_has_no_result() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let id = client.submit(ENDLESS).await;
    client.wait_for_state(&id, "RUNNING").await;
    let answer = client.get(&statement(&id)).await;
    assert_eq!(answer.body.as_object().unwrap().len(), 2);
    assert_eq!(client.get(&chunk(&id, 0)).await.status, 404);
}

#[tokio::test]
async fn failed_says_why_and_is_not_an_http_error() {
    let workspace = builder().start().unwrap();
    let answer = Client::new(&workspace)
        .execute("SELECT * FROM no_such_table", json!({}))
        .await;
    assert_eq!(answer.status, 200);
    let status = &answer.body["status"];
    assert_eq!(status["state"], "FAILED");
    assert_eq!(status["sql_state"], "42P01");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("[TABLE_OR_VIEW_NOT_FOUND]") && message.contains("SQLSTATE: 42P01"),
        "{message}"
    );
    assert!(answer.body.get("manifest").is_none() && answer.body.get("result").is_none());
}

#[tokio::test]
async fn closed_has_no_result_any_more() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let body = client.succeed("SELECT 1", json!({})).await;
    let id = body["statement_id"].as_str().unwrap();
    client.delete(&statement(id)).await;
    assert_eq!(
        client.get(&statement(id)).await.body["status"],
        json!({ "state": "CLOSED" })
    );
    assert_eq!(client.get(&chunk(id, 0)).await.status, 404);
}
