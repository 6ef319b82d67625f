//! Statements: executed, asked about, cancelled, closed, and read chunk by chunk.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use databricks_wire::sea::ExecuteStatementRequest;

use super::reply::{self, Refusal};
use super::{BaseUrl, warehouses};
use crate::state::State;
use crate::statement::answer::{Answer, Part};
use crate::statement::run::{self, Origin, Sent};
use crate::statement::{Phase, Plan, Statement};

/// `POST /api/2.0/sql/statements`
pub(super) async fn execute(
    Shared(state): Shared<Arc<State>>,
    Extension(base_url): Extension<BaseUrl>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let mut request: ExecuteStatementRequest = reply::parse(&body)?;
    drop(body);
    let plan = Plan::check(&request)?;
    warehouses::wake(&state, &request.warehouse_id)?;
    let origin = match &request.session_id {
        Some(id) => Origin::Session(state.sessions.find(id)?),
        None => Origin::Fresh(request.catalog.take(), request.schema.take()),
    };

    let statement = Arc::new(Statement::new(plan.shape, None));
    state.statements.insert(Arc::clone(&statement))?;
    let sent = Sent {
        request,
        confs: BTreeMap::new(),
        base_url: Arc::clone(&base_url.0),
    };
    run::start(&state, &statement, origin, sent, &plan);
    if plan.wait.is_zero() {
        return Ok(reply::ok(&Answer::accepted(&statement)));
    }
    // When the client goes away meanwhile, only this wait ends: the statement goes on, as in the cloud.
    let ended = tokio::time::timeout(plan.wait, statement.ended()).await;
    if ended.is_err() && plan.cancel_after_wait {
        statement.advance(Phase::Canceled);
    }
    about(&state, &statement, &base_url).await
}

/// `GET /api/2.0/sql/statements/{statement_id}`
pub(super) async fn status(
    Shared(state): Shared<Arc<State>>,
    Path(statement_id): Path<String>,
    Extension(base_url): Extension<BaseUrl>,
) -> Result<Response, Refusal> {
    let statement = state.statements.find(&statement_id)?;
    about(&state, &statement, &base_url).await
}

/// `POST /api/2.0/sql/statements/{statement_id}/cancel`. A statement that has ended stays as it is.
pub(super) async fn cancel(
    Shared(state): Shared<Arc<State>>,
    Path(statement_id): Path<String>,
) -> Result<Response, Refusal> {
    state.statements.find(&statement_id)?.advance(Phase::Canceled);
    Ok(reply::empty())
}

/// `DELETE /api/2.0/sql/statements/{statement_id}`. A running statement is cancelled; its id answers CLOSED from now
/// on.
pub(super) async fn close(
    Shared(state): Shared<Arc<State>>,
    Path(statement_id): Path<String>,
) -> Result<Response, Refusal> {
    state.statements.find(&statement_id)?.advance(Phase::Closed);
    Ok(reply::empty())
}

/// `GET /api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}`
pub(super) async fn chunk(
    Shared(state): Shared<Arc<State>>,
    Path((statement_id, chunk_index)): Path<(String, String)>,
    Extension(base_url): Extension<BaseUrl>,
) -> Result<Response, Refusal> {
    let statement = state.statements.find(&statement_id)?;
    let index: u64 = chunk_index
        .parse()
        .map_err(|_| Refusal::invalid("the index of a chunk must be a number"))?;
    let Phase::Succeeded(outcome) = statement.phase() else {
        return Err(Refusal::not_found("the statement has no result"));
    };
    Part::of(
        &statement.id,
        statement.shape,
        &outcome,
        index,
        &state.links,
        &base_url.0,
    )
    .await
    .map_err(unreadable_chunk)?
    .map(|part| reply::ok(&part))
    .ok_or_else(|| Refusal::not_found("the result has no such chunk"))
}

async fn about(state: &State, statement: &Statement, base_url: &BaseUrl) -> Result<Response, Refusal> {
    let answer = Answer::about(statement, &state.links, &base_url.0)
        .await
        .map_err(unreadable_chunk)?;
    Ok(reply::ok(&answer))
}

fn unreadable_chunk(error: io::Error) -> Refusal {
    Refusal::internal(format!("a chunk cannot be read: {error}"))
}
