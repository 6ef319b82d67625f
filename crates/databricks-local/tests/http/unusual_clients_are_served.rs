use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, builder, statement};

#[tokio::test]
async fn with_trailing_slashes_bodies_everywhere_and_unknown_members() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let session = client
        .post(
            "/api/2.0/sql/sessions/",
            json!({ "warehouse_id": client.warehouse_id, "execution_mode": "FAST", "new_member": { "a": [1] } }),
        )
        .await;
    let session = session.body["session_id"].as_str().unwrap().to_owned();
    let body = json!({
        "warehouse_id": client.warehouse_id, "session_id": session, "statement": "SELECT 1", "new_member": 1,
        "query_tags": [{ "key": "team", "value": "x" }, { "key": "alone" }, { "key": "nothing", "value": null }],
    });
    let answer = client.post("/api/2.0/sql/statements/", body).await;
    assert_eq!(answer.body["status"]["state"], "SUCCEEDED");
    let id = answer.body["statement_id"].as_str().unwrap();

    let path = statement(id);
    let body = Some(json!({ "warehouse_id": "x", "session_id": 7 }));
    assert_eq!(
        client.call(Method::GET, &format!("{path}/"), body.clone()).await.status,
        200
    );
    assert_eq!(
        client.get(&format!("{path}/result/chunks/0?row_offset=0")).await.status,
        200
    );
    let response = client.send(Method::DELETE, &path, Some("not json".to_owned())).await;
    assert_eq!(response.status(), 200);
    let response = client.send(Method::POST, &format!("{path}/cancel"), None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        client
            .call(Method::DELETE, &format!("/api/2.0/sql/sessions/{session}/"), body)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn with_parameters_named_counted_or_neither() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let named = json!({ "parameters": [{ "name": "p", "type": "INT", "value": "5" }] });
    let body = client.succeed("SELECT :p + 1", named).await;
    assert_eq!(body["result"]["data_array"], json!([["6"]]));
    for counted in [
        json!([{ "ordinal": 2, "type": "STRING", "value": "b" }, { "ordinal": 1, "value": "a" }]),
        json!([{ "name": null, "type": "STRING", "value": "a" }, { "name": null, "value": "b" }]),
    ] {
        let body = client.succeed("SELECT ?, ?", json!({ "parameters": counted })).await;
        assert_eq!(body["result"]["data_array"], json!([["a", "b"]]));
    }
}

#[tokio::test]
async fn that_ask_whether_the_warehouse_runs() {
    let workspace = builder().warehouse_id("abc").start().unwrap();
    let client = Client::new(&workspace);
    assert_eq!(workspace.http_path(), "/sql/1.0/warehouses/abc");
    let path = "/api/2.0/sql/warehouses/abc";
    let state = async || client.get(path).await.body["state"].clone();
    assert_eq!(state().await, "RUNNING");
    assert_eq!(
        client.get("/api/2.0/sql/warehouses").await.body["warehouses"][0]["id"],
        "abc"
    );
    assert_eq!(client.post(&format!("{path}/stop"), json!({})).await.status, 200);
    assert_eq!(state().await, "STOPPED");
    client.succeed("SELECT 1", json!({})).await;
    assert_eq!(state().await, "RUNNING");
    assert_eq!(client.post(&format!("{path}/start"), json!({})).await.status, 200);
    assert_eq!(client.get("/api/2.0/preview/scim/v2/Me").await.body["active"], true);
}

#[tokio::test]
async fn whose_trace_context_is_remembered() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = client
        .http
        .get(format!("{}/nowhere?secret=1", client.url))
        .header("traceparent", traceparent);
    request.header("user-agent", "test/1").send().await.unwrap();
    let record = workspace.requests().pop().unwrap();
    assert_eq!(record.traceparent.as_deref(), Some(traceparent));
    assert_eq!(record.user_agent.as_deref(), Some("test/1"));
    assert_eq!(
        (record.method.as_str(), record.path.as_str(), record.status),
        ("GET", "/nowhere", 404)
    );
    assert!(!record.authorised && !record.carried_authorization);
}

/// Sends a request whose body comes a little later, and returns the status of the answer.
async fn late_body(stream: &mut TcpStream, method: &str, path: &str, token: &str) -> u16 {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stream.write_all(b"{}").await.unwrap();
    let mut answer = Vec::new();
    loop {
        let count = stream.read_buf(&mut answer).await.unwrap();
        assert!(count > 0, "the connection was closed");
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            assert!(!head.contains("connection: close"));
            return head[9..12].parse().unwrap();
        }
    }
}

#[tokio::test]
async fn on_one_connection_whatever_bodies_they_send() {
    let workspace = builder().start().unwrap();
    let body = Client::new(&workspace).succeed("SELECT 1", json!({})).await;
    let path = statement(body["statement_id"].as_str().unwrap());
    let address = workspace.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let token = workspace.token();
    for (method, path, token, status) in [
        ("GET", path.clone(), token, 200),
        ("POST", format!("{path}/cancel"), token, 200),
        ("DELETE", path.clone(), token, 200),
        ("DELETE", path.clone(), "wrong", 401),
        ("PUT", path.clone(), token, 405),
        ("POST", "/nowhere".to_owned(), token, 404),
        ("POST", "/sql/1.0/warehouses/x".to_owned(), token, 404),
        ("GET", "/api/2.0/sql/warehouses".to_owned(), token, 200),
    ] {
        assert_eq!(
            late_body(&mut stream, method, &path, token).await,
            status,
            "{method} {path}"
        );
    }
}
