//! The same rows in every format, on standard output or in a file.

use std::fs::File;
use std::io::Cursor;

use arrow::ipc::reader::StreamReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::{run, stderr, stdout, workspace};

const NATIONS: &str = "SELECT n_nationkey, n_name FROM samples.tpch.nation ORDER BY n_nationkey";

#[test]
fn table_csv_json_arrow_and_parquet() {
    let workspace = workspace(|builder| builder);
    let url = workspace.uri();
    let query = |format: &str| run(&["query", "--url", &url, "--format", format, NATIONS]);

    let table = query("table");
    assert!(stdout(&table).contains("│           0 ┆ ALGERIA"), "{}", stdout(&table));
    assert!(stderr(&table).contains("25 rows in"), "{}", stderr(&table));

    let csv = stdout(&query("csv"));
    assert_eq!(csv.lines().count(), 26);
    assert!(csv.starts_with("n_nationkey,n_name\n0,ALGERIA\n1,ARGENTINA\n"), "{csv}");

    let json = stdout(&query("json"));
    assert_eq!(json.lines().next(), Some(r#"{"n_nationkey":0,"n_name":"ALGERIA"}"#));
    assert_eq!(json.lines().count(), 25);

    let arrow = query("arrow").stdout;
    let rows: usize = StreamReader::try_new(Cursor::new(arrow), None)
        .expect("a stream")
        .map(|b| b.expect("a batch").num_rows())
        .sum();
    assert_eq!(rows, 25);

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("nations.parquet");
    let written = run(&[
        "query",
        "--url",
        &url,
        "--format",
        "parquet",
        "--output",
        path.to_str().expect("a name"),
        NATIONS,
    ]);
    assert!(written.status.success(), "{}", stderr(&written));
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("the file")).expect("Parquet");
    assert_eq!(
        reader
            .build()
            .expect("a reader")
            .map(|b| b.expect("a batch").num_rows())
            .sum::<usize>(),
        25
    );
}

#[test]
fn a_long_table_shows_its_head_and_counts_the_rest() {
    let output = run(&[
        "query",
        "--scale-factor",
        "0.01",
        "--show",
        "3",
        "SELECT * FROM samples.tpch.orders",
    ]);
    assert!(
        stdout(&output).contains("the first 3 of 15000 rows"),
        "{}",
        stdout(&output)
    );
    assert!(stderr(&output).contains("15,000 rows in"), "{}", stderr(&output));
}

#[test]
fn a_statement_without_a_result_says_ok() {
    let output = run(&["query", "--scale-factor", "0.01", "CREATE TABLE main.default.t (a INT)"]);
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).starts_with("OK in"), "{}", stderr(&output));
}
