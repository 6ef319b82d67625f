//! What lies on disk as a trace: never a token, a link or a row; SQL and the server's address only where the user asked for text.

use std::fs;
use std::path::Path;

use adbc_core::sync::Statement as _;

use crate::support::{Server, TOKEN, cloud, numbers, refusal, statement};

const SQL: &str = "SELECT x FROM canary_table";

fn everything(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect()
}

/// Runs a query, and one that fails with words of the server's; gives back what was written.
fn run(text: &str) -> String {
    let server = Server::start(|request, port| {
        if request.is_execute() && request.body.contains("forbidden") {
            return Some(refusal(403, "CANARY_REFUSAL"));
        }
        cloud(request, port, 3, 5)
    });
    let folder = tempfile::tempdir().unwrap();
    let mut connection = server.connect_with(&[
        ("adbc.telemetry.traces_exporter", "adbcfile"),
        ("adbc.telemetry.traces_folder_path", folder.path().to_str().unwrap()),
        ("databricks.traces.text", text),
    ]);
    numbers(statement(&mut connection, SQL).execute().unwrap()).unwrap();
    assert!(statement(&mut connection, "SELECT forbidden").execute().is_err());
    drop(connection);
    #[cfg(unix)]
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let name = file.file_name().into_string().unwrap();
        assert!(name.starts_with("adbc-databricks-") && name.ends_with(&format!("-{}.jsonl", std::process::id())));
    }
    everything(folder.path())
}

#[test]
fn local_traces_hold_no_secrets() {
    for (text, sql) in [("false", false), ("true", true)] {
        let written = run(text);
        assert!(written.contains("Statement.Execute"));
        assert_eq!(written.contains(SQL), sql, "{written}");
        for secret in [TOKEN, "/storage/", "CANARY_REFUSAL", "/sql/1.0/warehouses"] {
            assert!(!written.contains(secret), "{secret} in {written}");
        }
    }
}
