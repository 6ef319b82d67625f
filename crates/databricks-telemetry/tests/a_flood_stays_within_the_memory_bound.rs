//! Whatever many connections to many hosts produce while nothing gets through, the process holds no more than its
//! bound.

mod common;

use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{Config, DropReason, Telemetry, operations};

const BOUND: u64 = 1536 * 1024;

#[test]
fn a_flood_stays_within_the_memory_bound() {
    let connections: Vec<_> = (0..8)
        .map(|_| {
            let workspace = Workspace::new();
            workspace.gate.shut();
            let lease = attach(
                &facts(),
                &Config {
                    batch_size: 500,
                    ..forced()
                },
                &workspace,
            );
            (workspace, lease)
        })
        .collect();
    std::thread::scope(|scope| {
        for (_, lease) in &connections {
            scope.spawn(|| {
                for _ in 0..5000 {
                    lease.root(&operations::STATEMENT_EXECUTE, None).end();
                    let held = Telemetry::stats().queued_bytes;
                    assert!(held <= BOUND, "{held} bytes are held");
                }
            });
        }
    });
    let stats = Telemetry::stats();
    assert_eq!(stats.recorded, 8 * 5000);
    assert!(stats.queued_bytes > BOUND / 2, "the bound was reached");
    assert!(
        stats.dropped(DropReason::MemoryFull) > 0,
        "and what did not fit was counted"
    );

    for (workspace, _) in &connections {
        workspace.gate.open();
    }
    for (_, lease) in &connections {
        assert!(lease.flush(PATIENCE));
        lease.close();
    }
    let stats = Telemetry::stats();
    assert_eq!(stats.queued_bytes, 0, "what is sent is given back");
    assert_eq!(stats.recorded, stats.delivered + stats.dropped_total());
}
