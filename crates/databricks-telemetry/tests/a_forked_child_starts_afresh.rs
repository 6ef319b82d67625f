//! A forked child starts afresh: it never hangs on a lock of its parent's, sends its own records by a worker of its own,
//! and sends nothing again that its parent had queued. The parent notices nothing.
//!
//! Forks for real, while records are queued and the worker's thread is alive, and once in the middle of a statement. A
//! program of its own, because nothing else may run a thread here. Each process says on one shared file what it posted.

#![allow(clippy::print_stdout, reason = "stands in for the test harness")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use activity::Id;
use databricks_telemetry::enable::Environment;
use databricks_telemetry::{
    Auth, Config, ConnectionFacts, FlagOutcome, FlagRequest, Identity, Lease, Outcome, Telemetry, TelemetryPost,
    Transport, operations, tags,
};
use databricks_wire::telemetry::{FrontendLog, TelemetryRequest};
use fork::{Fork, fork, waitpid_nohang};

const PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "a_forked_child_starts_afresh";

fn main() {
    // What test runners ask of a test program.
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("{NAME}: test");
        }
        return;
    }
    a_forked_child_starts_afresh();
    println!("test {NAME} ... ok");
}

fn a_forked_child_starts_afresh() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("posted");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .expect("a file");
    let lease = attach(file);
    statement(&lease, "sent-before-the-fork").end();
    assert!(lease.flush(PATIENCE));
    for at in 0..5 {
        statement(&lease, &format!("queued-before-the-fork-{at}")).end();
    }
    let begun = statement(&lease, "begun-before-the-fork");

    let child = match fork().expect("fork") {
        Fork::Child => {
            // A failure here is an exit code there; the parent's destructors must not run twice.
            let ended = catch_unwind(AssertUnwindSafe(|| {
                // The parent's statement is not the child's to report.
                begun.end();
                statement(&lease, "of-the-child").end();
                assert!(lease.decision().is_on());
                assert!(lease.flush(PATIENCE));
                assert_eq!(lease.stats().recorded, 1, "counters are the child's own");
                grandchild(&lease);
                drop(lease);
            }));
            std::process::exit(i32::from(ended.is_err()))
        }
        Fork::Parent(child) => child,
    };
    wait_for(child);
    begun.end();
    statement(&lease, "after-the-fork").end();
    assert!(lease.flush(PATIENCE));
    lease.close();
    assert_eq!(lease.stats().delivered, 8, "the parent sent all of its own");

    let (parent, child) = (std::process::id(), u32::try_from(child).expect("an id"));
    let posted = posted(&path);
    let mut expected: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for at in 0..5 {
        expected.insert(format!("queued-before-the-fork-{at}"), vec!["parent"]);
    }
    for id in ["sent-before-the-fork", "begun-before-the-fork", "after-the-fork"] {
        expected.insert(id.to_owned(), vec!["parent"]);
    }
    expected.insert("of-the-child".to_owned(), vec!["child"]);
    expected.insert("of-the-grandchild".to_owned(), vec!["grandchild"]);
    let who = |pid: &u32| match *pid {
        pid if pid == parent => "parent",
        pid if pid == child => "child",
        _ => "grandchild",
    };
    let seen: BTreeMap<_, Vec<_>> = posted
        .iter()
        .map(|(id, pids)| (id.clone(), pids.iter().map(who).collect()))
        .collect();
    assert_eq!(seen, expected);
}

/// Forks again, from a lease that was itself reborn.
fn grandchild(lease: &Lease) {
    match fork().expect("fork") {
        Fork::Child => {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                statement(lease, "of-the-grandchild").end();
                // Closing delivers.
                lease.close();
            }));
            std::process::exit(i32::from(ended.is_err()))
        }
        Fork::Parent(child) => wait_for(child),
    }
}

fn wait_for(child: i32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match waitpid_nohang(child).expect("a child") {
            Some(status) => return assert_eq!(status, 0, "the child failed"),
            None => assert!(Instant::now() < deadline, "the child hangs"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn statement(lease: &Lease, id: &str) -> activity::Activity {
    let mut root = lease.root(&operations::STATEMENT_EXECUTE, None);
    assert!(root.is_recording());
    root.set(tags::STATEMENT_ID, Id::new(id).expect("an id"));
    root
}

fn attach(file: File) -> Lease {
    let facts = ConnectionFacts::new(
        "workspace.example.com",
        Identity::of(&[b"token"]),
        Auth::PersonalAccessToken,
    );
    let config = Config {
        force_enabled: true,
        flush_interval: Duration::from_secs(3600),
        close_timeout: PATIENCE,
        ..Config::default()
    };
    Telemetry::attach_in(Environment::default(), facts, config, Arc::new(Shared(file)))
}

/// What was posted, by which processes.
fn posted(path: &std::path::Path) -> BTreeMap<String, Vec<u32>> {
    let mut posted: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for line in std::fs::read_to_string(path).expect("the file").lines() {
        let (pid, body) = line.split_once(' ').expect("an id and a body");
        let request: TelemetryRequest = serde_json::from_str(body).expect("a request");
        for log in &request.proto_logs {
            let log: FrontendLog<'_> = serde_json::from_str(log).expect("a log");
            let id = log.entry.sql_driver_log.sql_statement_id.expect("a statement's id");
            posted
                .entry(id.into_owned())
                .or_default()
                .push(pid.parse().expect("a number"));
        }
    }
    posted
}

/// Appends each body to a file that the child inherits.
struct Shared(File);

impl Transport for Shared {
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
        let line = format!("{} {}\n", std::process::id(), post.body);
        match (&self.0).write_all(line.as_bytes()) {
            Ok(()) => Outcome::Delivered { body: Vec::new() },
            Err(_) => Outcome::Cancelled,
        }
    }
    fn feature_flags(&self, _: &FlagRequest<'_>) -> FlagOutcome {
        FlagOutcome::Unavailable
    }
    fn is_authenticated(&self) -> bool {
        true
    }
}
