//! Lines for which the queue has no room are missing from the file, and the file says how many.

mod support;

use activity::ByteCount;
use serde_json::json;
use support::*;

#[test]
fn a_full_queue_drops_and_says_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let builder = traces(folder.path());
    let traces = builder.with_max_queued(ByteCount(100)).open().unwrap();
    let registration = traces.listen_to(&SOURCE);
    for _ in 0..7 {
        SOURCE.start(&POLL).end();
    }
    assert_eq!(traces.stats().dropped, 7);
    drop(registration);
    assert_eq!(lines(folder.path()), [json!({"dropped": 7})]);

    let registration = traces.listen_to(&SOURCE);
    SOURCE.start(&POLL).end();
    drop(registration);
    assert_eq!(lines(folder.path()), [json!({"dropped": 7}), json!({"dropped": 1})]);
}
