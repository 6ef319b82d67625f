//! Where a command connects: a URL, a profile, the environment, or a workspace inside this process.

use std::env;
use std::sync::mpsc;
use std::time::Duration;

use adbc_core::options::{OptionDatabase, OptionValue};
use adbc_databricks::options;
use databricks_local::{ErrorKind, Workspace};

use crate::cli::{ConnectArgs, WorkspaceArgs};
use crate::failure::Failure;

/// How long anything else waits until the files of `--data` were looked at.
const LOOK_AT_FILES: Duration = Duration::from_secs(1);

/// A workspace to connect to.
pub(crate) struct Target {
    options: Vec<(OptionDatabase, OptionValue)>,
    /// The workspace inside this process, kept alive for as long as somebody may connect.
    embedded: Option<Workspace>,
}

impl Target {
    /// The URL or the profile, else `DATABRICKS_HOST` and its companions, else an embedded workspace as it was typed. Refuses what was
    /// typed of an embedded workspace when it is another, and the other way round.
    pub(crate) fn resolve(connect: &ConnectArgs, workspace: &WorkspaceArgs) -> Result<Self, Failure> {
        let target = Self::resolve_with(connect, workspace)?;
        match (target.embedded(), workspace.typed()) {
            (None, Some(typed)) => {
                let other = match (&connect.url, &connect.profile) {
                    (Some(_), _) => "--url names another",
                    (None, Some(_)) => "--profile names another",
                    (None, None) => "DATABRICKS_HOST names another; unset it",
                };
                Err(Failure::Usage(format!(
                    "{typed} is for the local workspace, and {other}"
                )))
            }
            (Some(_), _) if connect.token.is_some() => Err(Failure::Usage(
                "--token is for a workspace elsewhere, and neither --url nor DATABRICKS_HOST names one".to_owned(),
            )),
            _ => Ok(target),
        }
    }

    /// As [`resolve`](Self::resolve), with an embedded workspace that nobody typed anything of.
    pub(crate) fn resolve_with(connect: &ConnectArgs, workspace: &WorkspaceArgs) -> Result<Self, Failure> {
        if let Some(options) = remote_options(connect)? {
            return Ok(Self {
                options,
                embedded: None,
            });
        }
        let workspace = start(workspace, |builder| builder)?;
        let mut options = vec![(OptionDatabase::Uri, OptionValue::String(workspace.uri()))];
        options.extend(extra_options(connect));
        Ok(Self {
            options,
            embedded: Some(workspace),
        })
    }

    /// As [`resolve`](Self::resolve); the embedded workspace is small, and spoken to over TLS.
    pub(crate) fn resolve_over_tls(connect: &ConnectArgs) -> Result<Self, Failure> {
        if let Some(options) = remote_options(connect)? {
            return Ok(Self {
                options,
                embedded: None,
            });
        }
        let small = WorkspaceArgs {
            scale_factor: Some(0.01),
            data: None,
        };
        let workspace = start(&small, |builder| builder.tls(true))?;
        let text = |value: String| OptionValue::String(value);
        let mut options = vec![(OptionDatabase::Uri, text(workspace.uri()))];
        if let (Some(url), Some(ca)) = (workspace.https_url(), workspace.ca_pem_path()) {
            options.push((option("databricks.host"), text(url.to_owned())));
            options.push((
                option("databricks.tls.ca_file"),
                text(ca.to_string_lossy().into_owned()),
            ));
        }
        options.extend(extra_options(connect));
        Ok(Self {
            options,
            embedded: Some(workspace),
        })
    }

    /// A workspace that somebody else runs; refuses when none is named.
    pub(crate) fn remote(connect: &ConnectArgs) -> Result<Self, Failure> {
        let options = remote_options(connect)?.ok_or_else(|| {
            Failure::Usage(
                "no workspace to ask: start one with `dbsql serve` and pass its address with --url, or set DATABRICKS_HOST"
                    .to_owned(),
            )
        })?;
        Ok(Self {
            options,
            embedded: None,
        })
    }

    /// The workspace inside this process, if that is what it is.
    pub(crate) fn embedded(&self) -> Option<&Workspace> {
        self.embedded.as_ref()
    }

    pub(crate) fn options(&self) -> Vec<(OptionDatabase, OptionValue)> {
        self.options.clone()
    }
}

/// Starts a local workspace with the settings of the command line.
pub(crate) fn start(
    args: &WorkspaceArgs,
    more: impl FnOnce(databricks_local::WorkspaceBuilder) -> databricks_local::WorkspaceBuilder,
) -> Result<Workspace, Failure> {
    let scale_factor = args.scale_factor();
    if !(scale_factor > 0.0 && scale_factor <= 100.0) {
        return Err(Failure::Usage(format!(
            "--scale-factor {scale_factor} is not more than 0 and at most 100"
        )));
    }
    let mut builder = Workspace::builder().scale_factor(scale_factor);
    if let Some(data) = &args.data {
        if !data.is_dir() {
            return Err(Failure::Usage(format!("--data {} is not a directory", data.display())));
        }
        builder = builder.data_dir(data.clone());
    }
    let workspace = more(builder).start().map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::Listen => "; --port takes another port, 0 any free one",
            _ => "",
        };
        Failure::Local(format!("the local workspace did not start: {error}{advice}"))
    })?;
    warn_of_files(&workspace);
    Ok(workspace)
}

/// Names the files that are no tables: before anything else, unless there are so many that somebody waits for it.
fn warn_of_files(workspace: &Workspace) {
    let files = workspace.unreadable_files();
    let (done, all) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        for file in files {
            eprintln!("warning: {file}");
        }
        drop(done);
    });
    // Either the time is up, or they are done.
    let _ = all.recv_timeout(LOOK_AT_FILES);
}

fn remote_options(connect: &ConnectArgs) -> Result<Option<Vec<(OptionDatabase, OptionValue)>>, Failure> {
    let mut options = Vec::new();
    if let Some(url) = &connect.url {
        options.push((OptionDatabase::Uri, OptionValue::String(url.clone())));
    }
    if let Some(profile) = &connect.profile {
        options.push((
            option("databricks.config_profile"),
            OptionValue::String(profile.clone()),
        ));
    }
    if options.is_empty() {
        // The driver reads the environment by itself when nothing says where to connect.
        if variable("DATABRICKS_HOST").is_none() {
            return Ok(None);
        }
        let warehouse = [
            "DATABRICKS_HTTP_PATH",
            "DATABRICKS_WAREHOUSE_ID",
            "DATABRICKS_CONFIG_PROFILE",
        ];
        let names_one = |key: &str| key.ends_with("warehouse_id") || key.ends_with("http_path");
        if !warehouse.into_iter().any(|name| variable(name).is_some())
            && !connect.options.iter().any(|pair| names_one(&pair.key))
        {
            return Err(Failure::Usage(
                "DATABRICKS_HOST is set, but neither DATABRICKS_HTTP_PATH nor DATABRICKS_WAREHOUSE_ID says which warehouse"
                    .to_owned(),
            ));
        }
    }
    if connect.token.is_some() && connect.url.as_deref().is_some_and(has_password) {
        return Err(Failure::Usage(
            "--token and the URL both have a token: leave one of them out".to_owned(),
        ));
    }
    match (&connect.token, &connect.url) {
        (Some(token), _) => options.push((
            option("databricks.access_token"),
            OptionValue::String(token.expose().to_owned()),
        )),
        // For a URL that says nothing of credentials, and nobody else does either.
        (None, Some(url)) if is_without_credentials(connect, url) => {
            let query = url.split_once('?').map_or("", |(_, query)| query);
            let of_url = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
            let of_options = connect.options.iter().map(|pair| pair.key.as_str());
            let elsewhere = of_url.chain(of_options).find(|key| leads_elsewhere(key));
            options.extend(credentials_for(url, elsewhere, &variable)?);
        }
        (None, _) => {}
    }
    options.extend(extra_options(connect));
    Ok(Some(options))
}

fn is_without_credentials(connect: &ConnectArgs, url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let in_query = |pair: &str| is_credential(pair.split('=').next().unwrap_or_default());
    !has_user(url)
        && !query.split('&').any(in_query)
        && connect.profile.is_none()
        && !connect.options.iter().any(|pair| is_credential(&pair.key))
}

/// The environment's credentials, for a URL that has none: the token, else the service principal.
///
/// With `DATABRICKS_HOST` they are that host's and nobody else's, and do not go where an option leads (`elsewhere`). Without, they are
/// meant for the URL that was typed.
fn credentials_for(
    url: &str,
    elsewhere: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(OptionDatabase, OptionValue)>, Failure> {
    const WAYS: [&[(&str, &str)]; 2] = [
        &[("DATABRICKS_TOKEN", "databricks.access_token")],
        &[
            ("DATABRICKS_CLIENT_ID", "databricks.oauth.client_id"),
            ("DATABRICKS_CLIENT_SECRET", "databricks.oauth.client_secret"),
        ],
    ];
    let whole = |way: &[(&'static str, &'static str)]| {
        let values = way.iter().map(|(name, key)| Some((*name, *key, variable(name)?)));
        values.collect::<Option<Vec<_>>>()
    };
    let Some(found) = WAYS.into_iter().find_map(whole) else {
        return Ok(Vec::new());
    };
    if let Some(theirs) = variable("DATABRICKS_HOST") {
        let reason = match elsewhere {
            Some(key) => format!("{key} leads elsewhere than DATABRICKS_HOST"),
            None if host(&theirs) != host(url) || is_exposed(url) && !is_exposed(&theirs) => {
                let (here, there) = (place(url), place(&theirs));
                format!("the URL is of {here}, and DATABRICKS_HOST is {there}")
            }
            None => String::new(),
        };
        if !reason.is_empty() {
            let names: Vec<_> = found.iter().map(|(name, ..)| *name).collect();
            return Err(Failure::Usage(format!(
                "{} stays here: {reason}; pass credentials for this URL (--token), or unset DATABRICKS_HOST if the environment's are \
                 for it",
                names.join(" and "),
            )));
        }
    }
    let options = found
        .into_iter()
        .map(|(_, key, value)| (option(key), OptionValue::String(value)));
    Ok(options.collect())
}

/// Whether what is sent there can be read on the way.
fn is_exposed(text: &str) -> bool {
    let is_plain = text
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let host = host(text);
    is_plain
        && !["127.", "localhost", "[::1]"]
            .into_iter()
            .any(|here| host.starts_with(here))
}

/// A host as it is shown: one that is spoken to in plain text says so.
fn place(text: &str) -> String {
    let scheme = if is_exposed(text) { "http://" } else { "" };
    format!("{scheme}{}", host(text))
}

/// Whether the option of this key says where to connect to, or without TLS.
fn leads_elsewhere(key: &str) -> bool {
    [options::HOST, options::PORT, options::TLS]
        .into_iter()
        .any(|known| options::find(key).is_some_and(|spec| spec.key == known))
}

/// The host of a URL or of `DATABRICKS_HOST`, with its port unless that is https's own.
fn host(text: &str) -> String {
    let authority = authority(text);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase()
}

/// What stands between the scheme and the path.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn extra_options(connect: &ConnectArgs) -> impl Iterator<Item = (OptionDatabase, OptionValue)> + '_ {
    connect
        .options
        .iter()
        .map(|pair| (option(&pair.key), OptionValue::String(pair.value.clone())))
}

/// Whether the option of this key says as whom to connect, or which profile does.
fn is_credential(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "auth",
        "token",
        "password",
        "clientid",
        "clientsecret",
        "profile",
        "config_file",
    ]
    .into_iter()
    .any(|word| key.contains(word))
}

/// Whether the URL names a user, as in `databricks://token:TOKEN@HOST/…`; an `@` behind the host is none.
fn has_password(url: &str) -> bool {
    let user = authority(url).rsplit_once('@').map(|(user, _)| user);
    user.and_then(|user| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

fn has_user(url: &str) -> bool {
    authority(url).contains('@')
}

fn option(key: &str) -> OptionDatabase {
    OptionDatabase::from(key)
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Failure, OptionDatabase, OptionValue, credentials_for, has_user, is_credential, leads_elsewhere};

    const URL: &str = "https://Mine.example/sql/1.0/warehouses/x";

    /// The keys of the credentials that `URL` gets of an environment, or what is said against it.
    fn keys(environment: &[(&str, &str)]) -> Result<Vec<String>, String> {
        keys_for(URL, None, environment)
    }

    fn keys_for(url: &str, elsewhere: Option<&str>, environment: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        };
        let key = |(key, _): (OptionDatabase, OptionValue)| key.as_ref().to_owned();
        match credentials_for(url, elsewhere, &variable) {
            Ok(options) => Ok(options.into_iter().map(key).collect()),
            Err(Failure::Usage(message)) => Err(message),
            Err(_) => panic!("another kind of failure"),
        }
    }

    #[test]
    fn the_environments_credentials_go_to_its_host_or_to_the_url_that_was_typed() {
        let token = ("DATABRICKS_TOKEN", "canary");
        let robot = [
            ("DATABRICKS_CLIENT_ID", "robot"),
            ("DATABRICKS_CLIENT_SECRET", "canary"),
        ];
        assert_eq!(keys(&[]).unwrap(), [""; 0]);
        assert_eq!(keys(&[token, robot[0], robot[1]]).unwrap(), ["databricks.access_token"]);
        assert_eq!(
            keys(&robot).unwrap(),
            ["databricks.oauth.client_id", "databricks.oauth.client_secret"]
        );
        assert_eq!(keys(&robot[..1]).unwrap(), [""; 0], "half of them is nobody");
        for mine in ["mine.example", "https://mine.example/", "MINE.example:443"] {
            assert_eq!(keys(&[token, ("DATABRICKS_HOST", mine)]).unwrap().len(), 1, "{mine}");
        }
        for other in [
            "other.example",
            "https://mine.example:8443",
            "mine.example.evil.example",
        ] {
            for (credentials, name) in [(&[token][..], "DATABRICKS_TOKEN"), (&robot, "DATABRICKS_CLIENT_SECRET")] {
                let environment = [credentials, &[("DATABRICKS_HOST", other)]].concat();
                let message = keys(&environment).unwrap_err();
                assert!(message.contains(name) && message.contains("mine.example"), "{message}");
                assert!(message.contains("--token") && !message.contains("canary"), "{message}");
            }
            assert_eq!(keys(&[("DATABRICKS_HOST", other)]).unwrap(), [""; 0]);
        }
    }

    #[test]
    fn the_environments_credentials_do_not_go_where_an_option_leads_nor_in_plain_text() {
        let environment = [
            ("DATABRICKS_TOKEN", "canary"),
            ("DATABRICKS_HOST", "https://mine.example"),
        ];
        for key in [
            "databricks.host",
            "databricks.server_hostname",
            "adbc.spark.host",
            "databricks.port",
            "databricks.tls",
        ] {
            assert!(leads_elsewhere(key), "{key}");
            let message = keys_for(URL, Some(key), &environment).unwrap_err();
            assert!(message.contains(key) && !message.contains("canary"), "{message}");
            assert_eq!(keys_for(URL, Some(key), &environment[..1]).unwrap().len(), 1, "{key}");
        }
        assert!(!leads_elsewhere("databricks.catalog"));
        let plain = "http://mine.example/sql/1.0/warehouses/x";
        let message = keys_for(plain, None, &environment).unwrap_err();
        assert!(message.contains("http://mine.example"), "{message}");
        let theirs = [environment[0], ("DATABRICKS_HOST", "http://mine.example")];
        assert_eq!(keys_for(plain, None, &theirs).unwrap().len(), 1);
        assert!(is_credential("databricks.config_profile") && is_credential("databricks.config_file"));
    }

    #[test]
    fn a_token_in_the_url_is_told_from_an_at_sign_elsewhere() {
        assert!(has_user("databricks://token:t@host/sql/1.0/warehouses/x"));
        assert!(!has_user(
            "https://host/sql/1.0/warehouses/x?databricks.user_agent_entry=a@b"
        ));
    }
}
