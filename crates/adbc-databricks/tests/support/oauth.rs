//! An identity provider in the scripted server.

use serde_json::json;

use super::{Reply, Request, ok, refusal};

pub const DISCOVERY: &str = "/oidc/.well-known/oauth-authorization-server";
pub const TOKEN: &str = "/oidc/v1/token";

/// The answer to discovery.
pub fn discovery(request: &Request, port: u16) -> Option<Reply> {
    request.is("GET", DISCOVERY).then(|| {
        ok(json!({
            "authorization_endpoint": format!("http://127.0.0.1:{port}/oidc/oauth2/v2.0/authorize"),
            "token_endpoint": format!("http://127.0.0.1:{port}{TOKEN}"),
        }))
    })
}

pub fn is_token(request: &Request) -> bool {
    request.is("POST", TOKEN)
}

pub fn token(name: &str, expires_in: u64) -> Reply {
    ok(json!({"access_token": name, "token_type": "Bearer", "expires_in": expires_in, "scope": "all-apis"}))
}

/// The member of a form.
pub fn form(request: &Request, name: &str) -> Option<String> {
    let mut members = url::form_urlencoded::parse(request.body.as_bytes());
    members
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub fn bearer(request: &Request) -> &str {
    let header = request.headers.get("authorization").map(String::as_str);
    header
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
}

/// 401 unless the request carries `token`.
pub fn unless(request: &Request, token: &str) -> Option<Reply> {
    (bearer(request) != token).then(|| refusal(401, "UNAUTHENTICATED"))
}
