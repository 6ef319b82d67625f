use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, builder, statement};

const SESSIONS: &str = "/api/2.0/sql/sessions";

async fn open(client: &Client, mut members: Value) -> String {
    members["warehouse_id"] = json!(client.warehouse_id);
    let answer = client.post(SESSIONS, members).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["session_id"].as_str().unwrap().to_owned()
}

async fn current_schema(client: &Client, session: &str) -> Value {
    let sql = "SELECT current_catalog(), current_schema()";
    client.succeed(sql, json!({ "session_id": session })).await["result"]["data_array"][0].clone()
}

#[tokio::test]
async fn names_start_where_the_session_starts() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let session = open(
        &client,
        json!({ "catalog": "samples", "schema": "tpch", "session_confs": null }),
    )
    .await;
    assert_eq!(current_schema(&client, &session).await, json!(["samples", "tpch"]));
    let old = open(
        &client,
        json!({ "catalog_name": "samples", "schema_name": "tpch", "session_configuration": {} }),
    )
    .await;
    assert_eq!(current_schema(&client, &old).await, json!(["samples", "tpch"]));

    let sql = "SELECT count(*) FROM nation";
    let body = client.succeed(sql, json!({ "session_id": session })).await;
    assert_eq!(body["result"]["data_array"], json!([["25"]]));
    let body = client
        .succeed(sql, json!({ "catalog": "samples", "schema": "tpch" }))
        .await;
    assert_eq!(body["result"]["data_array"], json!([["25"]]));
    let answer = client.execute(sql, json!({})).await;
    assert_eq!(answer.body["status"]["state"], "FAILED");
}

#[tokio::test]
async fn unknown_and_closed_sessions_do_not_exist() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let session = open(&client, json!({})).await;
    let body = client.succeed("SELECT 1", json!({ "session_id": session })).await;
    let id = body["statement_id"].as_str().unwrap();

    let path = format!(
        "{SESSIONS}/{session}?warehouse_id={}&session_id={session}",
        client.warehouse_id
    );
    let body = json!({ "warehouse_id": client.warehouse_id, "session_id": session });
    assert_eq!(client.call(Method::DELETE, &path, Some(body)).await.status, 200);
    for answer in [
        client.execute("SELECT 1", json!({ "session_id": session })).await,
        client.execute("SELECT 1", json!({ "session_id": "never" })).await,
        client.delete(&format!("{SESSIONS}/{session}")).await,
    ] {
        assert_eq!(answer.status, 404);
        assert_eq!(answer.body["error_code"], "RESOURCE_DOES_NOT_EXIST");
    }
    assert_eq!(client.state(id).await, "SUCCEEDED", "a result outlives its session");
    assert_eq!(
        client.delete(&statement(id)).await.status,
        200,
        "a statement can be closed after its session"
    );
}

#[tokio::test]
async fn unused_sessions_expire() {
    let workspace = builder().session_ttl(Duration::from_millis(100)).start().unwrap();
    let client = Client::new(&workspace);
    let session = open(&client, json!({})).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answer = client.execute("SELECT 1", json!({ "session_id": session })).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["error_code"]),
        (404, &json!("RESOURCE_DOES_NOT_EXIST"))
    );
}

#[tokio::test]
async fn used_ones_do_not() {
    let workspace = builder().session_ttl(Duration::from_millis(100)).start().unwrap();
    let client = Client::new(&workspace);
    let session = open(&client, json!({})).await;
    let members = json!({ "session_id": session, "wait_timeout": "0s" });
    let running = client.execute(crate::client::ENDLESS, members).await.body["statement_id"].clone();
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.succeed("SELECT 1", json!({ "session_id": session })).await;
    assert_eq!(client.delete(&statement(running.as_str().unwrap())).await.status, 200);
}

#[tokio::test]
async fn they_need_the_warehouse_and_places_that_exist() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for (members, status) in [
        (json!({}), 400),
        (json!({ "warehouse_id": "" }), 400),
        (json!({ "warehouse_id": "other" }), 404),
        (
            json!({ "warehouse_id": client.warehouse_id, "catalog": "no_such_catalog" }),
            400,
        ),
    ] {
        let answer = client.post(SESSIONS, members.clone()).await;
        assert_eq!(answer.status, status, "{members}");
    }
}
