use reqwest::Method;
use serde_json::json;

use crate::client::{Client, builder};

const GUARDED: &[(Method, &str)] = &[
    (Method::POST, "/api/2.0/sql/sessions"),
    (Method::DELETE, "/api/2.0/sql/sessions/x"),
    (Method::POST, "/api/2.0/sql/statements"),
    (Method::GET, "/api/2.0/sql/statements/x"),
    (Method::DELETE, "/api/2.0/sql/statements/x"),
    (Method::POST, "/api/2.0/sql/statements/x/cancel"),
    (Method::GET, "/api/2.0/sql/statements/x/result/chunks/0"),
    (Method::GET, "/api/2.0/sql/warehouses"),
    (Method::GET, "/api/2.0/connector-service/feature-flags/ADBC/1.2.3"),
    (Method::GET, "/api/2.0/preview/scim/v2/Me"),
    (Method::GET, "/api/2.1/unity-catalog/catalogs"),
    (Method::GET, "/api/2.1/unity-catalog/tables/samples.tpch.nation"),
    (Method::POST, "/telemetry-ext"),
];

#[tokio::test]
async fn and_a_missing_one_everywhere() {
    let workspace = builder().token("the token").start().unwrap();
    let mut client = Client::new(&workspace);
    for token in [None, Some(""), Some("wrong"), Some("the token2"), Some("the toke")] {
        client.token = token.map(str::to_owned);
        for (method, path) in GUARDED {
            let response = client.send(method.clone(), path, Some("{}".to_owned())).await;
            assert_eq!(response.status(), 401, "{method} {path}");
            assert!(response.headers().contains_key("www-authenticate"));
            let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            assert_eq!(body["error_code"], "UNAUTHENTICATED");
        }
    }
    assert!(workspace.requests().iter().all(|request| !request.authorised));
    assert_eq!(
        client.post("/telemetry-unauth", json!({})).await.status,
        200,
        "this endpoint asks for none"
    );

    client.token = Some("the token".to_owned());
    client.succeed("SELECT 1", json!({})).await;
    assert!(workspace.requests().pop().unwrap().authorised);
    assert!(workspace.uri().contains("//token:the%20token@127.0.0.1:"));
}

#[tokio::test]
async fn by_default_the_token_is_random() {
    let (first, second) = (builder().start().unwrap(), builder().start().unwrap());
    assert!(first.token().starts_with("dapi") && first.token().len() == 36);
    assert_ne!(first.token(), second.token());
}
