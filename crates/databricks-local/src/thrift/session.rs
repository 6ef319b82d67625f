//! Sessions, and what the server says of itself.

use std::sync::Arc;

use uuid::Uuid;

use super::read::{Fields, Malformed};
use super::status::{Failed, Status, success};
use super::write::Struct;
use super::{Answer, Call};
use crate::engine::EngineSession;

/// `SPARK_CLI_SERVICE_PROTOCOL_V8`: the first that has parameters.
const PROTOCOL: i32 = 0xa508;

/// `TGetInfoType` and its values.
const SERVER_NAME: i32 = 13;
const DBMS_NAME: i32 = 17;
const DBMS_VERSION: i32 = 18;
const IDENTIFIER_QUOTE: i32 = 29;
const SEARCH_ESCAPE: i32 = 14;
/// The lengths of names: of columns, schemas, catalogs, tables, identifiers.
const NAME_LENGTHS: [i32; 5] = [30, 32, 34, 35, 10_005];
const MAX_NAME_LENGTH: i64 = 255;

/// `OpenSession`
pub(super) fn open(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    let place = request.structure(1284)?;
    let (catalog, schema) = (named(place.text(1)?), named(place.text(2)?));
    let confs = request.text_map(4)?;
    let session = call
        .state
        .engine
        .session(catalog, schema, &confs)
        .map_err(Status::from)?;
    let place = Struct::default()
        .text(1, &session.current_catalog())
        .text(2, &session.current_schema());
    let id = call.state.sessions.add(session)?;
    let handle = Struct::default().structure(1, identifier(&id)).i32(3329, PROTOCOL);
    Ok(success()
        .i32(2, PROTOCOL)
        .structure(3, handle)
        .structure(1284, place)
        .bool(1285, true))
}

/// `CloseSession`. As in Hive, its operations end with it.
pub(super) fn close(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    let id = session_id(request)?;
    call.state.sessions.remove(&id)?;
    call.state.statements.close_of_session(&id);
    Ok(success())
}

/// `GetInfo`
pub(super) fn info(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    session_of(call, request)?;
    let text = |text| Struct::default().text(1, text);
    let value = match request.i32(2) {
        Some(SERVER_NAME | DBMS_NAME) => text("Spark SQL"),
        Some(DBMS_VERSION) => text(env!("CARGO_PKG_VERSION")),
        Some(IDENTIFIER_QUOTE) => text("`"),
        Some(SEARCH_ESCAPE) => text("\\"),
        Some(asked) if NAME_LENGTHS.contains(&asked) => Struct::default().i64(6, MAX_NAME_LENGTH),
        _ => return Err(Status::error("HYC00", "GetInfo knows no such type").into()),
    };
    Ok(success().structure(2, value))
}

/// The session that a request names in its first field, with its id.
pub(super) fn session_of(call: &Call<'_>, request: &Fields<'_>) -> Result<(String, Arc<EngineSession>), Failed> {
    let id = session_id(request)?;
    let session = call.state.sessions.find(&id)?;
    Ok((id, session))
}

fn session_id(request: &Fields<'_>) -> Result<String, Failed> {
    Ok(id_of(&request.structure(1)?.structure(1)?)?)
}

/// The id in a `THandleIdentifier`.
pub(super) fn id_of(identifier: &Fields<'_>) -> Result<String, Malformed> {
    let guid = identifier.bytes(1).ok_or(Malformed("the handle has no guid"))?;
    let guid = Uuid::from_slice(guid).map_err(|_| Malformed("the guid of the handle has not 16 bytes"))?;
    Ok(guid.to_string())
}

/// The `THandleIdentifier` of an id. The id cannot be guessed, so it is its own secret.
pub(super) fn identifier(id: &str) -> Struct {
    let guid = Uuid::parse_str(id).unwrap_or_default();
    Struct::default().bytes(1, guid.as_bytes()).bytes(2, guid.as_bytes())
}

fn named(name: Option<&str>) -> Option<&str> {
    name.filter(|name| !name.is_empty())
}
