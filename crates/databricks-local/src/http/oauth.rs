//! The identity provider: tokens for machines, for people with a browser, and for holders of another provider's JWT.
//!
//! Nobody logs in here. The authorization endpoint answers with a code at once, whoever asks, and the signature of a
//! JWT that is exchanged for a token is not checked: these flows let clients be tried, and guard nothing.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State as Shared};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::BaseUrl;
use super::credentials::{ACCESS_TTL, Authorization};
use super::reply::{self, Refusal};
use crate::state::State;

const AUTHORIZE_PATH: &str = "/oidc/oauth2/v2.0/authorize";
const TOKEN_PATH: &str = "/oidc/v1/token";

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Nothing but the address would stand between another machine and a token.
const OTHER_MACHINES: &str = "this workspace listens to other machines, and gives no tokens without a secret";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The account that the workspace says it belongs to.
const ACCOUNT_ID: &str = "00000000-0000-4000-8000-000000000001";

/// The longest member of an authorization request that is kept until its code is redeemed, in bytes.
const MEMBER_LIMIT: usize = 2048;

#[derive(Serialize)]
struct Token<'a> {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
}

/// `POST /oidc/v1/token`, form-encoded; the client's id and secret come by HTTP Basic or in the form.
pub(super) async fn token(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let Some(form) = Members::parse(&body) else {
        return Ok(OAuthError::TWICE.into_response());
    };
    let basic = basic(&headers);
    let (id, secret) = match &basic {
        Some((id, secret)) => (id.as_str(), secret.as_str()),
        None => (form.text("client_id"), form.text("client_secret")),
    };
    let grant = match grant(&state, &form, id, secret) {
        Ok(grant) => grant,
        Err(error) => return Ok(error.into_response()),
    };

    let no_randomness = |_| Refusal::internal("the system has no randomness to give");
    let refresh_token = if grant.may_refresh && grant.scope.split_whitespace().any(|word| word == "offline_access") {
        Some(state.credentials.issue_refresh().map_err(no_randomness)?)
    } else {
        None
    };
    Ok(reply::ok(&Token {
        access_token: state.credentials.issue_access().map_err(no_randomness)?,
        token_type: "Bearer",
        expires_in: ACCESS_TTL.as_secs(),
        scope: &grant.scope,
        refresh_token,
        issued_token_type: grant.issued_token_type,
    }))
}

/// `GET /oidc/oauth2/v2.0/authorize`: a redirection with a code, without a page to log in.
///
/// The code challenge (PKCE, `S256`) is required, and the redirection leads to this machine only. What is wrong with
/// the client or its address is answered here, everything else at the client's address.
pub(super) async fn authorize(
    Shared(state): Shared<Arc<State>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let Some(members) = Members::parse(query.as_deref().unwrap_or_default().as_bytes()) else {
        return Ok(OAuthError::TWICE.into_response());
    };
    if !state.settings.is_loopback {
        return Ok(OAuthError::bad("unauthorized_client", OTHER_MACHINES).into_response());
    }
    let client_id = members.text("client_id");
    if client_id.is_empty() || client_id.len() > MEMBER_LIMIT {
        return Ok(OAuthError::bad("invalid_request", "client_id is missing or too long").into_response());
    }
    let redirect_uri = members.text("redirect_uri");
    let Some(mut target) = loopback(redirect_uri) else {
        let error = OAuthError::bad("invalid_request", "redirect_uri is not an http URL of a loopback host");
        return Ok(error.into_response());
    };

    match authorization(&members, client_id, redirect_uri) {
        Ok(authorization) => {
            let code = state
                .credentials
                .issue_code(authorization)
                .map_err(|_| Refusal::internal("the system has no randomness to give"))?;
            target.query_pairs_mut().append_pair("code", &code);
        }
        Err(error) => {
            target
                .query_pairs_mut()
                .append_pair("error", error.error)
                .append_pair("error_description", error.description);
        }
    }
    if let Some(echo) = members.0.get("state") {
        target.query_pairs_mut().append_pair("state", echo);
    }
    let location =
        HeaderValue::try_from(String::from(target)).map_err(|_| Refusal::internal("the redirection is no header"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /oidc/.well-known/oauth-authorization-server`
pub(super) async fn discovery(Extension(BaseUrl(base_url)): Extension<BaseUrl>) -> Response {
    reply::ok(&serde_json::json!({
        "issuer": format!("{base_url}/oidc"),
        "token_endpoint": format!("{base_url}{TOKEN_PATH}"),
        "authorization_endpoint": format!("{base_url}{AUTHORIZE_PATH}"),
        "grant_types_supported": [
            "client_credentials",
            "refresh_token",
            "authorization_code",
            TOKEN_EXCHANGE,
            JWT_BEARER,
        ],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

/// `GET /.well-known/databricks-config`
pub(super) async fn configuration(Extension(BaseUrl(base_url)): Extension<BaseUrl>) -> Response {
    reply::ok(&serde_json::json!({
        "oidc_endpoint": format!("{base_url}/oidc"),
        "account_id": ACCOUNT_ID,
    }))
}

/// What a token request is entitled to.
struct Grant {
    scope: String,
    /// Whether `offline_access` brings a refresh token. Not for an exchange: it would outlive the token exchanged.
    may_refresh: bool,
    issued_token_type: Option<&'static str>,
}

fn grant(state: &State, form: &Members, id: &str, secret: &str) -> Result<Grant, OAuthError> {
    let grant = Grant {
        scope: scope_of(form.text("scope")),
        may_refresh: true,
        issued_token_type: None,
    };
    match form.text("grant_type") {
        "authorization_code" | TOKEN_EXCHANGE | JWT_BEARER if !state.settings.is_loopback => {
            Err(OAuthError::bad("unsupported_grant_type", OTHER_MACHINES))
        }
        "client_credentials" if state.credentials.is_client(id, secret) => Ok(grant),
        "client_credentials" => Err(OAuthError {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description: "the client or its secret is not known",
        }),
        "refresh_token" if state.credentials.is_refresh_token(form.text("refresh_token")) => Ok(grant),
        "refresh_token" => Err(OAuthError::bad("invalid_grant", "the refresh token is not known")),
        "authorization_code" => {
            let redeemed = state.credentials.redeem(
                form.text("code"),
                id,
                form.text("redirect_uri"),
                form.text("code_verifier"),
            );
            match redeemed {
                Some(scope) => Ok(Grant { scope, ..grant }),
                None => Err(OAuthError::bad(
                    "invalid_grant",
                    "the code is not known, was used before, or belongs to another request",
                )),
            }
        }
        TOKEN_EXCHANGE if form.text("subject_token_type") == JWT && is_current_jwt(form.text("subject_token")) => {
            Ok(Grant {
                may_refresh: false,
                issued_token_type: Some(ACCESS_TOKEN),
                ..grant
            })
        }
        TOKEN_EXCHANGE => Err(OAuthError::bad("invalid_grant", "the subject token is no current JWT")),
        JWT_BEARER if is_current_jwt(form.text("assertion")) => Ok(Grant {
            may_refresh: false,
            ..grant
        }),
        JWT_BEARER => Err(OAuthError::bad("invalid_grant", "the assertion is no current JWT")),
        _ => Err(OAuthError::bad(
            "unsupported_grant_type",
            "this grant type is not supported",
        )),
    }
}

fn authorization(members: &Members, client_id: &str, redirect_uri: &str) -> Result<Authorization, OAuthError> {
    if members.text("response_type") != "code" {
        return Err(OAuthError::bad(
            "unsupported_response_type",
            "only the response type code is supported",
        ));
    }
    let challenge = members.text("code_challenge");
    let is_sha_256 = URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|digest| digest.len() == 32);
    if members.text("code_challenge_method") != "S256" || !is_sha_256 {
        return Err(OAuthError::bad(
            "invalid_request",
            "a code challenge with the method S256 is required",
        ));
    }
    let scope = members.text("scope");
    if scope.len() > MEMBER_LIMIT {
        return Err(OAuthError::bad("invalid_scope", "the scope is too long"));
    }
    Ok(Authorization {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        challenge: challenge.to_owned(),
        scope: scope_of(scope),
    })
}

fn scope_of(asked: &str) -> String {
    match asked {
        "" => "all-apis".to_owned(),
        asked => asked.to_owned(),
    }
}

/// The address, if it is one on this machine that a code may be sent to.
fn loopback(redirect_uri: &str) -> Option<Url> {
    if redirect_uri.len() > MEMBER_LIMIT {
        return None;
    }
    let url = Url::parse(redirect_uri).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let is_plain =
        url.scheme() == "http" && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (is_loopback && is_plain).then_some(url)
}

/// Whether the text looks like a JWT whose time is not over. Its signature is not checked.
fn is_current_jwt(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Claims {
        /// Seconds since the epoch.
        exp: f64,
    }

    let parts: Vec<&str> = text.splitn(4, '.').collect();
    let [head, claims, signature] = parts[..] else {
        return false;
    };
    let decoded = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok();
        bytes.filter(|bytes| !bytes.is_empty())
    };
    let (Some(_), Some(claims), Some(_)) = (decoded(head), decoded(claims), decoded(signature)) else {
        return false;
    };
    // An object only: serde would also take a claim from the first element of an array.
    claims.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<Claims>(&claims)
            .is_ok_and(|claims| claims.exp > Timestamp::now().as_second() as f64)
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

/// The members of a form or a query.
struct Members(HashMap<String, String>);

impl Members {
    /// `None` when a member comes twice, which OAuth forbids (RFC 6749, sections 3.1 and 3.2).
    fn parse(encoded: &[u8]) -> Option<Self> {
        let mut members = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(encoded).into_owned() {
            if members.insert(name, value).is_some() {
                return None;
            }
        }
        Some(Self(members))
    }

    /// The member's text; empty when it is missing, which OAuth does not distinguish.
    fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// An error as OAuth words it (RFC 6749, section 5.2).
struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl OAuthError {
    const TWICE: Self = Self::bad("invalid_request", "a parameter is given twice");

    const fn bad(error: &'static str, description: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description,
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.error, "error_description": self.description });
        reply::json(self.status, &body)
    }
}
