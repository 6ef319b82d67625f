//! When the queue is full, the newest record that is neither an error nor a connection is dropped, and counted.

mod common;

use std::borrow::Cow;

use activity::Id;
use common::{Workspace, attach, facts, forced};
use databricks_telemetry::{Config, DropReason, Lease, operations, tags};

fn statement(lease: &Lease, id: &str, failed: bool) {
    let mut statement = lease.root(&operations::STATEMENT_EXECUTE, None);
    statement.set(tags::STATEMENT_ID, Id::new(id).unwrap());
    if failed {
        statement.fail("timeout");
    }
}

// One test: the memory that all queues of the process share is the other's too.
#[test]
fn a_full_queue_drops_the_newest_success_first() {
    errors_push_successes_out();
    errors_do_not_push_errors_out();
}

fn errors_push_successes_out() {
    let workspace = Workspace::new();
    workspace.gate.shut();
    // A batch of 500: what waits stays in the queue while the first request hangs.
    let lease = attach(
        &facts(),
        &Config {
            batch_size: 500,
            ..forced()
        },
        &workspace,
    );
    lease.root(&operations::CONNECTION_OPEN, None).end();
    workspace.gate.wait_for(1);

    let mut successes = 0;
    while lease.stats().dropped(DropReason::QueueFull) == 0 {
        statement(&lease, &format!("success-{successes}"), false);
        successes += 1;
    }
    assert!(successes > 200, "the queue holds {successes} records");
    let newest = successes - 2; // the one after it was dropped
    statement(&lease, "error-0", true);
    statement(&lease, "error-1", true);
    statement(&lease, "one-success-too-many", false);
    assert_eq!(lease.stats().dropped(DropReason::QueueFull), 4);

    workspace.gate.open();
    lease.close();
    let sent: Vec<_> = workspace
        .driver_logs()
        .into_iter()
        .filter_map(|log| log.sql_statement_id.map(Cow::into_owned))
        .collect();
    assert!(sent.contains(&"error-0".to_owned()) && sent.contains(&"error-1".to_owned()));
    assert!(sent.contains(&"success-0".to_owned()), "the oldest stays");
    assert!(sent.contains(&format!("success-{}", newest - 2)));
    assert!(!sent.contains(&format!("success-{newest}")) && !sent.contains(&format!("success-{}", newest - 1)));
    let stats = lease.stats();
    assert_eq!(stats.recorded, stats.delivered + stats.dropped_total());
}

fn errors_do_not_push_errors_out() {
    let workspace = Workspace::new();
    workspace.gate.shut();
    let lease = attach(
        &facts(),
        &Config {
            batch_size: 500,
            ..forced()
        },
        &workspace,
    );
    lease.root(&operations::CONNECTION_OPEN, None).end();
    workspace.gate.wait_for(1);
    let mut errors = 0;
    while lease.stats().dropped(DropReason::QueueFull) == 0 {
        statement(&lease, &format!("error-{errors}"), true);
        errors += 1;
    }
    workspace.gate.open();
    lease.close();
    let sent: Vec<_> = workspace
        .driver_logs()
        .into_iter()
        .filter_map(|log| log.sql_statement_id.map(Cow::into_owned))
        .collect();
    assert_eq!(sent.len(), errors - 1);
    assert_eq!(sent.last().unwrap(), &format!("error-{}", errors - 2));
}
