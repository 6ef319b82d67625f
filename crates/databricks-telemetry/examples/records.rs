//! What telemetry alone does about small queries: their activities and tags, their records and the request bodies, without any HTTP.
//!
//! ```text
//! records QUERIES
//! ```
//!
//! Each query leaves two records, as a `SELECT 1` of the driver does, and each batch has 100. `bench/telemetry.sh records` counts
//! the instructions.

// It reports to people.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use activity::Id;
use databricks_telemetry::{
    Auth, Config, ConnectionFacts, FlagOutcome, FlagRequest, Identity, Lease, Outcome, ResultFormat, StatementKind,
    Telemetry, TelemetryPost, Transport, config, operations, tags,
};

/// Takes everything at once.
struct Nowhere;

impl Transport for Nowhere {
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
        black_box(post.body);
        Outcome::Delivered { body: Vec::new() }
    }
    fn feature_flags(&self, _: &FlagRequest<'_>) -> FlagOutcome {
        FlagOutcome::Unavailable
    }
    fn is_authenticated(&self) -> bool {
        true
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let queries: usize = std::env::args().nth(1).ok_or("records QUERIES")?.parse()?;
    let facts = ConnectionFacts::new("example.com", Identity::of(&[b"token"]), Auth::PersonalAccessToken);
    let mut config = Config::default();
    config.set(config::FORCE_ENABLED, "true")?;
    let lease = Telemetry::attach(facts, config, Arc::new(Nowhere));
    lease.session(Id::new("01f0a7b2-6e3d-1c4e-9a5b-2f8c7d6e5a41")?);
    let statement = Id::new("d5defa60-b07b-4c26-8e0a-398e876a1c6e")?;
    for done in 1..=queries {
        query(&lease, statement);
        // Nobody waits for a workspace here, so that the queue would overflow.
        if done % 50 == 0 {
            lease.flush(Duration::from_secs(60));
        }
    }
    lease.close();
    let stats = lease.stats();
    println!("recorded {} delivered {}", stats.recorded, stats.delivered);
    Ok(())
}

/// The activities of a `SELECT 1`, with their tags.
fn query(lease: &Lease, statement: Id) {
    let mut root = lease.root(&operations::STATEMENT_EXECUTE, None);
    root.set(tags::STATEMENT_TYPE, StatementKind::Query);
    root.set(tags::OPERATION_INTERNAL, false);
    root.set(tags::POLL_COUNT, 0);
    let parent = root.parent_handle();
    let submit = parent.child(&operations::STATEMENT_SUBMIT);
    parent.merge_set(tags::STATEMENT_ID, statement);
    submit.end();
    root.set(tags::RESULT_READY_LATENCY, root.elapsed());
    root.set(tags::RESULT_FORMAT, ResultFormat::InlineArrow);
    root.set(tags::RESULT_COMPRESSED, true);
    root.set(tags::RESULT_CHUNK_COUNT, 1);
    let mut decode = parent.child(&operations::RESULTS_DECODE);
    decode.set(tags::CHUNK_INDEX, 0);
    decode.set(tags::RESULT_DECODE_TIME, decode.elapsed());
    decode.end();
    drop(parent);
    root.set(tags::OPERATION_LATENCY, root.elapsed());
    root.set(tags::RETRY_COUNT, 0);
    root.add(tags::RESULT_CHUNKS_ITERATED, 1);
    root.set(tags::RESULT_CONSUMPTION_LATENCY, root.elapsed());
    root.set(tags::RESULT_ROWS, 1);
    root.end();
    let mut close = lease.root(&operations::STATEMENT_CLOSE, None);
    close.set(tags::STATEMENT_ID, statement);
    close.end();
}
