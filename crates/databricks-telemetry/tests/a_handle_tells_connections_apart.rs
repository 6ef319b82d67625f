//! A listener finds, on every activity of a connection, the handle that the connection was given, whatever telemetry
//! says; and finds none on those of other connections.

mod common;

use std::sync::{Arc, Mutex};

use activity::{Level, Listener, Record, Started};
use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{Config, Routed as _, SOURCE, operations};

struct Tenant(&'static str);

#[derive(Default)]
struct Book {
    started: Mutex<Vec<&'static str>>,
    completed: Mutex<Vec<(&'static str, &'static str)>>,
}

impl Listener for Book {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn started(&self, activity: &Started<'_>) {
        let tenant = activity.handle::<Tenant>().map_or("nobody", |tenant| tenant.0);
        self.started.lock().unwrap().push(tenant);
    }

    fn completed(&self, record: &Record<'_>) {
        assert!(record.handle::<String>().is_none(), "a handle has its own type only");
        let tenant = record.handle::<Tenant>().map_or("nobody", |tenant| tenant.0);
        let mut completed = self.completed.lock().unwrap();
        completed.push((tenant, record.operation().name()));
    }
}

#[test]
fn a_handle_tells_connections_apart() {
    let (on, off) = (Workspace::new(), Workspace::new());
    let refusal = Config {
        enabled: Some(false),
        ..common::patient()
    };
    let book = Arc::new(Book::default());
    let registration = SOURCE.register(Arc::clone(&book) as _);
    let sending = attach(&facts(), &forced(), &on).with_handle(Arc::new(Tenant("sending")));
    let refusing = attach(&facts(), &refusal, &off).with_handle(Arc::new(Tenant("refusing")));
    let bare = attach(&facts(), &forced(), &on);

    let root = refusing.root(&operations::STATEMENT_EXECUTE, None);
    let parent = root.parent_handle();
    root.end();
    std::thread::spawn(move || parent.child(&operations::CLOUDFETCH_DOWNLOAD).end())
        .join()
        .unwrap();
    sending.root(&operations::STATEMENT_UPDATE, None).end();
    bare.root(&operations::STATEMENT_CANCEL, None).end();
    drop(registration);

    assert_eq!(
        *book.started.lock().unwrap(),
        ["refusing", "refusing", "sending", "nobody"]
    );
    let completed = book.completed.lock().unwrap();
    assert_eq!(
        *completed,
        [
            ("refusing", "CloudFetch.Download"),
            ("refusing", "Statement.Execute"),
            ("sending", "Statement.Update"),
            ("nobody", "Statement.Cancel"),
        ]
    );
    assert!(sending.flush(PATIENCE) && bare.flush(PATIENCE));
    assert_eq!(on.logs().len(), 2, "a handle changes nothing about telemetry");
    assert_eq!(off.posts().len(), 0);
}
