//! The way of one connection's records: the handle by which the listener finds their hub.

use std::sync::{Arc, PoisonError, RwLock};

use activity::Id;

use crate::enable::{Decision, Environment, Flag, Inputs, decide};
use crate::event::Event;
use crate::hub::Hub;
use crate::listener::Ear;

/// What a connection's roots carry. Lives as long as the lease or any record begun on it, whichever is longer.
#[derive(Debug)]
pub(crate) struct Lane {
    hub: Arc<Hub>,
    inputs: LaneInputs,
    session: Arc<RwLock<Option<Id>>>,
    /// Lets go of the listener with the last lane.
    ear: Arc<Ear>,
}

/// What the user said, of which the flag is the only part that changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneInputs {
    pub(crate) environment: Environment,
    pub(crate) force: bool,
    pub(crate) option: Option<bool>,
}

impl LaneInputs {
    pub(crate) fn decide(self, flag: Flag) -> Decision {
        let Self {
            environment,
            force,
            option,
        } = self;
        decide(Inputs {
            environment,
            force,
            option,
            flag,
        })
    }
}

impl Lane {
    pub(crate) fn new(hub: Arc<Hub>, inputs: LaneInputs, session: Arc<RwLock<Option<Id>>>, ear: Arc<Ear>) -> Self {
        Self {
            hub,
            inputs,
            session,
            ear,
        }
    }

    /// Whether this is the process that made it.
    pub(crate) fn is_here(&self) -> bool {
        self.hub.process.origin.is_here()
    }

    /// Which registration of the listener hears it.
    pub(crate) fn turn(&self) -> u64 {
        self.ear.turn()
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Whether records are sent, as far as is known now.
    pub(crate) fn decision(&self) -> Decision {
        let decision = self.inputs.decide(Flag::NotAsked);
        if decision.is_up_to_the_flag() {
            self.inputs.decide(self.hub.flag())
        } else {
            decision
        }
    }

    /// Hands a completed record on.
    ///
    /// # Cost
    /// One short lock. Never waits for anything else.
    pub(crate) fn accept(&self, event: Event) {
        self.hub.accept(event, self.decision());
    }

    /// The session's id, once there is one.
    pub(crate) fn session(&self) -> Option<Id> {
        *self.session.read().unwrap_or_else(PoisonError::into_inner)
    }
}
