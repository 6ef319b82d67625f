//! SQL text, addresses and whatever else is local never reach the wire, even while a local listener asks for all of it.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use activity::{EventValue, Level, Listener, Record};
use common::{PATIENCE, Workspace, attach, forced};
use databricks_telemetry::{Auth, ConnectionFacts, Identity, SOURCE, operations, tags};

const CANARY: &str = "canary";

#[derive(Default)]
struct Curious {
    canaries: AtomicUsize,
}

impl Listener for Curious {
    fn level(&self) -> Level {
        Level::Trace
    }

    fn completed(&self, record: &Record<'_>) {
        let seen = record
            .iter_local()
            .filter(|(_, value)| value.to_string().contains(CANARY))
            .count();
        self.canaries.fetch_add(seen, Ordering::SeqCst);
    }
}

#[test]
fn sql_text_never_reaches_the_wire() {
    let curious = Arc::new(Curious::default());
    let _registration = SOURCE.register(Arc::clone(&curious) as _);
    let workspace = Workspace::new();
    let identity = Identity::of(&[b"pat", b"canary-token"]);
    let facts = ConnectionFacts::new("canary.example.com", identity, Auth::PersonalAccessToken);
    let mut config = forced();
    config
        .set("adbc.databricks.telemetry.client_app_name", "canary in two words")
        .unwrap();
    let lease = attach(&facts, &config, &workspace);

    lease.root(&operations::CONNECTION_OPEN, None).end();
    for operation in operations::OPERATIONS {
        let mut root = lease.root(operation, None);
        root.set_text(tags::DB_STATEMENT, || "SELECT 'canary'".to_owned());
        root.set_text(tags::SERVER_ADDRESS, || "canary.example.com".to_owned());
        root.event("canary", &[("canary", EventValue::from("canary".to_owned()))]);
        let mut child = root.child(&operations::STATEMENT_SUBMIT);
        child.set_text(tags::DB_STATEMENT, || "SELECT 'canary'".to_owned());
        child.fail("canary in a child");
        drop(child);
        root.fail("canary in an error");
    }
    assert!(lease.flush(PATIENCE));

    let posts = workspace.posts();
    assert!(workspace.logs().len() > 7, "the records were sent");
    assert!(
        curious.canaries.load(Ordering::SeqCst) > 7,
        "the canary was there to be seen"
    );
    for post in posts {
        assert!(!post.body.contains(CANARY), "{}", post.body);
    }
    assert!(!format!("{lease:?}").contains(CANARY));
}
