//! What a driver posts to `/telemetry-ext` (authenticated) and `/telemetry-unauth`.
//!
//! The envelope is camelCase; each entry of `protoLogs` is a *string* that holds a whole JSON document, a [`FrontendLog`] in
//! snake_case. Unset members are omitted, numbers are JSON numbers, and an enum value that is not listed here would be turned
//! into NULL on ingestion, so the enums are closed.
//!
//! Members of the service's schema that can hold free text, names, addresses or paths (`http_path`, `host_info`, proxy hosts,
//! `query_tags`, `volume_path`, `error_message`, `stack_trace`, `process_name`, …) have no counterpart here: a driver built on
//! this crate cannot send them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The path for a client that can authenticate.
pub const PATH_AUTHENTICATED: &str = "/telemetry-ext";
/// The path for a client that cannot (for example, because connecting failed).
pub const PATH_UNAUTHENTICATED: &str = "/telemetry-unauth";

/// The request body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TelemetryRequest {
    /// When the body was posted, in milliseconds since the Unix epoch.
    pub upload_time: i64,
    /// Always empty, and always sent.
    #[serde(default)]
    pub items: Vec<String>,
    /// One JSON document per entry: [`FrontendLog`] as text.
    pub proto_logs: Vec<String>,
}

/// The response body. Read leniently: only the HTTP status decides whether the batch was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TelemetryResponse {
    /// Why entries were refused.
    pub errors: Vec<String>,
    /// Entries of `items` taken.
    pub num_success: u64,
    /// Entries of `protoLogs` taken.
    pub num_proto_success: u64,
    /// Entries taken by the real-time path.
    pub num_realtime_success: u64,
}

/// One entry of `protoLogs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrontendLog<'a> {
    /// The workspace's number, when the client knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<i64>,
    /// A UUID of this entry.
    pub frontend_log_event_id: Cow<'a, str>,
    /// Who sent it, and when it happened.
    pub context: FrontendLogContext<'a>,
    /// The entry itself.
    pub entry: FrontendLogEntry<'a>,
}

/// The context of a [`FrontendLog`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrontendLogContext<'a> {
    /// The client.
    pub client_context: ClientContext<'a>,
}

/// The client of a [`FrontendLog`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientContext<'a> {
    /// When the event happened (not when it was sent), in milliseconds since the Unix epoch.
    pub timestamp_millis: i64,
    /// The driver's user agent, without the user's own entry.
    pub user_agent: Cow<'a, str>,
}

/// The entry of a [`FrontendLog`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrontendLogEntry<'a> {
    /// The driver's log.
    pub sql_driver_log: DriverLog<'a>,
}

/// `OssSqlDriverTelemetryLog`: one operation of a driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DriverLog<'a> {
    /// The session's id, as the server gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Cow<'a, str>>,
    /// The statement's id, as the server gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_statement_id: Option<Cow<'a, str>>,
    /// The machine and the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_configuration: Option<SystemConfiguration<'a>>,
    /// How the connection was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_connection_params: Option<ConnectionParameters>,
    /// How the client authenticated, in words: `pat`, `oauth-client_credentials`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<Cow<'a, str>>,
    /// A transfer to or from a volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vol_operation: Option<VolumeOperation>,
    /// The SQL operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_operation: Option<SqlOperation>,
    /// What failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_info: Option<ErrorInfo<'a>>,
    /// How long the operation took, in milliseconds. A measured 0 is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_latency_ms: Option<i64>,
}

/// `DriverSystemConfiguration`, without the process name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemConfiguration<'a> {
    /// The driver's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_version: Option<Cow<'a, str>>,
    /// The language runtime, `Rust`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_name: Option<Cow<'a, str>>,
    /// The compiler's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<Cow<'a, str>>,
    /// Who makes the runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_vendor: Option<Cow<'a, str>>,
    /// `Linux`, `macOS`, `Windows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_name: Option<Cow<'a, str>>,
    /// The release's name (`PRETTY_NAME` on Linux), not the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<Cow<'a, str>>,
    /// `x86_64`, `aarch64`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_arch: Option<Cow<'a, str>>,
    /// The driver's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_name: Option<Cow<'a, str>>,
    /// The application's name, only if the user set one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_app_name: Option<Cow<'a, str>>,
    /// The locale, as `en_US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale_name: Option<Cow<'a, str>>,
    /// The character set, `UTF-8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub char_set_encoding: Option<Cow<'a, str>>,
}

/// `DriverConnectionParameters`: the members that are closed by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionParameters {
    /// The protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DriverMode>,
    /// Whether API traffic goes through a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_proxy: Option<bool>,
    /// Whether the proxy was taken from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_system_proxy: Option<bool>,
    /// Whether downloads have a proxy of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_cf_proxy: Option<bool>,
    /// The kind of credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_mech: Option<AuthMech>,
    /// How the credential was obtained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_flow: Option<AuthFlow>,
    /// Whether results may come as Arrow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_arrow: Option<bool>,
    /// Whether a fast statement is answered in the first response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_direct_results: Option<bool>,
    /// Whether the hybrid disposition (inline or links) is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_sea_hybrid_results: Option<bool>,
    /// Whether arrays, maps and structs come as Arrow types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_complex_datatype_support: Option<bool>,
    /// Whether certificates are accepted that nobody trusted signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_self_signed_support: Option<bool>,
    /// Whether the system's trust store is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_system_trust_store: Option<bool>,
    /// The read timeout, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_timeout: Option<i64>,
    /// The longest wait between two status requests, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub async_poll_interval_millis: Option<i64>,
    /// Whether each statement commits by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_commit: Option<bool>,
    /// Connections kept open per host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_connection_pool_size: Option<i64>,
}

/// `SqlExecutionEvent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlOperation {
    /// What kind of call it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_type: Option<StatementType>,
    /// Whether the result that came was compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_compressed: Option<bool>,
    /// The form of the result that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_result: Option<ExecutionResult>,
    /// The chunk that failed; only with an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_id: Option<i64>,
    /// HTTP requests made again during the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<i64>,
    /// The downloads; absent for inline results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_details: Option<ChunkDetails>,
    /// When the result was ready, and how long reading it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_latency: Option<ResultLatency>,
    /// The operation and its status requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_detail: Option<OperationDetail>,
}

/// The downloads of a chunked result. `initial ≤ slowest ≤ sum`, `iterated ≤ present`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkDetails {
    /// How long the first chunk to complete took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_chunk_latency_millis: Option<i64>,
    /// How long the slowest chunk took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest_chunk_latency_millis: Option<i64>,
    /// Chunks that the result has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_chunks_present: Option<i32>,
    /// Chunks that reached the consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_chunks_iterated: Option<i32>,
    /// The sum of all download times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum_chunks_download_time_millis: Option<i64>,
}

/// The two latencies a reader of results feels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultLatency {
    /// From submitting the statement to its result being available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_set_ready_latency_millis: Option<i64>,
    /// From the first fetch to the end of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_set_consumption_latency_millis: Option<i64>,
}

/// The operation of a [`SqlOperation`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationDetail {
    /// Status requests made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_operation_status_calls: Option<i32>,
    /// Time spent in status requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_status_latency_millis: Option<i64>,
    /// What the operation was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_type: Option<OperationType>,
    /// Whether the driver, not the user, asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_internal_call: Option<bool>,
}

/// A transfer to or from a volume, without its paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeOperation {
    /// What was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_operation_type: Option<VolumeOperationType>,
}

/// What failed: the closed category, nothing of the message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInfo<'a> {
    /// The error's category, in snake_case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_name: Option<Cow<'a, str>>,
}

macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $wire)] $variant),+ }

        impl $name {
            /// Every value, in the schema's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }
        }
    };
}

wire_enum! {
    /// The protocol between driver and workspace.
    DriverMode {
        /// HiveServer2's Thrift protocol.
        Thrift = "THRIFT",
        /// The SQL Statement Execution API.
        Sea = "SEA",
    }
}
wire_enum! {
    /// The kind of credential.
    AuthMech {
        /// Something else, or none.
        Other = "OTHER",
        /// A personal access token.
        Pat = "PAT",
        /// OAuth.
        OAuth = "OAUTH",
    }
}
wire_enum! {
    /// How a credential was obtained.
    AuthFlow {
        /// Given by the caller.
        TokenPassthrough = "TOKEN_PASSTHROUGH",
        /// OAuth client credentials (machine to machine).
        ClientCredentials = "CLIENT_CREDENTIALS",
        /// OAuth in a browser (user to machine).
        BrowserBasedAuthentication = "BROWSER_BASED_AUTHENTICATION",
    }
}
wire_enum! {
    /// The category of a call.
    StatementType {
        /// A statement that returns rows.
        Query = "QUERY",
        /// Any other SQL.
        Sql = "SQL",
        /// A statement that changes rows.
        Update = "UPDATE",
        /// A metadata request.
        Metadata = "METADATA",
        /// A volume operation.
        Volume = "VOLUME",
    }
}
wire_enum! {
    /// The form in which a result came.
    ExecutionResult {
        /// Arrow inside the response.
        InlineArrow = "INLINE_ARROW",
        /// JSON inside the response.
        InlineJson = "INLINE_JSON",
        /// Links to cloud storage.
        ExternalLinks = "EXTERNAL_LINKS",
        /// Thrift's columnar rows.
        ColumnarInline = "COLUMNAR_INLINE",
    }
}
wire_enum! {
    /// What an operation was.
    OperationType {
        /// A session was opened.
        CreateSession = "CREATE_SESSION",
        /// A session was closed.
        DeleteSession = "DELETE_SESSION",
        /// A statement was executed, and the call waited for it.
        ExecuteStatement = "EXECUTE_STATEMENT",
        /// A statement was submitted and polled.
        ExecuteStatementAsync = "EXECUTE_STATEMENT_ASYNC",
        /// A statement was closed.
        CloseStatement = "CLOSE_STATEMENT",
        /// A statement was cancelled.
        CancelStatement = "CANCEL_STATEMENT",
        /// The server's types were listed.
        ListTypeInfo = "LIST_TYPE_INFO",
        /// Catalogs were listed.
        ListCatalogs = "LIST_CATALOGS",
        /// Schemas were listed.
        ListSchemas = "LIST_SCHEMAS",
        /// Tables were listed.
        ListTables = "LIST_TABLES",
        /// Table types were listed.
        ListTableTypes = "LIST_TABLE_TYPES",
        /// Columns were listed.
        ListColumns = "LIST_COLUMNS",
        /// Functions were listed.
        ListFunctions = "LIST_FUNCTIONS",
        /// Primary keys were listed.
        ListPrimaryKeys = "LIST_PRIMARY_KEYS",
        /// Imported keys were listed.
        ListImportedKeys = "LIST_IMPORTED_KEYS",
        /// Exported keys were listed.
        ListExportedKeys = "LIST_EXPORTED_KEYS",
        /// Cross references were listed.
        ListCrossReferences = "LIST_CROSS_REFERENCES",
    }
}
wire_enum! {
    /// What was done with a volume.
    VolumeOperationType {
        /// A file was written.
        Put = "PUT",
        /// A file was read.
        Get = "GET",
        /// A file was removed.
        Delete = "DELETE",
        /// A directory was listed.
        List = "LIST",
        /// A path was asked about.
        Query = "QUERY",
    }
}
