//! The beginning of a download: it says long before the end how fast storage serves.

use std::time::{Duration, Instant};

use super::Context;
use super::gate::Slot;
use super::pace::BEGINNING_BYTES;

/// Watches the first bytes of a download, or looks away where they would say nothing: in further tries.
#[derive(Default)]
pub(super) struct Beginning<'a>(Option<Watched<'a>>);

struct Watched<'a> {
    slot: &'a Slot<'a>,
    context: &'a Context,
    asked: Instant,
    /// How long the answer took to begin.
    latency: Duration,
}

impl<'a> Beginning<'a> {
    /// Of the first try in this slot.
    pub(super) fn watched(slot: &'a Slot<'a>, context: &'a Context) -> Self {
        Self(Some(Watched {
            slot,
            context,
            asked: Instant::now(),
            latency: Duration::ZERO,
        }))
    }

    /// The file is asked for.
    pub(super) fn asked(&mut self) {
        if let Some(watched) = &mut self.0 {
            watched.asked = Instant::now();
        }
    }

    /// The answer has begun.
    pub(super) fn answered(&mut self) {
        if let Some(watched) = &mut self.0 {
            watched.latency = watched.asked.elapsed();
        }
    }

    /// So many bytes are here.
    pub(super) fn reached(&mut self, bytes: u64) {
        if bytes < BEGINNING_BYTES {
            return;
        }
        if let Some(watched) = self.0.take() {
            let took = watched.asked.elapsed();
            watched.context.haste.begun(took);
            watched
                .slot
                .begun(bytes, watched.latency, took.saturating_sub(watched.latency));
            // More downloads may begin now.
            watched.context.budget.look_again();
        }
    }
}
