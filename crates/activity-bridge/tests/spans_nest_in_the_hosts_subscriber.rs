//! Activities are live spans of the application's own subscriber, which stays as it was.
#![cfg(feature = "tracing")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use activity::Source;
use activity_bridge::TracingListener;
use support::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher, subscriber};

/// The host's subscriber: remembers spans, and which is current (the tests enter spans on one thread).
#[derive(Clone, Default)]
struct Host {
    next: Arc<AtomicU64>,
    spans: Arc<Mutex<HashMap<u64, Seen>>>,
    entered: Arc<Mutex<Vec<Id>>>,
    refuses: Option<&'static str>,
    /// How often a span was let go where this subscriber was not the current one.
    closed_abroad: Arc<AtomicU64>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
    handles: i64,
    order: u64,
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

impl Host {
    fn change(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        change(spans.entry(id.into_u64()).or_default());
    }

    fn spans(&self) -> Vec<Seen> {
        let mut spans = self.spans.lock().unwrap().values().cloned().collect::<Vec<_>>();
        spans.sort_by_key(|span| span.order);
        spans
    }

    /// The names from a span up to the root.
    fn path(&self, span: &Seen) -> Vec<String> {
        let spans = self.spans.lock().unwrap();
        let mut path = vec![span.fields["otel.name"].clone()];
        let mut at = span;
        while let Some(parent) = at.parent.and_then(|parent| spans.get(&parent)) {
            path.push(parent.fields["otel.name"].clone());
            at = parent;
        }
        path
    }
}

impl Subscriber for Host {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.refuses != Some(metadata.target())
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let order = 1 + self.next.fetch_add(1, Ordering::SeqCst);
        let contextual = self.entered.lock().unwrap().last().map(Id::into_u64);
        let explicit = attributes.parent().map(Id::into_u64);
        let mut seen = Seen {
            parent: explicit.or_else(|| attributes.is_contextual().then_some(contextual).flatten()),
            handles: 1,
            order,
            ..Seen::default()
        };
        attributes.record(&mut seen);
        self.spans.lock().unwrap().insert(order, seen);
        Id::from_u64(order)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.change(id, |seen| values.record(seen));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        self.entered.lock().unwrap().push(id.clone());
    }

    fn exit(&self, _: &Id) {
        self.entered.lock().unwrap().pop();
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.change(id, |seen| seen.handles += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let is_home = |current: &Dispatch| {
            current
                .downcast_ref::<Host>()
                .is_some_and(|host| Arc::ptr_eq(&host.spans, &self.spans))
        };
        if !dispatcher::get_default(is_home) {
            self.closed_abroad.fetch_add(1, Ordering::SeqCst);
        }
        self.change(&id, |seen| seen.handles -= 1);
        false
    }
}

#[test]
fn spans_nest_in_the_hosts_subscriber() {
    let host = Host::default();
    let registration = SOURCE.register(Arc::new(TracingListener::new()));
    subscriber::with_default(host.clone(), || {
        let request = tracing::info_span!("request", otel.name = "GET /report");
        request.in_scope(run_statement);
        drop(request);
        assert!(dispatcher::get_default(|current| current.is::<Host>()));
    });
    drop(registration);
    assert!(dispatcher::get_default(|current| current.is::<NoSubscriber>()));

    let paths = host
        .spans()
        .iter()
        .map(|span| host.path(span).join(" < "))
        .collect::<Vec<_>>();
    let expected = [
        "GET /report",
        "Statement.Execute < GET /report",
        "Statement.Poll < Statement.Execute < GET /report",
        "Statement.Poll < Statement.Execute < GET /report",
        "Chunk.Download < Statement.Execute < GET /report",
        "Http.Request < Chunk.Download < Statement.Execute < GET /report",
    ];
    assert_eq!(paths, expected);
    // All are closed: nobody holds a span any more.
    assert!(host.spans().iter().all(|span| span.handles == 0));

    let spans = host.spans();
    let fields = |span: usize, names: &[&str]| {
        let fields = &spans[span].fields;
        names
            .iter()
            .map(|name| fields.get(name).cloned().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let names = [
        "otel.kind",
        "otel.status_code",
        "error.type",
        "duration_ns",
        "activity.source",
    ];
    assert_eq!(fields(1, &names), ["client", "OK", "", "6000000", "test.source"]);
    assert_eq!(
        fields(5, &names),
        ["internal", "ERROR", "timeout", "1000000", "test.source"]
    );
    assert_eq!(fields(2, &["attributes"]), ["poll.count=1"]);
    let attributes = "poll.count=2 bytes=4096 B slowest=5ms format=EXTERNAL_LINKS compressed=true drift=-2 \
                      statement.id=01f0-ab version=18.1";
    assert_eq!(fields(1, &["attributes"]), [attributes]);
    assert_eq!(fields(1, &["activity.trace_id"]), fields(5, &["activity.trace_id"]));
    assert!(!format!("{spans:?}").contains("secret"));
}

#[test]
fn a_tree_stays_with_the_subscriber_of_its_root() {
    let (host, other) = (Host::default(), Host::default());
    let registration = THREADS.register(Arc::new(TracingListener::new()));
    let root = subscriber::with_default(host.clone(), || THREADS.start(&EXECUTE));
    let parent = root.parent_handle();
    // A thread without a subscriber, and one that has another.
    std::thread::scope(|scope| {
        scope.spawn(|| parent.child(&POLL).end());
        scope.spawn(|| subscriber::with_default(other.clone(), || parent.child(&POLL).end()));
    });
    drop((root, parent));
    THREADS.start(&EXECUTE).end();
    drop(registration);
    let names = host
        .spans()
        .iter()
        .map(|span| host.path(span).join(" < "))
        .collect::<Vec<_>>();
    assert_eq!(
        names,
        [
            "Statement.Execute",
            "Statement.Poll < Statement.Execute",
            "Statement.Poll < Statement.Execute"
        ]
    );
    assert!(host.spans().iter().all(|span| span.handles == 0));
    // A registry that counts on it would not close the parents otherwise.
    assert_eq!(host.closed_abroad.load(Ordering::SeqCst), 0);
    assert!(other.spans().is_empty());
}

#[test]
fn a_host_that_filters_the_root_out_sees_no_children() {
    let host = Host {
        refuses: Some("activity"),
        ..Host::default()
    };
    let listener = Arc::new(TracingListener::new());
    let registration = REFUSED.register(Arc::<TracingListener>::clone(&listener));
    subscriber::with_default(host.clone(), || {
        let root = REFUSED.start(&EXECUTE);
        root.child(&POLL).end();
    });
    drop(registration);
    assert!(host.spans().is_empty());
    assert_eq!(listener.dropped(), 0);
}

#[test]
fn dropping_the_registration_closes_the_spans() {
    let host = Host::default();
    let registration = DROPPED.register(Arc::new(TracingListener::new().with_text(true)));
    let mut root = subscriber::with_default(host.clone(), || DROPPED.start(&EXECUTE));
    root.set_text(SQL, || "SELECT 'secret'".into());
    let child = root.child(&POLL);
    drop(registration);
    assert_eq!(host.spans().iter().map(|span| span.handles).collect::<Vec<_>>(), [0, 0]);
    drop((root, child));
    assert!(
        host.spans()
            .iter()
            .all(|span| span.handles == 0 && !span.fields.contains_key("otel.status_code"))
    );
}

#[test]
fn open_spans_are_bounded_and_the_rest_is_counted() {
    let host = Host::default();
    let listener = Arc::new(TracingListener::new());
    let registration = BOUNDED.register(Arc::<TracingListener>::clone(&listener));
    subscriber::with_default(host.clone(), || {
        let roots = (0..16_384 + 3).map(|_| BOUNDED.start(&EXECUTE)).collect::<Vec<_>>();
        assert_eq!(listener.dropped(), 3);
        drop(roots);
        BOUNDED.start(&EXECUTE).end();
    });
    drop(registration);
    assert_eq!(listener.dropped(), 3);
    assert_eq!(host.spans().len(), 16_384 + 1);
    assert!(host.spans().iter().all(|span| span.handles == 0));
}

static THREADS: Source = Source::new("threads", &TAGS);
static REFUSED: Source = Source::new("refused", &TAGS);
static DROPPED: Source = Source::new("dropped", &TAGS);
static BOUNDED: Source = Source::new("bounded", &TAGS);
