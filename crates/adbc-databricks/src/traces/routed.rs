//! Which activities does a destination see? Those that carry its mark.

use std::process;
use std::sync::Arc;

use activity::{Level, Listener, Record, Started};
use databricks_telemetry::Routed as _;

use super::Mark;

/// A listener that is told of the activities with one mark only.
pub(super) struct Routed {
    number: u64,
    listener: Arc<dyn Listener>,
}

impl Routed {
    pub(super) fn new(mark: &Mark, listener: Arc<dyn Listener>) -> Self {
        Self {
            number: mark.number,
            listener,
        }
    }

    /// In a forked child the parent's listeners are registered too, whose threads and files are not there.
    fn concerns(&self, mark: Option<&Mark>) -> bool {
        mark.is_some_and(|mark| mark.number == self.number && mark.pid == process::id())
    }
}

impl Listener for Routed {
    fn level(&self) -> Level {
        self.listener.level()
    }

    fn started(&self, activity: &Started<'_>) {
        if self.concerns(activity.handle()) {
            self.listener.started(activity);
        }
    }

    fn ended(&self, record: &Record<'_>) {
        if self.concerns(record.handle()) {
            self.listener.ended(record);
        }
    }

    fn completed(&self, record: &Record<'_>) {
        if self.concerns(record.handle()) {
            self.listener.completed(record);
        }
    }

    fn unregistered(&self) {
        self.listener.unregistered();
    }
}
