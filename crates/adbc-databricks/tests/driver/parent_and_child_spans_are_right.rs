//! Every span of an execution lies below its statement's, on whichever thread it ran, and the statement's below the caller's.

use std::collections::{HashMap, HashSet};

use adbc_core::sync::{Optionable as _, Statement as _};
use serde_json::Value;

use crate::support::{Server, cloud, numbers, statement, trace_lines};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}"))
}

#[test]
fn parent_and_child_spans_are_right() {
    const CHUNKS: u64 = 12;
    let server = Server::start(|request, port| cloud(request, port, CHUNKS, 50));
    let folder = tempfile::tempdir().unwrap();
    let mut connection = server.connect_with(&[
        ("adbc.telemetry.traces_exporter", "adbcfile"),
        ("adbc.telemetry.traces_folder_path", folder.path().to_str().unwrap()),
    ]);
    // Two executions side by side, read on threads of their own: their spans mix in time, and must not mix in the tree.
    let mut called = statement(&mut connection, "SELECT");
    called
        .set_option("adbc.telemetry.trace_parent".into(), PARENT.into())
        .unwrap();
    let mut alone = statement(&mut connection, "SELECT");
    let readers = [called.execute().unwrap(), alone.execute().unwrap()];
    let threads = readers.map(|reader| std::thread::spawn(move || numbers(reader).unwrap().len()));
    assert_eq!(threads.map(|thread| thread.join().unwrap()), [600, 600]);
    drop((called, alone, connection));

    let lines = trace_lines(folder.path());
    let spans: HashMap<_, _> = lines.iter().map(|line| (text(line, "span_id"), line)).collect();
    assert_eq!(spans.len(), lines.len(), "every span has an id of its own");
    let executions: Vec<_> = lines
        .iter()
        .filter(|line| line["name"] == "Statement.Execute")
        .collect();
    assert_eq!(executions.len(), 2);
    let of_the_caller = |line: &Value| text(line, "trace_id") == &PARENT[3..35];
    assert_eq!(executions.iter().filter(|line| of_the_caller(line)).count(), 1);

    for execution in executions {
        if of_the_caller(execution) {
            assert_eq!(execution["parent_span_id"], PARENT[36..52]);
        } else {
            assert_eq!(execution["parent_span_id"], Value::Null);
        }
        assert_eq!(execution["kind"], "client");
        let mut below: HashMap<&str, usize> = HashMap::new();
        for line in lines.iter().filter(|line| is_below(line, execution, &spans)) {
            *below.entry(text(line, "name")).or_default() += 1;
            assert_eq!(line["trace_id"], execution["trace_id"], "{line}");
            let is_call = line["name"] == "Statement.Close";
            assert_eq!(line["kind"], if is_call { "client" } else { "internal" }, "{line}");
            let parent = spans[text(line, "parent_span_id")];
            assert!(
                text(line, "start_time") >= text(parent, "start_time"),
                "{line} began before {parent}"
            );
        }
        assert_eq!(below["Statement.Submit"], 1);
        assert_eq!(below["CloudFetch.Links"], 11, "the first link came with the answer");
        assert_eq!(below["CloudFetch.Download"], 12);
        assert_eq!(below["Results.Decode"], 12);
        assert_eq!(below["Statement.Close"], 1);
    }

    // What belongs to no execution is a root, or lies below one.
    let known: HashSet<_> = spans.keys().copied().collect();
    for line in &lines {
        match line["parent_span_id"].as_str() {
            Some(parent) => assert!(known.contains(parent) || parent == &PARENT[36..52], "{line}"),
            None => assert_eq!(line["kind"], "client", "{line}"),
        }
    }
}

fn is_below(line: &Value, ancestor: &Value, spans: &HashMap<&str, &Value>) -> bool {
    let mut line = line;
    while let Some(parent) = line["parent_span_id"].as_str().and_then(|parent| spans.get(parent)) {
        if parent["span_id"] == ancestor["span_id"] {
            return true;
        }
        line = parent;
    }
    false
}
