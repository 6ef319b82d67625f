//! When a request is made again, and how long to wait before.
//!
//! One layer decides for the whole driver. What may be repeated depends on what repeating could do: a status request can be
//! sent twice, a submitted statement cannot, because it may be running already and the API has no idempotency key.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;

use crate::options::{self, Settings};

/// What happens if a request is carried out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing: reading, cancelling, closing.
    Harmless,
    /// Rows may be changed twice: executing a statement.
    Harmful,
}

/// How a request failed, as far as it matters for trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection: nothing of the request was written.
    NotSent,
    /// The connection broke after the request may have been written.
    Interrupted,
    /// The server answered with this status.
    Status(StatusCode),
}

/// A host that cannot be connected to four times within some seconds is down or misspelt, and its user is waiting for the
/// message that says so. A warehouse that is starting up answers, with a 503.
const MAX_CONNECT_RETRIES: u32 = 3;

/// Waits and limits. One budget per request: attempts and time, whatever the mixture of failures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    pub(crate) max_retries: u32,
    pub(crate) min_wait: Duration,
    pub(crate) max_wait: Duration,
    /// Counted from the first attempt's start.
    pub(crate) overall_timeout: Duration,
}

impl RetryPolicy {
    /// What the options say.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            max_retries: u32::try_from(settings.integer(options::RETRY_MAX_RETRIES)).unwrap_or(u32::MAX),
            min_wait: settings.millis(options::RETRY_MIN_WAIT_MS),
            max_wait: settings.millis(options::RETRY_MAX_WAIT_MS),
            overall_timeout: settings.millis(options::RETRY_OVERALL_TIMEOUT_MS),
        }
    }

    /// How long to wait before the next attempt; `None` when there must not or cannot be one.
    ///
    /// `retries` counts those already made, `elapsed` runs since the first attempt, `jitter` is in `0.0..1.0`.
    pub(crate) fn next_wait(
        &self,
        repeat: Repeat,
        failure: Failure,
        retry_after: Option<Duration>,
        retries: u32,
        elapsed: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        let max_retries = match failure {
            Failure::NotSent => self.max_retries.min(MAX_CONNECT_RETRIES),
            Failure::Interrupted | Failure::Status(_) => self.max_retries,
        };
        if retries >= max_retries || !may_repeat(repeat, failure, retry_after.is_some()) {
            return None;
        }
        let wait = match retry_after {
            Some(asked) => asked.clamp(self.min_wait.min(self.max_wait), self.max_wait),
            None => self.backoff(retries, jitter),
        };
        (elapsed + wait <= self.overall_timeout).then_some(wait)
    }

    /// `min · 2ⁿ`, at most `max`, of which the last quarter is random so that clients do not come back in step.
    fn backoff(&self, retries: u32, jitter: f64) -> Duration {
        let factor = 1_u32.checked_shl(retries.min(20)).unwrap_or(u32::MAX);
        let full = self.min_wait.saturating_mul(factor).min(self.max_wait);
        full.mul_f64(0.75 + 0.25 * jitter.clamp(0.0, 1.0))
    }
}

fn may_repeat(repeat: Repeat, failure: Failure, has_retry_after: bool) -> bool {
    match (repeat, failure) {
        (_, Failure::NotSent) => true,
        (Repeat::Harmless, Failure::Interrupted) => true,
        (Repeat::Harmful, Failure::Interrupted) => false,
        // A 503 with Retry-After is the front door saying that it did not let the request in; without, nobody knows.
        (Repeat::Harmful, Failure::Status(status)) => {
            status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::SERVICE_UNAVAILABLE && has_retry_after)
        }
        (Repeat::Harmless, Failure::Status(status)) => is_transient(status),
    }
}

/// Whether the same request may well succeed later.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

/// The wait that a `Retry-After` header asks for: seconds, or an HTTP date.
pub(crate) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = http_date(header)?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// A point in time as HTTP's headers have it.
pub(crate) fn http_date(header: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()
}

/// A number in `0.0..1.0` that differs between callers. Good enough to spread retries, nothing else.
pub(crate) fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_retries: 5,
        min_wait: Duration::from_secs(1),
        max_wait: Duration::from_secs(60),
        overall_timeout: Duration::from_secs(900),
    };

    fn wait(repeat: Repeat, failure: Failure, after: Option<u64>, retries: u32) -> Option<Duration> {
        POLICY.next_wait(
            repeat,
            failure,
            after.map(Duration::from_secs),
            retries,
            Duration::ZERO,
            1.0,
        )
    }

    fn status(code: u16) -> Failure {
        Failure::Status(StatusCode::from_u16(code).unwrap())
    }

    #[test]
    fn an_execute_is_repeated_only_when_the_server_cannot_have_begun() {
        let repeated = |failure, after| wait(Repeat::Harmful, failure, after, 0).is_some();
        assert!(repeated(Failure::NotSent, None));
        assert!(repeated(status(429), None));
        assert!(repeated(status(503), Some(1)));
        for (failure, after) in [
            (Failure::Interrupted, None),
            (status(503), None),
            (status(500), Some(1)),
            (status(502), None),
            (status(408), None),
        ] {
            assert!(!repeated(failure, after), "{failure:?}");
        }
    }

    #[test]
    fn a_read_is_repeated_on_everything_transient() {
        for code in [408, 429, 500, 502, 503, 504] {
            assert!(wait(Repeat::Harmless, status(code), None, 0).is_some(), "{code}");
        }
        for code in [400, 401, 403, 404, 409, 501] {
            assert!(wait(Repeat::Harmless, status(code), None, 0).is_none(), "{code}");
        }
        assert!(wait(Repeat::Harmless, Failure::Interrupted, None, 0).is_some());
    }

    #[test]
    fn retry_after_is_honoured_and_clamped() {
        assert_eq!(
            wait(Repeat::Harmful, status(429), Some(7), 0),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            wait(Repeat::Harmful, status(429), Some(0), 0),
            Some(Duration::from_secs(1))
        );
        assert_eq!(
            wait(Repeat::Harmful, status(429), Some(86_400), 0),
            Some(Duration::from_secs(60))
        );
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_end_with_the_budget() {
        let waits: Vec<_> = (0..6)
            .filter_map(|n| wait(Repeat::Harmless, status(500), None, n))
            .map(|w| w.as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16]);
        let late = Duration::from_secs(900);
        assert_eq!(
            POLICY.next_wait(Repeat::Harmless, status(500), None, 0, late, 0.0),
            None
        );
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = "2026-11-21T09:00:00Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(
            retry_after("Sat, 21 Nov 2026 09:00:30 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(retry_after("Sat, 21 Nov 2026 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
