//! The published schema of driver telemetry, as data: message, field, type.
//!
//! Written out here once more, apart from the types that clients are built with, so that a mistake there is found here.
//! A member that is not in these tables is lost on ingestion, and a value that is not in these lists becomes NULL,
//! without any error; so both are violations.

/// A message: the members that an object may have.
#[derive(Debug)]
pub(super) struct Message(pub(super) &'static [Field]);

/// A member of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
}

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Bool,
    /// A JSON number within 32 bits.
    Int32,
    /// A JSON number, or its decimal digits as a string (as protobuf's JSON writes it).
    Int64,
    Enum(&'static [&'static str]),
    Message(&'static Message),
    Texts,
}

/// Whether a member must or may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
    /// Optional for a client that authenticates; forbidden for one that does not, whose word for it nobody can check.
    Identifying,
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        presence: Presence::Required,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        presence: Presence::Optional,
    }
}

const fn identifying(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        presence: Presence::Identifying,
    }
}

use Kind::{Bool, Enum, Int32, Int64, Text, Texts};

const fn message(message: &'static Message) -> Kind {
    Kind::Message(message)
}

/// One entry of `protoLogs`.
pub(super) static FRONTEND_LOG: Message = Message(&[
    identifying("workspace_id", Int64),
    required("frontend_log_event_id", Text),
    required("context", message(&CONTEXT)),
    required("entry", message(&ENTRY)),
]);

static CONTEXT: Message = Message(&[required("client_context", message(&CLIENT_CONTEXT))]);

static CLIENT_CONTEXT: Message = Message(&[required("timestamp_millis", Int64), required("user_agent", Text)]);

static ENTRY: Message = Message(&[required("sql_driver_log", message(&SQL_DRIVER_LOG))]);

static SQL_DRIVER_LOG: Message = Message(&[
    identifying("session_id", Text),
    identifying("sql_statement_id", Text),
    optional("system_configuration", message(&SYSTEM_CONFIGURATION)),
    identifying("driver_connection_params", message(&CONNECTION_PARAMETERS)),
    optional("auth_type", Text),
    optional("vol_operation", message(&VOLUME_OPERATION)),
    optional("sql_operation", message(&SQL_OPERATION)),
    optional("error_info", message(&ERROR_INFO)),
    optional("operation_latency_ms", Int64),
]);

static SYSTEM_CONFIGURATION: Message = Message(&[
    optional("driver_version", Text),
    optional("runtime_name", Text),
    optional("runtime_version", Text),
    optional("runtime_vendor", Text),
    optional("os_name", Text),
    optional("os_version", Text),
    optional("os_arch", Text),
    optional("driver_name", Text),
    optional("client_app_name", Text),
    optional("locale_name", Text),
    optional("char_set_encoding", Text),
    optional("process_name", Text),
]);

static CONNECTION_PARAMETERS: Message = Message(&[
    optional("http_path", Text),
    optional("mode", Enum(&["TYPE_UNSPECIFIED", "THRIFT", "SEA"])),
    optional("host_info", message(&HOST)),
    optional("use_proxy", Bool),
    optional("auth_mech", Enum(&["TYPE_UNSPECIFIED", "OTHER", "PAT", "OAUTH"])),
    optional(
        "auth_flow",
        Enum(&[
            "TYPE_UNSPECIFIED",
            "TOKEN_PASSTHROUGH",
            "CLIENT_CREDENTIALS",
            "BROWSER_BASED_AUTHENTICATION",
        ]),
    ),
    optional("auth_scope", Text),
    optional("use_system_proxy", Bool),
    optional("non_proxy_hosts", Texts),
    optional("use_cf_proxy", Bool),
    optional("proxy_host_info", message(&HOST)),
    optional("cf_proxy_host_info", message(&HOST)),
    optional("discovery_mode_enabled", Bool),
    optional("discovery_url", Text),
    optional("use_empty_metadata", Bool),
    optional("support_many_parameters", Bool),
    optional("ssl_trust_store_type", Text),
    optional("check_certificate_revocation", Bool),
    optional("accept_undetermined_certificate_revocation", Bool),
    optional("google_service_account", Text),
    optional("google_credential_file_path", Text),
    optional("http_connection_pool_size", Int64),
    optional("enable_sea_hybrid_results", Bool),
    optional("enable_complex_datatype_support", Bool),
    optional("allow_self_signed_support", Bool),
    optional("use_system_trust_store", Bool),
    optional("rows_fetched_per_block", Int64),
    optional("azure_workspace_resource_id", Text),
    optional("azure_tenant_id", Text),
    optional("string_column_length", Int32),
    optional("enable_token_cache", Bool),
    optional("token_endpoint", Text),
    optional("auth_endpoint", Text),
    optional("enable_arrow", Bool),
    optional("enable_direct_results", Bool),
    optional("enable_jwt_assertion", Bool),
    optional("jwt_key_file", Text),
    optional("jwt_algorithm", Text),
    optional("socket_timeout", Int64),
    optional("allowed_volume_ingestion_paths", Text),
    optional("async_poll_interval_millis", Int64),
    optional("query_tags", Text),
    optional("enable_metric_view_metadata", Bool),
    optional("auto_commit", Bool),
    optional("fetch_auto_commit_from_server", Bool),
    optional("enable_geospatial_support", Bool),
]);

static HOST: Message = Message(&[
    optional("host_url", Text),
    optional("port", Int32),
    optional(
        "proxy_auth_type",
        Enum(&["AUTH_UNSPECIFIED", "NONE", "BASIC", "SPNEGO"]),
    ),
]);

static SQL_OPERATION: Message = Message(&[
    optional(
        "statement_type",
        Enum(&["TYPE_UNSPECIFIED", "QUERY", "SQL", "UPDATE", "METADATA", "VOLUME"]),
    ),
    optional("is_compressed", Bool),
    optional(
        "execution_result",
        Enum(&[
            "FORMAT_UNSPECIFIED",
            "INLINE_ARROW",
            "INLINE_JSON",
            "EXTERNAL_LINKS",
            "COLUMNAR_INLINE",
        ]),
    ),
    optional("chunk_id", Int64),
    optional("retry_count", Int64),
    optional("chunk_details", message(&CHUNK_DETAILS)),
    optional("result_latency", message(&RESULT_LATENCY)),
    optional("operation_detail", message(&OPERATION_DETAIL)),
    optional("java_uses_patched_arrow", Bool),
]);

static CHUNK_DETAILS: Message = Message(&[
    optional("initial_chunk_latency_millis", Int64),
    optional("slowest_chunk_latency_millis", Int64),
    optional("total_chunks_present", Int32),
    optional("total_chunks_iterated", Int32),
    optional("sum_chunks_download_time_millis", Int64),
]);

static RESULT_LATENCY: Message = Message(&[
    optional("result_set_ready_latency_millis", Int64),
    optional("result_set_consumption_latency_millis", Int64),
]);

static OPERATION_DETAIL: Message = Message(&[
    optional("n_operation_status_calls", Int32),
    optional("operation_status_latency_millis", Int64),
    optional(
        "operation_type",
        Enum(&[
            "TYPE_UNSPECIFIED",
            "CREATE_SESSION",
            "DELETE_SESSION",
            "EXECUTE_STATEMENT",
            "EXECUTE_STATEMENT_ASYNC",
            "CLOSE_STATEMENT",
            "CANCEL_STATEMENT",
            "LIST_TYPE_INFO",
            "LIST_CATALOGS",
            "LIST_SCHEMAS",
            "LIST_TABLES",
            "LIST_TABLE_TYPES",
            "LIST_COLUMNS",
            "LIST_FUNCTIONS",
            "LIST_PRIMARY_KEYS",
            "LIST_IMPORTED_KEYS",
            "LIST_EXPORTED_KEYS",
            "LIST_CROSS_REFERENCES",
        ]),
    ),
    optional("is_internal_call", Bool),
]);

static VOLUME_OPERATION: Message = Message(&[
    optional(
        "volume_operation_type",
        Enum(&["TYPE_UNSPECIFIED", "PUT", "GET", "DELETE", "LIST", "QUERY"]),
    ),
    optional("volume_path", Text),
    optional("local_file", Text),
]);

static ERROR_INFO: Message = Message(&[optional("error_name", Text), optional("stack_trace", Text)]);
