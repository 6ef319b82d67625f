//! Telemetry's own counters. Nothing here is ever returned to the driver as an error: the counters are the error type.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The reasons with their names and meanings, once for the code and for the page.
macro_rules! drop_reasons {
    ($($reason:ident = $name:literal: $meaning:literal,)+) => {
        /// Why records were dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DropReason {
            $(#[doc = $meaning] $reason,)+
        }

        impl DropReason {
            /// Every reason.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$reason),+];

            /// The reason's name, in snake_case.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)+
                }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$reason => $meaning,)+
                }
            }
        }
    };
}

drop_reasons! {
    QueueFull = "queue_full": "The host's queue was full.",
    MemoryFull = "memory_full": "All queues of the process together held as much as they may.",
    FlagOff = "flag_off": "The workspace's feature flag says no.",
    FlagFailed = "flag_failed": "The workspace's feature flag could not be had.",
    BreakerOpen = "breaker_open": "The breaker was open: no request was made.",
    Undelivered = "undelivered": "Requests were made, and none of them got through.",
    Cancelled = "cancelled": "The driver gave up the request.",
    TransportPanicked = "transport_panicked": "The transport panicked.",
    TelemetryPanicked = "telemetry_panicked": "Telemetry's own code panicked over it.",
    Unaudited = "unaudited": "The audit file could not be written, so nothing was sent.",
    Closed = "closed": "The connection was closed before the record could be sent, or before it was complete.",
}

/// The counters with their meanings, once for the code and for the page.
macro_rules! counters {
    ($($name:ident: $meaning:literal,)+) => {
        /// A look at the counters. Once nothing is queued and nothing under way,
        /// `recorded = delivered + refused + dropped_total()`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $(#[doc = $meaning] pub $name: u64,)+
            /// Records dropped, in the order of [`DropReason::ALL`].
            dropped: [u64; DropReason::ALL.len()],
        }

        /// What each counter means, in a sentence.
        pub(crate) const MEANINGS: &[(&str, &str)] = &[$((stringify!($name), $meaning)),+];
    };
}

counters! {
    recorded: "Records completed by roots of connections that have telemetry on or pending.",
    delivered: "Records that the workspace took.",
    refused: "Records that the workspace would not take.",
    posts: "Telemetry requests made, retries included.",
    retries: "Telemetry requests that repeated another.",
    flag_fetches: "Feature flag requests made.",
    incomplete: "Records of successes that lack something a complete one has; sent all the same.",
    transport_panics: "Panics of the transport.",
    worker_panics: "Panics of telemetry's own code between two requests, which cost no record.",
    unserved: "Connections that went without telemetry because a bound was reached or a thread could not be started.",
    abandoned_workers: "Worker threads left behind by a close, because a request did not return by its deadline.",
    queued_bytes: "Bytes that queued records hold, with the request bodies they will become.",
    listener_panics: "Panics of the application's own listeners; one that panicked is not called again.",
    open_records: "Records begun and not yet complete.",
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
    WorkerPanics,
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
            worker_panics: read(Counter::WorkerPanics),
            unserved: read(Counter::Unserved),
            abandoned_workers: read(Counter::AbandonedWorkers),
            queued_bytes: queued_bytes as u64,
            listener_panics: source.listener_panics,
            open_records: source.open_records,
        }
    }
}
