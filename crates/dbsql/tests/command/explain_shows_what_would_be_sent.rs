//! `telemetry explain` names the rule that decided, shows the real bodies, and sends a workspace nothing that the rules do
//! not allow.

use crate::support::{dbsql, run, stderr, stdout, workspace};

const DECIDES: &str = "<- decides";

/// The line of the rule that decided.
fn deciding(text: &str) -> &str {
    let mut lines = text.lines().filter(|line| line.contains(DECIDES));
    let line = lines.next().unwrap_or_else(|| panic!("no rule decides: {text}"));
    assert_eq!(lines.next(), None, "two rules decide: {text}");
    line
}

#[test]
fn of_the_workspace_inside_the_process() {
    let output = run(&["telemetry", "explain"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text} {}", stderr(&output));
    assert!(deciding(&text).contains("feature flag: on"), "{text}");
    for operation in [
        "CREATE_SESSION",
        "EXECUTE_STATEMENT",
        "CLOSE_STATEMENT",
        "DELETE_SESSION",
    ] {
        assert!(text.contains(&format!(r#""operation_type": "{operation}""#)), "{text}");
    }
    assert!(text.contains("which took 4 of 4 records"), "{text}");

    let raw = stdout(&run(&["telemetry", "explain", "--raw"]));
    for body in raw.lines() {
        let body: serde_json::Value = serde_json::from_str(body).expect("a body");
        assert!(body["protoLogs"][0].is_string(), "{body}");
    }
    assert_eq!(raw.lines().count(), 2, "{raw}");
}

#[test]
fn with_the_options_that_shape_it() {
    let output = run(&[
        "telemetry",
        "explain",
        "-O",
        "adbc.databricks.telemetry.client_app_name=my-app",
        "-O",
        "adbc.databricks.telemetry.enabled=false",
    ]);
    let text = stdout(&output);
    assert!(deciding(&text).contains("option enabled"), "{text}");
    assert!(text.contains("OFF: the option enabled is false"), "{text}");
    assert!(text.contains("was not asked for its flag"), "{text}");
    assert!(text.contains(r#""client_app_name": "my-app""#), "{text}");
}

#[test]
fn of_a_workspace_elsewhere_that_gets_no_telemetry() {
    for (faults, rule, requests) in [
        (None, "feature flag: on", 1),
        (Some("flags=status:503"), "unknown: HTTP 503", 1),
        (Some("flags=garbage"), "unknown: answer is not readable", 1),
        (Some("flags=drop"), "unknown: no answer", 1),
    ] {
        let workspace = workspace(|builder| builder);
        if let Some(fault) = faults {
            workspace.fault(fault.parse().expect("a fault"));
        }
        let text = stdout(&run(&["telemetry", "explain", "--url", &workspace.uri()]));
        assert!(text.contains(rule), "{text}");
        assert!(!deciding(&text).is_empty());
        assert!(text.contains("got none of them"), "{text}");
        assert!(!text.contains(workspace.token()), "{text}");
        let asked: Vec<_> = workspace
            .requests()
            .iter()
            .map(|request| request.path.clone())
            .collect();
        assert!(asked.iter().all(|path| path.contains("/feature-flags/")), "{asked:?}");
        assert!(asked.len() >= requests, "{asked:?}");
    }
}

#[test]
fn of_nothing_at_all_when_the_process_refuses() {
    let workspace = workspace(|builder| builder);
    for name in ["DO_NOT_TRACK", "DATABRICKS_TELEMETRY_DISABLED"] {
        let mut command = dbsql(&["telemetry", "explain", "--url", &workspace.uri()]);
        let text = stdout(&command.env(name, "1").output().expect("the command runs"));
        assert!(deciding(&text).contains(name), "{text}");
        assert!(text.contains("Nothing is sent"), "{text}");
        assert!(!text.contains("protoLogs"), "{text}");
    }
    assert!(workspace.requests().is_empty(), "{:?}", workspace.requests());
}
