//! A database's traces hold the activities of its own connections, and of no others; databases that ask for the same share a file.

use std::fs;
use std::path::{Path, PathBuf};

use adbc_core::sync::{Database as _, Optionable as _};

use crate::support::{self, Server, cloud, query, trace_lines};

const EXPORTER: &str = "adbc.telemetry.traces_exporter";
const FOLDER: &str = "adbc.telemetry.traces_folder_path";

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let lines = trace_lines(folder);
    let mut names: Vec<_> = lines
        .iter()
        .map(|line| line["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// What a connection with one query over two chunks leaves. The statement is closed in the background, before the session is.
const OF_ONE_QUERY: [&str; 10] = [
    "CloudFetch.Download",
    "CloudFetch.Download",
    "CloudFetch.Links",
    "Connection.Close",
    "Connection.Open",
    "Results.Decode",
    "Results.Decode",
    "Statement.Close",
    "Statement.Execute",
    "Statement.Submit",
];

fn of_queries(count: usize) -> Vec<String> {
    let mut all: Vec<_> = OF_ONE_QUERY
        .iter()
        .flat_map(|name| vec![(*name).to_owned(); count])
        .collect();
    all.sort();
    all
}

#[test]
fn traces_are_of_their_database_alone() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let place = tempfile::tempdir().unwrap();
    let (one, other) = (place.path().join("one"), place.path().join("other"));
    let first = [(EXPORTER, "adbcfile"), (FOLDER, one.to_str().unwrap())];
    let second = [
        ("adbc.traces.exporter", "AdbcFile"),
        ("adbc.traces.exporter.adbcfile.location", other.to_str().unwrap()),
        // Telemetry is another matter, and changes nothing here.
        ("forceEnableTelemetry", "true"),
    ];
    let databases = [server.database(&first), server.database(&second), server.database(&[])];
    let mut connections: Vec<_> = databases
        .iter()
        .map(|database| database.new_connection().unwrap())
        .collect();
    for connection in &mut connections {
        assert_eq!(query(connection).unwrap().len(), 10);
    }
    drop(connections);

    // Everything is in the file as soon as the connection is closed.
    for folder in [&one, &other] {
        assert_eq!(names(folder), of_queries(1));
        assert_eq!(files(folder).len(), 1);
    }

    // The next connection goes on in the same file, and so does another database that asks for the same.
    let twin = server.database(&first);
    for database in [&databases[0], &twin] {
        query(&mut database.new_connection().unwrap()).unwrap();
    }
    assert_eq!(names(&one), of_queries(3));
    assert_eq!(files(&one).len(), 1);
    assert_eq!(names(&other), of_queries(1));

    // When all have let go, it is closed, and a newcomer begins another one.
    drop((databases, twin));
    let late = server.database(&first);
    query(&mut late.new_connection().unwrap()).unwrap();
    assert_eq!(names(&one), of_queries(4));
    assert_eq!(files(&one).len(), 2);
}

#[test]
fn a_reader_that_outlives_its_connection_is_still_shown() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let folder = tempfile::tempdir().unwrap();
    let database = server.database(&[(EXPORTER, "adbcfile"), (FOLDER, folder.path().to_str().unwrap())]);
    let mut connection = database.new_connection().unwrap();
    let mut statement = support::statement(&mut connection, "SELECT");
    let reader = adbc_core::sync::Statement::execute(&mut statement).unwrap();
    drop((statement, connection, database));
    assert_eq!(support::numbers(reader).unwrap().len(), 10);
    server.wait_until("the session is closed", |requests| {
        requests
            .iter()
            .any(|request| request.is("DELETE", "/api/2.0/sql/sessions/session-1"))
    });
    // Nobody waits for the end of an orphan, so its last lines may take a moment.
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while names(folder.path()) != of_queries(1) {
        assert!(std::time::Instant::now() < deadline, "{:?}", names(folder.path()));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn the_uri_can_ask_for_them() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let folder = tempfile::tempdir().unwrap();
    // A URI may come from somebody else: it can ask for traces, and not say where files are written.
    let uri = format!("{}?{EXPORTER}=adbcfile", server.uri());
    let database = server.database(&[("uri", &uri), (FOLDER, folder.path().to_str().unwrap())]);
    assert!(database.get_option_string(EXPORTER.into()).is_ok());
    query(&mut database.new_connection().unwrap()).unwrap();
    assert_eq!(names(folder.path()), of_queries(1));
}

#[test]
fn what_is_missing_can_be_asked_for() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let folder = tempfile::tempdir().unwrap();
    let traced = server.connect_with(&[(EXPORTER, "adbcfile"), (FOLDER, folder.path().to_str().unwrap())]);
    let key = || "databricks.traces.dropped".into();
    assert_eq!(traced.get_option_int(key()).unwrap(), 0);
    assert_eq!(traced.get_option_string(key()).unwrap(), "0");
    assert!(server.connect().get_option_int(key()).is_err(), "no traces, no count");
}
