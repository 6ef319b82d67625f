//! With nobody listening, nothing that one can do with an activity allocates.

use std::hint::black_box;
use std::sync::Arc;

use activity::{
    Activity, EventKind, EventValue, Id, Level, Listener, LocalText, Operation, Parent, Source, SpanContext,
};

activity::tags! {
    /// A narrow, a wide and a text tag.
    pub static TAGS;
    /// A count.
    pub const COUNT: u64 = "count", scope: Local, merge: Sum;
    /// An id.
    pub const ID: Id = "id", scope: Local, merge: Last;
    /// A text.
    pub const TEXT: LocalText = "text", scope: Local, merge: Keep;
}

static SOURCE: Source = Source::new("nobody", &TAGS);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

/// Registered, but wants to know nothing.
struct Indifferent;

impl Listener for Indifferent {
    fn level(&self) -> Level {
        Level::Off
    }
}

#[test]
fn nothing_listening_allocates_nothing() {
    fn can_go_anywhere<T: Send + Sync>() {}
    can_go_anywhere::<Activity>();
    can_go_anywhere::<Parent>();

    let _registration = SOURCE.register(Arc::new(Indifferent));
    let outside = SpanContext::random();
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            let mut root = black_box(SOURCE.root(&ROOT).parent(outside).start());
            assert!(!root.is_recording());
            root.set(COUNT, 1);
            root.add(COUNT, 1);
            if let Ok(id) = Id::new("01ef") {
                root.set(ID, id);
            }
            root.set_text(TEXT, || unreachable!("nobody wants to read text"));
            root.event("event", &[("count", EventValue::U64(1))]);
            root.fail("timeout");
            let handle = black_box(root.parent_handle());
            handle.add(COUNT, 1);
            black_box(handle.child(&CHILD)).end();
            black_box(root.child(&CHILD)).end();
            assert_eq!((root.context(), root.elapsed().as_nanos()), (None, 0));
            root.end();
        }
    });
    assert_eq!(counted.count_total, 0);

    let counts = allocation_counter::measure(|| drop(black_box(Box::new(1))));
    assert_eq!(counts.count_total, 1, "the counter counts");
}
