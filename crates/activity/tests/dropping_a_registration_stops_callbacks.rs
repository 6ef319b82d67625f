//! Dropping a registration stops callbacks, also of activities that are under way, on all threads, and lowers the
//! level.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use activity::testing::Recorder;
use activity::{EventKind, Level, Listener, Operation, Source};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static ROOT: Operation = Operation::new("Root", EventKind::NONE);

#[test]
fn dropping_a_registration_stops_callbacks() {
    static SOURCE: Source = Source::new("dropped", &TAGS);
    assert_eq!(SOURCE.level(), Level::Off);
    let metrics = Recorder::new(Level::Metrics);
    let trace = Recorder::new(Level::Trace);
    let first = metrics.listen_to(&SOURCE);
    assert_eq!(SOURCE.level(), Level::Metrics);
    let second = trace.listen_to(&SOURCE);
    assert_eq!(SOURCE.level(), Level::Trace);

    let (to_thread, orders) = channel::<()>();
    let (to_us, ready) = channel();
    let thread = std::thread::spawn(move || {
        let under_way = SOURCE.start(&ROOT);
        to_us.send(()).unwrap();
        orders.recv().unwrap();
        under_way.end();
        SOURCE.start(&ROOT).end();
    });
    ready.recv().unwrap();
    drop(second);
    assert_eq!(SOURCE.level(), Level::Metrics);
    to_thread.send(()).unwrap();
    thread.join().unwrap();
    assert_eq!(
        (trace.started_count(), trace.ended_count(), trace.completed_count()),
        (1, 0, 0)
    );
    assert_eq!(
        (
            metrics.started_count(),
            metrics.ended_count(),
            metrics.completed_count()
        ),
        (2, 2, 2)
    );

    drop(first);
    assert_eq!(SOURCE.level(), Level::Off);
    assert!(!SOURCE.start(&ROOT).is_recording());
    assert_eq!(SOURCE.stats().listeners, 0);
}

#[derive(Default)]
struct Closing(AtomicUsize);

impl Listener for Closing {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn unregistered(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_listener_is_told_once_and_let_go() {
    static SOURCE: Source = Source::new("told", &TAGS);
    let listener = Arc::new(Closing::default());
    let registration = SOURCE.register(Arc::<Closing>::clone(&listener));
    SOURCE.start(&ROOT).end();
    assert_eq!(listener.0.load(Ordering::SeqCst), 0);
    drop(registration);
    assert_eq!(listener.0.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&listener), 1, "this thread has forgotten it");
}

/// Unregisters itself, and registers another, while it is being called.
#[test]
fn listeners_come_and_go_within_callbacks() {
    use std::sync::Mutex;
    static SOURCE: Source = Source::new("within", &TAGS);
    static OWN: Mutex<Option<activity::Registration>> = Mutex::new(None);
    struct Leaving;
    impl Listener for Leaving {
        fn level(&self) -> Level {
            Level::Metrics
        }
        fn started(&self, _: &activity::Started<'_>) {
            let own = OWN.lock().unwrap().take();
            drop(own);
            *OWN.lock().unwrap() = Some(Recorder::new(Level::Trace).listen_to(&SOURCE));
            // A listener may have activities of its own.
            SOURCE.start(&ROOT).end();
        }
    }
    let registration = SOURCE.register(Arc::new(Leaving));
    *OWN.lock().unwrap() = Some(registration);
    SOURCE.start(&ROOT).end();
    let stats = SOURCE.stats();
    assert_eq!((stats.listeners, stats.listener_panics), (1, 0));
    assert_eq!(SOURCE.level(), Level::Trace);
}

/// The list of listeners that is being gone through still has the second one.
#[test]
fn a_listener_that_is_unregistered_while_others_are_called_is_not_called() {
    use std::sync::Mutex;
    static SOURCE: Source = Source::new("during", &TAGS);
    static OF_SECOND: Mutex<Option<activity::Registration>> = Mutex::new(None);
    struct First;
    impl Listener for First {
        fn level(&self) -> Level {
            Level::Metrics
        }
        fn started(&self, _: &activity::Started<'_>) {
            let of_second = OF_SECOND.lock().unwrap().take();
            drop(of_second);
        }
    }
    let second = Recorder::new(Level::Metrics);
    let _first = SOURCE.register(Arc::new(First));
    *OF_SECOND.lock().unwrap() = Some(second.listen_to(&SOURCE));
    SOURCE.start(&ROOT).end();
    assert_eq!((second.started_count(), second.completed_count()), (0, 0));
}
