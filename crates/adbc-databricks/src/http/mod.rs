//! HTTP to the workspace and to cloud storage.
//!
//! One client per database. Requests to the workspace carry the credentials and are made again by [`retry`]'s rules;
//! downloads from storage carry nothing but what their link says and are single attempts, because whoever downloads must
//! also decide about new links.

mod attempt;
mod knock;
pub(crate) mod proxy;
pub(crate) mod retry;
pub(crate) mod tls;
pub(crate) mod transfer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{
    AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use reqwest::{Method, Response, StatusCode, redirect};
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use activity::SpanContext;

use crate::auth::{self, Authenticator};
use crate::error::{Error, Result};
use crate::options::{self, Settings};
use crate::uri::{Endpoint, authority};
pub(crate) use attempt::{Attempt, accepts_refusal, transport_failure};
use attempt::{final_error, interrupted, root_cause, status_error};
use proxy::Route;
use retry::{Failure, Repeat, RetryPolicy, jitter, retry_after};

/// The longest answer of the workspace that is read. Inline results are at most 25 MiB before base64.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// The largest file that is downloaded. Chunks are about 20 MiB.
const MAX_DOWNLOAD_BYTES: u64 = 2 << 30;
/// How much of a refusal's body is read and shown.
const MAX_REFUSAL_BYTES: usize = 1 << 20;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The client of one workspace. Cheap to share, used from any task.
pub(crate) struct Client {
    http: reqwest::Client,
    /// For downloads: one connection each. On one HTTP/2 connection they would share its window, and a lost packet stops all.
    storage: reqwest::Client,
    route: Route,
    endpoint: Endpoint,
    /// What messages call the workspace: `HOST:PORT`.
    place: String,
    authenticator: Arc<dyn Authenticator>,
    policy: RetryPolicy,
    headers: HeaderMap,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A request to the workspace.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    method: &'a Method,
    path: &'a str,
    repeat: Repeat,
    trace: Option<SpanContext>,
}

impl<'a> Call<'a> {
    /// A request that may be carried out twice.
    pub(crate) fn harmless(method: &'a Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            repeat: Repeat::Harmless,
            trace: None,
        }
    }

    /// A request that must not be carried out twice.
    pub(crate) fn harmful(method: &'a Method, path: &'a str) -> Self {
        Self {
            repeat: Repeat::Harmful,
            ..Self::harmless(method, path)
        }
    }

    /// Tells the server which span the request belongs to.
    pub(crate) fn traced(self, trace: Option<SpanContext>) -> Self {
        Self { trace, ..self }
    }
}

/// The body of a request. Cheap to clone, for every attempt.
#[derive(Clone)]
struct Payload {
    content_type: &'static str,
    bytes: Bytes,
}

/// A request for telemetry.
pub(crate) struct Once {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Without credentials the request carries nothing else of the user either.
    pub(crate) authenticated: bool,
    pub(crate) user_agent: &'static str,
    pub(crate) body: Option<String>,
    pub(crate) timeout: Duration,
}

impl Client {
    /// # Errors
    /// `InvalidArgument` for credentials, a certificate file or a user agent that cannot be used.
    pub(crate) fn new(settings: &Settings, endpoint: Endpoint) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, user_agent(settings)?);
        if let Some(org_id) = &endpoint.org_id {
            let value =
                HeaderValue::try_from(org_id).map_err(|_| Error::invalid_argument("the organisation is malformed"))?;
            headers.insert("x-databricks-org-id", value);
        }
        let route = Route::of(settings, &endpoint)?;
        let tls = tls::config(settings)?;
        let http = build(settings, &route, tls.clone(), &[b"h2", b"http/1.1"])?;
        let storage = build(settings, &route, tls, &[b"http/1.1"])?;
        Ok(Self {
            authenticator: auth::authenticator(settings, &endpoint, &http)?,
            http,
            storage,
            route,
            place: endpoint.authority(),
            endpoint,
            policy: RetryPolicy::of(settings),
            headers,
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    pub(crate) fn authenticator(&self) -> &dyn Authenticator {
        &*self.authenticator
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Sends `body` as JSON and reads a JSON answer. Each attempt after the first is counted in `retries`.
    ///
    /// # Errors
    /// The last attempt's, when the policy allows no further one. `Internal` when the answer is not what was expected.
    pub(crate) async fn call<B, T>(&self, call: Call<'_>, body: Option<&B>, retries: &AtomicU32) -> Result<T>
    where
        B: Serialize + Sync + ?Sized,
        T: DeserializeOwned,
    {
        self.call_unless(call, body, retries, std::future::pending()).await
    }

    /// The same, but makes no further attempt once `stopped` is there. An attempt in flight is never given up: only its answer
    /// says what the server did.
    ///
    /// # Errors
    /// As [`Client::call`], or what `stopped` says.
    pub(crate) async fn call_unless<B, T>(
        &self,
        call: Call<'_>,
        body: Option<&B>,
        retries: &AtomicU32,
        stopped: impl Future<Output = Error> + Send,
    ) -> Result<T>
    where
        B: Serialize + Sync + ?Sized,
        T: DeserializeOwned,
    {
        let body = body
            .map(serde_json::to_vec)
            .transpose()
            .map_err(|error| Error::internal(format!("the request could not be written: {error}")))?
            .map(|json| Payload {
                content_type: "application/json",
                bytes: json.into(),
            });
        let answer = self.call_bytes(call, body, retries, stopped).await?;
        let answer: &[u8] = if answer.is_empty() { b"{}" } else { &answer };
        // The position is enough to find the mistake; the text could quote data.
        serde_json::from_slice(answer).map_err(|error| {
            Error::internal(format!(
                "the server's answer is not the JSON that was expected (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }

    /// Sends a file's bytes, or nothing, and expects no answer but success.
    ///
    /// # Errors
    /// As [`Client::call_unless`].
    pub(crate) async fn send_bytes(
        &self,
        call: Call<'_>,
        bytes: Bytes,
        retries: &AtomicU32,
        stopped: impl Future<Output = Error> + Send,
    ) -> Result<()> {
        let body = Payload {
            content_type: "application/octet-stream",
            bytes,
        };
        self.call_bytes(call, Some(body), retries, stopped).await.map(drop)
    }

    async fn call_bytes(
        &self,
        call: Call<'_>,
        body: Option<Payload>,
        retries: &AtomicU32,
        stopped: impl Future<Output = Error> + Send,
    ) -> Result<Vec<u8>> {
        let mut stopped = std::pin::pin!(stopped);
        let started = Instant::now();
        let mut made = 0;
        let mut renewed = false;
        loop {
            let credentials = self
                .authenticator
                .authorization()
                .await
                .map_err(Error::without_effect)?;
            let attempt = match self.attempt(call, body.clone(), &credentials).await {
                Ok(answer) => return Ok(answer),
                Err(attempt) => attempt,
            };
            // A request that was refused at the door has not been carried out, so even an execute may knock again.
            if attempt.is_unauthenticated() && !renewed && self.authenticator.refused(&credentials) {
                renewed = true;
                retries.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let wait = self.policy.next_wait(
                call.repeat,
                attempt.failure,
                attempt.retry_after,
                made,
                started.elapsed(),
                jitter(),
            );
            let Some(wait) = wait else {
                return Err(final_error(call.repeat, attempt));
            };
            tokio::select! {
                biased;
                // A harmful request is made again only if nothing came of it so far.
                error = &mut stopped => return Err(error.without_effect()),
                () = tokio::time::sleep(wait) => {}
            }
            made += 1;
            retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn attempt(
        &self,
        call: Call<'_>,
        body: Option<Payload>,
        credentials: &HeaderValue,
    ) -> Result<Vec<u8>, Attempt> {
        let url = self
            .endpoint
            .base
            .join(call.path)
            .map_err(|_| Attempt::fatal(Error::internal("the request's path is malformed")))?;
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .headers(self.headers.clone())
            .header(AUTHORIZATION, credentials.clone());
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, HeaderValue::from_static(body.content_type))
                .body(body.bytes);
        }
        if let Some(trace) = call.trace {
            request = request.header(TRACEPARENT, trace.to_traceparent());
        }
        let response = request
            .send()
            .await
            .map_err(|error| transport_failure(&error, &self.place))?;
        accepted_body(response, &self.place, MAX_ANSWER_BYTES, status_error).await
    }

    /// Makes one request for telemetry, which retries by rules of its own and may have to go without credentials.
    pub(crate) async fn once(&self, request: Once) -> Result<Vec<u8>, Attempt> {
        let url = self
            .endpoint
            .base
            .join(&request.path)
            .map_err(|_| Attempt::fatal(Error::internal("the request's path is malformed")))?;
        let mut outgoing = self.http.request(request.method, url).timeout(request.timeout);
        if request.authenticated {
            let credentials = self.authenticator.authorization().await.map_err(Attempt::fatal)?;
            outgoing = outgoing
                .headers(self.headers.clone())
                .header(AUTHORIZATION, credentials);
        } else {
            outgoing = outgoing.header(USER_AGENT, HeaderValue::from_static(request.user_agent));
        }
        if let Some(body) = request.body {
            outgoing = outgoing
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body);
        }
        let response = outgoing
            .send()
            .await
            .map_err(|error| transport_failure(&error, &self.place))?;
        accepted_body(response, &self.place, MAX_REFUSAL_BYTES, status_error).await
    }

    /// Begins to download one file from cloud storage, with the link's headers and none of the workspace's.
    pub(crate) async fn download(&self, url: Url, headers: HeaderMap) -> Result<Download, Attempt> {
        let place = authority(&url);
        let request = self.storage.get(url).headers(headers);
        let response = request
            .send()
            .await
            .map_err(|error| transport_failure(&error, &place))?;
        let response = accepted(response, &place, status_error).await?;
        let download = Download {
            response,
            place,
            received_bytes: 0,
        };
        match download.announced_bytes() > Some(MAX_DOWNLOAD_BYTES) {
            true => Err(download.too_long()),
            false => Ok(download),
        }
    }
}

/// A file on its way.
pub(crate) struct Download {
    response: Response,
    place: String,
    received_bytes: u64,
}

impl Download {
    /// The next piece; `None` at the end of the file. A file that ends early is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Attempt> {
        let piece = self
            .response
            .chunk()
            .await
            .map_err(|error| interrupted(&error, &self.place))?;
        self.received_bytes += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.received_bytes > MAX_DOWNLOAD_BYTES {
            return Err(self.too_long());
        }
        Ok(piece)
    }

    /// How many bytes the answer says that it has.
    pub(crate) fn announced_bytes(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Where in the file the answer begins; `None` when it is a part and does not say which.
    pub(crate) fn begins_at(&self) -> Option<u64> {
        if self.response.status() != StatusCode::PARTIAL_CONTENT {
            return Some(0);
        }
        let range = self.response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
        range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
    }

    /// The tag that stands for exactly these bytes, if the answer has one.
    pub(crate) fn etag(&self) -> Option<HeaderValue> {
        let tag = self.response.headers().get(ETAG)?;
        tag.as_bytes().starts_with(b"\"").then(|| tag.clone())
    }

    fn too_long(&self) -> Attempt {
        Attempt::fatal(Error::internal(format!(
            "a file of {} is longer than {MAX_DOWNLOAD_BYTES} bytes",
            self.place
        )))
    }
}

/// A pool of connections that offers these protocols during the TLS handshake (ALPN). Without TLS it speaks HTTP/1.1.
fn build(settings: &Settings, route: &Route, mut tls: ClientConfig, protocols: &[&[u8]]) -> Result<reqwest::Client> {
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(settings.millis(options::CONNECT_TIMEOUT_MS))
        .read_timeout(settings.millis(options::READ_TIMEOUT_MS))
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true)
        .tls_backend_preconfigured(tls);
    route
        .apply(builder)
        .build()
        .map_err(|error| Error::internal(format!("the HTTP client could not be built: {}", root_cause(&error))))
}

pub(crate) fn user_agent(settings: &Settings) -> Result<HeaderValue> {
    let mut text = databricks_telemetry::USER_AGENT.to_owned();
    if let Some(entry) = settings.text(options::USER_AGENT_ENTRY) {
        text.push(' ');
        text.push_str(entry.trim());
    }
    HeaderValue::try_from(text)
        .map_err(|_| Error::invalid_argument(format!("option '{}' cannot be a header", options::USER_AGENT_ENTRY)))
}

/// The answer, if it is a success; `refusal` makes an error of any other.
async fn accepted(
    mut response: Response,
    place: &str,
    refusal: fn(StatusCode, &[u8], &str) -> Error,
) -> Result<Response, Attempt> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let retry_after = after.and_then(|value| retry_after(value, Timestamp::now()));
    let body = body(&mut response, MAX_REFUSAL_BYTES).await.unwrap_or_default();
    Err(Attempt {
        failure: Failure::Status(status),
        retry_after,
        is_unresolved: false,
        error: refusal(status, &body, place),
    })
}

/// The body of an answer that is a success; `refusal` makes an error of any other.
pub(crate) async fn accepted_body(
    response: Response,
    place: &str,
    limit: usize,
    refusal: fn(StatusCode, &[u8], &str) -> Error,
) -> Result<Vec<u8>, Attempt> {
    let mut response = accepted(response, place, refusal).await?;
    body(&mut response, limit).await.map_err(|broken| match broken {
        Broken::Transport(error) => interrupted(&error, place),
        Broken::TooLong => Attempt::fatal(Error::internal(format!(
            "the answer of {place} is longer than {limit} bytes"
        ))),
    })
}

enum Broken {
    Transport(reqwest::Error),
    TooLong,
}

async fn body(response: &mut Response, limit: usize) -> Result<Vec<u8>, Broken> {
    let announced = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(0);
    if announced > limit {
        return Err(Broken::TooLong);
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(piece) = response.chunk().await.map_err(Broken::Transport)? {
        if bytes.len() + piece.len() > limit {
            return Err(Broken::TooLong);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
