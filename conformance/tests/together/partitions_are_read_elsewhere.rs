//! A statement is executed on one connection, and the parts of its result are read on others: every row arrives once, whoever reads.

use std::sync::Arc;
use std::thread;

use adbc_core::error::{Error, Result, Status};
use adbc_core::{Connection as _, PartitionedResult, Statement as _};
use adbc_databricks::Connection;
use arrow::array::{AsArray as _, Int64Array, RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use conformance::{
    answers, connect, connect_with, fault, logs, logs_of_closed, operation_type, query, start, statement, statements,
    workspace,
};
use databricks_local::Workspace;

const LINES: &str =
    "SELECT l_orderkey * 10 + l_linenumber AS line, l_shipdate, current_timestamp() AS at FROM samples.tpch.lineitem";
const ROWS: usize = 60_175;

fn execute(connection: &mut Connection, sql: &str) -> PartitionedResult {
    statement(connection, sql).execute_partitions().expect("partitions")
}

fn read(connection: &Connection, partition: &[u8]) -> Result<RecordBatch> {
    let reader = connection.read_partition(partition)?;
    let schema = reader.schema();
    let batches = reader
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| match error {
            arrow::error::ArrowError::ExternalError(source) => match source.downcast::<adbc_databricks::Error>() {
                Ok(error) => Error::from(*error),
                Err(source) => panic!("{source}"),
            },
            other => panic!("{other}"),
        })?;
    Ok(concat_batches(&schema, &batches).expect("batches of one schema"))
}

fn lines(batches: &[RecordBatch]) -> Vec<i64> {
    let values = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    let mut all: Vec<i64> = batches.iter().flat_map(values).collect();
    all.sort_unstable();
    all
}

/// Requests that end a statement.
fn endings(workspace: &Workspace) -> usize {
    let about = |path: &str| path.starts_with("/api/2.0/sql/statements/");
    answers(workspace, "DELETE", about).len() + answers(workspace, "POST", |path| path.ends_with("/cancel")).len()
}

#[test]
fn every_row_of_every_chunk_arrives_once_after_the_executing_connection_is_gone() {
    let workspace = workspace();
    let mut executing = connect(&workspace);
    let result = execute(&mut executing, LINES);
    assert!(result.partitions.len() > 3, "{} partitions", result.partitions.len());
    assert_eq!(result.rows_affected, ROWS as i64);
    drop(executing);

    let readers = [connect(&workspace), connect(&workspace)];
    // Backwards, and by two at once.
    let partitions: Vec<_> = result.partitions.iter().rev().enumerate().collect();
    let batches = thread::scope(|scope| {
        let halves = readers.iter().enumerate().map(|(which, connection)| {
            let mine = partitions.iter().filter(move |(place, _)| place % 2 == which);
            scope.spawn(move || {
                mine.map(|(_, one)| read(connection, one).expect("rows"))
                    .collect::<Vec<_>>()
            })
        });
        let running: Vec<_> = halves.collect();
        running
            .into_iter()
            .flat_map(|half| half.join().expect("a reader"))
            .collect::<Vec<_>>()
    });
    for batch in &batches {
        assert_eq!(*batch.schema(), result.schema, "what was announced is what comes");
    }
    let found = lines(&batches);
    let mut whole = connect(&workspace);
    assert_eq!(found, lines(&[query(&mut whole, LINES).expect("rows")]));
    assert_eq!(found.len(), ROWS);
    // And again, since nobody closed anything.
    let again = read(&readers[0], &result.partitions[1]).expect("rows");
    assert!(batches.contains(&again), "the same rows as before");
}

#[test]
fn nothing_ends_the_statement_that_partitions_are_read_of() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let result = execute(&mut connection, LINES);
    read(&connection, &result.partitions[0]).expect("rows");
    // Dropped in the middle, and called off.
    drop(connection.read_partition(&result.partitions[1]).expect("a reader"));
    let reader = connection.read_partition(&result.partitions[1]).expect("a reader");
    connection
        .get_cancel_handle()
        .try_cancel()
        .expect("there is something to cancel");
    let error = reader.last().expect("an end").expect_err("it was cancelled");
    assert!(error.to_string().contains("cancel"), "{error}");
    read(&connection, &result.partitions[1]).expect("rows");
    drop(connection);
    logs_of_closed(&workspace, 1);
    assert_eq!(endings(&workspace), 0);
}

#[test]
fn one_record_of_the_execution_and_one_of_each_reading() {
    let workspace = workspace();
    let mut executing = connect(&workspace);
    let count = execute(&mut executing, LINES).partitions.len();
    drop(executing);
    let logs_of_one = logs_of_closed(&workspace, 1);
    let executed = statements(&logs_of_one);
    assert_eq!(executed.len(), 1, "{logs_of_one:#?}");
    assert_eq!(logs_of_one.len(), 3, "opened, executed, closed: {logs_of_one:#?}");
    let details = &executed[0]["sql_operation"]["chunk_details"];
    assert_eq!(details["total_chunks_present"], count, "{details:#}");
    assert!(executed[0].get("error_info").is_none(), "{executed:#?}");

    let mut executing = connect(&workspace);
    let result = execute(&mut executing, LINES);
    drop(executing);
    let before = logs_of_closed(&workspace, 2).len();
    let reading = connect(&workspace);
    read(&reading, &result.partitions[2]).expect("rows");
    drop(reading);
    logs_of_closed(&workspace, 3);
    let all = logs(&workspace, before + 3);
    let untyped: Vec<_> = all.iter().filter(|log| operation_type(log).is_empty()).collect();
    let [read] = untyped[..] else { panic!("{all:#?}") };
    assert_eq!(read["sql_statement_id"], statements(&all)[1]["sql_statement_id"]);
    assert_ne!(read["session_id"], statements(&all)[1]["session_id"]);
    let operation = &read["sql_operation"];
    assert_eq!(operation["execution_result"], "EXTERNAL_LINKS");
    assert_eq!(operation["is_compressed"], true);
    assert_eq!(operation["chunk_details"]["total_chunks_present"], 1, "{read:#}");
    assert_eq!(operation["chunk_details"]["total_chunks_iterated"], 1, "{read:#}");
    assert!(read["operation_latency_ms"].is_i64(), "{read:#}");
}

#[test]
fn a_sorted_result_is_one_partition_in_its_order() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let result = execute(&mut connection, &format!("{LINES} ORDER BY line DESC"));
    assert_eq!(result.partitions.len(), 1);
    let rows = read(&connect(&workspace), &result.partitions[0]).expect("rows");
    assert_eq!(rows.num_rows(), ROWS);
    assert!(
        rows.column(0)
            .as_primitive::<Int64Type>()
            .values()
            .is_sorted_by(|one, next| one > next)
    );
}

#[test]
fn small_empty_and_json_results_are_read_the_same_way() {
    let workspace = workspace();
    for options in [
        &[][..],
        &[("databricks.result.format", "JSON_ARRAY")],
        &[("databricks.result.disposition", "INLINE")],
    ] {
        let mut connection = connect_with(&workspace, options).expect("a connection");
        let result = execute(&mut connection, "SELECT 7 AS a, 'x' AS b");
        assert_eq!(result.partitions.len(), 1);
        let elsewhere = connect(&workspace);
        let rows = read(&elsewhere, &result.partitions[0]).expect("rows");
        assert_eq!((rows.num_rows(), rows.schema().as_ref()), (1, &result.schema));

        let result = execute(&mut connection, "SELECT 7 AS a WHERE 1 = 0");
        assert!(result.partitions.len() <= 1);
        assert_eq!(result.schema.field(0).name(), "a");
        for partition in &result.partitions {
            assert_eq!(read(&elsewhere, partition).expect("no rows").num_rows(), 0);
        }
    }
}

#[test]
fn parameters_are_sent_along_and_several_rows_of_them_refused() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let rows = |values: Vec<i64>| {
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(values)) as _)]).expect("a batch")
    };
    let mut statement = statement(&mut connection, "SELECT CAST(? AS BIGINT) + 1 AS next");
    statement.bind(rows(vec![41])).expect("bound");
    let result = statement.execute_partitions().expect("partitions");
    assert_eq!(
        lines(&[read(&connect(&workspace), &result.partitions[0]).expect("rows")]),
        [42]
    );
    statement.bind(rows(vec![1, 2])).expect("bound");
    let refused = statement.execute_partitions().expect_err("two rows");
    assert_eq!(refused.status, Status::NotImplemented);
}

#[test]
fn what_is_no_partition_of_this_workspace_is_an_invalid_argument() {
    let (workspace, other) = (workspace(), workspace());
    let mut connection = connect(&workspace);
    let partition = execute(&mut connection, "SELECT 1").partitions.remove(0);
    let text = String::from_utf8(partition.clone()).expect("text");
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1).into_bytes()
    };
    let before = answers(&workspace, "GET", |_| true).len();
    for garbage in [
        Vec::new(),
        b"no such thing".to_vec(),
        b"{}".to_vec(),
        partition[..partition.len() / 2].to_vec(),
        changed("\"databricks_partition\":1", "\"databricks_partition\":2"),
        changed("\"statement_id\":\"", "\"statement_id\":\"../../2.0/secrets/"),
        changed("\"first_chunk\":0", "\"first_chunk\":18446744073709551615"),
    ] {
        let error = connection.read_partition(&garbage).map(drop).expect_err("garbage");
        assert_eq!(error.status, Status::InvalidArguments, "{error}");
    }
    let error = connect(&other)
        .read_partition(&partition)
        .map(drop)
        .expect_err("another workspace");
    assert_eq!(error.status, Status::InvalidArguments, "{error}");
    assert_eq!(answers(&workspace, "GET", |_| true).len(), before, "nobody was asked");
    assert_eq!(read(&connection, &partition).expect("a row").num_rows(), 1);
}

#[test]
fn a_descriptor_is_small_and_holds_neither_links_nor_text_nor_credentials() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let result = execute(&mut connection, &format!("{LINES} WHERE 'canary' <> ''"));
    for partition in &result.partitions {
        let text = String::from_utf8_lossy(partition);
        assert!(partition.len() < 700, "{text}");
        for secret in ["canary", "signature", "/results/", "http", workspace.token()] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn links_that_expired_and_storage_that_falters_cost_no_row() {
    let workspace = start(|builder| builder.link_ttl(std::time::Duration::from_secs(2)));
    let retry = [
        ("databricks.retry.min_wait_ms", "1"),
        ("databricks.retry.max_wait_ms", "20"),
    ];
    let mut connection = connect_with(&workspace, &retry).expect("a connection");
    let result = execute(&mut connection, LINES);
    // The links that the execution was given are of no use to anybody by now.
    thread::sleep(std::time::Duration::from_millis(2100));
    let reading = connect_with(&workspace, &retry).expect("a connection");
    fault(&workspace, "GET /results/=status:403*2");
    let batches: Vec<_> = result
        .partitions
        .iter()
        .map(|one| read(&reading, one).expect("rows"))
        .collect();
    assert_eq!(lines(&batches).len(), ROWS);
}

#[test]
fn a_result_that_the_server_has_forgotten_is_not_found() {
    // Long enough for the answer and its first chunk on a busy machine.
    let workspace = start(|builder| builder.result_ttl(std::time::Duration::from_secs(2)));
    let mut connection = connect(&workspace);
    let result = execute(&mut connection, "SELECT 1");
    let deadline = std::time::Instant::now() + conformance::DELIVERY;
    while read(&connection, &result.partitions[0]).is_ok() {
        assert!(std::time::Instant::now() < deadline, "never forgotten");
        thread::sleep(std::time::Duration::from_millis(20));
    }
    // The first failure may be of a reading that had begun before.
    let error = read(&connection, &result.partitions[0]).unwrap_err();
    assert_eq!(error.status, Status::NotFound, "{error}");
    assert!(error.message.contains("one hour"), "{error}");
}
