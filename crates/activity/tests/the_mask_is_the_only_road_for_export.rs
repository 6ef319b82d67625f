//! Whatever was recorded, the remote view shows what is on the allow-list of the kind of event, and nothing else.

use std::sync::{Arc, Mutex};

use activity::{EventKind, Id, Level, Listener, LocalText, Operation, Record, RemoteValue, Source, Version};

const CONNECTION: EventKind = EventKind::new(1);
const STATEMENT: EventKind = EventKind::new(2);

activity::tags! {
    /// All scopes.
    pub static TAGS;
    /// Not on any list.
    pub const HIDDEN: u64 = "hidden", scope: None, merge: Keep;
    /// On this machine.
    pub const LOCAL: u64 = "local", scope: Local, merge: Keep;
    /// The text.
    pub const SQL: LocalText = "db.query.text", scope: Local, merge: Keep;
    /// Remote, with statements only.
    pub const POLLS: u64 = "polls", scope: Databricks, merge: Sum, kinds: [STATEMENT], required: [STATEMENT];
    /// Everywhere.
    pub const SESSION: Id = "session.id", scope: All, merge: Keep, kinds: [CONNECTION, STATEMENT];
    /// Remote, with connections only.
    pub const VERSION: Version = "driver.version", scope: All, merge: Keep, kinds: [CONNECTION], required: [CONNECTION];
    /// Never set.
    pub const CHUNKS: u64 = "chunks", scope: All, merge: Sum, kinds: [STATEMENT], required: [STATEMENT];
}

static SOURCE: Source = Source::new("mask", &TAGS);
static EXECUTE: Operation = Operation::new("Execute", STATEMENT);

#[derive(Default)]
struct Seen {
    statement: Vec<(&'static str, RemoteValue)>,
    connection: Vec<(&'static str, RemoteValue)>,
    none: usize,
    local: Vec<&'static str>,
    missing: Vec<&'static str>,
}

#[derive(Default)]
struct Exporter(Mutex<Seen>);

impl Listener for Exporter {
    fn level(&self) -> Level {
        Level::Trace
    }

    fn completed(&self, record: &Record<'_>) {
        let values = |kind| {
            record
                .remote(kind)
                .iter()
                .map(|(tag, value)| (tag.name(), value))
                .collect()
        };
        let statement = record.remote(STATEMENT);
        assert_eq!(statement.get(HIDDEN), None);
        assert_eq!(statement.get(LOCAL), None);
        assert_eq!(statement.get(POLLS), Some(3));
        assert_eq!(statement.get(VERSION), None, "exported with connections only");
        assert_eq!(record.get(HIDDEN), Some(1), "code that names a tag reads it");
        *self.0.lock().unwrap() = Seen {
            statement: values(STATEMENT),
            connection: values(CONNECTION),
            none: record.remote(EventKind::NONE).iter().count(),
            local: record.iter_local().map(|(tag, _)| tag.name()).collect(),
            missing: statement.missing().map(|tag| tag.name()).collect(),
        };
    }
}

#[test]
fn the_mask_is_the_only_road_for_export() {
    let exporter = Arc::new(Exporter::default());
    let _registration = SOURCE.register(Arc::<Exporter>::clone(&exporter));
    let (session, version) = (Id::new("01ef-77").unwrap(), Version::new("1.2.3").unwrap());
    let mut activity = SOURCE.start(&EXECUTE);
    activity.set(HIDDEN, 1);
    activity.set(LOCAL, 2);
    activity.set_text(SQL, || "SELECT secret".into());
    activity.set(POLLS, 3);
    activity.set(SESSION, session);
    activity.set(VERSION, version);
    activity.end();

    assert_eq!(SOURCE.stats().listener_panics, 0);
    let seen = exporter.0.lock().unwrap();
    assert_eq!(
        seen.statement,
        [("polls", RemoteValue::U64(3)), ("session.id", RemoteValue::Id(session))]
    );
    let connection = [
        ("session.id", RemoteValue::Id(session)),
        ("driver.version", RemoteValue::Version(version)),
    ];
    assert_eq!(seen.connection, connection);
    assert_eq!(seen.none, 0);
    assert_eq!(seen.local, ["local", "db.query.text", "session.id", "driver.version"]);
    assert_eq!(seen.missing, ["chunks"]);
}

#[test]
fn the_table_answers_for_the_catalogue() {
    assert_eq!(TAGS.len(), 7);
    assert_eq!(TAGS.exported(STATEMENT).count_ones(), 3);
    assert_eq!(TAGS.exported(EventKind::NONE), 0);
    assert_eq!(
        TAGS.exported_names(CONNECTION).collect::<Vec<_>>(),
        ["session.id", "driver.version"]
    );
    assert_eq!(TAGS.required_names(STATEMENT).collect::<Vec<_>>(), ["polls", "chunks"]);
    assert!(TAGS.is_exported(STATEMENT, "polls"));
    assert!(!TAGS.is_exported(CONNECTION, "polls"));
    assert!(!TAGS.is_exported(STATEMENT, "db.query.text"));
    assert!(!TAGS.is_exported(STATEMENT, "no.such.tag"));
    let polls = TAGS.find("polls").unwrap();
    assert_eq!(
        (polls.type_name(), polls.description()),
        ("u64", "Remote, with statements only.")
    );
    assert_eq!(polls.kinds().collect::<Vec<_>>(), [STATEMENT]);
    assert!(polls.is_required(STATEMENT) && !polls.is_required(CONNECTION));
    for tag in TAGS.iter() {
        assert!(tag.kinds().count() == 0 || tag.scope().is_remote(), "{}", tag.name());
    }
}
