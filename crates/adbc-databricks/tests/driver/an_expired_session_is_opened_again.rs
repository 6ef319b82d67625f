//! A session that the server has forgotten is opened again under the statement that finds out, unless something would be lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use adbc_core::error::Status;
use adbc_core::sync::{Optionable as _, Statement as _};
use serde_json::json;

use crate::support::{self, Reply, Request, Server, inline, ok, query, refusal, statement, telemetry_of};

const EXPIRED: &str = "RESOURCE_DOES_NOT_EXIST";

fn is_create(request: &Request) -> bool {
    request.is("POST", "/api/2.0/sql/sessions")
}

/// Sessions are numbered; a statement of any but the newest that `alive` allows is refused.
fn forgetful(forgotten: &'static [&'static str]) -> Server {
    let opened = AtomicUsize::new(0);
    Server::start(move |request, _| {
        if is_create(request) {
            let number = opened.fetch_add(1, Ordering::SeqCst) + 1;
            return Some(ok(json!({"session_id": format!("session-{number}")})));
        }
        request.is_execute().then(|| {
            let id = request.json()["session_id"].as_str().unwrap_or_default().to_owned();
            let forgets = forgotten.contains(&id.as_str()) && request.json()["statement"] == "SELECT x FROM numbers";
            if forgets { refusal(404, EXPIRED) } else { ok(inline(2)) }
        })
    })
}

#[test]
fn a_query_does_not_notice() {
    let server = forgetful(&["session-1"]);
    let mut connection = server.connect_with(&[
        ("adbc.connection.catalog", "samples"),
        ("databricks.session_conf.TIMEZONE", "Europe/Zurich"),
    ]);
    assert_eq!(query(&mut connection).unwrap(), [0, 1]);
    assert_eq!(
        connection.get_option_string("databricks.session_id".into()).unwrap(),
        "session-2"
    );
    let requests = server.requests();
    let creates: Vec<_> = requests
        .iter()
        .filter(|request| is_create(request))
        .map(Request::json)
        .collect();
    assert_eq!(creates.len(), 2);
    assert_eq!(creates[0], creates[1]);
    assert_eq!(creates[1]["session_confs"], json!({"TIMEZONE": "Europe/Zurich"}));
    drop(connection);
    let closed: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|request| request.method == "DELETE")
        .collect();
    assert!(
        closed
            .iter()
            .any(|request| request.path.starts_with("/api/2.0/sql/sessions/session-2")),
        "{closed:?}"
    );
}

/// Whoever joins records with the workspace's own history finds the session in which a statement ran.
#[test]
fn telemetry_names_the_session_in_which_each_statement_ran() {
    let server = forgetful(&["session-1"]);
    let mut connection = server.connect_with(&[("forceEnableTelemetry", "true")]);
    statement(&mut connection, "SELECT 1").execute_update().unwrap();
    query(&mut connection).unwrap();
    query(&mut connection).unwrap();
    drop(connection);
    let sessions = |operation: &str| -> Vec<String> {
        let logs = telemetry_of(&server, operation);
        let ids = logs.iter().map(|log| log["session_id"].as_str().unwrap_or_default());
        ids.map(str::to_owned).collect()
    };
    assert_eq!(sessions("CREATE_SESSION"), ["session-1", "session-2"]);
    assert_eq!(sessions("EXECUTE_STATEMENT"), ["session-1", "session-2", "session-2"]);
    assert_eq!(sessions("DELETE_SESSION"), ["session-2"]);
}

#[test]
fn the_names_that_the_driver_was_told_are_kept() {
    let server = forgetful(&["session-1"]);
    let mut connection = server.connect();
    connection
        .set_option("adbc.connection.catalog".into(), "moved".into())
        .unwrap();
    assert_eq!(query(&mut connection).unwrap(), [0, 1]);
    let requests = server.requests();
    let last = requests.iter().rfind(|request| is_create(request)).unwrap();
    assert_eq!(last.json()["catalog"], "moved");
}

#[test]
fn what_statements_set_in_it_is_not_lost_silently() {
    for sql in [
        "SET TIMEZONE = 'UTC'",
        "USE CATALOG c",
        "CREATE TEMPORARY VIEW v AS SELECT 1",
    ] {
        let server = forgetful(&["session-1"]);
        let mut connection = server.connect();
        statement(&mut connection, sql).execute_update().unwrap();
        let error = query(&mut connection).unwrap_err();
        assert_eq!(error.status, Status::InvalidState, "{}", error.message);
        assert!(error.message.contains("session has ended"), "{}", error.message);
        assert_eq!(server.count(is_create), 1);
        // And it stays so: the next statement must not run under other settings either.
        assert_eq!(query(&mut connection).unwrap_err().status, Status::InvalidState);
    }
}

/// Neither a statement that finds the session gone, nor one that is refused, nor the first of two forms in which a result is asked for.
#[test]
fn what_the_server_did_not_begin_with_has_set_nothing() {
    for (refused, status, code) in [
        ("session-1", 404, EXPIRED),
        ("session-1", 403, "PERMISSION_DENIED"),
        ("INLINE_OR_EXTERNAL_LINKS", 400, "INVALID_PARAMETER_VALUE"),
    ] {
        let opened = AtomicUsize::new(0);
        let server = Server::start(move |request, _| {
            if is_create(request) {
                let number = opened.fetch_add(1, Ordering::SeqCst) + 1;
                return Some(ok(json!({"session_id": format!("session-{number}")})));
            }
            let asked = request.json();
            let is_use = asked["statement"] == "USE CATALOG `c`";
            request.is_execute().then(|| match asked["session_id"] == "session-1" {
                _ if is_use && [&asked["session_id"], &asked["disposition"]].contains(&&json!(refused)) => {
                    refusal(status, code)
                }
                true if !is_use => refusal(404, EXPIRED),
                _ => ok(inline(2)),
            })
        });
        let mut connection = server.connect();
        let moved = connection.set_option("adbc.connection.catalog".into(), "c".into());
        assert_eq!(moved.is_err(), code == "PERMISSION_DENIED", "{code}");
        assert_eq!(query(&mut connection).unwrap(), [0, 1], "{code}");
        assert_eq!(server.count(is_create), 2, "{code}");
    }
}

/// Whoever opens it again while such a statement is on its way loses nothing: that one finds out by itself.
#[test]
fn a_statement_that_is_on_its_way_has_set_nothing() {
    let opened = AtomicUsize::new(0);
    let is_set = |request: &Request| request.is_execute() && request.json()["statement"] == "SET TIMEZONE = UTC";
    let (server, gate) = Server::gated(is_set, move |request, _| {
        if is_create(request) {
            let number = opened.fetch_add(1, Ordering::SeqCst) + 1;
            return Some(ok(json!({"session_id": format!("session-{number}")})));
        }
        request
            .is_execute()
            .then(|| match request.json()["session_id"] == "session-1" {
                true => refusal(404, EXPIRED),
                false => ok(inline(2)),
            })
    });
    let mut connection = server.connect();
    let mut set = statement(&mut connection, "SET TIMEZONE = UTC");
    thread::scope(|scope| {
        let setting = scope.spawn(move || set.execute_update().map(drop));
        server.wait_until("the setting", |asked| asked.iter().any(is_set));
        assert_eq!(query(&mut connection).unwrap(), [0, 1]);
        gate.open();
        setting.join().unwrap().unwrap();
    });
    assert_eq!(server.count(is_create), 2);
}

#[test]
fn a_statement_that_was_never_let_in_has_set_nothing() {
    let opened = AtomicUsize::new(0);
    let server = Server::start(move |request, _| {
        if is_create(request) {
            let number = opened.fetch_add(1, Ordering::SeqCst) + 1;
            return Some(ok(json!({"session_id": format!("session-{number}")})));
        }
        request.is_execute().then(|| {
            let asked = request.json();
            if asked["statement"] == "SET TIMEZONE = UTC" {
                let later = json!({"error_code": "RESOURCE_EXHAUSTED", "message": "later"});
                Reply::Headed(429, vec![("retry-after", "100".to_owned())], later)
            } else if asked["session_id"] == "session-1" {
                refusal(404, EXPIRED)
            } else {
                ok(inline(2))
            }
        })
    });
    let mut connection = server.connect();
    let mut set = statement(&mut connection, "SET TIMEZONE = UTC");
    set.set_option("databricks.statement.timeout_s".into(), "0.2".into())
        .unwrap();
    assert_eq!(set.execute_update().unwrap_err().status, Status::Timeout);
    assert_eq!(query(&mut connection).unwrap(), [0, 1]);
    assert_eq!(server.count(is_create), 2);
}

#[test]
fn a_server_that_forgets_every_session_is_not_asked_for_ever() {
    let server = forgetful(&["session-1", "session-2", "session-3"]);
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::NotFound);
    assert_eq!(server.count(is_create), 2);
}

#[test]
fn many_threads_open_one_session() {
    let server = forgetful(&["session-1"]);
    let mut connection = server.connect();
    let statements: Vec<_> = (0..6)
        .map(|_| Mutex::new(statement(&mut connection, "SELECT x FROM numbers")))
        .collect();
    thread::scope(|scope| {
        for statement in &statements {
            scope.spawn(|| {
                assert_eq!(
                    support::numbers(statement.lock().unwrap().execute().unwrap()).unwrap(),
                    [0, 1]
                )
            });
        }
    });
    assert_eq!(server.count(is_create), 2);
}

#[test]
fn another_404_is_not_taken_for_it() {
    let server = Server::start(|request, _| request.is_execute().then(|| refusal(404, "ENDPOINT_NOT_FOUND")));
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::NotFound);
    assert_eq!(server.count(is_create), 1);
}
