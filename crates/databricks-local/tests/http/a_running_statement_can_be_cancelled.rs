use serde_json::json;

use crate::client::{Client, ENDLESS, builder, chunk, statement};

#[tokio::test]
async fn and_everything_else_goes_on_meanwhile() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let ids = [
        client.submit(ENDLESS).await,
        client.submit(ENDLESS).await,
        client.submit(ENDLESS).await,
    ];
    for id in &ids {
        client.wait_for_state(id, "RUNNING").await;
    }
    client.succeed("SELECT 1", json!({})).await;

    for id in &ids {
        let answer = client.post(&format!("{}/cancel", statement(id)), json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.body), (200, json!({})));
        client.wait_for_state(id, "CANCELED").await;
        let answer = client.get(&statement(id)).await;
        assert!(answer.body.get("manifest").is_none() && answer.body.get("result").is_none());
        assert_eq!(client.get(&chunk(id, 0)).await.status, 404);
    }
}

#[tokio::test]
async fn by_the_wait_timeout_when_it_says_so() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let members = json!({ "wait_timeout": "5s", "on_wait_timeout": "CANCEL" });
    let answer = client.execute(ENDLESS, members).await;
    assert_eq!(answer.body["status"], json!({ "state": "CANCELED" }));
}

#[tokio::test]
async fn and_closed_in_any_order_and_as_often_as_one_likes() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for sql in ["SELECT 1", "SELECT no_such_column", ENDLESS] {
        let id = client.submit(sql).await;
        let cancel = format!("{}/cancel", statement(&id));
        for _ in 0..2 {
            assert_eq!(client.post(&cancel, json!({})).await.status, 200);
        }
        for _ in 0..2 {
            assert_eq!(client.delete(&statement(&id)).await.status, 200);
            assert_eq!(client.post(&cancel, json!({})).await.status, 200);
        }
        assert_eq!(client.state(&id).await, "CLOSED");
    }
}

#[tokio::test]
async fn also_before_it_has_a_slot_to_run_in() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let mut ids = Vec::new();
    for _ in 0..33 {
        ids.push(client.submit(ENDLESS).await);
    }
    // One of them has no slot, whichever it is.
    let waiting = loop {
        let mut waiting = Vec::new();
        for id in &ids {
            if client.state(id).await == "PENDING" {
                waiting.push(id.clone());
            }
        }
        if waiting.len() == 1 {
            break waiting.remove(0);
        }
    };
    client.post(&format!("{}/cancel", statement(&waiting)), json!({})).await;
    assert_eq!(client.state(&waiting).await, "CANCELED");
    ids.retain(|id| *id != waiting);

    let next = client.submit("SELECT 1").await;
    assert_eq!(client.state(&next).await, "PENDING");
    client.delete(&statement(&ids[0])).await;
    client.wait_for_state(&next, "SUCCEEDED").await;
}

#[tokio::test]
async fn while_its_chunks_are_made() {
    let workspace = builder().chunk_bytes(1000).memory_budget(0).start().unwrap();
    let client = Client::new(&workspace);
    let members = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM", "wait_timeout": "0s" });
    let answer = client.execute("SELECT * FROM range(0, 1000000000000)", members).await;
    let id = answer.body["statement_id"].as_str().unwrap();
    client.wait_for_state(id, "RUNNING").await;
    client.post(&format!("{}/cancel", statement(id)), json!({})).await;
    assert_eq!(client.state(id).await, "CANCELED");
    client.succeed("SELECT 1", json!({})).await;
}
