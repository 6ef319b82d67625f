//! The one warehouse, which always runs when somebody needs it, and the one user.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use serde_json::{Value, json};

use super::reply::{self, Refusal};
use crate::state::State;

/// Makes sure that `id` names the warehouse, and that it runs.
///
/// # Errors
/// When there is no such warehouse.
pub(super) fn wake(state: &State, id: &str) -> Result<(), Refusal> {
    known(state, id)?;
    state.is_stopped.store(false, Ordering::Relaxed);
    Ok(())
}

/// `GET /api/2.0/sql/warehouses`
pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    reply::ok(&json!({ "warehouses": [describe(&state)] }))
}

/// `GET /api/2.0/sql/warehouses/{warehouse_id}`
pub(super) async fn one(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    known(&state, &id)?;
    Ok(reply::ok(&describe(&state)))
}

/// `POST /api/2.0/sql/warehouses/{warehouse_id}/start`
pub(super) async fn start(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    wake(&state, &id)?;
    Ok(reply::empty())
}

/// `POST /api/2.0/sql/warehouses/{warehouse_id}/stop`. What runs goes on; the next statement starts it again.
pub(super) async fn stop(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    known(&state, &id)?;
    state.is_stopped.store(true, Ordering::Relaxed);
    Ok(reply::empty())
}

/// `GET /api/2.0/preview/scim/v2/Me`
pub(super) async fn me() -> Response {
    reply::ok(&json!({ "id": "1", "userName": "local@localhost", "displayName": "local", "active": true }))
}

fn known(state: &State, id: &str) -> Result<(), Refusal> {
    if id.is_empty() {
        return Err(Refusal::invalid("warehouse_id is required"));
    }
    if id == state.settings.warehouse_id {
        return Ok(());
    }
    Err(Refusal::not_found("the warehouse does not exist"))
}

fn describe(state: &State) -> Value {
    let id = &state.settings.warehouse_id;
    let is_stopped = state.is_stopped.load(Ordering::Relaxed);
    json!({
        "id": id,
        "name": "local",
        "state": if is_stopped { "STOPPED" } else { "RUNNING" },
        "cluster_size": "2X-Small",
        "num_clusters": u8::from(!is_stopped),
        "num_active_sessions": state.sessions.count(),
        "enable_serverless_compute": true,
        "warehouse_type": "PRO",
        "odbc_params": { "path": format!("/sql/1.0/warehouses/{id}") },
    })
}
