//! A transport that panics is counted, its batch is dropped, and the worker goes on.

mod common;

use std::sync::Arc;

use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{
    DropReason, FlagOutcome, FlagRequest, Outcome, Telemetry, TelemetryPost, Transport, operations,
};

#[test]
fn a_panicking_transport_harms_nobody() {
    let workspace = Workspace::new();
    workspace.panic(true);
    let lease = attach(&facts(), &forced(), &workspace);
    for _ in 0..2 {
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
        assert!(lease.flush(PATIENCE));
    }
    let stats = lease.stats();
    assert_eq!(
        (stats.transport_panics, stats.dropped(DropReason::TransportPanicked)),
        (2, 2)
    );
    assert_eq!(stats.retries, 0, "a panic is not tried again");

    workspace.panic(false);
    lease.root(&operations::STATEMENT_EXECUTE, None).end();
    lease.close();
    assert_eq!(lease.stats().delivered, 1);
}

/// Panics wherever it can.
struct Hopeless;

impl Transport for Hopeless {
    fn post_telemetry(&self, _: &TelemetryPost<'_>) -> Outcome {
        std::panic::resume_unwind(Box::new("post"))
    }
    fn feature_flags(&self, _: &FlagRequest<'_>) -> FlagOutcome {
        std::panic::resume_unwind(Box::new("flags"))
    }
    fn is_authenticated(&self) -> bool {
        std::panic::resume_unwind(Box::new("authenticated"))
    }
}

#[test]
fn nor_does_one_that_panics_everywhere() {
    for config in [forced(), common::patient()] {
        let lease = Telemetry::attach_in(Default::default(), facts(), config, Arc::new(Hopeless));
        lease.root(&operations::CONNECTION_OPEN, None).end();
        lease.root(&operations::STATEMENT_EXECUTE, None).end();
        lease.close();
        let stats = lease.stats();
        assert!(stats.transport_panics > 0);
        assert_eq!((stats.recorded, stats.dropped_total()), (2, 2));
    }
}
