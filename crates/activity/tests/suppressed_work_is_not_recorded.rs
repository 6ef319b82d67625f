//! While suppressed, starting an activity gives a no-op: on this thread, and wherever a suppressed future is polled.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use activity::testing::Recorder;
use activity::{Activity, EventKind, Level, Operation, Source, is_suppressed, suppress, suppressed};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[test]
fn suppressed_work_is_not_recorded() {
    static SOURCE: Source = Source::new("thread", &TAGS);
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    let before = SOURCE.start(&ROOT);
    let outer = suppress();
    let inner = suppress();
    drop(outer);
    assert!(is_suppressed(), "guards nest, in any order");
    assert!(!SOURCE.start(&ROOT).is_recording());
    assert!(!before.child(&CHILD).is_recording());
    assert!(!before.parent_handle().child(&CHILD).is_recording());
    std::thread::scope(|scope| scope.spawn(|| assert!(SOURCE.start(&ROOT).is_recording())).join()).unwrap();
    before.end();
    drop(inner);
    assert!(!is_suppressed());
    assert!(SOURCE.start(&ROOT).is_recording());
    assert_eq!(recorder.completed_count(), 3, "what had started before ends as ever");
}

#[test]
fn a_future_is_suppressed_on_every_thread() {
    static SOURCE: Source = Source::new("future", &TAGS);
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    let polled_on = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&polled_on);
    let mut future = suppressed(poll_fn(move |_| {
        assert!(is_suppressed());
        assert!(!SOURCE.start(&ROOT).is_recording());
        let mut seen = seen.lock().unwrap();
        seen.push(std::thread::current().id());
        if seen.len() == 3 {
            Poll::Ready("done")
        } else {
            Poll::Pending
        }
    }));
    for last in [false, false, true] {
        let on_a_thread = std::thread::spawn(move || {
            let poll = Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop()));
            assert!(!is_suppressed(), "only while polled");
            assert!(SOURCE.start(&ROOT).is_recording());
            (future, poll)
        });
        let (back, poll) = on_a_thread.join().unwrap();
        future = back;
        assert_eq!(poll.is_ready(), last);
    }
    let mut threads = polled_on.lock().unwrap().clone();
    threads.dedup();
    assert_eq!(threads.len(), 3);
    assert_eq!(recorder.completed_count(), 3);
}

#[test]
fn a_future_is_dropped_suppressed() {
    static SOURCE: Source = Source::new("drop", &TAGS);
    struct StartsOnDrop(Arc<Mutex<Option<Activity>>>);
    impl Drop for StartsOnDrop {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Some(SOURCE.start(&ROOT));
        }
    }
    let _registration = Recorder::new(Level::Metrics).listen_to(&SOURCE);
    let started = Arc::new(Mutex::new(None));
    let cleanup = StartsOnDrop(Arc::clone(&started));
    {
        let mut future = pin!(suppressed(async move {
            let _cleanup = cleanup;
            std::future::pending::<()>().await;
        }));
        assert!(
            future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }
    let started = started.lock().unwrap().take().expect("dropped");
    assert!(!started.is_recording());
}
