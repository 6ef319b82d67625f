//! Failures on demand, so that a client's retries can be tested.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use crate::state::locked;

mod text;

pub use text::FaultError;

/// A failure that the next matching requests meet.
///
/// `path_prefix` is compared with the request's path (without the query); a prefix that starts with a method and a
/// blank (`"POST /api/2.0/sql/statements"`) is compared with both. Every fault ends by itself after `times` requests.
/// When several match, all latencies apply, then the oldest other fault decides; a request that meets one is not
/// carried out, unless the fault says so. [`Fault::TELEMETRY`] and [`Fault::FLAGS`] are the prefixes for what belongs to telemetry and to nothing
/// else.
///
/// A fault can be written as text, as `dbsql serve --fault` takes it: see [`Fault::from_str`](std::str::FromStr).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status instead of carrying the request out.
    Status {
        /// Which requests.
        path_prefix: String,
        /// The HTTP status, 400 to 599; anything else is taken as 500.
        status: u16,
        /// The `Retry-After` header, in whole seconds.
        retry_after: Option<Duration>,
        /// How many requests.
        times: u32,
    },
    /// Carries the request out, after a pause.
    Latency {
        /// Which requests.
        path_prefix: String,
        /// The pause.
        delay: Duration,
        /// How many requests.
        times: u32,
    },
    /// Closes the connection (or resets the HTTP/2 stream) without an answer.
    Drop {
        /// Which requests.
        path_prefix: String,
        /// How many requests.
        times: u32,
    },
    /// Reads the request and never answers; it ends when the client gives up or the workspace stops.
    Hang {
        /// Which requests.
        path_prefix: String,
        /// How many requests.
        times: u32,
    },
    /// Answers 200 with a body that is not what it says it is.
    Garbage {
        /// Which requests.
        path_prefix: String,
        /// How many requests.
        times: u32,
    },
    /// Answers with this status and body instead of carrying the request out: a file of another result, an error of some
    /// megabytes.
    Answer {
        /// Which requests.
        path_prefix: String,
        /// The HTTP status, 200 to 599; anything else is taken as 500.
        status: u16,
        /// The body, as it is sent.
        body: Bytes,
        /// How many requests.
        times: u32,
    },
    /// Carries the request out, and closes the connection in the middle of the answer.
    Cut {
        /// Which requests.
        path_prefix: String,
        /// How many bytes of the body are sent; the `Content-Length` stays what it was.
        after_bytes: u64,
        /// How many requests.
        times: u32,
    },
    /// Carries the request out, and damages the first bytes of the answer's body.
    Corrupt {
        /// Which requests.
        path_prefix: String,
        /// How many requests.
        times: u32,
    },
    /// Carries the request out, and sends the body in small pieces.
    Drip {
        /// Which requests.
        path_prefix: String,
        /// The size of a piece; at least 1.
        piece_bytes: usize,
        /// The pause before each.
        pause: Duration,
        /// How many requests.
        times: u32,
    },
}

impl Fault {
    /// The prefix of both telemetry endpoints.
    pub const TELEMETRY: &str = "POST /telemetry-";
    /// The prefix of the feature flags.
    pub const FLAGS: &str = "GET /api/2.0/connector-service/feature-flags/";

    fn path_prefix(&self) -> &str {
        match self {
            Self::Status { path_prefix, .. }
            | Self::Latency { path_prefix, .. }
            | Self::Drop { path_prefix, .. }
            | Self::Hang { path_prefix, .. }
            | Self::Garbage { path_prefix, .. }
            | Self::Answer { path_prefix, .. }
            | Self::Cut { path_prefix, .. }
            | Self::Corrupt { path_prefix, .. }
            | Self::Drip { path_prefix, .. } => path_prefix,
        }
    }

    fn times_mut(&mut self) -> &mut u32 {
        match self {
            Self::Status { times, .. }
            | Self::Latency { times, .. }
            | Self::Drop { times, .. }
            | Self::Hang { times, .. }
            | Self::Garbage { times, .. }
            | Self::Answer { times, .. }
            | Self::Cut { times, .. }
            | Self::Corrupt { times, .. }
            | Self::Drip { times, .. } => times,
        }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        match self.path_prefix().split_once(' ') {
            Some((wanted, prefix)) => wanted == method && path.starts_with(prefix),
            None => path.starts_with(self.path_prefix()),
        }
    }
}

/// What a request meets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    pub(crate) instead: Option<Instead>,
    pub(crate) alteration: Option<Alteration>,
}

/// What happens to the answer of a request that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alteration {
    Cut { after_bytes: u64 },
    Corrupt,
    Drip { piece_bytes: usize, pause: Duration },
}

/// What happens instead of carrying a request out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    Answer { status: u16, retry_after: Option<Duration> },
    Drop,
    Hang,
    Garbage,
    Body { status: u16, body: Bytes },
}

/// The faults that are still to be met, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        locked(&self.0).push(fault);
    }

    pub(crate) fn clear(&self) {
        locked(&self.0).clear();
    }

    /// What this request meets; each fault that takes part has one time less.
    pub(crate) fn meet(&self, method: &str, path: &str) -> Verdict {
        let mut verdict = Verdict::default();
        locked(&self.0).retain_mut(|fault| {
            if *fault.times_mut() == 0 {
                return false;
            }
            if !fault.matches(method, path) {
                return true;
            }
            match fault {
                Fault::Latency { delay, .. } => verdict.delay += *delay,
                _ if verdict.instead.is_some() || verdict.alteration.is_some() => return true,
                Fault::Answer { status, body, .. } => {
                    verdict.instead = Some(Instead::Body {
                        status: *status,
                        body: body.clone(),
                    });
                }
                Fault::Cut { after_bytes, .. } => {
                    verdict.alteration = Some(Alteration::Cut {
                        after_bytes: *after_bytes,
                    });
                }
                Fault::Corrupt { .. } => verdict.alteration = Some(Alteration::Corrupt),
                Fault::Drip { piece_bytes, pause, .. } => {
                    verdict.alteration = Some(Alteration::Drip {
                        piece_bytes: *piece_bytes,
                        pause: *pause,
                    });
                }
                Fault::Status {
                    status, retry_after, ..
                } => {
                    verdict.instead = Some(Instead::Answer {
                        status: *status,
                        retry_after: *retry_after,
                    });
                }
                Fault::Drop { .. } => verdict.instead = Some(Instead::Drop),
                Fault::Hang { .. } => verdict.instead = Some(Instead::Hang),
                Fault::Garbage { .. } => verdict.instead = Some(Instead::Garbage),
            }
            *fault.times_mut() -= 1;
            *fault.times_mut() > 0
        });
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_ends_after_its_times_and_only_meets_its_paths() {
        let faults = Faults::default();
        faults.add(Fault::Drop {
            path_prefix: "POST /a".into(),
            times: 2,
        });
        assert_eq!(faults.meet("GET", "/a"), Verdict::default());
        assert_eq!(faults.meet("POST", "/b"), Verdict::default());
        for _ in 0..2 {
            assert_eq!(faults.meet("POST", "/a/b").instead, Some(Instead::Drop));
        }
        assert_eq!(faults.meet("POST", "/a/b"), Verdict::default());
    }

    #[test]
    fn latencies_add_up_and_the_oldest_other_fault_decides() {
        let faults = Faults::default();
        let status = |status| Fault::Status {
            path_prefix: "/".into(),
            status,
            retry_after: None,
            times: 1,
        };
        let latency = Fault::Latency {
            path_prefix: "/".into(),
            delay: Duration::from_millis(5),
            times: 1,
        };
        for fault in [latency.clone(), status(503), latency, status(429)] {
            faults.add(fault);
        }
        let first = faults.meet("GET", "/");
        assert_eq!(first.delay, Duration::from_millis(10));
        assert!(matches!(first.instead, Some(Instead::Answer { status: 503, .. })));
        assert!(matches!(
            faults.meet("GET", "/").instead,
            Some(Instead::Answer { status: 429, .. })
        ));
        assert_eq!(faults.meet("GET", "/"), Verdict::default());
    }
}
