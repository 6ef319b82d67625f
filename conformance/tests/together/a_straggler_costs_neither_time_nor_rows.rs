//! One download that crawls, or stands still, is overtaken by a second try: all rows are there, each once, and telemetry tells of the
//! chunks as they came. Without a straggler nothing is asked for twice.

use std::collections::BTreeMap;

use adbc_databricks::Connection;
use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use conformance::{answers, connect_with, fault, logs_of_closed, query, statements, workspace};
use databricks_local::Workspace;
use serde_json::Value;

const SQL: &str = "SELECT * FROM samples.tpch.lineitem";
const ROWS: usize = 60_175;
/// Longer than anything else here takes, and what a crawling download would take at least.
const CRAWL_MS: u64 = 30_000;

fn connect(workspace: &Workspace, padding_s: &str) -> Connection {
    let options = [
        ("databricks.result.disposition", "EXTERNAL_LINKS"),
        ("databricks.result.compression", "NONE"),
        ("databricks.cloudfetch.straggler_padding_s", padding_s),
        ("adbc.databricks.telemetry.force_enabled", "true"),
    ];
    connect_with(workspace, &options).expect("a connection")
}

/// Something of every row.
fn sum(rows: &RecordBatch) -> i64 {
    rows.column(0).as_primitive::<Int64Type>().values().iter().sum()
}

/// How often each chunk's file was answered.
fn downloads(workspace: &Workspace) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers(workspace, "GET", |path| path.starts_with("/results/")) {
        *counts.entry(answer.path).or_default() += 1;
    }
    counts
}

/// The record of the one execution.
fn record(workspace: &Workspace, connection: Connection) -> Value {
    drop(connection);
    let logs = logs_of_closed(workspace, 1);
    let executions = statements(&logs);
    assert_eq!(executions.len(), 1, "{logs:#?}");
    executions[0]["sql_operation"].clone()
}

#[test]
fn a_straggler_costs_neither_time_nor_rows() {
    let usual = workspace();
    let mut connection = connect(&usual, "5");
    let rows = query(&mut connection, SQL).expect("rows");
    let expected = (rows.num_rows(), sum(&rows));
    assert_eq!(expected.0, ROWS);
    let counts = downloads(&usual);
    assert!(counts.len() >= 8, "neighbours enough: {counts:?}");
    assert!(
        counts.values().all(|count| *count == 1),
        "nobody fell behind: {counts:?}"
    );
    let told = record(&usual, connection);
    assert_eq!(told["retry_count"].as_u64().unwrap_or(0), 0, "{told:#}");

    // 128 pieces or so of the file, or nothing for a while.
    for (what, is_answered) in [("drip:2000:250ms*1", true), ("delay:30s*1", false)] {
        let workspace = workspace();
        let mut connection = connect(&workspace, "0.2");
        fault(&workspace, &format!("GET /results/={what}"));
        let rows = query(&mut connection, SQL).expect("rows");
        assert_eq!((rows.num_rows(), sum(&rows)), expected, "{what}");
        let again = downloads(&workspace);
        assert_eq!(again.len(), counts.len(), "{what}");
        if is_answered {
            assert!(again.values().any(|count| *count == 2), "a second try: {again:?}");
        }
        let told = record(&workspace, connection);
        assert!(told["retry_count"].as_u64() >= Some(1), "{what}: {told:#}");
        let chunks = &told["chunk_details"];
        for member in ["total_chunks_present", "total_chunks_iterated"] {
            assert_eq!(chunks[member].as_u64(), Some(counts.len() as u64), "{what}: {told:#}");
        }
        let slowest = chunks["slowest_chunk_latency_millis"].as_u64();
        assert!(
            slowest < Some(CRAWL_MS),
            "{what}: the one that crawled was not taken: {told:#}"
        );
    }
}
