//! `query --telemetry` shows what the inbox received, and looking adds nothing to it.

use crate::support::{run, stderr, stdout, workspace};

#[test]
fn with_its_true_chunk_counts() {
    let workspace = workspace(|builder| builder);
    let output = run(&[
        "query",
        "--url",
        &workspace.uri(),
        "--telemetry",
        "--show",
        "1",
        "SELECT * FROM samples.tpch.lineitem",
    ]);
    let shown = stderr(&output);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("60,175 rows"), "{shown}");
    assert!(shown.contains(r#""execution_result": "EXTERNAL_LINKS""#), "{shown}");
    assert!(shown.contains(r#""total_chunks_present""#), "{shown}");
    assert!(!shown.contains("violates"), "{shown}");
    // Open, execute, close the statement, close: and nothing of the connection that looked.
    assert!(shown.contains("received 4 records"), "{shown}");
    assert_eq!(workspace.telemetry().len(), 4);

    let summary = run(&["telemetry", "--url", &workspace.uri()]);
    assert!(
        stdout(&summary).contains("EXTERNAL_LINKS"),
        "{} {}",
        stdout(&summary),
        stderr(&summary)
    );
    let named = stdout(&summary)
        .lines()
        .take_while(|line| !line.starts_with("results in chunks"))
        .filter(|line| line.contains("adbc-databricks-rust"))
        .count();
    assert_eq!(
        named,
        4,
        "every kind of record is tied to its driver: {}",
        stdout(&summary)
    );
    assert!(stdout(&summary).contains("CREATE_SESSION"), "{}", stdout(&summary));
}

#[test]
fn also_of_a_run_that_failed() {
    let output = run(&[
        "query",
        "--scale-factor",
        "0.01",
        "--telemetry",
        "SELECT * FROM no_such_table",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains(r#""error_name": "syntax_error""#),
        "{}",
        stderr(&output)
    );
}
