//! A hundred threads open, use and close connections to a few hosts at the same time. Every record arrives, and when the last one has closed, no thread of telemetry is left.

mod common;

use common::{Workspace, attach, facts, forced};
use databricks_telemetry::{Telemetry, operations};

const THREADS: usize = 100;
/// Few enough for all of their records to wait at the same time.
const ROUNDS: usize = 5;

/// The threads of telemetry, where the system lists threads as files.
fn workers() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
        .filter(|name| name.trim() == "adbc-telemetry")
        .count()
}

#[test]
fn no_thread_is_left_after_the_last_close() {
    let hosts = [facts(), facts(), facts()];
    let workspaces = [Workspace::new(), Workspace::new(), Workspace::new()];
    std::thread::scope(|scope| {
        for at in 0..THREADS {
            let (facts, workspace) = (&hosts[at % hosts.len()], &workspaces[at % hosts.len()]);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let lease = attach(facts, &forced(), workspace);
                    lease.root(&operations::STATEMENT_EXECUTE, None).end();
                    // Once more than needed, and once by being dropped.
                    lease.close();
                    lease.close();
                }
            });
        }
    });
    // A joined thread may be listed for a moment longer.
    common::until("no thread", || workers() == 0);
    let stats = Telemetry::stats();
    assert_eq!(stats.recorded, (THREADS * ROUNDS) as u64);
    assert_eq!(stats.delivered, stats.recorded, "{stats:?}");
    let arrived: usize = workspaces.iter().map(|workspace| workspace.logs().len()).sum();
    assert_eq!(arrived as u64, stats.recorded);
    assert_eq!(
        (stats.open_records, stats.queued_bytes, stats.abandoned_workers),
        (0, 0, 0)
    );
}
