//! A cancel works before the server has given an id, while it is being polled, and while the result is being read.

use std::sync::mpsc;
use std::thread;

use adbc_core::error::Status;
use adbc_core::sync::{Connection as _, Optionable as _, Statement as _};
use serde_json::json;

use crate::support::{
    self, Reply, Request, Server, cloud, driver_error, endless, inline, is_cancel, is_close, is_download_of,
    is_storage, ok, sqlstate, statement,
};

fn wait_for_cancel_and_close(server: &Server) {
    server.wait_until("cancel and close", |asked| {
        asked.iter().any(is_cancel) && asked.iter().any(is_close)
    });
}

#[test]
fn during_the_submit_the_caller_is_answered_at_once_and_the_server_as_soon_as_it_gives_an_id() {
    let (server, gate) = Server::gated(Request::is_execute, |request, _| {
        request.is_execute().then(|| ok(inline(3)))
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT 1");
    let cancel = statement.get_cancel_handle();
    let (done, waiting) = mpsc::channel();
    let worker = thread::spawn(move || {
        let outcome = statement.execute().map(drop);
        done.send(()).unwrap();
        outcome
    });
    server.wait_until("the submit", |asked| asked.iter().any(Request::is_execute));
    cancel.try_cancel().unwrap();
    waiting
        .recv_timeout(support::PATIENCE)
        .expect("execute waits for the server although it was cancelled");
    let error = worker.join().unwrap().unwrap_err();
    assert_eq!((error.status, sqlstate(&error).as_str()), (Status::Cancelled, "57014"));
    assert_eq!(server.count(is_cancel), 0);
    gate.open();
    wait_for_cancel_and_close(&server);
}

#[test]
fn during_polling() {
    let server = Server::start(endless);
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT 1");
    let cancel = statement.get_cancel_handle();
    let worker = thread::spawn(move || statement.execute().map(drop));
    server.wait_until("a poll", |asked| asked.iter().any(|request| request.method == "GET"));
    cancel.try_cancel().unwrap();
    assert_eq!(worker.join().unwrap().unwrap_err().status, Status::Cancelled);
    wait_for_cancel_and_close(&server);
}

#[test]
fn during_reading_a_blocked_reader_is_woken() {
    let (server, gate) = Server::gated(is_download_of(1), |request, port| cloud(request, port, 2, 5));
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT 1");
    let cancel = statement.get_cancel_handle();
    let mut reader = statement.execute().unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_rows(), 5);
    let worker = thread::spawn(move || {
        let next = reader.next().unwrap();
        (next, reader.next().is_none())
    });
    server.wait_until("the second download", |asked| {
        asked.iter().filter(|request| is_storage(request)).count() == 2
    });
    cancel.try_cancel().unwrap();
    let (next, ended) = worker.join().unwrap();
    assert_eq!(driver_error(&next.unwrap_err()).status(), Status::Cancelled);
    assert!(ended, "a failed reader has an end");
    wait_for_cancel_and_close(&server);
    gate.open();
}

#[test]
fn calls_of_a_connection_that_overlap_are_all_cancelled() {
    let (server, gate) = Server::gated(Request::is_execute, |request, _| {
        request.is_execute().then(|| ok(inline(3)))
    });
    let connection = server.connect();
    let cancel = connection.get_cancel_handle();
    thread::scope(|scope| {
        let calls = ["one", "two", "three"].map(|table| {
            let connection = &connection;
            scope.spawn(move || connection.get_table_schema(None, None, table).map(drop))
        });
        server.wait_until("all of them", |asked| {
            asked.iter().filter(|request| request.is_execute()).count() == 3
        });
        // Reading an option is a call as well, and takes nothing from the others.
        connection
            .get_option_string("adbc.connection.autocommit".into())
            .unwrap();
        cancel.try_cancel().unwrap();
        // The server answers none of them before the gate opens: whatever was not cancelled would wait for it.
        for call in calls {
            assert_eq!(call.join().unwrap().unwrap_err().status, Status::Cancelled);
        }
    });
    gate.open();
    assert_eq!(
        cancel.try_cancel().unwrap_err().status,
        Status::InvalidState,
        "they have ended"
    );
}

#[test]
fn while_get_info_asks_for_the_vendors_version() {
    let (server, gate) = Server::gated(Request::is_execute, |request, _| {
        request.is_execute().then(|| ok(inline(3)))
    });
    let connection = server.connect();
    thread::scope(|scope| {
        let call = scope.spawn(|| connection.get_info(None).map(drop));
        server.wait_until("the question", |asked| asked.iter().any(Request::is_execute));
        connection.get_cancel_handle().try_cancel().unwrap();
        assert_eq!(call.join().unwrap().unwrap_err().status, Status::Cancelled);
    });
    gate.open();
    wait_for_cancel_and_close(&server);
    connection.get_info(None).unwrap();
}

#[test]
fn all_partitions_that_a_connection_reads() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let mut connection = server.connect();
    let parts = statement(&mut connection, "SELECT x FROM numbers")
        .execute_partitions()
        .unwrap();
    let mut readers: Vec<_> = parts
        .partitions
        .iter()
        .map(|part| connection.read_partition(part).unwrap())
        .collect();
    connection.get_cancel_handle().try_cancel().unwrap();
    for reader in &mut readers {
        let error = reader.next().unwrap().unwrap_err();
        assert_eq!(driver_error(&error).status(), Status::Cancelled);
    }
    assert_eq!(
        connection.get_cancel_handle().try_cancel().unwrap_err().status,
        Status::InvalidState
    );
    assert_eq!(server.count(is_cancel), 0, "others may read them");
}

#[test]
fn with_nothing_running_it_is_an_invalid_state() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(3))));
    let mut connection = server.connect();
    assert_eq!(
        connection.get_cancel_handle().try_cancel().unwrap_err().status,
        Status::InvalidState
    );
    let mut statement = statement(&mut connection, "SELECT 1");
    let cancel = statement.get_cancel_handle();
    assert_eq!(cancel.try_cancel().unwrap_err().status, Status::InvalidState);
    assert_eq!(support::numbers(statement.execute().unwrap()).unwrap().len(), 3);
    assert_eq!(cancel.try_cancel().unwrap_err().status, Status::InvalidState);
    drop((statement, connection));
    assert_eq!(server.count(is_cancel), 0);
}

#[test]
fn between_two_attempts_no_further_one_is_made() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let later = vec![("Retry-After", "1".to_owned())];
            Reply::Headed(429, later, json!({"error_code": "REQUEST_LIMIT_EXCEEDED"}))
        })
    });
    let mut connection = server.connect_with(&[("databricks.retry.max_wait_ms", "1000")]);
    let mut statement = statement(&mut connection, "INSERT INTO t VALUES (1)");
    let cancel = statement.get_cancel_handle();
    let worker = thread::spawn(move || statement.execute_update().map(drop));
    server.wait_until("the first attempt", |asked| asked.iter().any(Request::is_execute));
    cancel.try_cancel().unwrap();
    assert_eq!(worker.join().unwrap().unwrap_err().status, Status::Cancelled);
    // Closing waits for the submission to end, in whatever way.
    drop(connection);
    assert_eq!(server.count(Request::is_execute), 1);
}
