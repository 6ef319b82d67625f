//! A bad value is named when it is set, a folder that cannot be written when it is connected to; nothing else about traces fails.

use std::fs;

use adbc_core::error::Status;
use adbc_core::sync::{Database as _, Driver as _};

use crate::support::{Server, cloud, query};

const EXPORTER: &str = "adbc.telemetry.traces_exporter";
const FOLDER: &str = "adbc.telemetry.traces_folder_path";

#[test]
fn a_bad_value_is_named_with_its_key() {
    for (key, value) in [
        (EXPORTER, "jaeger"),
        ("adbc.traces.exporter", ""),
        ("databricks.traces.file_size_kb", "0"),
        ("adbc.traces.exporter.adbcfile.maxtracefiles", "many"),
        ("databricks.traces.text", "perhaps"),
    ] {
        let error = adbc_databricks::Driver
            .new_database_with_opts([(key.into(), value.into())])
            .err()
            .unwrap();
        assert_eq!(error.status, Status::InvalidArguments);
        let canonical = adbc_databricks::options::find(key).unwrap().key;
        assert!(
            error.message.contains(canonical) && error.message.contains(&format!("'{value}'")),
            "{}",
            error.message
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named_at_connect() {
    let server = Server::start(|_, _| None);
    let place = tempfile::tempdir().unwrap();
    // A file where the folder should be: also root cannot write there.
    let folder = place.path().join("file");
    fs::write(&folder, "").unwrap();
    let database = server.database(&[(EXPORTER, "adbcfile"), (FOLDER, folder.to_str().unwrap())]);
    let error = database.new_connection().err().unwrap();
    assert_eq!(error.status, Status::InvalidArguments);
    assert!(
        error.message.contains(FOLDER) && error.message.contains(folder.to_str().unwrap()),
        "{}",
        error.message
    );
    assert_eq!(
        server.requests().len(),
        0,
        "the server is not asked for a session first"
    );
}

#[cfg(not(feature = "otlp"))]
#[test]
fn otlp_is_refused_by_a_build_without_it() {
    let server = Server::start(|_, _| None);
    let error = server.database(&[(EXPORTER, "otlp")]).new_connection().err().unwrap();
    assert_eq!(error.status, Status::NotImplemented);
    assert!(
        error.message.contains(EXPORTER) && error.message.contains("feature `otlp`"),
        "{}",
        error.message
    );
}

#[test]
fn none_is_none() {
    let server = Server::start(|request, port| cloud(request, port, 2, 5));
    let folder = tempfile::tempdir().unwrap();
    let mut connection = server.connect_with(&[(EXPORTER, "none"), (FOLDER, folder.path().to_str().unwrap())]);
    query(&mut connection).unwrap();
    drop(connection);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
