//! A listener that panics is called no more. The query, the process and all other listeners go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use activity::{Level, Listener, Record};
use adbc_databricks::SOURCE;
use conformance::{CHUNKED_ROWS, logs_of_closed, observed, operation_type, read_chunks, unaccounted, workspace};

/// Panics whenever it is shown a record, and counts how often that was.
struct Panicking(Level, AtomicU64);

impl Listener for Panicking {
    fn level(&self) -> Level {
        self.0
    }
    fn completed(&self, _: &Record<'_>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        panic!("a listener's own mistake");
    }
}

#[test]
fn and_telemetry_hears_every_operation() {
    let workspace = workspace();
    for (sessions, level) in [(1, Level::Metrics), (2, Level::Trace)] {
        let panics = SOURCE.stats().listener_panics;
        let listener = Arc::new(Panicking(level, AtomicU64::new(0)));
        let registration = SOURCE.register(Arc::clone(&listener) as Arc<dyn Listener>);
        let (mut connection, telemetry) = observed(&workspace, &[]);
        assert_eq!(read_chunks(&mut connection), CHUNKED_ROWS);
        assert!(!registration.is_active());
        let calls = listener.1.load(Ordering::SeqCst);
        assert!(calls > 0);
        assert_eq!(read_chunks(&mut connection), CHUNKED_ROWS);
        drop(connection);
        assert_eq!(listener.1.load(Ordering::SeqCst), calls, "called again");
        let stats = telemetry.stats();
        assert_eq!(stats.listener_panics - panics, calls, "each panic is counted");
        assert_eq!((stats.delivered, unaccounted(&stats)), (6, 0), "{stats:?}");
        let logs = logs_of_closed(&workspace, sessions);
        let operations: Vec<_> = logs[6 * (sessions - 1)..].iter().map(operation_type).collect();
        assert_eq!(operations.len(), 6, "{operations:?}");
    }
}
