//! The driver's one error type, and how it becomes an ADBC error.
//!
//! Every error is made where it happens, with three classifications that nobody has to derive from its text later: the
//! [`ErrorKind`] (which is the ADBC status), the SQLSTATE if there is one, and the closed [`ErrorCategory`] that telemetry may
//! send. The message is for the user's eyes: it may quote SQL and names, so `Debug` leaves it out.

use std::fmt;
use std::os::raw::c_char;

use adbc_core::error::Status;
use arrow_schema::ArrowError;
use databricks_telemetry::ErrorCategory;

/// The driver's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, one to one with the ADBC statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing more is known.
    Unknown,
    /// The driver or the workspace cannot do this.
    NotImplemented,
    /// A table, catalog, schema, option or endpoint is missing.
    NotFound,
    /// What should be created is already there.
    AlreadyExists,
    /// An option, a parameter or the SQL text is wrong.
    InvalidArgument,
    /// The call does not fit the object's state.
    InvalidState,
    /// The data is wrong: a division by zero, an overflow, a failed cast.
    InvalidData,
    /// A constraint was violated.
    Integrity,
    /// The driver or the server broke its own rules.
    Internal,
    /// The network or cloud storage failed.
    Io,
    /// Cancelled by the caller, or by the server on request.
    Cancelled,
    /// Took longer than allowed.
    Timeout,
    /// The credentials were refused.
    Unauthenticated,
    /// The credentials are good, the permission is missing.
    Unauthorized,
}

/// An error of the driver.
///
/// `Display` shows the whole message, which may quote SQL, names and the server's prose. `Debug` shows only the closed
/// parts, so that a stray `{:?}` in a log leaks nothing.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: ErrorKind,
    category: ErrorCategory,
    message: String,
    sqlstate: Option<[u8; 5]>,
    error_code: Option<String>,
    error_class: Option<String>,
    statement_id: Option<String>,
    http_status: Option<u16>,
    had_no_effect: bool,
}

impl Error {
    /// An error of this kind, telemetry category and message (lower case, no full stop).
    pub(crate) fn new(kind: ErrorKind, category: ErrorCategory, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.contains('\0') {
            // A NUL inside a stream's message aborts the process at the C boundary.
            message = message.replace('\0', "\u{fffd}");
        }
        Self(Box::new(Parts {
            kind,
            category,
            message,
            sqlstate: None,
            error_code: None,
            error_class: None,
            statement_id: None,
            http_status: None,
            had_no_effect: false,
        }))
    }

    pub(crate) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, ErrorCategory::InvalidRequest, message)
    }

    pub(crate) fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidState, ErrorCategory::InvalidRequest, message)
    }

    pub(crate) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotImplemented, ErrorCategory::UnsupportedOperation, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, ErrorCategory::Error, message)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(
            ErrorKind::Cancelled,
            ErrorCategory::Cancelled,
            "the statement was cancelled",
        )
        .with_sqlstate("57014")
    }

    /// Nobody waited any longer for the server to answer.
    pub(crate) fn not_heard() -> Self {
        Self::new(
            ErrorKind::Timeout,
            ErrorCategory::Timeout,
            "the server did not answer in time",
        )
    }

    /// A result that is not what the server promised.
    pub(crate) fn result_set(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, ErrorCategory::ResultSetError, message)
    }

    /// Arrays that do not fit one of ADBC's schemas.
    pub(crate) fn unfit(error: ArrowError) -> Self {
        Self::internal(format!("the answer does not fit ADBC's schema: {error}"))
    }

    /// The driver's own error out of the Arrow error that a reader wraps it in.
    pub(crate) fn out_of(error: ArrowError) -> Self {
        match error {
            ArrowError::ExternalError(inner) => match inner.downcast::<Self>() {
                Ok(error) => *error,
                Err(other) => Self::result_set(other.to_string()),
            },
            other => Self::result_set(other.to_string()),
        }
    }

    pub(crate) fn with_category(mut self, category: ErrorCategory) -> Self {
        self.0.category = category;
        self
    }

    /// Ignores anything that is not five ASCII letters and digits.
    pub(crate) fn with_sqlstate(mut self, sqlstate: &str) -> Self {
        if let Ok(code) = <[u8; 5]>::try_from(sqlstate.as_bytes())
            && code.iter().all(u8::is_ascii_alphanumeric)
        {
            self.0.sqlstate = Some(code);
        }
        self
    }

    pub(crate) fn with_error_code(mut self, code: &str) -> Self {
        if !code.is_empty() {
            self.0.error_code = Some(code.to_owned());
        }
        self
    }

    pub(crate) fn with_error_class(mut self, class: Option<&str>) -> Self {
        self.0.error_class = class.map(str::to_owned);
        self
    }

    /// The first statement id wins: it was attached nearest to the failure.
    pub(crate) fn with_statement_id(mut self, statement_id: &str) -> Self {
        if self.0.statement_id.is_none() && !statement_id.is_empty() {
            self.0.statement_id = Some(statement_id.to_owned());
        }
        self
    }

    pub(crate) fn with_http_status(mut self, status: u16) -> Self {
        self.0.http_status = Some(status);
        self
    }

    /// The request was never sent, or refused before anything was done about it.
    pub(crate) fn without_effect(mut self) -> Self {
        self.0.had_no_effect = true;
        self
    }

    /// Whether it is known that the server did nothing.
    pub(crate) fn had_no_effect(&self) -> bool {
        self.0.had_no_effect
    }

    /// Puts what was being done before what went wrong.
    pub(crate) fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// Puts what stands now after what went wrong.
    pub(crate) fn followed_by(mut self, standing: &str) -> Self {
        self.0.message = format!("{}; {standing}", self.0.message);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The closed category that telemetry may send.
    pub fn category(&self) -> ErrorCategory {
        self.0.category
    }

    /// The whole message, as the user shall read it.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The SQLSTATE, if the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_ref().and_then(|code| std::str::from_utf8(code).ok())
    }

    /// The coarse name of the failure, such as `BAD_REQUEST`.
    pub fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    /// The fine name of the failure, such as `TABLE_OR_VIEW_NOT_FOUND`.
    pub fn error_class(&self) -> Option<&str> {
        self.0.error_class.as_deref()
    }

    /// The server's id of the statement that failed.
    pub fn statement_id(&self) -> Option<&str> {
        self.0.statement_id.as_deref()
    }

    /// The HTTP status that carried the failure.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// The ADBC status.
    pub fn status(&self) -> Status {
        match self.0.kind {
            ErrorKind::Unknown => Status::Unknown,
            ErrorKind::NotImplemented => Status::NotImplemented,
            ErrorKind::NotFound => Status::NotFound,
            ErrorKind::AlreadyExists => Status::AlreadyExists,
            ErrorKind::InvalidArgument => Status::InvalidArguments,
            ErrorKind::InvalidState => Status::InvalidState,
            ErrorKind::InvalidData => Status::InvalidData,
            ErrorKind::Integrity => Status::Integrity,
            ErrorKind::Internal => Status::Internal,
            ErrorKind::Io => Status::IO,
            ErrorKind::Cancelled => Status::Cancelled,
            ErrorKind::Timeout => Status::Timeout,
            ErrorKind::Unauthenticated => Status::Unauthenticated,
            ErrorKind::Unauthorized => Status::Unauthorized,
        }
    }

    fn details(&self) -> Vec<(String, Vec<u8>)> {
        let parts = &self.0;
        let text = [
            ("databricks.error_code", parts.error_code.clone()),
            ("databricks.error_class", parts.error_class.clone()),
            ("databricks.statement_id", parts.statement_id.clone()),
            ("http.status_code", parts.http_status.map(|status| status.to_string())),
        ];
        text.into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.into_bytes())))
            .collect()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.sqlstate() {
            Some(state) => write!(f, " (SQLSTATE {state})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("category", &self.0.category.as_str())
            .field("sqlstate", &self.sqlstate())
            .field("error_code", &self.0.error_code)
            .field("error_class", &self.0.error_class)
            .field("statement_id", &self.0.statement_id)
            .field("http_status", &self.0.http_status)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

impl From<Error> for adbc_core::error::Error {
    fn from(error: Error) -> Self {
        let details = error.details();
        Self {
            status: error.status(),
            vendor_code: 0,
            sqlstate: error.0.sqlstate.map_or([0; 5], |code| code.map(|byte| byte as c_char)),
            details: (!details.is_empty()).then_some(details),
            message: error.0.message,
        }
    }
}

impl From<Error> for ArrowError {
    fn from(error: Error) -> Self {
        Self::ExternalError(Box::new(error))
    }
}

/// Builds the error of a statement that the server ended with `FAILED`.
///
/// `message` is `[ERROR_CLASS] text. SQLSTATE: 42P01`; the SQLSTATE may also stand beside the error. The error says it once.
pub(crate) fn from_statement_failure(
    error_code: Option<&str>,
    message: Option<&str>,
    sql_state: Option<&str>,
) -> Error {
    let message = message.unwrap_or("the statement failed and the server did not say why");
    let class = error_class(message);
    let sqlstate = sql_state
        .filter(|state| state.len() == 5)
        .or_else(|| said_sqlstate(message).map(|(_, state, _)| state));
    let (kind, category) = classify_failure(sqlstate, error_code);
    Error::new(kind, category, without_sqlstate(message, sqlstate))
        .with_sqlstate(sqlstate.unwrap_or_default())
        .with_error_code(error_code.unwrap_or_default())
        .with_error_class(class)
}

/// Builds the error of a request that was refused with a message, in which the class and the SQLSTATE may stand as in a statement's. What
/// the SQLSTATE says beats what the status of the answer said (`kind`).
pub(crate) fn from_refusal(kind: ErrorKind, category: ErrorCategory, message: &str) -> Error {
    let sqlstate = said_sqlstate(message).map(|(_, state, _)| state);
    let kind = match classify_failure(sqlstate, None) {
        (ErrorKind::Unknown, _) => kind,
        (said, _) => said,
    };
    Error::new(kind, category, without_sqlstate(message, sqlstate))
        .with_sqlstate(sqlstate.unwrap_or_default())
        .with_error_class(error_class(message))
}

fn classify_failure(sqlstate: Option<&str>, error_code: Option<&str>) -> (ErrorKind, ErrorCategory) {
    use {ErrorCategory as C, ErrorKind as K};
    match sqlstate {
        Some("42P01" | "42704" | "42883") => (K::NotFound, C::SyntaxError),
        Some("42P07" | "42710" | "42P06") => (K::AlreadyExists, C::SyntaxError),
        Some("42501") => (K::Unauthorized, C::PermissionError),
        Some("57014") => (K::Cancelled, C::ExecuteStatementCancelled),
        Some("57KD0" | "57033") => (K::Timeout, C::StatementExecutionTimeout),
        Some(state) if state.starts_with("42") => (K::InvalidArgument, C::SyntaxError),
        Some(state) if state.starts_with("22") => (K::InvalidData, C::ExecuteStatementFailed),
        Some(state) if state.starts_with("23") => (K::Integrity, C::ExecuteStatementFailed),
        Some(state) if state.starts_with("0A") => (K::NotImplemented, C::ExecuteStatementFailed),
        Some(state) if state.starts_with("28") => (K::Unauthenticated, C::ExecuteStatementFailed),
        Some(state) if state.starts_with("08") => (K::Io, C::ExecuteStatementFailed),
        Some(state) if state.starts_with("XX") => (K::Internal, C::ExecuteStatementFailed),
        _ => match error_code {
            Some("BAD_REQUEST" | "INVALID_PARAMETER_VALUE") => (K::InvalidArgument, C::ExecuteStatementFailed),
            Some("NOT_FOUND" | "RESOURCE_DOES_NOT_EXIST") => (K::NotFound, C::ExecuteStatementFailed),
            Some("ALREADY_EXISTS" | "RESOURCE_ALREADY_EXISTS") => (K::AlreadyExists, C::ExecuteStatementFailed),
            Some("PERMISSION_DENIED") => (K::Unauthorized, C::PermissionError),
            Some("DEADLINE_EXCEEDED") => (K::Timeout, C::StatementExecutionTimeout),
            Some("CANCELLED" | "CANCELED") => (K::Cancelled, C::ExecuteStatementCancelled),
            Some("INTERNAL_ERROR" | "INTERNAL") => (K::Internal, C::ExecuteStatementFailed),
            Some("TEMPORARILY_UNAVAILABLE" | "SERVICE_UNDER_MAINTENANCE" | "RESOURCE_EXHAUSTED") => {
                (K::Io, C::ExecuteStatementFailed)
            }
            Some("UNIMPLEMENTED" | "NOT_IMPLEMENTED") => (K::NotImplemented, C::ExecuteStatementFailed),
            _ => (K::Unknown, C::ExecuteStatementFailed),
        },
    }
}

/// The `CLASS` of a message that begins with `[CLASS]` or `[CLASS.SUBCLASS]`.
fn error_class(message: &str) -> Option<&str> {
    let (class, _) = message.strip_prefix('[')?.split_once(']')?;
    let bounded = !class.is_empty() && class.len() <= 128;
    let plain = class
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.'));
    (bounded && plain).then_some(class)
}

/// The message without the SQLSTATE that stands beside it: whoever shows an ADBC error appends that.
fn without_sqlstate(message: &str, sqlstate: Option<&str>) -> String {
    match said_sqlstate(message) {
        Some((text, said, "")) if Some(said) == sqlstate => text.strip_suffix('.').unwrap_or(text).to_owned(),
        Some((text, said, rest)) if Some(said) == sqlstate => format!("{text}{rest}"),
        _ => message.to_owned(),
    }
}

/// What a message says before its SQLSTATE, the five characters, and what follows: the place of the failure, the plan and the SQL, with
/// which Spark surrounds them. The same characters elsewhere are somebody's text.
fn said_sqlstate(message: &str) -> Option<(&str, &str, &str)> {
    const SAID: &str = " SQLSTATE: ";
    let proper = message.find("\n== ").unwrap_or(message.len());
    message[..proper].rmatch_indices(SAID).find_map(|(at, _)| {
        let (state, rest) = message[at + SAID.len()..].split_at_checked(5)?;
        let is_state = state.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let rest = rest.trim_end();
        let is_end = rest.is_empty()
            || ["\n", " (line ", "; line ", ";\n"]
                .iter()
                .any(|next| rest.starts_with(next));
        (is_state && is_end).then_some((&message[..at], state, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_table_is_not_found_with_its_class_and_sqlstate() {
        let error = from_statement_failure(
            Some("BAD_REQUEST"),
            Some("[TABLE_OR_VIEW_NOT_FOUND] The table `canary` cannot be found. SQLSTATE: 42P01"),
            None,
        );
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.sqlstate(), Some("42P01"));
        assert_eq!(error.error_class(), Some("TABLE_OR_VIEW_NOT_FOUND"));
        assert_eq!(error.category(), ErrorCategory::SyntaxError);
        assert!(!format!("{error:?}").contains("canary"));
        assert!(error.to_string().contains("canary"));
    }

    #[test]
    fn the_sqlstate_beside_the_error_beats_the_one_in_the_text() {
        let error = from_statement_failure(None, Some("x SQLSTATE: 42P01"), Some("22012"));
        assert_eq!(
            (error.sqlstate(), error.kind()),
            (Some("22012"), ErrorKind::InvalidData)
        );
    }

    #[test]
    fn the_sqlstate_is_said_once() {
        for (message, expected) in [
            ("[C] no table. SQLSTATE: 42P01", "[C] no table"),
            ("[C] no table SQLSTATE: 42P01\n", "[C] no table"),
            (
                "[C] at 'x'. SQLSTATE: 42P01 (line 1, pos 0)\n\n== SQL ==\nx\n^^^",
                "[C] at 'x'. (line 1, pos 0)\n\n== SQL ==\nx\n^^^",
            ),
            (
                "[C] no table. SQLSTATE: 42P01; line 1 pos 14;\n'Project [*]",
                "[C] no table.; line 1 pos 14;\n'Project [*]",
            ),
            ("[C] no table.", "[C] no table."),
            (
                "[C] he said SQLSTATE: 42P01 and left. SQLSTATE: 42P01",
                "[C] he said SQLSTATE: 42P01 and left",
            ),
            (
                "[C] at 'x'. (line 1, pos 0)\n\n== SQL ==\n' SQLSTATE: 42P01'",
                "[C] at 'x'. (line 1, pos 0)\n\n== SQL ==\n' SQLSTATE: 42P01'",
            ),
            ("[C] no table. SQLSTATE: 42000", "[C] no table. SQLSTATE: 42000"),
        ] {
            let error = from_statement_failure(None, Some(message), Some("42P01"));
            assert_eq!((error.message(), error.sqlstate()), (expected, Some("42P01")));
            assert_eq!(error.to_string(), format!("{expected} (SQLSTATE 42P01)"));
        }
    }

    #[test]
    fn what_else_stands_in_brackets_is_no_class() {
        for (message, class) in [
            ("[A_CLASS.OF_2] x", Some("A_CLASS.OF_2")),
            ("[canary_table] x", None),
            ("[dapi0canary] x", None),
        ] {
            let error = from_refusal(ErrorKind::NotFound, ErrorCategory::NotFound, message);
            assert_eq!(error.error_class(), class);
            assert!(!format!("{error:?}").contains("canary"));
        }
    }

    #[test]
    fn a_sqlstate_is_taken_from_where_messages_end() {
        for (message, expected) in [
            ("[C] no table. SQLSTATE: 42P01", Some("42P01")),
            (
                "[C] at 'x'. SQLSTATE: 42P01 (line 1, pos 0)\n\n== SQL ==\nx",
                Some("42P01"),
            ),
            ("[C] he said SQLSTATE: 42P01 and left", None),
            ("[C] at 'x'.\n\n== SQL ==\n' SQLSTATE: 42P01", None),
            ("[C] short SQLSTATE: 42", None),
            ("[C] a letter SQLSTATE: 42Pöx", None),
        ] {
            assert_eq!(from_statement_failure(None, Some(message), None).sqlstate(), expected);
        }
    }

    #[test]
    fn a_nul_byte_never_reaches_the_c_boundary() {
        assert!(!Error::internal("a\0b").to_string().contains('\0'));
    }
}
