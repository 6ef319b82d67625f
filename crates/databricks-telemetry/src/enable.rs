//! Whether telemetry is on: one pure function, and the environment it asks.
//!
//! The order honours the user first and the server second:
//!
//! 0. `DO_NOT_TRACK` or `DATABRICKS_TELEMETRY_DISABLED` in the environment: off, for the whole process;
//! 1. the option `adbc.databricks.telemetry.force_enabled`: on, and the flag is not fetched;
//! 2. a refusal: the option `adbc.databricks.telemetry.enabled` says false, or says nothing while
//!    `DATABRICKS_TELEMETRY_ENABLED` does: off;
//! 3. a wish (`true` in the same places): the workspace's feature flag decides;
//! 4. nothing said: the workspace's feature flag decides;
//! 5. a flag that cannot be had: off.
//!
//! 0 and 2 mean no telemetry traffic at all: not even the flag is fetched.

/// What the environment says, read once per connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `DO_NOT_TRACK` is set to something other than `0` or `false`.
    pub do_not_track: bool,
    /// `DATABRICKS_TELEMETRY_DISABLED` is set to something other than `0` or `false`.
    pub disabled: bool,
    /// What `DATABRICKS_TELEMETRY_ENABLED` says; anything but a boolean says nothing.
    pub enabled: Option<bool>,
}

impl Environment {
    /// Asks `read` for the three variables.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Self {
        // A refusal with an unclear value is taken as a refusal.
        let refuses = |name| read(name).is_some_and(|value| !value.is_empty() && parse_bool(&value) != Some(false));
        Self {
            do_not_track: refuses("DO_NOT_TRACK"),
            disabled: refuses("DATABRICKS_TELEMETRY_DISABLED"),
            enabled: read("DATABRICKS_TELEMETRY_ENABLED").and_then(|value| parse_bool(&value)),
        }
    }

    /// What the environment of this process says.
    pub fn of_process() -> Self {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }
}

/// What is known of the workspace's feature flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// The workspace says yes.
    On,
    /// The workspace says no, or has no such flag.
    Off,
    /// The workspace was asked and did not answer.
    Failed,
    /// The workspace was not asked yet.
    NotAsked,
}

impl Flag {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::On, Self::Off, Self::Failed, Self::NotAsked];
}

/// Everything that [`decide`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// What the environment says.
    pub environment: Environment,
    /// The option `adbc.databricks.telemetry.force_enabled`.
    pub force: bool,
    /// The option `adbc.databricks.telemetry.enabled`, if it was set.
    pub option: Option<bool>,
    /// What is known of the feature flag.
    pub flag: Flag,
}

/// Whether telemetry is on, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is on.
    pub verdict: Verdict,
    /// Which rule said so.
    pub reason: Reason,
}

impl Decision {
    /// Whether records are sent.
    pub fn is_on(&self) -> bool {
        self.verdict == Verdict::On
    }

    /// Whether records are neither sent nor kept.
    pub fn is_off(&self) -> bool {
        self.verdict == Verdict::Off
    }

    /// Whether the workspace's feature flag has, or will have, the last word.
    pub fn is_up_to_the_flag(&self) -> bool {
        matches!(
            self.reason,
            Reason::FlagOn | Reason::FlagOff | Reason::FlagFailed | Reason::FlagNotAsked
        )
    }
}

/// Whether telemetry is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Records are sent.
    On,
    /// Records are not even made.
    Off,
    /// Records wait, bounded, for the flag's answer.
    Pending,
}

/// Which rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `DO_NOT_TRACK`.
    DoNotTrack,
    /// `DATABRICKS_TELEMETRY_DISABLED`.
    DisabledByEnvironment,
    /// The option `force_enabled`.
    Forced,
    /// The option `enabled` is false.
    RefusedByOption,
    /// `DATABRICKS_TELEMETRY_ENABLED` is false.
    RefusedByEnvironment,
    /// The workspace's flag is on.
    FlagOn,
    /// The workspace's flag is off or absent.
    FlagOff,
    /// The workspace could not be asked.
    FlagFailed,
    /// The workspace has not been asked yet.
    FlagNotAsked,
    /// Telemetry would be on or pending, but serves no more connections: a bound was reached. [`decide`] never says
    /// this.
    Unserved,
}

/// Decides whether telemetry is on. See the [module](self) for the order and its reasons.
pub fn decide(inputs: Inputs) -> Decision {
    let Inputs {
        environment,
        force,
        option,
        flag,
    } = inputs;
    let (verdict, reason) = if environment.do_not_track {
        (Verdict::Off, Reason::DoNotTrack)
    } else if environment.disabled {
        (Verdict::Off, Reason::DisabledByEnvironment)
    } else if force {
        (Verdict::On, Reason::Forced)
    } else if option == Some(false) {
        (Verdict::Off, Reason::RefusedByOption)
    } else if option.is_none() && environment.enabled == Some(false) {
        (Verdict::Off, Reason::RefusedByEnvironment)
    } else {
        match flag {
            Flag::On => (Verdict::On, Reason::FlagOn),
            Flag::Off => (Verdict::Off, Reason::FlagOff),
            Flag::Failed => (Verdict::Off, Reason::FlagFailed),
            Flag::NotAsked => (Verdict::Pending, Reason::FlagNotAsked),
        }
    };
    Decision { verdict, reason }
}

/// Reads a boolean as people write it: `1`, `true`, `yes`, `on` and their opposites, in any case.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    const YES: [&str; 4] = ["1", "true", "yes", "on"];
    const NO: [&str; 4] = ["0", "false", "no", "off"];
    let text = text.trim();
    if YES.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        Some(true)
    } else if NO.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        Some(false)
    } else {
        None
    }
}
