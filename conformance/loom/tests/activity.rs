//! Models of the concurrent hearts of `activity`, for `.ci/loom`: loom runs each with every order in which its threads can
//! meet (up to a number of preemptions), and with every value that the memory model lets a load see.

#![cfg(loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use activity::{Activity, EventKind, Level, Listener, Operation, Record, Source, Started};
use loom::thread::{Builder, JoinHandle};

activity::tags! {
    /// Tags of the models.
    pub static TAGS;
    /// Work done.
    pub const WORK: u64 = "work", scope: Local, merge: Sum;
}

static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

/// Starts a thread of a model, with more stack than loom gives by itself.
fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    const WORDS: usize = 64 * 1024;
    Builder::new().stack_size(WORDS).spawn(run).unwrap()
}

fn model(run: fn()) {
    loom::model(move || spawn(run).join().unwrap());
}

/// Loom's types live for one run of a model.
fn source() -> &'static Source {
    Box::leak(Box::new(Source::new("model", &TAGS)))
}

/// Counts what it is told. Not watched by loom, so that it adds no orders of its own.
#[derive(Default)]
struct Counting {
    started: AtomicU64,
    ended: AtomicU64,
    completed: AtomicU64,
    roots: AtomicU64,
    work: AtomicU64,
    unregistered: AtomicU64,
}

impl Counting {
    fn of(&self, counter: fn(&Counting) -> &AtomicU64) -> u64 {
        counter(self).load(Ordering::SeqCst)
    }
}

impl Listener for Counting {
    fn level(&self) -> Level {
        Level::Metrics
    }
    fn started(&self, _: &Started<'_>) {
        self.started.fetch_add(1, Ordering::SeqCst);
    }
    fn ended(&self, _: &Record<'_>) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
    fn completed(&self, record: &Record<'_>) {
        self.completed.fetch_add(1, Ordering::SeqCst);
        if record.is_root() {
            self.roots.fetch_add(1, Ordering::SeqCst);
            self.work.fetch_add(record.get(WORK).unwrap_or(0), Ordering::SeqCst);
        }
    }
    fn unregistered(&self) {
        self.unregistered.fetch_add(1, Ordering::SeqCst);
    }
}

fn work(mut activity: Activity, amount: u64) {
    activity.set(WORK, amount);
    activity.end();
}

#[test]
fn the_last_owner_completes_a_record_once_with_everything_in_it() {
    model(|| {
        let source = source();
        let counting = Arc::new(Counting::default());
        let registration = source.register(Arc::clone(&counting) as _);
        let mut root = source.start(&ROOT);
        root.set(WORK, 1);
        let child = root.child(&CHILD);
        let handle = root.parent_handle();
        let ends_a_child = spawn(move || work(child, 10));
        let starts_a_child = spawn(move || {
            let child = handle.child(&CHILD);
            drop(handle);
            work(child, 100);
        });
        root.end();
        ends_a_child.join().unwrap();
        starts_a_child.join().unwrap();
        assert_eq!(counting.of(|counting| &counting.roots), 1);
        assert_eq!(counting.of(|counting| &counting.work), 111);
        assert_eq!(counting.of(|counting| &counting.started), 3);
        assert_eq!(counting.of(|counting| &counting.ended), 3);
        assert_eq!(counting.of(|counting| &counting.completed), 3);
        assert_eq!(source.stats().open_records, 0);
        drop(registration);
    });
}

#[test]
fn a_grandchild_that_ends_last_completes_the_whole_line() {
    model(|| {
        let source = source();
        let counting = Arc::new(Counting::default());
        let registration = source.register(Arc::clone(&counting) as _);
        let root = source.start(&ROOT);
        let child = root.child(&CHILD);
        let grandchild = child.child(&CHILD);
        let lowest = spawn(move || work(grandchild, 7));
        let middle = spawn(move || work(child, 20));
        root.end();
        lowest.join().unwrap();
        middle.join().unwrap();
        assert_eq!(counting.of(|counting| &counting.roots), 1);
        assert_eq!(counting.of(|counting| &counting.work), 27);
        assert_eq!(counting.of(|counting| &counting.completed), 3);
        drop(registration);
    });
}

#[test]
fn a_listener_that_comes_sees_the_whole_of_an_activity_or_nothing() {
    model(|| {
        let source = source();
        let early = Arc::new(Counting::default());
        let _early = source.register(Arc::clone(&early) as _);
        let other = spawn(move || {
            let root = source.start(&ROOT);
            work(root.child(&CHILD), 1);
            root.end();
        });
        let late = Arc::new(Counting::default());
        let registration = source.register(Arc::clone(&late) as _);
        other.join().unwrap();
        let seen = late.of(|counting| &counting.started);
        assert!(seen == 0 || seen == 2, "{seen}");
        assert_eq!(late.of(|counting| &counting.ended), seen);
        assert_eq!(late.of(|counting| &counting.completed), seen);
        assert_eq!(late.of(|counting| &counting.work), seen / 2);
        assert_eq!(early.of(|counting| &counting.completed), 2, "nobody else notices");
        drop(registration);
        assert_eq!(late.of(|counting| &counting.unregistered), 1);
    });
}

#[test]
fn a_listener_that_goes_is_told_so_once_and_hears_no_more() {
    model(|| {
        let source = source();
        let counting = Arc::new(Counting::default());
        let registration = source.register(Arc::clone(&counting) as _);
        let other = spawn(move || work(source.start(&ROOT), 1));
        drop(registration);
        assert_eq!(counting.of(|counting| &counting.unregistered), 1);
        other.join().unwrap();
        let (started, completed) = (
            counting.of(|counting| &counting.started),
            counting.of(|counting| &counting.completed),
        );
        assert!(completed <= started && started <= 1);
        assert_eq!(source.level(), Level::Off);
        work(source.start(&ROOT), 1);
        assert_eq!(counting.of(|counting| &counting.started), started);
    });
}
