//! For each way an execution can end, the inbox holds exactly one record of it, and the record agrees with what the workspace
//! itself saw.

use adbc_core::{Connection as _, Statement as _};
use conformance::{connect, connect_with, logs, of_type, query, start, statements, workspace};
use databricks_local::Workspace;
use serde_json::Value;

/// Requests of the driver under test: method and the path's shape.
fn count(workspace: &Workspace, method: &str, matches: impl Fn(&str) -> bool) -> u64 {
    workspace
        .requests()
        .iter()
        .filter(|request| request.method == method && matches(&request.path))
        .count() as u64
}

fn polls(workspace: &Workspace) -> u64 {
    count(workspace, "GET", |path| {
        path.strip_prefix("/api/2.0/sql/statements/")
            .is_some_and(|id| !id.contains('/'))
    })
}

fn only<'a>(found: &[&'a Value]) -> &'a Value {
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0]
}

#[test]
fn an_inline_result_read_to_its_end() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(&mut connection, "SELECT 1").expect("a row");
    drop(connection);
    // open, execute, close statement, close
    let logs = logs(&workspace, 4);
    let log = only(&statements(&logs));
    let operation = &log["sql_operation"];
    assert_eq!(operation["execution_result"], "INLINE_ARROW");
    assert_eq!(operation["statement_type"], "QUERY");
    assert!(
        operation.get("chunk_details").is_none(),
        "inline results have no chunks: {log:#}"
    );
    assert_eq!(operation["retry_count"], 0);
    assert!(log.get("error_info").is_none());
    assert!(log["session_id"].is_string() && log["sql_statement_id"].is_string());
    assert!(log["operation_latency_ms"].is_i64());
    assert_eq!(of_type(&logs, "CREATE_SESSION").len(), 1);
    assert_eq!(of_type(&logs, "DELETE_SESSION").len(), 1);
    assert_eq!(of_type(&logs, "CLOSE_STATEMENT").len(), 1);
}

#[test]
fn a_result_in_chunks_with_its_true_counts() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let rows = query(&mut connection, "SELECT * FROM samples.tpch.lineitem")
        .expect("rows")
        .num_rows();
    assert_eq!(rows, 60_175);
    drop(connection);
    let logs = logs(&workspace, 4);
    let log = only(&statements(&logs));
    let operation = &log["sql_operation"];
    assert_eq!(operation["execution_result"], "EXTERNAL_LINKS");
    assert_eq!(operation["is_compressed"], true);
    let chunks = &operation["chunk_details"];
    let downloads = count(&workspace, "GET", |path| !path.starts_with("/api/"));
    assert_eq!(
        chunks["total_chunks_present"], downloads,
        "one download per chunk: {log:#}"
    );
    assert_eq!(chunks["total_chunks_iterated"], downloads);
    let ms = |name: &str| {
        chunks[name]
            .as_i64()
            .unwrap_or_else(|| panic!("{name} is missing in {log:#}"))
    };
    let (initial, slowest, sum) = (
        ms("initial_chunk_latency_millis"),
        ms("slowest_chunk_latency_millis"),
        ms("sum_chunks_download_time_millis"),
    );
    assert!(initial <= slowest && slowest <= sum, "{log:#}");
    let detail = &operation["operation_detail"];
    assert_eq!(
        detail["n_operation_status_calls"].as_u64().unwrap_or(0),
        polls(&workspace),
        "{log:#}"
    );
    let latency = &operation["result_latency"];
    assert!(latency["result_set_ready_latency_millis"].is_i64());
    assert!(latency["result_set_consumption_latency_millis"].is_i64());
}

#[test]
fn a_reader_dropped_early() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let mut statement = connection.new_statement().expect("a statement");
    statement
        .set_sql_query("SELECT * FROM samples.tpch.lineitem")
        .expect("text");
    let mut reader = statement.execute().expect("a reader");
    assert!(reader.next().expect("a batch").expect("rows").num_rows() > 0);
    drop(reader);
    drop(statement);
    drop(connection);
    let logs = logs(&workspace, 4);
    let log = only(&statements(&logs));
    let chunks = &log["sql_operation"]["chunk_details"];
    assert_eq!(chunks["total_chunks_iterated"], 1, "{log:#}");
    assert!(chunks["total_chunks_present"].as_i64() > Some(1), "{log:#}");
}

#[test]
fn a_reader_that_outlives_its_statement_and_connection() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let mut statement = connection.new_statement().expect("a statement");
    statement
        .set_sql_query("SELECT * FROM samples.tpch.nation")
        .expect("text");
    let reader = statement.execute().expect("a reader");
    drop(statement);
    drop(connection);
    let rows: usize = reader.map(|batch| batch.expect("rows").num_rows()).sum();
    assert_eq!(rows, 25);
    assert_eq!(statements(&logs(&workspace, 4)).len(), 1);
}

#[test]
fn a_statement_that_the_workspace_refuses() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(&mut connection, "SELECT * FROM no_such_table").expect_err("no such table");
    query(&mut connection, "SELEKT 1").expect_err("a syntax error");
    drop(connection);
    let logs = logs(&workspace, 4);
    let failed = statements(&logs);
    assert_eq!(failed.len(), 2, "{logs:#?}");
    for log in failed {
        assert_eq!(log["error_info"]["error_name"], "syntax_error", "{log:#}");
        assert!(log["sql_statement_id"].is_string(), "{log:#}");
    }
}

#[test]
fn an_update_counts_as_an_update() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    for (sql, rows) in [
        ("CREATE TABLE main.default.t (a INT, b STRING)", None),
        ("INSERT INTO main.default.t VALUES (1, 'x'), (2, 'y')", Some(2)),
    ] {
        let mut statement = connection.new_statement().expect("a statement");
        statement.set_sql_query(sql).expect("text");
        assert_eq!(statement.execute_update().expect("done"), rows, "{sql}");
    }
    assert_eq!(
        conformance::scalar(&mut connection, "SELECT count(*) FROM main.default.t"),
        "2"
    );
    drop(connection);
    let logs = logs(&workspace, 8);
    let kinds: Vec<_> = statements(&logs)
        .iter()
        .map(|log| log["sql_operation"]["statement_type"].clone())
        .collect();
    assert_eq!(kinds, ["UPDATE", "UPDATE", "QUERY"]);
}

#[test]
fn a_connection_that_is_refused() {
    let workspace = workspace();
    let error = connect_with(&workspace, &[("databricks.access_token", "wrong")]).expect_err("a wrong token");
    assert_eq!(error.status, adbc_core::error::Status::Unauthenticated);
    // The flag cannot be fetched with a wrong token, so the gate stays shut unless it is forced open.
    connect_with(
        &workspace,
        &[
            ("databricks.access_token", "wrong"),
            ("adbc.databricks.telemetry.force_enabled", "true"),
        ],
    )
    .expect_err("a wrong token");
    let logs = logs(&workspace, 1);
    assert_eq!(logs[0]["error_info"]["error_name"], "auth_error");
    assert!(logs[0].get("session_id").is_none());
    assert!(!workspace.telemetry()[0].authenticated);
}

#[test]
fn a_refusal_means_no_telemetry_request_at_all() {
    let workspace = workspace();
    let mut connection =
        connect_with(&workspace, &[("adbc.databricks.telemetry.enabled", "false")]).expect("a connection");
    query(&mut connection, "SELECT 1").expect("a row");
    drop(connection);
    let told = count(&workspace, "POST", |path| path.starts_with("/telemetry"));
    let asked = count(&workspace, "GET", |path| path.contains("feature-flags"));
    assert_eq!((told, asked), (0, 0));
}

#[test]
fn a_flag_that_is_off_means_no_records() {
    let workspace = start(|builder| {
        builder.flag(
            "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc",
            "false",
        )
    });
    let mut connection = connect(&workspace);
    query(&mut connection, "SELECT 1").expect("a row");
    drop(connection);
    assert_eq!(count(&workspace, "POST", |path| path.starts_with("/telemetry")), 0);
}
