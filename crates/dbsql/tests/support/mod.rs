//! Runs the command as a person would: as a process, with its environment emptied of what could change the outcome.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use databricks_local::{Workspace, WorkspaceBuilder};

pub fn dbsql(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbsql"));
    for (name, _) in std::env::vars() {
        if name.starts_with("DATABRICKS_") || name == "DO_NOT_TRACK" {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn run(args: &[&str]) -> Output {
    dbsql(args).output().expect("the command runs")
}

pub fn workspace(settings: impl FnOnce(WorkspaceBuilder) -> WorkspaceBuilder) -> Workspace {
    settings(Workspace::builder().scale_factor(0.01).chunk_bytes(256 << 10))
        .start()
        .expect("a workspace")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until `ready` says yes; panics after a minute, which bounds a failure.
pub fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asserts one clear paragraph: no panic, no backtrace, no debug dump, and none of these words.
pub fn assert_paragraph(output: &Output, exit_code: i32, says: &[&str], never: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(exit_code), "{text}");
    assert!(text.trim_end().lines().count() <= 6, "more than a paragraph: {text}");
    for word in says {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    for word in ["panicked", "RUST_BACKTRACE", "Error {", "unwrap"].iter().chain(never) {
        assert!(!text.contains(word), "{word:?} is in: {text}");
    }
}

/// A place for this test's own manifests and copies, and the library that cargo built with it.
pub struct Desk {
    pub folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The command with nothing installed but what this desk has, and no proxy.
    pub fn dbsql(&self, args: &[&str]) -> Command {
        let mut command = dbsql(args);
        for name in [
            "ADBC_DRIVER_PATH",
            "VIRTUAL_ENV",
            "CONDA_PREFIX",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
        ] {
            command.env_remove(name);
        }
        command
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("XDG_DATA_HOME", self.folder.path().join("data"));
        command
    }

    /// Installs the library that cargo built with this test.
    pub fn install(&self, further: &[&str]) {
        let library = library();
        let mut args = vec!["driver", "install", "--library", library.to_str().expect("a path")];
        args.extend(further);
        let output = self.dbsql(&args).output().expect("the command runs");
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// The folder of this user's manifests, on Linux.
    pub fn manifests(&self) -> std::path::PathBuf {
        self.folder.path().join("config/adbc/drivers")
    }
}

/// The library that cargo built with this test.
pub fn library() -> std::path::PathBuf {
    let name = format!(
        "{}adbc_driver_databricks{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let path = std::env::current_exe().expect("this program").with_file_name(name);
    assert!(path.is_file(), "cargo did not build {}", path.display());
    path
}
