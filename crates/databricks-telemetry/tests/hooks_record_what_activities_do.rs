//! A driver without activities gets the same records from the hooks.

mod common;

use std::sync::Arc;
use std::time::Duration;

use activity::Id;
use common::{Workspace, attach, facts, forced};
use databricks_telemetry::{ErrorCategory, Interceptor, StatementKind, tags};
use databricks_wire::telemetry::OperationType;

#[test]
fn hooks_record_what_activities_do() {
    let workspace = Workspace::new();
    let hooks = Interceptor::new(Arc::new(attach(&facts(), &forced(), &workspace)));
    hooks.record_connection(Duration::from_millis(212), Ok(Id::new("a-session").unwrap()));

    let mut read = hooks.before_execute();
    read.add_tag(tags::STATEMENT_TYPE, StatementKind::Query);
    read.after_execute(Ok(Id::new("a-statement").unwrap()));
    read.complete_statement(Ok(()));
    let mut failed = hooks.before_execute();
    failed.after_execute(Err(ErrorCategory::SyntaxError));
    failed.complete_statement(Err(ErrorCategory::Error));
    drop(hooks.before_execute());
    hooks.close(Duration::from_millis(88), Ok(()));

    let logs = workspace.driver_logs();
    let types: Vec<_> = logs
        .iter()
        .map(|log| {
            log.sql_operation
                .as_ref()
                .unwrap()
                .operation_detail
                .as_ref()
                .unwrap()
                .operation_type
                .unwrap()
        })
        .collect();
    use OperationType::{CreateSession, DeleteSession, ExecuteStatement};
    assert_eq!(
        types,
        [
            CreateSession,
            ExecuteStatement,
            ExecuteStatement,
            ExecuteStatement,
            DeleteSession
        ]
    );
    assert!(logs.iter().all(|log| log.session_id.as_deref() == Some("a-session")));
    assert_eq!(
        (logs[0].operation_latency_ms, logs[4].operation_latency_ms),
        (Some(212), Some(88))
    );
    assert_eq!(logs[1].sql_statement_id.as_deref(), Some("a-statement"));
    assert!(logs[1].operation_latency_ms.is_some() && logs[1].error_info.is_none());
    assert_eq!(
        logs[2].error_info.as_ref().unwrap().error_name.as_deref(),
        Some("syntax_error"),
        "the first one counts"
    );
    assert_eq!(logs[3].operation_latency_ms, None, "the call never returned");

    // A connection that fails has no session.
    let hooks = Interceptor::new(Arc::new(attach(&facts(), &forced(), &workspace)));
    hooks.record_connection(Duration::from_millis(5), Err(ErrorCategory::Timeout));
    hooks.close(Duration::ZERO, Ok(()));
    let unauthenticated: Vec<_> = workspace
        .posts()
        .into_iter()
        .filter(|post| !post.authenticated)
        .collect();
    assert_eq!(unauthenticated.len(), 1);
}
