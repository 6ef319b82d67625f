//! The one place that every request passes, before and after its route.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::alter::alter;
use super::reply::{Reason, Refusal, with_type};
use super::{Authorised, BaseUrl, files, is_readable, thrift, volumes};
use crate::faults::{Instead, Verdict};
use crate::requests::{RequestRecord, start_of};
use crate::result::links;
use crate::state::State;

/// The largest request body. The service takes statements of up to 16 MiB.
const BODY_LIMIT: usize = 16 << 20;

/// What a fault sends instead of an answer: it starts like JSON, and is not even text.
const GARBAGE: &[u8] = b"{\"numProtoSuccess\": \xff\xfe\x00<html>";

/// The connection is closed without an answer, because a fault says so.
#[derive(Debug)]
pub(crate) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

/// Answers one request that came in on a listener with this scheme and address.
pub(crate) async fn answer(
    state: Arc<State>,
    router: Router,
    scheme: &'static str,
    local: Arc<str>,
    request: Request<Incoming>,
) -> Result<Response, Dropped> {
    let mut record = describe(&state, &request);
    let (request, rest) = read(request).await;
    let Verdict {
        delay,
        instead,
        alteration,
    } = state.faults.meet(&record.method, &record.path);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let result = match instead {
        Some(Instead::Drop) => Err(Dropped),
        Some(Instead::Hang) => std::future::pending().await,
        Some(Instead::Garbage) => Ok(with_type(StatusCode::OK, "application/json", GARBAGE)),
        Some(Instead::Body { status, body }) => {
            let status = StatusCode::from_u16(status)
                .ok()
                .filter(|status| !status.is_informational())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(with_type(status, "application/octet-stream", body))
        }
        Some(Instead::Answer { status, retry_after }) => {
            let status = StatusCode::from_u16(status)
                .ok()
                .filter(|status| status.is_client_error() || status.is_server_error())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = match record.path.starts_with(links::PATH_PREFIX) {
                true => with_type(
                    status,
                    "application/xml",
                    "<Error><Code>ServiceUnavailable</Code></Error>",
                ),
                false => Refusal::staged(status).into_response(),
            };
            if let Some(after) = retry_after {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
            }
            Ok(response)
        }
        None => Ok(match request {
            Err(refusal) => refusal.into_response(),
            Ok(mut request) => {
                let base_url = base_url(scheme, &local, &request);
                request.extensions_mut().insert(BaseUrl(base_url));
                request.extensions_mut().insert(Authorised(record.authorised));
                if let Some(uri) = without_trailing_slashes(request.uri()) {
                    *request.uri_mut() = uri;
                }
                route(router, request).await
            }
        }),
    };
    let result = result.map(|response| match record.path.starts_with(thrift::PATH) {
        true => with_reason(response),
        false => response,
    });
    if let Some(rest) = rest {
        rest.drain().await;
    }

    let result = match (result, alteration) {
        (Ok(response), Some(alteration)) => Ok(alter(response, alteration).await),
        (result, _) => result,
    };
    record.status = result.as_ref().map_or(0, |response| response.status().as_u16());
    record.answered_at_ms = Timestamp::now().as_millisecond();
    state.requests.push(record);
    result
}

/// The request with its whole body, or with a body that is read as it comes, and what reads the rest of that.
async fn read(request: Request<Incoming>) -> (Result<Request<Body>, Refusal>, Option<Rest>) {
    let path = request.uri().path();
    let is_file = path.starts_with(files::PATH) || path.starts_with(volumes::PATH);
    if request.method() != http::Method::PUT || !is_file {
        return (whole(request).await, None);
    }
    let (head, body) = request.into_parts();
    let rest = Rest(Arc::new(Mutex::new(body)));
    let stream = futures::stream::unfold(rest.clone(), async |rest| {
        let piece = rest.next().await?;
        Some((piece, rest))
    });
    (Ok(Request::from_parts(head, Body::from_stream(stream))), Some(rest))
}

/// The part of a file's body that its route has not read yet.
#[derive(Clone)]
struct Rest(Arc<Mutex<Incoming>>);

impl Rest {
    /// The most that is read of a file that was refused; a client that sends more loses its connection.
    const PATIENCE_BYTES: usize = 64 << 20;

    async fn next(&self) -> Option<Result<Bytes, hyper::Error>> {
        let mut body = self.0.lock().await;
        loop {
            match std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
                Ok(frame) => {
                    if let Ok(piece) = frame.into_data() {
                        return Some(Ok(piece));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn drain(self) {
        let mut read = 0;
        while let Some(Ok(piece)) = self.next().await {
            read += piece.len();
            if read > Self::PATIENCE_BYTES {
                return;
            }
        }
    }
}

/// The request with its whole body, whether or not its route looks at it.
///
/// Clients send bodies where none is expected. A connection whose last body was not read cannot be used again, and a
/// client that does so nevertheless loses its next request.
async fn whole(request: Request<Incoming>) -> Result<Request<Body>, Refusal> {
    let (head, body) = request.into_parts();
    match axum::body::to_bytes(Body::new(body), BODY_LIMIT).await {
        Ok(bytes) => Ok(Request::from_parts(head, Body::from(bytes))),
        Err(_) => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "REQUEST_TOO_LARGE",
            "the request body is larger than 16 MiB, or was cut short",
        )),
    }
}

/// Finds the route, and makes sure that a refusal has a body in JSON (or XML, from storage) whoever wrote it.
async fn route(router: Router, request: Request<Body>) -> Response {
    let response = match TowerToHyperService::new(router).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    if (status.is_client_error() || status.is_server_error()) && !is_readable(&response) {
        return Refusal::new(status, "BAD_REQUEST", "the request cannot be read").into_response();
    }
    response
}

fn describe<B>(state: &State, request: &Request<B>) -> RequestRecord {
    let text = |name| {
        let value: Option<&HeaderValue> = request.headers().get(name);
        value.and_then(|value| value.to_str().ok()).map(start_of)
    };
    RequestRecord {
        answered_at_ms: 0,
        method: request.method().to_string(),
        path: start_of(request.uri().path()),
        status: 0,
        authorised: state.credentials.accept(request.headers()),
        carried_authorization: request.headers().contains_key(header::AUTHORIZATION),
        traceparent: text("traceparent"),
        user_agent: text("user-agent"),
    }
}

/// The answer with the reason of its refusal where Thrift's clients look for it.
fn with_reason(mut response: Response) -> Response {
    let reason = response.extensions().get::<Reason>();
    if let Some(reason) = reason.and_then(|reason| HeaderValue::from_str(&reason.0).ok()) {
        response.headers_mut().insert(thrift::REASON, reason);
    }
    response
}

/// What the client calls this workspace: its `Host` header (or HTTP/2's authority), else the listener's own address.
fn base_url(scheme: &str, local: &str, request: &Request<Body>) -> Arc<str> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<Authority>().ok())
        .or_else(|| request.uri().authority().cloned());
    let host = host.as_ref().map_or(local, Authority::as_str);
    format!("{scheme}://{host}").into()
}

/// The same URI without slashes at the end of its path; `None` when there are none. Some clients always send one.
fn without_trailing_slashes(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() {
        return None;
    }
    let text = match uri.query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_go_and_queries_stay() {
        let trimmed = |text: &'static str| without_trailing_slashes(&Uri::from_static(text)).map(|uri| uri.to_string());
        assert_eq!(trimmed("/a/b/").as_deref(), Some("/a/b"));
        assert_eq!(trimmed("/a//?x=/").as_deref(), Some("/a?x=/"));
        assert_eq!(trimmed("http://h/a/").as_deref(), Some("http://h/a"));
        assert_eq!(trimmed("/a"), None);
        assert_eq!(trimmed("/"), None);
    }
}
