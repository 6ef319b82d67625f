//! Which destinations are there? Databases of one process that ask for the same get the same.

use std::process;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::Traces;
use super::sink::Wish;
use crate::error::{Error, Result};

/// How many processes may follow one another by `fork` without `exec`, each with traces.
const GENERATIONS: usize = 16;

/// One place for each generation, so that a forked child never waits for a lock that a thread of its parent held.
static PLACES: [OnceLock<Place>; GENERATIONS] = [const { OnceLock::new() }; GENERATIONS];

struct Place {
    pid: u32,
    open: Mutex<Vec<(Wish, Weak<Traces>)>>,
}

/// The destination of this wish: the one that is there, or a new one.
///
/// # Errors
/// As [`Traces::open`]; `Internal` after too many forks.
pub(super) fn share(wish: Wish) -> Result<Arc<Traces>> {
    let place = place()?;
    // Held while the destination is opened: two connections at once shall not make two files.
    let mut open = place.open.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, traces)| traces.strong_count() > 0);
    let known = open.iter().find(|(other, _)| *other == wish);
    if let Some(traces) = known.and_then(|(_, traces)| traces.upgrade()) {
        return Ok(traces);
    }
    let traces = Arc::new(Traces::start(&wish)?);
    open.push((wish, Arc::downgrade(&traces)));
    Ok(traces)
}

fn place() -> Result<&'static Place> {
    let pid = process::id();
    PLACES
        .iter()
        .map(|place| {
            place.get_or_init(|| Place {
                pid,
                open: Mutex::default(),
            })
        })
        .find(|place| place.pid == pid)
        .ok_or_else(|| {
            Error::internal(format!(
                "traces were asked for in more than {GENERATIONS} generations of forked processes"
            ))
        })
}
