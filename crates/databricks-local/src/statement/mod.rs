//! The life of a statement: checked request, states, the run that makes chunks, the answer, and how long it is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use databricks_wire::sea::{ColumnInfo, StatementState};
use tokio::sync::watch;

use crate::engine::SqlError;
use crate::result::depot::Stored;

pub(crate) mod answer;
pub(crate) mod reading;
pub(crate) mod request;
pub(crate) mod run;
pub(crate) mod table;

use reading::Reading;
pub(crate) use request::{Plan, Shape};
pub(crate) use table::Statements;

/// A statement, from the moment it has an id until nobody may ask about it any more.
///
/// Its progress is one watched value: the run, a cancel and a close all change it through [`Statement::advance`], so
/// only one of them can end it, and whoever waits for the end sees it.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) id: String,
    pub(crate) shape: Shape,
    /// What only a client that fetches rows in turns needs.
    pub(crate) reading: Option<Reading>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Progress {
    phase: Phase,
    since: Instant,
}

/// Where a statement is.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Accepted, waiting for a slot.
    Pending,
    /// The engine works on it.
    Running,
    /// Done, and its result is kept.
    Succeeded(Arc<Outcome>),
    /// Ended by an error.
    Failed(Arc<Failure>),
    /// Ended by a cancel.
    Canceled,
    /// Closed by the client; its result is gone.
    Closed,
}

/// A result.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) columns: Vec<ColumnInfo>,
    /// The schema of the chunks; without fields where there are no rows.
    pub(crate) schema: SchemaRef,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) row_count: u64,
    pub(crate) byte_count: u64,
    pub(crate) truncated: bool,
    pub(crate) num_modified_rows: Option<i64>,
    /// Whether the (only) chunk travels inside the answer.
    pub(crate) is_inline: bool,
    /// Whether the one row says what the client shall transfer from or to a volume.
    pub(crate) is_transfer: bool,
}

/// A part of a result.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) row_offset: u64,
    pub(crate) row_count: u64,
    /// Bytes before compression.
    pub(crate) byte_count: u64,
    pub(crate) stored: Stored,
}

/// Why a statement failed, as the client is told. Never printed: the message may quote SQL and names.
pub(crate) struct Failure {
    pub(crate) error_code: &'static str,
    pub(crate) sql_state: String,
    pub(crate) message: String,
}

impl Failure {
    /// The time that the client gave to the statement is over.
    pub(crate) const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";

    pub(crate) fn timed_out(limit: Duration) -> Self {
        let seconds = limit.as_secs();
        Self {
            error_code: Self::DEADLINE_EXCEEDED,
            sql_state: "57014".to_owned(),
            message: format!("Query timed out after {seconds} seconds. SQLSTATE: 57014"),
        }
    }

    /// A failure of the workspace, not of the SQL.
    pub(crate) fn internal(message: &str) -> Self {
        Self {
            error_code: "INTERNAL_ERROR",
            sql_state: "XX000".to_owned(),
            message: format!("[INTERNAL_ERROR] {message} SQLSTATE: XX000"),
        }
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self {
            error_code: error.error_code,
            sql_state: error.sql_state.to_owned(),
            message: error.to_string(),
        }
    }
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Failure")
            .field("error_code", &self.error_code)
            .field("sql_state", &self.sql_state)
            .finish_non_exhaustive()
    }
}

impl Phase {
    pub(crate) const fn state(&self) -> StatementState {
        match self {
            Self::Pending => StatementState::Pending,
            Self::Running => StatementState::Running,
            Self::Succeeded(_) => StatementState::Succeeded,
            Self::Failed(_) => StatementState::Failed,
            Self::Canceled => StatementState::Canceled,
            Self::Closed => StatementState::Closed,
        }
    }

    const fn is_terminal(&self) -> bool {
        self.state().is_terminal()
    }
}

impl Statement {
    pub(crate) fn new(shape: Shape, reading: Option<Reading>) -> Self {
        let progress = Progress {
            phase: Phase::Pending,
            since: Instant::now(),
        };
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            shape,
            reading,
            progress: watch::Sender::new(progress),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.progress.borrow().phase.clone()
    }

    /// Moves on to `next` unless the statement has already ended; only a close may follow an end.
    pub(crate) fn advance(&self, next: Phase) -> bool {
        self.progress.send_if_modified(|progress| {
            let may_close = matches!(next, Phase::Closed) && !matches!(progress.phase, Phase::Closed);
            if progress.phase.is_terminal() && !may_close {
                return false;
            }
            *progress = Progress {
                phase: next,
                since: Instant::now(),
            };
            true
        })
    }

    /// Waits until the statement has ended.
    pub(crate) async fn ended(&self) {
        let mut progress = self.progress.subscribe();
        // The sender lives in `self`, so the wait can only end by the condition.
        let _ = progress.wait_for(|progress| progress.phase.is_terminal()).await;
    }

    /// Whether the statement ended more than `ttl` ago.
    pub(crate) fn has_outlived(&self, ttl: Duration) -> bool {
        let progress = self.progress.borrow();
        progress.phase.is_terminal() && progress.since.elapsed() > ttl
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.progress.borrow().phase.is_terminal()
    }
}

#[cfg(test)]
mod tests {
    use databricks_wire::sea::{Disposition, Format};

    use super::*;

    fn statement() -> Statement {
        let shape = Shape {
            disposition: Disposition::Inline,
            format: Format::JsonArray,
            lz4: false,
        };
        Statement::new(shape, None)
    }

    #[test]
    fn the_first_end_wins_and_only_a_close_follows_it() {
        let statement = statement();
        assert!(statement.advance(Phase::Running));
        assert!(statement.advance(Phase::Canceled));
        assert!(!statement.advance(Phase::Failed(Arc::new(Failure::internal("late")))));
        assert_eq!(statement.phase().state(), StatementState::Canceled);
        assert!(statement.advance(Phase::Closed));
        assert!(!statement.advance(Phase::Closed));
        assert!(!statement.advance(Phase::Canceled));
        assert_eq!(statement.phase().state(), StatementState::Closed);
    }

    #[test]
    fn failures_print_no_message() {
        assert!(!format!("{:?}", Failure::internal("canary")).contains("canary"));
    }
}
