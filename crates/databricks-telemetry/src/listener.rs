//! The one listener of the process: takes completed roots to the lane on which they travel.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use activity::{Level, Listener, Record, Registration};

use crate::event::Event;
use crate::lane::Lane;
use crate::route::Route;
use crate::source::SOURCE;
use crate::stats::DropReason;

/// Listeners of this crate that are registered at [`SOURCE`]. A forked child inherits its parent's, which is why the
/// number lives in the memory that the fork copies along with them.
static REGISTERED: AtomicUsize = AtomicUsize::new(0);
static TURNS: AtomicU64 = AtomicU64::new(0);

/// Whether somebody other than telemetry looks at activities.
pub(crate) fn others_listen() -> bool {
    match SOURCE.level() {
        Level::Off => false,
        Level::Metrics => SOURCE.stats().listeners > REGISTERED.load(Ordering::Relaxed),
        // Telemetry never asks for that much.
        Level::Trace => true,
    }
}

/// The listener's registration, for as long as any lane holds it.
#[derive(Debug)]
pub(crate) struct Ear {
    /// Distinguishes it from all others in this process and its parents.
    turn: u64,
    registration: Registration,
}

/// Keeps the listener registered for as long as any lane, or any open record on one, holds its [`Ear`].
#[derive(Debug, Default)]
pub(crate) struct Listening {
    ear: Mutex<Weak<Ear>>,
}

impl Listening {
    /// The registration, made now if there is none.
    pub(crate) fn join(&self) -> Arc<Ear> {
        let mut held = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ear) = held.upgrade()
            && ear.registration.is_active()
        {
            return ear;
        }
        REGISTERED.fetch_add(1, Ordering::Relaxed);
        let turn = TURNS.fetch_add(1, Ordering::Relaxed);
        let ear = Arc::new(Ear {
            turn,
            registration: SOURCE.register(Arc::new(TelemetryListener { turn })),
        });
        *held = Arc::downgrade(&ear);
        ear
    }
}

impl Ear {
    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }
}

#[derive(Debug)]
struct TelemetryListener {
    /// It hears only the lanes that hold its own [`Ear`]: a successor may be registered before this one is quite gone,
    /// and in a forked child the parent's is still there.
    turn: u64,
}

impl Listener for TelemetryListener {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn completed(&self, record: &Record<'_>) {
        if !record.is_root() {
            return;
        }
        let Some(lane) = record.lane::<Route>().and_then(Route::lane) else {
            return;
        };
        if lane.turn() == self.turn && lane.is_here() {
            hear(lane, record);
        }
    }

    fn unregistered(&self) {
        REGISTERED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes a record to its lane. A panic on the way costs that record alone: one that got out would end the listener, and
/// with it the telemetry of every connection.
fn hear(lane: &Lane, record: &Record<'_>) {
    let mut is_counted = false;
    let heard = catch_unwind(AssertUnwindSafe(|| {
        let Some(event) = Event::read(record, || lane.session()) else {
            return;
        };
        lane.hub().count_record(event.incomplete);
        is_counted = true;
        lane.accept(event);
    }));
    if let Err(panic) = heard {
        // Dropping what was thrown may throw again.
        mem::forget(panic);
        let hub = lane.hub();
        if !is_counted {
            hub.count_record(false);
        }
        hub.counters.dropped(DropReason::TelemetryPanicked, 1);
    }
}
