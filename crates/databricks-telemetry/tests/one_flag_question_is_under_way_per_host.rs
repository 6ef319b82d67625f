//! Of many that want to know the flag of a host, one asks and the others get its answer.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use common::{PATIENCE, flag_answer};
use databricks_telemetry::FlagOutcome;
use databricks_telemetry::enable::Flag;
use databricks_telemetry::flags::{FLAG_NAME, FlagCache};

#[test]
fn one_flag_question_is_under_way_per_host() {
    let cache = FlagCache::default();
    let fetches = AtomicUsize::new(0);
    let start = Barrier::new(8);
    let answers = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    cache.resolve("host", FLAG_NAME, Instant::now, Instant::now() + PATIENCE, || {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        // Long enough for the others to arrive and find the question asked.
                        std::thread::sleep(Duration::from_millis(50));
                        flag_answer(true, None)
                    })
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(answers, [Flag::On; 8]);
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn who_cannot_wait_for_the_answer_goes_without() {
    let cache = FlagCache::default();
    let (asked, answered) = (Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cache.resolve("host", FLAG_NAME, Instant::now, Instant::now() + PATIENCE, || {
                asked.wait();
                answered.wait();
                flag_answer(true, None)
            })
        });
        asked.wait();
        let other = cache.resolve("other", FLAG_NAME, Instant::now, Instant::now(), || {
            flag_answer(false, None)
        });
        assert_eq!(other, Flag::Off, "another host is another question");
        let now = Instant::now();
        assert_eq!(
            cache.resolve("host", FLAG_NAME, || now, now, || unreachable!("it is being asked")),
            Flag::Failed
        );
        assert_eq!(cache.peek("host", now), Flag::NotAsked);
        answered.wait();
    });
    assert_eq!(cache.peek("host", Instant::now()), Flag::On);
}

/// Asks at a time of the test's choosing; says what came out and whether the host was asked.
fn ask(cache: &FlagCache, now: Instant, outcome: FlagOutcome) -> (Flag, bool) {
    let asked = Mutex::new(false);
    let flag = cache.resolve(
        "host",
        FLAG_NAME,
        || now,
        now,
        || {
            *asked.lock().unwrap() = true;
            outcome
        },
    );
    (flag, asked.into_inner().unwrap())
}

#[test]
fn an_answer_holds_for_its_time_and_within_limits() {
    let unavailable = || FlagOutcome::Unavailable;
    let nonsense = || FlagOutcome::Answered {
        body: b"<html>".to_vec(),
    };
    let absent = || FlagOutcome::Answered {
        body: br#"{"flags":[],"ttl_seconds":120}"#.to_vec(),
    };
    let empty = || FlagOutcome::Answered { body: b"{}".to_vec() };
    let cases: [(&dyn Fn() -> FlagOutcome, Flag, u64); 11] = [
        (&|| flag_answer(true, None), Flag::On, 900),
        (&|| flag_answer(true, Some(300)), Flag::On, 300),
        (&|| flag_answer(true, Some(0)), Flag::On, 60),
        (&|| flag_answer(true, Some(u64::MAX)), Flag::On, 3600),
        (&|| flag_answer(false, Some(300)), Flag::Off, 300),
        (&|| flag_answer(false, None), Flag::Off, 60),
        (&absent, Flag::Off, 120),
        (&empty, Flag::Off, 60),
        (&nonsense, Flag::Failed, 60),
        (&unavailable, Flag::Failed, 60),
        (&|| FlagOutcome::Refused { status: 404 }, Flag::Failed, 60),
    ];
    for (outcome, flag, seconds) in cases {
        let cache = FlagCache::default();
        let now = Instant::now();
        assert_eq!(ask(&cache, now, outcome()), (flag, true), "{:?}", outcome());
        let last = now + Duration::from_secs(seconds) - Duration::from_millis(1);
        assert_eq!(
            ask(&cache, last, outcome()),
            (flag, false),
            "{:?} does not hold",
            outcome()
        );
        assert_eq!(cache.peek("host", last), flag);
        let after = now + Duration::from_secs(seconds);
        assert_eq!(cache.peek("host", after), Flag::NotAsked);
        assert_eq!(
            ask(&cache, after, outcome()),
            (flag, true),
            "{:?} holds too long",
            outcome()
        );
    }
}

#[test]
fn a_panicking_question_is_a_failed_one() {
    let cache = FlagCache::default();
    let now = Instant::now();
    let flag = cache.resolve(
        "host",
        FLAG_NAME,
        || now,
        now,
        || std::panic::resume_unwind(Box::new("no")),
    );
    assert_eq!(flag, Flag::Failed);
    assert_eq!(cache.peek("host", now), Flag::Failed);
}

#[test]
fn thousands_of_hosts_do_not_fill_the_memory() {
    let cache = FlagCache::default();
    let now = Instant::now();
    for host in 0..5000u64 {
        let at = now + Duration::from_millis(host);
        cache.resolve(
            &format!("host-{host}"),
            FLAG_NAME,
            || at,
            at,
            || flag_answer(true, None),
        );
    }
    let known = (0..5000)
        .filter(|host| cache.peek(&format!("host-{host}"), now) == Flag::On)
        .count();
    assert_eq!(known, 256);
    assert_eq!(cache.peek("host-4999", now), Flag::On, "the latest is among them");
}
