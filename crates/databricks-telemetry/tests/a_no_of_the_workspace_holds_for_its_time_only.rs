//! A flag that is off, or could not be had, keeps telemetry off until its answer expires; then the next root has it asked
//! for again, once, and a connection that is still open goes by the new answer.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use common::{PATIENCE, Workspace, facts, flag_answer, patient};
use databricks_telemetry::enable::Environment;
use databricks_telemetry::{
    Config, ConnectionFacts, DropReason, FlagOutcome, Identity, Lease, Reason, Telemetry, Verdict, operations,
};

/// One clock per test, in milliseconds; they stand still unless the test moves them.
static CLOCKS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

fn clock<const TEST: usize>() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now) + Duration::from_millis(CLOCKS[TEST].load(Ordering::SeqCst))
}

fn pass<const TEST: usize>(time: Duration) {
    let millis = u64::try_from(time.as_millis()).unwrap();
    CLOCKS[TEST].fetch_add(millis, Ordering::SeqCst);
}

fn attach<const TEST: usize>(facts: &ConnectionFacts, config: &Config, workspace: &Arc<Workspace>) -> Lease {
    let transport = Arc::clone(workspace) as _;
    let environment = Environment::default();
    Telemetry::attach_at(clock::<TEST>, environment, facts.clone(), config.clone(), transport)
}

/// Runs a statement; says whether it was recorded.
fn execute(lease: &Lease) -> bool {
    let root = lease.root(&operations::STATEMENT_EXECUTE, None);
    let recorded = root.is_recording();
    root.end();
    assert!(lease.flush(PATIENCE));
    recorded
}

fn questions(workspace: &Workspace) -> usize {
    workspace.flag_requests.load(Ordering::SeqCst)
}

const TICK: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Every way to say no, what it is called, and for how long it holds.
fn refusals() -> [(FlagOutcome, Reason, DropReason, Duration); 4] {
    [
        (
            FlagOutcome::Unavailable,
            Reason::FlagFailed,
            DropReason::FlagFailed,
            MINUTE,
        ),
        (
            FlagOutcome::Refused { status: 503 },
            Reason::FlagFailed,
            DropReason::FlagFailed,
            MINUTE,
        ),
        (
            FlagOutcome::Refused { status: 401 },
            Reason::FlagFailed,
            DropReason::FlagFailed,
            MINUTE,
        ),
        (
            flag_answer(false, Some(1800)),
            Reason::FlagOff,
            DropReason::FlagOff,
            30 * MINUTE,
        ),
    ]
}

#[test]
fn an_open_connection_recovers() {
    for (outcome, reason, dropped, holds) in refusals() {
        let workspace = Workspace::new();
        workspace.flag(outcome);
        let lease = attach::<0>(&facts(), &patient(), &workspace);
        assert!(execute(&lease));
        assert_eq!(lease.decision().reason, reason);
        assert_eq!(lease.stats().dropped(dropped), 1);

        workspace.flag(flag_answer(true, None));
        assert!(!execute(&lease));
        pass::<0>(holds - TICK);
        assert!(!execute(&lease), "{reason:?} holds to the end of its time");
        assert_eq!(questions(&workspace), 1);

        pass::<0>(TICK);
        assert_eq!(lease.decision().verdict, Verdict::Pending, "and no longer");
        assert_eq!(questions(&workspace), 1, "nobody asks before there is a record");
        assert!(execute(&lease));
        assert_eq!(lease.decision().reason, Reason::FlagOn);
        assert_eq!((questions(&workspace), workspace.logs().len()), (2, 1));
    }
}

#[test]
fn a_connection_that_begins_during_a_no_recovers() {
    for (outcome, reason, _, holds) in refusals() {
        let workspace = Workspace::new();
        workspace.flag(outcome);
        let facts = facts();
        let first = attach::<1>(&facts, &patient(), &workspace);
        assert!(execute(&first));
        first.close();

        let lease = attach::<1>(&facts, &patient(), &workspace);
        assert_eq!(lease.decision().reason, reason);
        assert!(!execute(&lease));
        assert_eq!(questions(&workspace), 1);

        workspace.flag(flag_answer(true, None));
        pass::<1>(holds);
        assert!(execute(&lease), "{reason:?}");
        assert_eq!(lease.decision().reason, Reason::FlagOn);
        assert_eq!((questions(&workspace), workspace.logs().len()), (2, 1));
    }
}

#[test]
fn a_flag_that_stays_off_is_asked_for_once_per_time_and_host() {
    for (outcome, holds) in [
        (FlagOutcome::Refused { status: 500 }, MINUTE),
        (flag_answer(false, Some(600)), 10 * MINUTE),
    ] {
        let workspace = Workspace::new();
        workspace.flag(outcome);
        let alice = facts();
        let mut bob = alice.clone();
        bob.identity = Identity::of(&[b"pat", b"another token"]);
        let hasty = Config {
            batch_size: 1,
            ..patient()
        };
        let leases: Vec<_> = [
            (&alice, &patient()),
            (&alice, &hasty),
            (&bob, &patient()),
            (&bob, &hasty),
        ]
        .map(|(facts, config)| attach::<2>(facts, config, &workspace))
        .into();
        for times in 1..=5 {
            std::thread::scope(|scope| {
                for lease in &leases {
                    scope.spawn(|| {
                        for _ in 0..20 {
                            execute(lease);
                        }
                    });
                }
            });
            assert_eq!(questions(&workspace), times);
            assert!(leases.iter().all(|lease| lease.decision().is_off()));
            pass::<2>(holds);
        }
        assert_eq!(workspace.posts().len(), 0);
    }
}

#[test]
fn a_refusal_of_the_users_never_expires() {
    let workspace = Workspace::new();
    workspace.flag(flag_answer(true, None));
    let refused = Config {
        enabled: Some(false),
        ..patient()
    };
    let facts = facts();
    let lease = attach::<3>(&facts, &refused, &workspace);
    for _ in 0..3 {
        assert!(!execute(&lease));
        assert_eq!(lease.decision().reason, Reason::RefusedByOption);
        pass::<3>(120 * MINUTE);
    }
    assert_eq!((questions(&workspace), workspace.posts().len()), (0, 0));
}

#[test]
fn a_yes_is_asked_about_again_before_anything_is_sent() {
    let workspace = Workspace::new();
    workspace.flag(flag_answer(true, Some(60)));
    let lease = attach::<4>(&facts(), &patient(), &workspace);
    assert!(execute(&lease));
    workspace.flag(flag_answer(false, Some(60)));
    assert!(execute(&lease));
    assert_eq!((questions(&workspace), workspace.logs().len()), (1, 2));

    pass::<4>(MINUTE);
    assert!(execute(&lease));
    assert_eq!((questions(&workspace), workspace.logs().len()), (2, 2));
    assert_eq!(lease.decision().reason, Reason::FlagOff);
    assert!(!execute(&lease));
}
