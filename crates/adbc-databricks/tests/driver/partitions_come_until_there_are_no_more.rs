//! `adbc.statement.exec.incremental`: asked again for partitions, an empty set says that there are no more of this execution.

use adbc_core::sync::{Optionable as _, Statement as _};
use adbc_databricks::Statement;

use crate::support::{self, Request, Server, cloud, inline, ok, statement};

const INCREMENTAL: &str = "adbc.statement.exec.incremental";

const TEXT: &str = "SELECT x FROM numbers WHERE x > ?";

fn server() -> Server {
    Server::start(|request, port| cloud(request, port, 3, 10))
}

fn incremental(server: &Server) -> Statement {
    let mut statement = statement(&mut server.connect(), TEXT);
    statement.set_option(INCREMENTAL.into(), "true".into()).unwrap();
    assert_eq!(statement.get_option_string(INCREMENTAL.into()).unwrap(), "true");
    statement
}

fn next(statement: &mut Statement) -> usize {
    let result = statement.execute_partitions().unwrap();
    assert_eq!(result.schema.fields().len(), 1);
    assert_eq!(result.rows_affected, 30);
    result.partitions.len()
}

#[test]
fn an_empty_set_is_the_end_and_after_it_the_statement_is_executed_again() {
    let server = server();
    let mut statement = incremental(&server);
    assert_eq!([next(&mut statement), next(&mut statement)], [3, 0]);
    assert_eq!(server.count(Request::is_execute), 1);
    assert_eq!([next(&mut statement), next(&mut statement)], [3, 0]);
    assert_eq!(server.count(Request::is_execute), 2);
}

#[test]
fn without_it_every_call_executes() {
    let server = server();
    let mut statement = statement(&mut server.connect(), "SELECT x FROM numbers");
    assert_eq!(statement.get_option_string(INCREMENTAL.into()).unwrap(), "false");
    assert_eq!([next(&mut statement), next(&mut statement)], [3, 3]);
    assert_eq!(server.count(Request::is_execute), 2);
}

#[test]
fn whatever_is_changed_or_executed_in_between_begins_anew() {
    let server = server();
    let changes: [fn(&mut Statement); 5] = [
        |statement| statement.set_sql_query(TEXT).unwrap(),
        |statement| statement.set_option(INCREMENTAL.into(), "true".into()).unwrap(),
        |statement| statement.bind(support::batch(0..1)).unwrap(),
        |statement| drop(statement.execute().unwrap()),
        |statement| assert_eq!(statement.execute_update().unwrap(), None),
    ];
    for change in changes {
        let mut statement = incremental(&server);
        assert_eq!(next(&mut statement), 3);
        change(&mut statement);
        assert_eq!(next(&mut statement), 3);
    }
}

#[test]
fn a_result_without_rows_is_its_own_end() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(0);
            answer["result"] = serde_json::json!({});
            answer["manifest"]["total_chunk_count"] = 0.into();
            answer["manifest"]["chunks"] = serde_json::json!([]);
            ok(answer)
        })
    });
    let mut statement = incremental(&server);
    for executed in 1..3 {
        assert!(statement.execute_partitions().unwrap().partitions.is_empty());
        assert_eq!(server.count(Request::is_execute), executed);
    }
}
