//! The driver's activities: what is started where, and how it ends.
//!
//! One root per execution, made before the statement is submitted and owned by the reader until its end. Submit, polls, links,
//! downloads and decodings are its children and add up into it. Opening and closing a connection, cancelling and closing a
//! statement are roots of their own.

use activity::{Activity, Id, SpanContext};
use adbc_core::options::ObjectDepth;
use databricks_telemetry::{Lease, OperationType, StatementKind, operations, tags};

use crate::error::{Error, ErrorKind};
use crate::options::{self, Settings};

/// Why a statement is executed.
#[derive(Clone, Copy)]
pub(crate) struct Purpose {
    operation: &'static activity::Operation,
    kind: StatementKind,
    listing: Option<OperationType>,
    internal: bool,
}

impl Purpose {
    /// The caller wants rows.
    pub(crate) const QUERY: Self = Self {
        operation: &operations::STATEMENT_EXECUTE,
        kind: StatementKind::Query,
        listing: None,
        internal: false,
    };
    /// The caller wants the effect.
    pub(crate) const UPDATE: Self = Self {
        operation: &operations::STATEMENT_UPDATE,
        kind: StatementKind::Update,
        listing: None,
        internal: false,
    };
    /// The caller reads a part of a result that was made elsewhere.
    pub(crate) const PARTITION: Self = Self {
        operation: &operations::PARTITION_READ,
        kind: StatementKind::Query,
        listing: None,
        internal: false,
    };
    /// The driver needs to know or to change something: `USE`, `SELECT current_catalog()`, `DESCRIBE QUERY`.
    pub(crate) const INTERNAL: Self = Self {
        operation: &operations::STATEMENT_EXECUTE,
        kind: StatementKind::Sql,
        listing: None,
        internal: true,
    };
    /// The caller wants a table's columns.
    pub(crate) const COLUMNS: Self = Self {
        operation: &operations::STATEMENT_METADATA,
        kind: StatementKind::Metadata,
        listing: Some(OperationType::ListColumns),
        internal: false,
    };
    /// The caller wants to know what there is, down to this depth. The statements for it are [`Purpose::INTERNAL`].
    pub(crate) const fn objects(depth: ObjectDepth) -> Self {
        let listing = match depth {
            ObjectDepth::Catalogs => OperationType::ListCatalogs,
            ObjectDepth::Schemas => OperationType::ListSchemas,
            ObjectDepth::Tables => OperationType::ListTables,
            ObjectDepth::All | ObjectDepth::Columns => OperationType::ListColumns,
        };
        Self {
            operation: &operations::STATEMENT_METADATA,
            kind: StatementKind::Metadata,
            listing: Some(listing),
            internal: false,
        }
    }
    /// The caller wants numbers about tables.
    pub(crate) const STATISTICS: Self = Self {
        operation: &operations::STATEMENT_METADATA,
        kind: StatementKind::Metadata,
        listing: Some(OperationType::ListTables),
        internal: false,
    };
    /// The caller wants the types of tables; no statement is needed for it.
    pub(crate) const TABLE_TYPES: Self = Self {
        operation: &operations::STATEMENT_METADATA,
        kind: StatementKind::Metadata,
        listing: Some(OperationType::ListTableTypes),
        internal: false,
    };
}

/// Starts the root of an execution.
pub(crate) fn statement(lease: &Lease, purpose: Purpose, parent: Option<SpanContext>) -> Activity {
    let mut root = begin(lease, purpose, parent);
    // Children add to it; a statement that was never polled shall say so.
    root.set(tags::POLL_COUNT, 0);
    root
}

fn begin(lease: &Lease, purpose: Purpose, parent: Option<SpanContext>) -> Activity {
    let mut root = lease.root(purpose.operation, parent);
    root.set(tags::STATEMENT_TYPE, purpose.kind);
    root.set(tags::OPERATION_INTERNAL, purpose.internal);
    if let Some(listing) = purpose.listing {
        root.set(tags::OPERATION_TYPE, listing);
    }
    root
}

/// Does a metadata call, which may be several statements, as one activity under `trace`. Each of the statements has one of its own.
pub(crate) fn listing<T>(
    lease: &Lease,
    purpose: Purpose,
    trace: Option<SpanContext>,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    // It makes no status request; its statements do, and have records of their own.
    let mut root = begin(lease, purpose, trace);
    let outcome = work();
    root.set(tags::OPERATION_LATENCY, root.elapsed());
    end(root, &outcome);
    outcome
}

/// Starts the root of a call about a statement: cancel or close.
pub(crate) fn call(
    lease: &Lease,
    operation: &'static activity::Operation,
    statement_id: &str,
    parent: Option<SpanContext>,
) -> Activity {
    let mut root = lease.root(operation, parent);
    if root.is_recording()
        && let Ok(id) = Id::new(statement_id)
    {
        root.set(tags::STATEMENT_ID, id);
    }
    root
}

/// Notes how the work of an activity ended, and ends it.
pub(crate) fn end<T>(mut activity: Activity, outcome: &Result<T, Error>) {
    if let Err(error) = outcome {
        fail(&mut activity, error);
    }
    activity.end();
}

/// Notes that the work failed, or was called off.
pub(crate) fn fail(activity: &mut Activity, error: &Error) {
    activity.set(tags::ERROR_TYPE, error.category());
    if let Some(status) = error.http_status() {
        activity.set(tags::HTTP_STATUS, status.into());
    }
    match error.kind() {
        ErrorKind::Cancelled => activity.cancel(),
        _ => activity.fail(error.category().as_str()),
    }
}

/// The caller's span: the one it named, else the one that is current on this thread.
pub(crate) fn trace_parent(settings: &Settings) -> Option<SpanContext> {
    match settings.text(options::TRACE_PARENT) {
        Some(named) => SpanContext::parse_traceparent(&named).ok(),
        None => current_span(),
    }
}

#[cfg(feature = "otlp")]
use activity_bridge::current_span;

/// Without OpenTelemetry in the build there is no current span.
#[cfg(not(feature = "otlp"))]
fn current_span() -> Option<SpanContext> {
    None
}
