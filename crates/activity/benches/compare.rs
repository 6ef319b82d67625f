//! What does an activity cost, next to the spans of others? Run with `cargo bench -p activity`; takes less than a
//! minute.
//!
//! The work is the same everywhere: one span with 8 values is started and ended, and somebody looks at its duration and
//! at all 8 values. Each library is used in its fastest idiom: values are given at creation where that is cheaper, and
//! only static text where it wants text.
//!
//! - *clock*: two readings of `Instant`, which everybody who measures a duration pays.
//! - *activity*: 8 typed tags out of one table; listeners read them through the allow-list when the activity completes.
//! - *tracing*: a span with 8 numeric fields; without a subscriber, and with `Registry` plus a layer that visits the
//!   fields into an array, takes the time, and reads the array on close.
//! - *OpenTelemetry SDK*: a span with 8 attributes; a span processor that reads them.
//! - *fastrace*: a root span with 8 static text properties; a reporter that drops the batch. Its own collecting thread
//!   works in the background and is flushed between measurements, off the clock.
//!
//! How: every row is timed in every round, one after the other, so that a slow spell of the machine hits all rows
//! alike; the best round counts. `tracing` without a subscriber comes first, since a global subscriber cannot be taken
//! away again. With 2 threads, both run the same number of operations and the slower one counts. Allocations are
//! counted in a separate pass, on the calling thread; the counting allocator makes rows that allocate pay one
//! thread-local check per allocation and free. The ratio is to the row marked `1.0`.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench is a program that prints")]

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use activity::{ByteCount, EventKind, Level, Listener, Operation, Record, Registration, Source};

const STATEMENT: EventKind = EventKind::new(1);

activity::closed_enum! {
    pub enum Format { Arrow = "arrow", Json = "json" }
}

activity::tags! {
    /// Tags of the benchmark.
    pub static TAGS;
    /// Number of polls.
    pub const POLLS: u64 = "polls", scope: All, merge: Sum, kinds: [STATEMENT];
    /// Number of chunks.
    pub const CHUNKS: u64 = "chunks", scope: All, merge: Sum, kinds: [STATEMENT];
    /// Number of retries.
    pub const RETRIES: u64 = "retries", scope: All, merge: Sum, kinds: [STATEMENT];
    /// Size of the result.
    pub const SIZE: ByteCount = "size", scope: All, merge: Sum, kinds: [STATEMENT];
    /// First chunk.
    pub const FIRST: Duration = "first", scope: All, merge: Min, kinds: [STATEMENT];
    /// Slowest chunk.
    pub const SLOWEST: Duration = "slowest", scope: All, merge: Max, kinds: [STATEMENT];
    /// Whether the result was compressed.
    pub const COMPRESSED: bool = "compressed", scope: All, merge: Keep, kinds: [STATEMENT];
    /// Format of the result.
    pub const FORMAT: Format = "format", scope: All, merge: Keep, kinds: [STATEMENT];
}

static OFF: Source = Source::new("off", &TAGS);
static ONE: Source = Source::new("one listener", &TAGS);
static THREE: Source = Source::new("three listeners", &TAGS);
static EXECUTE: Operation = Operation::new("Statement.Execute", STATEMENT);
static DOWNLOAD: Operation = Operation::new("Chunk.Download", EventKind::NONE);

const ROUNDS: usize = 80;
/// Few enough to fit between two turns of the scheduler.
const OPERATIONS: u64 = 10_000;
/// Of each thread; enough for the threads to work at the same time for most of it.
const OPERATIONS_TOGETHER: u64 = 40_000;

struct Row {
    name: &'static str,
    threads: usize,
    /// Runs the operation this often.
    run: fn(u64),
    best_ns: f64,
    allocations: f64,
}

const fn row(name: &'static str, threads: usize, run: fn(u64)) -> Row {
    Row {
        name,
        threads,
        run,
        best_ns: f64::INFINITY,
        allocations: 0.0,
    }
}

fn main() {
    // Cargo also runs benches with `--test`, only to see that they run.
    let rounds = if std::env::args().any(|argument| argument == "--test") {
        1
    } else {
        ROUNDS
    };
    let mut alone = [row("tracing, no subscriber", 1, tracing_spans)];
    measure(&mut alone, rounds);

    let _registrations = install_listeners();
    let mut rows = [
        row("two clock readings", 1, clock_readings),
        row("activity, nobody listens", 1, activities_off),
        row("activity, 1 listener", 1, activities_one),
        row("activity, 1 listener", 2, activities_one),
        row("activity, 3 listeners", 1, activities_three),
        row("activity, 3 listeners", 2, activities_three),
        row("activity + child with the tags, 1 listener", 1, activities_child),
        row("activity + child with the tags, 1 listener", 2, activities_child),
        row("tracing, Registry + layer", 1, tracing_spans),
        row("tracing, Registry + layer", 2, tracing_spans),
        row("OpenTelemetry SDK, 1 processor", 1, otel::spans),
        row("OpenTelemetry SDK, 1 processor", 2, otel::spans),
        row("fastrace, no-op reporter", 1, fastrace_spans),
        row("fastrace, no-op reporter", 2, fastrace_spans),
    ];
    measure(&mut rows, rounds);

    let ours = rows[2].best_ns;
    println!(
        "{:<44} {:>7} {:>9} {:>8} {:>10}",
        "8 values, started, ended, read", "threads", "ns/op", "ratio", "allocs/op"
    );
    for (position, row) in rows.iter().enumerate() {
        print(row, ours);
        if position == 1 {
            print(&alone[0], ours);
        }
    }
}

fn install_listeners() -> Vec<Registration> {
    use tracing_subscriber::layer::SubscriberExt;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer::Reading)).expect("first");
    fastrace::set_reporter(NoReporter, fastrace::collector::Config::default());
    otel::install();
    [&ONE, &THREE, &THREE, &THREE]
        .map(|source| source.register(Arc::new(Reader)))
        .into()
}

fn measure(rows: &mut [Row], rounds: usize) {
    const COUNTED: u64 = 1000;
    for row in &mut *rows {
        (row.run)(COUNTED);
        row.allocations = allocation_counter::measure(|| (row.run)(COUNTED)).count_total as f64 / COUNTED as f64;
    }
    for _ in 0..rounds {
        for row in &mut *rows {
            (row.run)(OPERATIONS / 20);
            row.best_ns = row.best_ns.min(time(row.threads, row.run));
            fastrace::flush();
        }
    }
}

/// Nanoseconds per operation of the slowest thread.
fn time(threads: usize, run: fn(u64)) -> f64 {
    let operations = if threads == 1 { OPERATIONS } else { OPERATIONS_TOGETHER };
    let once = |barrier: &Barrier| {
        let mut elapsed = Duration::ZERO;
        allocation_counter::opt_out(|| {
            barrier.wait();
            let start = Instant::now();
            run(operations);
            elapsed = start.elapsed();
        });
        elapsed
    };
    let barrier = Barrier::new(threads);
    let slowest = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| once(&barrier))).collect();
        let mine = once(&barrier);
        others
            .into_iter()
            .map(|other| other.join().expect("thread"))
            .max()
            .unwrap_or_default()
            .max(mine)
    });
    slowest.as_nanos() as f64 / operations as f64
}

fn print(row: &Row, ours: f64) {
    let ratio = row.best_ns / ours;
    let Row {
        name,
        threads,
        best_ns,
        allocations,
        ..
    } = row;
    println!("{name:<44} {threads:>7} {best_ns:>9.1} {ratio:>8.2} {allocations:>10.1}");
}

fn clock_readings(operations: u64) {
    for _ in 0..operations {
        let start = Instant::now();
        black_box(start.elapsed());
    }
}

#[inline(always)]
fn set_tags(activity: &mut activity::Activity, at: u64) {
    activity.set(POLLS, at);
    activity.set(CHUNKS, at + 1);
    activity.set(RETRIES, at + 2);
    activity.set(SIZE, ByteCount(at + 3));
    activity.set(FIRST, Duration::from_nanos(at + 4));
    activity.set(SLOWEST, Duration::from_nanos(at + 5));
    activity.set(COMPRESSED, at & 1 == 0);
    activity.set(FORMAT, Format::Arrow);
}

fn activities_off(operations: u64) {
    for at in 0..operations {
        let mut activity = black_box(&OFF).start(&EXECUTE);
        set_tags(&mut activity, black_box(at));
    }
}

fn activities_one(operations: u64) {
    for at in 0..operations {
        let mut activity = black_box(&ONE).start(&EXECUTE);
        set_tags(&mut activity, black_box(at));
    }
}

fn activities_three(operations: u64) {
    for at in 0..operations {
        let mut activity = black_box(&THREE).start(&EXECUTE);
        set_tags(&mut activity, black_box(at));
    }
}

fn activities_child(operations: u64) {
    for at in 0..operations {
        let activity = black_box(&ONE).start(&EXECUTE);
        let mut child = activity.child(&DOWNLOAD);
        set_tags(&mut child, black_box(at));
    }
}

struct Reader;

impl Listener for Reader {
    fn level(&self) -> Level {
        Level::Metrics
    }

    fn completed(&self, record: &Record<'_>) {
        let remote = record.remote(STATEMENT);
        black_box((
            record.duration(),
            remote.get(POLLS),
            remote.get(CHUNKS),
            remote.get(RETRIES),
            remote.get(SIZE),
            remote.get(FIRST),
            remote.get(SLOWEST),
            remote.get(COMPRESSED),
            remote.get(FORMAT),
        ));
    }
}

fn tracing_spans(operations: u64) {
    for at in 0..operations {
        let at = black_box(at);
        drop(tracing::info_span!(
            "Statement.Execute",
            polls = at,
            chunks = at + 1,
            retries = at + 2,
            size = at + 3,
            first = at + 4,
            slowest = at + 5,
            compressed = at & 1 == 0,
            format = 1u64,
        ));
    }
}

mod layer {
    use std::hint::black_box;
    use std::time::Instant;

    use tracing::Subscriber;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::Context;
    use tracing_subscriber::registry::LookupSpan;

    /// Reads the fields of every span, and its duration.
    pub(crate) struct Reading;

    struct Fields {
        start: Instant,
        values: [u64; 8],
    }

    impl Visit for Fields {
        fn record_u64(&mut self, field: &Field, value: u64) {
            self.values[field.index()] = value;
        }

        fn record_bool(&mut self, field: &Field, value: bool) {
            self.values[field.index()] = value.into();
        }

        fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
    }

    impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Reading {
        fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
            if let Some(span) = context.span(id) {
                let mut fields = Fields {
                    start: Instant::now(),
                    values: [0; 8],
                };
                attributes.record(&mut fields);
                span.extensions_mut().insert(fields);
            }
        }

        fn on_close(&self, id: Id, context: Context<'_, S>) {
            if let Some(span) = context.span(&id)
                && let Some(fields) = span.extensions().get::<Fields>()
            {
                black_box((fields.start.elapsed(), fields.values));
            }
        }
    }
}

mod otel {
    use std::hint::black_box;
    use std::sync::OnceLock;
    use std::time::Duration;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry::{Context, KeyValue};
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};

    #[derive(Debug)]
    struct Reading;

    impl SpanProcessor for Reading {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, span: SpanData) {
            black_box(span.end_time.duration_since(span.start_time).ok());
            for attribute in &span.attributes {
                black_box((&attribute.key, &attribute.value));
            }
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    static TRACER: OnceLock<SdkTracer> = OnceLock::new();

    pub(crate) fn install() {
        let provider = SdkTracerProvider::builder().with_span_processor(Reading).build();
        TRACER.get_or_init(|| provider.tracer("bench"));
        // Dropping the provider shuts the tracer down.
        std::mem::forget(provider);
    }

    pub(crate) fn spans(operations: u64) {
        let Some(tracer) = TRACER.get() else { return };
        for at in 0..operations {
            let at = black_box(at) as i64;
            let attributes = [
                KeyValue::new("polls", at),
                KeyValue::new("chunks", at + 1),
                KeyValue::new("retries", at + 2),
                KeyValue::new("size", at + 3),
                KeyValue::new("first", at + 4),
                KeyValue::new("slowest", at + 5),
                KeyValue::new("compressed", at & 1 == 0),
                KeyValue::new("format", 1),
            ];
            drop(
                tracer
                    .span_builder("Statement.Execute")
                    .with_attributes(attributes)
                    .start(tracer),
            );
        }
    }
}

struct NoReporter;

impl fastrace::collector::Reporter for NoReporter {
    fn report(&mut self, spans: Vec<fastrace::collector::SpanRecord>) {
        black_box(spans);
    }
}

fn fastrace_spans(operations: u64) {
    use fastrace::prelude::{Span, SpanContext};
    for _ in 0..operations {
        drop(
            Span::root("Statement.Execute", SpanContext::random()).with_properties(|| {
                [
                    ("polls", "1"),
                    ("chunks", "2"),
                    ("retries", "3"),
                    ("size", "4"),
                    ("first", "5"),
                    ("slowest", "6"),
                    ("compressed", "true"),
                    ("format", "arrow"),
                ]
            }),
        );
    }
}
