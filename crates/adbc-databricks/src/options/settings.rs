//! The options that one object (database, connection or statement) was given.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use adbc_core::options::OptionValue;
use databricks_telemetry::config::{Config, OptionSpec};
use jiff::Timestamp;

use super::{CATALOGUE, QUERY_TAGS, Scope, Spec, Value, find};
use crate::auth::Secret;
use crate::error::{Error, ErrorKind, Result};
use databricks_telemetry::ErrorCategory;

/// Checked option values by canonical key, with the catalogue's defaults behind them.
///
/// A copy is cheap: each statement has several, and hardly any is ever changed.
#[derive(Clone)]
pub(crate) struct Settings {
    scope: Scope,
    given: Arc<Given>,
}

/// What was given, shared until one of those who share it is given more.
#[derive(Clone, Default)]
struct Given {
    values: BTreeMap<&'static str, Value>,
    /// Session settings, by their names as they were given.
    confs: BTreeMap<String, String>,
    /// The options of telemetry, by its own canonical keys.
    telemetry: BTreeMap<&'static str, String>,
}

impl Settings {
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            scope,
            given: Arc::default(),
        }
    }

    /// A copy for an object one level down, which starts from what this one has.
    pub(crate) fn inherited_by(&self, scope: Scope) -> Self {
        Self {
            scope,
            given: Arc::clone(&self.given),
        }
    }

    /// A copy in which these options have their defaults.
    pub(crate) fn without(&self, keys: &[&'static str]) -> Self {
        let mut copy = self.clone();
        for &key in keys {
            copy.unset(key);
        }
        copy
    }

    /// Finds the option that `key` names and can be set here.
    ///
    /// # Errors
    /// `NotImplemented` for a key that this object does not have, and one that can only be read.
    pub(crate) fn settable(&self, key: &str) -> Result<&'static Spec> {
        let refused = |reason: &str| Err(Error::not_implemented(format!("option '{key}' {reason}")));
        match find(key) {
            None => refused("is unknown"),
            Some(spec) if !spec.scopes.contains(&self.scope) => {
                refused(&format!("cannot be set on a {}", self.scope.noun()))
            }
            Some(spec) if spec.is_read_only() => refused("can only be read"),
            Some(spec) => Ok(spec),
        }
    }

    /// Sets an option.
    ///
    /// # Errors
    /// `NotImplemented` for an unknown key, `InvalidArgument` for a bad value.
    pub(crate) fn set(&mut self, key: &str, value: &OptionValue) -> Result<()> {
        if let Some(option) = self.telemetry_option(key) {
            self.change().telemetry.insert(option, telemetry_text(key, value)?);
            return Ok(());
        }
        if let Some(name) = self.conf_option(key)? {
            self.change().confs.insert(name.to_owned(), conf_text(key, value)?);
            return Ok(());
        }
        let spec = self.settable(key)?;
        self.change().values.insert(spec.key, Value::parse(spec, value)?);
        Ok(())
    }

    /// Puts a value that did not come from the caller, unless the caller gave one.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub(crate) fn set_if_unset(&mut self, key: &str, value: &OptionValue) -> Result<()> {
        if let Some(option) = self.telemetry_option(key) {
            let text = telemetry_text(key, value)?;
            self.change().telemetry.entry(option).or_insert(text);
            return Ok(());
        }
        if let Some(name) = self.conf_option(key)? {
            let text = conf_text(key, value)?;
            self.change().confs.entry(name.to_owned()).or_insert(text);
            return Ok(());
        }
        let spec = self.settable(key)?;
        let value = Value::parse(spec, value)?;
        self.change().values.entry(spec.key).or_insert(value);
        Ok(())
    }

    /// The value as the caller may read it.
    ///
    /// # Errors
    /// `NotFound` for an unknown key, an option without value, and a secret.
    pub(crate) fn read(&self, key: &str) -> Result<Value> {
        if self.telemetry_option(key).is_some() {
            let text = self.telemetry()?.get(key);
            return text
                .map(Value::Text)
                .ok_or_else(|| not_found(format!("option '{key}' is not set")));
        }
        if let Some(name) = conf_name(key).filter(|_| self.scope != Scope::Statement) {
            let text = self.given.confs.get(name).cloned();
            return text
                .map(Value::Text)
                .ok_or_else(|| not_found(format!("option '{key}' is not set")));
        }
        let spec = find(key)
            .filter(|spec| spec.scopes.contains(&self.scope))
            .ok_or_else(|| not_found(format!("a {} has no option '{key}'", self.scope.noun())))?;
        if spec.is_secret() {
            return Err(not_found(format!("option '{key}' is a secret and cannot be read")));
        }
        self.value(spec.key)
            .cloned()
            .ok_or_else(|| not_found(format!("option '{key}' is not set")))
    }

    /// Reads an option as text.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub(crate) fn read_text(&self, key: &str) -> Result<String> {
        self.read(key)?
            .to_text()
            .ok_or_else(|| not_found(format!("option '{key}' cannot be read")))
    }

    /// Reads an option as a whole number.
    ///
    /// # Errors
    /// As [`Settings::read`]; `NotFound` also when the value is no whole number.
    pub(crate) fn read_integer(&self, key: &str) -> Result<i64> {
        let value = self.read(key)?;
        value
            .to_integer()
            .ok_or_else(|| not_found(format!("option '{key}' is not a whole number")))
    }

    /// Reads an option as a number.
    ///
    /// # Errors
    /// As [`Settings::read`]; `NotFound` also when the value is no number.
    pub(crate) fn read_double(&self, key: &str) -> Result<f64> {
        let value = self.read(key)?;
        value
            .to_double()
            .ok_or_else(|| not_found(format!("option '{key}' is not a number")))
    }

    /// The value of a text or choice option.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.value(key)?.to_text()
    }

    /// The value of a secret option.
    pub(crate) fn secret(&self, key: &'static str) -> Option<Secret> {
        match self.value(key)? {
            Value::Secret(secret) => Some(secret.clone()),
            _ => None,
        }
    }

    /// The value of a point in time.
    pub(crate) fn instant(&self, key: &'static str) -> Option<Timestamp> {
        super::value::timestamp(&self.text(key)?)
    }

    /// The value of a flag.
    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        match self.value(key)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The value of a whole number; 0 when it has none, which no caller meets because such options have defaults.
    pub(crate) fn integer(&self, key: &'static str) -> u64 {
        let number = self.value(key).and_then(|value| value.to_integer()).unwrap_or_default();
        u64::try_from(number).unwrap_or_default()
    }

    /// The value of a number; 0 when it has none, which no caller meets because such options have defaults.
    pub(crate) fn number(&self, key: &'static str) -> f64 {
        self.value(key).and_then(|value| value.to_double()).unwrap_or_default()
    }

    /// The value of an option in milliseconds.
    pub(crate) fn millis(&self, key: &'static str) -> Duration {
        Duration::from_millis(self.integer(key))
    }

    /// The value of an option in seconds.
    pub(crate) fn seconds(&self, key: &'static str) -> Duration {
        match self.value(key) {
            Some(Value::Seconds(length)) => *length,
            _ => Duration::ZERO,
        }
    }

    /// Forgets what the caller gave this option.
    pub(crate) fn unset(&mut self, key: &'static str) {
        if self.has(key) {
            self.change().values.remove(key);
        }
    }

    /// Whether the caller gave the option a value.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.given.values.contains_key(key)
    }

    /// What was set of telemetry's options.
    ///
    /// # Errors
    /// Never: each value was checked when it was set.
    pub(crate) fn telemetry(&self) -> Result<Config> {
        let mut config = Config::default();
        for (key, text) in &self.given.telemetry {
            config
                .set(key, text)
                .map_err(|error| Error::invalid_argument(error.to_string()))?;
        }
        Ok(config)
    }

    /// The settings that a session of these options is opened with: those given one by one, and the query tags.
    ///
    /// # Errors
    /// `InvalidArgument` when the query tags are given in both ways.
    pub(crate) fn session_confs(&self) -> Result<BTreeMap<String, String>> {
        let mut confs = self.given.confs.clone();
        if let Some(tags) = self.text(QUERY_TAGS).filter(|tags| !tags.trim().is_empty()) {
            if let Some(name) = confs.keys().find(|name| name.eq_ignore_ascii_case(QUERY_TAGS_CONF)) {
                return Err(Error::invalid_argument(format!(
                    "'{QUERY_TAGS}' and '{CONF_PREFIX}{name}' are both given; leave one of them out"
                )));
            }
            confs.insert(QUERY_TAGS_CONF.to_owned(), tags);
        }
        Ok(confs)
    }

    /// The session setting that `key` names, if it names one.
    ///
    /// # Errors
    /// `NotImplemented` on a statement, `InvalidArgument` for a name that no setting can have.
    fn conf_option<'k>(&self, key: &'k str) -> Result<Option<&'k str>> {
        let Some(name) = conf_name(key) else { return Ok(None) };
        if self.scope == Scope::Statement {
            return Err(Error::not_implemented(format!(
                "option '{key}' cannot be set on a statement"
            )));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        if name.is_empty() || name.len() > 256 || !name.bytes().all(is_name) {
            return Err(Error::invalid_argument(format!(
                "option '{key}' does not name a session setting: letters, digits, '_' and '.' only"
            )));
        }
        Ok(Some(name))
    }

    /// The canonical key, if `key` is an option of telemetry; those are set where a connection's life begins.
    fn telemetry_option(&self, key: &str) -> Option<&'static str> {
        (self.scope == Scope::Database)
            .then(|| OptionSpec::find(key).map(|option| option.key))
            .flatten()
    }

    fn value(&self, key: &'static str) -> Option<&Value> {
        self.given.values.get(key).or_else(|| DEFAULTS.get(key))
    }

    fn change(&mut self) -> &mut Given {
        Arc::make_mut(&mut self.given)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys only: a host or a catalog's name is nobody's business in a log.
        f.debug_set().entries(self.given.values.keys()).finish()
    }
}

/// The catalogue's defaults, read once: each execution asks for some twenty of them.
static DEFAULTS: LazyLock<BTreeMap<&'static str, Value>> = LazyLock::new(|| {
    let default = |spec: &'static Spec| Some((spec.key, Value::parse(spec, &spec.default?.into()).ok()?));
    CATALOGUE.iter().filter_map(default).collect()
});

/// What every key of a session setting begins with.
const CONF_PREFIX: &str = "databricks.session_conf.";
/// The session setting that holds the query tags.
const QUERY_TAGS_CONF: &str = "QUERY_TAGS";

/// The session setting's name, if `key` is the key of one.
pub(crate) fn conf_name(key: &str) -> Option<&str> {
    key.strip_prefix(CONF_PREFIX)
        .or_else(|| key.strip_prefix("adbc.databricks.ssp_"))
}

fn conf_text(key: &str, value: &OptionValue) -> Result<String> {
    super::value::text(value).ok_or_else(|| Error::invalid_argument(format!("option '{key}' is not text")))
}

fn telemetry_text(key: &str, value: &OptionValue) -> Result<String> {
    let text = super::value::text(value).unwrap_or_default();
    let checked = Config::default().set(key, &text);
    checked.map_err(|error| Error::invalid_argument(error.to_string()))?;
    Ok(text)
}

fn not_found(message: String) -> Error {
    Error::new(ErrorKind::NotFound, ErrorCategory::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{ACCESS_TOKEN, DISPOSITION, FORMAT, PARALLEL_DOWNLOADS, STATEMENT_TIMEOUT_S};

    #[test]
    fn a_number_may_come_as_text_or_as_itself_and_reads_back_both_ways() {
        let mut settings = Settings::new(Scope::Database);
        for value in [OptionValue::Int(3), OptionValue::Double(3.0), "3".into(), b"3".into()] {
            settings.set("databricks.download_thread_count", &value).unwrap();
            assert_eq!(settings.read_text(PARALLEL_DOWNLOADS).unwrap(), "3");
            assert_eq!(settings.read_integer(PARALLEL_DOWNLOADS).unwrap(), 3);
        }
        settings.set(STATEMENT_TIMEOUT_S, &OptionValue::Double(0.5)).unwrap();
        assert_eq!(settings.seconds(STATEMENT_TIMEOUT_S), Duration::from_millis(500));
    }

    #[test]
    fn a_bad_value_is_named_unless_it_is_a_secret() {
        let mut settings = Settings::new(Scope::Database);
        let error = settings.set(PARALLEL_DOWNLOADS, &"many".into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains(PARALLEL_DOWNLOADS) && error.message().contains("many"));
        let error = settings.set(ACCESS_TOKEN, &OptionValue::Bytes(vec![0xff])).unwrap_err();
        assert!(error.message().contains(ACCESS_TOKEN));
    }

    #[test]
    fn unknown_keys_are_not_implemented_to_set_and_not_found_to_read() {
        let mut settings = Settings::new(Scope::Statement);
        assert_eq!(
            settings.set("nonsense", &"1".into()).unwrap_err().kind(),
            ErrorKind::NotImplemented
        );
        assert_eq!(
            settings.read("nonsense").map(|_| ()).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            settings.set(ACCESS_TOKEN, &"x".into()).unwrap_err().kind(),
            ErrorKind::NotImplemented
        );
    }

    #[test]
    fn what_was_not_given_is_left_out_without_a_copy_of_the_rest() {
        let mut settings = Settings::new(Scope::Database);
        settings.set(PARALLEL_DOWNLOADS, &"3".into()).unwrap();
        let same = settings.without(&[DISPOSITION, FORMAT]);
        assert!(Arc::ptr_eq(&same.given, &settings.given));
        settings.set(FORMAT, &"JSON_ARRAY".into()).unwrap();
        let other = settings.without(&[DISPOSITION, FORMAT]);
        assert!(!other.has(FORMAT) && other.has(PARALLEL_DOWNLOADS) && settings.has(FORMAT));
    }

    #[test]
    fn a_secret_can_be_set_and_never_read() {
        let mut settings = Settings::new(Scope::Database);
        settings.set("password", &"canary".into()).unwrap();
        assert_eq!(
            settings.read_text(ACCESS_TOKEN).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(settings.secret(ACCESS_TOKEN).unwrap().expose(), "canary");
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
