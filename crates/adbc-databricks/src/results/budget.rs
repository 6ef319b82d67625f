//! The memory budget of one result.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Costs are counted in sixteenths of a byte per announced byte.
const COST_UNIT: u64 = 16;

/// The most that one chunk is taken to need.
const MAX_CLAIM_BYTES: u64 = 1 << 46;

/// What a compressed chunk is taken to cost until one was seen: itself and three times itself, decompressed.
const COMPRESSED_COST: u64 = 4 * COST_UNIT;

/// Bytes that chunks may occupy from when they are fetched until they are handed out.
///
/// Servers announce the size of a chunk before or after compression, and do not say which. What counts is neither: while a
/// chunk is decompressed both forms are in memory. So the budget learns from each chunk what an announced byte really costs.
pub(super) struct Budget {
    limit: u64,
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    claimed: u64,
    /// The highest cost seen, or the guess before anything was.
    cost: u64,
    learned: bool,
}

impl State {
    /// What a chunk of so many announced bytes is taken to need.
    fn cost_of(&self, announced: u64) -> u64 {
        // What no machine has is not believed: claims must add up without reaching the end of the numbers, where giving one back
        // would take from the others.
        (announced.saturating_mul(self.cost) / COST_UNIT).min(MAX_CLAIM_BYTES)
    }
}

impl Budget {
    pub(super) fn new(limit: u64, compressed: bool) -> Arc<Self> {
        let cost = if compressed { COMPRESSED_COST } else { COST_UNIT };
        Arc::new(Self {
            limit,
            state: Mutex::new(State {
                claimed: 0,
                cost,
                learned: false,
            }),
            freed: Notify::new(),
        })
    }

    /// Waits until a chunk of `announced` bytes fits. With nothing claimed any size fits, so that one huge chunk cannot wait
    /// for ever.
    ///
    /// One task claims, in the order of the chunks: whoever waits waits only for chunks before its own, which the reader
    /// gets first.
    pub(super) async fn reserve(self: &Arc<Self>, announced: u64) -> Reservation {
        loop {
            if let Some(bytes) = self.claim(announced) {
                return Reservation {
                    budget: Arc::clone(self),
                    announced,
                    bytes,
                };
            }
            self.freed.notified().await;
        }
    }

    /// Claims what a chunk of `announced` bytes needs, although it may not fit. For what must not wait, and is bounded otherwise.
    pub(super) fn exceed(self: &Arc<Self>, announced: u64) -> Reservation {
        let bytes = self.lock().cost_of(announced);
        self.change(0, bytes);
        Reservation {
            budget: Arc::clone(self),
            announced,
            bytes,
        }
    }

    fn claim(&self, announced: u64) -> Option<u64> {
        let mut state = self.lock();
        let bytes = state.cost_of(announced);
        let fits = state.claimed == 0 || state.claimed.saturating_add(bytes) <= self.limit;
        fits.then(|| {
            state.claimed = state.claimed.saturating_add(bytes);
            bytes
        })
    }

    fn learn(&self, announced: u64, peak: u64) {
        let seen = peak.saturating_mul(COST_UNIT).div_ceil(announced.max(1));
        let mut state = self.lock();
        state.cost = if state.learned {
            state.cost.max(seen)
        } else {
            seen.max(1)
        };
        state.learned = true;
    }

    fn change(&self, from: u64, to: u64) {
        let mut state = self.lock();
        state.claimed = state.claimed.saturating_sub(from).saturating_add(to);
        drop(state);
        // Stores a permit if the claiming task is just about to wait.
        self.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim on the budget. Dropping it gives the bytes back.
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    announced: u64,
    bytes: u64,
}

impl Reservation {
    /// The size of the chunk, as far as it was known when the claim was made.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// The chunk is decoded: it needed `peak` bytes on the way and keeps `kept`. Growing never waits: the later chunks that
    /// it would wait for are waiting for this one.
    pub(super) fn settle(&mut self, peak: u64, kept: u64) {
        self.budget.learn(self.announced, peak);
        self.budget.change(self.bytes, kept);
        self.bytes = kept;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.change(self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_claim_waits_until_it_fits_and_one_always_does() {
        let budget = Budget::new(10, false);
        let huge = budget.reserve(100).now_or_never().unwrap();
        assert!(budget.reserve(1).now_or_never().is_none());
        drop(huge);
        let first = budget.reserve(6).now_or_never().unwrap();
        assert!(budget.reserve(6).now_or_never().is_none());
        let second = budget.reserve(4).now_or_never().unwrap();
        drop(first);
        assert!(budget.reserve(6).now_or_never().is_some());
        drop(second);
    }

    #[test]
    fn what_exceeds_the_budget_counts_as_well() {
        let budget = Budget::new(10, false);
        let first = budget.reserve(8).now_or_never().unwrap();
        let beyond = budget.exceed(8);
        drop(first);
        assert!(budget.reserve(4).now_or_never().is_none());
        drop(beyond);
        assert!(budget.reserve(4).now_or_never().is_some());
    }

    #[test]
    fn what_a_byte_costs_is_learned() {
        let budget = Budget::new(100, true);
        let mut first = budget.reserve(20).now_or_never().unwrap();
        assert!(
            budget.reserve(20).now_or_never().is_none(),
            "80 of 100 are taken to be needed"
        );
        first.settle(40, 30);
        let second = budget.reserve(20).now_or_never().unwrap();
        assert!(
            budget.reserve(20).now_or_never().is_none(),
            "30 kept and 40 claimed leave less than 40"
        );
        drop(second);
        assert!(budget.reserve(35).now_or_never().is_some());
    }
}
