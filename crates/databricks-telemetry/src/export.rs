//! One batch on its way: breaker permit, transport call, outcome, perhaps again. Nothing here returns an error;
//! everything is counted.
//!
//! This is the only layer that retries, and the breaker sees each outcome: two layers of retries multiply into storms.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use databricks_wire::telemetry::{PATH_AUTHENTICATED, PATH_UNAUTHENTICATED};

use crate::audit::Audit;
use crate::body;
use crate::breaker::{Breaker, Permit, Verdict};
use crate::event::Event;
use crate::flags::Clock;
use crate::schedule::random;
use crate::stats::{Counter, Counters, DropReason};
use crate::system::USER_AGENT;
use crate::transport::{Outcome, TelemetryPost, Transport, Unreachable};

/// The longest that one request may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that one batch may take, with all its retries.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// A breaker that outlives the connections which share it.
pub(crate) type SharedBreaker = Arc<Mutex<Breaker>>;

/// Which of the two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// With credentials and ids.
    Authenticated,
    /// With neither.
    Unauthenticated,
}

/// How much time there is: the worker's view of a hub that may be closing.
pub(crate) trait Patience {
    /// When everything must be over, once the hub is closing.
    fn deadline(&self) -> Option<Instant>;
    /// Waits for `delay`, or less when the hub's deadline comes first.
    fn pause(&self, delay: Duration);
}

/// Sends batches for one hub.
#[derive(Debug)]
pub(crate) struct Exporter {
    pub(crate) max_retries: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) breaker: Option<SharedBreaker>,
    /// By what the breaker rests.
    pub(crate) clock: Clock,
    pub(crate) audit: Option<Audit>,
    pub(crate) counters: Arc<Counters>,
    /// Whether the last request got any answer.
    pub(crate) responsive: bool,
}

/// What became of a batch.
enum Fate {
    /// Counted already.
    Settled,
    TooLarge,
    Dropped(DropReason),
}

/// What an outcome asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Done,
    Split,
    Retry,
    GiveUp,
    Cancelled,
}

impl Exporter {
    /// Sends `events` by `route`, in one request or (if the workspace finds it too large) in two.
    ///
    /// # Blocking
    /// Until they are delivered or given up: at most 30 s, or until the hub's deadline.
    pub(crate) fn deliver(
        &mut self,
        transport: &dyn Transport,
        route: Route,
        events: &[&Event],
        patience: &dyn Patience,
    ) {
        let halves = match self.send_safely(transport, route, events, patience) {
            Fate::TooLarge if events.len() > 1 => events.chunks(events.len().div_ceil(2)),
            fate => return self.settle(fate, events.len()),
        };
        for half in halves {
            let fate = self.send_safely(transport, route, half, patience);
            self.settle(fate, half.len());
        }
    }

    /// Sends, and survives a panic. Counting the events is the last that sending does, so none of them was counted then.
    fn send_safely(
        &mut self,
        transport: &dyn Transport,
        route: Route,
        events: &[&Event],
        patience: &dyn Patience,
    ) -> Fate {
        let sent = catch_unwind(AssertUnwindSafe(|| self.send(transport, route, events, patience)));
        sent.unwrap_or(Fate::Dropped(DropReason::TelemetryPanicked))
    }

    fn settle(&self, fate: Fate, events: usize) {
        match fate {
            Fate::Settled => {}
            Fate::TooLarge => self.counters.count(Counter::Refused, events),
            Fate::Dropped(reason) => self.counters.dropped(reason, events),
        }
    }

    fn send(&mut self, transport: &dyn Transport, route: Route, events: &[&Event], patience: &dyn Patience) -> Fate {
        let Some(line) = body::line(route, events) else {
            return Fate::Dropped(DropReason::Undelivered);
        };
        let begun = Instant::now();
        let mut refused = false;
        for attempt in 0..=self.max_retries {
            if attempt > 0 {
                patience.pause(backoff(self.retry_delay, attempt, random()));
            }
            let now = Instant::now();
            let deadline = [
                Some(now + REQUEST_TIMEOUT),
                Some(begun + BATCH_TIMEOUT),
                patience.deadline(),
            ];
            let deadline = deadline.into_iter().flatten().min().unwrap_or(now);
            if deadline <= now {
                let closing = patience.deadline().is_some_and(|deadline| deadline <= now);
                return Fate::Dropped(if closing {
                    DropReason::Closed
                } else {
                    DropReason::Undelivered
                });
            }
            let permit = match &self.breaker {
                None => None,
                Some(breaker) => match lock(breaker).permit((self.clock)()) {
                    Some(permit) => Some(permit),
                    None if attempt == 0 => return Fate::Dropped(DropReason::BreakerOpen),
                    None => break,
                },
            };
            if let Some(audit) = &mut self.audit
                && audit.append(&line).is_err()
            {
                self.report(permit, Verdict::Unknown);
                return Fate::Dropped(DropReason::Unaudited);
            }
            self.counters.count(Counter::Posts, 1);
            if attempt > 0 {
                self.counters.count(Counter::Retries, 1);
            }
            let post = TelemetryPost {
                path: match route {
                    Route::Authenticated => PATH_AUTHENTICATED,
                    Route::Unauthenticated => PATH_UNAUTHENTICATED,
                },
                authenticated: route == Route::Authenticated,
                user_agent: USER_AGENT,
                body: line.trim_end(),
                entries: events.len(),
                deadline,
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let _suppressed = activity::suppress();
                transport.post_telemetry(&post)
            }));
            let Ok(outcome) = outcome else {
                self.counters.count(Counter::TransportPanics, 1);
                self.responsive = false;
                self.report(permit, Verdict::Failure);
                return Fate::Dropped(DropReason::TransportPanicked);
            };
            self.responsive = matches!(outcome, Outcome::Delivered { .. } | Outcome::Refused { .. });
            self.report(permit, verdict(&outcome));
            refused = matches!(outcome, Outcome::Refused { .. });
            match next(&outcome) {
                Next::Done => {
                    self.count_delivered(&outcome, events.len());
                    return Fate::Settled;
                }
                Next::Split => return Fate::TooLarge,
                Next::Cancelled => return Fate::Dropped(DropReason::Cancelled),
                Next::GiveUp => break,
                Next::Retry => {}
            }
        }
        if refused {
            self.counters.count(Counter::Refused, events.len());
            return Fate::Settled;
        }
        Fate::Dropped(DropReason::Undelivered)
    }

    fn report(&self, permit: Option<Permit>, verdict: Verdict) {
        if let (Some(breaker), Some(permit)) = (&self.breaker, permit) {
            lock(breaker).record(permit, verdict, (self.clock)());
        }
    }

    /// The workspace says how many entries it took, though not which. An answer that cannot be read took them all.
    fn count_delivered(&self, outcome: &Outcome, entries: usize) {
        let Outcome::Delivered { body } = outcome else { return };
        let taken = serde_json::from_slice::<serde_json::Value>(body)
            .ok()
            .and_then(|answer| answer.get("numProtoSuccess")?.as_u64())
            .and_then(|taken| usize::try_from(taken).ok())
            .unwrap_or(entries)
            .min(entries);
        self.counters.count(Counter::Delivered, taken);
        self.counters.count(Counter::Refused, entries - taken);
    }
}

/// What is done next about a batch.
fn next(outcome: &Outcome) -> Next {
    match outcome {
        Outcome::Delivered { .. } => Next::Done,
        Outcome::Refused { status: 413, .. } => Next::Split,
        // A server that says when to come back is believed: the breaker rests until then, and retrying would not.
        Outcome::Refused {
            status: 429 | 503,
            retry_after: Some(_),
        } => Next::GiveUp,
        Outcome::Refused {
            status: 408 | 429 | 500 | 502 | 503 | 504,
            ..
        } => Next::Retry,
        Outcome::Refused { .. } => Next::GiveUp,
        Outcome::Unreachable(Unreachable::Connection) | Outcome::TimedOut => Next::Retry,
        Outcome::Unreachable(Unreachable::NameNotResolved | Unreachable::Tls) => Next::GiveUp,
        Outcome::Cancelled => Next::Cancelled,
    }
}

/// What the breaker learns.
fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Delivered { .. } => Verdict::Success,
        Outcome::Refused {
            status: 401 | 403 | 404,
            ..
        } => Verdict::Rejected,
        Outcome::Refused {
            status: 429 | 503,
            retry_after: Some(rest),
        } => Verdict::Busy(*rest),
        // The endpoint works; it is this body that it does not like.
        Outcome::Refused { status: 413, .. } => Verdict::Success,
        Outcome::Refused { .. } | Outcome::Unreachable(_) | Outcome::TimedOut => Verdict::Failure,
        Outcome::Cancelled => Verdict::Unknown,
    }
}

/// The wait before attempt `attempt` (1 for the first retry): exponential, plus up to one more delay at random.
fn backoff(delay: Duration, attempt: u32, random: f64) -> Duration {
    let doubled = delay.saturating_mul(1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
    doubled.saturating_add(delay.mul_f64(random)).min(LONGEST_DELAY)
}

pub(crate) fn lock(breaker: &SharedBreaker) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let refused = |status| {
            next(&Outcome::Refused {
                status,
                retry_after: None,
            })
        };
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(refused(status), Next::Retry, "{status}");
        }
        for status in [301, 307, 400, 401, 403, 404, 409, 422, 501] {
            assert_eq!(refused(status), Next::GiveUp, "{status}");
        }
        assert_eq!(next(&Outcome::TimedOut), Next::Retry);
        assert_eq!(next(&Outcome::Unreachable(Unreachable::Connection)), Next::Retry);
        assert_eq!(next(&Outcome::Unreachable(Unreachable::NameNotResolved)), Next::GiveUp);
        assert_eq!(next(&Outcome::Unreachable(Unreachable::Tls)), Next::GiveUp);
    }

    #[test]
    fn the_wait_doubles_and_is_bounded() {
        let delay = Duration::from_millis(100);
        assert_eq!(backoff(delay, 1, 0.0), delay);
        assert_eq!(backoff(delay, 2, 0.0), delay * 2);
        assert_eq!(backoff(delay, 3, 0.5), delay * 4 + delay / 2);
        assert_eq!(backoff(delay, 40, 0.0), LONGEST_DELAY);
    }
}
