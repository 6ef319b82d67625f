//! Where a command connects: a URL, a profile, the environment, or a workspace inside this process.

use std::env;

use adbc_core::options::{OptionDatabase, OptionValue};
use databricks_local::Workspace;

use crate::cli::{ConnectArgs, KeyValue, WorkspaceArgs};
use crate::failure::Failure;

/// A workspace to connect to.
pub(crate) struct Target {
    options: Vec<(OptionDatabase, OptionValue)>,
    /// The workspace inside this process, kept alive for as long as somebody may connect.
    embedded: Option<Workspace>,
}

impl Target {
    /// The URL or the profile, else `DATABRICKS_HOST` and its companions, else an embedded workspace.
    pub(crate) fn resolve(connect: &ConnectArgs, workspace: &WorkspaceArgs) -> Result<Self, Failure> {
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
    if !(args.scale_factor > 0.0 && args.scale_factor <= 100.0) {
        return Err(Failure::Usage(format!(
            "--scale-factor {} is not between 0 and 100",
            args.scale_factor
        )));
    }
    let mut builder = Workspace::builder().scale_factor(args.scale_factor);
    if let Some(data) = &args.data {
        if !data.is_dir() {
            return Err(Failure::Usage(format!("--data {} is not a directory", data.display())));
        }
        builder = builder.data_dir(data.clone());
    }
    more(builder)
        .start()
        .map_err(|error| Failure::Local(format!("the local workspace did not start: {error}")))
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
    let url_has_password = connect.url.as_deref().is_some_and(has_user);
    let given = connect.token.as_ref().map(|token| token.expose().to_owned());
    // For a URL that says nothing of credentials, and nobody else does either.
    let is_wanted = connect.url.is_some() && connect.profile.is_none() && !connect.options.iter().any(is_credential);
    let token = given.or_else(|| variable("DATABRICKS_TOKEN").filter(|_| is_wanted));
    if let Some(token) = token.filter(|_| !url_has_password) {
        options.push((option("databricks.access_token"), OptionValue::String(token)));
    }
    options.extend(extra_options(connect));
    Ok(Some(options))
}

fn extra_options(connect: &ConnectArgs) -> impl Iterator<Item = (OptionDatabase, OptionValue)> + '_ {
    connect
        .options
        .iter()
        .map(|pair| (option(&pair.key), OptionValue::String(pair.value.clone())))
}

/// Whether the option says as whom to connect.
fn is_credential(pair: &KeyValue) -> bool {
    let key = pair.key.to_ascii_lowercase();
    ["auth", "token", "password", "clientid", "clientsecret"]
        .into_iter()
        .any(|word| key.contains(word))
}

/// Whether the URL names a user, as in `databricks://token:TOKEN@HOST/…`; an `@` behind the host is none.
fn has_user(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|authority| authority.contains('@'))
}

fn option(key: &str) -> OptionDatabase {
    OptionDatabase::from(key)
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::has_user;

    #[test]
    fn a_token_in_the_url_is_told_from_an_at_sign_elsewhere() {
        assert!(has_user("databricks://token:t@host/sql/1.0/warehouses/x"));
        assert!(!has_user(
            "https://host/sql/1.0/warehouses/x?databricks.user_agent_entry=a@b"
        ));
    }
}
