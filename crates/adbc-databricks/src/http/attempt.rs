//! What is known of an attempt that failed: whether the request was sent, what the server answered, and how the caller is told.

use std::error::Error as StdError;
use std::time::Duration;

use databricks_telemetry::ErrorCategory;
use databricks_wire::error::ApiError;
use jiff::Timestamp;
use reqwest::StatusCode;

use super::retry::{self, Failure, Repeat};
use crate::error::{self, Error, ErrorKind};

/// One failed attempt.
pub(crate) struct Attempt {
    pub(crate) failure: Failure,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) error: Error,
    /// Whether the name of the host could not be resolved.
    pub(crate) is_unresolved: bool,
}

impl Attempt {
    /// Whether the server did not accept the credentials.
    pub(super) fn is_unauthenticated(&self) -> bool {
        self.failure == Failure::Status(StatusCode::UNAUTHORIZED)
    }

    /// An attempt that must not be made again: 501 is the status that never is.
    pub(crate) fn fatal(error: Error) -> Self {
        Self {
            failure: Failure::Status(StatusCode::NOT_IMPLEMENTED),
            retry_after: None,
            is_unresolved: false,
            error,
        }
    }
}

pub(crate) fn transport_failure(error: &reqwest::Error, place: &str) -> Attempt {
    let not_sent = error.is_connect() || error.is_builder();
    let category = if is_tls(error) {
        ErrorCategory::SslHandshakeError
    } else if error.is_timeout() {
        ErrorCategory::Timeout
    } else {
        ErrorCategory::ConnectionError
    };
    let doing = if not_sent {
        "could not connect to"
    } else {
        "the connection broke while talking to"
    };
    let cause = if error.is_timeout() {
        "timed out".to_owned()
    } else {
        root_cause(error)
    };
    Attempt {
        failure: if not_sent {
            Failure::NotSent
        } else {
            Failure::Interrupted
        },
        retry_after: None,
        is_unresolved: error.is_dns(),
        error: Error::new(ErrorKind::Io, category, format!("{doing} {place}: {cause}")),
    }
}

/// The answer had begun.
pub(super) fn interrupted(error: &reqwest::Error, place: &str) -> Attempt {
    Attempt {
        failure: Failure::Interrupted,
        ..transport_failure(error, place)
    }
}

/// The innermost reason. The outer layers repeat the URL, which may be a signed link.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        let inner = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        current = error.source();
    }
    false
}

pub(super) fn status_error(status: StatusCode, body: &[u8], place: &str) -> Error {
    let refusal: ApiError = serde_json::from_slice(body).unwrap_or_default();
    let (kind, category) = match status.as_u16() {
        400 => (ErrorKind::InvalidArgument, ErrorCategory::InvalidRequest),
        401 => (ErrorKind::Unauthenticated, ErrorCategory::AuthError),
        403 => (ErrorKind::Unauthorized, ErrorCategory::PermissionError),
        404 => (ErrorKind::NotFound, ErrorCategory::NotFound),
        408 => (ErrorKind::Io, ErrorCategory::Timeout),
        409 => (ErrorKind::InvalidState, ErrorCategory::InvalidRequest),
        429 => (ErrorKind::Io, ErrorCategory::RateLimitExceeded),
        501 => (ErrorKind::NotImplemented, ErrorCategory::UnsupportedOperation),
        402..=499 => (ErrorKind::InvalidArgument, ErrorCategory::InvalidRequest),
        _ => (ErrorKind::Io, ErrorCategory::ConnectionError),
    };
    if refusal.message.is_empty() {
        return Error::new(kind, category, format!("{place} answered HTTP {status}"))
            .with_error_code(&refusal.error_code)
            .with_http_status(status.as_u16());
    }
    // A session that is opened in a schema that is not there fails as a statement does.
    let error = match status.is_client_error() {
        true => error::from_refusal(kind, category, &refusal.message),
        false => Error::new(kind, category, refusal.message),
    };
    error
        .context(format_args!("{place} answered HTTP {status}"))
        .with_error_code(&refusal.error_code)
        .with_http_status(status.as_u16())
}

/// Whether a refusal with this `Retry-After` and this body says what kind of failure it is.
pub(crate) fn accepts_refusal(after: &str, body: &[u8]) -> bool {
    let _ = retry::retry_after(after, Timestamp::now());
    let error = status_error(StatusCode::TOO_MANY_REQUESTS, body, "the server");
    error.error_code().is_some()
}

pub(super) fn final_error(repeat: Repeat, attempt: Attempt) -> Error {
    let begun = match attempt.failure {
        Failure::NotSent => false,
        Failure::Interrupted => true,
        Failure::Status(status) => {
            let held_at_the_door = status == StatusCode::SERVICE_UNAVAILABLE && attempt.retry_after.is_some();
            status.is_server_error() && retry::is_transient(status) && !held_at_the_door
        }
    };
    if repeat == Repeat::Harmful && begun {
        return attempt
            .error
            .context("the outcome of the statement is unknown, it may have run");
    }
    // What took the server too long it may have begun with.
    match begun || matches!(attempt.failure, Failure::Status(StatusCode::REQUEST_TIMEOUT)) {
        true => attempt.error,
        false => attempt.error.without_effect(),
    }
}
