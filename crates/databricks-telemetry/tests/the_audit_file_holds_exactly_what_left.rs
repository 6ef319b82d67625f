//! With an audit file, each request body is one line of it, in order, and what cannot be written there does not leave.

mod common;

use common::{PATIENCE, Workspace, attach, facts, forced, refused};
use databricks_telemetry::{DropReason, config, operations};

#[test]
fn the_audit_file_holds_exactly_what_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("telemetry.jsonl");
    let workspace = Workspace::new();
    // Retries leave too.
    workspace.answer([refused(500), refused(413)]);
    let mut config = forced();
    config.set(config::AUDIT_FILE, path.to_str().unwrap()).unwrap();
    let facts = facts();
    for _ in 0..2 {
        let lease = attach(&facts, &config, &workspace);
        for _ in 0..3 {
            let mut root = lease.root(&operations::STATEMENT_EXECUTE, None);
            root.fail("error");
            drop(root);
            assert!(lease.flush(PATIENCE));
        }
        let mut opening = lease.root(&operations::CONNECTION_OPEN, None);
        opening.fail("auth_error");
    }
    let left: Vec<_> = workspace.posts().into_iter().map(|post| post.body).collect();
    assert!(left.len() >= 8);
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written.lines().collect::<Vec<_>>(), left);
    assert!(written.ends_with('\n'));
}

#[test]
fn what_cannot_be_written_does_not_leave() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = Workspace::new();
    let mut config = forced();
    config
        .set(
            config::AUDIT_FILE,
            directory.path().join("no such directory/file").to_str().unwrap(),
        )
        .unwrap();
    let lease = attach(&facts(), &config, &workspace);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    assert!(lease.flush(PATIENCE));
    assert_eq!(workspace.posts().len(), 0);
    assert_eq!(lease.stats().dropped(DropReason::Unaudited), 1);
}
