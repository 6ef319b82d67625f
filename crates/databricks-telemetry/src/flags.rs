//! What the workspace's feature flag says, remembered per host beyond the life of a connection.
//!
//! An answer holds for its time and is then asked for anew, a no and a failure as much as a yes. It is shared by all
//! users of the host, except for a refusal of credentials (401, 403), which says nothing about anybody else's: that is
//! remembered for its own user only.
//!
//! One question is under way per host at any time, whoever asks; the others wait for its answer. Nobody who opens a
//! connection ever waits: [`FlagCache::peek`] looks, and only the telemetry worker calls [`FlagCache::resolve`].

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use databricks_wire::flags::FeatureFlags;

use crate::enable::Flag;
use crate::facts::Identity;
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

/// Hosts remembered, and refused credentials. With more, the answer that would expire first is forgotten.
const CAPACITY: usize = 256;

/// Tells the time by which answers expire.
pub type Clock = fn() -> Instant;

/// What is known of a flag, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The flag.
    pub flag: Flag,
    /// From when on the answer holds no more.
    pub until: Instant,
}

/// The answers of all hosts.
#[derive(Debug, Default)]
pub struct FlagCache {
    answers: Mutex<Answers>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct Answers {
    hosts: HashMap<String, Slot>,
    /// Whose credentials a host refused, and until when that holds.
    refused: HashMap<(String, Identity), Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    /// Somebody is asking.
    Asking,
    Known(Answer),
}

impl FlagCache {
    /// What `asker` knows of `key`'s flag at `now`, without asking anybody: `None` if that is nothing, or nothing any
    /// more.
    ///
    /// # Blocking
    /// Never longer than another thread's look.
    pub fn peek(&self, key: &str, asker: Identity, now: Instant) -> Option<Answer> {
        self.lock().known(key, asker, now)
    }

    /// What `key`'s flag is, asking through `fetch`, with the credentials of `asker`, if that is not known.
    ///
    /// `name` is the flag looked for. The answer is [`Flag::Failed`] when `fetch` fails or panics; and also, but not
    /// for longer than this once, when somebody else's question is not answered by `deadline`, a time of `clock`.
    ///
    /// # Blocking
    /// For as long as `fetch` takes, or until `deadline` for somebody else's `fetch`. Two calls with the same key never
    /// fetch at the same time.
    pub fn resolve(
        &self,
        key: &str,
        asker: Identity,
        name: &str,
        clock: impl Fn() -> Instant,
        deadline: Instant,
        fetch: impl FnOnce() -> FlagOutcome,
    ) -> Answer {
        let mut answers = self.lock();
        loop {
            let now = clock();
            if let Some(answer) = answers.known(key, asker, now) {
                return answer;
            }
            if !matches!(answers.hosts.get(key), Some(Slot::Asking)) {
                break;
            }
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return Answer {
                    flag: Flag::Failed,
                    until: now,
                };
            }
            answers = self
                .answered
                .wait_timeout(answers, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        answers.ask(key);
        drop(answers);

        let outcome = catch_unwind(AssertUnwindSafe(fetch)).unwrap_or(FlagOutcome::Unavailable);
        let (flag, ttl) = read(&outcome, name);

        let now = clock();
        let answer = Answer { flag, until: now + ttl };
        let mut answers = self.lock();
        if matches!(outcome, FlagOutcome::Refused { status: 401 | 403 }) {
            answers.refuse(key, asker, answer.until, now);
        } else {
            answers.hosts.insert(key.to_owned(), Slot::Known(answer));
        }
        drop(answers);
        self.answered.notify_all();
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// The host's answer to anybody, else its refusal of `asker`.
    fn known(&self, key: &str, asker: Identity, now: Instant) -> Option<Answer> {
        let shared = match self.hosts.get(key) {
            Some(Slot::Known(answer)) => Some(*answer),
            Some(Slot::Asking) | None => None,
        };
        let own = || {
            let until = *self.refused.get(&(key.to_owned(), asker))?;
            Some(Answer {
                flag: Flag::Failed,
                until,
            })
        };
        let holds = |answer: &Answer| now < answer.until;
        shared.filter(holds).or_else(|| own().filter(holds))
    }

    /// Notes that somebody asks.
    fn ask(&mut self, key: &str) {
        if self.hosts.len() >= CAPACITY && !self.hosts.contains_key(key) {
            let soonest = self
                .hosts
                .iter()
                .filter_map(|(key, slot)| match slot {
                    Slot::Known(answer) => Some((answer.until, key.clone())),
                    Slot::Asking => None,
                })
                .min();
            if let Some((_, key)) = soonest {
                self.hosts.remove(&key);
            }
        }
        self.hosts.insert(key.to_owned(), Slot::Asking);
    }

    /// Notes that the host refused the credentials of the one who asked. The others are to ask for themselves.
    fn refuse(&mut self, key: &str, asker: Identity, until: Instant, now: Instant) {
        self.hosts.remove(key);
        self.refused.retain(|_, until| now < *until);
        if self.refused.len() >= CAPACITY {
            let soonest = self.refused.iter().min_by_key(|(_, until)| **until);
            if let Some(whose) = soonest.map(|(whose, _)| whose.clone()) {
                self.refused.remove(&whose);
            }
        }
        self.refused.insert((key.to_owned(), asker), until);
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

/// The bare `MAJOR.MINOR.PATCH` of a version: the service answers 404 when anything is appended to it.
pub(crate) fn bare_version(version: &str) -> &str {
    version.split(['-', '+']).next().unwrap_or(version)
}
