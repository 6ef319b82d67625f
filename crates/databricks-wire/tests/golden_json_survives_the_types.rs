//! Golden JSON, written apart from the types, reads and writes as the protocol says.

use databricks_wire::error::ApiError;
use databricks_wire::flags::FeatureFlags;
use databricks_wire::sea::{
    CreateSessionRequest, ExecuteStatementRequest, Parameter, StatementResponse, StatementState,
};
use databricks_wire::telemetry::{FrontendLog, TelemetryRequest, TelemetryResponse};
use serde::{Serialize, de::DeserializeOwned};

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("golden/", $name, ".json"))
    };
}

fn exact<T: Serialize + DeserializeOwned>(text: &str) {
    let parsed: T = serde_json::from_str(text).expect("golden file parses");
    assert_eq!(serde_json::to_string(&parsed).expect("serialises"), text.trim_end());
}

fn lenient<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("golden file parses")
}

#[test]
fn what_we_write_is_what_the_protocol_says() {
    exact::<CreateSessionRequest>(golden!("exact_session_request"));
    exact::<ExecuteStatementRequest>(golden!("exact_execute_request"));
    exact::<StatementResponse>(golden!("exact_links_response"));
    exact::<StatementResponse>(golden!("exact_inline_json_response"));
    exact::<StatementResponse>(golden!("exact_failed_response"));
    exact::<FrontendLog<'_>>(golden!("exact_telemetry_connection"));
    exact::<FrontendLog<'_>>(golden!("exact_telemetry_statement"));
    exact::<FrontendLog<'_>>(golden!("exact_telemetry_error"));
    exact::<TelemetryRequest>(golden!("exact_telemetry_envelope"));
}

#[test]
fn nulls_and_unknown_members_are_like_absent_ones() {
    let response: StatementResponse = lenient(golden!("lenient_nulls_and_unknowns"));
    assert_eq!(response.status.state, StatementState::Succeeded);
    assert!(response.status.error.is_none());
    let manifest = response.manifest.expect("a manifest");
    assert_eq!(
        (manifest.truncated, manifest.chunks, manifest.schema.columns.len()),
        (false, None, 0)
    );
    assert!(response.result.expect("a result").external_links.is_none());
}

#[test]
fn a_state_of_the_future_is_unknown_and_not_final() {
    let response: StatementResponse = lenient(golden!("lenient_unknown_state"));
    assert_eq!(response.status.state, StatementState::Unknown);
    assert!(!response.status.state.is_terminal());
}

#[test]
fn older_clients_spell_session_members_differently() {
    let request: CreateSessionRequest = lenient(golden!("lenient_session_request_old_names"));
    assert_eq!(
        (request.catalog.as_deref(), request.schema.as_deref()),
        (Some("main"), Some("default"))
    );
    assert_eq!(request.session_confs["ANSI_MODE"], "true");
}

#[test]
fn odd_flags_are_skipped_and_the_good_one_counts() {
    const FLAG: &str = "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc";
    assert!(lenient::<FeatureFlags>(golden!("lenient_flags_odd")).is_on(FLAG));
    assert!(!lenient::<FeatureFlags>(golden!("lenient_flags_null")).is_on(FLAG));
    assert!(!lenient::<FeatureFlags>("{}").is_on(FLAG));
}

#[test]
fn foreign_bodies_parse() {
    let partial: TelemetryResponse = lenient(golden!("lenient_telemetry_response_partial"));
    assert_eq!((partial.num_proto_success, partial.errors.len()), (1, 1));
    let request: TelemetryRequest = lenient(golden!("foreign_envelope_without_items"));
    assert_eq!(request.proto_logs, ["{}"]);
    let parameter: Parameter = lenient(golden!("foreign_parameter_null_name"));
    assert_eq!((parameter.name, parameter.ordinal), (None, None));
    let error: ApiError = lenient(golden!("foreign_error_body"));
    assert_eq!(error.error_code, "RESOURCE_DOES_NOT_EXIST");
}
