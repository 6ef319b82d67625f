//! When activities complete faster than they can be written, each is a line or is counted in the file.

mod support;

use std::time::Duration;

use activity::ByteCount;
use support::*;

#[test]
fn nothing_is_missing_unsaid() {
    const THREADS: u64 = 4;
    const EACH: u64 = 2000;
    let folder = tempfile::tempdir().unwrap();
    let builder = traces(folder.path());
    let traces = builder.with_max_queued(ByteCount(2000)).open().unwrap();
    let registration = traces.listen_to(&SOURCE);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..EACH).for_each(|_| SOURCE.start(&POLL).end()));
        }
    });
    assert!(traces.flush(Duration::MAX));
    let stats = traces.stats();
    drop(registration);
    drop(traces);
    let (there, missing) = count(&lines(folder.path()));
    assert!(there > 0);
    assert_eq!((there, missing), (stats.written, stats.dropped));
    assert_eq!(there + missing, THREADS * EACH);
}
