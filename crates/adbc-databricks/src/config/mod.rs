//! What the options leave open, from the environment and from `~/.databrickscfg`.
//!
//! A library that reads the environment behind its caller's back surprises, so this happens only when it is asked for: by
//! naming a profile or a file, or by naming no host at all. Each place fills in what those before it left open: options, the URI,
//! the environment, the profile. A named profile is meant, so the environment stays out of it.

mod profile;

use std::env;
use std::path::Path;

use databricks_telemetry::ErrorCategory;

use crate::auth::Method;
use crate::diagnosis::Origin;
use crate::error::{Error, Result};
use crate::options::{
    ACCESS_TOKEN, AUTH_TYPE, CLIENT_ID, CLIENT_SECRET, CONFIG_FILE, CONFIG_PROFILE, HOST, HTTP_PATH, Scope, Settings,
    WAREHOUSE_ID,
};

/// The variables that are read, as other programs of the vendor name them.
const VARIABLES: [(&str, &str); 7] = [
    ("DATABRICKS_HOST", HOST),
    ("DATABRICKS_HTTP_PATH", HTTP_PATH),
    ("DATABRICKS_WAREHOUSE_ID", WAREHOUSE_ID),
    // Before the credentials: it says which of them are meant.
    ("DATABRICKS_AUTH_TYPE", AUTH_TYPE),
    ("DATABRICKS_TOKEN", ACCESS_TOKEN),
    ("DATABRICKS_CLIENT_ID", CLIENT_ID),
    ("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET),
];
const PROFILE_VARIABLE: &str = "DATABRICKS_CONFIG_PROFILE";
const FILE_VARIABLE: &str = "DATABRICKS_CONFIG_FILE";

/// Looks a variable up. Tests bring their own.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// This process's environment; an empty variable is none.
pub(crate) fn environment(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// One place that options are filled in from.
struct Source {
    /// Each value with the option that it is for, and how the place calls it.
    values: Vec<(&'static str, String, String)>,
}

/// Fills in what the caller left open. See the module's text for when and in which order.
///
/// # Errors
/// `InvalidArgument` for a file that cannot be read or parsed, a profile that is not there, a value that is none of its option,
/// and a profile for another host than the one that is known already.
///
/// Returns what was filled in, and from which place.
///
/// # Blocking
/// Reads a small file.
pub(crate) fn complete(settings: &mut Settings, variables: Variables<'_>) -> Result<Vec<Origin>> {
    let (named, file) = (settings.text(CONFIG_PROFILE), settings.text(CONFIG_FILE));
    if named.is_some() || file.is_some() {
        return match profile::load(named.as_deref(), file.as_deref(), variables)? {
            Some(profile) => profile.fill(settings),
            None => Ok(Vec::new()),
        };
    }
    if settings.has(HOST) {
        return Ok(Vec::new());
    }
    let mut filled = Source::environment(variables).fill(settings)?;
    let named = variables(PROFILE_VARIABLE);
    if named.is_none() && settings.has(HOST) {
        // What a default profile says is about another workspace for all we know.
        return Ok(filled);
    }
    let file = variables(FILE_VARIABLE);
    if let Some(profile) = profile::load(named.as_deref(), file.as_deref(), variables)? {
        filled.extend(profile.fill(settings)?);
    }
    Ok(filled)
}

impl Source {
    fn environment(variables: Variables<'_>) -> Self {
        let found = VARIABLES
            .into_iter()
            .filter_map(|(name, key)| Some((key, variables(name)?, format!("variable {name}"))));
        Self {
            values: found.collect(),
        }
    }

    fn fill(self, settings: &mut Settings) -> Result<Vec<Origin>> {
        let mut filled = Vec::new();
        let known_host = settings.text(HOST);
        let has_warehouse = settings.has(HTTP_PATH) || settings.has(WAREHOUSE_ID);
        // Credentials belong together: half of one place's and half of another's would be nobody's.
        let has_credentials = Method::has_credentials(settings);
        for (key, value, place) in self.values {
            match key {
                HOST => {
                    if let Some(known) = known_host.as_deref().filter(|known| !same_host(known, &value)) {
                        // A token must not go to a host that it is not for.
                        return Err(Error::invalid_argument(format!(
                            "{place} is {value}, but the host is {known} already"
                        ))
                        .with_category(ErrorCategory::AuthError));
                    }
                }
                HTTP_PATH | WAREHOUSE_ID if has_warehouse => continue,
                key if Method::is_credential(key) && (has_credentials || !Method::is_wanted(settings, key)) => continue,
                _ => {}
            }
            let is_new = !settings.has(key);
            settings
                .set_if_unset(key, &value.as_str().into())
                .map_err(|error| error.context(&place))?;
            if is_new {
                filled.push(Origin { key, place });
            }
        }
        Ok(filled)
    }
}

/// Whether the default profile of a file with this text can be used.
pub(crate) fn accepts(text: &str) -> bool {
    let mut settings = Settings::new(Scope::Database);
    let profile = profile::parse(text, profile::DEFAULT_PROFILE, Path::new("a file"));
    profile.is_ok_and(|profile| profile.is_some_and(|profile| profile.fill(&mut settings).is_ok()))
}

fn same_host(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let text = text
            .split_once("://")
            .map_or(text, |(_, rest)| rest)
            .trim_end_matches('/');
        text.strip_suffix(":443").unwrap_or(text).to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FILE: &str = "\
; made by hand
[DEFAULT]
host = https://default.example/
token = dapi-default
warehouse_id = w0
cluster_id = ignored

[robot]
host          = https://robot.example
client_id     = robot
client_secret = s#;cret=\"'\\x
auth_type     = oauth-m2m

[person]
host = https://person.example
auth_type = databricks-cli
";

    struct Place {
        directory: tempfile::TempDir,
        variables: Vec<(&'static str, String)>,
    }

    impl Place {
        fn new(text: &str, variables: &[(&'static str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(".databrickscfg"), text).unwrap();
            let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
            Self {
                directory,
                variables: variables.collect(),
            }
        }

        fn complete(&self, given: &[(&str, &str)]) -> Result<Settings> {
            let mut settings = Settings::new(Scope::Database);
            for (key, value) in given {
                settings.set(key, &(*value).into())?;
            }
            complete(&mut settings, &|name| match name {
                "HOME" => Some(self.directory.path().to_str().unwrap().to_owned()),
                name => self
                    .variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| value.clone()),
            })?;
            Ok(settings)
        }
    }

    fn token(settings: &Settings) -> Option<String> {
        settings.secret(ACCESS_TOKEN).map(|token| token.expose().to_owned())
    }

    #[test]
    fn nothing_is_read_when_a_host_is_given() {
        let place = Place::new(
            FILE,
            &[("DATABRICKS_TOKEN", "dapi-env"), ("DATABRICKS_CONFIG_PROFILE", "robot")],
        );
        let settings = place.complete(&[(HOST, "mine.example")]).unwrap();
        assert!(token(&settings).is_none() && !settings.has(CLIENT_ID) && !settings.has(WAREHOUSE_ID));
    }

    #[test]
    fn without_a_host_the_environment_answers_and_else_the_default_profile() {
        let variables = [("DATABRICKS_HOST", "env.example"), ("DATABRICKS_TOKEN", "dapi-env")];
        let settings = Place::new(FILE, &variables).complete(&[]).unwrap();
        assert_eq!(settings.text(HOST).as_deref(), Some("env.example"));
        assert_eq!(token(&settings).as_deref(), Some("dapi-env"));
        assert!(!settings.has(WAREHOUSE_ID), "the default profile is for another host");

        let settings = Place::new(FILE, &[]).complete(&[]).unwrap();
        assert_eq!(settings.text(HOST).as_deref(), Some("https://default.example/"));
        assert_eq!(token(&settings).as_deref(), Some("dapi-default"));
        assert_eq!(settings.text(WAREHOUSE_ID).as_deref(), Some("w0"));
    }

    #[test]
    fn a_named_profile_keeps_the_environment_out() {
        let variables = [("DATABRICKS_HOST", "env.example"), ("DATABRICKS_TOKEN", "dapi-env")];
        let settings = Place::new(FILE, &variables)
            .complete(&[(CONFIG_PROFILE, "robot")])
            .unwrap();
        assert_eq!(settings.text(HOST).as_deref(), Some("https://robot.example"));
        assert!(token(&settings).is_none());
        let secret = settings.secret(CLIENT_SECRET).unwrap();
        assert_eq!(secret.expose(), "s#;cret=\"'\\x");
    }

    #[test]
    fn what_is_given_wins_and_credentials_are_not_mixed() {
        let place = Place::new(FILE, &[]);
        let settings = place
            .complete(&[
                (CONFIG_PROFILE, "DEFAULT"),
                (CLIENT_ID, "a"),
                (CLIENT_SECRET, "b"),
                (HTTP_PATH, "/sql/1.0/warehouses/w9"),
            ])
            .unwrap();
        assert!(token(&settings).is_none() && !settings.has(WAREHOUSE_ID));
        let settings = place.complete(&[(AUTH_TYPE, "oauth-u2m")]).unwrap();
        assert!(token(&settings).is_none(), "a browser has no use for a token");
    }

    #[test]
    fn a_profile_for_another_host_is_refused() {
        let place = Place::new(
            FILE,
            &[
                ("DATABRICKS_HOST", "env.example"),
                ("DATABRICKS_CONFIG_PROFILE", "robot"),
            ],
        );
        let error = place.complete(&[]).map(drop).unwrap_err();
        assert!(
            error.message().contains("robot.example") && error.message().contains("env.example"),
            "{error}"
        );
        let same = [
            ("DATABRICKS_HOST", "ROBOT.example:443"),
            ("DATABRICKS_CONFIG_PROFILE", "robot"),
        ];
        assert!(Place::new(FILE, &same).complete(&[]).is_ok());
    }

    #[test]
    fn files_and_profiles_that_are_not_there_are_errors_when_they_are_named() {
        let place = Place::new(FILE, &[]);
        for (given, says) in [
            (&[(CONFIG_PROFILE, "nobody")][..], "no profile 'nobody'"),
            (&[(CONFIG_FILE, "/nowhere/cfg")], "/nowhere/cfg"),
        ] {
            let error = place.complete(given).map(drop).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
        let nowhere = tempfile::tempdir().unwrap();
        let home = nowhere.path().to_str().unwrap();
        let mut settings = Settings::new(Scope::Database);
        complete(&mut settings, &|name| (name == "HOME").then(|| home.to_owned())).unwrap();
        assert!(!settings.has(HOST));
    }

    #[test]
    fn a_malformed_file_is_named_with_its_line_and_not_quoted() {
        let text = "[DEFAULT]\nhost = https://a.example\ntoken dapi-canary\n[next]\n";
        let error = Place::new(text, &[]).complete(&[]).map(drop).unwrap_err();
        assert!(
            error.message().contains(".databrickscfg") && error.message().contains("line 3"),
            "{error}"
        );
        assert!(!error.message().contains("canary"), "{error}");
    }

    #[test]
    fn a_bad_value_names_its_place() {
        let text = "[DEFAULT]\nhost = https://a.example\nauth_type = azure-cli\n";
        let error = Place::new(text, &[]).complete(&[]).map(drop).unwrap_err();
        let message = error.message();
        assert!(
            message.contains("'DEFAULT'") && message.contains("auth_type") && message.contains("azure-cli"),
            "{error}"
        );
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let place = Place::new(FILE, &[]);
        let settings = place
            .complete(&[(CONFIG_FILE, "~/.databrickscfg"), (CONFIG_PROFILE, "person")])
            .unwrap();
        assert_eq!(settings.text(HOST).as_deref(), Some("https://person.example"));
        assert_eq!(settings.text(AUTH_TYPE).as_deref(), Some("databricks-cli"));
    }
}
