//! Closing a connection whose telemetry endpoint hangs returns while it still hangs, and the next one does not wait
//! again.

mod common;

use std::time::Duration;

use common::{Workspace, attach, facts, forced};
use databricks_telemetry::{Config, DropReason, operations};

#[test]
fn closing_does_not_wait_for_a_hanging_endpoint() {
    let workspace = Workspace::new();
    workspace.gate.shut();
    let facts = facts();
    let config = Config {
        close_timeout: Duration::from_secs(3600),
        ..forced()
    };
    let lease = attach(&facts, &config, &workspace);
    lease.root(&operations::CONNECTION_OPEN, None).end();
    workspace.gate.wait_for(1);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    // The gate is opened below, after this has returned.
    lease.close();
    assert_eq!(lease.stats().abandoned_workers, 1);
    assert_eq!(lease.stats().dropped(DropReason::Closed), 1, "the statement never left");
    lease.close();

    let next = attach(&facts, &config, &workspace);
    next.root(&operations::CONNECTION_OPEN, None).end();
    next.close();
    assert_eq!(
        next.stats().dropped(DropReason::BreakerOpen),
        1,
        "nothing was tried again"
    );
    assert_eq!(next.stats().abandoned_workers, 0, "and the worker was joined");
    assert_eq!(workspace.posts().len(), 1);

    workspace.gate.open();
    common::until("the abandoned worker's request", || lease.stats().delivered == 1);
}

#[test]
fn closing_does_not_wait_for_a_hanging_flag() {
    let workspace = Workspace::new();
    workspace.gate.shut();
    let facts = facts();
    let lease = attach(
        &facts,
        &Config {
            close_timeout: Duration::from_secs(3600),
            ..common::patient()
        },
        &workspace,
    );
    lease.root(&operations::CONNECTION_OPEN, None).end();
    workspace.gate.wait_for(1);
    lease.close();
    assert_eq!(workspace.posts().len(), 0);
    workspace.gate.open();
    common::until("the abandoned worker's end", || lease.stats().dropped_total() == 1);
    assert_eq!(workspace.posts().len(), 0, "an answer after the close sends nothing");
}

#[test]
fn no_time_to_close_means_no_wait() {
    let workspace = Workspace::new();
    workspace.gate.shut();
    let lease = attach(
        &facts(),
        &Config {
            close_timeout: Duration::ZERO,
            ..forced()
        },
        &workspace,
    );
    lease.root(&operations::CONNECTION_OPEN, None).end();
    lease.close();
    workspace.gate.open();
    common::until("every record's fate", || {
        let stats = lease.stats();
        stats.recorded == stats.delivered + stats.refused + stats.dropped_total()
    });
}

#[test]
fn an_endpoint_that_answered_before_is_given_the_time_of_the_option() {
    let workspace = Workspace::new();
    let config = Config {
        close_timeout: Duration::from_millis(10),
        ..forced()
    };
    let lease = attach(&facts(), &config, &workspace);
    lease.root(&operations::CONNECTION_OPEN, None).end();
    assert!(lease.flush(common::PATIENCE));
    workspace.gate.shut();
    lease.root(&operations::CONNECTION_CLOSE, None).end();
    workspace.gate.wait_for(1);
    lease.close();
    assert_eq!(lease.stats().abandoned_workers, 1);
    workspace.gate.open();

    // With more time, the same is delivered.
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    lease.root(&operations::CONNECTION_OPEN, None).end();
    assert!(lease.flush(common::PATIENCE));
    workspace.gate.shut();
    lease.root(&operations::CONNECTION_CLOSE, None).end();
    workspace.gate.wait_for(1);
    std::thread::scope(|scope| {
        scope.spawn(|| lease.close());
        // Closed to new records, and still waiting for the last one.
        common::until("the close", || {
            !lease.root(&operations::STATEMENT_EXECUTE, None).is_recording()
        });
        workspace.gate.open();
    });
    assert!(
        lease.stats().delivered >= 2,
        "what was queued before the close is delivered"
    );
    assert_eq!(lease.stats().abandoned_workers, 0);
}

#[test]
fn a_flush_gives_up_in_time() {
    let workspace = Workspace::new();
    workspace.gate.shut();
    let lease = attach(&facts(), &forced(), &workspace);
    lease.root(&operations::CONNECTION_OPEN, None).end();
    workspace.gate.wait_for(1);
    assert!(!lease.flush(Duration::from_millis(1)));
    workspace.gate.open();
    assert!(lease.flush(common::PATIENCE));
}
