//! Who refuses telemetry still has local diagnostics; and a local listener changes nothing about who sends telemetry.

mod common;

use std::sync::{Arc, Mutex};

use activity::{Id, Level, Listener, Record};
use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{Config, SOURCE, operations, tags};

struct Local {
    seen: Mutex<Vec<(&'static str, Option<Id>)>>,
}

impl Listener for Local {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn completed(&self, record: &Record<'_>) {
        self.seen
            .lock()
            .unwrap()
            .push((record.operation().name(), record.get(tags::SESSION_ID)));
    }
}

#[test]
fn a_local_listener_needs_no_telemetry() {
    let (on, off) = (Workspace::new(), Workspace::new());
    let sending = attach(&facts(), &forced(), &on);
    let refusing = attach(
        &facts(),
        &Config {
            enabled: Some(false),
            ..common::patient()
        },
        &off,
    );
    assert!(sending.root(&operations::STATEMENT_CANCEL, None).is_recording());
    assert!(
        !refusing.root(&operations::STATEMENT_CANCEL, None).is_recording(),
        "only the other one's telemetry listens"
    );

    let local = Arc::new(Local { seen: Mutex::default() });
    let registration = SOURCE.register(Arc::clone(&local) as _);
    let session = Id::new("a-session").unwrap();
    refusing.session(session);
    refusing.root(&operations::STATEMENT_EXECUTE, None).end();
    sending.root(&operations::STATEMENT_UPDATE, None).end();
    drop(registration);
    assert_eq!(
        *local.seen.lock().unwrap(),
        [("Statement.Execute", Some(session)), ("Statement.Update", None)]
    );

    assert!(sending.flush(PATIENCE));
    assert_eq!(on.logs().len(), 2);
    assert_eq!(off.posts().len(), 0);
    refusing.close();
    sending.close();
    assert!(!sending.root(&operations::STATEMENT_CANCEL, None).is_recording());
}
