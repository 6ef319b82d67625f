//! THE table of tags: everything that may be known about an activity, and who may know it.
//!
//! A tag leaves the machine only if it is listed here with the scope `Databricks` or `All` and with the kind of the
//! event, and only types with a closed set of values, or a bounded grammar, can be. `docs/tags.md` is generated from
//! this table.

use std::time::Duration;

use activity::{ByteCount, Id, LocalText, Version};

use crate::kinds::{CONNECTION_CLOSE, CONNECTION_OPEN, ERROR, METADATA, STATEMENT, STATEMENT_CALL};
use crate::values::{Auth, ErrorCategory, OperationType, ResultFormat, StatementKind, VolumeOperation};

activity::tags! {
    /// Every tag of the driver.
    pub static TABLE;

    // Who and what: ids live once, at the root.

    /// The session's id, as the server gave it.
    pub const SESSION_ID: Id = "session.id", scope: All, merge: Keep,
        kinds: [CONNECTION_OPEN, CONNECTION_CLOSE, STATEMENT, METADATA, STATEMENT_CALL],
        required: [CONNECTION_OPEN, CONNECTION_CLOSE, STATEMENT];
    /// The workspace's number, when the client knows it.
    pub const WORKSPACE_ID: i64 = "workspace.id", scope: All, merge: Keep,
        kinds: [CONNECTION_OPEN, CONNECTION_CLOSE, STATEMENT, METADATA, STATEMENT_CALL];
    /// The statement's id, as the server gave it; not the statement's text.
    pub const STATEMENT_ID: Id = "statement.id", scope: All, merge: Keep,
        kinds: [STATEMENT, METADATA, STATEMENT_CALL], required: [STATEMENT];
    /// What was done. Where it is not set it follows from the operation.
    pub const OPERATION_TYPE: OperationType = "operation.type", scope: All, merge: Keep,
        kinds: [STATEMENT, METADATA, ERROR], required: [METADATA];
    /// Whether the driver asked for it, rather than the user.
    pub const OPERATION_INTERNAL: bool = "operation.is_internal", scope: All, merge: Keep,
        kinds: [CONNECTION_OPEN, CONNECTION_CLOSE, STATEMENT, METADATA, STATEMENT_CALL, ERROR];
    /// How long the call took that the user made: set when it returns, because reading the result is not part of it.
    pub const OPERATION_LATENCY: Duration = "operation.latency", scope: All, merge: Keep,
        kinds: [CONNECTION_OPEN, CONNECTION_CLOSE, STATEMENT, METADATA, STATEMENT_CALL, ERROR], required: [STATEMENT];
    /// The category of the error, if it failed.
    pub const ERROR_TYPE: ErrorCategory = "error.type", scope: All, merge: Keep,
        kinds: [CONNECTION_CLOSE, STATEMENT, METADATA, STATEMENT_CALL, ERROR], required: [ERROR];

    // The driver and how it connects.

    /// The driver's version.
    pub const DRIVER_VERSION: Version = "driver.version", scope: All, merge: Keep,
        kinds: [CONNECTION_OPEN], required: [CONNECTION_OPEN];
    /// The application's name, only if the user set one.
    pub const CLIENT_APP_NAME: Id = "client.app_name", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// How the client authenticates.
    pub const AUTH_TYPE: Auth = "auth.type", scope: All, merge: Keep,
        kinds: [CONNECTION_OPEN], required: [CONNECTION_OPEN];
    /// Whether API traffic goes through a proxy.
    pub const PROXY_USED: bool = "proxy.used", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether the proxy was taken from the environment.
    pub const PROXY_FROM_SYSTEM: bool = "proxy.from_system", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether downloads have a proxy of their own.
    pub const PROXY_FOR_DOWNLOADS: bool = "proxy.for_downloads", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether certificates are accepted that nobody trusted signed.
    pub const TLS_SELF_SIGNED: bool = "tls.allow_self_signed", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether the system's trust store is used.
    pub const TLS_SYSTEM_STORE: bool = "tls.system_trust_store", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether results may come as Arrow.
    pub const FEATURE_ARROW: bool = "feature.arrow", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether results may come as links to cloud storage, or inline, as the server likes.
    pub const FEATURE_CLOUDFETCH: bool = "feature.cloudfetch", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether a fast statement is answered in the first response.
    pub const FEATURE_DIRECT_RESULTS: bool = "feature.direct_results", scope: All, merge: Keep,
        kinds: [CONNECTION_OPEN];
    /// Whether arrays, maps and structs come as Arrow types.
    pub const FEATURE_COMPLEX_TYPES: bool = "feature.complex_types", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Whether results may be compressed with LZ4. The wire has no field for it; what came says
    /// result.compression_enabled.
    pub const FEATURE_LZ4: bool = "feature.lz4", scope: Local, merge: Keep;
    /// Whether each statement commits by itself.
    pub const AUTO_COMMIT: bool = "connection.auto_commit", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// How long a read may take.
    pub const SOCKET_TIMEOUT: Duration = "http.socket_timeout", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// Connections kept open per host.
    pub const POOL_SIZE: u64 = "http.pool_size", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// The longest wait between two status requests.
    pub const POLL_INTERVAL: Duration = "poll.interval", scope: All, merge: Keep, kinds: [CONNECTION_OPEN];
    /// The workspace's host.
    pub const SERVER_ADDRESS: LocalText = "server.address", scope: Local, merge: Keep;

    // A statement and its result.

    /// What kind of call it is.
    pub const STATEMENT_TYPE: StatementKind = "statement.type", scope: All, merge: Keep,
        kinds: [STATEMENT, METADATA], required: [STATEMENT];
    /// The statement's text.
    pub const DB_STATEMENT: LocalText = "db.statement", scope: Local, merge: Keep;
    /// What was done with a volume.
    pub const VOLUME_OPERATION: VolumeOperation = "volume.operation", scope: All, merge: Keep, kinds: [STATEMENT];
    /// Bytes that were written to or read from a volume. The wire has no field for it.
    pub const VOLUME_BYTES: ByteCount = "volume.bytes", scope: Local, merge: Sum;
    /// The form in which the result came, not the one that was asked for.
    pub const RESULT_FORMAT: ResultFormat = "result.format", scope: All, merge: Last, kinds: [STATEMENT, METADATA];
    /// Whether the result that came was compressed.
    pub const RESULT_COMPRESSED: bool = "result.compression_enabled", scope: All, merge: Last,
        kinds: [STATEMENT, METADATA];
    /// From submitting the statement to its result being available.
    pub const RESULT_READY_LATENCY: Duration = "result.ready_latency", scope: All, merge: Keep, kinds: [STATEMENT];
    /// From the first fetch to the end of the rows, or to where the reader let go.
    pub const RESULT_CONSUMPTION_LATENCY: Duration = "result.consumption_latency", scope: All, merge: Keep,
        kinds: [STATEMENT];
    /// Chunks that the result has.
    pub const RESULT_CHUNK_COUNT: u64 = "result.chunk_count", scope: All, merge: Max, kinds: [STATEMENT];
    /// Chunks that reached the reader.
    pub const RESULT_CHUNKS_ITERATED: u64 = "result.chunks_iterated", scope: All, merge: Sum, kinds: [STATEMENT];
    /// Bytes downloaded, as they came. The wire has no field for it.
    pub const RESULT_BYTES_DOWNLOADED: ByteCount = "result.bytes_downloaded", scope: Local, merge: Sum;
    /// Rows that reached the reader. The wire has no field for it.
    pub const RESULT_ROWS: u64 = "result.rows", scope: Local, merge: Sum;
    /// Time spent decompressing and decoding. The wire has no field for it.
    pub const RESULT_DECODE_TIME: Duration = "result.decode_time", scope: Local, merge: Sum;

    // Chunks.

    /// How long the first chunk to complete took.
    pub const CHUNK_INITIAL_LATENCY: Duration = "chunk.initial_latency", scope: All, merge: First, kinds: [STATEMENT];
    /// How long the slowest chunk took.
    pub const CHUNK_SLOWEST_LATENCY: Duration = "chunk.slowest_latency", scope: All, merge: Max, kinds: [STATEMENT];
    /// The sum of all download times.
    pub const CHUNK_DOWNLOAD_TIME: Duration = "chunk.download_time", scope: All, merge: Sum, kinds: [STATEMENT];
    /// The index of the chunk that failed; only with an error.
    pub const CHUNK_FAILED: i64 = "chunk.failed", scope: All, merge: First, kinds: [STATEMENT];
    /// The index of the chunk that is downloaded or decoded.
    pub const CHUNK_INDEX: i64 = "chunk.index", scope: Local, merge: Keep;

    // Status requests and HTTP.

    /// Status requests made.
    pub const POLL_COUNT: u64 = "poll.count", scope: All, merge: Sum, kinds: [STATEMENT, METADATA];
    /// Time spent in status requests.
    pub const POLL_LATENCY: Duration = "poll.latency", scope: All, merge: Sum, kinds: [STATEMENT, METADATA];
    /// HTTP requests made again.
    pub const RETRY_COUNT: u64 = "http.retry_count", scope: All, merge: Sum, kinds: [STATEMENT, METADATA];
    /// The HTTP status of the last answer.
    pub const HTTP_STATUS: u64 = "http.response.status_code", scope: Local, merge: Keep;
}
