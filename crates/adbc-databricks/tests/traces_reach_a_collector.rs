//! With `traces_exporter` = otlp a real OTLP receiver gets the spans: ids, parents, times, status, attributes.
//!
//! Where they go is said by the environment, which a process cannot change for itself safely: the test runs itself again.

mod support;

use std::collections::HashMap;
use std::env;
use std::process::Command;
use std::sync::{Arc, Mutex};

use adbc_core::sync::{Database as _, Optionable as _, Statement as _};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message as _;
use support::{Reply, Server, cloud, numbers, refusal, statement};

const EXPORTER: &str = "adbc.telemetry.traces_exporter";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// Tells the test's second run what to do.
const ROLE: &str = "TRACES_REACH_A_COLLECTOR";

/// Runs a test of this file again, in a process with these variables; `None` when this is that process.
fn again(name: &str, variables: &[(&str, &str)]) -> Option<std::process::Output> {
    if env::var_os(ROLE).is_some() {
        return None;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(ROLE, "1");
    for (key, value) in variables {
        command.env(key, value);
    }
    let output = command.output().unwrap();
    Some(output)
}

fn text_of(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn traces_reach_a_collector() {
    if env::var_os(ROLE).is_some() {
        return application();
    }
    let requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>> = Arc::default();
    let book = Arc::clone(&requests);
    let collector = Server::start(move |request, _| {
        assert!(request.is("POST", "/v1/traces"), "{} {}", request.method, request.path);
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        assert_eq!(request.headers["x-collector-key"], "of the collector");
        assert!(!request.headers.contains_key("authorization"), "the workspace's token");
        let spans = ExportTraceServiceRequest::decode(request.bytes.as_slice()).unwrap();
        book.lock().unwrap().push(spans);
        Some(Reply::Bytes(ExportTraceServiceResponse::default().encode_to_vec()))
    });
    let endpoint = format!("http://127.0.0.1:{}", collector.port);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=of the collector"),
        // Belongs to the application, whatever it says.
        ("OTEL_TRACES_EXPORTER", "nonsense"),
    ];
    let output = again("traces_reach_a_collector", &variables).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let requests = requests.lock().unwrap();
    let resources: Vec<_> = requests.iter().flat_map(|request| &request.resource_spans).collect();
    assert!(!resources.is_empty());
    for resource in &resources {
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        assert_eq!(text_of(attributes, "service.name").unwrap(), "adbc-databricks-rust");
    }
    let scopes = resources.iter().flat_map(|resource| &resource.scope_spans);
    let spans: Vec<&Span> = scopes.flat_map(|scope| &scope.spans).collect();
    let by_id: HashMap<_, _> = spans.iter().map(|span| (hex(&span.span_id), *span)).collect();
    assert_eq!(by_id.len(), spans.len());
    let named = |name: &str| {
        spans
            .iter()
            .filter(|span| span.name == name)
            .copied()
            .collect::<Vec<_>>()
    };

    // The one that was given a parent, and what ran below it on the driver's threads.
    let executions = named("Statement.Execute");
    assert_eq!(executions.len(), 2);
    let good = executions
        .iter()
        .find(|span| span.status.is_none() || span.status.as_ref().unwrap().code == 0);
    let good = *good.expect("one went well");
    assert_eq!(hex(&good.trace_id), &PARENT[3..35]);
    assert_eq!(hex(&good.parent_span_id), &PARENT[36..52]);
    assert_eq!(good.kind, SpanKind::Client as i32);
    assert!(
        good.start_time_unix_nano > 1_700_000_000_000_000_000 && good.end_time_unix_nano > good.start_time_unix_nano
    );
    assert_eq!(text_of(&good.attributes, "db.system.name").unwrap(), "databricks");
    assert_eq!(text_of(&good.attributes, "db.response.returned_rows").unwrap(), "15");
    assert_eq!(
        text_of(&good.attributes, "databricks.statement.id").unwrap(),
        "statement-1"
    );
    assert_eq!(text_of(&good.attributes, "databricks.result.chunk_count").unwrap(), "3");
    let ready = text_of(&good.attributes, "databricks.result.ready_latency").unwrap();
    assert!(
        (0.0..60.0).contains(&ready.parse::<f64>().unwrap()),
        "in seconds: {ready}"
    );
    for name in [
        "Statement.Submit",
        "CloudFetch.Links",
        "CloudFetch.Download",
        "Results.Decode",
    ] {
        let mut below: Vec<_> = named(name);
        below.retain(|span| span.trace_id == good.trace_id);
        let expected = match name {
            "Statement.Submit" => 1,
            "CloudFetch.Links" => 2,
            _ => 3,
        };
        assert_eq!(below.len(), expected, "{name}");
        for span in below {
            assert_eq!(span.kind, SpanKind::Internal as i32);
            let mut top = span;
            while let Some(parent) = by_id.get(&hex(&top.parent_span_id)) {
                assert!(parent.start_time_unix_nano <= top.start_time_unix_nano);
                top = parent;
            }
            assert_eq!(top.span_id, good.span_id, "{name} is not below the statement");
        }
    }

    // The one that failed.
    let bad = executions.iter().find(|span| span.span_id != good.span_id).unwrap();
    assert_eq!(bad.status.as_ref().unwrap().code, StatusCode::Error as i32);
    assert_eq!(text_of(&bad.attributes, "error.type").unwrap(), "permission_error");

    // Text was not asked for.
    let everything = format!("{spans:?}");
    assert!(!everything.contains("canary"), "SQL or a token");
    assert_eq!(named("Connection.Open").len(), 1);
    assert_eq!(
        named("Connection.Close").len(),
        1,
        "closing the connection waits for what it sent"
    );
}

/// The process that queries.
fn application() {
    let server = Server::start(|request, port| {
        if request.is_execute() && request.body.contains("forbidden") {
            return Some(refusal(403, "PERMISSION_DENIED"));
        }
        cloud(request, port, 3, 5)
    });
    let mut connection = server.connect_with(&[(EXPORTER, "otlp")]);
    let mut good = statement(&mut connection, "SELECT 'canary'");
    good.set_option("adbc.telemetry.trace_parent".into(), PARENT.into())
        .unwrap();
    numbers(good.execute().unwrap()).unwrap();
    assert!(statement(&mut connection, "SELECT forbidden").execute().is_err());
    assert_eq!(
        connection.get_option_int("databricks.traces.dropped".into()).unwrap(),
        0
    );
    drop(good);
    drop(connection);
    // The ids that the workspace was told are those of the spans.
    for request in server.requests() {
        assert_eq!(
            request.headers.contains_key("traceparent"),
            !support::is_storage(&request)
        );
    }
}

#[test]
fn a_protocol_that_is_not_spoken_is_named() {
    let variables = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    if let Some(output) = again("a_protocol_that_is_not_spoken_is_named", &variables) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let server = Server::start(|_, _| None);
    let error = server.database(&[(EXPORTER, "otlp")]).new_connection().err().unwrap();
    for word in [EXPORTER, "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "http/protobuf"] {
        assert!(error.message.contains(word), "{}", error.message);
    }
}

#[test]
fn a_collector_that_is_not_there_changes_nothing_but_the_count() {
    // Bound and dropped: nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{closed}");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    if let Some(output) = again(
        "a_collector_that_is_not_there_changes_nothing_but_the_count",
        &variables,
    ) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let server = Server::start(|request, port| cloud(request, port, 3, 5));
    let database = server.database(&[(EXPORTER, "otlp")]);
    let mut first = database.new_connection().unwrap();
    assert_eq!(support::query(&mut first).unwrap().len(), 15);
    // Its close waits until its spans were tried, or for two seconds.
    drop(first);
    let second = database.new_connection().unwrap();
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while second.get_option_int("databricks.traces.dropped".into()).unwrap() == 0 {
        assert!(std::time::Instant::now() < deadline, "lost spans are not counted");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
