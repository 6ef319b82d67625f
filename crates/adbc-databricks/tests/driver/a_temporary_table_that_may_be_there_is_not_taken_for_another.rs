//! Whether a temporary table was made is not known when the answer does not come. A lasting table of its name is then called by its
//! whole name.

use std::thread;

use adbc_core::sync::{Connection as _, Optionable as _, Statement as _};
use adbc_databricks::Connection;
use serde_json::json;

use crate::support::{Reply, Request, Server, batch, ok, refusal, statement, succeeded};

const CREATE: &str = "CREATE TEMPORARY TABLE t (in_the_file BIGINT)";

/// What a server answers that knows where names start.
fn answer(request: &Request) -> Option<Reply> {
    let column = |name: &str, position: usize| json!({"name": name, "type_text": "STRING", "type_name": "STRING", "position": position});
    let manifest = json!({
        "format": "JSON_ARRAY",
        "schema": {"column_count": 2, "columns": [column("current_catalog()", 0), column("current_schema()", 1)]},
        "total_chunk_count": 1, "total_row_count": 1,
    });
    request
        .is_execute()
        .then(|| match sql(request).starts_with("SELECT current_catalog()") {
            true => ok(succeeded(
                manifest,
                json!({"chunk_index": 0, "data_array": [["c", "s"]]}),
            )),
            false => ok(json!({"statement_id": "statement-1", "status": {"state": "SUCCEEDED"},
            "manifest": {"schema": {"column_count": 0}, "total_chunk_count": 0, "total_row_count": 0}, "result": {}})),
        })
}

fn sql(request: &Request) -> String {
    request.json()["statement"].as_str().unwrap_or_default().to_owned()
}

fn is_creation(request: &Request) -> bool {
    request.is_execute() && sql(request) == CREATE
}

/// The statements by which rows are put into a lasting table `t`.
fn put(server: &Server, connection: &mut Connection) -> Vec<String> {
    let before = server.count(Request::is_execute);
    let mut statement = connection.new_statement().unwrap();
    statement
        .set_option("adbc.ingest.target_table".into(), "t".into())
        .unwrap();
    statement.bind(batch(0..2)).unwrap();
    statement.execute_update().unwrap();
    let requests = server.requests();
    let asked = requests.iter().filter(|request| request.is_execute()).skip(before);
    asked.map(sql).filter(|sql| sql.contains("`t`")).collect()
}

fn are_about(table: &str, statements: &[String]) -> bool {
    statements.len() == 2 && statements.iter().all(|sql| sql.contains(&format!(" {table} (")))
}

#[test]
fn when_its_creation_was_cancelled_in_flight() {
    let (server, gate) = Server::gated(is_creation, |request, _| answer(request));
    let mut connection = server.connect();
    let mut creation = statement(&mut connection, CREATE);
    let cancel = creation.get_cancel_handle();
    let worker = thread::spawn(move || creation.execute_update());
    server.wait_until("the creation", |asked| asked.iter().any(is_creation));
    cancel.try_cancel().unwrap();
    worker.join().unwrap().unwrap_err();
    let put = put(&server, &mut connection);
    assert!(are_about("`c`.`s`.`t`", &put), "{put:?}");
    gate.open();
}

#[test]
fn when_its_creation_took_too_long() {
    let (server, gate) = Server::gated(is_creation, |request, _| answer(request));
    let mut connection = server.connect();
    let mut creation = statement(&mut connection, CREATE);
    creation
        .set_option("databricks.statement.timeout_s".into(), "0.01".into())
        .unwrap();
    creation.execute_update().unwrap_err();
    // Its time may have been up before it was sent.
    server.wait_until("the creation", |asked| asked.iter().any(is_creation));
    let put = put(&server, &mut connection);
    assert!(are_about("`c`.`s`.`t`", &put), "{put:?}");
    gate.open();
}

#[test]
fn when_the_answer_to_its_creation_was_lost() {
    for (lost, status) in [(true, 0), (false, 500), (false, 408)] {
        let server = Server::start(move |request, _| match is_creation(request) {
            true if lost => Some(Reply::Reset),
            true => Some(refusal(status, "INTERNAL_ERROR")),
            false => answer(request),
        });
        let mut connection = server.connect();
        statement(&mut connection, CREATE).execute_update().unwrap_err();
        let put = put(&server, &mut connection);
        assert!(are_about("`c`.`s`.`t`", &put), "{status}: {put:?}");
    }
}

#[test]
fn and_not_when_it_was_refused() {
    let server = Server::start(|request, _| match is_creation(request) {
        true => Some(refusal(403, "PERMISSION_DENIED")),
        false => answer(request),
    });
    let mut connection = server.connect();
    statement(&mut connection, CREATE).execute_update().unwrap_err();
    let put = put(&server, &mut connection);
    assert!(are_about("`t`", &put), "{put:?}");
}
