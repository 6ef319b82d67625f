//! Two users of one host, in one process: each one's records travel with that one's credentials.

mod common;

use std::sync::atomic::Ordering;

use activity::Id;
use common::{PATIENCE, Workspace, attach, facts, flag_answer, forced, patient, refused};
use databricks_telemetry::{FlagOutcome, Identity, Reason, Verdict, operations};

#[test]
fn two_identities_never_share_credentials() {
    let alice = facts();
    let mut bob = alice.clone();
    bob.identity = Identity::of(&[b"pat", b"another token"]);
    let workspaces = [Workspace::new(), Workspace::new()];
    let leases = [
        attach(&alice, &forced(), &workspaces[0]),
        attach(&bob, &forced(), &workspaces[1]),
    ];
    for (lease, session) in leases.iter().zip(["alice", "bob"]) {
        lease.session(Id::new(session).unwrap());
    }
    std::thread::scope(|scope| {
        for lease in &leases {
            scope.spawn(move || {
                for _ in 0..200 {
                    lease.root(&operations::STATEMENT_EXECUTE, None).end();
                }
            });
        }
    });
    for lease in &leases {
        assert!(lease.flush(PATIENCE));
    }
    for (workspace, session) in workspaces.iter().zip(["alice", "bob"]) {
        let logs = workspace.driver_logs();
        assert_eq!(logs.len(), 200);
        assert!(logs.iter().all(|log| log.session_id.as_deref() == Some(session)));
    }
}

#[test]
fn one_users_refused_credentials_do_not_silence_the_other() {
    let alice = facts();
    let mut bob = alice.clone();
    bob.identity = Identity::of(&[b"pat", b"another token"]);
    let (refusing, taking) = (Workspace::new(), Workspace::new());
    refusing.always(refused(401));
    let (refused, taken) = (attach(&alice, &forced(), &refusing), attach(&bob, &forced(), &taking));
    for lease in [&refused, &taken, &refused, &taken] {
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
        assert!(lease.flush(PATIENCE));
    }
    assert_eq!((refusing.posts().len(), taking.posts().len()), (1, 2));
}

#[test]
fn connections_of_one_identity_share_a_worker_and_each_ones_settings_are_obeyed() {
    let facts = facts();
    let workspaces = [Workspace::new(), Workspace::new(), Workspace::new()];
    let one = attach(&facts, &forced(), &workspaces[0]);
    let same = attach(&facts, &forced(), &workspaces[1]);
    let other = attach(
        &facts,
        &databricks_telemetry::Config {
            batch_size: 1,
            ..forced()
        },
        &workspaces[2],
    );
    one.root(&operations::STATEMENT_EXECUTE, None).end();
    same.root(&operations::STATEMENT_EXECUTE, None).end();
    assert!(one.flush(PATIENCE));
    assert_eq!(one.stats().recorded, 2, "one worker, and its counters, for both");
    assert_eq!(
        workspaces[1].logs().len(),
        2,
        "the youngest connection's client is used"
    );
    other.root(&operations::STATEMENT_EXECUTE, None).end();
    workspaces[2].wait_for_posts(1);

    // The client of a closed connection is not used any more.
    same.close();
    one.root(&operations::STATEMENT_EXECUTE, None).end();
    assert!(one.flush(PATIENCE));
    assert_eq!((workspaces[0].logs().len(), workspaces[1].logs().len()), (1, 2));
}

#[test]
fn one_users_wrong_token_does_not_turn_telemetry_off_for_the_other() {
    for status in [401, 403] {
        let alice = facts();
        let [mut bob, mut carol] = [alice.clone(), alice.clone()];
        bob.identity = Identity::of(&[b"pat", b"another token"]);
        carol.identity = Identity::of(&[b"pat", b"a third token"]);
        let [refusing, taking, third] = [Workspace::new(), Workspace::new(), Workspace::new()];
        refusing.flag(FlagOutcome::Refused { status });
        taking.flag(flag_answer(true, None));

        let wrong = attach(&alice, &patient(), &refusing);
        wrong.root(&operations::CONNECTION_OPEN, None).end();
        assert!(wrong.flush(PATIENCE));
        assert_eq!(wrong.decision().reason, Reason::FlagFailed);
        let again = attach(&alice, &patient(), &refusing);
        assert_eq!(
            again.decision().reason,
            Reason::FlagFailed,
            "the user's own refusal is remembered"
        );

        let right = attach(&bob, &patient(), &taking);
        assert_eq!(right.decision().verdict, Verdict::Pending, "{status}");
        right.root(&operations::CONNECTION_OPEN, None).end();
        assert!(right.flush(PATIENCE));
        assert_eq!(right.decision().reason, Reason::FlagOn);
        assert_eq!(taking.logs().len(), 1);

        let shared = attach(&carol, &patient(), &third);
        assert_eq!(shared.decision().reason, Reason::FlagOn, "an answer is everybody's");
        let requests = [&refusing, &taking, &third].map(|workspace| workspace.flag_requests.load(Ordering::SeqCst));
        assert_eq!(requests, [1, 1, 0]);
    }
}
