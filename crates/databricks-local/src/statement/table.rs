//! All statements that can be asked about, and the slots in which they run.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Phase, Statement};
use crate::http::reply::Refusal;
use crate::state::locked;

/// How many statements are remembered. Beyond it the oldest that have ended are forgotten, whatever their time to live.
const CAPACITY: usize = 10_000;

/// How many statements run at once; others wait in the state PENDING.
const SLOTS: usize = 32;

/// All statements that can be asked about.
#[derive(Debug)]
pub(crate) struct Statements {
    kept: Mutex<Kept>,
    slots: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<String, Arc<Statement>>,
    /// Ids in the order of their creation; some may be gone from `by_id`.
    order: VecDeque<String>,
}

impl Statements {
    pub(crate) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            slots: Arc::new(Semaphore::new(SLOTS)),
        }
    }

    pub(crate) fn slots(&self) -> Arc<Semaphore> {
        Arc::clone(&self.slots)
    }

    pub(crate) fn find(&self, id: &str) -> Result<Arc<Statement>, Refusal> {
        locked(&self.kept)
            .by_id
            .get(id)
            .map(Arc::clone)
            .ok_or_else(|| Refusal::not_found("the statement does not exist, or is no longer kept"))
    }

    /// Remembers a statement.
    ///
    /// # Errors
    /// When as many as can be remembered are still running.
    pub(crate) fn insert(&self, statement: Arc<Statement>) -> Result<(), Refusal> {
        let mut kept = locked(&self.kept);
        if kept.by_id.len() >= CAPACITY && !kept.forget_oldest_ended() {
            return Err(Refusal::too_many("too many statements are running"));
        }
        kept.order.push_back(statement.id.clone());
        kept.by_id.insert(statement.id.clone(), statement);
        Ok(())
    }

    /// Forgets statements that ended more than `ttl` ago.
    pub(crate) fn sweep(&self, ttl: Duration) {
        let mut kept = locked(&self.kept);
        kept.by_id.retain(|_, statement| !statement.has_outlived(ttl));
        let Kept { by_id, order } = &mut *kept;
        order.retain(|id| by_id.contains_key(id));
    }

    /// Closes the statements that end with this session.
    pub(crate) fn close_of_session(&self, session_id: &str) {
        for statement in locked(&self.kept).by_id.values() {
            if statement
                .reading
                .as_ref()
                .is_some_and(|reading| reading.session_id == session_id)
            {
                statement.advance(Phase::Closed);
            }
        }
    }

    /// Ends everything, so that no run outlives the workspace.
    pub(crate) fn cancel_all(&self) {
        for statement in locked(&self.kept).by_id.values() {
            statement.advance(Phase::Canceled);
        }
    }
}

impl Kept {
    fn forget_oldest_ended(&mut self) -> bool {
        let oldest = self
            .order
            .iter()
            .position(|id| self.by_id.get(id).is_none_or(|statement| statement.has_ended()));
        let Some(id) = oldest.and_then(|place| self.order.remove(place)) else {
            return false;
        };
        self.by_id.remove(&id);
        true
    }
}
