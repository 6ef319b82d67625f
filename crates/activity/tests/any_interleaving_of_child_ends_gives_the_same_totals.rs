//! Children that end in any order, on any number of threads, before or after their parent, roll up to the same totals;
//! and the parent completes exactly once.

use std::sync::Barrier;
use std::time::Duration;

use activity::testing::Recorder;
use activity::{ByteCount, EventKind, Level, Operation, Source};
use proptest::prelude::*;

activity::tags! {
    /// One tag for each rule that does not depend on the order.
    pub static TAGS;
    /// Sum of numbers.
    pub const SUM: u64 = "sum", scope: Local, merge: Sum;
    /// Sum of sizes, which saturates.
    pub const SATURATING: ByteCount = "saturating", scope: Local, merge: Sum;
    /// Sum of durations.
    pub const TIME: Duration = "time", scope: Local, merge: Sum;
    /// Largest.
    pub const MAX: i64 = "max", scope: Local, merge: Max;
    /// Smallest.
    pub const MIN: i64 = "min", scope: Local, merge: Min;
    /// Smallest unsigned.
    pub const MIN_TIME: Duration = "min_time", scope: Local, merge: Min;
    /// Stays with the child.
    pub const KEPT: u64 = "kept", scope: Local, merge: Keep;
}

static SOURCE: Source = Source::new("interleaving", &TAGS);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[derive(Clone, Debug)]
struct Part {
    /// Which thread ends the child.
    thread: usize,
    sum: u32,
    size: u64,
    signed: i64,
    /// Adds through a parent handle too.
    through_handle: Option<u32>,
    /// Has a child of its own, which carries the values up two steps.
    nested: bool,
}

fn part() -> impl Strategy<Value = Part> {
    (
        0..4usize,
        any::<u32>(),
        any::<u64>(),
        any::<i64>(),
        any::<Option<u32>>(),
        any::<bool>(),
    )
        .prop_map(|(thread, sum, size, signed, through_handle, nested)| Part {
            thread,
            sum,
            size,
            signed,
            through_handle,
            nested,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_child_ends_gives_the_same_totals(
        parts in prop::collection::vec(part(), 1..24),
        own in any::<Option<(u32, i64)>>(),
        root_ends_first in any::<bool>(),
    ) {
        let recorder = Recorder::new(Level::Metrics);
        let _registration = recorder.listen_to(&SOURCE);
        run(&parts, own, root_ends_first);

        let roots = recorder.completed_of(&ROOT);
        prop_assert_eq!(roots.len(), 1, "the root completes exactly once");
        let root = &roots[0];
        let nested = parts.iter().filter(|part| part.nested).count();
        prop_assert_eq!(recorder.completed_of(&CHILD).len(), parts.len() + nested);

        let sums = parts.iter().map(|part| u64::from(part.sum) + u64::from(part.through_handle.unwrap_or(0)));
        let sum: u64 = sums.sum::<u64>() + own.map_or(0, |(sum, _)| u64::from(sum));
        prop_assert_eq!(root.get(SUM), Some(sum));
        let size = parts.iter().fold(0u64, |size, part| size.saturating_add(part.size));
        prop_assert_eq!(root.get(SATURATING), Some(ByteCount(size)));
        let time: u64 = parts.iter().map(|part| u64::from(part.sum)).sum();
        prop_assert_eq!(root.get(TIME), Some(Duration::from_nanos(time)));
        let signed = || parts.iter().map(|part| part.signed).chain(own.map(|(_, signed)| signed));
        prop_assert_eq!(root.get(MAX), signed().max());
        prop_assert_eq!(root.get(MIN), signed().min());
        let min_time = parts.iter().map(|part| Duration::from_nanos(part.sum.into())).min();
        prop_assert_eq!(root.get(MIN_TIME), min_time);
        prop_assert_eq!(root.get(KEPT), None);
    }
}

fn run(parts: &[Part], own: Option<(u32, i64)>, root_ends_first: bool) {
    let mut root = SOURCE.start(&ROOT);
    if let Some((sum, signed)) = own {
        root.set(SUM, sum.into());
        root.set(MAX, signed);
        root.set(MIN, signed);
    }
    let handle = root.parent_handle();
    let threads = 1 + parts.iter().map(|part| part.thread).max().unwrap_or(0);
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (handle, barrier) = (handle.clone(), &barrier);
            let mine: Vec<Part> = parts.iter().filter(|part| part.thread == thread).cloned().collect();
            scope.spawn(move || {
                barrier.wait();
                for part in mine {
                    let child = handle.child(&CHILD);
                    let mut leaf = if part.nested { child.child(&CHILD) } else { child };
                    leaf.set(SUM, part.sum.into());
                    leaf.set(SATURATING, ByteCount(part.size));
                    leaf.set(TIME, Duration::from_nanos(part.sum.into()));
                    leaf.set(MAX, part.signed);
                    leaf.set(MIN, part.signed);
                    leaf.set(MIN_TIME, Duration::from_nanos(part.sum.into()));
                    leaf.set(KEPT, 1);
                    if let Some(sum) = part.through_handle {
                        handle.add(SUM, sum.into());
                    }
                }
            });
        }
        if root_ends_first {
            drop(handle);
            root.end();
        } else {
            // Ends after the threads were started, at any time during their work.
            std::thread::yield_now();
            root.end();
            drop(handle);
        }
    });
}
