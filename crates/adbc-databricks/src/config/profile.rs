//! Profiles of `~/.databrickscfg`.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ini::{Ini, ParseOption};

use super::{Source, Variables};
use crate::error::{Error, Result};
use crate::options::{ACCESS_TOKEN, AUTH_TYPE, CLIENT_ID, CLIENT_SECRET, HOST, HTTP_PATH, WAREHOUSE_ID};

/// The members that are understood. Others are other programs'.
const MEMBERS: [(&str, &str); 7] = [
    ("host", HOST),
    ("http_path", HTTP_PATH),
    ("warehouse_id", WAREHOUSE_ID),
    // Before the credentials: it says which of them are meant.
    ("auth_type", AUTH_TYPE),
    ("token", ACCESS_TOKEN),
    ("client_id", CLIENT_ID),
    ("client_secret", CLIENT_SECRET),
];
pub(super) const DEFAULT_PROFILE: &str = "DEFAULT";
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The profile of this name in this file, by default `DEFAULT` in `~/.databrickscfg`. `None` when neither was named and neither is
/// there.
///
/// # Errors
/// `InvalidArgument` for a file that cannot be read or parsed, and for a profile that was named and is not there.
pub(super) fn load(name: Option<&str>, file: Option<&str>, variables: Variables<'_>) -> Result<Option<Source>> {
    let home = || variables("HOME").map(PathBuf::from).or_else(env::home_dir);
    let path = match file {
        Some(file) => match file.strip_prefix("~/") {
            Some(rest) => home().unwrap_or_default().join(rest),
            None => PathBuf::from(file),
        },
        None => match home() {
            Some(home) => home.join(".databrickscfg"),
            None if name.is_none() => return Ok(None),
            None => {
                return Err(Error::invalid_argument(
                    "there is no home directory to look for '.databrickscfg' in",
                ));
            }
        },
    };
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && name.is_none() && file.is_none() => return Ok(None),
        Err(error) => {
            return Err(Error::invalid_argument(format!(
                "{} cannot be read: {error}",
                path.display()
            )));
        }
    };
    let wanted = name.unwrap_or(DEFAULT_PROFILE);
    match parse(&text, wanted, &path)? {
        None if name.is_some() || file.is_some() => Err(Error::invalid_argument(format!(
            "there is no profile '{wanted}' in {}",
            path.display()
        ))),
        profile => Ok(profile),
    }
}

/// The profile `wanted` of a file with this text; `None` when it is not there.
///
/// # Errors
/// `InvalidArgument` for a text that is no such file.
pub(super) fn parse(text: &str, wanted: &str, path: &Path) -> Result<Option<Source>> {
    let malformed = |line: usize| {
        // Without the line's text, which could be a token.
        Error::invalid_argument(format!(
            "{}, line {line}: neither a [section] nor a 'key = value'",
            path.display()
        ))
    };
    if let Some(line) = text.lines().position(|line| !is_ini(line.trim())) {
        return Err(malformed(line + 1));
    }
    let parsed = Ini::load_from_str_opt(
        text,
        ParseOption {
            // Secrets are taken as they stand.
            enabled_quote: false,
            enabled_escape: false,
            ..ParseOption::default()
        },
    )
    .map_err(|error| malformed(error.line))?;
    let Some(section) = parsed.section(Some(wanted)) else {
        return Ok(None);
    };
    let values = MEMBERS.into_iter().filter_map(|(member, key)| {
        let value = section.get(member)?.trim();
        let place = format!("profile '{wanted}' of {}, {member}", path.display());
        (!value.is_empty()).then(|| (key, value.to_owned(), place))
    });
    Ok(Some(Source {
        values: values.collect(),
    }))
}

/// Whether a line is one by itself. The parser would take a key to the next `=`, however many lines away.
fn is_ini(line: &str) -> bool {
    match line.chars().next() {
        None | Some('#' | ';') => true,
        Some('[') => line.contains(']'),
        Some(_) => line.contains(['=', ':']),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("it is longer than a configuration can be"));
    }
    Ok(text)
}
