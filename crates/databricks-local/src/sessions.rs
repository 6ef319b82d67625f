//! Sessions that clients opened, and how long they live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::engine::EngineSession;
use crate::http::reply::Refusal;
use crate::state::locked;

/// How many sessions may be open at once.
const CAPACITY: usize = 10_000;

/// The open sessions.
pub(crate) struct Sessions {
    ttl: Duration,
    open: Mutex<HashMap<String, Open>>,
}

struct Open {
    session: Arc<EngineSession>,
    last_used: Instant,
}

impl Open {
    /// Whether the session's time is over. A statement that runs in it holds it too, and keeps it from ageing.
    fn has_expired(&mut self, ttl: Duration) -> bool {
        if Arc::strong_count(&self.session) > 1 {
            self.last_used = Instant::now();
        }
        self.last_used.elapsed() > ttl
    }
}

impl Sessions {
    /// Sessions that end after `ttl` without a statement.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            open: Mutex::default(),
        }
    }

    /// Adds a session and returns its id.
    ///
    /// # Errors
    /// When too many are open.
    pub(crate) fn add(&self, session: Arc<EngineSession>) -> Result<String, Refusal> {
        let id = uuid::Uuid::new_v4().to_string();
        let mut open = locked(&self.open);
        if open.len() >= CAPACITY {
            return Err(Refusal::too_many("too many sessions are open"));
        }
        let last_used = Instant::now();
        open.insert(id.clone(), Open { session, last_used });
        Ok(id)
    }

    /// The session with this id, whose time to live starts anew.
    ///
    /// # Errors
    /// When there is none, or its time is over.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<EngineSession>, Refusal> {
        let mut open = locked(&self.open);
        if let Some(found) = open.get_mut(id)
            && !found.has_expired(self.ttl)
        {
            found.last_used = Instant::now();
            return Ok(Arc::clone(&found.session));
        }
        open.remove(id);
        Err(unknown())
    }

    /// Removes a session. Statements that it started go on.
    ///
    /// # Errors
    /// When there is none with this id.
    pub(crate) fn remove(&self, id: &str) -> Result<(), Refusal> {
        locked(&self.open).remove(id).map(drop).ok_or_else(unknown)
    }

    /// How many are open, without those whose time is over.
    pub(crate) fn count(&self) -> usize {
        self.sweep();
        locked(&self.open).len()
    }

    /// Removes the sessions whose time is over.
    pub(crate) fn sweep(&self) {
        locked(&self.open).retain(|_, open| !open.has_expired(self.ttl));
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("the session does not exist, or has expired")
}
