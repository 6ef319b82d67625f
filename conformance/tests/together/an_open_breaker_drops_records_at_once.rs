//! After the endpoint has failed often enough, records are dropped without a request.

use adbc_databricks::telemetry::DropReason;
use conformance::{
    CHUNKED_ROWS, DELIVERY, fault, observed, query, read_chunks, telemetry_posts, unaccounted, workspace,
};

#[test]
fn and_the_next_connection_finds_it_open() {
    let workspace = workspace();
    fault(&workspace, "telemetry=status:500");
    let options = [
        ("adbc.databricks.telemetry.circuit_breaker_threshold", "2"),
        ("adbc.databricks.telemetry.circuit_breaker_timeout_ms", "900000"),
        ("adbc.databricks.telemetry.max_retries", "1"),
    ];
    let (mut connection, telemetry) = observed(&workspace, &options);
    // The opening leaves at once: a request, one more, and the breaker has seen its two failures.
    assert!(telemetry.flush(DELIVERY));
    let stats = telemetry.stats();
    assert_eq!((stats.posts, stats.refused), (2, 1), "{stats:?}");
    assert_eq!(telemetry_posts(&workspace), 2);

    for done in 1..=5 {
        assert_eq!(query(&mut connection, "SELECT 1").expect("a row").num_rows(), 1);
        assert!(telemetry.flush(DELIVERY));
        assert!(telemetry.stats().dropped(DropReason::BreakerOpen) >= done);
    }
    assert_eq!(read_chunks(&mut connection), CHUNKED_ROWS);
    drop(connection);
    let stats = telemetry.stats();
    assert_eq!((stats.recorded, unaccounted(&stats)), (14, 0), "{stats:?}");
    assert_eq!(
        stats.dropped(DropReason::BreakerOpen) + stats.dropped(DropReason::Closed),
        13,
        "{stats:?}"
    );

    let (mut connection, telemetry) = observed(&workspace, &options);
    assert_eq!(query(&mut connection, "SELECT 1").expect("a row").num_rows(), 1);
    drop(connection);
    let stats = telemetry.stats();
    assert_eq!(
        (stats.recorded, stats.dropped_total(), stats.posts),
        (4, 4, 0),
        "{stats:?}"
    );
    assert_eq!(telemetry_posts(&workspace), 2, "an open breaker makes no request");
}
