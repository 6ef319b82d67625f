//! Starts and ends pair: whoever was not there at the start of a tree sees nothing of it, not even of later children.

use activity::testing::Recorder;
use activity::{EventKind, Level, Operation, Source};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static SOURCE: Source = Source::new("late", &TAGS);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[test]
fn a_listener_added_mid_activity_sees_no_end() {
    let early = Recorder::new(Level::Metrics);
    let _early = early.listen_to(&SOURCE);
    let root = SOURCE.start(&ROOT);
    let childless = SOURCE.start(&ROOT);

    let late = Recorder::new(Level::Trace);
    let _late = late.listen_to(&SOURCE);
    let child = root.child(&CHILD);
    assert!(!child.is_tracing(), "how much is recorded was decided at the root");
    std::thread::scope(|scope| scope.spawn(|| drop(child)).join()).unwrap();
    root.end();
    childless.end();
    assert_eq!(
        (early.started_count(), early.ended_count(), early.completed_count()),
        (3, 3, 3)
    );
    assert_eq!(
        (late.started_count(), late.ended_count(), late.completed_count()),
        (0, 0, 0)
    );

    SOURCE.start(&ROOT).end();
    assert_eq!(
        (late.started_count(), late.ended_count(), late.completed_count()),
        (1, 1, 1)
    );
}
