//! A connection that fails is an event without anything that identifies anybody, and so is everything of a client that
//! has no credentials.

mod common;

use std::time::Duration;

use activity::{EventKind, Id, Operation};
use common::{PATIENCE, Post, Workspace, attach, facts, forced};
use databricks_telemetry::{ErrorCategory, operations, tags};
use serde_json::Value;

/// Asserts that an entry has the shape of an anonymous event: nothing but these members, at any depth.
fn assert_anonymous(post: &Post) {
    assert_eq!((post.path, post.authenticated), ("/telemetry-unauth", false));
    let request: Value = serde_json::from_str(&post.body).unwrap();
    for entry in request["protoLogs"].as_array().unwrap() {
        let entry: Value = serde_json::from_str(entry.as_str().unwrap()).unwrap();
        assert_only(&entry);
    }
}

fn assert_only(value: &Value) {
    const ALLOWED: [&str; 13] = [
        "frontend_log_event_id",
        "context",
        "client_context",
        "timestamp_millis",
        "user_agent",
        "entry",
        "sql_driver_log",
        "sql_operation",
        "operation_detail",
        "operation_type",
        "is_internal_call",
        "error_info",
        "error_name",
    ];
    for (name, value) in value.as_object().into_iter().flatten() {
        assert!(
            ALLOWED.contains(&name.as_str()) || name == "operation_latency_ms",
            "{name} identifies somebody"
        );
        assert_only(value);
    }
}

#[test]
fn a_connection_that_fails() {
    let workspace = Workspace::new();
    let mut facts = facts();
    facts.org_id = Some(42);
    let lease = attach(&facts, &forced(), &workspace);
    lease.session(Id::new("a-session").unwrap());
    let mut opening = lease.root(&operations::CONNECTION_OPEN, None);
    opening.set(tags::SESSION_ID, Id::new("another-session").unwrap());
    opening.set(tags::STATEMENT_ID, Id::new("a-statement").unwrap());
    opening.set(tags::OPERATION_LATENCY, Duration::from_millis(1203));
    opening.set(tags::ERROR_TYPE, ErrorCategory::AuthError);
    opening.fail("auth_error");
    drop(opening);
    let posts = workspace.wait_for_posts(1);
    assert_anonymous(&posts[0]);
    let log = posts[0].logs().remove(0).entry.sql_driver_log;
    assert_eq!(log.error_info.unwrap().error_name.as_deref(), Some("auth_error"));
    assert_eq!(log.operation_latency_ms, Some(1203));
    let detail = log.sql_operation.unwrap().operation_detail.unwrap();
    assert_eq!(detail.operation_type.unwrap().as_str(), "CREATE_SESSION");
}

#[test]
fn everything_of_a_client_without_credentials() {
    let workspace = Workspace::new();
    workspace.without_credentials();
    let mut facts = facts();
    facts.org_id = Some(42);
    let lease = attach(&facts, &forced(), &workspace);
    lease.session(Id::new("a-session").unwrap());
    for operation in operations::OPERATIONS {
        let mut root = lease.root(operation, None);
        root.set(tags::STATEMENT_ID, Id::new("a-statement").unwrap());
        root.set(tags::RESULT_READY_LATENCY, Duration::from_millis(5));
        root.add(tags::POLL_COUNT, 3);
        drop(root);
    }
    assert!(lease.flush(PATIENCE));
    let exported = |operation: &&&Operation| operation.kind() != EventKind::NONE;
    assert_eq!(
        workspace.logs().len(),
        operations::OPERATIONS.iter().filter(exported).count()
    );
    for post in workspace.posts() {
        assert_anonymous(&post);
    }
}

#[test]
fn a_failed_connection_does_not_travel_with_those_that_are_open() {
    let workspace = Workspace::new();
    let facts = facts();
    let open = attach(&facts, &forced(), &workspace);
    open.session(Id::new("a-session").unwrap());
    let failing = attach(&facts, &forced(), &workspace);
    workspace.gate.shut();
    open.root(&operations::CONNECTION_OPEN, None).end();
    workspace.gate.wait_for(1);
    let mut opening = failing.root(&operations::CONNECTION_OPEN, None);
    opening.fail("timeout");
    drop(opening);
    open.root(&operations::STATEMENT_EXECUTE, None).end();
    workspace.gate.open();
    assert!(open.flush(PATIENCE));
    let posts = workspace.posts();
    let (unauthenticated, authenticated): (Vec<_>, Vec<_>) = posts.iter().partition(|post| !post.authenticated);
    assert_eq!(unauthenticated.len(), 1);
    assert_anonymous(unauthenticated[0]);
    assert_eq!(authenticated.iter().map(|post| post.logs().len()).sum::<usize>(), 2);
}
