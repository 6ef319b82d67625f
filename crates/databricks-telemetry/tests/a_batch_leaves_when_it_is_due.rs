//! A batch leaves when it is full, at the tick, when asked to, and when the last connection closes.

mod common;

use std::time::Duration;

use common::{PATIENCE, Post, Workspace, attach, facts, forced};
use databricks_telemetry::{Config, Lease, operations};

fn statements(lease: &Lease, count: usize) {
    for _ in 0..count {
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
    }
}

fn sizes(posts: &[Post]) -> Vec<usize> {
    posts.iter().map(|post| post.logs().len()).collect()
}

#[test]
fn when_it_is_full() {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    statements(&lease, 99);
    assert_eq!(
        workspace.posts().len(),
        0,
        "no tick comes within the hour, or it is a very unlikely one"
    );
    statements(&lease, 1);
    assert_eq!(sizes(&workspace.wait_for_posts(1)), [100]);
    statements(&lease, 50);
    lease.close();
    assert_eq!(sizes(&workspace.posts()), [100, 50]);
}

#[test]
fn when_a_batch_of_another_size_is_full() {
    let workspace = Workspace::new();
    let lease = attach(
        &facts(),
        &Config {
            batch_size: 3,
            ..forced()
        },
        &workspace,
    );
    statements(&lease, 3);
    assert_eq!(sizes(&workspace.wait_for_posts(1)), [3]);
    statements(&lease, 7);
    lease.close();
    assert_eq!(workspace.logs().len(), 10);
    assert!(sizes(&workspace.posts()).iter().all(|size| *size <= 3));
}

#[test]
fn at_the_tick() {
    let workspace = Workspace::new();
    let config = Config {
        flush_interval: Duration::from_millis(20),
        ..forced()
    };
    let lease = attach(&facts(), &config, &workspace);
    for round in 1..=3 {
        statements(&lease, 1);
        // Nobody asks for it, and one record does not fill a batch.
        common::until("a tick", || workspace.logs().len() == round);
    }
    lease.close();
}

#[test]
fn when_asked_to() {
    let workspace = Workspace::new();
    let lease = attach(&facts(), &forced(), &workspace);
    statements(&lease, 250);
    assert!(lease.flush(PATIENCE));
    assert_eq!(workspace.logs().len(), 250);
    assert!(sizes(&workspace.posts()).iter().all(|size| *size <= 100));
    assert!(lease.flush(Duration::ZERO) || lease.flush(PATIENCE), "nothing to do");
}

#[test]
fn when_the_last_connection_closes() {
    let workspace = Workspace::new();
    let facts = facts();
    let one = attach(&facts, &forced(), &workspace);
    let other = attach(&facts, &forced(), &workspace);
    statements(&one, 5);
    statements(&other, 5);
    drop(one);
    drop(other);
    assert_eq!(workspace.logs().len(), 10);
}

#[test]
fn when_another_connection_closes() {
    let workspace = Workspace::new();
    let facts = facts();
    let one = attach(&facts, &forced(), &workspace);
    let _other = attach(&facts, &forced(), &workspace);
    statements(&one, 5);
    one.close();
    workspace.wait_for_posts(1);
    assert_eq!(workspace.logs().len(), 5, "the worker of the others sends it");
}
