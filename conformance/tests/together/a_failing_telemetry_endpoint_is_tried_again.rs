//! An endpoint that fails for a moment gets the same batch again, and no record is lost or delivered twice.

use std::collections::HashSet;

use conformance::{
    CHUNKED_ROWS, DELIVERY, fault, observed, read_chunks, records_of_closed, telemetry_posts, unaccounted, workspace,
};

#[test]
fn and_has_everything_when_it_recovers() {
    for failure in ["telemetry=status:500*2", "telemetry=status:503*3"] {
        let workspace = workspace();
        let (mut connection, telemetry) = observed(&workspace, &[]);
        assert!(telemetry.flush(DELIVERY));
        let (posts, before) = (telemetry_posts(&workspace), telemetry.stats());
        assert_eq!((before.delivered, before.retries), (1, 0), "the opening");

        fault(&workspace, failure);
        assert_eq!(read_chunks(&mut connection), CHUNKED_ROWS);
        assert!(telemetry.flush(DELIVERY));
        drop(connection);

        let stats = telemetry.stats();
        let failures: u64 = failure
            .rsplit('*')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert_eq!(
            (stats.retries, stats.dropped_total(), stats.refused),
            (failures, 0, 0),
            "{stats:?}"
        );
        assert_eq!((stats.delivered, unaccounted(&stats)), (4, 0), "{stats:?}");
        assert_eq!(telemetry_posts(&workspace) as u64, stats.posts, "after {posts}");
        let records = records_of_closed(&workspace, 1);
        let ids: HashSet<_> = records
            .iter()
            .map(|record| record.log["frontend_log_event_id"].to_string())
            .collect();
        assert_eq!((records.len(), ids.len()), (4, 4));
    }
}
