//! A statement that is read to its end, let go early, failed, cancelled, or outlived by its readers, is one record.

mod common;

use std::time::Duration;

use activity::{Activity, Id};
use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{ErrorCategory, Lease, operations, tags};
use databricks_wire::telemetry::{DriverLog, OperationType};

/// Runs one statement to its end and gives what the workspace got.
fn record_of(run: impl FnOnce(&Lease, Activity)) -> DriverLog<'static> {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    let mut statement = lease.root(&operations::STATEMENT_EXECUTE, None);
    assert!(statement.is_recording());
    statement.set(tags::STATEMENT_ID, Id::new("01f0-statement").unwrap());
    run(&lease, statement);
    lease.close();
    let logs = workspace.driver_logs();
    assert_eq!(logs.len(), 1);
    let stats = lease.stats();
    assert_eq!((stats.recorded, stats.delivered, stats.dropped_total()), (1, 1, 0));
    logs.into_iter().next().unwrap()
}

fn download(statement: &Activity, took: Duration) {
    let mut chunk = statement.child(&operations::CLOUDFETCH_DOWNLOAD);
    chunk.set(tags::CHUNK_INITIAL_LATENCY, took);
    chunk.set(tags::CHUNK_SLOWEST_LATENCY, took);
    chunk.set(tags::CHUNK_DOWNLOAD_TIME, took);
    chunk.set(tags::RESULT_CHUNKS_ITERATED, 1);
}

#[test]
fn read_to_the_end() {
    let log = record_of(|_, mut statement| {
        for _ in 0..3 {
            statement.child(&operations::STATEMENT_POLL).set(tags::POLL_COUNT, 1);
        }
        statement.set(tags::OPERATION_LATENCY, Duration::from_millis(1502));
        statement.set(tags::RESULT_FORMAT, databricks_telemetry::ResultFormat::ExternalLinks);
        statement.set(tags::RESULT_CHUNK_COUNT, 2);
        download(&statement, Duration::from_millis(180));
        download(&statement, Duration::from_millis(410));
    });
    assert_eq!(log.sql_statement_id.as_deref(), Some("01f0-statement"));
    assert_eq!(log.operation_latency_ms, Some(1502));
    assert_eq!(log.error_info, None);
    let operation = log.sql_operation.unwrap();
    let chunks = operation.chunk_details.unwrap();
    assert_eq!(chunks.initial_chunk_latency_millis, Some(180));
    assert_eq!(chunks.slowest_chunk_latency_millis, Some(410));
    assert_eq!(chunks.sum_chunks_download_time_millis, Some(590));
    assert_eq!(
        (chunks.total_chunks_present, chunks.total_chunks_iterated),
        (Some(2), Some(2))
    );
    let detail = operation.operation_detail.unwrap();
    assert_eq!(detail.operation_type, Some(OperationType::ExecuteStatementAsync));
    assert_eq!(detail.n_operation_status_calls, Some(3));
}

#[test]
fn with_a_statement_inside() {
    let log = record_of(|_, statement| {
        let mut inner = statement.child(&operations::STATEMENT_UPDATE);
        inner.set(tags::STATEMENT_ID, Id::new("01f0-inner").unwrap());
    });
    assert_eq!(
        log.sql_statement_id.as_deref(),
        Some("01f0-statement"),
        "only roots are records"
    );
}

#[test]
fn dropped_early() {
    let log = record_of(|_, statement| drop(statement));
    assert_eq!(log.error_info, None);
    let detail = log.sql_operation.unwrap().operation_detail.unwrap();
    assert_eq!(detail.operation_type, Some(OperationType::ExecuteStatement));
    assert_eq!(detail.n_operation_status_calls, None, "not measured is not zero");
}

#[test]
fn failed() {
    let log = record_of(|_, mut statement| {
        statement.set(tags::ERROR_TYPE, ErrorCategory::SyntaxError);
        statement.fail("syntax_error");
        statement.fail("timeout");
    });
    assert_eq!(log.error_info.unwrap().error_name.as_deref(), Some("syntax_error"));
    assert!(
        log.operation_latency_ms.is_some(),
        "a statement that failed lasted as long as its call"
    );
}

#[test]
fn failed_with_a_name_that_is_no_category() {
    let log = record_of(|_, mut statement| statement.fail("could not find table secret_customers"));
    assert_eq!(log.error_info.unwrap().error_name.as_deref(), Some("error"));
}

#[test]
fn cancelled() {
    let log = record_of(|_, mut statement| statement.cancel());
    assert_eq!(log.error_info.unwrap().error_name.as_deref(), Some("cancelled"));
}

#[test]
fn outlived_by_a_download_on_another_thread() {
    let log = record_of(|lease, statement| {
        let handle = statement.parent_handle();
        statement.end();
        assert!(lease.flush(PATIENCE));
        assert_eq!(lease.stats().recorded, 0, "the record waits for its children");
        std::thread::spawn(move || {
            let mut chunk = handle.child(&operations::CLOUDFETCH_DOWNLOAD);
            chunk.add(tags::RETRY_COUNT, 2);
        })
        .join()
        .unwrap();
    });
    assert_eq!(log.sql_operation.unwrap().retry_count, Some(2));
}

#[test]
fn outliving_its_connection() {
    let workspace = Workspace::new();
    let facts = facts();
    let closed = attach(&facts, &forced(), &workspace);
    let still_open = attach(&facts, &forced(), &workspace);
    let statement = closed.root(&operations::STATEMENT_EXECUTE, None);
    closed.close();
    assert!(!closed.root(&operations::STATEMENT_EXECUTE, None).is_recording());
    statement.end();
    still_open.close();
    assert_eq!(workspace.logs().len(), 1);

    // Without any connection left there is nobody to send it, which is counted.
    let last = attach(&facts, &forced(), &workspace);
    let statement = last.root(&operations::STATEMENT_EXECUTE, None);
    last.close();
    statement.end();
    assert_eq!(workspace.logs().len(), 1);
    assert_eq!(last.stats().dropped(databricks_telemetry::DropReason::Closed), 1);
}
