//! The thread that sends what a hub queues: at once for connections and errors, when there is enough for a request, and
//! otherwise at each tick.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::Audit;
use crate::enable::Flag;
use crate::event::Event;
use crate::export::{Exporter, Patience, REQUEST_TIMEOUT, Route};
use crate::flags::Answer;
use crate::hub::Hub;
use crate::queue::Entry;
use crate::schedule::{Ticks, random};
use crate::stats::{Counter, DropReason};
use crate::system::USER_AGENT;
use crate::transport::{FlagOutcome, FlagRequest, Transport};

/// The body of the worker's thread.
pub(crate) fn run(hub: &Arc<Hub>) {
    let _finish = Finish(hub);
    let settings = &hub.key.settings;
    let mut exporter = Exporter {
        max_retries: settings.max_retries,
        retry_delay: settings.retry_delay,
        breaker: hub.breaker.as_ref().map(Arc::clone),
        clock: hub.clock,
        audit: settings.audit_file.as_deref().map(Audit::new),
        counters: Arc::clone(&hub.counters),
        responsive: false,
    };
    let mut rounds = None;
    let mut panics_in_a_row = 0;
    while panics_in_a_row < PANICS_IN_A_ROW {
        let next = catch_unwind(AssertUnwindSafe(|| {
            let rounds = rounds.get_or_insert_with(|| Rounds::new(settings.flush_interval, (hub.clock)()));
            rounds.next_batch(hub)
        }));
        match next {
            Ok(Some(batch)) => {
                panics_in_a_row = 0;
                send(hub, &mut exporter, batch);
            }
            Ok(None) => return,
            Err(panic) => {
                // Dropping what was thrown may throw again.
                mem::forget(panic);
                panics_in_a_row += 1;
                hub.counters.count(Counter::WorkerPanics, 1);
            }
        }
    }
}

/// A panic costs nothing but is counted: what was queued is still there. One that comes each time would be a busy loop.
const PANICS_IN_A_ROW: u32 = 8;

/// Says that the thread is over, however it ends.
struct Finish<'a>(&'a Hub);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.worker_finished();
    }
}

/// Sends one batch, sorted by route. A panic on the way costs what was about to be sent, and not the worker.
fn send(hub: &Hub, exporter: &mut Exporter, mut batch: Vec<Entry>) {
    let way = catch_unwind(AssertUnwindSafe(|| prepare(hub, &mut batch)));
    let Ok(way) = way else {
        return hub.counters.dropped(DropReason::TelemetryPanicked, batch.len());
    };
    let Some((transport, authenticated)) = way else { return };
    let (anonymous, identified): (Vec<_>, Vec<_>) = batch
        .iter()
        .map(|entry| &entry.event)
        .partition(|event| event.anonymous || !authenticated);
    let deliver = |exporter: &mut Exporter, route, events: &[&Event]| {
        if !events.is_empty() {
            exporter.deliver(&*transport, route, events, hub);
            hub.lock().responsive = exporter.responsive;
        }
    };
    deliver(exporter, Route::Unauthenticated, &anonymous);
    deliver(exporter, Route::Authenticated, &identified);
}

/// Leaves of a batch what may be sent, asking for the flag if anybody's record depends on it; counts the rest as dropped.
/// Gives the way to the workspace and whether it has credentials, or nothing when there is nothing left to send.
fn prepare(hub: &Hub, batch: &mut Vec<Entry>) -> Option<(Arc<dyn Transport>, bool)> {
    if hub.is_resting() {
        hub.counters.dropped(DropReason::BreakerOpen, batch.len());
        return None;
    }
    if batch.iter().any(|entry| entry.governed) {
        let reason = match flag(hub) {
            Flag::On => None,
            Flag::Off => Some(DropReason::FlagOff),
            Flag::Failed | Flag::NotAsked => Some(DropReason::FlagFailed),
        };
        if let Some(reason) = reason {
            let before = batch.len();
            batch.retain(|entry| !entry.governed);
            hub.counters.dropped(reason, before - batch.len());
        }
    }
    if batch.is_empty() {
        return None;
    }
    let way = hub.transport();
    if way.is_none() {
        hub.counters.dropped(DropReason::Closed, batch.len());
    }
    way
}

/// What the workspace's flag says; asks for it if that is not known, or not any more.
fn flag(hub: &Hub) -> Flag {
    ask(hub).map_or(Flag::Failed, |answer| answer.flag)
}

/// The same with its time; `None` when nobody can be asked.
pub(crate) fn ask(hub: &Hub) -> Option<Answer> {
    let settings = &hub.key.settings.flag;
    let Some((transport, true)) = hub.transport() else {
        // Without credentials the answer would be a refusal, and would be held against those who have some.
        return None;
    };
    let now = Instant::now();
    let patience = hub.deadline().map_or(REQUEST_TIMEOUT, |deadline| {
        deadline.saturating_duration_since(now).min(REQUEST_TIMEOUT)
    });
    let deadline = now + patience;
    let path = hub.key.flag_path();
    let fetch = || {
        hub.counters.count(Counter::FlagFetches, 1);
        let request = FlagRequest {
            path: &path,
            user_agent: USER_AGENT,
            deadline,
        };
        catch_unwind(AssertUnwindSafe(|| {
            let _suppressed = activity::suppress();
            transport.feature_flags(&request)
        }))
        .unwrap_or_else(|_| {
            hub.counters.count(Counter::TransportPanics, 1);
            FlagOutcome::Unavailable
        })
    };
    let clock = hub.clock;
    let answer = hub.process.flags.resolve(
        &hub.key.flag_key(),
        hub.key.endpoint.identity,
        &settings.name,
        clock,
        clock() + patience,
        fetch,
    );
    hub.learn(answer);
    Some(answer)
}

impl Patience for Hub {
    fn deadline(&self) -> Option<Instant> {
        self.lock().deadline
    }

    fn pause(&self, delay: Duration) {
        let until = Instant::now() + delay;
        let mut state = self.lock();
        loop {
            let until = state.deadline.unwrap_or(until).min(until);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self
                .wake
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// When to send, and how much.
struct Rounds {
    ticks: Ticks,
    /// Records still to be sent without waiting for more.
    due: usize,
    /// The flush that will be over when they are.
    flush: u64,
}

impl Rounds {
    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            ticks: Ticks::new(now, interval, random()),
            due: 0,
            flush: 0,
        }
    }

    /// Waits until there is something to send; `None` when the hub is closing and nothing is left, or no time.
    fn next_batch(&mut self, hub: &Hub) -> Option<Vec<Entry>> {
        let settings = &hub.key.settings;
        let mut state = hub.lock();
        loop {
            let now = Instant::now();
            let tick = self.ticks.take((hub.clock)());
            let flush = state.flushes_wanted > self.flush;
            if tick || flush || state.urgent || state.deadline.is_some() {
                self.due = state.queue.len();
                self.flush = state.flushes_wanted;
                state.urgent = false;
            }
            if state.is_full(settings) {
                self.due = self.due.max(settings.batch_size);
            }
            if state.deadline.is_some_and(|deadline| now >= deadline) {
                let late = state.queue.take(usize::MAX);
                hub.counters.dropped(DropReason::Closed, late.len());
            }
            self.due = self.due.min(state.queue.len());
            if self.due > 0 {
                let batch = state.queue.take(self.due.min(settings.batch_size));
                self.due -= batch.len();
                return Some(batch);
            }
            if state.flushes_done < self.flush {
                state.flushes_done = self.flush;
                hub.done.notify_all();
            }
            if state.deadline.is_some() {
                return None;
            }
            state = if state.queue.is_empty() {
                let state = hub.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                // Ticks that came while there was nothing to send are over.
                self.ticks.take((hub.clock)());
                state
            } else {
                let left = self.ticks.left((hub.clock)());
                hub.wake
                    .wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            };
        }
    }
}
