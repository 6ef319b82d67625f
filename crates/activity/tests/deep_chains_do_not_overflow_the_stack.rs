//! A chain of a hundred thousand nested children completes from the leaf up, on a small stack.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use activity::{Activity, EventKind, Level, Listener, Operation, Record, Source};

const DEPTH: u64 = 100_000;

activity::tags! {
    /// A count.
    pub static TAGS;
    /// Number of activities.
    pub const COUNT: u64 = "count", scope: Local, merge: Sum;
}

static SOURCE: Source = Source::new("deep", &TAGS);
static STEP: Operation = Operation::new("Step", EventKind::NONE);

#[derive(Default)]
struct Counting {
    completed: AtomicU64,
    at_the_root: AtomicU64,
}

impl Listener for Counting {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn completed(&self, record: &Record<'_>) {
        self.completed.fetch_add(1, Ordering::SeqCst);
        if record.is_root() {
            self.at_the_root.store(record.get(COUNT).unwrap_or(0), Ordering::SeqCst);
        }
    }
}

fn chain() -> Vec<Activity> {
    let mut chain = vec![SOURCE.start(&STEP)];
    while let Some(parent) = chain.last_mut() {
        parent.set(COUNT, 1);
        let child = parent.child(&STEP);
        chain.push(child);
        if chain.len() as u64 == DEPTH {
            break;
        }
    }
    chain
}

#[test]
fn deep_chains_do_not_overflow_the_stack() {
    let counting = Arc::new(Counting::default());
    let _registration = SOURCE.register(Arc::<Counting>::clone(&counting));
    let complete = |release: fn(Vec<Activity>)| {
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        thread.spawn(move || release(chain())).unwrap().join().unwrap();
        assert_eq!(counting.completed.swap(0, Ordering::SeqCst), DEPTH);
        assert_eq!(
            counting.at_the_root.swap(0, Ordering::SeqCst),
            DEPTH - 1,
            "the leaf counts nothing"
        );
        assert_eq!(SOURCE.stats().open_records, 0);
    };
    // Parents end first: the leaf's end completes all of them in one go.
    complete(drop);
    // Children end first: each end completes one.
    complete(|mut chain| while chain.pop().is_some() {});
    // All have ended; the last handle completes all of them.
    complete(|mut chain| {
        let handle = chain.pop().map(|leaf| leaf.parent_handle());
        drop(chain);
        drop(handle);
    });
}
