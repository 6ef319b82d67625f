//! Tables of tags are made by the compiler, which refuses those that make no sense. Here the same code runs where a test
//! can watch it: what it makes, and what it refuses.

use std::panic::catch_unwind;
use std::time::Duration;

use activity::testing::Recorder;
use activity::{
    ByteCount, EventKind, Id, Level, Listener, LocalText, Merge, Operation, Record, Scope, Source, Tag, TagDef,
    TagSpec, TagTable, Version,
};

const STATEMENT: EventKind = EventKind::new(1);
const OTHER: EventKind = EventKind::new(2);

activity::closed_enum! {
    /// A form.
    pub enum Form {
        /// Arrow.
        Arrow = "arrow",
        /// JSON.
        Json = "json",
    }
}

activity::tags! {
    /// One tag of each kind.
    pub static TABLE;
    /// Hidden.
    pub const HIDDEN: bool = "hidden", scope: None, merge: Keep;
    /// Text.
    pub const TEXT: LocalText = "text", scope: Local, merge: First;
    /// Count.
    pub const COUNT: u64 = "count", scope: All, merge: Sum, kinds: [STATEMENT, OTHER], required: [STATEMENT];
    /// Slowest.
    pub const SLOWEST: Duration = "slowest", scope: Databricks, merge: Max, kinds: [STATEMENT];
    /// Smallest.
    pub const SMALLEST: i64 = "smallest", scope: All, merge: Min, kinds: [OTHER];
    /// Size.
    pub const SIZE: ByteCount = "size", scope: All, merge: Last, kinds: [OTHER];
    /// Form.
    pub const FORM: Form = "form", scope: All, merge: Keep, kinds: [STATEMENT];
    /// Id.
    pub const ID: Id = "id", scope: All, merge: Keep, kinds: [STATEMENT], required: [STATEMENT];
    /// Version.
    pub const VERSION: Version = "version", scope: All, merge: Keep, kinds: [STATEMENT];
    /// Not exported with anything, although it might be.
    pub const SPARE: bool = "spare", scope: All, merge: Keep;
}

/// The same table, made now.
fn made_now() -> TagTable {
    table(vec![
        TagSpec::<bool>::new("hidden", " Hidden.")
            .scope_none()
            .merge_keep()
            .define(),
        TagSpec::<LocalText>::new("text", " Text.")
            .scope_local()
            .merge_first()
            .define(),
        TagSpec::<u64>::new("count", " Count.")
            .kinds(&[STATEMENT, OTHER])
            .required(&[STATEMENT])
            .scope_all()
            .merge_sum()
            .define(),
        TagSpec::<Duration>::new("slowest", " Slowest.")
            .kinds(&[STATEMENT])
            .scope_databricks()
            .merge_max()
            .define(),
        TagSpec::<i64>::new("smallest", " Smallest.")
            .kinds(&[OTHER])
            .scope_all()
            .merge_min()
            .define(),
        TagSpec::<ByteCount>::new("size", " Size.")
            .kinds(&[OTHER])
            .scope_all()
            .merge_last()
            .define(),
        TagSpec::<Form>::new("form", " Form.")
            .kinds(&[STATEMENT])
            .scope_all()
            .merge_keep()
            .define(),
        TagSpec::<Id>::new("id", " Id.")
            .kinds(&[STATEMENT])
            .required(&[STATEMENT])
            .scope_all()
            .merge_keep()
            .define(),
        TagSpec::<Version>::new("version", " Version.")
            .kinds(&[STATEMENT])
            .scope_all()
            .merge_keep()
            .define(),
        TagSpec::<bool>::new("spare", " Not exported with anything, although it might be.")
            .scope_all()
            .merge_keep()
            .define(),
    ])
}

fn table(tags: Vec<TagDef>) -> TagTable {
    TagTable::new(tags.leak())
}

#[test]
fn a_table_says_the_same_whenever_it_is_made() {
    let made = made_now();
    assert_eq!(format!("{made:?}"), format!("{TABLE:?}"));
    assert_eq!((made.len(), made.is_empty()), (10, false));
    assert!(table(Vec::new()).is_empty());

    // What leaves is listed with its kind, and nothing else is.
    let names = |kind| made.exported_names(kind).collect::<Vec<_>>();
    assert_eq!(names(STATEMENT), ["count", "slowest", "form", "id", "version"]);
    assert_eq!(names(OTHER), ["count", "smallest", "size"]);
    assert_eq!(names(EventKind::NONE), [""; 0]);
    assert_eq!(made.required_names(STATEMENT).collect::<Vec<_>>(), ["count", "id"]);
    assert_eq!(made.required(OTHER), 0);
    assert!(made.is_exported(OTHER, "size") && !made.is_exported(STATEMENT, "size"));
    for name in ["hidden", "text", "spare", "no such tag"] {
        assert!(
            !made.is_exported(STATEMENT, name) && !made.is_exported(OTHER, name),
            "{name}"
        );
    }
    for (at, tag) in made.iter().enumerate() {
        let kinds: Vec<_> = tag.kinds().collect();
        for kind in [STATEMENT, OTHER] {
            assert_eq!(tag.is_exported(kind), kinds.contains(&kind), "{}", tag.name());
            assert_eq!(
                made.exported(kind) & 1 << at != 0,
                tag.is_exported(kind),
                "{}",
                tag.name()
            );
            assert_eq!(
                tag.is_required(kind),
                made.required(kind) & 1 << at != 0,
                "{}",
                tag.name()
            );
        }
        assert!(kinds.is_empty() || tag.scope().is_remote(), "{}", tag.name());
        assert!(tag.description().ends_with('.'));
    }
    assert_eq!(made.find("form").unwrap().variants(), ["arrow", "json"]);
    assert_eq!(made.find("text").unwrap().variants(), [""; 0]);
    assert_eq!(made.find("size").unwrap().type_name(), "bytes");
    assert!(made.find("no such tag").is_none());
}

#[test]
fn a_handle_is_found_by_name_and_type() {
    let made: &'static TagTable = Box::leak(Box::new(made_now()));
    let count = Tag::<u64>::in_table(made, "count");
    assert_eq!((count.name(), count.slot()), ("count", COUNT.slot()));
    assert_eq!((count.scope(), count.merge()), (Scope::All, Merge::Sum));
    assert!(std::ptr::eq(count.table(), made) && std::ptr::eq(count.definition(), made.find("count").unwrap()));
    assert_eq!(format!("{count:?} {:?}", Tag::clone(&count)), "Tag(count) Tag(count)");
    assert!(Scope::Databricks.is_remote() && !Scope::Databricks.is_local() && Scope::Local.is_local());
    assert!(!Scope::None.is_remote() && !Scope::None.is_local());
    refuses("no such tag in the table", || {
        Tag::<u64>::in_table(&TABLE, "no such tag")
    });
    refuses("type of the tag differs", || Tag::<bool>::in_table(&TABLE, "count"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let tag = |name: &'static str| TagSpec::<u64>::new(name, " A tag.").scope_all().define();
    refuses("a table has at most 64 tags", move || {
        let names = (0..65).map(|at| &*format!("tag_{at}").leak());
        table(names.map(tag).collect())
    });
    refuses("two tags have the same name", move || {
        table(vec![tag("same"), tag("other"), tag("same")])
    });
    for name in ["", "Upper", "a b", "a-b", "ä", &*"x".repeat(65).leak()] {
        refuses("a tag name has 1 to 64 characters", move || table(vec![tag(name)]));
    }
    refuses("stays on this machine is exported with no kind", || {
        table(vec![
            TagSpec::<LocalText>::new("sql", "")
                .kinds(&[STATEMENT])
                .scope_local()
                .define(),
        ])
    });
    refuses("a tag is required only where it is exported", || {
        table(vec![
            TagSpec::<u64>::new("tag", "")
                .kinds(&[OTHER])
                .required(&[STATEMENT])
                .scope_all()
                .define(),
        ])
    });
    refuses("nothing is exported with EventKind::NONE", || {
        table(vec![
            TagSpec::<u64>::new("tag", "")
                .kinds(&[EventKind::NONE])
                .scope_all()
                .define(),
        ])
    });
}

fn refuses<T>(why: &str, make: impl FnOnce() -> T + std::panic::UnwindSafe) {
    let refusal = catch_unwind(make).err().unwrap_or_else(|| panic!("not refused: {why}"));
    let said = refusal
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| refusal.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    assert!(said.contains(why), "{said}");
}

static SOURCE: Source = Source::new("tables", &TABLE);
static EXECUTE: Operation = Operation::new("Execute", STATEMENT);

/// Looks at records as an exporter does.
struct Exporting;

impl Listener for Exporting {
    fn level(&self) -> Level {
        Level::Trace
    }
    fn completed(&self, record: &Record<'_>) {
        for kind in [STATEMENT, OTHER, EventKind::NONE] {
            let remote = record.remote(kind);
            assert_eq!(remote.kind(), kind);
            let names: Vec<_> = remote.iter().map(|(tag, _)| tag.name()).collect();
            assert_eq!(
                names,
                TABLE.exported_names(kind).collect::<Vec<_>>(),
                "all of them were set"
            );
            assert_eq!(remote.missing().count(), 0);
            assert!(!format!("{remote:?}").contains("DROP TABLE"));
            assert_eq!(remote.get(COUNT).is_some(), kind != EventKind::NONE);
            assert_eq!(remote.get(SPARE), None);
        }
        assert_eq!(record.get(TEXT).unwrap().as_str(), "DROP TABLE t");
    }
}

#[test]
fn a_record_shows_for_export_what_the_table_allows() {
    let recorder = Recorder::new(Level::Trace);
    let registrations = [
        SOURCE.register(std::sync::Arc::new(Exporting)),
        recorder.listen_to(&SOURCE),
    ];
    let mut activity = SOURCE.start(&EXECUTE);
    activity.set(HIDDEN, true);
    activity.set_text(TEXT, || "DROP TABLE t".to_owned());
    activity.set(COUNT, 1);
    activity.set(SLOWEST, Duration::from_secs(1));
    activity.set(SMALLEST, -1);
    activity.set(SIZE, ByteCount(1));
    activity.set(FORM, Form::Arrow);
    activity.set(ID, Id::new("id").unwrap());
    activity.set(VERSION, Version::new("1.0").unwrap());
    activity.set(SPARE, true);
    activity.end();
    assert!(
        registrations.iter().all(|registration| registration.is_active()),
        "nothing was refused above"
    );
    assert_eq!(recorder.completed_count(), 1);
}
