//! What the workspace's feature flag says, remembered per host beyond the life of a connection.
//!
//! One question is under way per host at any time, whoever asks; the others wait for its answer. Nobody who opens a
//! connection ever waits: [`FlagCache::peek`] looks, and only the telemetry worker calls [`FlagCache::resolve`].

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use databricks_wire::flags::FeatureFlags;

use crate::enable::Flag;
use crate::transport::FlagOutcome;

/// The client type under which the workspace is asked for flags.
pub const CLIENT_TYPE: &str = "ADBC";
/// The flag that turns telemetry on.
pub const FLAG_NAME: &str = "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc";

/// For how long an answer holds that does not say: a yes.
pub const DEFAULT_TTL: Duration = Duration::from_secs(900);
/// The shortest time for which an answer holds, and the time for which a failed one does, or a no that does not say.
pub const SHORTEST_TTL: Duration = Duration::from_secs(60);
/// The longest time for which an answer holds.
pub const LONGEST_TTL: Duration = Duration::from_secs(3600);

/// Hosts remembered. With more, the answer that would expire first is forgotten.
const CAPACITY: usize = 256;

/// The answers of all hosts.
#[derive(Debug, Default)]
pub struct FlagCache {
    hosts: Mutex<HashMap<String, Slot>>,
    answered: Condvar,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    /// Somebody is asking.
    Asking,
    /// The answer holds until the instant.
    Known { flag: Flag, until: Instant },
}

impl FlagCache {
    /// What is known of `key`'s flag at `now`, without asking anybody: [`Flag::NotAsked`] if nothing is, or not any
    /// more.
    ///
    /// # Blocking
    /// Never longer than another thread's look.
    pub fn peek(&self, key: &str, now: Instant) -> Flag {
        match self.lock().get(key) {
            Some(Slot::Known { flag, until }) if now < *until => *flag,
            _ => Flag::NotAsked,
        }
    }

    /// What `key`'s flag is, asking through `fetch` if that is not known at `now`.
    ///
    /// `name` is the flag looked for. The answer is [`Flag::Failed`] when somebody else's question is not answered by
    /// `deadline`, or when `fetch` fails or panics.
    ///
    /// # Blocking
    /// For as long as `fetch` takes, or until `deadline` for somebody else's `fetch`. Two calls with the same key never
    /// fetch at the same time.
    pub fn resolve(
        &self,
        key: &str,
        name: &str,
        clock: impl Fn() -> Instant,
        deadline: Instant,
        fetch: impl FnOnce() -> FlagOutcome,
    ) -> Flag {
        let mut hosts = self.lock();
        loop {
            match hosts.get(key) {
                Some(Slot::Known { flag, until }) if clock() < *until => return *flag,
                Some(Slot::Asking) => {
                    let left = deadline.saturating_duration_since(clock());
                    if left.is_zero() {
                        return Flag::Failed;
                    }
                    hosts = self
                        .answered
                        .wait_timeout(hosts, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
                _ => break,
            }
        }
        make_room(&mut hosts);
        hosts.insert(key.to_owned(), Slot::Asking);
        drop(hosts);

        let outcome = catch_unwind(AssertUnwindSafe(fetch)).unwrap_or(FlagOutcome::Unavailable);
        let (flag, ttl) = read(&outcome, name);

        let until = clock() + ttl;
        self.lock().insert(key.to_owned(), Slot::Known { flag, until });
        self.answered.notify_all();
        flag
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The flag, and for how long it holds.
fn read(outcome: &FlagOutcome, name: &str) -> (Flag, Duration) {
    let FlagOutcome::Answered { body } = outcome else {
        return (Flag::Failed, SHORTEST_TTL);
    };
    let Ok(answer) = serde_json::from_slice::<FeatureFlags>(body) else {
        return (Flag::Failed, SHORTEST_TTL);
    };
    let said = answer
        .ttl_seconds
        .map(|seconds| Duration::from_secs(seconds).clamp(SHORTEST_TTL, LONGEST_TTL));
    if answer.is_on(name) {
        (Flag::On, said.unwrap_or(DEFAULT_TTL))
    } else {
        (Flag::Off, said.unwrap_or(SHORTEST_TTL))
    }
}

fn make_room(hosts: &mut HashMap<String, Slot>) {
    if hosts.len() < CAPACITY {
        return;
    }
    let soonest = hosts
        .iter()
        .filter_map(|(key, slot)| match slot {
            Slot::Known { until, .. } => Some((*until, key.clone())),
            Slot::Asking => None,
        })
        .min();
    if let Some((_, key)) = soonest {
        hosts.remove(&key);
    }
}

/// The bare `MAJOR.MINOR.PATCH` of a version: the service answers 404 when anything is appended to it.
pub(crate) fn bare_version(version: &str) -> &str {
    version.split(['-', '+']).next().unwrap_or(version)
}
