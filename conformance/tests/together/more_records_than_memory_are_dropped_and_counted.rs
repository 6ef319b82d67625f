//! When nobody takes the records, telemetry holds no more than its 2 MiB, drops the rest, and says how many.

use adbc_core::Connection as _;
use adbc_databricks::telemetry::DropReason;
use conformance::{CHUNKED_ROWS, fault, observed, read_chunks, unaccounted, workspace};

#[test]
fn while_queries_go_on() {
    let workspace = workspace();
    fault(&workspace, "telemetry=hang");
    let (mut connection, telemetry) = observed(&workspace, &[]);
    let mut most = 0;
    for _ in 0..2000 {
        // A record that takes no request.
        drop(connection.get_table_types().expect("types"));
        most = most.max(telemetry.stats().queued_bytes);
    }
    assert_eq!(read_chunks(&mut connection), CHUNKED_ROWS);
    let stats = telemetry.stats();
    let full = stats.dropped(DropReason::QueueFull) + stats.dropped(DropReason::MemoryFull);
    assert!(full > 1000, "{stats:?}");
    assert!((512 << 10..=2 << 20).contains(&most), "{most} bytes at most");

    drop(connection);
    let stats = telemetry.stats();
    assert_eq!((stats.recorded, stats.delivered), (2004, 0), "{stats:?}");
    // The opening, and what came before the worker took it, is in the request that hangs, with the thread that was left behind.
    assert_eq!((stats.posts, stats.abandoned_workers), (1, 1), "{stats:?}");
    assert!(
        (1..=100).contains(&unaccounted(&stats)),
        "more than one batch: {stats:?}"
    );
    assert_eq!(stats.queued_bytes, 0);
}
