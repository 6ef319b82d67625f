//! How a child's values meet those of its siblings and of its parent: one rule for each tag, also for wide values and
//! for tags beyond those that are stored in place.

use activity::testing::{Recorded, Recorder};
use activity::{Activity, EventKind, Id, Level, Operation, Parent, Source};

/// A table of 40 tags, of which some are used.
macro_rules! table {
    ($($filler:ident = $name:literal;)*) => {
        activity::tags! {
            /// More tags than are stored in place.
            pub static TAGS;
            /// First.
            pub const FIRST: u64 = "first", scope: Local, merge: First;
            /// Last.
            pub const LAST: u64 = "last", scope: Local, merge: Last;
            /// Keep.
            pub const KEEP: u64 = "keep", scope: Local, merge: Keep;
            /// Smallest signed.
            pub const MIN: i64 = "min", scope: Local, merge: Min;
            $(
                /// Fills the table.
                pub const $filler: u64 = $name, scope: Local, merge: Sum;
            )*
            /// First id.
            pub const FIRST_ID: Id = "first_id", scope: Local, merge: First;
            /// Last id.
            pub const LAST_ID: Id = "last_id", scope: Local, merge: Last;
            /// Beyond the slots in place.
            pub const HIGH: u64 = "high", scope: Local, merge: Sum;
        }
    };
}

table! {
    F0 = "f0"; F1 = "f1"; F2 = "f2"; F3 = "f3"; F4 = "f4"; F5 = "f5"; F6 = "f6"; F7 = "f7"; F8 = "f8"; F9 = "f9";
    G0 = "g0"; G1 = "g1"; G2 = "g2"; G3 = "g3"; G4 = "g4"; G5 = "g5"; G6 = "g6"; G7 = "g7"; G8 = "g8"; G9 = "g9";
    H0 = "h0"; H1 = "h1"; H2 = "h2"; H3 = "h3"; H4 = "h4"; H5 = "h5"; H6 = "h6"; H7 = "h7"; H8 = "h8"; H9 = "h9";
}

static SOURCE: Source = Source::new("rules", &TAGS);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

/// The completed root, after `own` was done to it, and children were made of it with these numbers.
fn root(own: impl FnOnce(&mut Activity, &Parent), children: &[u64]) -> Recorded {
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    let mut root = SOURCE.start(&ROOT);
    let context = root.context();
    let handle = root.parent_handle();
    own(&mut root, &handle);
    drop(handle);
    for number in children {
        let mut child = root.child(&CHILD);
        child.set(FIRST, *number);
        child.set(LAST, *number);
        child.set(KEEP, *number);
        child.set(MIN, -number.cast_signed());
        child.set(HIGH, *number);
        child.set(F9, *number);
        child.set(FIRST_ID, id(&number.to_string()));
        child.set(LAST_ID, id(&number.to_string()));
    }
    root.end();
    // Tests run side by side, and the recorder sees them all.
    let this = |record: &Recorded| Some(record.context) == context;
    recorder.completed_of(&ROOT).into_iter().find(this).unwrap()
}

#[test]
fn among_children() {
    let root = root(|_, _| {}, &[1, 2, 3]);
    assert!(HIGH.slot() >= 32);
    assert_eq!(
        (root.get(FIRST), root.get(LAST), root.get(KEEP)),
        (Some(1), Some(3), None)
    );
    assert_eq!(
        (root.get(MIN), root.get(HIGH), root.get(F9)),
        (Some(-3), Some(6), Some(6))
    );
    assert_eq!((root.get(FIRST_ID), root.get(LAST_ID)), (Some(id("1")), Some(id("3"))));
}

#[test]
fn with_the_parents_own_which_completes_last() {
    let own = |root: &mut Activity, _: &Parent| {
        root.set(FIRST, 10);
        root.set(LAST, 10);
        root.set(KEEP, 10);
        root.set(MIN, -10);
        root.add(HIGH, 4);
        root.add(HIGH, 6);
        root.set(FIRST_ID, id("own"));
        root.set(LAST_ID, id("old"));
        root.set(LAST_ID, id("own"));
    };
    let root = root(own, &[1, 2, 3]);
    assert_eq!(
        (root.get(FIRST), root.get(LAST), root.get(KEEP)),
        (Some(1), Some(10), Some(10))
    );
    assert_eq!((root.get(MIN), root.get(HIGH)), (Some(-10), Some(16)));
    assert_eq!(
        (root.get(FIRST_ID), root.get(LAST_ID)),
        (Some(id("1")), Some(id("own")))
    );
}

#[test]
fn through_a_handle() {
    let through_handle = |_: &mut Activity, handle: &Parent| {
        handle.merge_set(FIRST, 7);
        handle.merge_set(FIRST, 8);
        handle.merge_set(KEEP, 7);
        handle.merge_set(KEEP, 8);
        handle.merge_set(HIGH, 7);
        handle.add(HIGH, 8);
        handle.merge_set(FIRST_ID, id("handle"));
    };
    let root = root(through_handle, &[1]);
    assert_eq!(
        (root.get(FIRST), root.get(KEEP), root.get(HIGH)),
        (Some(7), Some(8), Some(16))
    );
    assert_eq!(root.get(FIRST_ID), Some(id("handle")));

    let own_beats_handle = |root: &mut Activity, handle: &Parent| {
        root.set(KEEP, 1);
        handle.merge_set(KEEP, 7);
    };
    assert_eq!(self::root(own_beats_handle, &[]).get(KEEP), Some(1));
}

#[test]
fn a_tag_of_another_table_is_ignored_and_counted() {
    mod other {
        activity::tags! {
            /// Another table.
            pub static OTHER;
            /// Another tag.
            pub const STRANGER: u64 = "stranger", scope: Local, merge: Sum;
        }
    }
    static SOURCE: Source = Source::new("stranger", &TAGS);
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    let mut root = SOURCE.start(&ROOT);
    root.set(other::STRANGER, 1);
    root.parent_handle().add(other::STRANGER, 1);
    root.end();
    assert_eq!(recorder.completed()[0].values(), []);
    assert_eq!(recorder.completed()[0].get(other::STRANGER), None);
    assert_eq!(SOURCE.stats().foreign_tags, 2);
}

#[test]
fn nothing_is_left_over_for_the_next_activity() {
    static SOURCE: Source = Source::new("left over", &TAGS);
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    let lane: std::sync::Arc<String> = std::sync::Arc::new("lane".to_owned());
    let mut full = SOURCE.root(&ROOT).lane(std::sync::Arc::<String>::clone(&lane)).start();
    assert_eq!(full.lane::<String>(), Some(&*lane));
    assert_eq!(full.child(&CHILD).lane::<String>(), Some(&*lane));
    full.set(KEEP, 1);
    full.set(HIGH, 1);
    full.set(LAST_ID, id("old"));
    full.fail("timeout");
    full.end();
    assert_eq!(std::sync::Arc::strong_count(&lane), 1);

    let mut empty = SOURCE.start(&ROOT);
    assert_eq!(empty.lane::<String>(), None);
    empty.set(FIRST_ID, id("new"));
    empty.end();
    let empty = &recorder.completed_of(&ROOT)[1];
    assert_eq!(empty.values(), [("first_id", "new".to_owned())]);
    assert_eq!((empty.status, empty.parent_context), (activity::Status::Ok, None));
}
