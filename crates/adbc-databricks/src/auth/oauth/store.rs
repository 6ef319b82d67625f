use std::env;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::Secret;
use super::token::Token;
use crate::options::{self, Settings};

/// No cache file of ours is longer.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Tokens of people on disk, so that they sign in once and not once a process.
///
/// One file per host, client and scopes, for its owner alone (0600 in a directory of 0700). A cache that cannot be read or
/// written costs a sign-in and is never an error. It never holds a client's secret.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// In seconds since 1970.
    expires_at: i64,
}

impl Store {
    /// `None` when there is no directory to put it.
    pub(super) fn new(settings: &Settings, key: &[&str]) -> Option<Self> {
        let directory = match settings.text(options::TOKEN_CACHE_DIR) {
            Some(directory) => PathBuf::from(directory),
            None => env::home_dir()
                .filter(|home| !home.as_os_str().is_empty())?
                .join(".config/adbc-databricks/oauth"),
        };
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in key {
            // With its length, so that no two lists of parts are the same text.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let name: String = context
            .finish()
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some(Self {
            path: directory.join(format!("{name}.json")),
        })
    }

    /// What the last process left, unless others could read or have written it.
    pub(super) fn load(&self) -> Option<Token> {
        let file = fs::File::open(&self.path).ok()?;
        if !is_private(&file.metadata().ok()?) {
            return None;
        }
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).ok()?;
        let entry: Entry = serde_json::from_str(&text).ok()?;
        let expires = Timestamp::from_second(entry.expires_at).ok()?;
        let refresh = entry.refresh_token.map(Secret::new);
        Token::until(expires, &Secret::new(entry.access_token), refresh).ok()
    }

    /// Leaves the token for the next process. The file appears whole or not at all.
    pub(super) fn save(&self, token: &Token) {
        // Whoever cannot write signs in again next time.
        let _ = self.try_save(token);
    }

    fn try_save(&self, token: &Token) -> Option<()> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let entry = Entry {
            access_token: token.access()?.to_owned(),
            refresh_token: token.refresh().map(|refresh| refresh.expose().to_owned()),
            expires_at: token.expires().as_second(),
        };
        let text = serde_json::to_string(&entry).ok()?;
        make_directory(self.path.parent()?).ok()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let draft = self
            .path
            .with_extension(format!("{}.{count}.draft", std::process::id()));
        let written = private_file()
            .open(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&draft, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written.ok()
    }
}

#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    // The home directory's own permissions are what protects it.
    true
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
