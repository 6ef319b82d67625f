//! Connections and errors do not wait for a full batch or a tick, and take with them what is already waiting.

mod common;

use activity::Id;
use common::{Workspace, attach, facts, forced};
use databricks_telemetry::{operations, tags};
use databricks_wire::telemetry::{AuthFlow, AuthMech, DriverMode, OperationType};

#[test]
fn connections_and_errors_leave_at_once() {
    let workspace = Workspace::new();
    let mut facts = facts();
    facts.org_id = Some(1_111_222_233_334_444);
    facts.use_proxy = Some(false);
    let mut config = forced();
    config
        .set("adbc.databricks.telemetry.client_app_name", "nightly-report")
        .unwrap();
    let lease = attach(&facts, &config, &workspace);

    let opening = lease.root(&operations::CONNECTION_OPEN, None);
    lease.session(Id::new("01f0-session").unwrap());
    opening.end();
    let posts = workspace.wait_for_posts(1);
    assert_eq!((posts[0].path, posts[0].authenticated), ("/telemetry-ext", true));
    let log = &posts[0].logs()[0];
    assert_eq!(log.workspace_id, Some(1_111_222_233_334_444));
    assert!(
        log.context
            .client_context
            .user_agent
            .starts_with("adbc-databricks-rust/")
    );
    let log = &log.entry.sql_driver_log;
    assert_eq!(
        log.session_id.as_deref(),
        Some("01f0-session"),
        "there was no session yet when the opening began"
    );
    let system = log.system_configuration.as_ref().unwrap();
    assert_eq!(system.driver_name.as_deref(), Some("adbc-databricks-rust"));
    assert_eq!(system.client_app_name.as_deref(), Some("nightly-report"));
    let parameters = log.driver_connection_params.as_ref().unwrap();
    assert_eq!(parameters.mode, Some(DriverMode::Sea));
    assert_eq!(
        (parameters.auth_mech, parameters.auth_flow),
        (Some(AuthMech::Pat), Some(AuthFlow::TokenPassthrough))
    );
    assert_eq!(
        (parameters.use_proxy, parameters.auto_commit),
        (Some(false), None),
        "false is not unknown"
    );
    assert_eq!(log.auth_type.as_deref(), Some("pat"));
    let detail = log.sql_operation.as_ref().unwrap().operation_detail.as_ref().unwrap();
    assert_eq!(detail.operation_type, Some(OperationType::CreateSession));
    assert!(log.operation_latency_ms.is_some());
    assert_eq!(lease.stats().incomplete, 0);

    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    let mut failed = lease.root(&operations::STATEMENT_UPDATE, None);
    failed.fail("permission_error");
    drop(failed);
    let posts = workspace.wait_for_posts(2);
    let logs = posts[1].logs();
    assert_eq!(logs.len(), 2, "what waits goes along");
    assert!(
        logs.iter()
            .all(|log| log.entry.sql_driver_log.session_id.as_deref() == Some("01f0-session"))
    );
    assert_eq!(
        logs[1]
            .entry
            .sql_driver_log
            .error_info
            .as_ref()
            .unwrap()
            .error_name
            .as_deref(),
        Some("permission_error")
    );
    assert_eq!(lease.stats().incomplete, 1, "a statement that succeeds has an id");

    let mut closing = lease.root(&operations::CONNECTION_CLOSE, None);
    closing.set(tags::OPERATION_INTERNAL, false);
    closing.end();
    let posts = workspace.wait_for_posts(3);
    let log = posts[2].logs().remove(0).entry.sql_driver_log;
    assert_eq!(
        log.sql_operation.unwrap().operation_detail.unwrap().operation_type,
        Some(OperationType::DeleteSession)
    );
    assert_eq!((log.system_configuration, log.driver_connection_params), (None, None));
}
