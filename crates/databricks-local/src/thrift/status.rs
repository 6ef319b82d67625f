//! `TStatus`: how every response begins.

use super::read::Malformed;
use super::write::Struct;
use crate::engine::SqlError;
use crate::http::reply::Refusal;
use crate::statement::Failure;

const SUCCESS: i32 = 0;
const ERROR: i32 = 3;
const INVALID_HANDLE: i32 = 4;

/// Why a call is not answered as it hoped.
pub(super) enum Failed {
    Status(Status),
    /// The request is not what the method takes.
    Malformed(Malformed),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Malformed> for Failed {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// A status that is not success. Never printed: the message may quote SQL and names.
pub(super) struct Status {
    code: i32,
    sql_state: String,
    message: String,
}

impl Status {
    /// An error with HiveServer2's general SQLSTATE, or the call's own.
    pub(super) fn error(sql_state: &str, message: impl Into<String>) -> Self {
        Self {
            code: ERROR,
            sql_state: sql_state.to_owned(),
            message: message.into(),
        }
    }

    /// The session or operation does not exist, or no longer.
    pub(super) fn invalid_handle(message: impl Into<String>) -> Self {
        Self {
            code: INVALID_HANDLE,
            ..Self::error("HY000", message)
        }
    }

    /// A response that holds this status and nothing else.
    pub(super) fn response(&self) -> Struct {
        let status = Struct::default()
            .i32(1, self.code)
            .text(3, &self.sql_state)
            .text(5, &self.message)
            .text(6, &self.message);
        Struct::default().structure(1, status)
    }
}

impl From<SqlError> for Status {
    fn from(error: SqlError) -> Self {
        Self::error(error.sql_state, error.to_string())
    }
}

impl From<&Failure> for Status {
    fn from(failure: &Failure) -> Self {
        Self::error(&failure.sql_state, failure.message.as_str())
    }
}

impl From<Refusal> for Status {
    /// What the statement API refuses with an HTTP status has no SQLSTATE of its own.
    fn from(refusal: Refusal) -> Self {
        match refusal.is_not_found() {
            true => Self::invalid_handle(refusal.message()),
            false => Self::error("HY000", refusal.message()),
        }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Status(refusal.into())
    }
}

/// A response that begins with success.
pub(super) fn success() -> Struct {
    Struct::default().structure(1, Struct::default().i32(1, SUCCESS))
}
