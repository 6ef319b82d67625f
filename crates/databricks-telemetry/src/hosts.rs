//! What the connections of a process share: hubs, breakers, flags, the memory allowance, the counters.
//!
//! Everything is keyed by the process's id. After a fork the child finds its parent's state in its memory, with locks
//! that threads may hold which it does not have; so it never touches it, and starts afresh in a place of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::breaker::{Breaker, Policy};
use crate::export::{SharedBreaker, lock};
use crate::facts::Endpoint;
use crate::flags::{Clock, FlagCache};
use crate::fork::Origin;
use crate::hub::{Hub, HubKey};
use crate::listener::Listening;
use crate::queue::Budget;
use crate::stats::{Counters, Stats};
use crate::transport::Transport;

/// Processes that can descend from one another by forking and all have telemetry; those beyond go without.
const GENERATIONS: usize = 64;
/// Hubs at one time; connections beyond go without telemetry, which is counted.
const HUBS: usize = 256;
/// Breakers remembered.
const BREAKERS: usize = 1024;

/// A place for the state of one process.
struct Place {
    /// The process's id; 0 while nobody's.
    pid: AtomicU32,
    process: OnceLock<Process>,
}

static PLACES: [Place; GENERATIONS] = [const {
    Place {
        pid: AtomicU32::new(0),
        process: OnceLock::new(),
    }
}; GENERATIONS];

/// The state of this process; `None` when there is no place for it.
///
/// # Cost
/// A system call.
pub(crate) fn current() -> Option<&'static Process> {
    let pid = std::process::id();
    let place = PLACES.iter().find(|place| {
        match place.pid.compare_exchange(0, pid, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            // An ancestor may have had the same id: they are given out again, and each namespace has its own.
            Err(taken) => taken == pid && place.process.get().is_none_or(|process| process.origin.is_here()),
        }
    })?;
    Some(place.process.get_or_init(Process::new))
}

/// What the connections of a process share.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) origin: Origin,
    pub(crate) flags: FlagCache,
    pub(crate) budget: Arc<Budget>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) listening: Listening,
    hubs: Mutex<HashMap<HubKey, Shared>>,
    breakers: Mutex<HashMap<(Endpoint, Policy), SharedBreaker>>,
}

#[derive(Debug)]
struct Shared {
    hub: Arc<Hub>,
    leases: usize,
}

impl Process {
    fn new() -> Self {
        Self {
            origin: Origin::here(),
            flags: FlagCache::default(),
            budget: Arc::default(),
            counters: Arc::default(),
            listening: Listening::default(),
            hubs: Mutex::default(),
            breakers: Mutex::default(),
        }
    }

    /// The hub for `key`, joined with a way to the workspace until [`release`](Process::release), and the number by
    /// which that way goes; `None` when there are too many hubs.
    ///
    /// Joining is part of it, and leaving a part of releasing: a hub that is held has a way to the workspace at any
    /// moment, or the records of whoever left last would find none.
    pub(crate) fn hold(
        &'static self,
        key: &HubKey,
        clock: Clock,
        transport: Arc<dyn Transport>,
    ) -> Option<(Arc<Hub>, u64)> {
        let mut hubs = self.hubs();
        if hubs.len() >= HUBS && !hubs.contains_key(key) {
            return None;
        }
        let shared = hubs.entry(key.clone()).or_insert_with(|| {
            let breaker = key
                .settings
                .policy
                .map(|policy| self.breaker(&key.endpoint, policy, clock()));
            Shared {
                hub: Arc::new(Hub::new(key.clone(), self, breaker, clock)),
                leases: 0,
            }
        });
        shared.leases += 1;
        let number = shared.hub.join(transport);
        Some((Arc::clone(&shared.hub), number))
    }

    /// Lets go of a hub; the last one out closes it, for which it has `timeout`.
    pub(crate) fn release(&self, hub: &Arc<Hub>, lease: u64, timeout: Duration) {
        let mut hubs = self.hubs();
        let last = hubs.get_mut(&hub.key).is_some_and(|shared| {
            shared.leases -= 1;
            shared.leases == 0
        });
        let left = if last {
            hubs.remove(&hub.key);
            None
        } else {
            hub.leave(lease)
        };
        drop(hubs);
        // The last owner of a transport may run the driver's code here.
        drop(left);
        if last {
            hub.close(timeout);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counters.snapshot(self.budget.used())
    }

    /// The breaker for an endpoint. It outlives hubs and connections.
    fn breaker(&self, endpoint: &Endpoint, policy: Policy, now: Instant) -> SharedBreaker {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        if breakers.len() >= BREAKERS {
            // A closed breaker remembers next to nothing.
            breakers.retain(|_, breaker| lock(breaker).is_open(now));
        }
        if breakers.len() >= BREAKERS {
            return Arc::new(Mutex::new(Breaker::new(policy)));
        }
        let key = (endpoint.clone(), policy);
        Arc::clone(
            breakers
                .entry(key)
                .or_insert_with(|| Arc::new(Mutex::new(Breaker::new(policy)))),
        )
    }

    fn hubs(&self) -> MutexGuard<'_, HashMap<HubKey, Shared>> {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
