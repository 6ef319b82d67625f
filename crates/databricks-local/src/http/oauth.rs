//! OAuth for machines: client credentials, and refresh tokens for those who ask for `offline_access`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;

use super::BaseUrl;
use super::credentials::ACCESS_TTL;
use super::reply::{self, Refusal};
use crate::state::State;

#[derive(Serialize)]
struct Token<'a> {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// `POST /oidc/v1/token`, form-encoded; the client's id and secret come by HTTP Basic or in the form.
pub(super) async fn token(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let basic = basic(&headers);
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let member = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();

    let (id, secret) = match &basic {
        Some((id, secret)) => (id.as_str(), secret.as_str()),
        None => (member("client_id"), member("client_secret")),
    };
    let is_allowed = match member("grant_type") {
        "client_credentials" if state.credentials.is_client(id, secret) => true,
        "client_credentials" => {
            return Ok(refuse(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client or its secret is not known",
            ));
        }
        "refresh_token" => state.credentials.is_refresh_token(member("refresh_token")),
        _ => {
            return Ok(refuse(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "only client_credentials and refresh_token are supported",
            ));
        }
    };
    if !is_allowed {
        return Ok(refuse(
            StatusCode::BAD_REQUEST,
            "invalid_grant",
            "the refresh token is not known",
        ));
    }

    let no_randomness = |_| Refusal::internal("the system has no randomness to give");
    let scope = match member("scope") {
        "" => "all-apis",
        scope => scope,
    };
    let refresh_token = if scope.split_whitespace().any(|word| word == "offline_access") {
        Some(state.credentials.issue_refresh().map_err(no_randomness)?)
    } else {
        None
    };
    Ok(reply::ok(&Token {
        access_token: state.credentials.issue_access().map_err(no_randomness)?,
        token_type: "Bearer",
        expires_in: ACCESS_TTL.as_secs(),
        scope,
        refresh_token,
    }))
}

/// `GET /oidc/.well-known/oauth-authorization-server`
pub(super) async fn discovery(Extension(BaseUrl(base_url)): Extension<BaseUrl>) -> Response {
    reply::ok(&serde_json::json!({
        "issuer": format!("{base_url}/oidc"),
        "token_endpoint": format!("{base_url}/oidc/v1/token"),
        "authorization_endpoint": format!("{base_url}/oidc/v1/authorize"),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": [],
    }))
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// An error as OAuth words it (RFC 6749, section 5.2).
fn refuse(status: StatusCode, error: &str, description: &str) -> Response {
    let body = serde_json::json!({ "error": error, "error_description": description });
    reply::json(status, &body).into_response()
}
