use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use databricks_telemetry::ErrorCategory;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;
use url::form_urlencoded::Serializer;

use super::super::Secret;
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::http::retry::{Repeat, RetryPolicy, jitter};
use crate::http::{self, Attempt};
use crate::options::{self, Settings};
use crate::uri::{Endpoint, authority};

/// Whoever waits for a token waits to begin: fewer attempts than a statement's requests have, and sooner given up.
const MAX_RETRIES: u32 = 3;
const OVERALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait for one answer of the provider.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer of the provider that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The identity provider of a workspace: its OIDC endpoints, found by discovery.
#[derive(Debug)]
pub(super) struct Provider {
    http: reqwest::Client,
    base: Url,
    user_agent: HeaderValue,
    policy: RetryPolicy,
    /// Set by the caller, so that nothing needs to be discovered for a token.
    token_endpoint: Option<Url>,
    discovered: OnceCell<Endpoints>,
    retries: AtomicU32,
}

#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    token: Url,
}

/// What a token is asked for with.
pub(super) enum Grant<'a> {
    /// A service principal's secret.
    ClientCredentials {
        client_id: &'a str,
        client_secret: &'a Secret,
        scopes: &'a str,
    },
    /// What a browser brought back (RFC 7636).
    Code {
        code: &'a Secret,
        verifier: &'a Secret,
        client_id: &'a str,
        redirect_uri: &'a str,
    },
    /// The token that came with the last one.
    Refresh {
        refresh: &'a Secret,
        client_id: &'a str,
        scopes: &'a str,
    },
    /// Another provider's token (RFC 8693).
    Exchange {
        subject: &'a Secret,
        client_id: Option<&'a str>,
        scopes: &'a str,
    },
}

#[derive(Deserialize)]
struct Metadata {
    authorization_endpoint: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// In seconds. Some providers write it as text or as a fraction.
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    refresh_token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Provider {
    /// # Errors
    /// `InvalidArgument` for a token endpoint that secrets must not be sent to.
    pub(super) fn new(settings: &Settings, endpoint: &Endpoint, http: &reqwest::Client) -> Result<Self> {
        let mut policy = RetryPolicy::of(settings);
        policy.max_retries = policy.max_retries.min(MAX_RETRIES);
        policy.overall_timeout = policy.overall_timeout.min(OVERALL_TIMEOUT);
        let token_endpoint = settings
            .text(options::TOKEN_ENDPOINT)
            .map(|text| {
                trusted(&endpoint.base, &text).ok_or_else(|| {
                    Error::invalid_argument(format!("option '{}' is not an https URL", options::TOKEN_ENDPOINT))
                })
            })
            .transpose()?;
        Ok(Self {
            http: http.clone(),
            base: endpoint.base.clone(),
            user_agent: http::user_agent(settings)?,
            policy,
            token_endpoint,
            discovered: OnceCell::new(),
            retries: AtomicU32::new(0),
        })
    }

    /// Where the provider is, asked for once (RFC 8414).
    ///
    /// # Errors
    /// The provider's, or `Internal` when its answer makes no sense.
    pub(super) async fn endpoints(&self) -> Result<&Endpoints> {
        self.discovered.get_or_try_init(|| self.discover()).await
    }

    async fn discover(&self) -> Result<Endpoints> {
        let inside = |path: &str| {
            self.base
                .join(path)
                .map_err(|_| Error::internal("the identity provider's path is malformed"))
        };
        let url = inside("/oidc/.well-known/oauth-authorization-server")?;
        let metadata: Metadata = match self.ask(Repeat::Harmless, &url, || self.http.get(url.clone())).await {
            Ok(metadata) => metadata,
            // The paths that a workspace is documented to have.
            Err(error) if error.http_status() == Some(404) => {
                return Ok(Endpoints {
                    authorization: inside("/oidc/v1/authorize")?,
                    token: inside("/oidc/v1/token")?,
                });
            }
            Err(error) => return Err(error.context("the identity provider could not be asked for its endpoints")),
        };
        let checked = |text: &str| {
            trusted(&self.base, text)
                .ok_or_else(|| Error::internal("the identity provider names an endpoint that is not https"))
        };
        Ok(Endpoints {
            authorization: checked(&metadata.authorization_endpoint)?,
            token: checked(&metadata.token_endpoint)?,
        })
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// `Unauthenticated` when the provider refuses; else what kept it from answering.
    pub(super) async fn token(&self, grant: &Grant<'_>) -> Result<Token> {
        let url = match &self.token_endpoint {
            Some(url) => url,
            None => &self.endpoints().await?.token,
        };
        let (form, authorization) = grant.write();
        let asked = Timestamp::now();
        let request = || {
            let request = self
                .http
                .post(url.clone())
                .header(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/x-www-form-urlencoded"),
                )
                .body(form.expose().to_owned());
            match &authorization {
                Some(header) => request.header(AUTHORIZATION, header.clone()),
                None => request,
            }
        };
        let answer: TokenAnswer = self
            .ask(grant.repeat(), url, request)
            .await
            .map_err(|error| error.context(grant.purpose()))?;
        let ttl = answer.expires_in.as_ref().and_then(seconds);
        let refresh = answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new);
        Token::new(Secret::new(answer.access_token), refresh, ttl, asked)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        repeat: Repeat,
        url: &Url,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T> {
        let place = authority(url);
        let started = Instant::now();
        let mut made = 0;
        let answer = loop {
            let attempt = match self.attempt(request(), &place).await {
                Ok(answer) => break answer,
                Err(attempt) => attempt,
            };
            let wait = self.policy.next_wait(
                repeat,
                attempt.failure,
                attempt.retry_after,
                made,
                started.elapsed(),
                jitter(),
            );
            let Some(wait) = wait else { return Err(attempt.error) };
            tokio::time::sleep(wait).await;
            made += 1;
            self.retries.fetch_add(1, Ordering::Relaxed);
        };
        // The text of the error could quote a token.
        serde_json::from_slice(&answer).map_err(|_| {
            Error::internal(format!(
                "the answer of the identity provider at {place} is not what was expected"
            ))
        })
    }

    async fn attempt(&self, request: RequestBuilder, place: &str) -> Result<Vec<u8>, Attempt> {
        let response = request
            .header(reqwest::header::USER_AGENT, self.user_agent.clone())
            .timeout(ANSWER_TIMEOUT)
            .send()
            .await
            .map_err(|error| http::transport_failure(&error, place))?;
        http::accepted_body(response, place, MAX_ANSWER_BYTES, refused).await
    }
}

impl Grant<'_> {
    /// The form, and the header that says whose it is.
    fn write(&self) -> (Secret, Option<HeaderValue>) {
        let mut form = Serializer::new(String::new());
        let mut authorization = None;
        match self {
            Self::ClientCredentials {
                client_id,
                client_secret,
                scopes,
            } => {
                form.append_pair("grant_type", "client_credentials");
                form.append_pair("scope", scopes);
                authorization = basic(client_id, client_secret);
            }
            Self::Code {
                code,
                verifier,
                client_id,
                redirect_uri,
            } => {
                form.append_pair("grant_type", "authorization_code");
                form.append_pair("code", code.expose());
                form.append_pair("code_verifier", verifier.expose());
                form.append_pair("client_id", client_id);
                form.append_pair("redirect_uri", redirect_uri);
            }
            Self::Refresh {
                refresh,
                client_id,
                scopes,
            } => {
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", refresh.expose());
                form.append_pair("client_id", client_id);
                form.append_pair("scope", scopes);
            }
            Self::Exchange {
                subject,
                client_id,
                scopes,
            } => {
                form.append_pair("grant_type", TOKEN_EXCHANGE);
                form.append_pair("subject_token", subject.expose());
                form.append_pair("subject_token_type", JWT);
                form.append_pair("scope", scopes);
                form.append_pair("return_original_token_if_authenticated", "true");
                if let Some(client_id) = client_id {
                    form.append_pair("client_id", client_id);
                }
            }
        }
        (Secret::new(form.finish()), authorization)
    }

    fn repeat(&self) -> Repeat {
        match self {
            // A code and a rotating refresh token work once: whether they were used up, nobody knows.
            Self::Code { .. } | Self::Refresh { .. } => Repeat::Harmful,
            Self::ClientCredentials { .. } | Self::Exchange { .. } => Repeat::Harmless,
        }
    }

    fn purpose(&self) -> &'static str {
        match self {
            Self::ClientCredentials { .. } => "no token for the service principal",
            Self::Code { .. } => "no token after signing in",
            Self::Refresh { .. } => "the sign-in could not be renewed",
            Self::Exchange { .. } => "the token could not be exchanged",
        }
    }
}

/// HTTP Basic with both parts form-encoded (RFC 6749, section 2.3.1).
fn basic(client_id: &str, client_secret: &Secret) -> Option<HeaderValue> {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(client_secret.expose()));
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// An endpoint that secrets may be sent to: https, or on a workspace without TLS that workspace itself.
fn trusted(base: &Url, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_workspace = (url.scheme(), url.host(), url.port_or_known_default())
        == (base.scheme(), base.host(), base.port_or_known_default());
    (url.scheme() == "https" || is_workspace).then_some(url)
}

fn seconds(value: &serde_json::Value) -> Option<Duration> {
    let seconds = match value {
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn refused(status: StatusCode, body: &[u8], place: &str) -> Error {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let (kind, category) = match status.as_u16() {
        404 => (ErrorKind::NotFound, ErrorCategory::NotFound),
        408 | 429 => (ErrorKind::Io, ErrorCategory::ConnectionError),
        400..=499 => (ErrorKind::Unauthenticated, ErrorCategory::AuthError),
        _ => (ErrorKind::Io, ErrorCategory::ConnectionError),
    };
    let mut message = format!("{place} answered HTTP {status}");
    for part in [&refusal.error, &refusal.error_description] {
        if !part.is_empty() {
            message = format!("{message}: {part}");
        }
    }
    Error::new(kind, category, message)
        .with_error_code(&refusal.error)
        .with_http_status(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_https_or_to_the_plain_workspace_itself() {
        let at = |base: &str, url: &str| trusted(&Url::parse(base).unwrap(), url).is_some();
        assert!(at("https://a.example/", "https://accounts.example/oidc/v1/token"));
        assert!(at("http://127.0.0.1:8080/", "http://127.0.0.1:8080/oidc/v1/token"));
        assert!(!at("http://127.0.0.1:8080/", "http://127.0.0.1:9090/oidc/v1/token"));
        assert!(!at("https://a.example/", "http://a.example/oidc/v1/token"));
        assert!(!at("https://a.example/", "nonsense"));
    }

    #[test]
    fn the_time_to_live_is_understood_however_it_is_written() {
        for text in ["3600", "3600.0", "\"3600\""] {
            assert_eq!(
                seconds(&serde_json::from_str(text).unwrap()),
                Some(Duration::from_secs(3600))
            );
        }
        for text in ["-1", "null", "\"soon\"", "1e300"] {
            assert_eq!(seconds(&serde_json::from_str(text).unwrap()), None);
        }
    }
}
