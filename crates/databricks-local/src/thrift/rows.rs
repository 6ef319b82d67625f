//! Results: what their columns are, and their rows, in turns.

use std::io;
use std::sync::Arc;

use arrow::error::ArrowError;

use super::read::Fields;
use super::status::{Failed, Status, success};
use super::types;
use super::write::{Struct, push_bytes};
use super::{Answer, Call, columns, kind, operation};
use crate::result::decode::{self, BatchMessage};
use crate::result::depot::blocking;
use crate::statement::reading::{Form, Most, Start, Turn};
use crate::statement::{Outcome, Phase, Statement};

/// `TSparkRowSetType`
const ARROW_BASED: i32 = 0;
const COLUMN_BASED: i32 = 1;
const URL_BASED: i32 = 3;

/// `TFetchOrientation`
const FETCH_NEXT: i32 = 0;
const FETCH_ABSOLUTE: i32 = 3;
const FETCH_FIRST: i32 = 4;

/// How many links an answer holds at most.
const MOST_LINKS: usize = 32;

/// `GetResultSetMetadata`
pub(super) async fn metadata(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    let statement = operation::find(call, request)?;
    let outcome = outcome(&statement).await?;
    metadata_of(&statement, &outcome)
}

/// `FetchResults`
pub(super) async fn fetch(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    let statement = operation::find(call, request)?;
    let outcome = outcome(&statement).await?;
    let row = request.i64(1282).and_then(|row| u64::try_from(row).ok());
    let start = match (request.i32(2).unwrap_or(FETCH_NEXT), row) {
        (FETCH_NEXT | FETCH_ABSOLUTE, Some(row)) => Start::Row(row),
        (FETCH_NEXT, None) => Start::Next,
        (FETCH_FIRST, _) => Start::Row(0),
        _ => return Err(Status::error("HYC00", "rows are fetched forward, from the first or from a row").into()),
    };
    let most = most(request.limit(3), request.limit(1281));
    let (answer, _) = turn(call, &statement, &outcome, start, most).await?;
    Ok(match request.bool(1283) {
        true => answer.structure(1281, metadata_of(&statement, &outcome)?),
        false => answer,
    })
}

/// What `maxRows` and `maxBytes` allow.
pub(super) fn most(rows: Option<u64>, bytes: Option<u64>) -> Most {
    Most {
        rows: rows.unwrap_or(u64::MAX),
        bytes: bytes.unwrap_or(u64::MAX),
        links: MOST_LINKS,
    }
}

/// The result of an operation that has ended well.
async fn outcome(statement: &Statement) -> Result<Arc<Outcome>, Failed> {
    let status = match operation::settled(statement).await {
        Phase::Succeeded(outcome) => return Ok(outcome),
        Phase::Failed(failure) => Status::from(failure.as_ref()),
        Phase::Canceled => Status::error("HY008", "the operation was cancelled"),
        Phase::Closed => Status::invalid_handle("the operation was closed"),
        Phase::Pending | Phase::Running => {
            Status::error("HY010", "the operation has not ended: ask for its status first")
        }
    };
    Err(status.into())
}

/// `TGetResultSetMetadataResp`
pub(super) fn metadata_of(statement: &Statement, outcome: &Outcome) -> Answer {
    let response = success().structure(2, types::schema(&outcome.columns));
    let response = match form(statement) {
        Form::Columns => response.i32(1281, COLUMN_BASED),
        Form::Arrow { lz4, .. } => response
            .i32(1281, if outcome.is_inline { ARROW_BASED } else { URL_BASED })
            .bool(1282, lz4)
            .bytes(1283, &decode::schema_message(&outcome.schema).map_err(unreadable)?),
    };
    Ok(response.bool(1287, outcome.is_transfer))
}

/// `TFetchResultsResp`, and whether there are more rows.
pub(super) async fn turn(
    call: &Call<'_>,
    statement: &Arc<Statement>,
    outcome: &Arc<Outcome>,
    start: Start,
    most: Most,
) -> Result<(Struct, bool), Failed> {
    let turn = match &statement.reading {
        Some(reading) => reading.turn(outcome, start, most),
        None => Turn::default(),
    };
    let has_more = turn.rows.end < outcome.row_count;
    let set = Struct::default()
        .i64(1, turn.rows.start as i64)
        .list(2, kind::STRUCT, 0, |_| {});
    let set = if outcome.is_inline {
        let (statement, outcome) = (Arc::clone(statement), Arc::clone(outcome));
        blocking(move || inline(&statement, &outcome, &turn, set).map_err(io::Error::other))
            .await
            .map_err(unreadable)?
    } else {
        set.structures(1282, links(call, statement, outcome, &turn))
    };
    Ok((success().bool(2, has_more).structure(3, set), has_more))
}

/// Adds the rows themselves.
fn inline(statement: &Statement, outcome: &Outcome, turn: &Turn, set: Struct) -> Result<Struct, ArrowError> {
    let batches = match outcome.chunks.get(turn.chunks.start) {
        Some(chunk) => {
            let within = |row: u64| usize::try_from(row.saturating_sub(chunk.row_offset)).unwrap_or(usize::MAX);
            let (from, to) = (within(turn.rows.start), within(turn.rows.end));
            decode::rows(&chunk.stored.read()?, statement.shape.lz4, from, to)?
        }
        None => Vec::new(),
    };
    Ok(match form(statement) {
        Form::Columns => set.structures(3, columns::of(&outcome.schema, &batches)?),
        Form::Arrow { lz4, .. } => {
            let messages = decode::batch_messages(&outcome.schema, &batches, lz4)?;
            set.list(1281, kind::STRUCT, messages.len(), |out| {
                messages.iter().for_each(|message| push_batch(out, message));
            })
        }
    })
}

/// `TSparkArrowBatch`: written on the spot, since it may be megabytes.
fn push_batch(out: &mut Vec<u8>, message: &BatchMessage) {
    out.extend_from_slice(&[kind::STRING, 0, 1]);
    push_bytes(out, &message.bytes);
    out.extend_from_slice(&Struct::default().i64(2, message.rows as i64).finish());
}

/// `TSparkArrowResultLink`s
fn links(call: &Call<'_>, statement: &Statement, outcome: &Outcome, turn: &Turn) -> Vec<Struct> {
    let chunks = outcome.chunks.iter().zip(0_u64..);
    let wanted = chunks.skip(turn.chunks.start).take(turn.chunks.len());
    let link = |(chunk, index): (&crate::statement::Chunk, u64)| {
        let link = call.state.links.sign(&call.base_url.0, &statement.id, index);
        Struct::default()
            .text(1, &link.url)
            .i64(2, link.expiry_ms)
            .i64(3, chunk.row_offset as i64)
            .i64(4, chunk.row_count as i64)
            .i64(5, chunk.byte_count as i64)
    };
    wanted.map(link).collect()
}

fn form(statement: &Statement) -> Form {
    statement.reading.as_ref().map_or(Form::Columns, |reading| reading.form)
}

fn unreadable(error: impl std::fmt::Display) -> Failed {
    Status::error("XX000", format!("a chunk cannot be read: {error}")).into()
}
