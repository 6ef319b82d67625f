//! However an execution ends, it leaves one record, which says how.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use adbc_core::Statement as _;
use adbc_core::error::Status;
use adbc_databricks::Connection;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchReader, StringArray};
use arrow::error::ArrowError;
use conformance::{DELIVERY, answers, connect, connect_with, logs_of_closed, of_type, operation_type, statement};
use conformance::{query, statements, workspace};
use databricks_local::{Fault, Workspace};
use serde_json::Value;

const ROWS: usize = 60_175;
const IN_CHUNKS: &str = "SELECT * FROM samples.tpch.lineitem";
const ENDLESS: &str = "SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b WHERE (a.id + b.id) % 7 = 3";

/// The next chunk is downloaded when the reader has handed out the one before, and a failure is final.
const ONE_BY_ONE: [(&str, &str); 3] = [
    ("databricks.cloudfetch.memory_budget_bytes", "1"),
    ("databricks.cloudfetch.parallel_downloads", "1"),
    ("databricks.retry.max_retries", "0"),
];

type Reader = Box<dyn RecordBatchReader + Send>;

fn reader(connection: &mut Connection, sql: &str) -> Reader {
    statement(connection, sql).execute().expect("a reader")
}

fn first(reader: &mut Reader) -> usize {
    reader.next().expect("a batch").expect("rows").num_rows()
}

fn driver_error(error: &ArrowError) -> &adbc_databricks::Error {
    let ArrowError::ExternalError(source) = error else {
        panic!("not the driver's: {error}");
    };
    source.downcast_ref().expect("the driver's error")
}

fn rest(reader: Reader) -> usize {
    reader.map(|batch| batch.expect("rows").num_rows()).sum()
}

/// How the executions of one closed session ended: error categories in alphabetical order, successes first. Each has a
/// record and a statement of its own, if there was a statement at all.
fn endings(logs: &[Value]) -> Vec<Option<&str>> {
    let executions = statements(logs);
    let mut ids: Vec<_> = executions
        .iter()
        .filter_map(|log| log["sql_statement_id"].as_str())
        .collect();
    let known = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), known, "two records of one statement: {logs:#?}");
    assert_eq!(of_type(logs, "CREATE_SESSION").len(), 1);
    assert_eq!(of_type(logs, "DELETE_SESSION").len(), 1);
    let mut endings: Vec<_> = executions
        .iter()
        .map(|log| log["error_info"]["error_name"].as_str())
        .collect();
    endings.sort_unstable();
    endings
}

fn only(logs: &[Value]) -> &Value {
    let executions = statements(logs);
    assert_eq!(executions.len(), 1, "{logs:#?}");
    executions[0]
}

fn submissions(workspace: &Workspace) -> usize {
    answers(workspace, "POST", |path| path == "/api/2.0/sql/statements").len()
}

/// How often the server was told about statements, and that telemetry says the same.
fn told(workspace: &Workspace, logs: &[Value]) -> (usize, usize) {
    let cancels = answers(workspace, "POST", |path| path.ends_with("/cancel")).len();
    let closes = answers(workspace, "DELETE", |path| path.starts_with("/api/2.0/sql/statements/")).len();
    assert_eq!(of_type(logs, "CANCEL_STATEMENT").len(), cancels);
    assert_eq!(of_type(logs, "CLOSE_STATEMENT").len(), closes);
    (cancels, closes)
}

#[test]
fn a_result_that_nobody_looked_at() {
    for sql in [IN_CHUNKS, "SELECT 1"] {
        let workspace = workspace();
        let mut connection = connect(&workspace);
        drop(reader(&mut connection, sql));
        drop(connection);
        let logs = logs_of_closed(&workspace, 1);
        assert_eq!(endings(&logs), [None], "to let go is no error");
        assert_eq!(told(&workspace, &logs), (1, 1));
        let operation = &only(&logs)["sql_operation"];
        assert!(
            operation["result_latency"]["result_set_consumption_latency_millis"].is_null(),
            "nobody asked for a row: {operation:#}"
        );
        assert!(operation["result_latency"]["result_set_ready_latency_millis"].is_i64());
        assert!(
            operation["chunk_details"]["total_chunks_iterated"].is_null(),
            "{operation:#}"
        );
    }
}

#[test]
fn a_statement_that_is_never_executed_leaves_none() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let mut prepared = statement(&mut connection, "SELECT 1");
    prepared.prepare().expect("a text");
    drop(prepared);
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    let operations: Vec<_> = logs.iter().map(operation_type).collect();
    assert_eq!(operations, ["CREATE_SESSION", "DELETE_SESSION"]);
}

#[test]
fn a_statement_dropped_before_its_reader_and_after_it() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let mut before = statement(&mut connection, IN_CHUNKS);
    let rows = before.execute().expect("a reader");
    drop(before);
    assert_eq!(rest(rows), ROWS);
    let mut after = statement(&mut connection, IN_CHUNKS);
    let mut rows = after.execute().expect("a reader");
    assert!(first(&mut rows) > 0);
    drop(rows);
    drop(after);
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [None, None]);
    assert_eq!(told(&workspace, &logs), (1, 2));
    let iterated: Vec<_> = statements(&logs)
        .iter()
        .map(|log| log["sql_operation"]["chunk_details"]["total_chunks_iterated"].as_i64())
        .collect();
    assert_eq!(iterated[1], Some(1), "{iterated:?}");
    assert!(iterated[0] > Some(1), "{iterated:?}");
}

#[test]
fn a_statement_executed_again_under_its_first_reader() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let mut twice = statement(&mut connection, IN_CHUNKS);
    let mut one = twice.execute().expect("a reader");
    let begun = first(&mut one);
    let other = twice.execute().expect("a second reader");
    assert_eq!(rest(other), ROWS);
    assert_eq!(begun + rest(one), ROWS, "the first reader was disturbed");
    drop(twice);
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [None, None]);
    assert_eq!(told(&workspace, &logs), (0, 2));
}

#[test]
fn a_connection_closed_under_an_open_reader() {
    let workspace = workspace();
    let mut connection = connect_with(&workspace, &ONE_BY_ONE).expect("a connection");
    let mut open = reader(&mut connection, IN_CHUNKS);
    let begun = first(&mut open);
    drop(connection);
    let closed = || answers(&workspace, "DELETE", |path| path.starts_with("/api/2.0/sql/sessions/")).len();
    assert_eq!(closed(), 0, "the reader still needs the session");
    assert_eq!(begun + rest(open), ROWS);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [None]);
    assert_eq!(told(&workspace, &logs), (0, 1));
    assert_eq!(closed(), 1);
}

#[test]
fn a_reader_that_is_kept_after_its_last_row() {
    let workspace = workspace();
    let soon = [("adbc.databricks.telemetry.flush_interval_ms", "1")];
    let mut connection = connect_with(&workspace, &soon).expect("a connection");
    let mut kept = reader(&mut connection, IN_CHUNKS);
    while kept.next().is_some() {}
    // Open, execution, close of the statement: nothing waits for the reader to be dropped.
    assert!(workspace.wait_for_telemetry(3, DELIVERY));
    assert!(kept.next().is_none());
    drop(kept);
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [None]);
    assert_eq!(told(&workspace, &logs), (0, 1));
}

/// The API has one set of parameters per statement, so each bound row is an execution, a statement on the server and a
/// record.
#[test]
fn three_bound_rows() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let rows = RecordBatch::try_from_iter([("id", ids)]).expect("a batch");

    let mut prepared = statement(&mut connection, "SELECT id FROM range(10) WHERE id = ?");
    prepared.prepare().expect("a text");
    prepared.bind(rows.clone()).expect("rows");
    assert_eq!(rest(prepared.execute().expect("a reader")), 3);
    drop(prepared);
    statement(&mut connection, "CREATE TABLE main.default.t (id BIGINT)")
        .execute_update()
        .expect("a table");
    let mut prepared = statement(&mut connection, "INSERT INTO main.default.t VALUES (?)");
    prepared.bind(rows).expect("rows");
    assert_eq!(prepared.execute_update().expect("three rows"), Some(3));
    drop(prepared);
    drop(connection);

    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [None; 7]);
    assert_eq!(submissions(&workspace), 7);
    assert_eq!(told(&workspace, &logs), (0, 7));
}

const VOLUME: (&str, &str) = ("databricks.ingest.staging_volume", "/Volumes/main/default/staging");

fn thousand(from: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 1000));
    RecordBatch::try_from_iter([("n", numbers)]).expect("a batch")
}

fn is_internal(log: &Value) -> bool {
    log["sql_operation"]["operation_detail"]["is_internal_call"] == true
}

/// An ingest is the record of the statement that loads the rows, or one for each statement that brings some. What the driver
/// does for it besides says that it is the driver's own.
#[test]
fn an_ingest_by_either_way() {
    for (method, several) in [("volume", false), ("insert", true)] {
        let workspace = workspace();
        let options = [
            VOLUME,
            ("databricks.ingest.method", method),
            ("databricks.ingest.insert_bytes", "4000"),
        ];
        let mut connection = connect_with(&workspace, &options).expect("a connection");
        query(&mut connection, "CREATE VOLUME main.default.staging").expect("a volume");
        let rows = conformance::reader(vec![thousand(0)]);
        assert_eq!(conformance::ingest(&mut connection, "t", &[], rows), Ok(Some(1000)));
        drop(connection);
        let logs = logs_of_closed(&workspace, 1);
        let executions = &statements(&logs)[1..];
        let (driver, user): (Vec<&Value>, Vec<_>) = executions.iter().partition(|log| is_internal(log));
        assert_eq!(driver.len(), 1, "CREATE TABLE, by {method}: {executions:#?}");
        assert_eq!(user.len() > 1, several, "{method}: {executions:#?}");
        assert!(
            user.iter()
                .all(|log| log["sql_operation"]["statement_type"] == "UPDATE")
        );
        let all = submissions(&workspace);
        assert_eq!(endings(&logs), vec![None; all], "{method}");
        assert_eq!(told(&workspace, &logs), (0, all), "{method}");
    }
}

#[test]
fn an_ingest_whose_source_fails_while_it_is_staged() {
    let workspace = workspace();
    let options = [VOLUME, ("databricks.ingest.method", "volume")];
    let mut connection = connect_with(&workspace, &options).expect("a connection");
    query(&mut connection, "CREATE VOLUME main.default.staging").expect("a volume");
    let schema = thousand(0).schema();
    let good = (0..20).map(|batch| Ok(thousand(1000 * batch)));
    let bad = std::iter::once(Err(ArrowError::ComputeError("a source's own mistake".to_owned())));
    let rows = arrow::array::RecordBatchIterator::new(good.chain(bad), schema);
    conformance::ingest(&mut connection, "t", &[], rows).expect_err("a failing source");
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    // CREATE VOLUME, CREATE TABLE, DROP TABLE; and the load, which was never submitted.
    assert_eq!(endings(&logs), [None, None, None, Some("invalid_request")], "{logs:#?}");
    assert_eq!(submissions(&workspace), 3);
    let failed = statements(&logs)
        .into_iter()
        .find(|log| log["error_info"].is_object())
        .expect("a failure");
    assert!(
        failed["sql_statement_id"].is_null() && !is_internal(failed),
        "{failed:#}"
    );
}

#[test]
fn a_transfer_that_succeeds_and_one_that_fails() {
    let workspace = workspace();
    let directory = std::env::temp_dir().join(format!("each-ending-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("a").to_str().expect("UTF-8").to_owned();
    std::fs::write(&file, "a").expect("a file");
    let allowed = [
        (
            "databricks.volume.allowed_local_paths",
            directory.to_str().expect("UTF-8"),
        ),
        ("databricks.retry.max_retries", "0"),
    ];
    let mut connection = connect_with(&workspace, &allowed).expect("a connection");
    query(&mut connection, "CREATE VOLUME main.default.v").expect("a volume");
    query(
        &mut connection,
        &format!("PUT '{file}' INTO '/Volumes/main/default/v/a'"),
    )
    .expect("a transfer");
    // Done, and nobody looked at the row that says so.
    drop(reader(
        &mut connection,
        &format!("GET '/Volumes/main/default/v/a' TO '{file}'"),
    ));
    workspace.fault(Fault::Status {
        path_prefix: "DELETE /volume-files/".to_owned(),
        status: 503,
        retry_after: None,
        times: 1,
    });
    query(&mut connection, "REMOVE '/Volumes/main/default/v/a'").expect_err("storage is away");
    drop(connection);
    std::fs::remove_dir_all(&directory).expect("its removal");
    let logs = logs_of_closed(&workspace, 1);
    let endings = endings(&logs);
    assert_eq!(endings[..3], [None; 3]);
    assert_eq!(endings.len(), 4, "{logs:#?}");
    assert!(endings[3].is_some());
    let operations: Vec<_> = statements(&logs)[1..]
        .iter()
        .map(|log| log["vol_operation"]["volume_operation_type"].as_str())
        .collect();
    assert_eq!(operations, [Some("PUT"), Some("GET"), Some("DELETE")]);
}

/// A listing is a record of its own, which counts no polls: the statements that it takes have theirs, and are the driver's.
#[test]
fn listings_that_succeed_and_one_that_fails() {
    use adbc_core::Connection as _;
    use adbc_core::options::ObjectDepth;

    let workspace = workspace();
    let connection = connect_with(&workspace, &[("databricks.retry.max_retries", "0")]).expect("a connection");
    let list = |depth| connection.get_objects(depth, Some("samples"), None, None, None, None);
    for depth in [
        ObjectDepth::Catalogs,
        ObjectDepth::Schemas,
        ObjectDepth::Tables,
        ObjectDepth::All,
    ] {
        assert!(list(depth).expect("objects").count() > 0);
    }
    let nation = (Some("samples"), Some("tpch"), Some("nation"));
    let statistics = connection.get_statistics(nation.0, nation.1, nation.2, false);
    assert!(statistics.expect("statistics").count() > 0);
    workspace.fault(Fault::Status {
        path_prefix: "POST /api/2.0/sql/statements".to_owned(),
        status: 403,
        retry_after: None,
        times: 1,
    });
    list(ObjectDepth::Catalogs).map(drop).expect_err("a refusal");
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    let executions = statements(&logs);
    assert!(executions.iter().all(|log| is_internal(log)), "{executions:#?}");
    assert_eq!(executions.len(), submissions(&workspace));
    let listings: Vec<&Value> = logs
        .iter()
        .filter(|log| log["sql_operation"]["statement_type"] == "METADATA")
        .collect();
    let said: Vec<_> = listings
        .iter()
        .map(|log| (operation_type(log), log["error_info"]["error_name"].as_str()))
        .collect();
    let expected = [
        ("LIST_CATALOGS", None),
        ("LIST_SCHEMAS", None),
        ("LIST_TABLES", None),
        ("LIST_COLUMNS", None),
        ("LIST_TABLES", None),
        ("LIST_CATALOGS", Some("permission_error")),
    ];
    assert_eq!(said, expected);
    for log in listings {
        assert!(log["operation_latency_ms"].is_i64(), "{log:#}");
        assert!(
            log["sql_operation"]["operation_detail"]["n_operation_status_calls"].is_null(),
            "{log:#}"
        );
    }
}

#[test]
fn a_bound_row_that_fails_ends_the_call() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1", "x", "3"]));
    let rows = RecordBatch::try_from_iter([("text", texts)]).expect("a batch");
    let mut prepared = statement(&mut connection, "SELECT CAST(? AS INT) AS number");
    prepared.bind(rows).expect("rows");
    let mut rows = prepared.execute().expect("the first row's result");
    assert_eq!(first(&mut rows), 1);
    let error = rows.next().expect("a second row").expect_err("x is no number");
    assert_eq!(driver_error(&error).status(), Status::InvalidData, "{error}");
    assert!(rows.next().is_none(), "an error is the end");
    drop((rows, prepared));
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    // The first was read, the second failed, the third never was executed.
    assert_eq!(endings(&logs), [None, Some("execute_statement_failed")]);
    assert_eq!(submissions(&workspace), 2);
}

#[test]
fn a_download_that_fails_for_good() {
    let workspace = workspace();
    let mut connection = connect_with(&workspace, &ONE_BY_ONE).expect("a connection");
    let mut failing = reader(&mut connection, IN_CHUNKS);
    workspace.fault(Fault::Status {
        path_prefix: "GET /results/".to_owned(),
        status: 503,
        retry_after: None,
        times: u32::MAX,
    });
    let error = failing.find_map(Result::err).expect("a missing chunk");
    assert_eq!(driver_error(&error).status(), Status::IO);
    assert!(failing.next().is_none(), "an error is the end");
    drop(failing);
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [Some("chunk_download_error")]);
    let operation = &only(&logs)["sql_operation"];
    assert_eq!(operation["chunk_id"], 1, "{operation:#}");
    assert_eq!(operation["chunk_details"]["total_chunks_iterated"], 1);
    assert_eq!(operation["retry_count"], 0);
    assert_eq!(told(&workspace, &logs), (1, 1));
}

#[test]
fn a_first_chunk_that_never_comes() {
    let workspace = workspace();
    let mut connection = connect_with(&workspace, &ONE_BY_ONE).expect("a connection");
    workspace.fault(Fault::Drop {
        path_prefix: "GET /results/".to_owned(),
        times: u32::MAX,
    });
    query(&mut connection, IN_CHUNKS).expect_err("no schema without a chunk");
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [Some("chunk_download_error")]);
    assert_eq!(only(&logs)["sql_operation"]["chunk_id"], 0);
}

#[test]
fn a_cancel_while_it_is_read() {
    let workspace = workspace();
    let mut connection = connect_with(&workspace, &ONE_BY_ONE).expect("a connection");
    let mut cancelled = statement(&mut connection, IN_CHUNKS);
    let mut rows = cancelled.execute().expect("a reader");
    assert!(first(&mut rows) > 0);
    let cancel = cancelled.get_cancel_handle();
    cancel.try_cancel().expect("something to cancel");
    let error = rows.next().expect("an end").expect_err("a cancelled result");
    assert_eq!(driver_error(&error).status(), Status::Cancelled);
    assert!(rows.next().is_none());
    assert!(cancel.try_cancel().is_err(), "nothing is left to cancel");
    drop((rows, cancelled));
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [Some("cancelled")]);
    assert_eq!(told(&workspace, &logs), (1, 1));
}

#[test]
fn a_cancel_while_it_runs() {
    let workspace = workspace();
    let at_once = [("databricks.statement.wait_timeout", "0s")];
    let mut connection = connect_with(&workspace, &at_once).expect("a connection");
    let mut running = statement(&mut connection, ENDLESS);
    let cancel = running.get_cancel_handle();
    let worker = thread::spawn(move || running.execute().map(drop));
    while submissions(&workspace) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    cancel.try_cancel().expect("something to cancel");
    let error = worker.join().expect("no panic").expect_err("a cancelled statement");
    assert_eq!(error.status, Status::Cancelled);
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [Some("cancelled")]);
    assert_eq!(told(&workspace, &logs), (1, 1));
    assert!(only(&logs)["sql_statement_id"].is_string());
}

#[test]
fn a_statement_that_takes_longer_than_it_may() {
    let workspace = workspace();
    let limited = [
        ("databricks.statement.wait_timeout", "0s"),
        ("databricks.statement.timeout_s", "0.2"),
    ];
    let mut connection = connect_with(&workspace, &limited).expect("a connection");
    let error = query(&mut connection, ENDLESS).expect_err("too long");
    assert_eq!(error.status, Status::Timeout);
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(endings(&logs), [Some("statement_execution_timeout")]);
    assert_eq!(told(&workspace, &logs), (1, 1));
}

#[test]
fn a_submission_that_is_turned_away() {
    for (status, category) in [
        (403, "permission_error"),
        (429, "rate_limit_exceeded"),
        (500, "connection_error"),
    ] {
        let workspace = workspace();
        let mut connection = connect_with(&workspace, &ONE_BY_ONE).expect("a connection");
        workspace.fault(Fault::Status {
            path_prefix: "POST /api/2.0/sql/statements".to_owned(),
            status,
            retry_after: None,
            times: 1,
        });
        query(&mut connection, "SELECT 1").expect_err("a refusal");
        drop(connection);
        let logs = logs_of_closed(&workspace, 1);
        assert_eq!(endings(&logs), [Some(category)], "{status}");
        assert!(only(&logs)["sql_statement_id"].is_null(), "there never was a statement");
        assert_eq!(told(&workspace, &logs), (0, 0));
    }
}
