//! Answers in JSON.

use std::fmt;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use databricks_wire::error::ApiError;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// A request that is not carried out, with a status and the JSON that says why.
pub(crate) struct Refusal {
    status: StatusCode,
    body: ApiError,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error_code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            body: ApiError::new(error_code, message),
        }
    }

    /// A member has a value that is not allowed.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
    }

    /// Something named in the request does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", message)
    }

    /// A bound is reached.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED", message)
    }

    /// The workspace itself failed.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
    }

    /// Credentials are missing or wrong.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "the request carries no token, or one that this workspace does not know",
        )
    }

    /// Whether it is that something named does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// What is told to the client.
    pub(crate) fn message(&self) -> &str {
        &self.body.message
    }

    /// A status that was asked for from outside the request.
    pub(crate) fn staged(status: StatusCode) -> Self {
        let error_code = match status.as_u16() {
            400 => "BAD_REQUEST",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "RESOURCE_CONFLICT",
            429 => "REQUEST_LIMIT_EXCEEDED",
            501 => "NOT_IMPLEMENTED",
            503 => "TEMPORARILY_UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            _ => "INTERNAL_ERROR",
        };
        Self::new(status, error_code, "a fault that was set on this workspace")
    }
}

/// Why a request was refused: the answer's extension, for a protocol that says it elsewhere than in the body.
#[derive(Clone)]
pub(crate) struct Reason(pub(crate) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &self.body);
        response.extensions_mut().insert(Reason(self.body.message));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"databricks-local\""),
            );
        }
        response
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("body", &self.body)
            .finish()
    }
}

/// Reads a body as the JSON of a `T`.
///
/// # Errors
/// When it is not JSON, or is JSON of something else.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let error = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // A member can be wrong before the text is; that the text is no JSON is the more useful thing to say.
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => Err(Refusal::invalid(error.to_string())),
        Err(error) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "MALFORMED_REQUEST",
            format!("the body is not JSON: {error}"),
        )),
    }
}

/// A value as a JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => with_type(status, "application/json", bytes),
        Err(_) => with_type(StatusCode::INTERNAL_SERVER_ERROR, "application/json", &b"{}"[..]),
    }
}

/// A value as a JSON answer with the status 200.
pub(crate) fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, value)
}

/// The answer `{}`.
pub(crate) fn empty() -> Response {
    with_type(StatusCode::OK, "application/json", &b"{}"[..])
}

/// A body with its content type.
pub(crate) fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
