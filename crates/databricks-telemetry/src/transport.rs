//! How telemetry reaches the workspace: a blocking trait that the driver implements over its own HTTP client.
//!
//! The driver owns credentials, proxies and TLS; this crate owns what is said and when. Calls come from the telemetry
//! worker thread only, never from a thread of the user, and inside [`activity::suppress`], so that a request made for
//! telemetry is never itself recorded.

use std::time::{Duration, Instant};

/// A way to the workspace, with the credentials of one connection.
///
/// The trait makes no retries of its own: one call is one request, and its outcome is what happened to that request.
/// Retrying is done here and nowhere else, under the eyes of the breaker.
///
/// A method that panics is caught and counted, and its batch is dropped.
pub trait Transport: Send + Sync + 'static {
    /// Posts one body to [`TelemetryPost::path`] and says what became of it.
    ///
    /// # Blocking
    /// Until the answer is read or [`TelemetryPost::deadline`] has passed; an implementation that ignores the deadline
    /// delays nobody but the telemetry of its own host. Redirects must not be followed.
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome;

    /// Asks the workspace for its feature flags with a `GET` of [`FlagRequest::path`].
    ///
    /// # Blocking
    /// As [`post_telemetry`](Transport::post_telemetry).
    fn feature_flags(&self, request: &FlagRequest<'_>) -> FlagOutcome;

    /// Whether a request made now would carry credentials. Must not block and must not ask anybody for a credential.
    ///
    /// While it says no, records lose their ids and travel to the unauthenticated endpoint, and no flag is fetched.
    fn is_authenticated(&self) -> bool;
}

/// One request for [`Transport::post_telemetry`].
#[derive(Clone, Copy, Debug)]
pub struct TelemetryPost<'a> {
    /// The path, one of [`PATH_AUTHENTICATED`](databricks_wire::telemetry::PATH_AUTHENTICATED) and
    /// [`PATH_UNAUTHENTICATED`](databricks_wire::telemetry::PATH_UNAUTHENTICATED).
    pub path: &'static str,
    /// Whether the request carries the connection's credentials. Without them, it carries nothing else of the user
    /// either: the user agent is [`user_agent`](TelemetryPost::user_agent) alone.
    pub authenticated: bool,
    /// The product's user agent, without the user's own entry.
    pub user_agent: &'static str,
    /// The body, JSON.
    pub body: &'a str,
    /// Entries in the body.
    pub entries: usize,
    /// When the call must have returned.
    pub deadline: Instant,
}

impl TelemetryPost<'_> {
    /// The time left until the deadline; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// One request for [`Transport::feature_flags`].
#[derive(Clone, Copy, Debug)]
pub struct FlagRequest<'a> {
    /// The path, with client type and version.
    pub path: &'a str,
    /// The product's user agent, without the user's own entry.
    pub user_agent: &'static str,
    /// When the call must have returned.
    pub deadline: Instant,
}

impl FlagRequest<'_> {
    /// The time left until the deadline; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// What became of one telemetry request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The workspace answered with a 2xx status. The body is read leniently: it may be anything, or empty, or cut off.
    Delivered {
        /// The answer's body; 64 KiB of it are plenty.
        body: Vec<u8>,
    },
    /// The workspace answered with any other status.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What `Retry-After` asked for, if it was there and could be read.
        retry_after: Option<Duration>,
    },
    /// No answer, because no connection could be made or kept.
    Unreachable(Unreachable),
    /// No answer before the deadline.
    TimedOut,
    /// The driver gave up the request for a reason of its own, such as shutting down. Says nothing about the workspace.
    Cancelled,
}

/// Why a workspace could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The name does not resolve. Not tried again.
    NameNotResolved,
    /// The connection was refused or reset, or broke.
    Connection,
    /// The TLS handshake failed. Not tried again.
    Tls,
}

/// What became of one flag request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagOutcome {
    /// The workspace answered with status 200.
    Answered {
        /// The answer's body, JSON.
        body: Vec<u8>,
    },
    /// The workspace answered with any other status. 404 means that it has no flags for this client.
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// There was no answer in time, for whatever reason.
    Unavailable,
}
