//! Thrift over HTTP: one call per POST, to the path by which a client knows the warehouse.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use http::StatusCode;

use super::reply::{self, Refusal};
use super::{BaseUrl, warehouses};
use crate::state::State;
use crate::thrift;

/// Where Thrift's paths begin.
pub(super) const PATH: &str = "/sql/";

/// Where its clients look for the reason of an HTTP status.
pub(super) const REASON: &str = "x-thriftserver-error-message";

/// `POST /sql/1.0/warehouses/{warehouse_id}` and `POST /sql/1.0/endpoints/{warehouse_id}`
pub(super) async fn warehouse(
    shared: Shared<Arc<State>>,
    Path(warehouse_id): Path<String>,
    base_url: Extension<BaseUrl>,
    body: Bytes,
) -> Result<Response, Refusal> {
    answer(shared, &warehouse_id, base_url, body).await
}

/// `POST /sql/protocolv1/o/{organisation_id}/{cluster_id}`: the path of a cluster. The warehouse answers to it by its id, in any
/// organisation.
pub(super) async fn cluster(
    shared: Shared<Arc<State>>,
    Path((_, cluster_id)): Path<(String, String)>,
    base_url: Extension<BaseUrl>,
    body: Bytes,
) -> Result<Response, Refusal> {
    answer(shared, &cluster_id, base_url, body).await
}

async fn answer(
    Shared(state): Shared<Arc<State>>,
    warehouse_id: &str,
    Extension(base_url): Extension<BaseUrl>,
    body: Bytes,
) -> Result<Response, Refusal> {
    warehouses::wake(&state, warehouse_id)?;
    let answer = thrift::answer(&state, &base_url, &body)
        .await
        .map_err(|malformed| Refusal::new(StatusCode::BAD_REQUEST, "MALFORMED_REQUEST", malformed.to_string()))?;
    Ok(reply::with_type(StatusCode::OK, "application/x-thrift", answer))
}
