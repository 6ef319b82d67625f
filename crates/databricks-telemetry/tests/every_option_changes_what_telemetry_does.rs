//! No option is read and ignored: each one, set by its key, changes what telemetry does.

mod common;

use std::sync::atomic::Ordering;

use common::{PATIENCE, Workspace, attach, facts, flag_answer, refused, until};
use databricks_telemetry::config::{self, OPTIONS};
use databricks_telemetry::{Config, DropReason, Lease, operations};

#[test]
fn every_option_changes_what_telemetry_does() {
    for option in OPTIONS {
        match option.key {
            config::ENABLED => enabled(),
            config::FORCE_ENABLED => force_enabled(),
            config::BATCH_SIZE => batch_size(),
            config::FLUSH_INTERVAL_MS => flush_interval(),
            config::MAX_RETRIES => max_retries(),
            config::RETRY_DELAY_MS => retry_delay(),
            config::CIRCUIT_BREAKER_ENABLED => circuit_breaker_enabled(),
            config::CIRCUIT_BREAKER_THRESHOLD => circuit_breaker_threshold(),
            config::CIRCUIT_BREAKER_TIMEOUT_MS => circuit_breaker_timeout(),
            config::CLOSE_TIMEOUT_MS => close_timeout(),
            config::AUDIT_FILE => audit_file(),
            config::CLIENT_APP_NAME => client_app_name(),
            other => panic!("{other} has no test here: write one that shows what it changes"),
        }
    }
}

/// The defaults with these options, and a tick that never comes.
fn configured(options: &[(&str, &str)]) -> Config {
    let mut config = Config::default();
    let silent = [(config::FLUSH_INTERVAL_MS, "3600000"), (config::RETRY_DELAY_MS, "0")];
    for (key, value) in silent.iter().chain(options) {
        assert_eq!(config.set(key, value), Ok(true), "{key}");
    }
    config
}

/// As `configured`, whatever the flag says.
fn forced(options: &[(&str, &str)]) -> Config {
    Config {
        force_enabled: true,
        ..configured(options)
    }
}

fn send(lease: &Lease, count: usize) {
    for _ in 0..count {
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
    }
    assert!(lease.flush(PATIENCE));
}

/// Requests that one statement makes to a workspace that refuses it.
fn requests_of_a_refused_one(config: &Config) -> usize {
    let workspace = Workspace::new();
    workspace.always(refused(503));
    send(&attach(&facts(), config, &workspace), 1);
    workspace.posts().len()
}

/// Requests that eight statements, one after the other, make to a workspace that refuses them.
fn requests_of_eight_refused(config: &Config) -> usize {
    let workspace = Workspace::new();
    workspace.always(refused(500));
    let lease = attach(&facts(), config, &workspace);
    (0..8).for_each(|_| send(&lease, 1));
    workspace.posts().len()
}

fn enabled() {
    let delivered = |options: &[(&str, &str)]| {
        let workspace = Workspace::new();
        workspace.flag(flag_answer(true, None));
        send(&attach(&facts(), &configured(options), &workspace), 1);
        (workspace.posts().len(), workspace.flag_requests.load(Ordering::SeqCst))
    };
    assert_eq!(delivered(&[]), (1, 1));
    assert_eq!(delivered(&[(config::ENABLED, "false")]), (0, 0));
}

fn force_enabled() {
    let delivered = |options: &[(&str, &str)]| {
        let workspace = Workspace::new();
        workspace.flag(flag_answer(false, None));
        send(&attach(&facts(), &configured(options), &workspace), 1);
        (workspace.posts().len(), workspace.flag_requests.load(Ordering::SeqCst))
    };
    assert_eq!(delivered(&[]), (0, 1));
    assert_eq!(delivered(&[(config::FORCE_ENABLED, "true")]), (1, 0));
}

fn batch_size() {
    let requests = |options: &[(&str, &str)]| {
        let workspace = Workspace::new();
        send(&attach(&facts(), &forced(options), &workspace), 50);
        workspace.posts().len()
    };
    assert!(requests(&[]) < 10, "at most what waits when it is asked for");
    assert!(requests(&[(config::BATCH_SIZE, "5")]) >= 10);
}

fn flush_interval() {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(&[(config::FLUSH_INTERVAL_MS, "10")]), &workspace);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    // Nobody asks for it. With the interval of the others here it would take up to an hour.
    workspace.wait_for_posts(1);
}

fn max_retries() {
    assert_eq!(requests_of_a_refused_one(&forced(&[])), 4);
    assert_eq!(requests_of_a_refused_one(&forced(&[(config::MAX_RETRIES, "1")])), 2);
}

fn retry_delay() {
    let requests = |delay: &str| {
        let workspace = Workspace::new();
        workspace.always(refused(503));
        let options = [(config::RETRY_DELAY_MS, delay), (config::CLOSE_TIMEOUT_MS, "50")];
        let lease = attach(&facts(), &forced(&options), &workspace);
        lease.root(&operations::CONNECTION_OPEN, None).end();
        workspace.wait_for_posts(1);
        if delay == "0" {
            assert!(lease.flush(PATIENCE));
        }
        // Closing has less time than the longer delay.
        lease.close();
        workspace.posts().len()
    };
    assert_eq!(requests("0"), 4);
    assert_eq!(requests("10000"), 1);
}

fn circuit_breaker_enabled() {
    let options = [(config::MAX_RETRIES, "0")];
    assert_eq!(requests_of_eight_refused(&forced(&options)), 5);
    let options = [options[0], (config::CIRCUIT_BREAKER_ENABLED, "false")];
    assert_eq!(requests_of_eight_refused(&forced(&options)), 8);
}

fn circuit_breaker_threshold() {
    let options = [(config::MAX_RETRIES, "0"), (config::CIRCUIT_BREAKER_THRESHOLD, "2")];
    assert_eq!(requests_of_eight_refused(&forced(&options)), 2);
}

fn circuit_breaker_timeout() {
    let workspace = Workspace::new();
    workspace.answer([refused(500)]);
    let options = [
        (config::MAX_RETRIES, "0"),
        (config::CIRCUIT_BREAKER_THRESHOLD, "1"),
        (config::CIRCUIT_BREAKER_TIMEOUT_MS, "1"),
    ];
    let lease = attach(&facts(), &forced(&options), &workspace);
    until("a probe", || {
        send(&lease, 1);
        lease.stats().delivered > 0
    });
    assert_eq!(requests_of_eight_refused(&forced(&options[..2])), 1, "a minute of rest");
}

fn close_timeout() {
    let close = |options: &[(&str, &str)], opens: bool| {
        let workspace = Workspace::new();
        let lease = attach(&facts(), &forced(options), &workspace);
        send(&lease, 1);
        workspace.gate.shut();
        lease.root(&operations::CONNECTION_CLOSE, None).end();
        workspace.gate.wait_for(1);
        std::thread::scope(|scope| {
            let closing = scope.spawn(|| lease.close());
            if opens {
                workspace.gate.open();
            }
            closing.join().unwrap();
        });
        let stats = lease.stats();
        workspace.gate.open();
        stats
    };
    assert_eq!(close(&[(config::CLOSE_TIMEOUT_MS, "60000")], true).delivered, 2);
    let stats = close(&[(config::CLOSE_TIMEOUT_MS, "0")], false);
    assert_eq!((stats.delivered, stats.abandoned_workers), (1, 1));
}

fn audit_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    let workspace = Workspace::new();
    send(&attach(&facts(), &forced(&[]), &workspace), 1);
    assert!(!path.exists());
    let options = [(config::AUDIT_FILE, path.to_str().unwrap())];
    send(&attach(&facts(), &forced(&options), &workspace), 1);
    let posted = &workspace.posts()[1].body;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{posted}\n"));

    // What cannot be written there is not sent.
    let options = [(config::AUDIT_FILE, folder.path().to_str().unwrap())];
    let lease = attach(&facts(), &forced(&options), &workspace);
    send(&lease, 1);
    assert_eq!(lease.stats().dropped(DropReason::Unaudited), 1);
}

fn client_app_name() {
    let said = |options: &[(&str, &str)]| {
        let workspace = Workspace::new();
        let lease = attach(&facts(), &forced(options), &workspace);
        lease.root(&operations::CONNECTION_OPEN, None).end();
        assert!(lease.flush(PATIENCE));
        workspace
            .driver_logs()
            .remove(0)
            .system_configuration
            .unwrap()
            .client_app_name
    };
    assert_eq!(said(&[]), None);
    assert_eq!(said(&[(config::CLIENT_APP_NAME, "report")]).as_deref(), Some("report"));
}
