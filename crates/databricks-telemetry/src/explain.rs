//! Why telemetry would be on or off for a connection: what each rule saw, and what the workspace's flag answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use databricks_wire::flags::FeatureFlags;

use crate::config::Config;
use crate::enable::{Decision, Environment};
use crate::facts::ConnectionFacts;
use crate::hub::HubKey;
use crate::lease::Telemetry;
use crate::transport::{FlagOutcome, FlagRequest, Outcome, TelemetryPost, Transport};
use crate::worker;

/// Why telemetry would be on or off for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The workspace's host, as the connection has it.
    pub host: String,
    /// What the environment says.
    pub environment: Environment,
    /// The option `adbc.databricks.telemetry.force_enabled`.
    pub force: bool,
    /// The option `adbc.databricks.telemetry.enabled`, if it was set.
    pub option: Option<bool>,
    /// What the workspace says; `None` when the rules before it have decided, so that nobody asked.
    pub flag: Option<FlagSeen>,
    /// Whether telemetry is on, and which rule said so.
    pub decision: Decision,
    /// The flag's full name.
    pub flag_name: String,
    /// The path of the request by which the flag is asked for.
    pub flag_path: String,
}

/// What became of the question for the flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagSeen {
    /// The answer.
    pub answer: FlagAnswer,
    /// For how long it holds, from now on.
    pub holds_for: Duration,
}

/// The workspace's answer to the question for the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagAnswer {
    /// It was asked before, by this process, and is not asked again yet.
    Remembered,
    /// The flag has this value.
    Says(bool),
    /// The workspace has flags, and this one is not among them.
    Absent,
    /// The answer cannot be read.
    Unreadable,
    /// The workspace answered with this HTTP status.
    Refused(u16),
    /// There was no answer.
    Unavailable,
}

impl Telemetry {
    /// Says whether telemetry would be on for a connection with these facts, and why.
    ///
    /// Takes the way that a connection takes, down to the request: where the rules leave it to the workspace's feature
    /// flag, the flag is asked for (unless an answer is remembered), and where they do not, nobody is asked. No record is
    /// made or sent.
    ///
    /// # Blocking
    /// At most 10 s, for the flag.
    pub fn explain(facts: ConnectionFacts, config: Config, transport: Arc<dyn Transport>) -> Explanation {
        let (force, option) = (config.force_enabled, config.enabled);
        let environment = Environment::of_process();
        let key = HubKey::of(&facts, &config);
        let host = facts.host.clone();
        let noting = Arc::new(Noting {
            transport,
            outcome: Mutex::default(),
        });
        let lease = Self::attach_in(environment, facts, config, Arc::clone(&noting) as Arc<dyn Transport>);
        let flag = lease
            .hub()
            .filter(|_| lease.decision().is_up_to_the_flag())
            .and_then(|hub| {
                let answer = worker::ask(hub)?;
                Some(FlagSeen {
                    answer: noting.answer(&key.settings.flag.name),
                    holds_for: answer.until.saturating_duration_since(Instant::now()),
                })
            });
        Explanation {
            host,
            environment,
            force,
            option,
            flag,
            decision: lease.decision(),
            flag_path: key.flag_path(),
            flag_name: key.settings.flag.name,
        }
    }
}

/// Passes everything on and remembers what the flag's request came to.
struct Noting {
    transport: Arc<dyn Transport>,
    outcome: Mutex<Option<FlagOutcome>>,
}

impl Noting {
    fn answer(&self, name: &str) -> FlagAnswer {
        match &*self.outcome.lock().unwrap_or_else(PoisonError::into_inner) {
            None => FlagAnswer::Remembered,
            Some(FlagOutcome::Unavailable) => FlagAnswer::Unavailable,
            Some(FlagOutcome::Refused { status }) => FlagAnswer::Refused(*status),
            Some(FlagOutcome::Answered { body }) => match serde_json::from_slice::<FeatureFlags>(body) {
                Err(_) => FlagAnswer::Unreadable,
                Ok(flags) if flags.flags.iter().any(|flag| flag.name == name) => FlagAnswer::Says(flags.is_on(name)),
                Ok(_) => FlagAnswer::Absent,
            },
        }
    }
}

impl Transport for Noting {
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
        self.transport.post_telemetry(post)
    }

    fn feature_flags(&self, request: &FlagRequest<'_>) -> FlagOutcome {
        let outcome = self.transport.feature_flags(request);
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
        outcome
    }

    fn is_authenticated(&self) -> bool {
        self.transport.is_authenticated()
    }
}
