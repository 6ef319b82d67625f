//! Whatever the telemetry endpoint does, every query succeeds, closing returns, and the counters say what became of the
//! records.

use adbc_databricks::telemetry::{DropReason, Stats};
use conformance::{CHUNKED_ROWS, fault, observed, read_chunks, scalar, telemetry_posts, unaccounted, workspace};

const QUERIES: usize = 20;
/// An opening and a close; for each query and for the result in chunks, an execution and a close.
const RECORDS: u64 = 2 + 2 * (QUERIES as u64 + 1);

/// Runs the queries against an endpoint that behaves like this; returns the counters after the close, and the entries
/// that reached the inbox.
fn run(endpoint: &str) -> (Stats, u64) {
    let workspace = workspace();
    fault(&workspace, endpoint);
    let (mut connection, telemetry) = observed(&workspace, &[]);
    for number in 0..QUERIES {
        let answer = scalar(&mut connection, &format!("SELECT {number}"));
        assert_eq!(answer, number.to_string());
    }
    assert_eq!(read_chunks(&mut connection), CHUNKED_ROWS);
    drop(connection);
    let stats = telemetry.stats();
    assert_eq!(stats.recorded, RECORDS, "{stats:?}");
    assert!(telemetry_posts(&workspace) < 10, "no storm");
    (stats, workspace.telemetry().len() as u64)
}

#[test]
fn one_that_is_dead() {
    let (stats, arrived) = run("telemetry=drop");
    assert_eq!((stats.delivered, arrived, unaccounted(&stats)), (0, 0, 0), "{stats:?}");
    assert!(stats.dropped(DropReason::Undelivered) > 0, "{stats:?}");
    assert_eq!(stats.dropped_total(), RECORDS, "{stats:?}");
}

#[test]
fn one_that_is_slow() {
    let (stats, arrived) = run("telemetry=delay:150ms");
    assert_eq!(
        (stats.delivered, arrived, stats.dropped_total()),
        (RECORDS, RECORDS, 0),
        "{stats:?}"
    );
}

#[test]
fn one_that_hangs() {
    let (stats, arrived) = run("telemetry=hang");
    assert_eq!((stats.delivered, arrived), (0, 0), "{stats:?}");
    assert_eq!(
        stats.dropped(DropReason::Closed),
        RECORDS - unaccounted(&stats),
        "{stats:?}"
    );
    // What is in the request that hangs is not known to be lost until that is given up.
    assert_eq!((stats.abandoned_workers, unaccounted(&stats)), (1, 1), "{stats:?}");
}

#[test]
fn one_that_wants_other_credentials() {
    let (stats, arrived) = run("telemetry=status:401");
    assert_eq!((stats.delivered, arrived, unaccounted(&stats)), (0, 0, 0), "{stats:?}");
    assert!(stats.refused > 0 && stats.retries == 0, "{stats:?}");
    assert_eq!(stats.refused + stats.dropped_total(), RECORDS, "{stats:?}");
}

#[test]
fn one_that_is_overrun() {
    let (stats, arrived) = run("telemetry=status:429:30");
    assert_eq!((stats.delivered, arrived, unaccounted(&stats)), (0, 0, 0), "{stats:?}");
    assert_eq!(
        (stats.posts, stats.retries),
        (1, 0),
        "asked to wait, it waits: {stats:?}"
    );
    assert_eq!(stats.refused + stats.dropped_total(), RECORDS, "{stats:?}");
}

#[test]
fn one_that_answers_garbage() {
    let (stats, arrived) = run("telemetry=garbage");
    // It said 200; that it kept nothing, nobody can know.
    assert_eq!(
        (stats.delivered, arrived, unaccounted(&stats)),
        (RECORDS, 0, 0),
        "{stats:?}"
    );
}

#[test]
fn one_whose_flag_is_garbage_or_never_comes() {
    for (flag, posts) in [("flags=garbage", 0), ("flags=status:404", 0), ("flags=hang", 0)] {
        let workspace = workspace();
        fault(&workspace, flag);
        let mut connection = conformance::connect(&workspace);
        let telemetry = connection.telemetry().expect("an open connection");
        for number in 0..QUERIES {
            assert_eq!(scalar(&mut connection, &format!("SELECT {number}")), number.to_string());
        }
        drop(connection);
        assert_eq!(telemetry_posts(&workspace), posts, "{flag}");
        let stats = telemetry.stats();
        assert_eq!((stats.delivered, stats.posts), (0, 0), "{flag}: {stats:?}");
    }
}
