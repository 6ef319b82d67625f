//! What happened on the way? The last few events of an activity, for diagnostics on this machine.

use std::collections::VecDeque;
use std::time::Duration;

use crate::value::EventValue;

/// Something that happened at one moment of an activity. Events are never exported.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) after: Duration,
    pub(crate) name: &'static str,
    pub(crate) fields: Box<[(&'static str, EventValue)]>,
}

impl Event {
    /// The most fields an event keeps; further ones are cut off.
    pub const MAX_FIELDS: usize = 8;

    /// What happened.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// When, counted from the start of the activity.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// The details.
    pub fn fields(&self) -> &[(&'static str, EventValue)] {
        &self.fields
    }
}

/// The most events an activity keeps.
pub(crate) const MAX_EVENTS: usize = 8;

/// A ring of the last [`MAX_EVENTS`] events.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventRing {
    pub(crate) kept: VecDeque<Event>,
    pub(crate) dropped: u64,
}

impl EventRing {
    /// Keeps an event; says whether an older one had to go.
    pub(crate) fn push(&mut self, event: Event) -> bool {
        let full = self.kept.len() == MAX_EVENTS;
        if full {
            self.kept.pop_front();
            self.dropped += 1;
        }
        self.kept.push_back(event);
        full
    }
}
