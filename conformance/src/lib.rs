//! Suites that a Databricks SQL workspace and this driver must pass together, over real sockets.
//!
//! Each file under `tests/` is one sentence. This library holds what they share: a small workspace, connections to it, and the
//! telemetry that its inbox received, as JSON.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adbc_core::error::Error as AdbcError;
use adbc_core::options::{OptionDatabase, OptionStatement, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Optionable as _, Statement as _};
use adbc_databricks::telemetry::{Stats, TelemetryView};
use adbc_databricks::{Connection, Database, Driver, Statement};
use arrow::array::{AsArray as _, RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, Schema};
use databricks_local::{Fault, InboxRecord, RequestRecord, Workspace, WorkspaceBuilder};
use serde_json::Value;

/// How long a test waits for telemetry that must come. Generous: it bounds a failure, not a success.
pub const DELIVERY: Duration = Duration::from_secs(20);

/// A workspace small enough for an unoptimised build: 60,175 line items, chunks of 256 KiB.
pub fn workspace() -> Workspace {
    start(|builder| builder)
}

/// The same with other settings.
pub fn start(settings: impl FnOnce(WorkspaceBuilder) -> WorkspaceBuilder) -> Workspace {
    let builder = Workspace::builder().scale_factor(0.01).chunk_bytes(256 << 10);
    settings(builder).start().expect("a workspace on a free port")
}

/// A database with the workspace's URI and these options.
pub fn database(workspace: &Workspace, options: &[(&str, &str)]) -> Result<Database, AdbcError> {
    let mut all = vec![(OptionDatabase::Uri, OptionValue::String(workspace.uri()))];
    all.extend(
        options
            .iter()
            .map(|(key, value)| (OptionDatabase::from(*key), OptionValue::String((*value).to_owned()))),
    );
    Driver.new_database_with_opts(all)
}

/// A connection to the workspace; telemetry as the workspace's feature flag says.
pub fn connect(workspace: &Workspace) -> Connection {
    connect_with(workspace, &[]).expect("a connection")
}

/// A connection with these options.
///
/// # Errors
/// What the driver says of the options or the workspace.
pub fn connect_with(workspace: &Workspace, options: &[(&str, &str)]) -> Result<Connection, AdbcError> {
    database(workspace, options)?.new_connection()
}

/// A statement with this text, not executed yet.
pub fn statement(connection: &mut Connection, sql: &str) -> Statement {
    let mut statement = connection.new_statement().expect("a statement");
    statement.set_sql_query(sql).expect("text");
    statement
}

/// All rows of a query, as one batch.
///
/// # Errors
/// What the driver or its reader says.
pub fn query(connection: &mut Connection, sql: &str) -> Result<RecordBatch, AdbcError> {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query(sql)?;
    let reader = statement.execute()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| match error {
        arrow::error::ArrowError::ExternalError(source) => match source.downcast::<adbc_databricks::Error>() {
            Ok(error) => AdbcError::from(*error),
            Err(source) => AdbcError::with_message_and_status(source.to_string(), adbc_core::error::Status::Internal),
        },
        other => AdbcError::with_message_and_status(other.to_string(), adbc_core::error::Status::Internal),
    })?;
    Ok(concat_batches(&schema, &batches)?)
}

/// The first row of a query's only column, as text.
pub fn scalar(connection: &mut Connection, sql: &str) -> String {
    let batch = query(connection, sql).expect("a result");
    arrow::util::display::array_value_to_string(batch.column(0), 0).expect("a cell")
}

/// The logs in the inbox once it has `count` of them, oldest first. Panics when they do not come.
pub fn logs(workspace: &Workspace, count: usize) -> Vec<Value> {
    assert!(
        workspace.wait_for_telemetry(count, DELIVERY),
        "{} of {count} records came: {:#?}",
        workspace.telemetry().len(),
        workspace
            .telemetry()
            .iter()
            .map(|record| record.log.to_string())
            .collect::<Vec<_>>()
    );
    workspace
        .telemetry()
        .into_iter()
        .map(|record| {
            assert!(
                record.violations.is_empty(),
                "{:?} in {}",
                record.violations,
                record.log
            );
            record.log["entry"]["sql_driver_log"].clone()
        })
        .collect()
}

/// The logs whose operation type is `operation`.
pub fn of_type<'a>(logs: &'a [Value], operation: &str) -> Vec<&'a Value> {
    logs.iter()
        .filter(|log| log["sql_operation"]["operation_detail"]["operation_type"] == operation)
        .collect()
}

/// The logs of executed statements, whether they were polled or not.
pub fn statements(logs: &[Value]) -> Vec<&Value> {
    logs.iter()
        .filter(|log| {
            log["sql_operation"]["operation_detail"]["operation_type"]
                .as_str()
                .is_some_and(|operation| operation.starts_with("EXECUTE_STATEMENT"))
        })
        .collect()
}

/// The inbox once this many sessions were closed. A session's close is its last record, so nothing of them comes later.
/// Panics when the closes do not come.
pub fn records_of_closed(workspace: &Workspace, sessions: usize) -> Vec<InboxRecord> {
    let deadline = Instant::now() + DELIVERY;
    loop {
        let records = workspace.telemetry();
        let closed = records
            .iter()
            .filter(|record| operation_type(&record.log["entry"]["sql_driver_log"]) == "DELETE_SESSION")
            .count();
        if closed >= sessions {
            return records;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(
            workspace.wait_for_telemetry(records.len() + 1, left),
            "{closed} of {sessions} sessions were closed, {} records came",
            records.len()
        );
    }
}

/// The logs of sessions that were closed, oldest first.
pub fn logs_of_closed(workspace: &Workspace, sessions: usize) -> Vec<Value> {
    let records = records_of_closed(workspace, sessions);
    logs(workspace, records.len())
}

/// What a log's operation was; empty when it does not say.
pub fn operation_type(log: &Value) -> &str {
    log["sql_operation"]["operation_detail"]["operation_type"]
        .as_str()
        .unwrap_or_default()
}

/// The workspace's answers to requests with this method whose path fits.
pub fn answers(workspace: &Workspace, method: &str, fits: impl Fn(&str) -> bool) -> Vec<RequestRecord> {
    let mut found = workspace.requests();
    found.retain(|request| request.method == method && fits(&request.path));
    found
}

/// Telemetry that is on from the start, and leaves when it is told to: at the opening, at errors, and at the close.
pub const TELEMETRY_ON: [(&str, &str); 3] = [
    ("adbc.databricks.telemetry.force_enabled", "true"),
    ("adbc.databricks.telemetry.flush_interval_ms", "3600000"),
    ("adbc.databricks.telemetry.retry_delay_ms", "1"),
];

/// A connection with [`TELEMETRY_ON`] and these options, and a look at its telemetry that outlives it.
pub fn observed(workspace: &Workspace, options: &[(&str, &str)]) -> (Connection, TelemetryView) {
    let options = [&TELEMETRY_ON[..], options].concat();
    let connection = connect_with(workspace, &options).expect("a connection");
    let telemetry = connection.telemetry().expect("an open connection");
    (connection, telemetry)
}

/// Makes requests of the workspace fail, by a text such as `telemetry=status:500*2`.
pub fn fault(workspace: &Workspace, text: &str) {
    workspace.fault(text.parse::<Fault>().expect("a fault"));
}

/// Telemetry requests that the workspace answered, or dropped.
pub fn telemetry_posts(workspace: &Workspace) -> usize {
    answers(workspace, "POST", |path| path.starts_with("/telemetry")).len()
}

/// Records of which the counters do not say yet what became of them.
pub fn unaccounted(stats: &Stats) -> u64 {
    stats.recorded - stats.delivered - stats.refused - stats.dropped_total()
}

/// Reads a result of several chunks, and says how many rows it had: [`CHUNKED_ROWS`] if none is missing.
pub fn read_chunks(connection: &mut Connection) -> usize {
    let sql = format!("SELECT id, id * 3 AS triple FROM range({CHUNKED_ROWS})");
    let rows = query(connection, &sql).expect("rows");
    // No order was asked for.
    let mut ids = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..CHUNKED_ROWS as i64), "rows are missing or twice");
    rows.num_rows()
}

/// The rows that [`read_chunks`] reads.
pub const CHUNKED_ROWS: usize = 100_000;

/// Puts rows into a table with these further options of the statement, and tells how many the driver says they were.
///
/// # Errors
/// What the driver says.
pub fn ingest(
    connection: &mut Connection,
    table: &str,
    options: &[(&str, &str)],
    rows: impl RecordBatchReader + Send + 'static,
) -> Result<Option<i64>, AdbcError> {
    let mut statement = connection.new_statement()?;
    statement.set_option(OptionStatement::TargetTable, table.into())?;
    for (key, value) in options {
        statement.set_option((*key).into(), (*value).into())?;
    }
    statement.bind_stream(Box::new(rows))?;
    statement.execute_update()
}

/// Batches as a reader, all of the first one's schema.
pub fn reader(batches: Vec<RecordBatch>) -> impl RecordBatchReader + Send + 'static {
    let schema = batches
        .first()
        .map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    RecordBatchIterator::new(batches.into_iter().map(Ok), schema)
}

/// Whether whatever was put under this path of a volume, files and directories, was removed again; and something was.
pub fn was_staged_and_cleared(workspace: &Workspace, volume: &str) -> bool {
    let place = format!("{volume}/").replace("//", "/");
    let requests = workspace.requests();
    let count = |method: &str| {
        requests
            .iter()
            .filter(|request| request.method == method && request.path.contains(&place) && request.status == 204)
            .count()
    };
    count("PUT") > 0 && count("PUT") == count("DELETE")
}
