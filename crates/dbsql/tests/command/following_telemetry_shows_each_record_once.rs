//! `telemetry --follow` prints a line for each record as it comes, none twice, and ends cleanly at Ctrl-C; the summary
//! counts the same records.

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use crate::support::{dbsql, run, stdout, workspace};

#[test]
fn until_it_is_interrupted() {
    let workspace = workspace(|builder| builder);
    let uri = workspace.uri();
    let query = |sql: &str| run(&["query", "--url", &uri, sql]);
    assert!(query("SELECT 1").status.success());
    let mut follower = dbsql(&["telemetry", "--url", &uri, "--follow"])
        .spawn()
        .expect("the command runs");
    let mut lines = BufReader::new(follower.stdout.take().expect("its output")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    let of_first: Vec<_> = (0..4).map(|_| next()).collect();
    assert!(query("SELECT 2").status.success());
    assert!(!query("SELECT 3 FROM no_such_table").status.success());
    let of_others: Vec<_> = (0..7).map(|_| next()).collect();

    let interrupt = Command::new("kill").args(["-INT", &follower.id().to_string()]).status();
    assert!(interrupt.expect("kill runs").success());
    assert_eq!(follower.wait().expect("an end").code(), Some(0));
    assert!(lines.next().is_none(), "no record is shown twice");

    let with = |lines: &[String], word: &str| lines.iter().filter(|line| line.contains(word)).count();
    assert_eq!(with(&of_first, "EXECUTE_STATEMENT"), 1, "{of_first:?}");
    assert_eq!(with(&of_others, "EXECUTE_STATEMENT"), 2, "{of_others:?}");
    assert_eq!(with(&of_others, "syntax_error"), 1, "{of_others:?}");
    assert_eq!(with(&of_others, "DELETE_SESSION"), 2, "{of_others:?}");

    let summary = stdout(&run(&["telemetry", "--url", &uri]));
    assert!(summary.starts_with("11 records"), "{summary}");
    assert!(summary.contains("errors by category: syntax_error 1"), "{summary}");
    assert!(
        summary.contains(concat!("adbc-databricks-rust ", env!("CARGO_PKG_VERSION"))),
        "{summary}"
    );
    assert!(!summary.contains("violate"), "{summary}");
}
