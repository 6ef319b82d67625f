//! The sampled flag comes from the caller outside, and listening never sets it.

use activity::testing::Recorder;
use activity::{EventKind, Level, Operation, Source, SpanContext};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static SOURCE: Source = Source::new("sampled", &TAGS);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[test]
fn recorded_does_not_mean_sampled() {
    let recorder = Recorder::new(Level::Trace);
    let _registration = recorder.listen_to(&SOURCE);

    for flag in [0, 1] {
        let text = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{flag}");
        let outside = SpanContext::parse_traceparent(&text).unwrap();
        let root = SOURCE.root(&ROOT).parent(outside).start();
        let child = root.child(&CHILD);
        let (root, child) = (root.context().unwrap(), child.context().unwrap());
        assert_eq!((root.is_sampled(), child.is_sampled()), (flag == 1, flag == 1));
        assert_eq!(
            (root.trace_id(), child.trace_id()),
            (outside.trace_id(), outside.trace_id())
        );
        assert_ne!(root.span_id(), outside.span_id());
        assert_ne!(root.span_id(), child.span_id());
    }
    let alone = SOURCE.start(&ROOT);
    assert!(alone.is_recording());
    assert!(!alone.context().unwrap().is_sampled());
    drop(alone);

    let roots = recorder.completed_of(&ROOT);
    let parents: Vec<bool> = roots.iter().map(|root| root.parent_context.is_some()).collect();
    assert_eq!(parents, [true, true, false]);
    assert_eq!(recorder.completed_of(&CHILD)[0].parent_context, Some(roots[0].context));
}
