//! Whatever is set on a root, its event carries what the table allows for its kind, and nothing else.

mod common;

use std::time::Duration;

use activity::{Activity, ByteCount, Id, Version};
use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{
    Auth, ErrorCategory, OperationType, ResultFormat, StatementKind, VolumeOperation, operations, tags,
};
use serde_json::Value;

/// Sets every tag of the table. Each value is found again in the JSON if it gets there.
fn set_everything(activity: &mut Activity) {
    activity.set(tags::SESSION_ID, Id::new("the-session").unwrap());
    activity.set(tags::WORKSPACE_ID, 7001);
    activity.set(tags::STATEMENT_ID, Id::new("the-statement").unwrap());
    activity.set(tags::OPERATION_TYPE, OperationType::ListTables);
    activity.set(tags::OPERATION_INTERNAL, true);
    activity.set(tags::OPERATION_LATENCY, Duration::from_millis(7002));
    activity.set(tags::ERROR_TYPE, ErrorCategory::RateLimitExceeded);
    activity.set(tags::DRIVER_VERSION, Version::new("7.0.3").unwrap());
    activity.set(tags::CLIENT_APP_NAME, Id::new("the-app").unwrap());
    activity.set(tags::AUTH_TYPE, Auth::ClientCredentials);
    activity.set(tags::PROXY_USED, true);
    activity.set(tags::PROXY_FROM_SYSTEM, true);
    activity.set(tags::PROXY_FOR_DOWNLOADS, true);
    activity.set(tags::TLS_SELF_SIGNED, true);
    activity.set(tags::TLS_SYSTEM_STORE, true);
    activity.set(tags::FEATURE_ARROW, true);
    activity.set(tags::FEATURE_CLOUDFETCH, true);
    activity.set(tags::FEATURE_DIRECT_RESULTS, true);
    activity.set(tags::FEATURE_COMPLEX_TYPES, true);
    activity.set(tags::FEATURE_LZ4, true);
    activity.set(tags::AUTO_COMMIT, true);
    activity.set(tags::SOCKET_TIMEOUT, Duration::from_secs(7004));
    activity.set(tags::POOL_SIZE, 7005);
    activity.set(tags::POLL_INTERVAL, Duration::from_millis(7006));
    activity.set(tags::STATEMENT_TYPE, StatementKind::Volume);
    activity.set(tags::VOLUME_OPERATION, VolumeOperation::Put);
    activity.set(tags::RESULT_FORMAT, ResultFormat::ExternalLinks);
    activity.set(tags::RESULT_COMPRESSED, true);
    activity.set(tags::RESULT_READY_LATENCY, Duration::from_millis(7007));
    activity.set(tags::RESULT_CONSUMPTION_LATENCY, Duration::from_millis(7008));
    activity.set(tags::RESULT_CHUNK_COUNT, 7010);
    activity.set(tags::RESULT_CHUNKS_ITERATED, 7009);
    activity.set(tags::RESULT_BYTES_DOWNLOADED, ByteCount(9001));
    activity.set(tags::RESULT_ROWS, 9002);
    activity.set(tags::RESULT_DECODE_TIME, Duration::from_millis(9003));
    activity.set(tags::CHUNK_INITIAL_LATENCY, Duration::from_millis(7011));
    activity.set(tags::CHUNK_SLOWEST_LATENCY, Duration::from_millis(7012));
    activity.set(tags::CHUNK_DOWNLOAD_TIME, Duration::from_millis(7013));
    activity.set(tags::CHUNK_FAILED, 7014);
    activity.set(tags::CHUNK_INDEX, 9004);
    activity.set(tags::POLL_COUNT, 7015);
    activity.set(tags::POLL_LATENCY, Duration::from_millis(7016));
    activity.set(tags::RETRY_COUNT, 7017);
    activity.set(tags::HTTP_STATUS, 9005);
}

/// Where a tag's value, as set above, is found in an entry.
const PLACES: &[(&str, &str, &str)] = &[
    ("session.id", "/entry/sql_driver_log/session_id", "\"the-session\""),
    ("workspace.id", "/workspace_id", "7001"),
    (
        "statement.id",
        "/entry/sql_driver_log/sql_statement_id",
        "\"the-statement\"",
    ),
    (
        "operation.type",
        "/entry/sql_driver_log/sql_operation/operation_detail/operation_type",
        "\"LIST_TABLES\"",
    ),
    (
        "operation.is_internal",
        "/entry/sql_driver_log/sql_operation/operation_detail/is_internal_call",
        "true",
    ),
    (
        "operation.latency",
        "/entry/sql_driver_log/operation_latency_ms",
        "7002",
    ),
    (
        "error.type",
        "/entry/sql_driver_log/error_info/error_name",
        "\"rate_limit_exceeded\"",
    ),
    (
        "driver.version",
        "/entry/sql_driver_log/system_configuration/driver_version",
        "\"7.0.3\"",
    ),
    (
        "client.app_name",
        "/entry/sql_driver_log/system_configuration/client_app_name",
        "\"the-app\"",
    ),
    (
        "auth.type",
        "/entry/sql_driver_log/auth_type",
        "\"oauth-client_credentials\"",
    ),
    (
        "proxy.used",
        "/entry/sql_driver_log/driver_connection_params/use_proxy",
        "true",
    ),
    (
        "proxy.from_system",
        "/entry/sql_driver_log/driver_connection_params/use_system_proxy",
        "true",
    ),
    (
        "proxy.for_downloads",
        "/entry/sql_driver_log/driver_connection_params/use_cf_proxy",
        "true",
    ),
    (
        "tls.allow_self_signed",
        "/entry/sql_driver_log/driver_connection_params/allow_self_signed_support",
        "true",
    ),
    (
        "tls.system_trust_store",
        "/entry/sql_driver_log/driver_connection_params/use_system_trust_store",
        "true",
    ),
    (
        "feature.arrow",
        "/entry/sql_driver_log/driver_connection_params/enable_arrow",
        "true",
    ),
    (
        "feature.cloudfetch",
        "/entry/sql_driver_log/driver_connection_params/enable_sea_hybrid_results",
        "true",
    ),
    (
        "feature.direct_results",
        "/entry/sql_driver_log/driver_connection_params/enable_direct_results",
        "true",
    ),
    (
        "feature.complex_types",
        "/entry/sql_driver_log/driver_connection_params/enable_complex_datatype_support",
        "true",
    ),
    (
        "connection.auto_commit",
        "/entry/sql_driver_log/driver_connection_params/auto_commit",
        "true",
    ),
    (
        "http.socket_timeout",
        "/entry/sql_driver_log/driver_connection_params/socket_timeout",
        "7004",
    ),
    (
        "http.pool_size",
        "/entry/sql_driver_log/driver_connection_params/http_connection_pool_size",
        "7005",
    ),
    (
        "poll.interval",
        "/entry/sql_driver_log/driver_connection_params/async_poll_interval_millis",
        "7006",
    ),
    (
        "statement.type",
        "/entry/sql_driver_log/sql_operation/statement_type",
        "\"VOLUME\"",
    ),
    (
        "volume.operation",
        "/entry/sql_driver_log/vol_operation/volume_operation_type",
        "\"PUT\"",
    ),
    (
        "result.format",
        "/entry/sql_driver_log/sql_operation/execution_result",
        "\"EXTERNAL_LINKS\"",
    ),
    (
        "result.compression_enabled",
        "/entry/sql_driver_log/sql_operation/is_compressed",
        "true",
    ),
    (
        "result.ready_latency",
        "/entry/sql_driver_log/sql_operation/result_latency/result_set_ready_latency_millis",
        "7007",
    ),
    (
        "result.consumption_latency",
        "/entry/sql_driver_log/sql_operation/result_latency/result_set_consumption_latency_millis",
        "7008",
    ),
    (
        "result.chunk_count",
        "/entry/sql_driver_log/sql_operation/chunk_details/total_chunks_present",
        "7010",
    ),
    (
        "result.chunks_iterated",
        "/entry/sql_driver_log/sql_operation/chunk_details/total_chunks_iterated",
        "7009",
    ),
    (
        "chunk.initial_latency",
        "/entry/sql_driver_log/sql_operation/chunk_details/initial_chunk_latency_millis",
        "7011",
    ),
    (
        "chunk.slowest_latency",
        "/entry/sql_driver_log/sql_operation/chunk_details/slowest_chunk_latency_millis",
        "7012",
    ),
    (
        "chunk.download_time",
        "/entry/sql_driver_log/sql_operation/chunk_details/sum_chunks_download_time_millis",
        "7013",
    ),
    ("chunk.failed", "/entry/sql_driver_log/sql_operation/chunk_id", "7014"),
    (
        "poll.count",
        "/entry/sql_driver_log/sql_operation/operation_detail/n_operation_status_calls",
        "7015",
    ),
    (
        "poll.latency",
        "/entry/sql_driver_log/sql_operation/operation_detail/operation_status_latency_millis",
        "7016",
    ),
    (
        "http.retry_count",
        "/entry/sql_driver_log/sql_operation/retry_count",
        "7017",
    ),
];

/// The entry of a root on which everything was set, as JSON.
fn entry(operation: &'static activity::Operation, failed: bool) -> Value {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    let mut root = lease.root(operation, None);
    set_everything(&mut root);
    if failed {
        root.fail("rate_limit_exceeded");
    }
    drop(root);
    assert!(lease.flush(PATIENCE));
    let posts = workspace.posts();
    assert_eq!(posts.len(), 1);
    let request: Value = serde_json::from_str(&posts[0].body).unwrap();
    serde_json::from_str(request["protoLogs"][0].as_str().unwrap()).unwrap()
}

fn check(operation: &'static activity::Operation, failed: bool) {
    let kind = match operation.kind() {
        databricks_telemetry::kinds::CONNECTION_OPEN if failed => databricks_telemetry::kinds::ERROR,
        kind => kind,
    };
    let entry = entry(operation, failed);
    for (tag, place, value) in PLACES {
        let found = entry.pointer(place).map(Value::to_string);
        let there = found.as_deref() == Some(*value);
        let about_errors = ["error.type", "chunk.failed"].contains(tag);
        let allowed = tags::TABLE.is_exported(kind, tag) && (failed || !about_errors);
        assert_eq!(
            there,
            allowed,
            "{} (failed: {failed}): {tag} is {found:?}",
            operation.name()
        );
    }
    let text = entry.to_string();
    for local in ["9001", "9002", "9003", "9004", "9005"] {
        assert!(!text.contains(&format!(":{local}")), "{text}");
    }
}

#[test]
fn an_event_carries_only_what_its_kind_allows() {
    for operation in operations::OPERATIONS
        .into_iter()
        .filter(|operation| operation.kind() != activity::EventKind::NONE)
    {
        check(operation, false);
        check(operation, true);
    }
}

#[test]
fn every_tag_that_may_leave_is_looked_for() {
    for tag in tags::TABLE.iter() {
        let looked_for = PLACES.iter().any(|(name, ..)| *name == tag.name());
        assert_eq!(looked_for, tag.scope().is_remote(), "{}", tag.name());
    }
}
