//! The bounded queue between completed records and the worker.
//!
//! Bounded by its bytes, by the bytes of all queues of the process, and while the feature flag is not known by entries.
//! When a bound is reached the newest entry that is not urgent goes first, which is the one that knocks unless it is an
//! error or a connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::Event;
use crate::stats::{Counters, DropReason};

/// Bytes that all queues of a process may hold together, request bodies under way included. The rest of the 2 MiB that
/// telemetry may use belongs to breakers, flags and counters.
pub(crate) const PROCESS_BYTES: usize = 1536 * 1024;
/// Bytes that one queue may hold.
pub(crate) const HOST_BYTES: usize = 1024 * 1024;
/// Entries that wait for the feature flag's answer.
pub(crate) const PENDING_ENTRIES: usize = 128;

/// One record on its way out.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) event: Event,
    /// Whether the feature flag has the last word about it.
    pub(crate) governed: bool,
    reservation: Reservation,
}

impl Entry {
    /// Whether it is an error or a connection: sent at once, and dropped last.
    pub(crate) fn is_urgent(&self) -> bool {
        self.event.urgent
    }
}

/// Bytes of the process's allowance; given back on drop.
#[derive(Debug)]
struct Reservation {
    bytes: usize,
    budget: Arc<Budget>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The allowance of a process.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    used: AtomicUsize,
}

impl Budget {
    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= PROCESS_BYTES)
            })
            .ok()?;
        Some(Reservation {
            bytes,
            budget: Arc::clone(self),
        })
    }
}

/// Entries of one host, oldest first.
#[derive(Debug)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    budget: Arc<Budget>,
}

impl Queue {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            budget,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes held, with the request bodies that the entries will become.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an event at the end, if at most `limit` entries then wait, and counts what had to be dropped for it: the
    /// event itself, or (when it is urgent) the newest entries that are not.
    pub(crate) fn push(&mut self, event: Event, governed: bool, limit: usize, counters: &Counters) {
        let cost = event.cost();
        loop {
            let refusal = if self.entries.len() >= limit || self.bytes + cost > HOST_BYTES {
                DropReason::QueueFull
            } else if let Some(reservation) = self.budget.reserve(cost) {
                self.bytes += cost;
                self.entries.push_back(Entry {
                    event,
                    governed,
                    reservation,
                });
                return;
            } else {
                DropReason::MemoryFull
            };
            counters.dropped(refusal, 1);
            if !event.urgent || !self.displace() {
                return;
            }
        }
    }

    /// Takes the oldest entries, at most `count`.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Entry> {
        let taken: Vec<_> = self.entries.drain(..count.min(self.entries.len())).collect();
        self.bytes -= taken.iter().map(|entry| entry.reservation.bytes).sum::<usize>();
        if self.entries.is_empty() {
            // A flood leaves no memory behind.
            self.entries = VecDeque::new();
        }
        taken
    }

    fn displace(&mut self) -> bool {
        let Some(newest) = self.entries.iter().rposition(|entry| !entry.is_urgent()) else {
            return false;
        };
        if let Some(entry) = self.entries.remove(newest) {
            self.bytes -= entry.reservation.bytes;
        }
        true
    }
}
