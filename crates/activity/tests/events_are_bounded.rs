//! An activity keeps its last 8 events and counts the others; below `Trace` it keeps none, and makes no text.

use std::time::Duration;

use activity::testing::{ManualClock, Recorder};
use activity::{EventKind, EventValue, Level, LocalText, Operation, Source};

activity::tags! {
    /// A text.
    pub static TAGS;
    /// The statement's text.
    pub const SQL: LocalText = "sql", scope: Local, merge: Keep;
}

static ROOT: Operation = Operation::new("Root", EventKind::NONE);

#[test]
fn events_are_bounded() {
    static CLOCK: ManualClock = ManualClock::new();
    static SOURCE: Source = Source::with_clock("events", &TAGS, &CLOCK);
    let recorder = Recorder::new(Level::Trace);
    let _registration = recorder.listen_to(&SOURCE);
    let mut root = SOURCE.start(&ROOT);
    for index in 0..20u64 {
        CLOCK.advance(Duration::from_millis(1));
        root.event("chunk", &[("index", index.into())]);
    }
    let many: Vec<_> = (0..100u64).map(|number| ("field", EventValue::U64(number))).collect();
    root.event("many", &many);
    root.end();

    let root = &recorder.completed()[0];
    assert_eq!((root.events.len(), root.dropped_events), (8, 13));
    assert_eq!(root.events[0].fields(), [("index", EventValue::U64(13))]);
    assert_eq!(root.events[0].after(), Duration::from_millis(14));
    assert_eq!((root.events[7].name(), root.events[7].fields().len()), ("many", 8));
    assert_eq!(SOURCE.stats().dropped_events, 13);
}

#[test]
fn text_is_bounded_and_made_only_when_asked_for() {
    static SOURCE: Source = Source::new("text", &TAGS);
    let recorder = Recorder::new(Level::Metrics);
    let metrics = recorder.listen_to(&SOURCE);
    let mut root = SOURCE.start(&ROOT);
    root.set_text(SQL, || unreachable!("nobody traces"));
    root.set(SQL, LocalText::new("SELECT 1"));
    root.event("event", &[]);
    root.end();
    let root = &recorder.completed()[0];
    assert_eq!((root.get(SQL), root.events.len(), root.dropped_events), (None, 0, 0));
    drop(metrics);

    let recorder = Recorder::new(Level::Trace);
    let _trace = recorder.listen_to(&SOURCE);
    let mut root = SOURCE.start(&ROOT);
    root.set_text(SQL, || "é".repeat(LocalText::MAX_BYTES));
    root.end();
    let text = recorder.completed()[0].get(SQL).unwrap();
    assert_eq!((text.as_str().len(), text.is_truncated()), (LocalText::MAX_BYTES, true));
    assert_eq!(format!("{text:?}"), "LocalText(8192 bytes)");
}
