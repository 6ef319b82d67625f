//! A panic in telemetry's own code costs the record that it was about, which is counted, or none; the next one is sent.

mod common;

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use common::{PATIENCE, Workspace, facts, flag_answer, forced, patient};
use databricks_telemetry::enable::Environment;
use databricks_telemetry::flags::Clock;
use databricks_telemetry::{
    Config, DropReason, FlagOutcome, FlagRequest, Lease, Outcome, Stats, Telemetry, TelemetryPost, Transport,
    operations,
};

/// Telemetry up to the flag, by this clock: telemetry reads it when it takes a record, and when it sends one.
fn attach(clock: Clock, workspace: &Arc<Workspace>) -> Lease {
    workspace.flag(flag_answer(true, None));
    let transport = Arc::clone(workspace) as _;
    Telemetry::attach_at(clock, Environment::default(), facts(), patient(), transport)
}

fn broken() -> Instant {
    // Unwinds without the message that a panic would print.
    resume_unwind(Box::new("the clock panics"))
}

fn lost(stats: &Stats) -> u64 {
    stats.dropped(DropReason::TelemetryPanicked)
}

#[test]
fn where_the_listener_takes_it() {
    thread_local! {
        static BREAKS: Cell<bool> = const { Cell::new(false) };
    }
    let workspace = Workspace::new();
    let lease = attach(|| if BREAKS.get() { broken() } else { Instant::now() }, &workspace);
    for round in 1..=3 {
        let unlucky = lease.root(&operations::STATEMENT_EXECUTE, None);
        BREAKS.set(true);
        unlucky.end();
        BREAKS.set(false);
        lease.root(&operations::STATEMENT_UPDATE, None).end();
        let stats = lease.stats();
        assert_eq!((stats.recorded, lost(&stats)), (2 * round, round));
        assert_eq!(stats.listener_panics, 0, "the listener hears the next record too");
        // Once the flag has answered yes, the clock is not read any more.
        if round == 1 {
            assert!(workspace.posts().is_empty());
        }
    }
    lease.close();
    let stats = lease.stats();
    assert_eq!((stats.delivered, stats.dropped_total()), (3, 3), "{stats:?}");
    assert_eq!(workspace.driver_logs().len(), 3);
}

/// A way to the workspace after which the worker's clock breaks once: the worker looks at its credentials first, and then at
/// the clock.
struct Breaking {
    workspace: Arc<Workspace>,
    breaks: AtomicBool,
}

thread_local! {
    static WORKERS_CLOCK_BREAKS: Cell<bool> = const { Cell::new(false) };
}

impl Transport for Breaking {
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
        self.workspace.post_telemetry(post)
    }
    fn feature_flags(&self, request: &FlagRequest<'_>) -> FlagOutcome {
        self.workspace.feature_flags(request)
    }
    fn is_authenticated(&self) -> bool {
        WORKERS_CLOCK_BREAKS.set(self.breaks.swap(false, Ordering::SeqCst));
        true
    }
}

fn breaking() -> Instant {
    if WORKERS_CLOCK_BREAKS.take() {
        return broken();
    }
    Instant::now()
}

#[test]
fn where_the_worker_sends_it() {
    // Forced, the first reading after the look is the breaker's; otherwise it is that of the question for the flag.
    for config in [forced(), patient()] {
        let transport = Arc::new(Breaking {
            workspace: Workspace::new(),
            breaks: AtomicBool::new(true),
        });
        transport.workspace.flag(flag_answer(true, None));
        let way = Arc::clone(&transport) as _;
        let lease = Telemetry::attach_at(breaking, Environment::default(), facts(), config, way);
        for round in 1..=3 {
            transport.breaks.store(true, Ordering::SeqCst);
            lease.root(&operations::STATEMENT_EXECUTE, None).end();
            assert!(lease.flush(PATIENCE));
            assert_eq!(lost(&lease.stats()), round);
            lease.root(&operations::STATEMENT_UPDATE, None).end();
            assert!(lease.flush(PATIENCE));
            let stats = lease.stats();
            assert_eq!((stats.delivered, stats.dropped_total()), (round, round), "{stats:?}");
        }
        lease.close();
        assert_eq!(lease.stats().recorded, 6);
        assert_eq!(transport.workspace.driver_logs().len(), 3);
    }
}

/// How often the clock still breaks for a worker that waits.
static BREAKS_WHILE_WAITING: AtomicU64 = AtomicU64::new(0);

fn breaking_for_workers() -> Instant {
    let left = |left: u64| left.checked_sub(1);
    let is_worker = std::thread::current().name() == Some("adbc-telemetry");
    if is_worker
        && BREAKS_WHILE_WAITING
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            .is_ok()
    {
        return broken();
    }
    Instant::now()
}

#[test]
fn where_the_worker_waits() {
    let attach = |workspace: &Arc<Workspace>| {
        let config = Config {
            // The breaker has the same clock.
            circuit_breaker_enabled: false,
            ..forced()
        };
        let transport = Arc::clone(workspace) as _;
        Telemetry::attach_at(breaking_for_workers, Environment::default(), facts(), config, transport)
    };
    let workspace = Workspace::new();
    let lease = attach(&workspace);
    for round in 1..=20 {
        // The first time, before there is anything that waits.
        BREAKS_WHILE_WAITING.store(1, Ordering::SeqCst);
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
        assert!(lease.flush(PATIENCE));
        let stats = lease.stats();
        assert_eq!(
            (stats.worker_panics, stats.delivered, stats.dropped_total()),
            (round, round, 0),
            "{stats:?}"
        );
    }
    lease.close();

    // One that never stops is the end of the worker, not of the process.
    let lease = attach(&workspace);
    BREAKS_WHILE_WAITING.store(u64::MAX, Ordering::SeqCst);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    assert!(lease.flush(PATIENCE), "nobody is waited for who is not there");
    lease.close();
    BREAKS_WHILE_WAITING.store(0, Ordering::SeqCst);
    let stats = lease.stats();
    assert_eq!((stats.recorded, stats.dropped(DropReason::Closed)), (1, 1), "{stats:?}");
    assert!(stats.worker_panics > 1 && stats.worker_panics < 100, "{stats:?}");
}
