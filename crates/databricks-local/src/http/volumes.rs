//! Transfers of `PUT`, `GET` and `REMOVE`: the statement's one row tells the client what to do and with which signed link, and the
//! link leads here. As in cloud storage, the link is all that is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use axum::extract::{Path, Request, State as Shared};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::files;
use super::storage::{no_such_key, refuse};
use crate::engine::volumes::VolumePath;
use crate::engine::{Engine, Execution, SqlError, Transfer};
use crate::result::links::{BadLink, Links};
use crate::state::State;

/// Where signed links to files lead; what follows is the file's path.
pub(super) const PATH: &str = "/volume-files/";

/// What stays as it is in a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// The row that tells a client what to transfer. The columns are those that drivers look for.
///
/// # Errors
/// When the volume is gone.
pub(crate) fn signed(
    engine: &Engine,
    links: &Links,
    base_url: &str,
    transfer: &Transfer,
) -> Result<Execution, SqlError> {
    let place = engine.volumes.find(&transfer.volume_path)?;
    let method = match transfer.operation {
        // Which of the two may be done is part of what is signed.
        "PUT" if transfer.overwrite => "PUT OVERWRITE",
        "PUT" => "PUT",
        "GET" => "GET",
        _ => "DELETE",
    };
    let at = format!(
        "{PATH}{}",
        utf8_percent_encode(place.path.trim_start_matches('/'), IN_PATH)
    );
    let link = links.sign_file(base_url, method, &at, &place.path);
    let headers = match transfer.operation {
        // A header that has to come back with the file, as cloud storage demands some.
        "PUT" => BTreeMap::from([("x-databricks-local-transfer", "1")]),
        _ => BTreeMap::new(),
    };
    let headers = serde_json::to_string(&headers).unwrap_or_else(|_| "{}".to_owned());
    let text = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let row = RecordBatch::try_from_iter_with_nullable([
        ("operation", text(Some(transfer.operation)), true),
        ("presignedUrl", text(Some(&link.url)), true),
        ("headers", text(Some(&headers)), true),
        ("localFile", text(transfer.local_file.as_deref()), true),
    ])?;
    Ok(Execution {
        transfer: Some(transfer.clone()),
        ..Execution::of_batch(row)
    })
}

/// `PUT /volume-files/{path}?…`
pub(super) async fn upload(Shared(state): Shared<Arc<State>>, Path(path): Path<String>, request: Request) -> Response {
    let overwrite = allowed(&state, "PUT OVERWRITE", &path, &request).is_ok();
    let place = match allowed(&state, if overwrite { "PUT OVERWRITE" } else { "PUT" }, &path, &request) {
        Ok(place) => place,
        Err(refusal) => return *refusal,
    };
    if !request.headers().contains_key("x-databricks-local-transfer") {
        return refuse(StatusCode::BAD_REQUEST, "MissingHeader", "A signed header is missing.");
    }
    match files::receive(&state, &place, overwrite, request.into_body()).await {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// `GET /volume-files/{path}?…`
pub(super) async fn download(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    match allowed(&state, "GET", &path, &request) {
        Ok(place) => files::send(&place, request.headers())
            .await
            .unwrap_or_else(|_| no_such_key()),
        Err(refusal) => *refusal,
    }
}

/// `DELETE /volume-files/{path}?…`
pub(super) async fn remove(Shared(state): Shared<Arc<State>>, Path(path): Path<String>, request: Request) -> Response {
    match allowed(&state, "DELETE", &path, &request) {
        Ok(place) => match files::delete(&place).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(_) => no_such_key(),
        },
        Err(refusal) => *refusal,
    }
}

fn allowed(state: &State, method: &str, path: &str, request: &Request) -> Result<VolumePath, Box<Response>> {
    let place = state
        .engine
        .volumes
        .find(&format!("/{path}"))
        .map_err(|_| Box::new(no_such_key()))?;
    let query = request.uri().query().unwrap_or_default();
    let refused = |code, message| Box::new(refuse(StatusCode::FORBIDDEN, code, message));
    match state
        .links
        .check_file(method, &place.path, query, Timestamp::now().as_millisecond())
    {
        Ok(()) => Ok(place),
        Err(BadLink::Expired) => Err(refused("AccessDenied", "Request has expired")),
        Err(BadLink::Forged) => Err(refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )),
    }
}
