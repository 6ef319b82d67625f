//! What may pass is tried again, up to the number of retries; what will not pass is not; one that is too large is split
//! once.

mod common;

use std::time::Duration;

use common::{PATIENCE, Workspace, attach, facts, forced, refused};
use databricks_telemetry::{Config, DropReason, Outcome, Stats, Unreachable, operations};

/// Sends one batch of `records` to a workspace that answers as told, and then takes everything.
fn send(records: usize, config: Config, outcomes: Vec<Outcome>) -> (usize, Stats) {
    let workspace = Workspace::new();
    workspace.answer(outcomes);
    let lease = attach(&facts(), &config, &workspace);
    for _ in 0..records {
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
    }
    assert!(lease.flush(PATIENCE));
    let posts = workspace.posts();
    assert_eq!(lease.stats().posts, posts.len() as u64);
    (posts.len(), lease.stats())
}

#[test]
fn what_may_pass_is_tried_again() {
    for outcome in [
        refused(408),
        refused(429),
        refused(500),
        refused(503),
        Outcome::TimedOut,
        Outcome::Unreachable(Unreachable::Connection),
    ] {
        let (posts, stats) = send(3, forced(), vec![outcome.clone(), outcome.clone()]);
        assert_eq!((posts, stats.retries, stats.delivered), (3, 2, 3), "{outcome:?}");
    }
}

#[test]
fn up_to_the_number_of_retries() {
    let (posts, stats) = send(3, forced(), vec![refused(500); 10]);
    assert_eq!((posts, stats.retries, stats.refused, stats.delivered), (4, 3, 3, 0));
    let (posts, stats) = send(
        3,
        Config {
            max_retries: 1,
            ..forced()
        },
        vec![Outcome::TimedOut; 10],
    );
    assert_eq!(
        (posts, stats.retries, stats.dropped(DropReason::Undelivered)),
        (2, 1, 3)
    );
    let (posts, _) = send(
        3,
        Config {
            max_retries: 0,
            ..forced()
        },
        vec![refused(500); 10],
    );
    assert_eq!(posts, 1);
}

#[test]
fn no_further_than_the_breaker_allows() {
    let config = Config {
        max_retries: 10,
        ..forced()
    };
    let (posts, stats) = send(3, config, vec![refused(500); 20]);
    assert_eq!((posts, stats.refused), (5, 3), "the breaker counts each attempt");
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for status in [301, 400, 401, 403, 404, 409, 501] {
        let (posts, stats) = send(3, forced(), vec![refused(status); 10]);
        assert_eq!((posts, stats.refused), (1, 3), "{status}");
    }
    for reason in [Unreachable::NameNotResolved, Unreachable::Tls] {
        let (posts, stats) = send(3, forced(), vec![Outcome::Unreachable(reason); 10]);
        assert_eq!((posts, stats.dropped(DropReason::Undelivered)), (1, 3), "{reason:?}");
    }
    let (posts, stats) = send(3, forced(), vec![Outcome::Cancelled; 10]);
    assert_eq!((posts, stats.dropped(DropReason::Cancelled)), (1, 3));
}

#[test]
fn a_server_that_says_when_to_come_back_is_left_alone() {
    for status in [429, 503] {
        let workspace = Workspace::new();
        workspace.answer([Outcome::Refused {
            status,
            retry_after: Some(Duration::from_secs(30)),
        }]);
        let lease = attach(&facts(), &forced(), &workspace);
        for _ in 0..2 {
            lease.root(&operations::STATEMENT_EXECUTE, None).end();
            assert!(lease.flush(PATIENCE));
        }
        assert_eq!(workspace.posts().len(), 1);
        assert_eq!(lease.stats().dropped(DropReason::BreakerOpen), 1);
    }
}

#[test]
fn what_is_too_large_is_split_once() {
    let (posts, stats) = send(5, forced(), vec![refused(413)]);
    assert_eq!((posts, stats.delivered), (3, 5));
    let (posts, stats) = send(5, forced(), vec![refused(413), refused(413)]);
    assert_eq!((posts, stats.delivered, stats.refused), (3, 2, 3));
    let (posts, stats) = send(1, forced(), vec![refused(413)]);
    assert_eq!((posts, stats.refused), (1, 1), "one record cannot be split");
}

#[test]
fn between_attempts_it_waits() {
    let workspace = Workspace::new();
    workspace.answer([refused(500)]);
    let config = Config {
        retry_delay: Duration::from_secs(3600),
        close_timeout: Duration::ZERO,
        ..forced()
    };
    let lease = attach(&facts(), &config, &workspace);
    lease.root(&operations::CONNECTION_OPEN, None).end();
    workspace.wait_for_posts(1);
    assert!(!lease.flush(Duration::from_millis(50)));
    assert_eq!(workspace.posts().len(), 1);
    lease.close();
    common::until("the end of the wait", || lease.stats().dropped(DropReason::Closed) == 1);
    assert_eq!(
        workspace.posts().len(),
        1,
        "closing ends the wait, and nothing is sent any more"
    );
}
