use serde_json::{Value, json};

use crate::client::{Client, builder};

async fn token(client: &Client, basic: Option<(&str, &str)>, form: &str) -> (u16, Value) {
    let mut request = client
        .http
        .post(format!("{}/oidc/v1/token", client.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    if let Some((id, secret)) = basic {
        request = request.basic_auth(id, Some(secret));
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn by_client_credentials_and_by_refresh() {
    let workspace = builder().oauth_client("id", "s&cret").start().unwrap();
    let mut client = Client::new(&workspace);
    let discovery = client.get("/oidc/.well-known/oauth-authorization-server").await.body;
    assert_eq!(
        discovery["token_endpoint"],
        format!("{}/oidc/v1/token", workspace.url())
    );

    let form = "grant_type=client_credentials&scope=all-apis+offline_access";
    let (status, first) = token(&client, Some(("id", "s&cret")), form).await;
    assert_eq!(
        (status, &first["token_type"], &first["expires_in"]),
        (200, &json!("Bearer"), &json!(3600))
    );
    let form = "grant_type=client_credentials&client_id=id&client_secret=s%26cret";
    let (status, second) = token(&client, None, form).await;
    assert_eq!((status, &second["scope"]), (200, &json!("all-apis")));
    assert!(second.get("refresh_token").is_none());
    let refresh = format!(
        "grant_type=refresh_token&refresh_token={}",
        first["refresh_token"].as_str().unwrap()
    );
    let (status, third) = token(&client, None, &refresh).await;
    assert_eq!(status, 200);
    for answer in [&first, &second, &third] {
        client.token = answer["access_token"].as_str().map(str::to_owned);
        client.succeed("SELECT 1", json!({})).await;
    }
    client.token = first["refresh_token"].as_str().map(str::to_owned);
    assert_eq!(
        client.get("/api/2.0/sql/warehouses").await.status,
        401,
        "a refresh token is no access token"
    );
}

#[tokio::test]
async fn and_nobody_else() {
    let workspace = builder().oauth_client("id", "secret").start().unwrap();
    let client = Client::new(&workspace);
    let grant = "grant_type=client_credentials";
    for (basic, form, status, error) in [
        (Some(("id", "wrong")), grant, 401, "invalid_client"),
        (Some(("other", "secret")), grant, 401, "invalid_client"),
        (None, grant, 401, "invalid_client"),
        (None, "grant_type=refresh_token&refresh_token=x", 400, "invalid_grant"),
        (
            Some(("id", "secret")),
            "grant_type=password",
            400,
            "unsupported_grant_type",
        ),
        (None, "", 400, "unsupported_grant_type"),
    ] {
        let (found, body) = token(&client, basic, form).await;
        assert_eq!((found, &body["error"]), (status, &json!(error)));
    }
}
