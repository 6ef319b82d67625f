//! An entry that is written into its place of the request body is, byte for byte, the one that `serde_json` makes in two steps.

use std::borrow::Cow;

use databricks_wire::telemetry::{
    AuthFlow, AuthMech, ChunkDetails, ClientContext, ConnectionParameters, DriverLog, DriverMode, ErrorInfo,
    ExecutionResult, FrontendLog, FrontendLogContext, FrontendLogEntry, OperationDetail, OperationType, ResultLatency,
    SqlOperation, StatementType, SystemConfiguration, TelemetryRequest, VolumeOperation, VolumeOperationType,
};
use databricks_wire::{NotAnEntry, push_quoted};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;

fn in_two_steps<T: Serialize>(value: &T) -> String {
    serde_json::to_string(&serde_json::to_string(value).unwrap()).unwrap()
}

fn quoted<T: Serialize>(value: &T) -> String {
    let mut out = "before".to_owned();
    push_quoted(&mut out, value).unwrap();
    out.split_off("before".len())
}

/// Ids, names, and whatever else a text can be. Boxed, as are the larger parts below: a test's stack does not hold them all.
fn text() -> BoxedStrategy<Cow<'static, str>> {
    prop_oneof![
        "[a-z0-9-]{0,40}",
        any::<String>(),
        r#"[\\"/\x00-\x1f\x7fé\u{2028}🦀]{0,12}"#
    ]
    .prop_map(Cow::Owned)
    .boxed()
}

fn system() -> BoxedStrategy<SystemConfiguration<'static>> {
    let texts = || prop::array::uniform5(of(text()));
    (texts(), texts(), of(text()))
        .prop_map(|(one, other, client_app_name)| {
            let [driver_version, runtime_name, runtime_version, runtime_vendor, os_name] = one;
            let [os_version, os_arch, driver_name, locale_name, char_set_encoding] = other;
            SystemConfiguration {
                driver_version,
                runtime_name,
                runtime_version,
                runtime_vendor,
                os_name,
                os_version,
                os_arch,
                driver_name,
                client_app_name,
                locale_name,
                char_set_encoding,
            }
        })
        .boxed()
}

fn parameters() -> BoxedStrategy<ConnectionParameters> {
    let enums = (
        of(select(DriverMode::ALL)),
        of(select(AuthMech::ALL)),
        of(select(AuthFlow::ALL)),
    );
    let flags = prop::array::uniform10(of(any::<bool>()));
    let numbers = prop::array::uniform3(of(any::<i64>()));
    (enums, flags, numbers)
        .prop_map(|((mode, auth_mech, auth_flow), flags, numbers)| {
            let [
                use_proxy,
                use_system_proxy,
                use_cf_proxy,
                enable_arrow,
                enable_direct_results,
                ..,
            ] = flags;
            let [.., sea_hybrid, complex, self_signed, trust_store, auto_commit] = flags;
            let [socket_timeout, async_poll_interval_millis, http_connection_pool_size] = numbers;
            ConnectionParameters {
                mode,
                use_proxy,
                use_system_proxy,
                use_cf_proxy,
                auth_mech,
                auth_flow,
                enable_arrow,
                enable_direct_results,
                enable_sea_hybrid_results: sea_hybrid,
                enable_complex_datatype_support: complex,
                allow_self_signed_support: self_signed,
                use_system_trust_store: trust_store,
                socket_timeout,
                async_poll_interval_millis,
                auto_commit,
                http_connection_pool_size,
            }
        })
        .boxed()
}

fn operation() -> BoxedStrategy<SqlOperation> {
    let chunks = (
        prop::array::uniform3(of(any::<i64>())),
        prop::array::uniform2(of(any::<i32>())),
    );
    let chunks = chunks.prop_map(|([initial, slowest, sum], [present, iterated])| ChunkDetails {
        initial_chunk_latency_millis: initial,
        slowest_chunk_latency_millis: slowest,
        total_chunks_present: present,
        total_chunks_iterated: iterated,
        sum_chunks_download_time_millis: sum,
    });
    let latency = prop::array::uniform2(of(any::<i64>())).prop_map(|[ready, consumption]| ResultLatency {
        result_set_ready_latency_millis: ready,
        result_set_consumption_latency_millis: consumption,
    });
    let detail = (
        of(any::<i32>()),
        of(any::<i64>()),
        of(select(OperationType::ALL)),
        of(any::<bool>()),
    );
    let detail = detail.prop_map(|(calls, latency, operation_type, is_internal_call)| OperationDetail {
        n_operation_status_calls: calls,
        operation_status_latency_millis: latency,
        operation_type,
        is_internal_call,
    });
    (
        of(select(StatementType::ALL)),
        of(any::<bool>()),
        of(select(ExecutionResult::ALL)),
        prop::array::uniform2(of(any::<i64>())),
        of(chunks),
        of(latency),
        of(detail),
    )
        .prop_map(
            |(statement_type, is_compressed, execution_result, [chunk_id, retry_count], chunks, latency, detail)| {
                SqlOperation {
                    statement_type,
                    is_compressed,
                    execution_result,
                    chunk_id,
                    retry_count,
                    chunk_details: chunks,
                    result_latency: latency,
                    operation_detail: detail,
                }
            },
        )
        .boxed()
}

fn entry() -> BoxedStrategy<FrontendLog<'static>> {
    let volume = of(select(VolumeOperationType::ALL))
        .prop_map(|volume_operation_type| VolumeOperation { volume_operation_type });
    let log = (
        prop::array::uniform3(of(text())),
        of(system()),
        of(parameters()),
        of(volume),
        of(operation()),
        of(of(text()).prop_map(|error_name| ErrorInfo { error_name })),
        of(any::<i64>()),
    );
    let log = log.prop_map(
        |([session_id, sql_statement_id, auth_type], system, parameters, volume, operation, error, latency)| {
            DriverLog {
                session_id,
                sql_statement_id,
                system_configuration: system,
                driver_connection_params: parameters,
                auth_type,
                vol_operation: volume,
                sql_operation: operation,
                error_info: error,
                operation_latency_ms: latency,
            }
        },
    );
    (of(any::<i64>()), text(), any::<i64>(), text(), log)
        .prop_map(
            |(workspace_id, entry_id, timestamp_millis, user_agent, log)| FrontendLog {
                workspace_id,
                frontend_log_event_id: entry_id,
                context: FrontendLogContext {
                    client_context: ClientContext {
                        timestamp_millis,
                        user_agent,
                    },
                },
                entry: FrontendLogEntry { sql_driver_log: log },
            },
        )
        .boxed()
}

proptest! {
    #[test]
    fn an_entry_is_quoted_as_serde_json_does(entry in entry()) {
        prop_assert_eq!(quoted(&entry), in_two_steps(&entry));
    }
}

#[test]
fn the_names_of_all_enums_stand_as_they_are() {
    fn check<T: Serialize>(all: &[T]) {
        for value in all {
            assert_eq!(quoted(value), in_two_steps(value));
        }
    }
    check(DriverMode::ALL);
    check(AuthMech::ALL);
    check(AuthFlow::ALL);
    check(StatementType::ALL);
    check(ExecutionResult::ALL);
    check(OperationType::ALL);
    check(VolumeOperationType::ALL);
}

#[test]
fn what_no_entry_has_is_refused_and_leaves_nothing_behind() {
    let mut out = "before".to_owned();
    assert_eq!(push_quoted(&mut out, &TelemetryRequest::default()), Err(NotAnEntry));
    assert_eq!(push_quoted(&mut out, &1.5), Err(NotAnEntry));
    assert_eq!(out, "before");
}
