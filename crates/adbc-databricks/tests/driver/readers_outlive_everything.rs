//! A reader needs neither its statement nor its connection nor its database, and closes what it was the last to use.

use adbc_core::sync::{Connection as _, Database as _, Statement as _};

use crate::support::{self, Request, Server, cloud, inline, is_cancel, is_close, numbers, ok};

fn session_close(request: &Request) -> bool {
    request.is("DELETE", "/api/2.0/sql/sessions/session-1")
}

#[test]
fn it_reads_on_and_the_session_is_closed_after_it() {
    let server = Server::start(|request, port| cloud(request, port, 30, 5));
    let database = server.database(&[("databricks.cloudfetch.parallel_downloads", "1")]);
    let mut connection = database.new_connection().unwrap();
    let mut statement = connection.new_statement().unwrap();
    statement.set_sql_query("SELECT x").unwrap();
    let reader = statement.execute().unwrap();
    drop(statement);
    drop(connection);
    drop(database);
    assert_eq!(server.count(session_close), 0);
    assert_eq!(numbers(reader).unwrap(), (0..150).collect::<Vec<_>>());
    server.wait_until("the session's close", |asked| asked.iter().any(session_close));
}

#[test]
fn dropped_before_its_end_it_cancels_and_closes_on_the_server() {
    let server = Server::start(|request, port| cloud(request, port, 30, 5));
    let mut connection = server.connect_with(&[("databricks.cloudfetch.memory_budget_bytes", "1")]);
    let mut statement = connection.new_statement().unwrap();
    statement.set_sql_query("SELECT x").unwrap();
    let mut reader = statement.execute().unwrap();
    reader.next().unwrap().unwrap();
    drop(reader);
    drop(statement);
    drop(connection);
    let asked = server.requests();
    let position = |matches: &dyn Fn(&Request) -> bool| asked.iter().position(matches);
    let cancel = position(&is_cancel).expect("a cancel");
    let close = position(&is_close).expect("a close");
    assert!(cancel < close && close < position(&session_close).expect("the session's close"));
}

#[test]
fn many_connections_and_threads_share_one_runtime() {
    let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(10))));
    let database = server.database(&[]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = database.new_connection().unwrap();
                for _ in 0..5 {
                    assert_eq!(support::query(&mut connection).unwrap().len(), 10);
                }
            });
        }
    });
    assert_eq!(server.count(session_close), 8);
}
