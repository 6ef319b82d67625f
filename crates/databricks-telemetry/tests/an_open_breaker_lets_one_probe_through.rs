//! Properties of the breaker: while it is open no call is permitted, and never more than one probe is under way.

use std::time::{Duration, Instant};

use databricks_telemetry::breaker::{Breaker, LONGEST_OPEN, Permit, Policy, State, Verdict};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Ask,
    /// Reports the verdict of the n-th call under way.
    Report(usize, Verdict),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Success),
        6 => Just(Verdict::Failure),
        1 => (0u64..3600).prop_map(|seconds| Verdict::Busy(Duration::from_secs(seconds))),
        1 => Just(Verdict::Rejected),
        1 => Just(Verdict::Unknown),
    ];
    let step = prop_oneof![
        1 => (0u64..200).prop_map(Step::Wait),
        3 => Just(Step::Ask),
        3 => (0usize..8, verdict).prop_map(|(call, verdict)| Step::Report(call, verdict)),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    #[test]
    fn never_more_than_one_probe_and_none_while_open(steps in steps(), threshold in 1u32..8) {
        let policy = Policy { threshold, open_for: Duration::from_secs(60) };
        let mut breaker = Breaker::new(policy);
        let mut now = Instant::now();
        let mut calls: Vec<Permit> = Vec::new();
        // A probe is under way from the permit that left the open state until its report, or until it is given up for
        // lost.
        let mut probe_since: Option<Instant> = None;
        for step in steps {
            match step {
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
                Step::Ask => {
                    let before = breaker.state(now);
                    let permit = breaker.permit(now);
                    match before {
                        State::Closed => prop_assert!(permit.is_some()),
                        State::Open { until } => prop_assert_eq!(permit.is_some(), now >= until),
                        State::HalfOpen => prop_assert!(permit.is_none(), "a second probe"),
                    }
                    if permit.is_some() && !matches!(before, State::Closed) {
                        if let Some(since) = probe_since {
                            prop_assert!(now >= since + policy.open_for, "a probe was replaced too early");
                        }
                        probe_since = Some(now);
                        prop_assert_eq!(breaker.state(now), State::HalfOpen);
                    }
                    calls.extend(permit);
                }
                Step::Report(call, verdict) => {
                    if calls.is_empty() {
                        continue;
                    }
                    let permit = calls.remove(call % calls.len());
                    breaker.record(permit, verdict, now);
                    if !matches!(breaker.state(now), State::HalfOpen) {
                        probe_since = None;
                    }
                }
            }
        }
    }

    #[test]
    fn it_opens_after_the_threshold_and_not_before(threshold in 1u32..9) {
        let now = Instant::now();
        let mut breaker = Breaker::new(Policy { threshold, open_for: Duration::from_secs(60) });
        for failures in 1..=threshold {
            let permit = breaker.permit(now).unwrap();
            breaker.record(permit, Verdict::Failure, now);
            prop_assert_eq!(breaker.is_open(now), failures == threshold);
        }
    }
}

#[test]
fn each_failed_probe_doubles_the_rest_up_to_a_quarter_of_an_hour() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(Policy {
        threshold: 1,
        open_for: Duration::from_secs(60),
    });
    for expected in [60, 120, 240, 480, 900, 900] {
        let permit = breaker.permit(now).unwrap();
        breaker.record(permit, Verdict::Failure, now);
        assert_eq!(
            breaker.state(now),
            State::Open {
                until: now + Duration::from_secs(expected)
            }
        );
        now += Duration::from_secs(expected);
    }
    let permit = breaker.permit(now).unwrap();
    breaker.record(permit, Verdict::Success, now);
    assert_eq!(breaker.state(now), State::Closed);
    let permit = breaker.permit(now).unwrap();
    breaker.record(permit, Verdict::Failure, now);
    assert_eq!(
        breaker.state(now),
        State::Open {
            until: now + Duration::from_secs(60)
        },
        "a success forgives"
    );
}

#[test]
fn half_of_the_calls_failing_is_too_many() {
    let now = Instant::now();
    let mut breaker = Breaker::new(Policy::default());
    for call in 0..10 {
        assert!(!breaker.is_open(now), "call {call}");
        let permit = breaker.permit(now).unwrap();
        breaker.record(
            permit,
            if call % 2 == 0 {
                Verdict::Success
            } else {
                Verdict::Failure
            },
            now,
        );
    }
    assert!(breaker.is_open(now), "5 of 10 failed, though never two in a row");
}

#[test]
fn a_server_that_asks_for_rest_gets_it() {
    let now = Instant::now();
    let mut breaker = Breaker::new(Policy::default());
    let permit = breaker.permit(now).unwrap();
    breaker.record(permit, Verdict::Busy(Duration::from_secs(300)), now);
    assert_eq!(
        breaker.state(now),
        State::Open {
            until: now + Duration::from_secs(300)
        }
    );

    let mut breaker = Breaker::new(Policy::default());
    let permit = breaker.permit(now).unwrap();
    breaker.record(permit, Verdict::Busy(Duration::from_secs(1)), now);
    assert_eq!(
        breaker.state(now),
        State::Open {
            until: now + Duration::from_secs(60)
        },
        "a floor, not a ceiling"
    );

    let mut breaker = Breaker::new(Policy::default());
    let permit = breaker.permit(now).unwrap();
    breaker.record(permit, Verdict::Busy(Duration::MAX), now);
    assert!(breaker.is_open(now + Duration::from_secs(3600)));
    assert!(!breaker.is_open(now + Duration::from_secs(25 * 3600)), "within reason");
}

#[test]
fn refused_credentials_rest_longest() {
    let now = Instant::now();
    let mut breaker = Breaker::new(Policy::default());
    let permit = breaker.permit(now).unwrap();
    breaker.record(permit, Verdict::Rejected, now);
    assert_eq!(
        breaker.state(now),
        State::Open {
            until: now + LONGEST_OPEN
        }
    );
}

#[test]
fn a_probe_that_is_lost_is_replaced() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(Policy {
        threshold: 1,
        open_for: Duration::from_secs(60),
    });
    let permit = breaker.permit(now).unwrap();
    breaker.record(permit, Verdict::Failure, now);
    now += Duration::from_secs(60);
    let lost = breaker.permit(now).unwrap();
    assert!(breaker.permit(now).is_none());
    now += Duration::from_secs(60);
    let next = breaker.permit(now).unwrap();
    breaker.record(lost, Verdict::Failure, now);
    assert_eq!(breaker.state(now), State::HalfOpen, "what the lost one says is stale");
    breaker.record(next, Verdict::Success, now);
    assert_eq!(breaker.state(now), State::Closed);
}
