//! As many downloads run at a time as pay: never more than allowed, more than at first where storage takes its time, and few where it
//! refuses. No row is lost over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Server, cloud, is_storage, query, refusal};

const CHUNKS: u64 = 100;
const ROWS: u64 = 5;

#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    most: AtomicUsize,
    refused: AtomicUsize,
}

/// Reads from storage that takes a while for each file, and refuses what comes while it is busy with `serves` others.
fn read(max: &str, serves: usize) -> Arc<Counts> {
    let counts = Arc::new(Counts::default());
    let shared = Arc::clone(&counts);
    let server = Server::start(move |request, port| {
        if !is_storage(request) {
            return cloud(request, port, CHUNKS, ROWS);
        }
        let running = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most.fetch_max(running, Ordering::SeqCst);
        let reply = if running > serves {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            Some(refusal(503, "SLOW_DOWN"))
        } else {
            std::thread::sleep(Duration::from_millis(20));
            cloud(request, port, CHUNKS, ROWS)
        };
        shared.running.fetch_sub(1, Ordering::SeqCst);
        reply
    });
    let mut connection = server.connect_with(&[
        ("databricks.cloudfetch.parallel_downloads", max),
        ("databricks.cloudfetch.straggler_mitigation", "false"),
        ("databricks.retry.max_retries", "100"),
    ]);
    assert_eq!(
        query(&mut connection).unwrap(),
        (0..(CHUNKS * ROWS) as i64).collect::<Vec<_>>()
    );
    counts
}

#[test]
fn never_more_than_allowed_and_never_none() {
    for max in [1, 3] {
        let counts = read(&max.to_string(), usize::MAX);
        assert_eq!(counts.most.load(Ordering::SeqCst), max);
    }
}

#[test]
fn more_than_at_first_where_storage_takes_its_time() {
    let most = read("16", usize::MAX).most.load(Ordering::SeqCst);
    assert!((5..=16).contains(&most), "{most} at a time");
}

#[test]
fn few_where_storage_refuses() {
    let refused = read("16", 2).refused.load(Ordering::SeqCst);
    assert!(
        refused > 0 && refused < CHUNKS as usize,
        "{refused} of {CHUNKS} were refused"
    );
}
