//! Dropped, cancelled, unwound, or left behind in a future or on another thread: every activity completes, once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

use activity::testing::Recorder;
use activity::{EventKind, Level, Operation, Source, Status};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static SOURCE: Source = Source::new("abandoned", &TAGS);
static DROPPED: Operation = Operation::new("Dropped", EventKind::NONE);
static UNWOUND: Operation = Operation::new("Unwound", EventKind::NONE);
static FAILED: Operation = Operation::new("Failed", EventKind::NONE);
static FUTURE: Operation = Operation::new("Future", EventKind::NONE);
static THREAD: Operation = Operation::new("Thread", EventKind::NONE);
static LATE: Operation = Operation::new("Late", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[test]
fn abandoned_activities_complete() {
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    let status = |operation| {
        let completed = recorder.completed_of(operation);
        assert_eq!(completed.len(), 1, "completes once");
        completed[0].status
    };

    drop(SOURCE.start(&DROPPED));
    assert_eq!(status(&DROPPED), Status::Ok);

    std::panic::set_hook(Box::new(|_| {}));
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut failed = SOURCE.start(&FAILED);
        failed.fail("timeout");
        let root = SOURCE.start(&UNWOUND);
        let _child = root.child(&CHILD);
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!(status(&UNWOUND), Status::Abandoned);
    assert_eq!(status(&CHILD), Status::Abandoned);
    assert_eq!(
        status(&FAILED),
        Status::Error("timeout"),
        "what had happened before counts"
    );

    {
        let mut future = pin!(async {
            let _activity = SOURCE.start(&FUTURE);
            std::future::pending::<()>().await;
        });
        assert!(
            future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert!(recorder.completed_of(&FUTURE).is_empty());
    }
    assert_eq!(status(&FUTURE), Status::Ok);

    // Ends in the destructor of a thread's variable, when the thread is already being torn down.
    thread_local! {
        static LEFT: std::cell::RefCell<Vec<activity::Activity>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    std::thread::spawn(|| {
        LEFT.with_borrow_mut(|left| left.push(SOURCE.start(&THREAD)));
    })
    .join()
    .unwrap();
    assert_eq!(status(&THREAD), Status::Ok);

    // Nothing new starts there.
    struct StartsLate;
    impl Drop for StartsLate {
        fn drop(&mut self) {
            assert!(activity::is_suppressed());
            SOURCE.start(&LATE).end();
        }
    }
    thread_local! {
        static LATE_STARTER: StartsLate = const { StartsLate };
    }
    std::thread::spawn(|| LATE_STARTER.with(|_| SOURCE.start(&DROPPED).end()))
        .join()
        .unwrap();
    assert!(recorder.completed_of(&LATE).is_empty());
    assert_eq!(SOURCE.stats().open_records, 0);
}

#[test]
fn a_handle_alone_keeps_a_record_open() {
    static SOURCE: Source = Source::new("handle", &TAGS);
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    let root = SOURCE.start(&DROPPED);
    let handle = root.parent_handle();
    root.end();
    assert_eq!((recorder.ended_count(), recorder.completed_count()), (1, 0));
    assert_eq!(SOURCE.stats().open_records, 1);
    let late = handle.clone();
    drop(handle);
    assert!(late.child(&CHILD).is_recording(), "children may start after the end");
    assert_eq!(recorder.completed_count(), 1);
    drop(late);
    assert_eq!((recorder.ended_count(), recorder.completed_count()), (2, 2));
    assert_eq!(SOURCE.stats().open_records, 0);
}
