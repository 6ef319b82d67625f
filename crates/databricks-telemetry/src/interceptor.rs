//! Telemetry as hooks, for a driver that has no activities of its own.
//!
//! The hooks stand for the activities that such a driver would have: an [`Execution`] is the root of its statement,
//! however the driver lets go of it.

use std::sync::Arc;
use std::time::Duration;

use activity::{Activity, Id, Operation, Tag, TagValue};

use crate::lease::Lease;
use crate::values::ErrorCategory;
use crate::{operations, tags};

/// The hooks of one connection.
#[derive(Clone, Debug)]
pub struct Interceptor {
    lease: Arc<Lease>,
}

impl Interceptor {
    /// Hooks that record on `lease`.
    pub fn new(lease: Arc<Lease>) -> Self {
        Self { lease }
    }

    /// Notes that a connection was opened, or that it failed, after `took`.
    pub fn record_connection(&self, took: Duration, outcome: Result<Id, ErrorCategory>) {
        if let Ok(session) = outcome {
            self.lease.session(session);
        }
        self.record(&operations::CONNECTION_OPEN, took, outcome.map(drop));
    }

    /// Notes that the connection's session was deleted, after `took`, and ends its part in telemetry.
    ///
    /// # Blocking
    /// As [`Lease::close`].
    pub fn close(&self, took: Duration, outcome: Result<(), ErrorCategory>) {
        self.record(&operations::CONNECTION_CLOSE, took, outcome);
        self.lease.close();
    }

    /// A statement is about to be executed.
    pub fn before_execute(&self) -> Execution {
        Execution {
            statement: self.lease.root(&operations::STATEMENT_EXECUTE, None),
        }
    }

    fn record(&self, operation: &'static Operation, took: Duration, outcome: Result<(), ErrorCategory>) {
        let mut activity = self.lease.root(operation, None);
        activity.set(tags::OPERATION_LATENCY, took);
        fail_if(&mut activity, outcome);
    }
}

/// A statement under way. It is one record, whether it is completed or dropped.
#[derive(Debug)]
#[must_use = "dropping it completes the statement's record"]
pub struct Execution {
    statement: Activity,
}

impl Execution {
    /// Notes a value.
    pub fn add_tag<T: TagValue>(&mut self, tag: Tag<T>, value: T) {
        self.statement.set(tag, value);
    }

    /// The call returned: its latency is the time since [`Interceptor::before_execute`], and what follows is reading
    /// the result.
    pub fn after_execute(&mut self, outcome: Result<Id, ErrorCategory>) {
        self.statement.set(tags::OPERATION_LATENCY, self.statement.elapsed());
        if let Ok(id) = outcome {
            self.statement.set(tags::STATEMENT_ID, id);
        }
        fail_if(&mut self.statement, outcome.map(drop));
    }

    /// The result is read, or let go.
    pub fn complete_statement(mut self, outcome: Result<(), ErrorCategory>) {
        fail_if(&mut self.statement, outcome);
    }
}

fn fail_if(activity: &mut Activity, outcome: Result<(), ErrorCategory>) {
    if let Err(category) = outcome {
        activity.fail(category.as_str());
    }
}
