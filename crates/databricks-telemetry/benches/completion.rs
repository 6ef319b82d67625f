//! What does a statement's record cost the thread that completes it? Run with `cargo bench -p databricks-telemetry
//! --bench completion`; takes some seconds.
//!
//! The work of each row is one statement: a root with the ids and the tags that a statement with chunks has, ended.
//!
//! - *no-op listener*: somebody looks at activities, and does nothing. What activities cost by themselves; the row that
//!   is the measure of the others.
//! - *telemetry on*: the record is read through the allow-list, made into an event and put into the host's queue.
//! - *telemetry on, queue full*: the same, and the record is dropped and counted. Timed after the others.
//! - *telemetry refused*: the connection said no, and nobody else looks.
//! - *refused, somebody else looks*: the same with the no-op listener registered.
//!
//! *Hand-off* is what telemetry adds when an activity completes: extraction and the way into the queue.
//!
//! How: 100 statements are timed at once, few enough for the queue, which the worker empties off the clock; every row
//! is timed in every round, one after the other, and the best round counts. Allocations are counted in a separate pass,
//! on the calling thread.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench is a program that prints")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use activity::{Id, Level, Listener};
use databricks_telemetry::enable::Environment;
use databricks_telemetry::{
    Auth, Config, ConnectionFacts, FlagOutcome, FlagRequest, Identity, Lease, Outcome, ResultFormat, SOURCE,
    StatementKind, Telemetry, TelemetryPost, Transport, operations, tags,
};

const ROUNDS: usize = 1500;
const STATEMENTS: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    // Cargo also runs benches with `--test`, only to see that they run.
    let rounds = if std::env::args().any(|argument| argument == "--test") {
        1
    } else {
        ROUNDS
    };
    let off = lease("off.example.com", "false", true);
    let on = lease("on.example.com", "true", true);
    let mut rows = vec![
        Row::new("telemetry refused, nobody looks", &off, Looks::Nobody),
        Row::new("telemetry refused, no-op listener", &off, Looks::Somebody),
        Row::new("telemetry on", &on, Looks::Nobody),
    ];
    measure(&mut rows, rounds);
    // A full queue leaves the others of the process no room, so it comes last.
    let full = lease("full.example.com", "true", false);
    while full.stats().dropped_total() == 0 {
        statement(&full);
    }
    let mut last = [Row::new("telemetry on, queue full: dropped", &full, Looks::Nobody)];
    measure(&mut last, rounds);
    rows.extend(last);

    let measure = rows[1].best_ns;
    println!(
        "{:<44} {:>9} {:>8} {:>10}",
        "one statement, started, 15 tags, completed", "ns/op", "ratio", "allocs/op"
    );
    for row in &rows {
        let ratio = row.best_ns / measure;
        println!(
            "{:<44} {:>9.1} {ratio:>8.2} {:>10.1}",
            row.name, row.best_ns, row.allocations
        );
    }
    println!();
    println!(
        "hand-off at completion: {:.0} ns (telemetry on, less the no-op listener's row)",
        rows[2].best_ns - measure
    );
    let stats = on.stats();
    assert_eq!(stats.dropped_total(), 0, "what was timed was not dropped: {stats:?}");
}

fn measure(rows: &mut [Row<'_>], rounds: usize) {
    for row in &mut *rows {
        row.count_allocations();
    }
    for _ in 0..rounds {
        for row in &mut *rows {
            row.time();
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Looks {
    Nobody,
    Somebody,
}

struct Row<'a> {
    name: &'static str,
    lease: &'a Lease,
    looks: Looks,
    best_ns: f64,
    allocations: f64,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, lease: &'a Lease, looks: Looks) -> Self {
        Self {
            name,
            lease,
            looks,
            best_ns: f64::INFINITY,
            allocations: 0.0,
        }
    }

    fn run(&self) {
        for _ in 0..STATEMENTS {
            statement(self.lease);
        }
    }

    fn prepared<R>(&self, run: impl FnOnce() -> R) -> R {
        let _registration = (self.looks == Looks::Somebody).then(|| SOURCE.register(Arc::new(Blind)));
        // The thread takes note of the listeners.
        statement(self.lease);
        let result = run();
        if self.lease.stats().dropped_total() == 0 {
            assert!(self.lease.flush(PATIENCE));
        }
        result
    }

    fn time(&mut self) {
        let elapsed = self.prepared(|| {
            let mut elapsed = Duration::ZERO;
            allocation_counter::opt_out(|| {
                let begun = Instant::now();
                self.run();
                elapsed = begun.elapsed();
            });
            elapsed
        });
        self.best_ns = self.best_ns.min(elapsed.as_nanos() as f64 / f64::from(STATEMENTS));
    }

    fn count_allocations(&mut self) {
        let counted = self.prepared(|| allocation_counter::measure(|| self.run()));
        self.allocations = counted.count_total as f64 / f64::from(STATEMENTS);
    }
}

struct Blind;

impl Listener for Blind {
    fn level(&self) -> Level {
        Level::Metrics
    }
}

/// What the driver notes of a statement with chunks, without the children.
#[inline(always)]
fn statement(lease: &Lease) {
    const ID: Id = match Id::new("01f0c0de-5dd1-1a2b-9c3d-4e5f60718293") {
        Ok(id) => id,
        Err(_) => panic!("an id"),
    };
    let some = black_box(Duration::from_millis(12));
    let mut root = black_box(lease).root(&operations::STATEMENT_EXECUTE, None);
    root.set(tags::STATEMENT_ID, ID);
    root.set(tags::STATEMENT_TYPE, StatementKind::Query);
    root.set(tags::OPERATION_LATENCY, some);
    root.set(tags::RESULT_FORMAT, ResultFormat::ExternalLinks);
    root.set(tags::RESULT_COMPRESSED, true);
    root.set(tags::RESULT_READY_LATENCY, some);
    root.set(tags::RESULT_CONSUMPTION_LATENCY, some);
    root.set(tags::RESULT_CHUNK_COUNT, 12);
    root.set(tags::RESULT_CHUNKS_ITERATED, 12);
    root.set(tags::CHUNK_INITIAL_LATENCY, some);
    root.set(tags::CHUNK_SLOWEST_LATENCY, some);
    root.set(tags::CHUNK_DOWNLOAD_TIME, some);
    root.set(tags::POLL_COUNT, 3);
    root.set(tags::POLL_LATENCY, some);
    root.set(tags::RETRY_COUNT, 1);
    root.end();
}

fn lease(host: &str, on: &str, answers: bool) -> Lease {
    let facts = ConnectionFacts::new(host, Identity::of(&[b"token"]), Auth::PersonalAccessToken);
    let mut config = Config {
        batch_size: 500,
        flush_interval: Duration::from_secs(3600),
        close_timeout: Duration::ZERO,
        ..Config::default()
    };
    for key in [
        "adbc.databricks.telemetry.enabled",
        "adbc.databricks.telemetry.force_enabled",
    ] {
        config.set(key, on).expect("a boolean");
    }
    let lease = Telemetry::attach_in(Environment::default(), facts, config, Arc::new(Endpoint { answers }));
    lease.session(Id::new("01f0c0de-0000-1a2b-9c3d-4e5f60718293").expect("an id"));
    lease
}

/// Takes everything at once, or nothing ever.
struct Endpoint {
    answers: bool,
}

impl Transport for Endpoint {
    fn post_telemetry(&self, _: &TelemetryPost<'_>) -> Outcome {
        if !self.answers {
            loop {
                std::thread::park();
            }
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
