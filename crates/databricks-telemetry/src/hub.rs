//! The meeting point of all connections to one workspace as one user, with one set of settings: a queue, a worker, a
//! breaker.
//!
//! Users' threads put records in and leave ([`Hub::accept`]); the worker's thread takes them out and posts them
//! ([`worker`]). The lock is held for a few pushes and pops, never across a call of anybody's code.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::config::{Config, FlagName};
use crate::enable::{Decision, Flag, Verdict};
use crate::event::Event;
use crate::export::{SharedBreaker, lock};
use crate::facts::{ConnectionFacts, Endpoint};
use crate::flags::{Answer, Clock, bare_version};
use crate::hosts::Process;
use crate::queue::{HOST_BYTES, PENDING_ENTRIES, Queue};
use crate::stats::{Counter, Counters, DropReason, Stats};
use crate::system::DRIVER_VERSION;
use crate::transport::Transport;
use crate::worker;

/// How long closing waits for an endpoint that has not answered yet, or not the last time.
const GRACE: Duration = Duration::from_secs(1);
/// How long closing waits for a worker that has nothing to do but to drop its records.
const MOMENT: Duration = Duration::from_millis(100);

/// The bits of a hub's answer that hold the flag.
const FLAG_BITS: u32 = 2;
const FLAG_MASK: u64 = (1 << FLAG_BITS) - 1;

/// Which connections share a hub. The settings are part of it, so that each connection's are obeyed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HubKey {
    pub(crate) endpoint: Endpoint,
    pub(crate) settings: Settings,
}

impl HubKey {
    pub(crate) fn of(facts: &ConnectionFacts, config: &Config) -> Self {
        Self {
            endpoint: Endpoint::of(facts),
            settings: Settings::of(config),
        }
    }

    /// The request by which the flag is asked for.
    pub(crate) fn flag_path(&self) -> String {
        databricks_wire::flags::path(&self.settings.flag.client_type, bare_version(DRIVER_VERSION))
    }

    /// Under what the flag's answer is remembered: the workspace and the question. Who asks is told beside it.
    pub(crate) fn flag_key(&self) -> String {
        format!(
            "{} {} {}",
            self.endpoint.workspace(),
            self.flag_path(),
            self.settings.flag.name
        )
    }
}

/// What a hub needs of a [`Config`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    pub(crate) batch_size: usize,
    pub(crate) flush_interval: Duration,
    pub(crate) max_retries: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) policy: Option<crate::breaker::Policy>,
    pub(crate) audit_file: Option<PathBuf>,
    pub(crate) flag: FlagName,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            batch_size: config.batch_size.max(1),
            flush_interval: config.flush_interval.max(Duration::from_millis(1)),
            max_retries: config.max_retries,
            retry_delay: config.retry_delay,
            policy: config.policy(),
            audit_file: config.audit_file.clone(),
            flag: config.flag.clone(),
        }
    }
}

/// A hub. See the [module](self).
pub(crate) struct Hub {
    pub(crate) key: HubKey,
    pub(crate) process: &'static Process,
    pub(crate) counters: Arc<Counters>,
    pub(crate) breaker: Option<SharedBreaker>,
    /// By what the flag's answer expires, the breaker rests and ticks come: the clock of the first connection. How long
    /// requests, pauses and closing may take is real time.
    pub(crate) clock: Clock,
    /// When it was made, by that clock.
    born: Instant,
    /// What the worker, or the cache at attach, knows of the flag: in the lowest bits a [`Flag`] as its index in
    /// [`Flag::ALL`], above them the nanoseconds from `born` until that holds no more. One word, so that whoever
    /// starts a root reads both with one load.
    answer: AtomicU64,
    pub(crate) state: Mutex<State>,
    /// The worker waits here for work, and between retries.
    pub(crate) wake: Condvar,
    /// Those who flush or close wait here for the worker.
    pub(crate) done: Condvar,
}

/// What is behind the lock.
pub(crate) struct State {
    pub(crate) queue: Queue,
    /// The ways to the workspace of the open connections, oldest first.
    transports: Vec<(u64, Arc<dyn Transport>)>,
    next_lease: u64,
    worker: Worker,
    /// An urgent record came.
    pub(crate) urgent: bool,
    /// Flushes asked for, and those of them that are over.
    pub(crate) flushes_wanted: u64,
    pub(crate) flushes_done: u64,
    /// When everything must be over, once the hub is closing.
    pub(crate) deadline: Option<Instant>,
    /// Whether the endpoint answered the last request.
    pub(crate) responsive: bool,
}

enum Worker {
    /// No record came yet.
    NotStarted,
    Running(JoinHandle<()>),
    /// Its thread is past everything but its own end.
    Finished(JoinHandle<()>),
    /// There is none any more, or none could be started.
    Gone,
}

impl Hub {
    pub(crate) fn new(key: HubKey, process: &'static Process, breaker: Option<SharedBreaker>, clock: Clock) -> Self {
        let counters = Arc::new(Counters::part_of(Arc::clone(&process.counters)));
        let state = State {
            queue: Queue::new(Arc::clone(&process.budget)),
            transports: Vec::new(),
            next_lease: 0,
            worker: Worker::NotStarted,
            urgent: false,
            flushes_wanted: 0,
            flushes_done: 0,
            deadline: None,
            responsive: false,
        };
        Self {
            key,
            process,
            counters,
            breaker,
            clock,
            born: clock(),
            answer: AtomicU64::new(Flag::NotAsked as u64),
            state: Mutex::new(state),
            wake: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// What is known of the workspace's flag: after its time an answer other than yes is as good as none, so that the
    /// next record makes the worker ask again.
    ///
    /// A yes stays one until the worker learns otherwise: it asks again before it sends anything, and until then there
    /// is no reason to keep fewer records.
    pub(crate) fn flag(&self) -> Flag {
        let answer = self.answer.load(Ordering::Relaxed);
        let index = usize::try_from(answer & FLAG_MASK).unwrap_or(usize::MAX);
        let flag = Flag::ALL.get(index).copied().unwrap_or(Flag::NotAsked);
        let holds = || (self.clock)().saturating_duration_since(self.born) < Duration::from_nanos(answer >> FLAG_BITS);
        if flag == Flag::On || holds() {
            flag
        } else {
            Flag::NotAsked
        }
    }

    /// Takes note of an answer.
    pub(crate) fn learn(&self, answer: Answer) {
        let holds = answer.until.saturating_duration_since(self.born).as_nanos();
        let holds = u64::try_from(holds).unwrap_or(u64::MAX).min(u64::MAX >> FLAG_BITS);
        self.answer
            .store(holds << FLAG_BITS | answer.flag as u64, Ordering::Relaxed);
    }

    /// Adds a connection's way to the workspace; gives the number by which it goes.
    pub(crate) fn join(&self, transport: Arc<dyn Transport>) -> u64 {
        let mut state = self.lock();
        state.next_lease += 1;
        let number = state.next_lease;
        state.transports.push((number, transport));
        number
    }

    /// Takes a connection's way to the workspace out, to be dropped by the caller; the records that it left behind are
    /// sent at once, by another one.
    pub(crate) fn leave(&self, number: u64) -> Option<Arc<dyn Transport>> {
        let mut state = self.lock();
        let left = state
            .transports
            .iter()
            .position(|(other, _)| *other == number)
            .map(|at| state.transports.remove(at).1);
        state.urgent = true;
        drop(state);
        self.wake.notify_one();
        left
    }

    /// Counts a completed record, before it is [accepted](Hub::accept).
    pub(crate) fn count_record(&self, is_incomplete: bool) {
        self.counters.count(Counter::Recorded, 1);
        if is_incomplete {
            self.counters.count(Counter::Incomplete, 1);
        }
    }

    /// Takes a completed record, which was counted.
    pub(crate) fn accept(self: &Arc<Self>, event: Event, decision: Decision) {
        let limit = match decision.verdict {
            Verdict::On => usize::MAX,
            Verdict::Pending => PENDING_ENTRIES,
            Verdict::Off => return self.counters.dropped(DropReason::FlagOff, 1),
        };
        let mut state = self.lock();
        if state.deadline.is_some() || !state.start_worker(self) {
            drop(state);
            return self.counters.dropped(DropReason::Closed, 1);
        }
        let was_empty = state.queue.is_empty();
        state.urgent |= event.urgent;
        let urgent = event.urgent;
        state
            .queue
            .push(event, decision.is_up_to_the_flag(), limit, &self.counters);
        let wake = was_empty || urgent || state.is_full(&self.key.settings);
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Sends everything that is queued now. Says whether that was over within `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        if !matches!(state.worker, Worker::Running(_)) {
            return true;
        }
        state.flushes_wanted += 1;
        let mine = state.flushes_wanted;
        self.wake.notify_one();
        self.wait_until(state, deadline, |state| {
            state.flushes_done >= mine || !matches!(state.worker, Worker::Running(_))
        })
    }

    /// Sends what is queued, and ends the worker. Called when the last connection leaves; nothing is accepted
    /// afterwards.
    ///
    /// # Blocking
    /// At most `timeout`, at most 1 s of it for an endpoint that did not answer the last request, or none yet, and next
    /// to nothing while the breaker is open.
    pub(crate) fn close(&self, timeout: Duration) {
        let mut state = self.lock();
        let patience = if self.is_resting() {
            timeout.min(MOMENT)
        } else if state.responsive {
            timeout
        } else {
            timeout.min(GRACE)
        };
        let deadline = Instant::now() + patience;
        state.deadline = Some(deadline);
        if matches!(state.worker, Worker::NotStarted) {
            state.worker = Worker::Gone;
        }
        self.wake.notify_all();
        let over = self.wait_until(state, deadline, |state| !matches!(state.worker, Worker::Running(_)));

        let mut state = self.lock();
        let worker = std::mem::replace(&mut state.worker, Worker::Gone);
        let left = state.queue.take(usize::MAX);
        let transports = std::mem::take(&mut state.transports);
        drop(state);
        self.counters.dropped(DropReason::Closed, left.len());
        match worker {
            // Its last act was to say so: joining does not wait.
            Worker::Finished(thread) => drop(thread.join()),
            Worker::Running(_) => {
                self.counters.count(Counter::AbandonedWorkers, 1);
                // Whoever closes next does not wait for this endpoint again.
                if let Some(breaker) = &self.breaker {
                    lock(breaker).trip((self.clock)());
                }
            }
            Worker::NotStarted | Worker::Gone => debug_assert!(over),
        }
        drop(transports);
    }

    /// The way to the workspace: that of the youngest connection that is authenticated; if none is, of the youngest.
    pub(crate) fn transport(&self) -> Option<(Arc<dyn Transport>, bool)> {
        let transports: Vec<_> = self
            .lock()
            .transports
            .iter()
            .rev()
            .map(|(_, transport)| Arc::clone(transport))
            .collect();
        let authenticated = transports.iter().position(|transport| {
            catch_unwind(AssertUnwindSafe(|| transport.is_authenticated())).unwrap_or_else(|_| {
                self.counters.count(Counter::TransportPanics, 1);
                false
            })
        });
        let chosen = transports.into_iter().nth(authenticated.unwrap_or(0))?;
        Some((chosen, authenticated.is_some()))
    }

    /// Whether the breaker is open, so that there is no use in anything.
    pub(crate) fn is_resting(&self) -> bool {
        self.breaker
            .as_ref()
            .is_some_and(|breaker| lock(breaker).is_open((self.clock)()))
    }

    /// Says that the worker's thread is over.
    pub(crate) fn worker_finished(&self) {
        let mut state = self.lock();
        state.worker = match std::mem::replace(&mut state.worker, Worker::Gone) {
            Worker::Running(thread) => Worker::Finished(thread),
            other => other,
        };
        drop(state);
        self.done.notify_all();
    }

    pub(crate) fn stats(&self) -> Stats {
        let queued = self.lock().queue.bytes();
        self.counters.snapshot(queued)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the worker to bring something about. Says whether it did.
    fn wait_until(&self, state: MutexGuard<'_, State>, deadline: Instant, happened: impl Fn(&State) -> bool) -> bool {
        let mut state = state;
        while !happened(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self
                .done
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

impl State {
    /// Whether there is enough for a request.
    pub(crate) fn is_full(&self, settings: &Settings) -> bool {
        self.queue.len() >= settings.batch_size || self.queue.bytes() >= HOST_BYTES / 2
    }

    /// Starts the worker with the first record. Says whether there is one.
    fn start_worker(&mut self, hub: &Arc<Hub>) -> bool {
        if matches!(self.worker, Worker::NotStarted) {
            let its = Arc::clone(hub);
            let thread = std::thread::Builder::new()
                .name("adbc-telemetry".to_owned())
                .spawn(move || worker::run(&its));
            self.worker = match thread {
                Ok(thread) => Worker::Running(thread),
                Err(_) => {
                    hub.counters.count(Counter::Unserved, 1);
                    Worker::Gone
                }
            };
        }
        matches!(self.worker, Worker::Running(_))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("flag", &self.flag())
            .finish_non_exhaustive()
    }
}
