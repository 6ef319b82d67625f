use serde_json::{Value, json};

use crate::client::{Client, builder};

const API: &str = "/api/2.1/unity-catalog";

fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().expect("a list");
    items.iter().filter_map(|item| item["name"].as_str()).collect()
}

#[tokio::test]
async fn from_catalogs_down_to_columns() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    client
        .succeed(
            "CREATE TABLE main.default.t (id BIGINT NOT NULL COMMENT 'the key', price DECIMAL(10,2))",
            json!({}),
        )
        .await;
    client.succeed("CREATE VOLUME main.default.v", json!({})).await;

    let catalogs = client.get(&format!("{API}/catalogs")).await;
    assert_eq!(names(&catalogs.body["catalogs"]), ["main", "samples", "system"]);
    let schemas = client.get(&format!("{API}/schemas?catalog_name=main")).await;
    assert_eq!(names(&schemas.body["schemas"]), ["default", "information_schema"]);
    let tables = client
        .get(&format!(
            "{API}/tables?catalog_name=main&schema_name=default&omit_columns=true"
        ))
        .await;
    assert_eq!(names(&tables.body["tables"]), ["t"]);
    assert!(tables.body["tables"][0].get("columns").is_none());
    let volumes = client
        .get(&format!("{API}/volumes?catalog_name=main&schema_name=default"))
        .await;
    assert_eq!(names(&volumes.body["volumes"]), ["v"]);

    let table = client.get(&format!("{API}/tables/main.default.t")).await.body;
    assert_eq!(table["table_type"], "MANAGED");
    assert_eq!(
        table["columns"],
        json!([
            {
                "name": "id", "position": 0, "type_text": "bigint", "type_name": "LONG", "type_precision": 0,
                "type_scale": 0, "nullable": false, "comment": "the key",
            },
            {
                "name": "price", "position": 1, "type_text": "decimal(10,2)", "type_name": "DECIMAL",
                "type_precision": 10, "type_scale": 2, "nullable": true,
            },
        ])
    );
}

#[tokio::test]
async fn page_by_page() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let list = format!("{API}/tables?catalog_name=samples&schema_name=tpch&max_results=3");
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{list}&page_token={token}")).await.body;
        let here = names(&page["tables"]);
        assert!(here.len() <= 3);
        found.extend(here.into_iter().map(str::to_owned));
        match page.get("next_page_token").and_then(Value::as_str) {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
    }
    assert_eq!(found.len(), 8);
    assert!(found.is_sorted());
    assert_eq!(client.get(&format!("{list}&page_token=x")).await.status, 400);
}

#[tokio::test]
async fn and_what_is_not_there_is_not_found() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for (path, status, error_code) in [
        ("catalogs/nope", 404, "CATALOG_DOES_NOT_EXIST"),
        ("schemas/main.nope", 404, "SCHEMA_DOES_NOT_EXIST"),
        ("tables/samples.tpch.nope", 404, "TABLE_DOES_NOT_EXIST"),
        ("tables/nation", 400, "INVALID_PARAMETER_VALUE"),
        ("tables?catalog_name=samples", 400, "INVALID_PARAMETER_VALUE"),
        ("models", 404, "ENDPOINT_NOT_FOUND"),
    ] {
        let answer = client.get(&format!("{API}/{path}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body["error_code"].as_str()),
            (status, Some(error_code)),
            "{path}"
        );
    }
    let exists = async |name: &str| client.get(&format!("{API}/tables/{name}/exists")).await.body;
    assert_eq!(exists("samples.tpch.nope").await, json!({ "table_exists": false }));
    assert_eq!(exists("samples.tpch.nation").await, json!({ "table_exists": true }));
}

#[tokio::test]
async fn and_the_warehouse_counts_its_sessions() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let path = format!("/api/2.0/sql/warehouses/{}", workspace.warehouse_id());
    assert_eq!(client.get(&path).await.body["num_active_sessions"], 0);
    let opened = client
        .post(
            "/api/2.0/sql/sessions",
            json!({ "warehouse_id": workspace.warehouse_id() }),
        )
        .await;
    assert_eq!(client.get(&path).await.body["num_active_sessions"], 1);
    let id = opened.body["session_id"].as_str().unwrap();
    client.delete(&format!("/api/2.0/sql/sessions/{id}")).await;
    assert_eq!(client.get(&path).await.body["num_active_sessions"], 0);
}
