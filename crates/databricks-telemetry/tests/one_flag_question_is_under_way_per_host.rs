//! Of many that want to know the flag of a host, one asks and the others get its answer.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use common::{PATIENCE, flag_answer};
use databricks_telemetry::enable::Flag;
use databricks_telemetry::flags::{Answer, FLAG_NAME, FlagCache};
use databricks_telemetry::{FlagOutcome, Identity};

fn anybody() -> Identity {
    user("anybody")
}

fn user(name: &str) -> Identity {
    Identity::of(&[name.as_bytes()])
}

fn peek(cache: &FlagCache, host: &str, now: Instant) -> Flag {
    cache
        .peek(host, anybody(), now)
        .map_or(Flag::NotAsked, |answer| answer.flag)
}

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
                    cache.resolve(
                        "host",
                        anybody(),
                        FLAG_NAME,
                        Instant::now,
                        Instant::now() + PATIENCE,
                        || {
                            fetches.fetch_add(1, Ordering::SeqCst);
                            // Long enough for the others to arrive and find the question asked.
                            std::thread::sleep(Duration::from_millis(50));
                            flag_answer(true, None)
                        },
                    )
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .map(|answer| answer.flag)
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
            cache.resolve(
                "host",
                anybody(),
                FLAG_NAME,
                Instant::now,
                Instant::now() + PATIENCE,
                || {
                    asked.wait();
                    answered.wait();
                    flag_answer(true, None)
                },
            )
        });
        asked.wait();
        let other = cache.resolve("other", anybody(), FLAG_NAME, Instant::now, Instant::now(), || {
            flag_answer(false, None)
        });
        assert_eq!(other.flag, Flag::Off, "another host is another question");
        let now = Instant::now();
        assert_eq!(
            cache.resolve(
                "host",
                anybody(),
                FLAG_NAME,
                || now,
                now,
                || unreachable!("it is being asked")
            ),
            Answer {
                flag: Flag::Failed,
                until: now
            },
            "that holds for this once"
        );
        assert_eq!(peek(&cache, "host", now), Flag::NotAsked);
        answered.wait();
    });
    assert_eq!(peek(&cache, "host", Instant::now()), Flag::On);
}

/// Asks at a time of the test's choosing; says what came out and whether the host was asked.
fn ask(cache: &FlagCache, now: Instant, outcome: FlagOutcome) -> (Flag, bool) {
    ask_as(anybody(), cache, now, outcome)
}

fn ask_as(asker: Identity, cache: &FlagCache, now: Instant, outcome: FlagOutcome) -> (Flag, bool) {
    let asked = Mutex::new(false);
    let answer = cache.resolve(
        "host",
        asker,
        FLAG_NAME,
        || now,
        now,
        || {
            *asked.lock().unwrap() = true;
            outcome
        },
    );
    (answer.flag, asked.into_inner().unwrap())
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
        assert_eq!(peek(&cache, "host", last), flag);
        let after = now + Duration::from_secs(seconds);
        assert_eq!(peek(&cache, "host", after), Flag::NotAsked);
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
    let answer = cache.resolve(
        "host",
        anybody(),
        FLAG_NAME,
        || now,
        now,
        || std::panic::resume_unwind(Box::new("no")),
    );
    assert_eq!(answer.flag, Flag::Failed);
    assert_eq!(peek(&cache, "host", now), Flag::Failed);
}

#[test]
fn thousands_of_hosts_do_not_fill_the_memory() {
    let cache = FlagCache::default();
    let now = Instant::now();
    for host in 0..5000u64 {
        let at = now + Duration::from_millis(host);
        cache.resolve(
            &format!("host-{host}"),
            anybody(),
            FLAG_NAME,
            || at,
            at,
            || flag_answer(true, None),
        );
    }
    let known = (0..5000)
        .filter(|host| peek(&cache, &format!("host-{host}"), now) == Flag::On)
        .count();
    assert_eq!(known, 256);
    assert_eq!(peek(&cache, "host-4999", now), Flag::On, "the latest is among them");
}

#[test]
fn refused_credentials_are_held_against_nobody_else() {
    for status in [401, 403] {
        let refused = || FlagOutcome::Refused { status };
        let cache = FlagCache::default();
        let now = Instant::now();
        let (alice, bob) = (user("alice"), user("bob"));
        assert_eq!(ask_as(alice, &cache, now, refused()), (Flag::Failed, true));
        assert_eq!(cache.peek("host", bob, now), None);
        assert_eq!(ask_as(bob, &cache, now, refused()), (Flag::Failed, true));

        let last = now + Duration::from_secs(60) - Duration::from_millis(1);
        for asker in [alice, bob] {
            assert_eq!(
                ask_as(asker, &cache, last, refused()),
                (Flag::Failed, false),
                "{status}"
            );
        }
        let after = now + Duration::from_secs(60);
        assert_eq!(ask_as(bob, &cache, after, flag_answer(true, None)), (Flag::On, true));
        assert_eq!(
            ask_as(alice, &cache, after, refused()),
            (Flag::On, false),
            "an answer is everybody's"
        );
    }
}

#[test]
fn who_waited_for_one_that_is_refused_asks_in_turn() {
    let cache = FlagCache::default();
    let asked = Barrier::new(2);
    let fetches = AtomicUsize::new(0);
    let ask_as = |name: &str, fetch: &dyn Fn() -> FlagOutcome| {
        let answer = cache.resolve(
            "host",
            user(name),
            FLAG_NAME,
            Instant::now,
            Instant::now() + PATIENCE,
            || {
                fetches.fetch_add(1, Ordering::SeqCst);
                fetch()
            },
        );
        answer.flag
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let refused = ask_as("alice", &|| {
                asked.wait();
                // Long enough for the other to arrive and find the question asked.
                std::thread::sleep(Duration::from_millis(50));
                FlagOutcome::Refused { status: 401 }
            });
            assert_eq!(refused, Flag::Failed);
        });
        asked.wait();
        assert_eq!(ask_as("bob", &|| flag_answer(true, None)), Flag::On);
    });
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

#[test]
fn thousands_of_refused_users_do_not_fill_the_memory() {
    let cache = FlagCache::default();
    let now = Instant::now();
    for index in 0..2000u64 {
        let at = now + Duration::from_millis(index);
        ask_as(
            user(&index.to_string()),
            &cache,
            at,
            FlagOutcome::Refused { status: 401 },
        );
    }
    let at = now + Duration::from_secs(2);
    let known = (0..2000u64)
        .filter(|index| cache.peek("host", user(&index.to_string()), at).is_some())
        .count();
    assert_eq!(known, 256);
    assert!(
        cache.peek("host", user("1999"), at).is_some(),
        "the latest is among them"
    );
}
