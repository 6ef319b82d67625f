//! What each kind of event says, member by member, and that the numbers in it are those that the workspace counted.
//!
//! The lists are the whole of what leaves the machine: a member that is not listed fails here until somebody has looked
//! at it.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use adbc_core::{Connection as _, Optionable as _, Statement as _};
use adbc_databricks::Connection;
use conformance::{answers, connect, connect_with, logs_of_closed, of_type, operation_type, query, statement};
use conformance::{statements, workspace};
use databricks_local::{Fault, Workspace};
use serde_json::Value;

/// Around every log.
const ENVELOPE: &[&str] = &[
    "context.client_context.timestamp_millis",
    "context.client_context.user_agent",
    "frontend_log_event_id",
];

/// Facts that some machines do not have.
const OF_THE_MACHINE: &[&str] = &["system_configuration.locale_name", "system_configuration.os_version"];

const CREATE_SESSION: &[&str] = &[
    "auth_type",
    "driver_connection_params.allow_self_signed_support",
    "driver_connection_params.async_poll_interval_millis",
    "driver_connection_params.auth_flow",
    "driver_connection_params.auth_mech",
    "driver_connection_params.auto_commit",
    "driver_connection_params.enable_arrow",
    "driver_connection_params.enable_complex_datatype_support",
    "driver_connection_params.enable_direct_results",
    "driver_connection_params.enable_sea_hybrid_results",
    "driver_connection_params.mode",
    "driver_connection_params.socket_timeout",
    "driver_connection_params.use_cf_proxy",
    "driver_connection_params.use_proxy",
    "driver_connection_params.use_system_proxy",
    "driver_connection_params.use_system_trust_store",
    "operation_latency_ms",
    "session_id",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.operation_type",
    "system_configuration.char_set_encoding",
    "system_configuration.driver_name",
    "system_configuration.driver_version",
    "system_configuration.locale_name",
    "system_configuration.os_arch",
    "system_configuration.os_name",
    "system_configuration.os_version",
    "system_configuration.runtime_name",
    "system_configuration.runtime_vendor",
    "system_configuration.runtime_version",
];

const DELETE_SESSION: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.operation_type",
];

const INLINE_QUERY: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.execution_result",
    "sql_operation.is_compressed",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.n_operation_status_calls",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.result_latency.result_set_consumption_latency_millis",
    "sql_operation.result_latency.result_set_ready_latency_millis",
    "sql_operation.retry_count",
    "sql_operation.statement_type",
    "sql_statement_id",
];

const QUERY_BY_LINKS: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.chunk_details.initial_chunk_latency_millis",
    "sql_operation.chunk_details.slowest_chunk_latency_millis",
    "sql_operation.chunk_details.sum_chunks_download_time_millis",
    "sql_operation.chunk_details.total_chunks_iterated",
    "sql_operation.chunk_details.total_chunks_present",
    "sql_operation.execution_result",
    "sql_operation.is_compressed",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.n_operation_status_calls",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.result_latency.result_set_consumption_latency_millis",
    "sql_operation.result_latency.result_set_ready_latency_millis",
    "sql_operation.retry_count",
    "sql_operation.statement_type",
    "sql_statement_id",
];

const POLLED_QUERY: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.execution_result",
    "sql_operation.is_compressed",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.n_operation_status_calls",
    "sql_operation.operation_detail.operation_status_latency_millis",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.result_latency.result_set_consumption_latency_millis",
    "sql_operation.result_latency.result_set_ready_latency_millis",
    "sql_operation.retry_count",
    "sql_operation.statement_type",
    "sql_statement_id",
];

const UPDATE: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.n_operation_status_calls",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.result_latency.result_set_ready_latency_millis",
    "sql_operation.retry_count",
    "sql_operation.statement_type",
    "sql_statement_id",
];

const FAILED_STATEMENT: &[&str] = &[
    "error_info.error_name",
    "operation_latency_ms",
    "session_id",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.n_operation_status_calls",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.retry_count",
    "sql_operation.statement_type",
    "sql_statement_id",
];

const FAILED_DOWNLOAD: &[&str] = &[
    "error_info.error_name",
    "operation_latency_ms",
    "session_id",
    "sql_operation.chunk_details.initial_chunk_latency_millis",
    "sql_operation.chunk_details.slowest_chunk_latency_millis",
    "sql_operation.chunk_details.sum_chunks_download_time_millis",
    "sql_operation.chunk_details.total_chunks_iterated",
    "sql_operation.chunk_details.total_chunks_present",
    "sql_operation.chunk_id",
    "sql_operation.execution_result",
    "sql_operation.is_compressed",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.n_operation_status_calls",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.result_latency.result_set_consumption_latency_millis",
    "sql_operation.result_latency.result_set_ready_latency_millis",
    "sql_operation.retry_count",
    "sql_operation.statement_type",
    "sql_statement_id",
];

/// Cancelling and closing a statement.
const STATEMENT_CALL: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.operation_type",
    "sql_statement_id",
];

const LIST_COLUMNS: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.execution_result",
    "sql_operation.is_compressed",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.n_operation_status_calls",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.retry_count",
    "sql_operation.statement_type",
    "sql_statement_id",
];

const LIST_TABLE_TYPES: &[&str] = &[
    "operation_latency_ms",
    "session_id",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.operation_type",
    "sql_operation.statement_type",
];

const FAILED_CONNECT: &[&str] = &[
    "error_info.error_name",
    "operation_latency_ms",
    "sql_operation.operation_detail.is_internal_call",
    "sql_operation.operation_detail.operation_type",
];

/// The members that hold a value.
fn paths(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, member) in members {
                    let path = match path {
                        "" => name.clone(),
                        _ => format!("{path}.{name}"),
                    };
                    walk(member, &path, found);
                }
            }
            _ => {
                found.insert(path.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(value, "", &mut found);
    found
}

fn assert_fields(what: &str, log: &Value, expected: &[&str]) {
    let mut found = paths(log);
    let of_the_machine = OF_THE_MACHINE.iter().filter(|path| expected.contains(path));
    found.extend(of_the_machine.map(|path| (*path).to_owned()));
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, expected, "{what}: {log:#}");
}

fn assert_envelopes(workspace: &Workspace) {
    for record in workspace.telemetry() {
        let mut envelope = record.log.clone();
        envelope.as_object_mut().expect("an object").remove("entry");
        assert_fields("the envelope", &envelope, ENVELOPE);
        let entry = record.log["entry"].as_object().expect("an object");
        assert_eq!(entry.keys().collect::<Vec<_>>(), ["sql_driver_log"]);
    }
}

fn only<'a>(found: &[&'a Value]) -> &'a Value {
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0]
}

/// Closes the connection and reads what it left: all of it, with the envelopes checked.
fn close(workspace: &Workspace, connection: Connection) -> Vec<Value> {
    drop(connection);
    let logs = logs_of_closed(workspace, 1);
    assert_envelopes(workspace);
    assert_ids(workspace, &logs);
    logs
}

/// The ids in the logs are those that the workspace was asked about.
fn assert_ids(workspace: &Workspace, logs: &[Value]) {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let closed = |prefix: &str| -> Vec<String> {
        answers(workspace, "DELETE", |path| path.starts_with(prefix))
            .iter()
            .map(|request| last(&request.path))
            .collect()
    };
    let sessions = closed("/api/2.0/sql/sessions/");
    assert_eq!(sessions.len(), 1);
    for log in logs {
        assert_eq!(log["session_id"], sessions[0].as_str(), "{log:#}");
    }
    let of_closes: Vec<_> = of_type(logs, "CLOSE_STATEMENT")
        .iter()
        .map(|log| log["sql_statement_id"].as_str().expect("an id").to_owned())
        .collect();
    let sorted = |mut ids: Vec<String>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(of_closes), sorted(closed("/api/2.0/sql/statements/")));
}

/// Status requests about one statement, as the workspace answered them.
fn polls(workspace: &Workspace, log: &Value) -> Vec<u16> {
    let id = log["sql_statement_id"].as_str().expect("an id");
    let path = format!("/api/2.0/sql/statements/{id}");
    answers(workspace, "GET", |asked| asked == path)
        .iter()
        .map(|request| request.status)
        .collect()
}

/// Downloads of one statement's chunks, as the workspace answered them.
fn downloads(workspace: &Workspace, log: &Value) -> Vec<u16> {
    let id = log["sql_statement_id"].as_str().expect("an id");
    let prefix = format!("/results/{id}/");
    answers(workspace, "GET", |asked| asked.starts_with(&prefix))
        .iter()
        .map(|request| request.status)
        .collect()
}

fn succeeded(answers: &[u16]) -> usize {
    answers.iter().filter(|status| **status == 200).count()
}

fn unavailable_once(path_prefix: &str) -> Fault {
    Fault::Status {
        path_prefix: path_prefix.to_owned(),
        status: 503,
        retry_after: None,
        times: 1,
    }
}

#[test]
fn sessions_and_an_inline_query() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let session = connection
        .get_option_string("databricks.session_id".into())
        .expect("a session");
    query(&mut connection, "SELECT 1").expect("a row");
    let logs = close(&workspace, connection);
    assert_eq!(logs.len(), 4, "{logs:#?}");
    assert_fields(
        "CREATE_SESSION",
        only(&of_type(&logs, "CREATE_SESSION")),
        CREATE_SESSION,
    );
    assert_fields(
        "DELETE_SESSION",
        only(&of_type(&logs, "DELETE_SESSION")),
        DELETE_SESSION,
    );
    let log = only(&of_type(&logs, "EXECUTE_STATEMENT"));
    assert_fields("an inline query", log, INLINE_QUERY);
    assert_eq!(log["session_id"], session.as_str());
    assert_eq!(log["sql_operation"]["operation_detail"]["n_operation_status_calls"], 0);
    assert!(polls(&workspace, log).is_empty() && downloads(&workspace, log).is_empty());
    let closed = only(&of_type(&logs, "CLOSE_STATEMENT"));
    assert_fields("CLOSE_STATEMENT", closed, STATEMENT_CALL);
    assert_eq!(closed["sql_statement_id"], log["sql_statement_id"]);
}

/// On a busy machine the statement may take longer than the workspace waits with its answer, and is polled then.
fn assert_query_by_links(log: &Value) {
    let mut fields = QUERY_BY_LINKS.to_vec();
    if operation_type(log) == "EXECUTE_STATEMENT_ASYNC" {
        fields.push("sql_operation.operation_detail.operation_status_latency_millis");
        fields.sort_unstable();
    }
    assert_fields("a query by links", log, &fields);
}

#[test]
fn a_query_by_links() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(&mut connection, "SELECT * FROM samples.tpch.lineitem").expect("rows");
    let logs = close(&workspace, connection);
    let log = only(&statements(&logs));
    assert_query_by_links(log);
    let downloads = downloads(&workspace, log);
    assert!(downloads.len() > 1, "{downloads:?}");
    let operation = &log["sql_operation"];
    assert_eq!(operation["chunk_details"]["total_chunks_present"], downloads.len());
    assert_eq!(operation["chunk_details"]["total_chunks_iterated"], downloads.len());
    assert_eq!(operation["retry_count"], 0);
}

#[test]
fn a_download_that_is_made_again() {
    let workspace = workspace();
    let mut connection = connect_with(&workspace, &[("databricks.retry.min_wait_ms", "1")]).expect("a connection");
    workspace.fault(unavailable_once("GET /results/"));
    query(&mut connection, "SELECT * FROM samples.tpch.lineitem").expect("rows");
    let logs = close(&workspace, connection);
    let log = only(&statements(&logs));
    assert_query_by_links(log);
    let downloads = downloads(&workspace, log);
    let operation = &log["sql_operation"];
    assert_eq!(operation["retry_count"], 1);
    assert_eq!(succeeded(&downloads), downloads.len() - 1);
    assert_eq!(
        operation["chunk_details"]["total_chunks_present"],
        succeeded(&downloads)
    );
    assert_eq!(
        operation["chunk_details"]["total_chunks_iterated"],
        succeeded(&downloads)
    );
}

#[test]
fn a_polled_query() {
    for unavailable in [0, 1] {
        let workspace = workspace();
        let options = [
            ("databricks.statement.wait_timeout", "0s"),
            ("databricks.retry.min_wait_ms", "1"),
        ];
        let mut connection = connect_with(&workspace, &options).expect("a connection");
        for _ in 0..unavailable {
            workspace.fault(unavailable_once("GET /api/2.0/sql/statements/"));
        }
        let sql = "SELECT count(*) FROM range(3000) a CROSS JOIN range(3000) b WHERE (a.id + b.id) % 7 = 3";
        query(&mut connection, sql).expect("a row");
        let logs = close(&workspace, connection);
        let log = only(&of_type(&logs, "EXECUTE_STATEMENT_ASYNC"));
        assert_fields("a polled query", log, POLLED_QUERY);
        let polls = polls(&workspace, log);
        let operation = &log["sql_operation"];
        // A status request that is made again is one status request and one retry.
        assert_eq!(
            operation["operation_detail"]["n_operation_status_calls"],
            succeeded(&polls)
        );
        assert_eq!(operation["retry_count"], unavailable);
        assert_eq!(polls.len(), succeeded(&polls) + unavailable);
    }
}

#[test]
fn updates() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    for sql in [
        "CREATE TABLE main.default.t (a INT)",
        "INSERT INTO main.default.t VALUES (1), (2)",
    ] {
        statement(&mut connection, sql).execute_update().expect(sql);
    }
    let logs = close(&workspace, connection);
    let updates = of_type(&logs, "EXECUTE_STATEMENT");
    assert_eq!(updates.len(), 2);
    for log in updates {
        assert_fields("an update", log, UPDATE);
        assert_eq!(log["sql_operation"]["statement_type"], "UPDATE");
    }
}

#[test]
fn a_statement_of_the_driver_itself() {
    let workspace = workspace();
    let connection = connect(&workspace);
    connection
        .get_option_string("adbc.connection.catalog".into())
        .expect("a catalog");
    let logs = close(&workspace, connection);
    let log = only(&of_type(&logs, "EXECUTE_STATEMENT"));
    assert_fields("an internal query", log, INLINE_QUERY);
    assert_eq!(log["sql_operation"]["operation_detail"]["is_internal_call"], true);
    assert_eq!(log["sql_operation"]["statement_type"], "SQL");
}

/// Each statement that the driver makes for itself says so, and each that the user wrote does not.
#[test]
fn statements_of_the_driver_and_of_the_user() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(&mut connection, "CREATE SCHEMA main.other").expect("a schema");
    for (key, value) in [
        ("adbc.connection.catalog", "main"),
        ("adbc.connection.db_schema", "other"),
    ] {
        connection.set_option(key.into(), value.into()).expect(key);
        assert_eq!(connection.get_option_string(key.into()).expect(key), value);
    }
    query(&mut connection, "USE SCHEMA default").expect("done");
    query(&mut connection, "SET TIME ZONE 'UTC'").expect("done");
    let logs = close(&workspace, connection);
    let internal: Vec<_> = statements(&logs)
        .iter()
        .map(|log| {
            let operation = &log["sql_operation"];
            let is_internal = operation["operation_detail"]["is_internal_call"]
                .as_bool()
                .expect("a boolean");
            (
                is_internal,
                operation["statement_type"].as_str().expect("a type").to_owned(),
            )
        })
        .collect();
    let of_user = || (false, "QUERY".to_owned());
    let of_driver = || (true, "SQL".to_owned());
    let expected = [
        of_user(),   // CREATE SCHEMA
        of_driver(), // USE CATALOG
        of_driver(), // SELECT current_catalog()
        of_driver(), // USE SCHEMA
        of_driver(), // SELECT current_schema()
        of_user(),   // USE
        of_user(),   // SET
    ];
    assert_eq!(internal, expected, "{logs:#?}");
    let closes = of_type(&logs, "CLOSE_STATEMENT");
    assert!(
        closes
            .iter()
            .all(|log| log["sql_operation"]["operation_detail"]["is_internal_call"] == false)
    );
}

#[test]
fn failures() {
    let workspace = workspace();
    let options = [
        ("databricks.cloudfetch.memory_budget_bytes", "1"),
        ("databricks.cloudfetch.parallel_downloads", "1"),
        ("databricks.retry.max_retries", "0"),
    ];
    let mut connection = connect_with(&workspace, &options).expect("a connection");
    query(&mut connection, "SELECT * FROM no_such_table").expect_err("no such table");
    let mut reader = statement(&mut connection, "SELECT * FROM samples.tpch.lineitem")
        .execute()
        .expect("a reader");
    workspace.fault(unavailable_once("GET /results/"));
    assert!(reader.any(|batch| batch.is_err()));
    drop(reader);
    let logs = close(&workspace, connection);
    let failed = statements(&logs);
    assert_eq!(failed.len(), 2, "{failed:#?}");
    assert_fields("a failed statement", failed[0], FAILED_STATEMENT);
    assert_fields("a failed download", failed[1], FAILED_DOWNLOAD);
    assert_eq!(failed[1]["sql_operation"]["chunk_id"], 1);
    assert_eq!(succeeded(&downloads(&workspace, failed[1])), 1);
}

#[test]
fn a_cancel() {
    let workspace = workspace();
    let options = [("databricks.statement.wait_timeout", "0s")];
    let mut connection = connect_with(&workspace, &options).expect("a connection");
    let mut running = statement(
        &mut connection,
        "SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b WHERE (a.id + b.id) % 7 = 3",
    );
    let cancel = running.get_cancel_handle();
    let worker = thread::spawn(move || running.execute().map(drop));
    let submitted = || answers(&workspace, "POST", |path| path == "/api/2.0/sql/statements");
    while submitted().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    cancel.try_cancel().expect("something to cancel");
    worker.join().expect("no panic").expect_err("a cancelled statement");
    let logs = close(&workspace, connection);
    let log = only(&of_type(&logs, "CANCEL_STATEMENT"));
    assert_fields("CANCEL_STATEMENT", log, STATEMENT_CALL);
    let id = log["sql_statement_id"].as_str().expect("an id");
    let told = answers(&workspace, "POST", |path| path.ends_with("/cancel"));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].path, format!("/api/2.0/sql/statements/{id}/cancel"));
}

#[test]
fn metadata() {
    let workspace = workspace();
    let connection = connect(&workspace);
    connection
        .get_table_schema(Some("samples"), Some("tpch"), "nation")
        .expect("a schema");
    assert!(connection.get_table_types().expect("types").count() > 0);
    let logs = close(&workspace, connection);
    assert_eq!(statements(&logs).len(), 0);
    let columns = only(&of_type(&logs, "LIST_COLUMNS"));
    assert_fields("LIST_COLUMNS", columns, LIST_COLUMNS);
    assert_eq!(
        columns["sql_statement_id"],
        only(&of_type(&logs, "CLOSE_STATEMENT"))["sql_statement_id"]
    );
    assert_fields(
        "LIST_TABLE_TYPES",
        only(&of_type(&logs, "LIST_TABLE_TYPES")),
        LIST_TABLE_TYPES,
    );
}

#[test]
fn a_connection_that_fails() {
    let workspace = workspace();
    let options = [
        ("databricks.access_token", "wrong"),
        ("adbc.databricks.telemetry.force_enabled", "true"),
    ];
    connect_with(&workspace, &options).expect_err("a wrong token");
    let logs = conformance::logs(&workspace, 1);
    assert_eq!(logs.len(), 1);
    assert_fields("a failed connect", &logs[0], FAILED_CONNECT);
    assert_envelopes(&workspace);
    assert!(!workspace.telemetry()[0].authenticated);
}
