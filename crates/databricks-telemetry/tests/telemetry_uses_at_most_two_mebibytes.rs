//! Whatever the load, all of telemetry together holds at most 2 MiB: with as many hosts as it serves, each with a
//! request under way that does not end, a queue as full as it gets, and then everything on its way at once. Counted by
//! the allocator, not by telemetry.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use databricks_telemetry::enable::Environment;
use databricks_telemetry::{
    Auth, Config, ConnectionFacts, DropReason, FlagOutcome, FlagRequest, Identity, Lease, Outcome, Telemetry,
    TelemetryPost, Transport, operations, tags,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const BOUND: usize = 2 * 1024 * 1024;
/// The hosts that have a worker of their own, at most.
const HOSTS: usize = 256;
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers while nobody holds the lock for writing.
struct Gate(RwLock<()>);

impl Transport for Gate {
    fn post_telemetry(&self, _: &TelemetryPost<'_>) -> Outcome {
        drop(self.0.read());
        Outcome::Delivered { body: Vec::new() }
    }
    fn feature_flags(&self, _: &FlagRequest<'_>) -> FlagOutcome {
        FlagOutcome::Unavailable
    }
    fn is_authenticated(&self) -> bool {
        true
    }
}

fn flood(leases: &[Lease], records: usize) {
    for _ in 0..records {
        for lease in leases {
            let mut root = lease.root(&operations::STATEMENT_EXECUTE, None);
            root.set(tags::POLL_COUNT, 1);
            root.end();
        }
    }
}

#[test]
fn telemetry_uses_at_most_two_mebibytes() {
    let gate = Arc::new(Gate(RwLock::default()));
    let config = Config {
        force_enabled: true,
        batch_size: 500,
        ..Config::default()
    };
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();

    let shut = gate.0.write().unwrap();
    let leases: Vec<_> = (0..HOSTS)
        .map(|host| {
            let host = format!("host-{host}.example.com");
            let facts = ConnectionFacts::new(host, Identity::of(&[b"token"]), Auth::PersonalAccessToken);
            Telemetry::attach_in(Environment::default(), facts, config.clone(), Arc::clone(&gate) as _)
        })
        .collect();
    flood(&leases, 100);
    let stats = Telemetry::stats();
    assert_eq!(stats.recorded, (HOSTS * 100) as u64);
    assert!(
        stats.dropped(DropReason::MemoryFull) > 0,
        "the bound was reached: {stats:?}"
    );

    // Bodies are made of everything that waits, while more comes.
    drop(shut);
    flood(&leases, 100);
    assert!(leases.iter().all(|lease| lease.flush(PATIENCE)));
    drop(leases);

    let held = MEMORY.peak_usage() - before;
    assert!(held <= BOUND, "{held} bytes were in use at once");
    let stats = Telemetry::stats();
    assert_eq!(stats.recorded, stats.delivered + stats.dropped_total(), "{stats:?}");
    assert!(stats.delivered > 0);
}
