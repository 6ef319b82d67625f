//! The status says what went wrong first.

use activity::testing::Recorder;
use activity::{Activity, EventKind, Level, Operation, Source, Status};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static SOURCE: Source = Source::new("status", &TAGS);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[test]
fn the_first_failure_wins() {
    let status_after = |work: fn(&mut Activity)| {
        let recorder = Recorder::new(Level::Metrics);
        let _registration = recorder.listen_to(&SOURCE);
        let mut root = SOURCE.start(&ROOT);
        work(&mut root);
        root.end();
        recorder.completed_of(&ROOT)[0].status
    };
    assert_eq!(status_after(|_| {}), Status::Ok);
    assert_eq!(status_after(|root| root.cancel()), Status::Cancelled);
    let failed_twice = |root: &mut Activity| {
        root.fail("timeout");
        root.fail("closed");
        root.cancel();
    };
    assert_eq!(status_after(failed_twice), Status::Error("timeout"));
    let failed_after_cancel = |root: &mut Activity| {
        root.cancel();
        root.fail("closed");
    };
    assert_eq!(status_after(failed_after_cancel), Status::Cancelled);
    let child_failed = |root: &mut Activity| root.child(&CHILD).fail("timeout");
    assert_eq!(status_after(child_failed), Status::Ok, "a child's failure is its own");
}
