//! Every operation becomes one record with what the server really did, and nothing that is nobody's business.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use adbc_core::sync::{Connection as _, Database as _, Statement as _};
use serde_json::{Value, json};

use crate::support::{
    self, Reply, Request, Server, TOKEN, cloud, inline, is_cancel, is_storage, last_number, link, links, manifest,
    numbers, ok, query, refusal, running, statement, succeeded, telemetry, telemetry_of,
};

const FORCED: [(&str, &str); 1] = [("forceEnableTelemetry", "true")];

fn one(mut found: Vec<Value>) -> Value {
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn at_least(value: &Value, least: i64) -> bool {
    value.as_i64().is_some_and(|value| value >= least)
}

#[test]
fn a_polled_result_behind_links_has_its_polls_chunks_and_latencies() {
    let polls = AtomicUsize::new(0);
    let server = Server::start(move |request, port| {
        if request.is_execute() {
            return Some(ok(
                json!({"statement_id": "statement-1", "status": {"state": "PENDING"}}),
            ));
        }
        if request.is("GET", "/api/2.0/sql/statements/statement-1") {
            return Some(match polls.fetch_add(1, Ordering::SeqCst) {
                0 => running(),
                1 => refusal(503, "TEMPORARILY_UNAVAILABLE"),
                _ => ok(succeeded(manifest(&[5; 4]), links(vec![link(port, 0, 5, 4, "")]))),
            });
        }
        cloud(request, port, 4, 5)
    });
    let mut connection = server.connect_with(&FORCED);
    assert_eq!(query(&mut connection).unwrap().len(), 20);
    drop(connection);

    let log = one(telemetry_of(&server, "EXECUTE_STATEMENT_ASYNC"));
    assert_eq!(
        (&log["session_id"], &log["sql_statement_id"]),
        (&json!("session-1"), &json!("statement-1"))
    );
    assert!(log["operation_latency_ms"].is_i64() && log["error_info"].is_null());
    let operation = &log["sql_operation"];
    assert_eq!(operation["statement_type"], "QUERY");
    assert_eq!(
        (&operation["execution_result"], &operation["is_compressed"]),
        (&json!("EXTERNAL_LINKS"), &json!(true))
    );
    assert_eq!(operation["retry_count"], 1);
    let chunks = &operation["chunk_details"];
    assert_eq!(
        (&chunks["total_chunks_present"], &chunks["total_chunks_iterated"]),
        (&json!(4), &json!(4))
    );
    for latency in [
        "initial_chunk_latency_millis",
        "slowest_chunk_latency_millis",
        "sum_chunks_download_time_millis",
    ] {
        assert!(at_least(&chunks[latency], 0), "{latency} is missing: {chunks}");
    }
    let detail = &operation["operation_detail"];
    assert_eq!(
        (&detail["n_operation_status_calls"], &detail["is_internal_call"]),
        (&json!(2), &json!(false))
    );
    assert!(at_least(&detail["operation_status_latency_millis"], 0));
    // Two waits of 25 ms and more lie between submit and success.
    assert!(at_least(
        &operation["result_latency"]["result_set_ready_latency_millis"],
        25
    ));
    assert!(at_least(
        &operation["result_latency"]["result_set_consumption_latency_millis"],
        0
    ));
    for operation in ["CREATE_SESSION", "CLOSE_STATEMENT", "DELETE_SESSION"] {
        assert_eq!(one(telemetry_of(&server, operation))["session_id"], "session-1");
    }
}

#[test]
fn an_inline_result_says_so_and_was_not_polled() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            // The server need not do what was asked for: plain, although LZ4 was.
            answer["manifest"]["result_compression"] = json!("NONE");
            answer["result"]["attachment"] = json!(support::base64(&support::stream(&[0..3])));
            ok(answer)
        })
    });
    let mut connection = server.connect_with(&FORCED);
    assert_eq!(query(&mut connection).unwrap().len(), 3);
    drop(connection);
    let operation = one(telemetry_of(&server, "EXECUTE_STATEMENT"))["sql_operation"].clone();
    assert_eq!(
        (&operation["execution_result"], &operation["is_compressed"]),
        (&json!("INLINE_ARROW"), &json!(false))
    );
    assert_eq!(operation["operation_detail"]["n_operation_status_calls"], 0);
    assert!(operation["chunk_details"].is_null());
}

#[test]
fn a_reader_dropped_early_tells_how_far_it_came() {
    let server = Server::start(|request, port| cloud(request, port, 30, 5));
    let mut connection = server.connect_with(&[FORCED[0], ("databricks.cloudfetch.memory_budget_bytes", "1")]);
    let mut reader = statement(&mut connection, "SELECT").execute().unwrap();
    for _ in 0..3 {
        reader.next().unwrap().unwrap();
    }
    drop((reader, connection));
    let log = one(telemetry_of(&server, "EXECUTE_STATEMENT"));
    let chunks = &log["sql_operation"]["chunk_details"];
    assert_eq!(
        (&chunks["total_chunks_present"], &chunks["total_chunks_iterated"]),
        (&json!(30), &json!(3))
    );
    assert!(log["error_info"].is_null());
    one(telemetry_of(&server, "CANCEL_STATEMENT"));
}

#[test]
fn failures_have_their_category_wherever_they_happen() {
    let failed = json!({"statement_id": "statement-1", "status": {"state": "FAILED", "sql_state": "42P01",
        "error": {"error_code": "BAD_REQUEST", "message": "[TABLE_OR_VIEW_NOT_FOUND] canary"}}});
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(failed.clone())));
    let mut connection = server.connect_with(&FORCED);
    query(&mut connection).unwrap_err();
    drop(connection);
    let log = one(telemetry_of(&server, "EXECUTE_STATEMENT"));
    assert_eq!(
        (&log["error_info"]["error_name"], &log["sql_statement_id"]),
        (&json!("syntax_error"), &json!("statement-1"))
    );

    let server = Server::start(|request, port| {
        if is_storage(request) && last_number(&request.path) == 2 {
            return Some(refusal(400, "BadRequest"));
        }
        cloud(request, port, 4, 5)
    });
    let mut connection = server.connect_with(&FORCED);
    query(&mut connection).unwrap_err();
    drop(connection);
    let log = one(telemetry_of(&server, "EXECUTE_STATEMENT"));
    assert_eq!(log["error_info"]["error_name"], "chunk_download_error");
    assert_eq!(log["sql_operation"]["chunk_id"], 2);
}

#[test]
fn a_cancelled_statement_is_cancelled_also_when_nobody_reads_on() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let mut connection = server.connect_with(&FORCED);
    let mut statement = statement(&mut connection, "SELECT");
    let mut reader = statement.execute().unwrap();
    reader.next().unwrap().unwrap();
    statement.get_cancel_handle().try_cancel().unwrap();
    drop((reader, statement, connection));
    assert_eq!(
        one(telemetry_of(&server, "EXECUTE_STATEMENT"))["error_info"]["error_name"],
        "cancelled"
    );
}

#[test]
fn a_cancelled_statement_is_cancelled() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let mut connection = server.connect_with(&FORCED);
    let mut statement = statement(&mut connection, "SELECT");
    let mut reader = statement.execute().unwrap();
    statement.get_cancel_handle().try_cancel().unwrap();
    reader.next().unwrap().unwrap_err();
    drop((reader, statement, connection));
    assert_eq!(
        one(telemetry_of(&server, "EXECUTE_STATEMENT"))["error_info"]["error_name"],
        "cancelled"
    );
    assert_eq!(
        one(telemetry_of(&server, "CANCEL_STATEMENT"))["sql_statement_id"],
        "statement-1"
    );
}

#[test]
fn a_failed_connect_is_an_event_without_identity() {
    let server = Server::start(|request, _| {
        request
            .is("POST", "/api/2.0/sql/sessions")
            .then(|| refusal(401, "UNAUTHENTICATED"))
    });
    server.database(&FORCED).new_connection().map(drop).unwrap_err();
    server.wait_until("the event", |asked| {
        asked.iter().any(|request| request.path.starts_with("/telemetry"))
    });
    let (path, log) = telemetry(&server).remove(0);
    assert_eq!(path, "/telemetry-unauth");
    assert_eq!(log["error_info"]["error_name"], "auth_error");
    assert!(log["session_id"].is_null() && log["driver_connection_params"].is_null());
    let post = server
        .requests()
        .into_iter()
        .find(|request| request.path == "/telemetry-unauth")
        .unwrap();
    assert!(!post.headers.contains_key("authorization"));
}

#[test]
fn an_update_and_the_drivers_own_statements_are_marked() {
    let names = || {
        let mut answer = inline(1);
        answer["status"]["num_modified_rows"] = json!(4);
        ok(answer)
    };
    let server = Server::start(move |request, _| request.is_execute().then(names));
    let mut connection = server.connect_with(&FORCED);
    assert_eq!(
        statement(&mut connection, "DELETE FROM t").execute_update().unwrap(),
        Some(4)
    );
    adbc_core::sync::Optionable::set_option(&mut connection, "databricks.catalog".into(), "main".into()).unwrap();
    numbers_of(connection.get_table_types().unwrap());
    drop(connection);
    let kinds: Vec<_> = telemetry_of(&server, "EXECUTE_STATEMENT")
        .into_iter()
        .map(|log| {
            let operation = &log["sql_operation"];
            (
                operation["statement_type"].clone(),
                operation["operation_detail"]["is_internal_call"].clone(),
            )
        })
        .collect();
    assert_eq!(kinds, [(json!("UPDATE"), json!(false)), (json!("SQL"), json!(true))]);
    one(telemetry_of(&server, "LIST_TABLE_TYPES"));
}

fn numbers_of(reader: Box<dyn arrow_array::RecordBatchReader + Send>) -> usize {
    reader.map(|batch| batch.unwrap().num_rows()).sum()
}

#[test]
fn no_sql_no_token_no_name_and_no_link_leaves() {
    let server = Server::start(|request, port| cloud(request, port, 3, 5));
    let options = [
        FORCED[0],
        ("databricks.catalog", "canary_catalog"),
        ("databricks.user_agent_entry", "canary_app"),
    ];
    let mut connection = server.connect_with(&options);
    assert_eq!(
        numbers(statement(&mut connection, "SELECT 'canary_sql'").execute().unwrap())
            .unwrap()
            .len(),
        15
    );
    drop(connection);
    let posts: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|request| request.path.starts_with("/telemetry"))
        .collect();
    assert!(!posts.is_empty());
    for post in posts {
        for secret in ["canary", TOKEN, "127.0.0.1", "/storage/", "warehouses"] {
            assert!(!post.body.contains(secret), "{secret} left the machine: {}", post.body);
        }
    }
}

#[test]
fn a_refusal_means_no_traffic_at_all() {
    for refused in ["enableTelemetry", "adbc.databricks.telemetry.enabled"] {
        let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(1))));
        let mut connection = server.connect_with(&[(refused, "false")]);
        query(&mut connection).unwrap();
        drop(connection);
        let traffic =
            server.count(|request| request.path.contains("telemetry") || request.path.contains("feature-flags"));
        assert_eq!(traffic, 0);
    }
}

#[test]
fn a_dead_endpoint_changes_nothing_for_the_caller() {
    let server = Server::start(|request, _| {
        if request.path.starts_with("/telemetry") {
            return Some(Reply::Reset);
        }
        request.is_execute().then(|| ok(inline(3)))
    });
    let mut connection = server.connect_with(&FORCED);
    assert_eq!(query(&mut connection).unwrap(), [0, 1, 2]);
}

#[test]
fn the_uri_may_say_it_too() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(1))));
    let uri = format!("{}?forceEnableTelemetry=true", server.uri());
    let mut connection = server.connect_with(&[("uri", &uri), ("adbc.databricks.telemetry.batch_size", "7")]);
    query(&mut connection).unwrap();
    drop(connection);
    one(telemetry_of(&server, "EXECUTE_STATEMENT"));
}

/// What the record of an opening says is what statements are then asked for.
#[test]
fn an_opening_says_what_form_of_results_is_asked_for() {
    for (options, [arrow, hybrid]) in [
        (&[][..], [true, true]),
        (&[("databricks.result.disposition", "EXTERNAL_LINKS")], [true, false]),
        (&[("databricks.result.disposition", "INLINE")], [false, false]),
        (&[("databricks.result.format", "JSON_ARRAY")], [false, false]),
    ] {
        let server = Server::start(|request, _| {
            let one = json!([["7"]]);
            request.is_execute().then(|| {
                let mut answer = inline(1);
                if request.json()["format"] == "JSON_ARRAY" {
                    answer["manifest"]["format"] = json!("JSON_ARRAY");
                    answer["manifest"]["result_compression"] = json!("NONE");
                    answer["result"] = json!({"chunk_index": 0, "row_count": 1, "row_offset": 0, "data_array": one});
                }
                ok(answer)
            })
        });
        let mut connection = server.connect_with(&[&FORCED, options].concat());
        assert_eq!(query(&mut connection).unwrap().len(), 1, "{options:?}");
        drop(connection);
        let said = one(telemetry_of(&server, "CREATE_SESSION"))["driver_connection_params"].clone();
        assert_eq!(
            (&said["enable_arrow"], &said["enable_sea_hybrid_results"]),
            (&json!(arrow), &json!(hybrid)),
            "{options:?}"
        );
        let requests = server.requests();
        let asked = requests.iter().find(|request| request.is_execute()).unwrap().json();
        assert_eq!(asked["format"] == "ARROW_STREAM", arrow, "{options:?}");
        assert_eq!(
            asked["disposition"] == "INLINE_OR_EXTERNAL_LINKS",
            hybrid,
            "{options:?}"
        );
        let came = one(telemetry_of(&server, "EXECUTE_STATEMENT"))["sql_operation"]["execution_result"].clone();
        assert_eq!(came == "INLINE_ARROW", arrow, "{options:?}");
    }
}

#[test]
fn a_statement_cancelled_before_its_submit_was_answered_leaves_its_record_though_the_connection_closes() {
    let (server, gate) = Server::gated(Request::is_execute, |request, _| {
        request.is_execute().then(|| ok(inline(3)))
    });
    let mut connection = server.connect_with(&[FORCED[0], ("databricks.close_timeout_ms", "400")]);
    let mut statement = statement(&mut connection, "SELECT 1");
    let cancel = statement.get_cancel_handle();
    let worker = thread::spawn(move || statement.execute().map(drop));
    server.wait_until("the submit", |asked| asked.iter().any(Request::is_execute));
    cancel.try_cancel().unwrap();
    worker.join().unwrap().unwrap_err();
    drop(connection);

    let log = one(telemetry_of(&server, "EXECUTE_STATEMENT"));
    assert_eq!(log["error_info"]["error_name"], "cancelled", "{log}");
    assert!(log["sql_statement_id"].is_null(), "{log}");
    gate.open();
    server.wait_until("cancel", |asked| asked.iter().any(is_cancel));
}
