//! Telemetry serves 256 hosts at one time. Connections to one more work as ever, without telemetry, and are counted;
//! when another host is let go there is room again.

mod common;

use common::{Workspace, attach, facts, forced};
use databricks_telemetry::{Reason, Telemetry, operations};

#[test]
fn hosts_beyond_the_bound_go_without_telemetry() {
    let workspace = Workspace::new();
    let known = facts();
    let mut leases = vec![attach(&known, &forced(), &workspace)];
    leases.extend((1..256).map(|_| attach(&facts(), &forced(), &workspace)));
    assert!(leases.iter().all(|lease| lease.decision().is_on()));

    let one_more = attach(&facts(), &forced(), &workspace);
    assert_eq!(one_more.decision().reason, Reason::Unserved);
    assert!(!one_more.root(&operations::STATEMENT_EXECUTE, None).is_recording());
    assert_eq!(Telemetry::stats().unserved, 1);
    let another = attach(&known, &forced(), &workspace);
    assert!(
        another.decision().is_on(),
        "a host that is served takes any number of connections"
    );

    leases.pop();
    assert!(attach(&facts(), &forced(), &workspace).decision().is_on());
    assert_eq!(workspace.posts().len(), 0, "nobody did anything");
}
