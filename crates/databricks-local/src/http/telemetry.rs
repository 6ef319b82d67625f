//! Where drivers post their telemetry.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::Response;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::reply::{self, Refusal};
use crate::requests::start_of;
use crate::state::State;

/// `POST /telemetry-ext`
pub(super) async fn authenticated(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    take(&state, &headers, &body, true)
}

/// `POST /telemetry-unauth`
pub(super) async fn unauthenticated(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    take(&state, &headers, &body, false)
}

/// Keeps what was posted. As the service does, it answers 200 also when it counts fewer successes than entries.
fn take(state: &State, headers: &HeaderMap, body: &[u8], is_authenticated: bool) -> Result<Response, Refusal> {
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map(start_of)
        .unwrap_or_default();
    let envelope: Value = reply::parse(body)?;
    let valid = state.inbox.take(&envelope, is_authenticated, &user_agent);
    Ok(reply::ok(&json!({
        "errors": [],
        "numSuccess": valid,
        "numProtoSuccess": valid,
        "numRealtimeSuccess": valid,
    })))
}
