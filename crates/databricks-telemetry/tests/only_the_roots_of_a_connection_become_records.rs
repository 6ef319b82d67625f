//! The listener takes the roots that connections start, and nothing else: no activity of another source, no child, no
//! root that belongs to no connection. A root that nothing was noted of is a record all the same.

mod common;

use activity::testing::Recorder;
use activity::{EventKind, Level, Operation, Source};
use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{SOURCE, kinds, operations, tags};

static FOREIGN: Source = Source::new("somebody else's", &tags::TABLE);
static UNKNOWN: Operation = Operation::new("Unknown", EventKind::NONE);

#[test]
fn only_the_roots_of_a_connection_become_records() {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    let recorder = Recorder::new(Level::Metrics);
    let _registrations = [recorder.listen_to(&FOREIGN), recorder.listen_to(&SOURCE)];

    // Another source, with the same tags and the same operation.
    FOREIGN.start(&operations::STATEMENT_EXECUTE).end();
    // Ours, of no connection.
    SOURCE.start(&operations::STATEMENT_EXECUTE).end();
    // Of the connection, but of no kind that is exported.
    lease.root(&UNKNOWN, None).end();
    // A child that looks like a statement is a part of its root.
    let root = lease.root(&operations::STATEMENT_EXECUTE, None);
    assert_eq!(operations::STATEMENT_EXECUTE.kind(), kinds::STATEMENT);
    root.child(&operations::STATEMENT_EXECUTE).end();
    root.end();

    // The recorder also sees what the other test of this process does.
    assert!(recorder.completed().len() >= 5, "all of them happened");
    assert!(lease.flush(PATIENCE));
    assert_eq!(lease.stats().recorded, 1);
    assert_eq!(workspace.logs().len(), 1);
}

#[test]
fn a_root_that_nothing_was_noted_of_is_a_record() {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    assert!(lease.flush(PATIENCE));
    let logs = workspace.driver_logs();
    assert_eq!(logs.len(), 1);
    assert_eq!((&logs[0].session_id, &logs[0].sql_statement_id), (&None, &None));
    assert_eq!(logs[0].error_info, None);
    assert!(lease.stats().incomplete >= 1, "and counted as one that lacks something");
}
