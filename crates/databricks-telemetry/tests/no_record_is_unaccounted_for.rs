//! Whatever the workspace answers, every record is delivered, refused, or dropped for a reason, and counted once.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{PATIENCE, Workspace, attach, delivered, facts, flag_answer, forced, patient, refused};
use databricks_telemetry::{Config, Outcome, Telemetry, Unreachable, operations};
use proptest::prelude::*;

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => (0usize..20).prop_map(delivered),
        3 => prop::sample::select(vec![400u16, 401, 408, 413, 429, 500, 503]).prop_map(refused),
        1 => Just(Outcome::Refused { status: 429, retry_after: Some(Duration::from_millis(1)) }),
        1 => Just(Outcome::TimedOut),
        1 => Just(Outcome::Cancelled),
        1 => Just(Outcome::Unreachable(Unreachable::Connection)),
        1 => Just(Outcome::Unreachable(Unreachable::Tls)),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Statement { failed: bool },
    FailedConnection,
    Flush,
    Attach,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any::<bool>().prop_map(|failed| Step::Statement { failed }),
        1 => Just(Step::FailedConnection),
        2 => Just(Step::Flush),
        1 => Just(Step::Attach),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_record_is_unaccounted_for(
        outcomes in prop::collection::vec(outcome(), 0..30),
        steps in prop::collection::vec(step(), 1..60),
        batch_size in 1usize..10,
        flag in prop::option::of(prop::option::of(any::<bool>())),
    ) {
        let workspace = Workspace::new();
        workspace.answer(outcomes);
        let config = match flag {
            None => Config { batch_size, ..forced() },
            Some(answer) => {
                if let Some(on) = answer {
                    workspace.flag(flag_answer(on, None));
                }
                Config { batch_size, ..patient() }
            }
        };
        let facts = facts();
        let before = Telemetry::stats();
        let mut made = 0;
        let mut leases = vec![Arc::new(attach(&facts, &config, &workspace))];
        for step in steps {
            let lease = Arc::clone(&leases[leases.len() - 1]);
            match step {
                Step::Statement { failed } => {
                    let mut root = lease.root(&operations::STATEMENT_EXECUTE, None);
                    made += u64::from(root.is_recording());
                    if failed {
                        root.fail("timeout");
                    }
                }
                Step::FailedConnection => {
                    let mut root = lease.root(&operations::CONNECTION_OPEN, None);
                    made += u64::from(root.is_recording());
                    root.fail("auth_error");
                }
                Step::Flush => prop_assert!(lease.flush(PATIENCE)),
                Step::Attach => leases.push(Arc::new(attach(&facts, &config, &workspace))),
                Step::Close => lease.close(),
            }
        }
        for lease in &leases {
            lease.close();
        }
        let after = Telemetry::stats();
        prop_assert_eq!(after.recorded - before.recorded, made);
        prop_assert_eq!(after.recorded, after.delivered + after.refused + after.dropped_total(), "{:?}", after);
        prop_assert_eq!((after.queued_bytes, after.abandoned_workers, after.unserved), (0, 0, 0));
    }
}
