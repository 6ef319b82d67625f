//! The trace id that the caller gave is in every trace and on every request to the workspace, wherever it was given; the one
//! given nearest to the statement wins; and cloud storage never sees any.

use std::collections::HashSet;

use adbc_core::sync::{Database as _, Optionable as _, Statement as _};

use crate::support::{self, Request, Server, cloud, is_storage, numbers, trace_lines};

const KEY: &str = "adbc.telemetry.trace_parent";
const OF_DATABASE: &str = "00-dddddddddddddddddddddddddddddddd-d1d1d1d1d1d1d1d1-01";
const OF_CONNECTION: &str = "00-cccccccccccccccccccccccccccccccc-c1c1c1c1c1c1c1c1-00";
const OF_STATEMENT: &str = "00-5555555555555555555555555555555a-5151515151515151-01";

fn trace_id(traceparent: &str) -> &str {
    &traceparent[3..35]
}

/// The ids of the executions' traces, as the workspace saw them, in order.
fn executed(server: &Server) -> Vec<String> {
    let executes = server.requests().into_iter().filter(Request::is_execute);
    executes
        .map(|request| trace_id(&request.headers["traceparent"]).to_owned())
        .collect()
}

#[test]
fn the_correlation_id_is_preserved() {
    let server = Server::start(|request, port| cloud(request, port, 3, 5));
    let folder = tempfile::tempdir().unwrap();
    let mut database = server.database(&[
        ("adbc.telemetry.traces_exporter", "adbcfile"),
        ("adbc.telemetry.traces_folder_path", folder.path().to_str().unwrap()),
    ]);
    database.set_option(KEY.into(), OF_DATABASE.into()).unwrap();
    let mut connection = database.new_connection().unwrap();
    let open = &server.requests()[0];
    assert_eq!(trace_id(&open.headers["traceparent"]), trace_id(OF_DATABASE));

    let mut run = |set: &dyn Fn(&mut adbc_databricks::Connection, &mut adbc_databricks::Statement)| {
        let mut statement = support::statement(&mut connection, "SELECT");
        set(&mut connection, &mut statement);
        // A statement takes what its connection has when it is made.
        let mut statement = match statement.get_option_string(KEY.into()) {
            Ok(given) if given == OF_STATEMENT => statement,
            _ => support::statement(&mut connection, "SELECT"),
        };
        assert_eq!(numbers(statement.execute().unwrap()).unwrap().len(), 15);
    };
    run(&|_, _| {});
    run(&|connection, _| connection.set_option(KEY.into(), OF_CONNECTION.into()).unwrap());
    run(&|_, statement| statement.set_option(KEY.into(), OF_STATEMENT.into()).unwrap());
    drop((connection, database));

    let expected = [OF_DATABASE, OF_CONNECTION, OF_STATEMENT].map(trace_id);
    assert_eq!(executed(&server), expected);

    // The caller's decision about sampling is handed on as it is, and every request names a span of the driver's own.
    let lines = trace_lines(folder.path());
    let spans: HashSet<_> = lines
        .iter()
        .map(|line| (line["trace_id"].as_str().unwrap(), line["span_id"].as_str().unwrap()))
        .collect();
    for request in server.requests() {
        let Some(sent) = request.headers.get("traceparent") else {
            assert!(
                is_storage(&request),
                "{} {} has no traceparent",
                request.method,
                request.path
            );
            continue;
        };
        assert!(!is_storage(&request), "storage was told the trace");
        assert!(
            spans.contains(&(trace_id(sent), &sent[36..52])),
            "{sent} is the parent of nothing known"
        );
        let given = [OF_DATABASE, OF_CONNECTION, OF_STATEMENT];
        let given = given.iter().find(|given| trace_id(sent) == trace_id(given));
        let given = given.unwrap_or_else(|| panic!("{} {}: {sent}", request.method, request.path));
        assert_eq!(sent[53..], given[53..], "the sampled flag");
    }

    // And in the traces: the three executions continue the three traces, below the spans that were named.
    for given in [OF_DATABASE, OF_CONNECTION, OF_STATEMENT] {
        let execution = lines
            .iter()
            .find(|line| line["name"] == "Statement.Execute" && line["trace_id"] == trace_id(given))
            .unwrap();
        assert_eq!(execution["parent_span_id"], given[36..52]);
    }
}
