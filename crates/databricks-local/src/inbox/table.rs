//! The inbox as the table `system.telemetry.driver_log`; the crate's documentation lists its columns.
//!
//! Members that an entry does not have, or has with a wrong type, are NULL. A scan sees what was kept when it started.

use std::sync::{Arc, LazyLock};

use arrow::array::builder::{
    BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use serde_json::Value;

use super::{Entry, Inbox, check};

/// Rows of one batch.
const BATCH_ROWS: usize = 4096;

/// The table over this inbox.
///
/// # Errors
/// None in practice: only if table and partition disagreed about the schema.
pub(crate) fn driver_log(inbox: &Arc<Inbox>) -> Result<Arc<dyn TableProvider>> {
    let partition = Arc::new(Scan(Arc::clone(inbox)));
    Ok(Arc::new(StreamingTable::try_new(Arc::clone(&SCHEMA), vec![partition])?))
}

/// What a column shows.
#[derive(Clone, Copy)]
enum Source {
    ReceivedAt,
    /// The member at this JSON pointer, in milliseconds since the Unix epoch.
    Time(&'static str),
    Authenticated,
    UserAgent,
    Text(&'static str),
    Bool(&'static str),
    Int32(&'static str),
    Int64(&'static str),
    Violations,
    Log,
}

impl Source {
    fn data_type(self) -> DataType {
        match self {
            Self::ReceivedAt | Self::Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Authenticated | Self::Bool(_) => DataType::Boolean,
            Self::UserAgent | Self::Text(_) | Self::Log => DataType::Utf8,
            Self::Int32(_) => DataType::Int32,
            Self::Int64(_) => DataType::Int64,
            Self::Violations => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        }
    }
}

macro_rules! log {
    ($($path:literal)?) => { concat!("/entry/sql_driver_log" $(, $path)?) };
}

const COLUMNS: &[(&str, Source)] = &[
    ("received_at", Source::ReceivedAt),
    ("event_at", Source::Time("/context/client_context/timestamp_millis")),
    ("event_id", Source::Text("/frontend_log_event_id")),
    ("authenticated", Source::Authenticated),
    ("user_agent", Source::UserAgent),
    ("driver_name", Source::Text(log!("/system_configuration/driver_name"))),
    (
        "driver_version",
        Source::Text(log!("/system_configuration/driver_version")),
    ),
    ("session_id", Source::Text(log!("/session_id"))),
    ("statement_id", Source::Text(log!("/sql_statement_id"))),
    ("statement_type", Source::Text(log!("/sql_operation/statement_type"))),
    (
        "operation_type",
        Source::Text(log!("/sql_operation/operation_detail/operation_type")),
    ),
    (
        "execution_result",
        Source::Text(log!("/sql_operation/execution_result")),
    ),
    ("is_compressed", Source::Bool(log!("/sql_operation/is_compressed"))),
    ("operation_latency_ms", Source::Int64(log!("/operation_latency_ms"))),
    (
        "result_ready_ms",
        Source::Int64(log!("/sql_operation/result_latency/result_set_ready_latency_millis")),
    ),
    (
        "result_consumption_ms",
        Source::Int64(log!(
            "/sql_operation/result_latency/result_set_consumption_latency_millis"
        )),
    ),
    (
        "chunks_present",
        Source::Int32(log!("/sql_operation/chunk_details/total_chunks_present")),
    ),
    (
        "chunks_iterated",
        Source::Int32(log!("/sql_operation/chunk_details/total_chunks_iterated")),
    ),
    (
        "chunk_initial_ms",
        Source::Int64(log!("/sql_operation/chunk_details/initial_chunk_latency_millis")),
    ),
    (
        "chunk_slowest_ms",
        Source::Int64(log!("/sql_operation/chunk_details/slowest_chunk_latency_millis")),
    ),
    (
        "chunk_sum_ms",
        Source::Int64(log!("/sql_operation/chunk_details/sum_chunks_download_time_millis")),
    ),
    (
        "poll_count",
        Source::Int32(log!("/sql_operation/operation_detail/n_operation_status_calls")),
    ),
    (
        "poll_latency_ms",
        Source::Int64(log!("/sql_operation/operation_detail/operation_status_latency_millis")),
    ),
    ("retry_count", Source::Int64(log!("/sql_operation/retry_count"))),
    (
        "is_internal",
        Source::Bool(log!("/sql_operation/operation_detail/is_internal_call")),
    ),
    ("auth_type", Source::Text(log!("/auth_type"))),
    ("error_name", Source::Text(log!("/error_info/error_name"))),
    ("violations", Source::Violations),
    ("log", Source::Log),
];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields: Vec<Field> = COLUMNS
        .iter()
        .map(|(name, source)| Field::new(*name, source.data_type(), true))
        .collect();
    Arc::new(Schema::new(fields))
});

#[derive(Debug)]
struct Scan(Arc<Inbox>);

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &SCHEMA
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let entries = self.0.entries();
        let batches = stream::unfold((entries, 0), |(entries, from)| async move {
            let to = entries.len().min(from + BATCH_ROWS);
            if from == to {
                return None;
            }
            let batch = rows(&entries[from..to]);
            Some((batch, (entries, to)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&SCHEMA), batches))
    }
}

fn rows(entries: &[Arc<Entry>]) -> Result<RecordBatch> {
    let logs: Vec<Value> = entries.iter().map(|entry| entry.log()).collect();
    let columns = COLUMNS
        .iter()
        .map(|(_, source)| column(*source, entries, &logs))
        .collect();
    RecordBatch::try_new(Arc::clone(&SCHEMA), columns).map_err(DataFusionError::from)
}

fn column(source: Source, entries: &[Arc<Entry>], logs: &[Value]) -> ArrayRef {
    let member = |pointer: &'static str| logs.iter().map(move |log| log.pointer(pointer));
    match source {
        Source::ReceivedAt => timestamps(entries.iter().map(|entry| Some(entry.received_at_ms))),
        Source::Time(pointer) => timestamps(member(pointer).map(|value| value.and_then(check::int64))),
        Source::Authenticated => booleans(entries.iter().map(|entry| Some(entry.authenticated))),
        Source::Bool(pointer) => booleans(member(pointer).map(|value| value.and_then(Value::as_bool))),
        Source::UserAgent => texts(entries.iter().map(|entry| Some(entry.user_agent.as_ref()))),
        Source::Text(pointer) => texts(member(pointer).map(|value| value.and_then(Value::as_str))),
        Source::Log => texts(entries.iter().map(|entry| Some(entry.text.as_str()))),
        Source::Int32(pointer) => {
            let mut builder = Int32Builder::with_capacity(logs.len());
            builder
                .extend(member(pointer).map(|value| value.and_then(check::int64).and_then(|n| i32::try_from(n).ok())));
            Arc::new(builder.finish())
        }
        Source::Int64(pointer) => {
            let mut builder = Int64Builder::with_capacity(logs.len());
            builder.extend(member(pointer).map(|value| value.and_then(check::int64)));
            Arc::new(builder.finish())
        }
        Source::Violations => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for entry in entries {
                builder.append_value(entry.violations.iter().map(Some));
            }
            Arc::new(builder.finish())
        }
    }
}

fn timestamps(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let mut builder = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    builder.extend(values.map(|ms| ms.and_then(|ms| ms.checked_mul(1000))));
    Arc::new(builder.finish())
}

fn booleans(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    let mut builder = BooleanBuilder::new();
    builder.extend(values);
    Arc::new(builder.finish())
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    builder.extend(values);
    Arc::new(builder.finish())
}
