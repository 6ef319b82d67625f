//! Operations: asked about, cancelled, closed.

use std::sync::Arc;
use std::time::Duration;

use super::read::Fields;
use super::session::{id_of, identifier};
use super::status::{Failed, Status, success};
use super::write::Struct;
use super::{Answer, Call};
use crate::statement::{Failure, Phase, Statement};

/// How long a question about an operation waits for its end. Clients ask again at once, and some have to end a question before they can
/// cancel.
const LONG_POLL: Duration = Duration::from_secs(1);

/// `TOperationState`
const RUNNING: i32 = 1;
const FINISHED: i32 = 2;
const CANCELED: i32 = 3;
const CLOSED: i32 = 4;
const ERROR: i32 = 5;
const PENDING: i32 = 7;
const TIMED_OUT: i32 = 8;

/// `GetOperationStatus`
pub(super) async fn status(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    let statement = find(call, request)?;
    Ok(status_of(&settled(&statement).await))
}

/// `CancelOperation`. An operation that has ended stays as it is.
pub(super) fn cancel(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    find(call, request)?.advance(Phase::Canceled);
    Ok(success())
}

/// `CloseOperation`. A running operation is cancelled.
pub(super) fn close(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    find(call, request)?.advance(Phase::Closed);
    Ok(success())
}

/// The operation that a request names in its first field.
pub(super) fn find(call: &Call<'_>, request: &Fields<'_>) -> Result<Arc<Statement>, Failed> {
    let id = id_of(&request.structure(1)?.structure(1)?)?;
    let statement = call.state.statements.find(&id)?;
    match &statement.reading {
        Some(reading) => {
            // Who asks for an operation uses its session, which must not age meanwhile. That it may be over already is no matter here.
            let _ = call.state.sessions.find(&reading.session_id);
            Ok(statement)
        }
        // One of the statement API's, whose result has no turns.
        None => Err(Status::invalid_handle("the statement was not started by this protocol").into()),
    }
}

/// Where the operation is when it has ended, or after a while.
pub(super) async fn settled(statement: &Statement) -> Phase {
    let _ = tokio::time::timeout(LONG_POLL, statement.ended()).await;
    statement.phase()
}

/// `TOperationHandle`
pub(super) fn handle(id: &str, phase: &Phase, operation: i32) -> Struct {
    let modified = match phase {
        Phase::Succeeded(outcome) => outcome.num_modified_rows,
        _ => None,
    };
    Struct::default()
        .structure(1, identifier(id))
        .i32(2, operation)
        // As in Spark: whether there are rows is known when the statement has run, and one without has a result without columns.
        .bool(3, true)
        .when(modified, |handle, rows| handle.double(4, rows as f64))
}

/// `TGetOperationStatusResp`
pub(super) fn status_of(phase: &Phase) -> Struct {
    let state = |state| success().i32(2, state);
    match phase {
        Phase::Pending => state(PENDING),
        Phase::Running => state(RUNNING),
        Phase::Succeeded(outcome) => state(FINISHED)
            .bool(9, true)
            .when(outcome.num_modified_rows, |status, rows| status.i64(11, rows)),
        Phase::Failed(failure) => state(match failure.error_code {
            Failure::DEADLINE_EXCEEDED => TIMED_OUT,
            _ => ERROR,
        })
        .text(3, &failure.sql_state)
        .text(5, &failure.message)
        .bool(9, false)
        .text(1281, &failure.message),
        Phase::Canceled => state(CANCELED),
        Phase::Closed => state(CLOSED),
    }
}
