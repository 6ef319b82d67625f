//! Through the shared library and a driver manager the driver does what it does natively: the same rows, schemas, numbers and errors.

use std::collections::HashSet;
use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use adbc_core::error::{Error, Result, Status};
use adbc_core::options::{AdbcVersion, InfoCode, OptionDatabase, OptionStatement, OptionValue};
use adbc_core::sync::{Connection, Database as _, Driver as _, Optionable, Statement};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use conformance::{connect, logs_of_closed, operation_type, workspace};
use databricks_local::Workspace;

/// The library that cargo built with this test.
fn library() -> PathBuf {
    let mut path = env::current_exe().expect("this program");
    path.pop();
    path.push(format!(
        "{}adbc_driver_databricks{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    ));
    assert!(path.is_file(), "cargo did not build {}", path.display());
    path
}

fn options(workspace: &Workspace) -> [(OptionDatabase, OptionValue); 1] {
    [(OptionDatabase::Uri, OptionValue::String(workspace.uri()))]
}

fn managed(workspace: &Workspace, version: AdbcVersion) -> ManagedConnection {
    let mut driver = ManagedDriver::load_dynamic_from_filename(library(), None, version).expect("the library loads");
    let database = driver.new_database_with_opts(options(workspace)).expect("a database");
    database.new_connection().expect("a connection")
}

/// What a call gave, as far as it is the same each time.
#[derive(Debug, PartialEq)]
enum Seen {
    Rows(RecordBatch),
    Schema(arrow::datatypes::Schema),
    Changed(Option<i64>),
    Progress(f64, f64),
    Done,
    Failed {
        status: Status,
        sqlstate: String,
        message: String,
        details: Vec<String>,
    },
}

fn failed(error: &Error) -> Seen {
    let mut details = Vec::new();
    for (key, value) in error.details.iter().flatten() {
        let value = String::from_utf8_lossy(value);
        details.push(if key.ends_with("_id") {
            key.clone()
        } else {
            format!("{key}={value}")
        });
    }
    Seen::Failed {
        status: error.status,
        sqlstate: error.sqlstate.iter().map(|byte| char::from(*byte as u8)).collect(),
        message: error.message.clone(),
        details,
    }
}

fn see<T>(outcome: Result<T>, seen: impl FnOnce(T) -> Seen) -> Seen {
    outcome.map_or_else(|error| failed(&error), seen)
}

fn rows(reader: impl RecordBatchReader) -> Seen {
    let schema = reader.schema();
    let batches = reader.collect::<std::result::Result<Vec<_>, _>>();
    let batches = batches.unwrap_or_else(|error| panic!("{error}"));
    Seen::Rows(concat_batches(&schema, &batches).expect("one batch"))
}

fn progress(statement: &impl Optionable<Option = OptionStatement>) -> Seen {
    let read = |key| statement.get_option_double(key).expect("a number");
    Seen::Progress(read(OptionStatement::Progress), read(OptionStatement::MaxProgress))
}

const QUERIES: &[&str] = &[
    "SELECT 1 AS one, 'a' AS a, CAST(NULL AS STRING) AS nothing, true AS yes, X'00FF' AS bytes, DATE'2026-11-21' AS day",
    "SELECT array(1, 2) AS list, map('k', 1) AS map, struct(1 AS x, 'y' AS y) AS struct, CAST(1.25 AS DECIMAL(9,2)) AS money",
    "SELECT * FROM samples.tpch.lineitem ORDER BY l_orderkey, l_linenumber",
    "SELECT * FROM samples.tpch.nation WHERE n_name = 'nowhere'",
    "SELECT * FROM nowhere",
    "SELEKT 1",
    "SELECT 1 / 0",
    "",
];

/// Everything that both can be asked, in the same order.
fn walk<C>(connection: &mut C, table: &str) -> Vec<Seen>
where
    C: Connection,
    C::StatementType: Statement + Optionable<Option = OptionStatement>,
{
    let mut seen = Vec::new();
    for sql in QUERIES {
        let mut statement = connection.new_statement().expect("a statement");
        seen.push(see(statement.set_sql_query(sql), |()| Seen::Done));
        seen.push(see(statement.execute_schema(), Seen::Schema));
        seen.push(see(statement.execute(), rows));
        seen.push(progress(&statement));
    }
    for sql in [
        format!("CREATE OR REPLACE TABLE {table} (id BIGINT, name STRING)"),
        format!("INSERT INTO {table} VALUES (1, 'a'), (2, 'b')"),
        format!("UPDATE {table} SET name = 'c' WHERE id = 1"),
        format!("DELETE FROM {table}"),
    ] {
        let mut statement = connection.new_statement().expect("a statement");
        statement.set_sql_query(&sql).expect("text");
        seen.push(see(statement.execute_update(), Seen::Changed));
        seen.push(progress(&statement));
    }

    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let names: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "z"]));
    let batch = RecordBatch::try_from_iter([("id", ids), ("name", names)]).expect("a batch");
    let mut statement = connection.new_statement().expect("a statement");
    statement
        .set_sql_query("SELECT CAST(? AS BIGINT) AS id, ? AS name")
        .expect("text");
    statement.bind(batch.clone()).expect("bound");
    seen.push(see(statement.execute(), rows));
    statement
        .set_sql_query(format!("INSERT INTO {table} VALUES (?, ?)"))
        .expect("text");
    let stream = RecordBatchIterator::new([Ok(batch.clone()), Ok(batch.clone())], batch.schema());
    statement.bind_stream(Box::new(stream)).expect("bound");
    seen.push(see(statement.execute_update(), Seen::Changed));
    statement.bind(batch).expect("bound");
    seen.push(see(statement.execute(), rows));
    statement
        .set_sql_query(format!("SELECT count(*) FROM {table}"))
        .expect("text");
    seen.push(see(statement.execute(), rows));

    seen.push(see(statement.prepare(), |()| Seen::Done));
    seen.push(see(statement.get_parameter_schema(), Seen::Schema));
    seen.push(see(statement.set_substrait_plan([1_u8]), |()| Seen::Done));
    seen.push(see(statement.get_cancel_handle().try_cancel(), |()| Seen::Done));
    seen.push(see(
        connection.get_table_schema(Some("samples"), Some("tpch"), "orders"),
        Seen::Schema,
    ));
    seen.push(see(connection.get_table_schema(None, None, "no`where"), Seen::Schema));
    seen.push(see(connection.get_table_types(), rows));
    seen.push(see(connection.get_info(None), rows));
    let codes = HashSet::from([InfoCode::DriverName, InfoCode::Other(77_777)]);
    seen.push(see(connection.get_info(Some(codes)), rows));
    seen.push(see(connection.commit(), |()| Seen::Done));
    seen.push(see(connection.rollback(), |()| Seen::Done));
    seen.push(see(connection.read_partition([1, 2, 3]).map(rows), |seen| seen));

    statement
        .set_sql_query("SELECT l_orderkey, l_linenumber, l_comment FROM samples.tpch.lineitem")
        .expect("text");
    let result = statement.execute_partitions().expect("partitions");
    assert!(result.partitions.len() > 1, "several chunks");
    seen.push(Seen::Changed(Some(result.rows_affected)));
    seen.push(Seen::Schema(result.schema));
    seen.push(progress(&statement));
    // The workspace reads the table on several threads, so which rows are in which part differs each time.
    let mut parts = Vec::new();
    for partition in result.partitions.iter().rev() {
        let reader = connection.read_partition(partition).expect("a part");
        parts.extend(reader.map(|batch| batch.expect("a batch")));
    }
    seen.push(Seen::Rows(sorted(&parts)));
    seen
}

/// All rows, in the order of their columns.
fn sorted(batches: &[RecordBatch]) -> RecordBatch {
    let all = concat_batches(&batches[0].schema(), batches).expect("one schema");
    let columns = all.columns().iter().map(|column| SortColumn {
        values: Arc::clone(column),
        options: None,
    });
    let order = lexsort_to_indices(&columns.collect::<Vec<_>>(), None).expect("sortable columns");
    take_record_batch(&all, &order).expect("the same rows")
}

#[test]
fn with_adbc_1_1() {
    let workspace = workspace();
    let native = walk(&mut connect(&workspace), "main.default.native");
    let through_c = walk(&mut managed(&workspace, AdbcVersion::V110), "main.default.through_c");
    assert_eq!(native.len(), through_c.len());
    for (place, (native, through_c)) in native.iter().zip(&through_c).enumerate() {
        assert_eq!(native, through_c, "step {place}");
    }
    let count = |wanted: fn(&Seen) -> bool| native.iter().filter(|seen| wanted(seen)).count();
    assert!(
        count(|seen| matches!(seen, Seen::Rows(_))) >= 8,
        "most of the walk gives rows"
    );
    assert!(
        count(|seen| matches!(seen, Seen::Failed { .. })) >= 8,
        "and some of it errors"
    );

    // And telemetry was told the same of both.
    let logs = logs_of_closed(&workspace, 2);
    let operations = |session: &str| {
        let mut found: Vec<_> = logs
            .iter()
            .filter(|log| log["session_id"] == session)
            .map(|log| {
                (
                    operation_type(log).to_owned(),
                    log["sql_operation"]["statement_type"].clone().to_string(),
                )
            })
            .collect();
        found.sort();
        found
    };
    let sessions: HashSet<_> = logs.iter().filter_map(|log| log["session_id"].as_str()).collect();
    let sessions: Vec<_> = sessions.into_iter().collect();
    assert_eq!(sessions.len(), 2);
    assert_eq!(operations(sessions[0]), operations(sessions[1]));
}

#[test]
fn with_adbc_1_0() {
    let workspace = workspace();
    let mut connection = managed(&workspace, AdbcVersion::V100);
    let mut statement = connection.new_statement().expect("a statement");
    statement
        .set_sql_query("SELECT * FROM samples.tpch.nation")
        .expect("text");
    let Seen::Rows(batch) = see(statement.execute(), rows) else {
        panic!("rows")
    };
    assert_eq!(batch.num_rows(), 25);
    statement.set_sql_query("SELECT * FROM nowhere").expect("text");
    let error = statement.execute().map(drop).expect_err("no such table");
    assert_eq!(error.status, Status::NotFound);
    assert_eq!(error.sqlstate.map(|byte| byte as u8), *b"42P01");
    assert!(error.message.contains("nowhere"));
}

#[test]
fn also_when_it_is_cancelled() {
    let workspace = workspace();
    let mut connection = managed(&workspace, AdbcVersion::V110);
    let mut statement = connection.new_statement().expect("a statement");
    statement
        .set_sql_query(
            "SELECT count(*) FROM range(1000) a CROSS JOIN range(1000000000000) b WHERE (a.id + b.id) % 7 = 3",
        )
        .expect("text");
    let cancel = statement.get_cancel_handle();
    let other = thread::spawn(move || {
        // Refused until something runs.
        while let Err(error) = cancel.try_cancel() {
            assert_eq!(error.status, Status::InvalidState);
        }
    });
    let error = statement.execute().map(drop).expect_err("cancelled");
    assert_eq!(
        (error.status, error.sqlstate.map(|byte| byte as u8)),
        (Status::Cancelled, *b"57014")
    );
    other.join().expect("no panic");
}

#[test]
fn and_readers_outlive_everything() {
    let workspace = workspace();
    let reader = {
        let mut connection = managed(&workspace, AdbcVersion::V110);
        let mut statement = connection.new_statement().expect("a statement");
        statement
            .set_sql_query("SELECT l_orderkey FROM samples.tpch.lineitem")
            .expect("text");
        statement.execute().expect("a reader")
    };
    let rows: usize = reader.map(|batch| batch.expect("rows").num_rows()).sum();
    assert_eq!(rows, 60_175);
}
