use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, builder};

async fn refused(client: &Client, sql: &str, members: Value, status: u16, error_code: &str) {
    let answer = client.execute(sql, members.clone()).await;
    assert_eq!(answer.status, status, "{members}: {}", answer.body);
    assert_eq!(answer.body["error_code"], error_code, "{members}");
    assert!(
        answer.body["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
}

#[tokio::test]
async fn wait_timeouts_are_zero_or_five_to_fifty_seconds() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for wrong in ["4s", "51s", "10", "1m", "", "-5s", "5.5s"] {
        refused(
            &client,
            "SELECT 1",
            json!({ "wait_timeout": wrong }),
            400,
            "INVALID_PARAMETER_VALUE",
        )
        .await;
    }
    let members = json!({ "wait_timeout": "0s", "on_wait_timeout": "CANCEL" });
    refused(&client, "SELECT 1", members, 400, "INVALID_PARAMETER_VALUE").await;
    for right in ["5s", "50s"] {
        client
            .succeed(
                "SELECT 1",
                json!({ "wait_timeout": right, "on_wait_timeout": "CONTINUE" }),
            )
            .await;
    }
}

#[tokio::test]
async fn members_must_fit_together() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let session = client
        .post("/api/2.0/sql/sessions", json!({ "warehouse_id": client.warehouse_id }))
        .await;
    let session = session.body["session_id"].as_str().unwrap();
    for members in [
        json!({ "format": "ARROW_STREAM" }),
        json!({ "disposition": "INLINE", "format": "ARROW_STREAM" }),
        json!({ "disposition": "INLINE", "format": "CSV" }),
        json!({ "disposition": "SOMEWHERE" }),
        json!({ "format": "XML" }),
        json!({ "session_id": session, "catalog": "main" }),
        json!({ "session_id": session, "schema": "default" }),
        json!({ "row_limit": 0 }),
        json!({ "row_limit": -1 }),
        json!({ "byte_limit": -1 }),
        json!({ "parameters": [{ "name": "a", "value": "1" }, { "ordinal": 1, "value": "1" }] }),
        json!({ "parameters": [{ "ordinal": 0, "value": "1" }] }),
        json!({ "statement": " " }),
        json!({ "statement": 7 }),
        json!({ "statement": null }),
        json!({ "warehouse_id": "" }),
    ] {
        refused(&client, "SELECT 1", members, 400, "INVALID_PARAMETER_VALUE").await;
    }
    refused(
        &client,
        "SELECT 1",
        json!({ "warehouse_id": "other" }),
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
    .await;
    refused(
        &client,
        "SELECT 1",
        json!({ "session_id": "other" }),
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
    .await;
}

#[tokio::test]
async fn bodies_must_be_json() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for path in [
        "/api/2.0/sql/statements",
        "/api/2.0/sql/sessions",
        "/telemetry-ext",
        "/telemetry-unauth",
    ] {
        for body in ["", "{", "nonsense", "{\"a\":1} trailing"] {
            let response = client.send(Method::POST, path, Some(body.to_owned())).await;
            assert_eq!(response.status(), 400, "{path} {body}");
            let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            assert_eq!(body["error_code"], "MALFORMED_REQUEST");
        }
    }
    let answer = client
        .call(Method::POST, "/api/2.0/sql/statements", Some(json!([])))
        .await;
    assert_eq!(answer.status, 400);
    let deep = "[".repeat(100_000);
    assert_eq!(
        client
            .send(Method::POST, "/api/2.0/sql/statements", Some(deep))
            .await
            .status(),
        400
    );
    let large = " ".repeat((16 << 20) + 1);
    assert_eq!(
        client.send(Method::POST, "/telemetry-ext", Some(large)).await.status(),
        413
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_so_in_json() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for path in [
        "/",
        "/nothing",
        "/api/2.0/sql/statements/unknown",
        "/api/2.0/sql/statements/unknown/result/chunks/0",
        "/api/2.0/sql/warehouses/unknown",
        "/oidc/v1/unknown",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body["error_code"].is_string(), "{path}");
    }
    assert_eq!(
        client.call(Method::PUT, "/api/2.0/sql/statements", None).await.status,
        405
    );
    assert_eq!(client.get("/api/2.0/sql/statements/%ff").await.status, 400);
    let body = client.succeed("SELECT 1", json!({})).await;
    let id = body["statement_id"].as_str().unwrap();
    for (index, status) in [("1", 404), ("99999999999999999999", 400), ("x", 400), ("-1", 400)] {
        let answer = client
            .get(&format!("/api/2.0/sql/statements/{id}/result/chunks/{index}"))
            .await;
        assert_eq!(answer.status, status, "{index}");
    }
}
