use serde_json::{Value, json};

use crate::client::{Client, ENDLESS, builder, chunk, statement};

/// Where a value holds null; cells of inline results may.
fn nulls(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(path.to_owned()),
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "data_array") {
                nulls(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(values) => {
            for value in values {
                nulls(value, path, found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn whatever_was_asked() {
    let workspace = builder().chunk_bytes(100).oauth_client("id", "secret").start().unwrap();
    let client = Client::new(&workspace);
    let mut answers = vec![
        client
            .post(
                "/api/2.0/sql/sessions",
                json!({ "warehouse_id": client.warehouse_id, "catalog": null }),
            )
            .await,
        client.get("/api/2.0/sql/warehouses").await,
        client.get("/api/2.0/connector-service/feature-flags/ADBC/1.2.3").await,
        client.get("/api/2.0/preview/scim/v2/Me").await,
        client.get("/oidc/.well-known/oauth-authorization-server").await,
        client.get("/nowhere").await,
        client
            .post(
                "/telemetry-ext",
                json!({ "uploadTime": 1, "items": [], "protoLogs": [] }),
            )
            .await,
        client.execute("SELECT * FROM no_such_table", json!({})).await,
        client.execute("SELECT 1", json!({ "wait_timeout": "0s" })).await,
        client.execute("SELECT 1", json!({ "wait_timeout": "7m" })).await,
        client.execute(ENDLESS, json!({ "wait_timeout": "5s" })).await,
    ];
    for sql in ["SELECT NULL", "SELECT 1 WHERE false", "SELECT * FROM range(0, 100)"] {
        for members in [
            json!({}),
            json!({ "disposition": "INLINE_OR_EXTERNAL_LINKS", "format": "ARROW_STREAM" }),
            json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME" }),
            json!({ "disposition": "EXTERNAL_LINKS", "format": "CSV", "catalog": null, "parameters": null }),
        ] {
            let answer = client.execute(sql, members).await;
            assert_eq!(answer.body["status"]["state"], "SUCCEEDED");
            let id = answer.body["statement_id"].as_str().unwrap().to_owned();
            answers.push(answer);
            answers.push(client.get(&statement(&id)).await);
            answers.push(client.get(&chunk(&id, 0)).await);
            answers.push(client.post(&format!("{}/cancel", statement(&id)), json!({})).await);
            answers.push(client.delete(&statement(&id)).await);
            answers.push(client.get(&statement(&id)).await);
        }
    }
    let mut found = Vec::new();
    for answer in answers {
        nulls(&answer.body, "", &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}
