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
