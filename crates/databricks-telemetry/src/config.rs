//! The options of telemetry, as one table: key, aliases, default, limits, meaning.
//!
//! [`Config::set`] reads an option's text, [`Config::get`] gives it back, and [`OPTIONS`] is the list from which a
//! driver makes its own table and its documentation.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::breaker::Policy;
use crate::enable::parse_bool;
use crate::flags;

/// What the user wants of telemetry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A wish (`true`) or a refusal (`false`). Unset: the workspace's feature flag decides.
    pub enabled: Option<bool>,
    /// On whatever the flag says, which is then not fetched. For tests.
    pub force_enabled: bool,
    /// Records in a request. Defaults to 100.
    pub batch_size: usize,
    /// The longest wait of a record for others to travel with. Defaults to 5 s.
    pub flush_interval: Duration,
    /// Requests made again for one batch. Defaults to 3.
    pub max_retries: u32,
    /// The wait before the first of them; doubles each time, with jitter. Defaults to 100 ms.
    pub retry_delay: Duration,
    /// Whether a failing endpoint is left alone. Defaults to true.
    pub circuit_breaker_enabled: bool,
    /// Consecutive failures after which it is. Defaults to 5.
    pub circuit_breaker_threshold: u32,
    /// For how long it is, at first. Defaults to 60 s.
    pub circuit_breaker_timeout: Duration,
    /// The longest time that closing a connection may spend on delivering the last records. Defaults to 5 s; an
    /// endpoint that has not answered yet is given 1 s of it.
    pub close_timeout: Duration,
    /// A file to which every request body is appended before it leaves, one a line.
    pub audit_file: Option<PathBuf>,
    /// The application's name, if the user gave one. Sent only if it fits the grammar of an [`Id`](activity::Id).
    pub client_app_name: Option<String>,
    /// The feature flag that is asked for.
    pub flag: FlagName,
}

/// The feature flag that is asked for. Not an option: other values serve tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlagName {
    /// The client type in the request's path. Defaults to [`flags::CLIENT_TYPE`].
    pub client_type: String,
    /// The flag's full name. Defaults to [`flags::FLAG_NAME`].
    pub name: String,
}

impl Default for FlagName {
    fn default() -> Self {
        Self {
            client_type: flags::CLIENT_TYPE.to_owned(),
            name: flags::FLAG_NAME.to_owned(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: None,
            force_enabled: false,
            batch_size: 100,
            flush_interval: Duration::from_millis(5000),
            max_retries: 3,
            retry_delay: Duration::from_millis(100),
            circuit_breaker_enabled: true,
            circuit_breaker_threshold: 5,
            circuit_breaker_timeout: Duration::from_millis(60_000),
            close_timeout: Duration::from_millis(5000),
            audit_file: None,
            client_app_name: None,
            flag: FlagName::default(),
        }
    }
}

impl Config {
    /// Reads one option. Says whether `key` is an option of telemetry at all.
    ///
    /// # Errors
    /// When the key is known and the value is not one of its values. The error names the key and what it takes, and
    /// never repeats the value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, ConfigError> {
        let Some(option) = OptionSpec::find(key) else {
            return Ok(false);
        };
        match (option.set)(self, value.trim()) {
            Some(()) => Ok(true),
            None => Err(ConfigError {
                key: option.key,
                takes: option.takes,
            }),
        }
    }

    /// The text of an option's value, if `key` is an option of telemetry and has one.
    pub fn get(&self, key: &str) -> Option<String> {
        (OptionSpec::find(key)?.get)(self)
    }

    /// The breaker's policy; `None` when there is to be no breaker.
    pub(crate) fn policy(&self) -> Option<Policy> {
        self.circuit_breaker_enabled.then_some(Policy {
            threshold: self.circuit_breaker_threshold,
            open_for: self.circuit_breaker_timeout,
        })
    }
}

/// An option's value that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    key: &'static str,
    takes: &'static str,
}

impl ConfigError {
    /// The option's canonical key.
    pub fn key(&self) -> &'static str {
        self.key
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option {} takes {}", self.key, self.takes)
    }
}

impl std::error::Error for ConfigError {}

/// One option: a row of [`OPTIONS`].
#[derive(Debug)]
pub struct OptionSpec {
    /// The canonical key.
    pub key: &'static str,
    /// Other keys for the same option.
    pub aliases: &'static [&'static str],
    /// What its values are.
    pub takes: &'static str,
    /// The text of its default; empty for none.
    pub default: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
    set: fn(&mut Config, &str) -> Option<()>,
    get: fn(&Config) -> Option<String>,
}

impl OptionSpec {
    /// The option with this key or alias.
    pub fn find(key: &str) -> Option<&'static Self> {
        OPTIONS
            .iter()
            .find(|option| option.key == key || option.aliases.contains(&key))
    }
}

/// The key that turns telemetry on (if the workspace agrees) or off.
pub const ENABLED: &str = "adbc.databricks.telemetry.enabled";
/// The key that turns telemetry on whatever the workspace says.
pub const FORCE_ENABLED: &str = "adbc.databricks.telemetry.force_enabled";
/// The key of [`Config::batch_size`].
pub const BATCH_SIZE: &str = "adbc.databricks.telemetry.batch_size";
/// The key of [`Config::flush_interval`].
pub const FLUSH_INTERVAL_MS: &str = "adbc.databricks.telemetry.flush_interval_ms";
/// The key of [`Config::max_retries`].
pub const MAX_RETRIES: &str = "adbc.databricks.telemetry.max_retries";
/// The key of [`Config::retry_delay`].
pub const RETRY_DELAY_MS: &str = "adbc.databricks.telemetry.retry_delay_ms";
/// The key of [`Config::circuit_breaker_enabled`].
pub const CIRCUIT_BREAKER_ENABLED: &str = "adbc.databricks.telemetry.circuit_breaker_enabled";
/// The key of [`Config::circuit_breaker_threshold`].
pub const CIRCUIT_BREAKER_THRESHOLD: &str = "adbc.databricks.telemetry.circuit_breaker_threshold";
/// The key of [`Config::circuit_breaker_timeout`].
pub const CIRCUIT_BREAKER_TIMEOUT_MS: &str = "adbc.databricks.telemetry.circuit_breaker_timeout_ms";
/// The key of [`Config::close_timeout`].
pub const CLOSE_TIMEOUT_MS: &str = "adbc.databricks.telemetry.close_timeout_ms";
/// The key of [`Config::audit_file`].
pub const AUDIT_FILE: &str = "adbc.databricks.telemetry.audit_file";
/// The key of [`Config::client_app_name`].
pub const CLIENT_APP_NAME: &str = "adbc.databricks.telemetry.client_app_name";

/// Every option.
pub static OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        key: ENABLED,
        aliases: &["enableTelemetry"],
        takes: "true or false",
        default: "",
        description: "false: no telemetry, nor any request about it. true: telemetry if the workspace's \
                      feature flag agrees. Unset: the feature flag decides. Beats \
                      DATABRICKS_TELEMETRY_ENABLED; DO_NOT_TRACK=1 and DATABRICKS_TELEMETRY_DISABLED=1 beat \
                      it.",
        set: |config, value| {
            config.enabled = Some(parse_bool(value)?);
            Some(())
        },
        get: |config| config.enabled.map(|enabled| enabled.to_string()),
    },
    OptionSpec {
        key: FORCE_ENABLED,
        aliases: &["forceEnableTelemetry"],
        takes: "true or false",
        default: "false",
        description: "Telemetry on whatever the workspace's feature flag says, which is then not fetched. For \
                      tests.",
        set: |config, value| {
            config.force_enabled = parse_bool(value)?;
            Some(())
        },
        get: |config| Some(config.force_enabled.to_string()),
    },
    OptionSpec {
        key: BATCH_SIZE,
        aliases: &[],
        takes: "an integer from 1 to 500",
        default: "100",
        description: "Records in a request.",
        set: |config, value| {
            config.batch_size = integer(value, 1, 500)? as usize;
            Some(())
        },
        get: |config| Some(config.batch_size.to_string()),
    },
    OptionSpec {
        key: FLUSH_INTERVAL_MS,
        aliases: &[],
        takes: "an integer from 1 to 3600000",
        default: "5000",
        description: "The longest wait of a record for others to travel with, in milliseconds. Connections and \
                      errors do not wait.",
        set: |config, value| {
            config.flush_interval = milliseconds(value, 1, 3_600_000)?;
            Some(())
        },
        get: |config| Some(config.flush_interval.as_millis().to_string()),
    },
    OptionSpec {
        key: MAX_RETRIES,
        aliases: &[],
        takes: "an integer from 0 to 10",
        default: "3",
        description: "Requests made again for one batch after failures that may pass.",
        set: |config, value| {
            config.max_retries = u32::try_from(integer(value, 0, 10)?).ok()?;
            Some(())
        },
        get: |config| Some(config.max_retries.to_string()),
    },
    OptionSpec {
        key: RETRY_DELAY_MS,
        aliases: &[],
        takes: "an integer from 0 to 10000",
        default: "100",
        description: "The wait before the first of them, in milliseconds; doubles each time, with jitter.",
        set: |config, value| {
            config.retry_delay = milliseconds(value, 0, 10_000)?;
            Some(())
        },
        get: |config| Some(config.retry_delay.as_millis().to_string()),
    },
    OptionSpec {
        key: CIRCUIT_BREAKER_ENABLED,
        aliases: &[],
        takes: "true or false",
        default: "true",
        description: "Whether a failing endpoint is left alone for a while.",
        set: |config, value| {
            config.circuit_breaker_enabled = parse_bool(value)?;
            Some(())
        },
        get: |config| Some(config.circuit_breaker_enabled.to_string()),
    },
    OptionSpec {
        key: CIRCUIT_BREAKER_THRESHOLD,
        aliases: &[],
        takes: "an integer from 1 to 1000",
        default: "5",
        description: "Consecutive failures after which it is.",
        set: |config, value| {
            config.circuit_breaker_threshold = u32::try_from(integer(value, 1, 1000)?).ok()?;
            Some(())
        },
        get: |config| Some(config.circuit_breaker_threshold.to_string()),
    },
    OptionSpec {
        key: CIRCUIT_BREAKER_TIMEOUT_MS,
        aliases: &[],
        takes: "an integer from 1 to 900000",
        default: "60000",
        description: "For how long it is, in milliseconds; doubles with each failed probe, up to 15 minutes.",
        set: |config, value| {
            config.circuit_breaker_timeout = milliseconds(value, 1, 900_000)?;
            Some(())
        },
        get: |config| Some(config.circuit_breaker_timeout.as_millis().to_string()),
    },
    OptionSpec {
        key: CLOSE_TIMEOUT_MS,
        aliases: &[],
        takes: "an integer from 0 to 60000",
        default: "5000",
        description: "The longest time that closing a connection may spend on delivering the last records, in \
                      milliseconds. An endpoint that has not answered yet is given one second of it, one that \
                      failed nothing.",
        set: |config, value| {
            config.close_timeout = milliseconds(value, 0, 60_000)?;
            Some(())
        },
        get: |config| Some(config.close_timeout.as_millis().to_string()),
    },
    OptionSpec {
        key: AUDIT_FILE,
        aliases: &[],
        takes: "the path of a file",
        default: "",
        description: "A file to which every request body is appended before it leaves, one a line. What cannot \
                      be written there is not sent. Cannot be set by a URI.",
        set: |config, value| {
            config.audit_file = (!value.is_empty()).then(|| PathBuf::from(value));
            Some(())
        },
        get: |config| {
            config
                .audit_file
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned())
        },
    },
    OptionSpec {
        key: CLIENT_APP_NAME,
        aliases: &[],
        takes: "a name",
        default: "",
        description: "The application's name. Sent with the record of a new connection if it consists of at \
                      most 64 letters, digits and characters of \"._:-\", and not at all otherwise.",
        set: |config, value| {
            config.client_app_name = (!value.is_empty()).then(|| value.to_owned());
            Some(())
        },
        get: |config| config.client_app_name.clone(),
    },
];

fn integer(text: &str, least: u64, most: u64) -> Option<u64> {
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

fn milliseconds(text: &str, least: u64, most: u64) -> Option<Duration> {
    integer(text, least, most).map(Duration::from_millis)
}
