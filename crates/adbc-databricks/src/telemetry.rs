//! The driver's side of usage telemetry: what a connection says of itself, and the way to the workspace.
//!
//! [`Connection::telemetry`](crate::Connection::telemetry) shows what became of a connection's records,
//! [`Database::explain_telemetry`](crate::Database::explain_telemetry) why they would be sent or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use databricks_telemetry::{
    ConnectionFacts, ErrorCategory, FlagOutcome, FlagRequest, Lease, Outcome, Telemetry, TelemetryPost, Transport,
    Unreachable,
};
use databricks_wire::sea::{Compression, Disposition, Format};
use reqwest::Method;

use crate::error::Result;
use crate::http::proxy::Route;
use crate::http::retry::Failure;
use crate::http::tls::Trust;
use crate::http::{Attempt, Client, Once};
use crate::options::{self, Settings};
use crate::runtime;
use crate::sea::execute::ResultForm;
use crate::traces::Traces;

pub use databricks_telemetry::enable;
pub use databricks_telemetry::{Decision, DropReason, Explanation, FlagAnswer, FlagSeen, Stats};

/// Gives a connection its part in telemetry, and marks its activities for its traces.
///
/// # Errors
/// Never: the options were checked when they were set.
pub(crate) fn attach(client: &Arc<Client>, settings: &Settings, traces: Option<&Traces>) -> Result<Arc<Lease>> {
    let transport = Arc::new(Way {
        client: Arc::clone(client),
    });
    let lease = Telemetry::attach(facts(client, settings), settings.telemetry()?, transport);
    Ok(Arc::new(match traces {
        Some(traces) => lease.with_handle(traces.mark()),
        None => lease,
    }))
}

/// Says whether telemetry would be on, and why.
///
/// # Errors
/// Never: the options were checked when they were set.
pub(crate) fn explain(client: &Arc<Client>, settings: &Settings) -> Result<Explanation> {
    let transport = Arc::new(Way {
        client: Arc::clone(client),
    });
    let explanation = Telemetry::explain(facts(client, settings), settings.telemetry()?, transport);
    Ok(explanation)
}

/// A look at a connection's telemetry. Looking changes nothing, and the look outlives the connection: after its close the
/// counters say what became of its last records.
#[derive(Clone, Debug)]
pub struct TelemetryView(pub(crate) Arc<Lease>);

impl TelemetryView {
    /// Whether telemetry is on for the connection, and why, as far as is known now.
    pub fn decision(&self) -> Decision {
        self.0.decision()
    }

    /// The counters of all connections to this workspace with the same credentials and settings that were open together
    /// with this one; all zero if the user refused telemetry.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// Sends what waits. Says whether that was over within `timeout`; what became of it, the counters say.
    ///
    /// # Blocking
    /// At most `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.0.flush(timeout)
    }
}

fn facts(client: &Client, settings: &Settings) -> ConnectionFacts {
    let endpoint = client.endpoint();
    let authenticator = client.authenticator();
    let has_proxy = client.route().has_proxy_for(&endpoint.base);
    let wanted = ResultForm::of(settings);
    ConnectionFacts {
        org_id: endpoint.org_id.as_deref().and_then(|id| id.parse().ok()),
        allow_self_signed: Some(Trust::of(settings).allows_self_signed()),
        use_system_trust_store: Some(true),
        arrow: Some(wanted.format == Format::ArrowStream),
        cloudfetch: Some(wanted.disposition == Disposition::InlineOrExternalLinks),
        direct_results: Some(settings.text(options::WAIT_TIMEOUT).as_deref() != Some("0s")),
        use_proxy: Some(has_proxy),
        use_system_proxy: Some(has_proxy && matches!(client.route(), Route::Environment)),
        use_download_proxy: Some(false),
        complex_types: Some(true),
        lz4: Some(wanted.compression == Compression::Lz4Frame),
        auto_commit: Some(true),
        socket_timeout: Some(settings.millis(options::READ_TIMEOUT_MS)),
        poll_interval: Some(settings.millis(options::POLL_INTERVAL_MAX_MS)),
        ..ConnectionFacts::new(endpoint.authority(), authenticator.identity(), authenticator.kind())
    }
}

/// The way to the workspace, with one connection's credentials. Used by the telemetry worker's thread only.
struct Way {
    client: Arc<Client>,
}

impl Way {
    fn send(&self, request: Once) -> std::result::Result<Vec<u8>, Option<Attempt>> {
        let client = Arc::clone(&self.client);
        let (timeout, answer) = (request.timeout, async move { Ok(client.once(request).await) });
        // The request's own timeout does not cover the wait for credentials.
        let bounded = async move {
            tokio::time::timeout(timeout, answer)
                .await
                .unwrap_or_else(|_| Err(timed_out()))
        };
        match runtime::wait(bounded) {
            Ok(answer) => answer.map_err(Some),
            Err(_) => Err(None),
        }
    }
}

fn timed_out() -> crate::Error {
    crate::Error::new(
        crate::ErrorKind::Timeout,
        ErrorCategory::Timeout,
        "telemetry took too long",
    )
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl Transport for Way {
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
        let request = Once {
            method: Method::POST,
            path: post.path.to_owned(),
            authenticated: post.authenticated,
            user_agent: post.user_agent,
            body: Some(post.body.to_owned()),
            timeout: remaining(post.deadline),
        };
        match self.send(request) {
            Ok(body) => Outcome::Delivered { body },
            Err(None) => Outcome::TimedOut,
            Err(Some(attempt)) => refused(&attempt),
        }
    }

    fn feature_flags(&self, request: &FlagRequest<'_>) -> FlagOutcome {
        let request = Once {
            method: Method::GET,
            path: request.path.to_owned(),
            authenticated: true,
            user_agent: request.user_agent,
            body: None,
            timeout: remaining(request.deadline),
        };
        match self.send(request) {
            Ok(body) => FlagOutcome::Answered { body },
            Err(Some(Attempt {
                failure: Failure::Status(status),
                ..
            })) => FlagOutcome::Refused {
                status: status.as_u16(),
            },
            Err(_) => FlagOutcome::Unavailable,
        }
    }

    fn is_authenticated(&self) -> bool {
        true
    }
}

fn refused(attempt: &Attempt) -> Outcome {
    match attempt.failure {
        Failure::Status(status) => Outcome::Refused {
            status: status.as_u16(),
            retry_after: attempt.retry_after,
        },
        _ if attempt.is_unresolved => Outcome::Unreachable(Unreachable::NameNotResolved),
        Failure::NotSent | Failure::Interrupted => match attempt.error.category() {
            ErrorCategory::SslHandshakeError => Outcome::Unreachable(Unreachable::Tls),
            ErrorCategory::Timeout => Outcome::TimedOut,
            _ => Outcome::Unreachable(Unreachable::Connection),
        },
    }
}
