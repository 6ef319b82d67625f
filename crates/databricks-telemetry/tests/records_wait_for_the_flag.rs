//! While the flag is not known records wait, bounded; its answer sends or discards them, and never delays a connection.

mod common;

use std::sync::atomic::Ordering;

use common::{PATIENCE, Workspace, attach, facts, flag_answer, patient};
use databricks_telemetry::{Config, DropReason, FlagOutcome, Reason, Verdict, operations};

#[test]
fn a_yes_sends_them() {
    let workspace = Workspace::new();
    workspace.flag(flag_answer(true, None));
    workspace.gate.shut();
    let facts = facts();
    let lease = attach(&facts, &patient(), &workspace);
    assert_eq!(lease.decision().verdict, Verdict::Pending);
    lease.root(&operations::CONNECTION_OPEN, None).end();
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    workspace.gate.wait_for(1);
    assert_eq!(workspace.posts().len(), 0, "nothing leaves before the answer");
    assert_eq!(lease.stats().recorded, 2);
    workspace.gate.open();
    assert!(lease.flush(PATIENCE));
    assert_eq!(workspace.logs().len(), 2);
    assert_eq!(lease.decision().reason, Reason::FlagOn);
    lease.close();

    let next = attach(&facts, &patient(), &workspace);
    assert_eq!(
        next.decision().verdict,
        Verdict::On,
        "the answer outlives the connection"
    );
    next.root(&operations::STATEMENT_EXECUTE, None).end();
    next.close();
    assert_eq!(workspace.flag_requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_no_discards_them() {
    for (outcome, reason) in [
        (flag_answer(false, Some(900)), DropReason::FlagOff),
        (FlagOutcome::Refused { status: 500 }, DropReason::FlagFailed),
        (FlagOutcome::Unavailable, DropReason::FlagFailed),
    ] {
        let workspace = Workspace::new();
        workspace.flag(outcome);
        let facts = facts();
        let lease = attach(&facts, &patient(), &workspace);
        lease.root(&operations::CONNECTION_OPEN, None).end();
        assert!(lease.flush(PATIENCE));
        assert_eq!(workspace.posts().len(), 0);
        assert_eq!(lease.stats().dropped(reason), 1);
        assert!(lease.decision().is_off());
        assert!(!lease.root(&operations::STATEMENT_EXECUTE, None).is_recording());
        lease.close();

        let next = attach(&facts, &patient(), &workspace);
        assert!(next.decision().is_off(), "a no outlives the connection too");
        assert_eq!(workspace.flag_requests.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn they_wait_in_a_small_buffer() {
    let workspace = Workspace::new();
    workspace.flag(flag_answer(true, None));
    workspace.gate.shut();
    let lease = attach(
        &facts(),
        &Config {
            batch_size: 500,
            ..patient()
        },
        &workspace,
    );
    lease.root(&operations::CONNECTION_OPEN, None).end();
    workspace.gate.wait_for(1);
    for _ in 0..1000 {
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
    }
    let stats = lease.stats();
    assert_eq!(stats.recorded, 1001);
    assert_eq!(stats.dropped(DropReason::QueueFull), 1000 - 128);
    workspace.gate.open();
    lease.close();
    assert_eq!(workspace.logs().len(), 1 + 128);
}

#[test]
fn a_wish_does_not_overrule_a_no() {
    let workspace = Workspace::new();
    workspace.flag(flag_answer(false, None));
    let lease = attach(
        &facts(),
        &Config {
            enabled: Some(true),
            ..patient()
        },
        &workspace,
    );
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    lease.close();
    assert_eq!(workspace.posts().len(), 0);
}

#[test]
fn who_forces_it_does_not_wait_and_does_not_ask() {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &common::forced(), &workspace);
    assert_eq!(lease.decision().reason, Reason::Forced);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    lease.close();
    assert_eq!(workspace.logs().len(), 1);
    assert_eq!(workspace.flag_requests.load(Ordering::SeqCst), 0);
}

#[test]
fn without_credentials_the_flag_is_not_asked_for() {
    let workspace = Workspace::new();
    workspace.flag(flag_answer(true, None));
    workspace.without_credentials();
    let lease = attach(&facts(), &patient(), &workspace);
    lease.root(&operations::CONNECTION_OPEN, None).fail("auth_error");
    lease.close();
    assert_eq!(workspace.posts().len(), 0);
    assert_eq!(workspace.flag_requests.load(Ordering::SeqCst), 0);
    assert_eq!(lease.stats().dropped(DropReason::FlagFailed), 1);
}
