//! When to leave an endpoint alone: a circuit breaker as a pure state machine.
//!
//! Every method takes `now`, so that nothing here reads a clock or sleeps. A breaker lives as long as the process, per
//! host and identity: connections come and go, and a dead endpoint stays dead.

use std::time::{Duration, Instant};

/// The longest time a breaker stays open because of failures or refused credentials.
pub const LONGEST_OPEN: Duration = Duration::from_secs(15 * 60);

/// The longest `Retry-After` that is believed.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Calls in the sliding window, and the fewest of them from which a failure rate is computed.
const WINDOW: u32 = 30;
const WINDOW_MINIMUM: u32 = 10;

/// What a breaker is told to tolerate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Consecutive failures that open the breaker. Independently of it, the breaker opens when half of the last 30
    /// calls (of 10 at least) failed.
    pub threshold: u32,
    /// How long the breaker stays open at first. Doubles with each failed probe, up to [`LONGEST_OPEN`].
    pub open_for: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            threshold: 5,
            open_for: Duration::from_secs(60),
        }
    }
}

/// What a call meant to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint works.
    Success,
    /// The endpoint does not work.
    Failure,
    /// The endpoint asked for rest: a failure that also opens the breaker for at least this long.
    Busy(Duration),
    /// The endpoint will not take anything from this identity: the breaker opens for [`LONGEST_OPEN`].
    Rejected,
    /// Nothing was learned (the call was cancelled).
    Unknown,
}

/// What the breaker does with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// Calls are refused until the instant has passed.
    Open {
        /// When a probe will be admitted.
        until: Instant,
    },
    /// One call, the probe, is under way; the others are refused until it reports.
    HalfOpen,
}

/// The right to make one call, to be handed back with its verdict.
///
/// A permit that is lost (its call panicked) counts as a failure only through [`Breaker::record`]; a probe that never
/// reports is replaced once its open time has passed again.
#[derive(Debug)]
#[must_use = "a permit is handed back through `Breaker::record`"]
pub struct Permit {
    generation: u64,
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    policy: Policy,
    state: State,
    /// Counts state changes: the verdict of a call that began before the last change is stale and changes nothing.
    generation: u64,
    consecutive: u32,
    /// The last calls, one bit each, 1 for a failure; the newest is the lowest bit.
    window: u32,
    window_len: u32,
    /// How long the next opening lasts.
    next_open: Duration,
    /// When the probe under way is given up for lost.
    probe_expires: Option<Instant>,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Closed,
            generation: 0,
            consecutive: 0,
            window: 0,
            window_len: 0,
            next_open: policy.open_for.min(LONGEST_OPEN),
            probe_expires: None,
        }
    }

    /// What the breaker does at `now`, without changing it.
    pub fn state(&self, now: Instant) -> State {
        match self.state {
            State::HalfOpen if self.probe_expires.is_some_and(|expires| now >= expires) => State::Open { until: now },
            state => state,
        }
    }

    /// Whether a call would be refused at `now`.
    pub fn is_open(&self, now: Instant) -> bool {
        match self.state(now) {
            State::Closed => false,
            State::Open { until } => now < until,
            State::HalfOpen => true,
        }
    }

    /// Asks to make one call.
    ///
    /// `None` while the breaker is open, and while a probe is under way: at most one call is between the two.
    pub fn permit(&mut self, now: Instant) -> Option<Permit> {
        match self.state(now) {
            State::Closed => {}
            State::Open { until } if now < until => return None,
            State::HalfOpen => return None,
            State::Open { .. } => {
                self.enter(State::HalfOpen);
                self.probe_expires = Some(later(now, self.policy.open_for.max(Duration::from_secs(60))));
            }
        }
        Some(Permit {
            generation: self.generation,
        })
    }

    /// Hands a permit back with what its call meant.
    pub fn record(&mut self, permit: Permit, verdict: Verdict, now: Instant) {
        if permit.generation != self.generation {
            return;
        }
        match verdict {
            Verdict::Success => self.succeed(),
            Verdict::Failure => self.fail(now, Duration::ZERO),
            Verdict::Busy(rest) => {
                self.note(true);
                self.open(now, rest.min(LONGEST_RETRY_AFTER));
            }
            Verdict::Rejected => self.open(now, LONGEST_OPEN),
            // A probe from which nothing was learned makes room for another one.
            Verdict::Unknown if self.state == State::HalfOpen => self.enter(State::Open { until: now }),
            Verdict::Unknown => {}
        }
    }

    /// Opens the breaker from outside, because a caller could not wait for the endpoint any longer.
    pub fn trip(&mut self, now: Instant) {
        if !self.is_open(now) {
            self.open(now, Duration::ZERO);
        }
    }

    fn succeed(&mut self) {
        self.note(false);
        self.consecutive = 0;
        self.next_open = self.policy.open_for.min(LONGEST_OPEN);
        if self.state == State::HalfOpen {
            self.enter(State::Closed);
            self.window_len = 0;
        }
    }

    fn fail(&mut self, now: Instant, floor: Duration) {
        self.note(true);
        self.consecutive = self.consecutive.saturating_add(1);
        let failing = self.consecutive >= self.policy.threshold || self.is_rate_exceeded();
        if self.state == State::HalfOpen || failing {
            self.open(now, floor);
        }
    }

    fn open(&mut self, now: Instant, floor: Duration) {
        let length = self.next_open.max(floor);
        self.next_open = self.next_open.saturating_mul(2).min(LONGEST_OPEN);
        self.consecutive = 0;
        self.window_len = 0;
        self.enter(State::Open {
            until: later(now, length),
        });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.probe_expires = None;
    }

    fn note(&mut self, failed: bool) {
        self.window = self.window << 1 | u32::from(failed);
        self.window_len = (self.window_len + 1).min(WINDOW);
    }

    fn is_rate_exceeded(&self) -> bool {
        let seen = self.window & ((1 << self.window_len) - 1);
        self.window_len >= WINDOW_MINIMUM && seen.count_ones() * 2 >= self.window_len
    }
}

/// `now + by`, or as far as the clock goes.
fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}
