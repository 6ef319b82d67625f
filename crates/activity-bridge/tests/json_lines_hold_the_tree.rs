//! Every completed activity is a line of JSON, and the ids of the lines link up to the tree.

mod support;

use std::collections::HashMap;

use activity::SpanContext;
use serde_json::{Value, json};
use support::*;

#[test]
fn json_lines_hold_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path()).with_text(true).open().unwrap();
    let registration = traces.listen_to(&SOURCE);
    run_statement();
    let outside = SpanContext::random();
    let mut called = SOURCE.root(&EXECUTE).parent(outside).start();
    called.cancel();
    called.end();
    drop(registration);

    let lines = lines(folder.path());
    let names = lines
        .iter()
        .map(|line| line["name"].as_str().unwrap())
        .collect::<Vec<_>>();
    let expected = [
        "Statement.Poll",
        "Statement.Poll",
        "Http.Request",
        "Chunk.Download",
        "Statement.Execute",
        "Statement.Execute",
    ];
    assert_eq!(names, expected);
    assert_eq!(traces.stats().written, 6);
    assert_eq!(traces.stats().dropped, 0);

    let by_id = lines
        .iter()
        .map(|line| (line["span_id"].as_str().unwrap(), line))
        .collect::<HashMap<_, _>>();
    assert_eq!(by_id.len(), lines.len());
    let parent = |line: &Value| {
        by_id
            .get(line["parent_span_id"].as_str()?)
            .map(|parent| parent["name"].clone())
    };
    let parents = lines.iter().map(parent).collect::<Vec<_>>();
    let (execute, download) = (Some(json!("Statement.Execute")), Some(json!("Chunk.Download")));
    assert_eq!(
        parents,
        [execute.clone(), execute.clone(), download, execute, None, None]
    );
    assert!(lines[..5].iter().all(|line| line["trace_id"] == lines[0]["trace_id"]));

    let statement = &lines[4];
    let expected = json!({
        "name": "Statement.Execute",
        "trace_id": statement["trace_id"],
        "span_id": statement["span_id"],
        "parent_span_id": null,
        "kind": "client",
        "start_time": "2026-01-01T00:00:00.000000Z",
        "duration_ns": 6_000_000,
        "completed_after_ns": 11_000_000,
        "status": {"code": "ok", "error_type": null},
        "source": "test.source",
        "attributes": {
            "poll.count": 2,
            "bytes": 4096,
            "slowest": 5_000_000,
            "format": "EXTERNAL_LINKS",
            "compressed": true,
            "drift": -2,
            "statement.id": "01f0-ab",
            "version": "18.1",
            "db.query.text": "SELECT\n'secret'",
        },
        "events": [{
            "name": "links",
            "at": "2026-01-01T00:00:00.006000Z",
            "fields": {"count": 2, "url": "https://secret"},
        }],
        "dropped_events": 0,
    });
    assert_eq!(*statement, expected);
    assert_eq!(lines[2]["kind"], "internal");
    assert_eq!(lines[2]["status"], json!({"code": "error", "error_type": "timeout"}));
    assert_eq!(lines[2]["start_time"], "2026-01-01T00:00:00.010000Z");

    assert_eq!(lines[5]["trace_id"], outside.trace_id().to_string());
    assert_eq!(lines[5]["parent_span_id"], outside.span_id().to_string());
    assert_eq!(lines[5]["status"], json!({"code": "error", "error_type": "cancelled"}));
}
