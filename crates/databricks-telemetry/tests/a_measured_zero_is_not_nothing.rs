//! Latencies are those of the user's call, a measured zero is sent, and what was not measured is not.

mod common;

use std::time::Duration;

use activity::Operation;
use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{OperationType, ResultFormat, StatementKind, operations, tags};
use databricks_wire::telemetry::DriverLog;
use proptest::prelude::*;

fn log_of(operation: &'static Operation, fill: impl FnOnce(&mut activity::Activity)) -> DriverLog<'static> {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    let mut root = lease.root(operation, None);
    fill(&mut root);
    drop(root);
    assert!(lease.flush(PATIENCE));
    workspace.driver_logs().remove(0)
}

#[test]
fn a_measured_zero_is_sent() {
    let log = log_of(&operations::STATEMENT_METADATA, |root| {
        root.set(tags::STATEMENT_TYPE, StatementKind::Metadata);
        root.set(tags::OPERATION_TYPE, OperationType::ListTableTypes);
        root.set(tags::OPERATION_LATENCY, Duration::ZERO);
        root.set(tags::POLL_COUNT, 0);
    });
    assert_eq!(log.operation_latency_ms, Some(0));
    let operation = log.sql_operation.unwrap();
    assert_eq!(operation.operation_detail.unwrap().n_operation_status_calls, Some(0));
    assert_eq!(
        (operation.retry_count, operation.is_compressed, operation.result_latency),
        (None, None, None)
    );
}

#[test]
fn the_time_to_read_a_result_is_no_latency() {
    let log = log_of(&operations::STATEMENT_EXECUTE, |root| {
        root.set(tags::RESULT_READY_LATENCY, Duration::from_millis(20));
    });
    assert_eq!(
        log.operation_latency_ms, None,
        "the driver did not note when the call returned"
    );

    let log = log_of(&operations::STATEMENT_EXECUTE, |root| {
        root.set(tags::OPERATION_LATENCY, Duration::from_millis(25));
        root.set(tags::RESULT_READY_LATENCY, Duration::from_millis(20));
        root.fail("chunk_download_error");
    });
    assert_eq!(
        log.operation_latency_ms,
        Some(25),
        "a failure while reading does not change it"
    );
}

#[test]
fn calls_that_return_no_rows_last_as_long_as_their_activity() {
    for operation in [
        &operations::CONNECTION_OPEN,
        &operations::CONNECTION_CLOSE,
        &operations::STATEMENT_METADATA,
        &operations::STATEMENT_CANCEL,
        &operations::STATEMENT_CLOSE,
    ] {
        assert!(
            log_of(operation, |_| {}).operation_latency_ms.is_some(),
            "{}",
            operation.name()
        );
    }
}

#[test]
fn inline_results_have_no_chunks() {
    for format in ResultFormat::ALL {
        let log = log_of(&operations::STATEMENT_EXECUTE, |root| {
            root.set(tags::RESULT_FORMAT, *format);
            root.set(tags::RESULT_CHUNK_COUNT, 1);
            root.set(tags::CHUNK_INITIAL_LATENCY, Duration::from_millis(5));
        });
        let chunks = log.sql_operation.unwrap().chunk_details;
        assert_eq!(chunks.is_some(), *format == ResultFormat::ExternalLinks, "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever was measured by whom, and in whatever order: initial ≤ slowest ≤ sum, iterated ≤ present.
    #[test]
    fn chunk_details_are_consistent(
        initial in prop::option::of(0u64..10_000_000_000),
        slowest in prop::option::of(0u64..10_000_000_000),
        sum in prop::option::of(0u64..10_000_000_000),
        present in prop::option::of(0u64..100),
        iterated in prop::option::of(0u64..100),
    ) {
        let log = log_of(&operations::STATEMENT_EXECUTE, |root| {
            root.set(tags::RESULT_FORMAT, ResultFormat::ExternalLinks);
            if let Some(ns) = initial { root.set(tags::CHUNK_INITIAL_LATENCY, Duration::from_nanos(ns)); }
            if let Some(ns) = slowest { root.set(tags::CHUNK_SLOWEST_LATENCY, Duration::from_nanos(ns)); }
            if let Some(ns) = sum { root.set(tags::CHUNK_DOWNLOAD_TIME, Duration::from_nanos(ns)); }
            if let Some(count) = present { root.set(tags::RESULT_CHUNK_COUNT, count); }
            if let Some(count) = iterated { root.set(tags::RESULT_CHUNKS_ITERATED, count); }
        });
        let chunks = log.sql_operation.unwrap().chunk_details.unwrap();
        let (a, b, c) = (
            chunks.initial_chunk_latency_millis,
            chunks.slowest_chunk_latency_millis,
            chunks.sum_chunks_download_time_millis,
        );
        prop_assert!(a <= b && b <= c, "{chunks:?}");
        if let (Some(present), Some(iterated)) = (chunks.total_chunks_present, chunks.total_chunks_iterated) {
            prop_assert!(iterated <= present);
        }
        prop_assert_eq!(chunks.total_chunks_present, present.map(|count| count as i32));
        prop_assert_eq!(a, initial.map(|ns| (ns / 1_000_000) as i64));
    }
}
