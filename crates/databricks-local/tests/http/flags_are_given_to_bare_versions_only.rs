use serde_json::{Value, json};

use crate::client::{Client, builder};

const FLAG: &str = "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc";

fn flag(body: &Value, name: &str) -> Value {
    let flags = body["flags"].as_array().unwrap();
    flags
        .iter()
        .find(|flag| flag["name"] == name)
        .map_or(Value::Null, |flag| flag["value"].clone())
}

#[tokio::test]
async fn and_can_be_set() {
    let workspace = builder().flag("my.flag", "7").start().unwrap();
    let client = Client::new(&workspace);
    let path = |version| format!("/api/2.0/connector-service/feature-flags/ADBC/{version}");
    let body = client.get(&path("0.1.0")).await.body;
    assert_eq!(body["ttl_seconds"], 900);
    assert_eq!(flag(&body, FLAG), json!("true"));
    assert_eq!(flag(&body, "my.flag"), json!("7"));
    workspace.set_flag(FLAG, "false");
    assert_eq!(flag(&client.get(&path("0.1.0")).await.body, FLAG), json!("false"));
    for version in ["0.1", "0.1.0-dev", "0.1.0+sha", "v0.1.0", "0.1.0.0", "latest"] {
        assert_eq!(client.get(&path(version)).await.status, 404, "{version}");
    }
}
