//! While nobody reads, downloads stop at the memory budget; when reading goes on, every row is there.

use std::time::Duration;

use adbc_core::{Connection as _, Statement as _};
use conformance::{connect_with, workspace};

const CHUNK_BYTES: usize = 256 << 10;
const BUDGET_BYTES: usize = 4 << 20;

#[test]
fn a_slow_reader_holds_no_more_than_the_budget() {
    let workspace = workspace();
    let downloads = || {
        workspace
            .requests()
            .iter()
            .filter(|request| request.method == "GET" && !request.path.starts_with("/api/"))
            .count()
    };
    let options = [
        ("databricks.cloudfetch.memory_budget_bytes", &*BUDGET_BYTES.to_string()),
        ("databricks.cloudfetch.parallel_downloads", "64"),
        ("databricks.result.compression", "NONE"),
    ];
    let mut connection = connect_with(&workspace, &options).expect("a connection");
    let mut statement = connection.new_statement().expect("a statement");
    statement
        .set_sql_query("SELECT * FROM samples.tpch.lineitem")
        .expect("text");
    let mut reader = statement.execute().expect("a reader");
    let mut rows = reader.next().expect("a batch").expect("rows").num_rows();

    let mut before = 0;
    while downloads() != before || before == 0 {
        before = downloads();
        std::thread::sleep(Duration::from_millis(300));
    }
    // Chunks end with whole batches, so one may be larger than asked for; the one being read is no longer counted.
    let held = before - 1;
    assert!(
        held <= BUDGET_BYTES / CHUNK_BYTES + 1,
        "{held} chunks of {CHUNK_BYTES} bytes are held"
    );

    for batch in reader {
        rows += batch.expect("rows").num_rows();
    }
    assert_eq!(rows, 60_175);
    assert!(downloads() > before, "the budget never mattered");
}
