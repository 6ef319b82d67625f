//! The SQL Statement Execution API: sessions, statements, results.
//!
//! Reading is lenient (unknown members ignored, absent members `None`, a JSON `null` like an absent member), writing is strict:
//! absent members are omitted, never `null`, because clients exist that crash on `"error": null`.
//!
//! See <https://docs.databricks.com/api/workspace/statementexecution>.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Sensitive;

/// Where sessions are created.
pub const SESSIONS_PATH: &str = "/api/2.0/sql/sessions";
/// Where statements are executed.
pub const STATEMENTS_PATH: &str = "/api/2.0/sql/statements";

/// The path of one session.
pub fn session_path(session_id: &str) -> String {
    format!("{SESSIONS_PATH}/{session_id}")
}

/// The path of one statement.
pub fn statement_path(statement_id: &str) -> String {
    format!("{STATEMENTS_PATH}/{statement_id}")
}

/// The path that cancels a statement.
pub fn cancel_path(statement_id: &str) -> String {
    format!("{STATEMENTS_PATH}/{statement_id}/cancel")
}

/// The path of one chunk of a result.
pub fn chunk_path(statement_id: &str, chunk_index: u64) -> String {
    format!("{STATEMENTS_PATH}/{statement_id}/result/chunks/{chunk_index}")
}

/// `POST /api/2.0/sql/sessions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSessionRequest {
    /// The warehouse that runs the session.
    pub warehouse_id: String,
    /// The catalog that names start in.
    #[serde(default, alias = "catalog_name", skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// The schema that names start in.
    #[serde(default, alias = "schema_name", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Session settings such as `TIMEZONE`.
    #[serde(
        default,
        alias = "session_configuration",
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub session_confs: BTreeMap<String, String>,
}

/// The answer to [`CreateSessionRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSessionResponse {
    /// The session's opaque id.
    pub session_id: String,
}

/// `POST /api/2.0/sql/statements`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExecuteStatementRequest {
    /// The warehouse that runs the statement.
    pub warehouse_id: String,
    /// The session it belongs to. Excludes `catalog` and `schema`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The SQL text.
    pub statement: Sensitive<String>,
    /// The catalog, when there is no session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// The schema, when there is no session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Where the result shall be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// What the result shall be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// How the result shall be compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_compression: Option<Compression>,
    /// How long the call may wait: `0s`, or `5s` to `50s`. The server's default is 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<String>,
    /// What happens to a statement that is not done by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_wait_timeout: Option<OnWaitTimeout>,
    /// At most this many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_limit: Option<i64>,
    /// At most this many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_limit: Option<i64>,
    /// Values for the markers in the SQL text.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Tags shown in the query history.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub query_tags: Vec<QueryTag>,
}

/// A value for a marker: named (`:name`) or positional (`?`, counted from 1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The name of a `:name` marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The position of a `?` marker, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u32>,
    /// The SQL type; `STRING` when absent.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_text: Option<String>,
    /// The value as text; `null` is SQL's NULL and is written.
    #[serde(default)]
    pub value: Option<Sensitive<String>>,
}

/// A tag of a statement, shown in the query history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryTag {
    /// The tag's key.
    pub key: Sensitive<String>,
    /// The tag's value, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Sensitive<String>>,
}

/// Where a result is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Disposition {
    /// In the response. The server's default.
    Inline,
    /// In cloud storage, behind signed links.
    ExternalLinks,
    /// In the response when it is small, else behind links.
    InlineOrExternalLinks,
}

/// What a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Format {
    /// Arrow IPC streams.
    ArrowStream,
    /// Rows of text cells. The server's default.
    JsonArray,
    /// Comma-separated values.
    Csv,
}

/// How a result is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Compression {
    /// LZ4 frames, possibly several in a row.
    #[serde(rename = "LZ4_FRAME")]
    Lz4Frame,
    /// Not at all.
    #[serde(rename = "NONE")]
    None,
}

/// What happens to a statement that is not done when `wait_timeout` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnWaitTimeout {
    /// It goes on, and is asked about later. The server's default.
    Continue,
    /// It is cancelled.
    Cancel,
}

/// The answer to executing, or asking about, a statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatementResponse {
    /// The statement's id.
    #[serde(default)]
    pub statement_id: String,
    /// How far it is.
    #[serde(default, deserialize_with = "null_as_default")]
    pub status: StatementStatus,
    /// What the result is; with `SUCCEEDED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// The first part of the result; with `SUCCEEDED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultData>,
}

/// How far a statement is.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StatementStatus {
    /// The state.
    pub state: StatementState,
    /// Why it failed; with `FAILED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ServiceError>,
    /// The SQLSTATE of the failure, five characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_state: Option<String>,
    /// Rows changed by DML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_modified_rows: Option<i64>,
}

impl fmt::Debug for StatementStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementStatus")
            .field("state", &self.state)
            .field("error", &self.error)
            .field("sql_state", &self.sql_state)
            .finish_non_exhaustive()
    }
}

/// The state of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StatementState {
    /// Waiting for the warehouse.
    Pending,
    /// Executing.
    Running,
    /// Done; the result can be fetched.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by a cancel.
    Canceled,
    /// Closed: either the result was delivered whole with this answer, or it is gone.
    Closed,
    /// A state this crate does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl StatementState {
    /// Whether the state can no longer change to success.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled | Self::Closed)
    }
}

/// Why a statement failed. The message may quote SQL and names, so `Debug` shows only the code.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceError {
    /// A coarse name such as `BAD_REQUEST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// `[ERROR_CLASS] text … SQLSTATE: 42P01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Some servers put the SQLSTATE here instead of beside the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_state: Option<String>,
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceError")
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}

/// What a result is: schema, size, chunks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format that the result really has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The columns.
    #[serde(default, deserialize_with = "null_as_default")]
    pub schema: ResultSchema,
    /// The Arrow schema as a base64 IPC message; only some servers send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrow_schema: Option<String>,
    /// How many chunks there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_chunk_count: Option<u64>,
    /// How many rows there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_row_count: Option<u64>,
    /// How many bytes there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_byte_count: Option<u64>,
    /// Whether a row or byte limit cut the result.
    #[serde(default, deserialize_with = "null_as_default")]
    pub truncated: bool,
    /// Every chunk, in order. Some servers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Vec<ChunkInfo>>,
    /// The compression that the result really has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_compression: Option<Compression>,
    /// Whether the "result" is a volume transfer for the client to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_volume_operation: Option<bool>,
}

/// The columns of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultSchema {
    /// How many columns there are.
    #[serde(default, deserialize_with = "null_as_default")]
    pub column_count: u64,
    /// The columns, in order.
    #[serde(default, deserialize_with = "null_as_default")]
    pub columns: Vec<ColumnInfo>,
}

/// One column. Its name is the user's, so `Debug` shows only its type and place.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// The column's name.
    #[serde(default)]
    pub name: String,
    /// The type as SQL writes it: `DECIMAL(10,2)`, `ARRAY<STRING>`.
    #[serde(default)]
    pub type_text: String,
    /// The type's family: `LONG`, `STRING`, `DECIMAL`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// The place, from 0.
    #[serde(default, deserialize_with = "null_as_default")]
    pub position: u64,
    /// Digits of a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_precision: Option<u32>,
    /// Digits after the point of a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_scale: Option<u32>,
    /// The unit range of an interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_interval_type: Option<String>,
}

impl fmt::Debug for ColumnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnInfo")
            .field("position", &self.position)
            .field("type_name", &self.type_name)
            .finish_non_exhaustive()
    }
}

/// The place and size of one chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkInfo {
    /// The chunk's number, from 0.
    #[serde(default)]
    pub chunk_index: u64,
    /// The number of its first row in the result.
    #[serde(default)]
    pub row_offset: u64,
    /// Its rows.
    #[serde(default)]
    pub row_count: u64,
    /// Its bytes; an estimate, compressed or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_count: Option<u64>,
}

/// A part of a result: in a statement's answer under `result`, or the whole body of a chunk request.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultData {
    /// The chunk's number, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_index: Option<u64>,
    /// The number of its first row in the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_offset: Option<u64>,
    /// Its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_count: Option<u64>,
    /// The next chunk; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_chunk_index: Option<u64>,
    /// The path of the next chunk; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_chunk_internal_link: Option<String>,
    /// Rows of text cells, with `JSON_ARRAY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_array: Option<Vec<Vec<Option<String>>>>,
    /// An Arrow IPC stream in base64, with the hybrid disposition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<String>,
    /// Signed links to cloud storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_links: Option<Vec<ExternalLink>>,
}

impl fmt::Debug for ResultData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultData")
            .field("chunk_index", &self.chunk_index)
            .field("row_count", &self.row_count)
            .field("next_chunk_index", &self.next_chunk_index)
            .field("data_array_rows", &self.data_array.as_ref().map(Vec::len))
            .field("attachment_chars", &self.attachment.as_ref().map(String::len))
            .field("external_links", &self.external_links)
            .finish_non_exhaustive()
    }
}

/// A signed link to one chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalLink {
    /// The absolute URL. Whoever has it can read the chunk: no credentials are sent along.
    pub external_link: Sensitive<String>,
    /// When the link stops working, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    /// The chunk's number, from 0.
    #[serde(default)]
    pub chunk_index: u64,
    /// The number of its first row in the result.
    #[serde(default)]
    pub row_offset: u64,
    /// Its rows; a file may hold more, which is padding.
    #[serde(default)]
    pub row_count: u64,
    /// Its bytes; an estimate, compressed or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_count: Option<u64>,
    /// The next chunk; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_chunk_index: Option<u64>,
    /// The path of the next chunk; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_chunk_internal_link: Option<String>,
    /// Headers to send along (encryption keys).
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub http_headers: BTreeMap<String, Sensitive<String>>,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
