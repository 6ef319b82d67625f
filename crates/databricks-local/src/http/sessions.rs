//! Sessions: opened and closed.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use databricks_wire::sea::{CreateSessionRequest, CreateSessionResponse};

use super::reply::{self, Refusal};
use super::warehouses;
use crate::state::State;

/// `POST /api/2.0/sql/sessions`
pub(super) async fn create(Shared(state): Shared<Arc<State>>, body: Bytes) -> Result<Response, Refusal> {
    let request: CreateSessionRequest = reply::parse(&body)?;
    warehouses::wake(&state, &request.warehouse_id)?;
    let (catalog, schema) = (request.catalog.as_deref(), request.schema.as_deref());
    let session = state
        .engine
        .session(catalog, schema, &request.session_confs)
        .map_err(|error| Refusal::invalid(error.to_string()))?;
    let session_id = state.sessions.add(session)?;
    Ok(reply::ok(&CreateSessionResponse { session_id }))
}

/// `DELETE /api/2.0/sql/sessions/{session_id}`. What else the request says, in its query or body, does not matter.
pub(super) async fn remove(
    Shared(state): Shared<Arc<State>>,
    Path(session_id): Path<String>,
) -> Result<Response, Refusal> {
    state.sessions.remove(&session_id)?;
    Ok(reply::empty())
}
