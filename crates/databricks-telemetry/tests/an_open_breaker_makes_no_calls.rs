//! After five failures in a row records are dropped without a request; the breaker outlives the connection.

mod common;

use common::{PATIENCE, Workspace, attach, facts, forced, refused};
use databricks_telemetry::{Config, DropReason, Lease, operations};

fn send_one(lease: &Lease) {
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    assert!(lease.flush(PATIENCE));
}

#[test]
fn an_open_breaker_makes_no_calls() {
    let workspace = Workspace::new();
    workspace.always(refused(500));
    let facts = facts();
    let config = Config {
        max_retries: 0,
        ..forced()
    };
    let lease = attach(&facts, &config, &workspace);
    for _ in 0..5 {
        send_one(&lease);
    }
    assert_eq!(workspace.posts().len(), 5);
    send_one(&lease);
    assert_eq!(workspace.posts().len(), 5, "the breaker is open");
    assert_eq!(lease.stats().dropped(DropReason::BreakerOpen), 1);
    assert_eq!(lease.stats().refused, 5);
    lease.close();

    let next = attach(&facts, &config, &workspace);
    send_one(&next);
    assert_eq!(workspace.posts().len(), 5, "and still is for the next connection");
    assert_eq!(next.stats().dropped(DropReason::BreakerOpen), 1);
}

#[test]
fn the_threshold_is_an_option() {
    let workspace = Workspace::new();
    workspace.always(refused(500));
    let config = Config {
        max_retries: 0,
        circuit_breaker_threshold: 2,
        ..forced()
    };
    let lease = attach(&facts(), &config, &workspace);
    for _ in 0..4 {
        send_one(&lease);
    }
    assert_eq!(workspace.posts().len(), 2);
}

#[test]
fn the_breaker_can_be_turned_off() {
    let workspace = Workspace::new();
    workspace.always(refused(500));
    let config = Config {
        max_retries: 0,
        circuit_breaker_enabled: false,
        ..forced()
    };
    let lease = attach(&facts(), &config, &workspace);
    for _ in 0..20 {
        send_one(&lease);
    }
    assert_eq!(workspace.posts().len(), 20);
}

#[test]
fn the_time_it_stays_open_is_an_option() {
    let workspace = Workspace::new();
    workspace.answer([refused(500)]);
    let config = Config {
        max_retries: 0,
        circuit_breaker_threshold: 1,
        circuit_breaker_timeout: std::time::Duration::from_millis(1),
        ..forced()
    };
    let lease = attach(&facts(), &config, &workspace);
    send_one(&lease);
    // The probe goes out as soon as a millisecond has passed; with the default it would not within a minute.
    common::until("a probe", || {
        send_one(&lease);
        lease.stats().delivered > 0
    });
}

#[test]
fn refused_credentials_are_not_tried_again() {
    for status in [401, 403, 404] {
        let workspace = Workspace::new();
        workspace.always(refused(status));
        let lease = attach(&facts(), &forced(), &workspace);
        send_one(&lease);
        send_one(&lease);
        assert_eq!(workspace.posts().len(), 1, "{status}");
        assert_eq!(lease.stats().retries, 0, "{status}");
    }
}

#[test]
fn not_even_for_the_flag() {
    let workspace = Workspace::new();
    workspace.always(refused(401));
    workspace.flag(common::flag_answer(true, None));
    let facts = facts();
    let forced = attach(&facts, &forced(), &workspace);
    send_one(&forced);
    let governed = attach(&facts, &common::patient(), &workspace);
    send_one(&governed);
    assert_eq!(governed.stats().dropped(DropReason::BreakerOpen), 1);
    assert_eq!(workspace.flag_requests.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(workspace.posts().len(), 1);
}
