//! The second protocol of the workspace: HiveServer2's Thrift service over HTTP, which most clients of Databricks speak first.
//!
//! A POST carries one call in the strict binary protocol ([`read`], [`write`]). Everything else is what the statement API has: the same
//! sessions, statements, slots, engine, depot and signed links, so that both protocols give the same values and the same errors. A
//! session's or operation's handle is the id of the session or statement.
//!
//! The service is `TCLIService` with the fields that Databricks added (numbers from 1281): results as Arrow batches or behind links,
//! direct results, parameters, catalogs. Names and numbers are those of the definition that clients ship
//! (`TCLIService.thrift`, as compiled into databricks-sql-connector 4.9.0).

use std::sync::Arc;

use crate::http::BaseUrl;
use crate::state::State;

mod catalog;
mod columns;
mod execute;
mod operation;
mod read;
mod rows;
mod session;
mod status;
mod types;
mod write;

use read::{Fields, Malformed, Message};
use status::Failed;
use write::{Struct, message};

/// The types of values on the wire.
mod kind {
    pub(super) const STOP: u8 = 0;
    pub(super) const BOOL: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const DOUBLE: u8 = 4;
    pub(super) const I16: u8 = 6;
    pub(super) const I32: u8 = 8;
    pub(super) const I64: u8 = 10;
    pub(super) const STRING: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
    pub(super) const MAP: u8 = 13;
    pub(super) const SET: u8 = 14;
    pub(super) const LIST: u8 = 15;
}

/// The types of messages.
const CALL: u8 = 1;
const REPLY: u8 = 2;
const EXCEPTION: u8 = 3;

/// `TApplicationException`'s types.
const UNKNOWN_METHOD: i32 = 1;
const INVALID_MESSAGE_TYPE: i32 = 2;
const PROTOCOL_ERROR: i32 = 7;

/// What a call may need beside its request.
struct Call<'a> {
    state: &'a Arc<State>,
    base_url: &'a BaseUrl,
}

/// What a method answers: the fields of its response after the status, or what to say instead.
type Answer = Result<Struct, Failed>;

/// Answers one call.
///
/// # Errors
/// When the body is no message at all: there is nobody to answer in Thrift then.
pub(crate) async fn answer(state: &Arc<State>, base_url: &BaseUrl, body: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut call = Message::read(body)?;
    let (method, sequence) = (call.method, call.sequence);
    let exception = |kind, text: &str| {
        let body = Struct::default().text(1, text).i32(2, kind);
        Ok(message(method, EXCEPTION, sequence, body))
    };
    if call.message_type != CALL {
        return exception(INVALID_MESSAGE_TYPE, "the message is no call");
    }
    let request = match call.request() {
        Ok(request) => request,
        Err(Malformed(why)) => return exception(PROTOCOL_ERROR, why),
    };
    let answer = dispatch(&Call { state, base_url }, method, &request).await;
    let response = match answer {
        None => return exception(UNKNOWN_METHOD, "the service has no such method"),
        Some(Ok(response)) => response,
        Some(Err(Failed::Status(status))) => status.response(),
        Some(Err(Failed::Malformed(Malformed(why)))) => return exception(PROTOCOL_ERROR, why),
    };
    Ok(message(
        method,
        REPLY,
        sequence,
        Struct::default().structure(0, response),
    ))
}

/// `None` when there is no such method.
async fn dispatch(call: &Call<'_>, method: &str, request: &Fields<'_>) -> Option<Answer> {
    Some(match method {
        "OpenSession" => session::open(call, request),
        "CloseSession" => session::close(call, request),
        "GetInfo" => session::info(call, request),
        "ExecuteStatement" => execute::statement(call, request).await,
        "GetOperationStatus" => operation::status(call, request).await,
        "CancelOperation" => operation::cancel(call, request),
        "CloseOperation" => operation::close(call, request),
        "GetResultSetMetadata" => rows::metadata(call, request).await,
        "FetchResults" => rows::fetch(call, request).await,
        _ => return catalog::answer(call, method, request).await,
    })
}
