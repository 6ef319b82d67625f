//! Once a thread has ended an activity, its next ones allocate nothing, even with ids among the values.

use std::hint::black_box;
use std::sync::Arc;

use activity::{EventKind, Id, Level, Listener, Operation, Record, Source};

activity::tags! {
    /// Narrow and wide tags.
    pub static TAGS;
    /// A count.
    pub const COUNT: u64 = "count", scope: Local, merge: Sum;
    /// An id.
    pub const ID: Id = "id", scope: Local, merge: Last;
    /// Whether.
    pub const WHETHER: bool = "whether", scope: Local, merge: Keep;
}

static SOURCE: Source = Source::new("childless", &TAGS);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);

struct Reader;

impl Listener for Reader {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn completed(&self, record: &Record<'_>) {
        assert_eq!(record.get(COUNT), Some(3));
        assert_eq!(record.get(ID).map(|id| id.as_str().len()), Some(4));
        assert_eq!(record.get(WHETHER), Some(true));
        black_box((
            record.duration(),
            record.status(),
            record.context(),
            record.iter_local().count(),
        ));
    }
}

fn work(id: Id) {
    let mut activity = SOURCE.start(&ROOT);
    assert!(activity.is_recording());
    activity.set(COUNT, 1);
    activity.add(COUNT, 2);
    activity.set(ID, id);
    activity.set(WHETHER, true);
    activity.end();
}

#[test]
fn an_activity_without_children_allocates_nothing() {
    let id = Id::new("01ef").expect("an id");
    let _registrations = [Reader, Reader, Reader].map(|reader| SOURCE.register(Arc::new(reader)));
    work(id);
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            work(id);
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(
        SOURCE.stats().listener_panics,
        0,
        "the listeners saw what they expected"
    );
}
