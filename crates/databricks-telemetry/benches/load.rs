//! What does telemetry hold when there is much of it? Run with `cargo bench -p databricks-telemetry --bench load`; takes
//! some seconds.
//!
//! 1. *Connections*: 10,000 connections to one host are opened, used for one statement and closed, in turns of 100 that
//!    are open at the same time; and then 10,000 with telemetry refused.
//! 2. *An outage*: an hour of queries, ten a second, while the endpoint refuses connections. The hour is the clock's: the
//!    breaker rests and ticks come by it, and it is over as soon as the records are.
//! 3. *A flood*: 64 hosts whose endpoints hang, and a thousand records for each.
//!
//! Memory is what the allocator has handed out and not got back, less what was in use before the part began; the peak
//! is within the part. The stacks of threads are not in it.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench is a program that prints")]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use databricks_telemetry::enable::Environment;
use databricks_telemetry::{
    Auth, Config, ConnectionFacts, DropReason, FlagOutcome, FlagRequest, Identity, Lease, Outcome, Stats, Telemetry,
    TelemetryPost, Transport, Unreachable, operations, tags,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    // Cargo also runs benches with `--test`, only to see that they run.
    let part = if std::env::args().any(|argument| argument == "--test") {
        100
    } else {
        1
    };
    connections(10_000 / part);
    outage(36_000 / part);
    flood(64, 1000 / part);
}

fn connections(count: usize) {
    const TOGETHER: usize = 100;
    println!("{count} connections to one host, {TOGETHER} open at a time");
    println!(
        "{:<28} {:>12} {:>9} {:>9} {:>12} {:>12}",
        "", "us/connection", "requests", "threads", "peak KiB", "left KiB"
    );
    for (name, on) in [("telemetry on", true), ("telemetry refused", false)] {
        let endpoint = Arc::new(Endpoint::default());
        let held = Held::now();
        let before = Telemetry::stats();
        let mut threads = 0;
        let begun = Instant::now();
        for _ in 0..count / TOGETHER {
            let open: Vec<_> = (0..TOGETHER)
                .map(|_| {
                    let lease = lease("one.example.com", Instant::now, on, &endpoint);
                    lease.root(&operations::CONNECTION_OPEN, None).end();
                    statement(&lease);
                    lease
                })
                .collect();
            threads = threads.max(workers());
            drop(open);
        }
        let each = begun.elapsed().as_secs_f64() * 1e6 / count as f64;
        let stats = Telemetry::stats();
        println!(
            "{name:<28} {each:>12.1} {:>9} {threads:>9} {:>12.0} {:>12.0}",
            endpoint.posts.load(Ordering::Relaxed),
            held.peak_kib(),
            held.kib()
        );
        println!(
            "{:<28} recorded {}, delivered {}, dropped {}",
            "",
            stats.recorded - before.recorded,
            stats.delivered - before.delivered,
            stats.dropped_total() - before.dropped_total()
        );
    }
    println!();
}

fn outage(records: usize) {
    const PER_SECOND: u32 = 10;
    println!("an hour of queries against a dead endpoint: {records} records, {PER_SECOND} a second");
    println!(
        "{:>8} {:>9} {:>9} {:>9} {:>13} {:>13} {:>11} {:>10}",
        "minute", "records", "requests", "queued", "breaker_open", "undelivered", "others", "KiB"
    );
    let endpoint = Arc::new(Endpoint {
        dead: true,
        ..Endpoint::default()
    });
    let held = Held::now();
    let before = Telemetry::stats();
    let lease = lease("dead.example.com", virtual_now, true, &endpoint);
    let step = Duration::from_secs(1) / PER_SECOND;
    let tick = 5 * PER_SECOND as usize;
    for at in 1..=records {
        VIRTUAL_NS.fetch_add(u64::try_from(step.as_nanos()).unwrap_or(0), Ordering::Relaxed);
        statement(&lease);
        if at % tick == 0 {
            // The worker sleeps by the real clock: this is its tick.
            assert!(lease.flush(PATIENCE));
        }
        if at % (records / 6) == 0 {
            let stats = lease.stats();
            let (open, failed) = (
                stats.dropped(DropReason::BreakerOpen),
                stats.dropped(DropReason::Undelivered),
            );
            println!(
                "{:>8.0} {at:>9} {:>9} {:>9} {open:>13} {failed:>13} {:>11} {:>10.0}",
                at as f64 / f64::from(PER_SECOND) / 60.0,
                stats.posts,
                stats.recorded - stats.delivered - stats.dropped_total(),
                stats.dropped_total() - open - failed,
                held.kib()
            );
        }
    }
    drop(lease);
    let stats = Telemetry::stats();
    println!(
        "peak {:.0} KiB, left {:.0} KiB; recorded {} = dropped {}\n",
        held.peak_kib(),
        held.kib(),
        stats.recorded - before.recorded,
        stats.dropped_total() - before.dropped_total()
    );
    assert_eq!(stats.recorded - before.recorded, records as u64);
}

fn flood(hosts: usize, records: usize) {
    println!("a flood: {hosts} hosts whose endpoints hang, {records} records for each");
    let held = Held::now();
    let before = Telemetry::stats();
    let endpoint = Arc::new(Endpoint {
        hangs: true,
        ..Endpoint::default()
    });
    let leases: Vec<_> = (0..hosts)
        .map(|host| lease(&format!("host-{host}.example.com"), Instant::now, true, &endpoint))
        .collect();
    for _ in 0..records {
        for lease in &leases {
            statement(lease);
        }
    }
    let since = |stats: Stats, reason| stats.dropped(reason) - before.dropped(reason);
    let stats = Telemetry::stats();
    println!(
        "recorded {}, dropped queue_full {}, memory_full {}; queued {} KiB of {} KiB allowed",
        stats.recorded - before.recorded,
        since(stats, DropReason::QueueFull),
        since(stats, DropReason::MemoryFull),
        stats.queued_bytes / 1024,
        1536
    );
    println!(
        "held {:.0} KiB, peak {:.0} KiB, of 2048 KiB; worker threads {}",
        held.kib(),
        held.peak_kib(),
        workers()
    );
    assert!(held.peak_kib() < 2048.0, "telemetry stays within 2 MiB");
    // Their workers hang for ever, as their endpoints do.
    std::mem::forget(leases);
}

/// What was in use when a part began.
struct Held(usize);

impl Held {
    fn now() -> Self {
        MEMORY.reset_peak_usage();
        Self(MEMORY.current_usage())
    }

    fn kib(&self) -> f64 {
        MEMORY.current_usage().saturating_sub(self.0) as f64 / 1024.0
    }

    fn peak_kib(&self) -> f64 {
        MEMORY.peak_usage().saturating_sub(self.0) as f64 / 1024.0
    }
}

/// The threads of telemetry; 0 where the system does not list threads as files.
fn workers() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
        .filter(|name| name.trim() == "adbc-telemetry")
        .count()
}

static VIRTUAL_NS: AtomicU64 = AtomicU64::new(0);

fn virtual_now() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now) + Duration::from_nanos(VIRTUAL_NS.load(Ordering::Relaxed))
}

fn statement(lease: &Lease) {
    let mut root = lease.root(&operations::STATEMENT_EXECUTE, None);
    root.set(tags::OPERATION_LATENCY, Duration::from_millis(12));
    root.set(tags::POLL_COUNT, 3);
    root.end();
}

fn lease(host: &str, clock: fn() -> Instant, on: bool, endpoint: &Arc<Endpoint>) -> Lease {
    let facts = ConnectionFacts::new(host, Identity::of(&[b"token"]), Auth::PersonalAccessToken);
    let config = Config {
        enabled: Some(on),
        force_enabled: on,
        retry_delay: Duration::ZERO,
        ..Config::default()
    };
    Telemetry::attach_at(clock, Environment::default(), facts, config, Arc::clone(endpoint) as _)
}

/// Takes everything at once; or is dead, or never answers.
#[derive(Default)]
struct Endpoint {
    dead: bool,
    hangs: bool,
    posts: AtomicUsize,
}

impl Transport for Endpoint {
    fn post_telemetry(&self, _: &TelemetryPost<'_>) -> Outcome {
        self.posts.fetch_add(1, Ordering::Relaxed);
        if self.hangs {
            loop {
                std::thread::park();
            }
        }
        if self.dead {
            return Outcome::Unreachable(Unreachable::Connection);
        }
        Outcome::Delivered { body: Vec::new() }
    }
    fn feature_flags(&self, _: &FlagRequest<'_>) -> FlagOutcome {
        FlagOutcome::Unavailable
    }
    fn is_authenticated(&self) -> bool {
        true
    }
}
