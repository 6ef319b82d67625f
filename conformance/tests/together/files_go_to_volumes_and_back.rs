//! `PUT`, `GET` and `REMOVE`: what is transferred, what is refused, and what telemetry says of it.

use std::fs;
use std::path::PathBuf;

use adbc_core::Statement as _;
use adbc_core::error::Status;
use adbc_databricks::Connection;
use conformance::{answers, connect_with, logs_of_closed, query, scalar, start, statement, statements};
use databricks_local::Workspace;

/// Directories that go away with the test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("adbc-databricks-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("allowed")).unwrap();
        fs::create_dir_all(path.join("canary")).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn with_volume(desk: &Desk) -> (Workspace, Connection) {
    let workspace = start(|builder| builder);
    let allowed = format!("/nowhere, {}", desk.file("allowed"));
    let mut connection = connect_with(&workspace, &[("databricks.volume.allowed_local_paths", &allowed)]).unwrap();
    query(&mut connection, "CREATE VOLUME main.default.v").unwrap();
    (workspace, connection)
}

const REMOTE: &str = "/Volumes/main/default/v/d/ü b.csv";

#[test]
fn a_file_comes_back_as_it_went() {
    let desk = Desk::new("round-trip");
    let (workspace, mut connection) = with_volume(&desk);
    for (size, overwrite) in [(0, ""), (3 << 20, " OVERWRITE")] {
        let content: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
        fs::write(desk.file("allowed/a.bin"), &content).unwrap();
        let put = format!("PUT '{}' INTO '{REMOTE}'{overwrite}", desk.file("allowed/a.bin"));
        assert_eq!(scalar(&mut connection, &put), "SUCCEEDED");
        let get = format!("GET '{REMOTE}' TO '{}'", desk.file("allowed/b.bin"));
        // For its effect alone it is done as well.
        assert_eq!(statement(&mut connection, &get).execute_update().unwrap(), None);
        assert!(fs::read(desk.file("allowed/b.bin")).unwrap() == content);
    }
    let again = format!("PUT '{}' INTO '{REMOTE}'", desk.file("allowed/a.bin"));
    let error = query(&mut connection, &again).unwrap_err();
    assert!(
        error.message.contains("409"),
        "without OVERWRITE the file stays: {error}"
    );
    assert_eq!(scalar(&mut connection, &format!("REMOVE '{REMOTE}'")), "SUCCEEDED");
    let get = format!("GET '{REMOTE}' TO '{}'", desk.file("allowed/c.bin"));
    assert_eq!(query(&mut connection, &get).unwrap_err().status, Status::NotFound);
    let mut left: Vec<_> = fs::read_dir(desk.file("allowed"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["a.bin", "b.bin"], "what did not arrive leaves nothing");
    // Links to storage carry no credentials.
    let transfers = answers(&workspace, "PUT", |path| path.starts_with("/volume-files/"));
    assert!(!transfers.is_empty() && transfers.iter().all(|request| !request.carried_authorization));
}

#[test]
fn no_file_outside_the_allowed_directories_is_read_or_written() {
    let desk = Desk::new("allow-list");
    let (workspace, mut connection) = with_volume(&desk);
    fs::write(desk.file("canary/secret"), "secret").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(desk.file("canary/secret"), desk.file("allowed/link")).unwrap();
    let mut refused = vec![
        format!("PUT '{}' INTO '{REMOTE}'", desk.file("canary/secret")),
        format!("PUT '{}' INTO '{REMOTE}'", desk.file("allowed/../canary/secret")),
        format!("GET '{REMOTE}' TO '{}'", desk.file("canary/new")),
        format!("GET '{REMOTE}' TO '{}'", desk.file("allowed/../new")),
    ];
    #[cfg(unix)]
    refused.push(format!("PUT '{}' INTO '{REMOTE}'", desk.file("allowed/link")));
    for sql in &refused {
        let error = query(&mut connection, sql).unwrap_err();
        assert_eq!(error.status, Status::InvalidState, "{error}");
        assert!(
            error.message.contains("databricks.volume.allowed_local_paths"),
            "{error}"
        );
    }
    // A connection that allows nothing.
    let mut strict = connect_with(&workspace, &[]).unwrap();
    let error = query(&mut strict, &refused[0]).unwrap_err();
    assert_eq!(error.status, Status::InvalidState);
    assert!(answers(&workspace, "PUT", |path| path.starts_with("/volume-files/")).is_empty());
    assert!(!fs::exists(desk.file("canary/new")).unwrap() && !fs::exists(desk.file("new")).unwrap());
}

#[test]
fn telemetry_knows_what_was_done_and_not_with_which_file() {
    let desk = Desk::new("telemetry");
    let (workspace, mut connection) = with_volume(&desk);
    fs::write(desk.file("allowed/canary.csv"), "canary").unwrap();
    let remote = "/Volumes/main/default/v/canary.csv";
    query(
        &mut connection,
        &format!("PUT '{}' INTO '{remote}'", desk.file("allowed/canary.csv")),
    )
    .unwrap();
    query(
        &mut connection,
        &format!("GET '{remote}' TO '{}'", desk.file("allowed/canary2.csv")),
    )
    .unwrap();
    query(&mut connection, &format!("REMOVE '{remote}'")).unwrap();
    query(
        &mut connection,
        &format!("GET '{remote}' TO '{}'", desk.file("canary/x")),
    )
    .unwrap_err();
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    let told: Vec<(&str, &str, bool)> = statements(&logs)
        .into_iter()
        .filter(|log| log.get("vol_operation").is_some())
        .map(|log| {
            (
                log["sql_operation"]["statement_type"].as_str().unwrap(),
                log["vol_operation"]["volume_operation_type"].as_str().unwrap(),
                log.get("error_info").is_some(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("VOLUME", "PUT", false),
            ("VOLUME", "GET", false),
            ("VOLUME", "DELETE", false),
            ("VOLUME", "GET", true)
        ]
    );
    for record in workspace.telemetry() {
        assert!(!record.log.to_string().contains("canary"), "{}", record.log);
    }
}
