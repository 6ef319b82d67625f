//! How far an execution is can be read from another thread at any moment, and begins anew with each execution.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use adbc_core::sync::{Optionable as _, Statement as _};
use adbc_databricks::{Readings, Statement};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
use serde_json::json;

use crate::support::{self, PATIENCE, Reply, Request, Server, cloud, inline, is_download_of, ok, statement};

const PROGRESS: &str = "adbc.statement.exec.progress";
const MAX: &str = "adbc.statement.exec.max_progress";

fn told(readings: &Readings) -> (f64, f64) {
    (readings.double(PROGRESS).unwrap(), readings.double(MAX).unwrap())
}

fn told_of(statement: &Statement) -> (f64, f64) {
    told(&statement.readings())
}

fn wait_for(readings: &Readings, expected: (f64, f64)) {
    let began = Instant::now();
    while told(readings) != expected {
        assert!(began.elapsed() < PATIENCE, "{:?} and not {expected:?}", told(readings));
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn nothing_is_known_while_the_server_works_and_all_when_a_small_result_is_here() {
    let (server, gate) = Server::gated(Request::is_execute, |request, _| {
        request.is_execute().then(|| ok(inline(7)))
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT x FROM numbers");
    let readings = statement.readings();
    assert_eq!(told(&readings), (0.0, 0.0));
    thread::scope(|scope| {
        let executing = scope.spawn(|| statement.execute().unwrap());
        server.wait_until("the submission", |requests| requests.iter().any(|one| one.is_execute()));
        // The execution ends only when the gate opens: whoever waited for it would wait for ever.
        assert_eq!(told(&readings), (0.0, 0.0));
        gate.open();
        let reader = executing.join().unwrap();
        assert_eq!(told(&readings), (7.0, 7.0), "all is here, read or not");
        drop(reader);
    });
    for (key, text) in [(PROGRESS, "7"), (MAX, "7")] {
        assert_eq!(readings.text(key).unwrap(), text);
        assert_eq!(readings.integer(key).unwrap(), 7);
        assert_eq!(statement.get_option_double(key.into()).unwrap(), 7.0);
    }
}

#[test]
fn of_a_large_result_what_has_arrived_of_what_the_manifest_promises() {
    let (server, gate) = Server::gated(is_download_of(2), |request, port| cloud(request, port, 4, 10));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT x FROM numbers");
    let reader = statement.execute().unwrap();
    let readings = statement.readings();
    // The third chunk is held back, and a chunk is only here when all before it are.
    wait_for(&readings, (20.0, 40.0));
    gate.open();
    wait_for(&readings, (40.0, 40.0));
    // Reading is no execution.
    assert_eq!(support::numbers(reader).unwrap().len(), 40);
    assert_eq!(told(&readings), (40.0, 40.0));
    drop(statement);
    assert_eq!(told(&readings), (40.0, 40.0), "whoever has the readings keeps them");
}

#[test]
fn each_execution_begins_anew_whatever_becomes_of_the_one_before() {
    let (server, gate) = Server::gated(is_download_of(1), |request, port| {
        match request.json()["statement"].as_str() {
            Some("SELECT few") => Some(ok(inline(3))),
            Some("SELECT broken") => Some(support::refusal(400, "BAD_REQUEST")),
            _ => cloud(request, port, 2, 10),
        }
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT many");
    let earlier = statement.execute().unwrap();
    wait_for(&statement.readings(), (10.0, 20.0));
    statement.set_sql_query("SELECT few").unwrap();
    drop(statement.execute().unwrap());
    assert_eq!(told_of(&statement), (3.0, 3.0));
    gate.open();
    assert_eq!(support::numbers(earlier).unwrap().len(), 20);
    assert_eq!(told_of(&statement), (3.0, 3.0), "an earlier reader counts for itself");
    statement.set_sql_query("SELECT broken").unwrap();
    statement.execute().map(drop).unwrap_err();
    assert_eq!(told_of(&statement), (0.0, 0.0));
}

fn changed(rows: i64) -> Reply {
    ok(json!({
        "statement_id": "statement-1",
        "status": {"state": "SUCCEEDED", "num_modified_rows": rows},
    }))
}

#[test]
fn of_a_change_the_rows_that_it_changed() {
    let server = Server::start(|request, _| request.is_execute().then(|| changed(5)));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "UPDATE t SET x = ?");
    statement.execute_update().unwrap();
    assert_eq!(told_of(&statement), (5.0, 5.0));
    drop(statement.execute().unwrap());
    assert_eq!(told_of(&statement), (5.0, 5.0));
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let rows = RecordBatch::try_from_iter([("x", column)]).unwrap();
    statement.bind(rows.clone()).unwrap();
    statement.execute_update().unwrap();
    assert_eq!(told_of(&statement), (15.0, 15.0));
    statement.bind(rows).unwrap();
    drop(statement.execute().unwrap());
    assert_eq!(told_of(&statement), (15.0, 15.0));
}

#[test]
fn of_a_query_for_several_bound_rows_no_total_before_the_last_result_has_ended() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(4))));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT x FROM numbers WHERE x < ?");
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    statement
        .bind(RecordBatch::try_from_iter([("x", column)]).unwrap())
        .unwrap();
    let mut reader = statement.execute().unwrap();
    assert_eq!(told_of(&statement), (4.0, 0.0));
    reader.next().unwrap().unwrap();
    assert_eq!(told_of(&statement), (4.0, 0.0));
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
    assert_eq!(told_of(&statement), (8.0, 8.0));
}

#[test]
fn of_an_ingest_the_rows_that_were_sent() {
    let server = Server::start(|request, _| {
        request
            .is_execute()
            .then(|| match request.json()["statement"].as_str() {
                Some(text) if text.starts_with("INSERT") => changed(2000),
                _ => changed(0),
            })
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT 1");
    statement
        .set_option("adbc.ingest.target_table".into(), "numbers".into())
        .unwrap();
    // One statement takes 2,000 rows at most.
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..6000));
    let rows = RecordBatch::try_from_iter([("x", column)]).unwrap();
    statement.bind(rows.clone()).unwrap();
    statement.execute_update().unwrap();
    assert_eq!(told_of(&statement), (6000.0, 6000.0));

    let readings = statement.readings();
    let (schema, seen) = (rows.schema(), readings.clone());
    let batches = (0..40).map(move |index| {
        // The small beginning is looked at before anything is sent.
        if index == 39 {
            let (sent, total) = told(&seen);
            assert!(sent > 0.0 && sent < 240_000.0 && total == 0.0, "{sent} of {total}");
        }
        Ok(rows.clone())
    });
    statement
        .bind_stream(Box::new(RecordBatchIterator::new(batches, schema)))
        .unwrap();
    statement.execute_update().unwrap();
    assert_eq!(told(&readings), (240_000.0, 240_000.0));
}

#[test]
fn of_partitions_the_rows_of_all_of_them() {
    let server = Server::start(|request, port| cloud(request, port, 3, 10));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT x FROM numbers");
    assert_eq!(statement.execute_partitions().unwrap().partitions.len(), 3);
    assert_eq!(told_of(&statement), (30.0, 30.0));
}
