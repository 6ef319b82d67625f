//! Telemetry's own counters. Nothing here is ever returned to the driver as an error: the counters are the error type.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why records were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The host's queue was full.
    QueueFull,
    /// All queues of the process together held as much as they may.
    MemoryFull,
    /// The workspace's feature flag says no.
    FlagOff,
    /// The workspace's feature flag could not be had.
    FlagFailed,
    /// The breaker was open: no request was made.
    BreakerOpen,
    /// Requests were made, and none of them got through.
    Undelivered,
    /// The driver gave up the request.
    Cancelled,
    /// The transport panicked.
    TransportPanicked,
    /// The audit file could not be written, so nothing was sent.
    Unaudited,
    /// The connection was closed before the record could be sent, or before it was complete.
    Closed,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::QueueFull,
        Self::MemoryFull,
        Self::FlagOff,
        Self::FlagFailed,
        Self::BreakerOpen,
        Self::Undelivered,
        Self::Cancelled,
        Self::TransportPanicked,
        Self::Unaudited,
        Self::Closed,
    ];

    /// The reason's name, in snake_case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::MemoryFull => "memory_full",
            Self::FlagOff => "flag_off",
            Self::FlagFailed => "flag_failed",
            Self::BreakerOpen => "breaker_open",
            Self::Undelivered => "undelivered",
            Self::Cancelled => "cancelled",
            Self::TransportPanicked => "transport_panicked",
            Self::Unaudited => "unaudited",
            Self::Closed => "closed",
        }
    }
}

/// A look at the counters. Once nothing is queued and nothing under way,
/// `recorded = delivered + refused + dropped_total()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records completed by roots of connections that have telemetry on or pending.
    pub recorded: u64,
    /// Records that the workspace took.
    pub delivered: u64,
    /// Records that the workspace would not take.
    pub refused: u64,
    /// Records dropped, in the order of [`DropReason::ALL`].
    dropped: [u64; DropReason::ALL.len()],
    /// Telemetry requests made, retries included.
    pub posts: u64,
    /// Telemetry requests that repeated another.
    pub retries: u64,
    /// Feature flag requests made.
    pub flag_fetches: u64,
    /// Records of successes that lack something a complete one has; sent all the same.
    pub incomplete: u64,
    /// Panics of the transport.
    pub transport_panics: u64,
    /// Connections that went without telemetry because a bound of this crate was reached or a thread could not be
    /// started.
    pub unserved: u64,
    /// Worker threads left behind by `close`, because a request did not return by its deadline.
    pub abandoned_workers: u64,
    /// Bytes that queued records hold, with the request bodies they will become.
    pub queued_bytes: u64,
    /// Panics of listeners, of this crate's and of others; a listener that panicked is not called again.
    pub listener_panics: u64,
    /// Records begun and not yet complete.
    pub open_records: u64,
}

impl Stats {
    /// Records dropped for a reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Records dropped.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Recorded,
    Delivered,
    Refused,
    Posts,
    Retries,
    FlagFetches,
    Incomplete,
    TransportPanics,
    Unserved,
    AbandonedWorkers,
}

/// Counters of a host, which count for the process too.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: [AtomicU64; Counter::AbandonedWorkers as usize + 1],
    dropped: [AtomicU64; DropReason::ALL.len()],
    whole: Option<Arc<Counters>>,
}

impl Counters {
    /// Counters that are part of `whole`.
    pub(crate) fn part_of(whole: Arc<Self>) -> Self {
        Self {
            whole: Some(whole),
            ..Self::default()
        }
    }

    pub(crate) fn count(&self, what: Counter, by: usize) {
        self.counts[what as usize].fetch_add(by as u64, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.count(what, by);
        }
    }

    pub(crate) fn dropped(&self, reason: DropReason, by: usize) {
        self.dropped[reason as usize].fetch_add(by as u64, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.dropped(reason, by);
        }
    }

    /// The counters, with the gauges that others keep.
    pub(crate) fn snapshot(&self, queued_bytes: usize) -> Stats {
        let read = |counter: Counter| self.counts[counter as usize].load(Ordering::Relaxed);
        let source = crate::source::SOURCE.stats();
        Stats {
            recorded: read(Counter::Recorded),
            delivered: read(Counter::Delivered),
            refused: read(Counter::Refused),
            dropped: std::array::from_fn(|reason| self.dropped[reason].load(Ordering::Relaxed)),
            posts: read(Counter::Posts),
            retries: read(Counter::Retries),
            flag_fetches: read(Counter::FlagFetches),
            incomplete: read(Counter::Incomplete),
            transport_panics: read(Counter::TransportPanics),
            unserved: read(Counter::Unserved),
            abandoned_workers: read(Counter::AbandonedWorkers),
            queued_bytes: queued_bytes as u64,
            listener_panics: source.listener_panics,
            open_records: source.open_records,
        }
    }
}
