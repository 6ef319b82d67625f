//! Whatever happens to chunks and links on their way: all rows arrive, or the error says which chunk is missing and why.

use std::sync::Arc;

use adbc_core::error::Status;
use adbc_databricks::Connection;
use arrow::array::{AsArray as _, Int32Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::ipc::writer::StreamWriter;
use conformance::{answers, connect_with, fault, logs_of_closed, query, statements, workspace};
use databricks_local::{Fault, Workspace};
use serde_json::Value;

const SQL: &str = "SELECT l_orderkey FROM samples.tpch.lineitem";
const ROWS: usize = 60_175;
const CHUNKS: &str = "GET /results/";
const LINKS: &str = "GET /api/2.0/sql/statements/";

/// Impatient, and small: every fault is met, and several are in the middle of a result.
const OPTIONS: [(&str, &str); 4] = [
    ("databricks.retry.min_wait_ms", "1"),
    ("databricks.retry.max_wait_ms", "20"),
    ("databricks.cloudfetch.memory_budget_bytes", "1048576"),
    ("databricks.result.disposition", "EXTERNAL_LINKS"),
];

fn connect(workspace: &Workspace, more: &[(&str, &str)]) -> Connection {
    connect_with(workspace, &[&OPTIONS[..], more].concat()).expect("a connection")
}

/// Something of every row.
fn sum(rows: &RecordBatch) -> i64 {
    rows.column(0).as_primitive::<Int64Type>().values().iter().sum()
}

/// The record of the last of `count` executions, each on a connection of its own. There is one of each.
fn record(workspace: &Workspace, connection: Connection, count: usize) -> Value {
    drop(connection);
    workspace.clear_faults();
    let logs = logs_of_closed(workspace, count);
    let executions = statements(&logs);
    assert_eq!(executions.len(), count, "{logs:#?}");
    executions[count - 1].clone()
}

#[test]
fn what_passes_is_survived() {
    let workspace = workspace();
    let mut connection = connect(&workspace, &[]);
    let expected = sum(&query(&mut connection, SQL).expect("rows"));
    let mut count = 1;
    record(&workspace, connection, count);
    for compression in ["LZ4_FRAME", "NONE"] {
        for what in [
            "status:503:0*3",
            "status:429*3",
            "status:500*3",
            "status:403*2",
            "status:404*2",
            "drop*3",
            "cut:0*2",
            "cut:5000*3",
            "corrupt*2",
            "garbage*2",
            "huge:503:3000000*2",
            "drip:9000:1ms*3",
        ] {
            let mut connection = connect(&workspace, &[("databricks.result.compression", compression)]);
            fault(&workspace, &format!("{CHUNKS}={what}"));
            fault(&workspace, &format!("{LINKS}=status:503*2"));
            let rows = query(&mut connection, SQL).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!((rows.num_rows(), sum(&rows)), (ROWS, expected), "{what}");
            count += 1;
            let record = record(&workspace, connection, count);
            assert!(record["error_info"].is_null(), "{what}: {record:#}");
        }
    }
}

#[test]
fn what_does_not_pass_is_named() {
    let workspace = workspace();
    for (count, (what, status, says)) in (1..).zip([
        ("status:403", Status::IO, "new links"),
        ("status:503", Status::IO, "503"),
        ("cut:0", Status::IO, "retries"),
        ("corrupt", Status::Internal, "chunk"),
        ("garbage", Status::Internal, "chunk"),
        ("huge:500:3000000", Status::IO, "500"),
    ]) {
        let mut connection = connect(&workspace, &[("databricks.retry.max_retries", "3")]);
        fault(&workspace, &format!("{CHUNKS}={what}"));
        let error = query(&mut connection, SQL).expect_err(what);
        assert_eq!(error.status, status, "{what}: {error:?}");
        assert!(error.message.contains(says), "{what}: {error:?}");
        assert!(error.message.len() < 1000, "{what}: {} bytes", error.message.len());
        let record = record(&workspace, connection, count);
        assert!(record["error_info"]["error_name"].is_string(), "{what}: {record:#}");
    }
}

#[test]
fn a_file_of_another_result_is_refused() {
    let column = Arc::new(Int32Array::from_iter_values(0..ROWS as i32)) as arrow::array::ArrayRef;
    let other = RecordBatch::try_from_iter([("a", Arc::clone(&column)), ("b", column)]).expect("a batch");
    let mut writer = StreamWriter::try_new(Vec::new(), &other.schema()).expect("a stream");
    writer.write(&other).expect("rows");
    let workspace = workspace();
    let mut connection = connect(&workspace, &[("databricks.result.compression", "NONE")]);
    workspace.fault(Fault::Answer {
        path_prefix: CHUNKS.to_owned(),
        status: 200,
        body: writer.into_inner().expect("bytes").into(),
        times: u32::MAX,
    });
    let error = query(&mut connection, SQL).expect_err("two columns instead of one");
    assert!(error.message.contains("columns"), "{error:?}");
    let record = record(&workspace, connection, 1);
    assert!(record["error_info"]["error_name"].is_string(), "{record:#}");
}

#[test]
fn a_download_goes_on_where_it_broke() {
    let workspace = workspace();
    let mut connection = connect(&workspace, &[]);
    fault(&workspace, &format!("{CHUNKS}=cut:5000*1"));
    let rows = query(&mut connection, SQL).expect("rows");
    assert_eq!(rows.num_rows(), ROWS);
    let parts = answers(&workspace, "GET", |path| path.starts_with("/results/"))
        .iter()
        .filter(|answer| answer.status == 206)
        .count();
    assert_eq!(parts, 1, "the rest of the one file that broke");
}
