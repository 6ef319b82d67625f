//! A listener that panics is never called again and is counted; the others, and the caller, notice nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use activity::testing::Recorder;
use activity::{EventKind, Level, Listener, Operation, Record, Source, Started};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[derive(Clone, Copy, PartialEq)]
enum When {
    Started,
    Ended,
    Completed,
}

struct Panicking {
    when: When,
    calls: AtomicUsize,
}

impl Panicking {
    fn called(&self, now: When) {
        if now == self.when {
            self.calls.fetch_add(1, Ordering::SeqCst);
            // What is thrown panics when it is dropped.
            std::panic::panic_any(Bomb);
        }
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl Listener for Panicking {
    fn level(&self) -> Level {
        Level::Trace
    }

    fn started(&self, _: &Started<'_>) {
        self.called(When::Started);
    }

    fn ended(&self, _: &Record<'_>) {
        self.called(When::Ended);
    }

    fn completed(&self, _: &Record<'_>) {
        self.called(When::Completed);
    }

    fn unregistered(&self) {
        panic!("a disabled listener is never called again");
    }
}

fn tree(source: &'static Source) {
    let root = source.start(&ROOT);
    let child = root.child(&CHILD);
    root.end();
    child.end();
}

fn panics_in(source: &'static Source, when: When) {
    std::panic::set_hook(Box::new(|_| {}));
    let panicking = Arc::new(Panicking {
        when,
        calls: AtomicUsize::new(0),
    });
    let before = Recorder::new(Level::Metrics);
    let after = Recorder::new(Level::Metrics);
    let _before = before.listen_to(source);
    let registration = source.register(Arc::<Panicking>::clone(&panicking));
    let _after = after.listen_to(source);
    assert_eq!(source.level(), Level::Trace);

    tree(source);
    assert!(!registration.is_active());
    assert_eq!(source.level(), Level::Metrics, "its wishes are forgotten");
    tree(source);

    assert_eq!(panicking.calls.load(Ordering::SeqCst), 1);
    for recorder in [before, after] {
        assert_eq!(
            (
                recorder.started_count(),
                recorder.ended_count(),
                recorder.completed_count()
            ),
            (4, 4, 4)
        );
    }
    drop(registration);
    let stats = source.stats();
    assert_eq!((stats.listener_panics, stats.listeners, stats.open_records), (1, 2, 0));
}

#[test]
fn in_started() {
    static SOURCE: Source = Source::new("started", &TAGS);
    panics_in(&SOURCE, When::Started);
}

#[test]
fn in_ended() {
    static SOURCE: Source = Source::new("ended", &TAGS);
    panics_in(&SOURCE, When::Ended);
}

#[test]
fn in_completed() {
    static SOURCE: Source = Source::new("completed", &TAGS);
    panics_in(&SOURCE, When::Completed);
}

/// Panics when it is unregistered, and when it is dropped.
struct Spiteful;

impl Listener for Spiteful {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn unregistered(&self) {
        panic!("unregistered");
    }
}

impl Drop for Spiteful {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn at_its_own_end() {
    static SOURCE: Source = Source::new("spiteful", &TAGS);
    std::panic::set_hook(Box::new(|_| {}));
    let spiteful: Arc<dyn Listener> = Arc::new(Spiteful);
    let gone = Arc::downgrade(&spiteful);
    let registration = SOURCE.register(spiteful);
    // Another thread remembers the list, and is the last to let go of the listener.
    let (to_thread, orders) = std::sync::mpsc::channel::<()>();
    let (to_us, ready) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        tree(&SOURCE);
        to_us.send(()).unwrap();
        assert!(orders.recv().is_err());
    });
    ready.recv().unwrap();
    drop(registration);
    assert!(gone.upgrade().is_some());
    drop(to_thread);
    assert!(thread.join().is_ok(), "the thread that let go last is not harmed");
    assert!(gone.upgrade().is_none());
    assert_eq!((SOURCE.stats().listeners, SOURCE.stats().listener_panics), (0, 1));
    // And this thread is the last to let go.
    drop(SOURCE.register(Arc::new(Spiteful)));
    assert_eq!((SOURCE.stats().listeners, SOURCE.stats().listener_panics), (0, 2));
}
