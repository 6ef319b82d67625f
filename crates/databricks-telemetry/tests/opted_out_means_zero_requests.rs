//! Who refuses telemetry causes no request about it: no record is sent, and the flag is not asked for.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Workspace, facts, flag_answer, patient};
use databricks_telemetry::enable::Environment;
use databricks_telemetry::{Config, Lease, Telemetry, operations};

fn use_it(environment: Environment, config: Config) -> (Arc<Workspace>, Lease) {
    let workspace = Workspace::new();
    workspace.flag(flag_answer(true, None));
    let lease = Telemetry::attach_in(environment, facts(), config, Arc::clone(&workspace) as _);
    for operation in operations::OPERATIONS {
        let mut root = lease.root(operation, None);
        assert!(!root.is_recording(), "nobody else listens: nothing is recorded");
        root.fail("error");
    }
    assert!(lease.flush(Duration::from_secs(10)));
    lease.close();
    (workspace, lease)
}

fn environment(name: &'static str, value: &'static str) -> Environment {
    Environment::read(|asked| (asked == name).then(|| value.to_owned()))
}

#[test]
fn opted_out_means_zero_requests() {
    let refused = Config {
        enabled: Some(false),
        ..patient()
    };
    let wished = Config {
        enabled: Some(true),
        ..patient()
    };
    let forced = Config {
        force_enabled: true,
        ..patient()
    };
    let refusals = [
        (Environment::default(), refused.clone()),
        (environment("DATABRICKS_TELEMETRY_ENABLED", "true"), refused),
        (environment("DATABRICKS_TELEMETRY_ENABLED", "false"), patient()),
        (environment("DATABRICKS_TELEMETRY_DISABLED", "1"), wished.clone()),
        (environment("DATABRICKS_TELEMETRY_DISABLED", "1"), forced.clone()),
        (environment("DO_NOT_TRACK", "1"), wished.clone()),
        (environment("DO_NOT_TRACK", "1"), forced),
    ];
    for (environment, config) in refusals {
        let (workspace, lease) = use_it(environment, config);
        assert!(lease.decision().is_off());
        assert_eq!(workspace.posts().len(), 0, "{environment:?}");
        assert_eq!(workspace.flag_requests.load(Ordering::SeqCst), 0, "{environment:?}");
        assert_eq!(lease.stats().recorded, 0);
    }

    // The same, and nobody refuses: requests are made.
    let workspace = Workspace::new();
    workspace.flag(flag_answer(true, None));
    let lease = Telemetry::attach_in(Environment::default(), facts(), wished, Arc::clone(&workspace) as _);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    lease.close();
    assert_eq!(workspace.posts().len(), 1);
    assert_eq!(workspace.flag_requests.load(Ordering::SeqCst), 1);
}
