//! The downloads that run at a time: as many as pay.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::pace::{Pace, Sample};
use crate::error::{Error, Result};

/// Lets downloads begin in the order in which they come.
pub(super) struct Gate {
    opened: Instant,
    slots: Semaphore,
    state: Mutex<State>,
}

struct State {
    pace: Pace,
    running: usize,
    /// Slots that are in use and will not be used again.
    excess: usize,
}

impl Gate {
    /// For at most `max` downloads at a time.
    pub(super) fn new(max: usize) -> Self {
        let pace = Pace::new(max);
        Self {
            opened: Instant::now(),
            slots: Semaphore::new(pace.limit()),
            state: Mutex::new(State {
                pace,
                running: 0,
                excess: 0,
            }),
        }
    }

    /// How many may run now.
    pub(super) fn limit(&self) -> usize {
        self.lock().pace.limit()
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// `Cancelled`; never, as the gate is never closed.
    pub(super) async fn enter(&self) -> Result<Slot<'_>> {
        let permit = self.slots.acquire().await.map_err(|_| Error::cancelled())?;
        self.lock().running += 1;
        Ok(Slot {
            gate: self,
            began: self.opened.elapsed(),
            permit: Some(permit),
        })
    }

    /// Tells the pace what happened, and makes or withdraws slots as it then says.
    fn tell(&self, what: impl FnOnce(&mut Pace, usize, Duration)) {
        let mut state = self.lock();
        let (before, running) = (state.pace.limit(), state.running);
        what(&mut state.pace, running, self.opened.elapsed());
        let now = state.pace.limit();
        if now > before {
            let kept = state.excess.min(now - before);
            state.excess -= kept;
            self.slots.add_permits(now - before - kept);
        } else {
            let withdrawn = self.slots.forget_permits(before - now);
            state.excess += before - now - withdrawn;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the downloads that run. Dropping it lets the next one begin.
pub(super) struct Slot<'a> {
    gate: &'a Gate,
    began: Duration,
    permit: Option<SemaphorePermit<'a>>,
}

impl Slot<'_> {
    /// Of a download that needs one try so far the first bytes are here, so long after they were asked for: until the answer began, and
    /// from then on.
    pub(super) fn begun(&self, bytes: u64, latency: Duration, transfer: Duration) {
        self.gate.tell(|pace, running, now| {
            let sample = Sample {
                began: now.saturating_sub(latency + transfer),
                ended: now,
                bytes,
                running,
            };
            pace.begun(sample, latency);
        });
    }

    /// The download needed one try for so many bytes, which are here.
    pub(super) fn finished(&self, bytes: u64) {
        self.gate.tell(|pace, running, now| {
            pace.finished(Sample {
                began: self.began,
                ended: now,
                bytes,
                running,
            });
        });
    }

    /// Storage was too busy, or silent.
    pub(super) fn refused(&self) {
        self.gate.tell(|pace, _, now| pace.refused(self.began, now));
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.running -= 1;
        if state.excess > 0 {
            state.excess -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn enter(gate: &Gate) -> Option<Slot<'_>> {
        gate.enter().now_or_never().map(Result::unwrap)
    }

    #[test]
    fn as_many_are_let_in_as_the_pace_says() {
        let gate = Gate::new(64);
        let mut slots: Vec<_> = std::iter::from_fn(|| enter(&gate)).collect();
        assert_eq!(slots.len(), gate.limit());
        slots[0].refused();
        let fewer = gate.limit();
        assert!(fewer < slots.len());
        while slots.len() > fewer {
            slots.pop();
            assert!(enter(&gate).is_none(), "{} run and {fewer} may", slots.len());
        }
        slots.pop();
        slots.extend(enter(&gate));
        assert_eq!(slots.len(), fewer);
        drop(slots);
        let free: Vec<_> = std::iter::from_fn(|| enter(&gate)).collect();
        assert_eq!(free.len(), fewer);
    }

    #[test]
    fn slots_that_were_to_go_stay_when_the_pace_grows_again() {
        let gate = Gate::new(64);
        let slots: Vec<_> = std::iter::from_fn(|| enter(&gate)).collect();
        slots[0].refused();
        let fewer = gate.limit();
        // Rounds of the remaining ones, until a step up is tried.
        while gate.limit() <= fewer {
            gate.tell(|pace, running, now| {
                pace.finished(Sample {
                    began: now,
                    ended: now,
                    bytes: 1,
                    running,
                });
            });
        }
        let more = gate.limit();
        drop(slots);
        let free: Vec<_> = std::iter::from_fn(|| enter(&gate)).collect();
        assert_eq!(free.len(), more);
    }
}
