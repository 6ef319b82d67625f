//! `--trace` shows what the driver did as a tree, `--trace-dir` as JSON lines; SQL is in neither unless it is asked for.

use std::fs;

use crate::support::{run, stderr, stdout, workspace};

const SQL: &str = "SELECT 'canary' AS c, count(*) FROM samples.tpch.nation";

#[test]
fn a_trace_shows_the_tree_and_no_sql() {
    let workspace = workspace(|builder| builder);
    let directory = tempfile::tempdir().expect("a directory");
    let traces = directory.path().join("traces");
    let folder = traces.to_str().expect("a name");

    let output = run(&[
        "query",
        "--url",
        &workspace.uri(),
        "--trace",
        "--trace-dir",
        folder,
        SQL,
    ]);
    assert!(stdout(&output).contains("canary"), "the result itself has it");
    let tree = stderr(&output);
    for line in [
        "Connection.Open ok",
        "Statement.Execute ok",
        "  Statement.Submit ok",
        "Connection.Close ok",
    ] {
        assert!(tree.contains(line), "{line:?} is missing in: {tree}");
    }
    assert!(!tree.contains("canary") && !tree.contains("127.0.0.1"), "{tree}");

    let file = fs::read_dir(&traces)
        .expect("the folder")
        .next()
        .expect("a file")
        .expect("readable")
        .path();
    let text = fs::read_to_string(file).expect("text");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let execute = lines
        .iter()
        .find(|line| line["name"] == "Statement.Execute")
        .expect("the statement");
    let submit = lines
        .iter()
        .find(|line| line["name"] == "Statement.Submit")
        .expect("its child");
    assert_eq!(submit["parent_span_id"], execute["span_id"]);
    assert_eq!(submit["trace_id"], execute["trace_id"]);
    assert!(!text.contains("canary") && !text.contains("127.0.0.1"), "{text}");
}

#[test]
fn with_text_when_it_is_asked_for() {
    let workspace = workspace(|builder| builder);
    let output = run(&["query", "--url", &workspace.uri(), "--trace", "--trace-text", SQL]);
    assert!(stderr(&output).contains("SELECT 'canary'"), "{}", stderr(&output));
    // What is shown here still leaves by no other way.
    assert!(
        !workspace
            .telemetry()
            .iter()
            .any(|record| record.log.to_string().contains("canary"))
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let output = run(&[
        "query",
        "--scale-factor",
        "0.01",
        "--trace-dir",
        "/proc/no/such/place",
        "SELECT 1",
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("/proc/no/such/place"), "{}", stderr(&output));
}
