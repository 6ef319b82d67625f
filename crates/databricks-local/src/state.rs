//! Everything a request may need, in one place.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::Engine;
use crate::faults::Faults;
use crate::http::credentials::Credentials;
use crate::inbox::Inbox;
use crate::requests::RequestLog;
use crate::result::depot::Depot;
use crate::result::links::Links;
use crate::sessions::Sessions;
use crate::statement::Statements;

/// The state of a workspace. Every part guards itself; no lock is held across an await or while another is taken.
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) engine: Arc<Engine>,
    /// The threads on which statements run, apart from those that answer requests.
    pub(crate) queries: tokio::runtime::Handle,
    pub(crate) credentials: Credentials,
    pub(crate) sessions: Sessions,
    pub(crate) statements: Statements,
    pub(crate) depot: Arc<Depot>,
    pub(crate) links: Links,
    pub(crate) flags: Mutex<BTreeMap<String, String>>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) requests: RequestLog,
    pub(crate) faults: Faults,
    /// Whether somebody stopped the warehouse; the next statement starts it again.
    pub(crate) is_stopped: AtomicBool,
}

/// The settings that requests look at.
pub(crate) struct Settings {
    pub(crate) warehouse_id: String,
    pub(crate) chunk_bytes: usize,
    pub(crate) result_ttl: Duration,
    pub(crate) multi_frame_lz4: bool,
    /// Whether only this machine can connect. The grants that check no secret are given there alone.
    pub(crate) is_loopback: bool,
}

/// Locks a mutex whose holders cannot leave it half-changed, so a panic elsewhere is no reason to stop.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
