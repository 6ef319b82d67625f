//! The door: listeners, routes, credentials, and one place that every request passes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use http::{StatusCode, header};

use crate::state::State;
use reply::Refusal;

pub(crate) mod accept;
mod alter;
pub(crate) mod credentials;
pub(crate) mod door;
mod files;
mod flags;
mod oauth;
pub(crate) mod reply;
mod sessions;
mod statements;
mod storage;
mod telemetry;
mod thrift;
mod unity_catalog;
pub(crate) mod volumes;
mod warehouses;

/// Every path that the workspace answers. The door has removed trailing slashes before.
pub(crate) fn router(state: Arc<State>) -> Router {
    let guarded = Router::new()
        .route("/api/2.0/sql/sessions", post(sessions::create))
        .route("/api/2.0/sql/sessions/{session_id}", delete(sessions::remove))
        .route("/api/2.0/sql/statements", post(statements::execute))
        .route(
            "/api/2.0/sql/statements/{statement_id}",
            get(statements::status).delete(statements::close),
        )
        .route(
            "/api/2.0/sql/statements/{statement_id}/cancel",
            post(statements::cancel),
        )
        .route(
            "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}",
            get(statements::chunk),
        )
        .route("/api/2.0/sql/warehouses", get(warehouses::list))
        .route("/api/2.0/sql/warehouses/{warehouse_id}", get(warehouses::one))
        .route("/api/2.0/sql/warehouses/{warehouse_id}/start", post(warehouses::start))
        .route("/api/2.0/sql/warehouses/{warehouse_id}/stop", post(warehouses::stop))
        .route(
            "/api/2.0/connector-service/feature-flags/{client_type}/{version}",
            get(flags::flags),
        )
        .route(
            "/api/2.0/fs/files/{*path}",
            put(files::upload)
                .get(files::download)
                .head(files::describe)
                .delete(files::remove),
        )
        .route(
            "/api/2.0/fs/directories/{*path}",
            put(files::make_directory)
                .get(files::list)
                .head(files::describe_directory)
                .delete(files::remove_directory),
        )
        .route("/api/2.0/preview/scim/v2/Me", get(warehouses::me))
        .route("/api/2.1/unity-catalog/catalogs", get(unity_catalog::catalogs))
        .route("/api/2.1/unity-catalog/catalogs/{name}", get(unity_catalog::catalog))
        .route("/api/2.1/unity-catalog/schemas", get(unity_catalog::schemas))
        .route("/api/2.1/unity-catalog/schemas/{full_name}", get(unity_catalog::schema))
        .route("/api/2.1/unity-catalog/tables", get(unity_catalog::tables))
        .route("/api/2.1/unity-catalog/tables/{full_name}", get(unity_catalog::table))
        .route(
            "/api/2.1/unity-catalog/tables/{full_name}/exists",
            get(unity_catalog::table_exists),
        )
        .route("/api/2.1/unity-catalog/volumes", get(unity_catalog::volumes))
        .route("/sql/1.0/warehouses/{warehouse_id}", post(thrift::warehouse))
        .route("/sql/1.0/endpoints/{warehouse_id}", post(thrift::warehouse))
        .route(
            "/sql/protocolv1/o/{organisation_id}/{cluster_id}",
            post(thrift::cluster),
        )
        .route("/telemetry-ext", post(telemetry::authenticated))
        .route_layer(middleware::from_fn(require_credentials));
    let open = Router::new()
        .route("/telemetry-unauth", post(telemetry::unauthenticated))
        .route("/results/{statement_id}/{chunk_index}", get(storage::download))
        .route(
            "/volume-files/{*path}",
            put(volumes::upload).get(volumes::download).delete(volumes::remove),
        )
        .route("/oidc/v1/token", post(oauth::token))
        .route("/oidc/oauth2/v2.0/authorize", get(oauth::authorize))
        .route("/.well-known/databricks-config", get(oauth::configuration))
        .route("/oidc/.well-known/oauth-authorization-server", get(oauth::discovery));
    guarded
        .merge(open)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // The door has read the whole body, with a limit of its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}

/// Whether the request carried credentials that the workspace accepts; the door puts it into each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authorised(pub(crate) bool);

/// The scheme and authority under which the client reached the workspace: `http://127.0.0.1:1234`.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl(pub(crate) Arc<str>);

async fn require_credentials(request: Request, next: Next) -> Response {
    match request.extensions().get() {
        Some(Authorised(true)) => next.run(request).await,
        _ => Refusal::unauthenticated().into_response(),
    }
}

async fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "ENDPOINT_NOT_FOUND", "there is no such endpoint")
}

async fn method_not_allowed() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "the endpoint does not take this method",
    )
}

/// Whether an answer has a body that a client of this API can read.
fn is_readable(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"application/json") || value.starts_with(b"application/xml")
    })
}
