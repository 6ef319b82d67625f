//! How a failed run ends: one paragraph on standard error and an exit code that scripts can tell apart.

use std::fmt::Write as _;
use std::process::ExitCode;

use adbc_core::error::{Error as AdbcError, Status};
use arrow::error::ArrowError;

/// Why a run failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver or the workspace said no.
    Adbc(Box<AdbcError>),
    /// Something on this machine: a file, a terminal, the local workspace.
    Local(String),
    /// The command line asks for something impossible.
    Usage(String),
    /// Ctrl-C.
    Interrupted,
    /// A check of `dbsql doctor` failed, which it has said by itself.
    Unwell,
    /// Whoever read our output went away; nothing to say.
    OutputClosed,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::OutputClosed => 0,
            Self::Unwell => 1,
            Self::Usage(_) => 2,
            Self::Interrupted => 130,
            Self::Local(_) => 4,
            Self::Adbc(error) => match error.status {
                // What is not implemented on this side is an option that is unknown.
                Status::InvalidArguments | Status::NotImplemented if !came_from_the_workspace(error) => 2,
                Status::Unauthenticated | Status::Unauthorized => 3,
                Status::IO | Status::Timeout => 4,
                Status::Cancelled => 130,
                _ => 1,
            },
        })
    }

    pub(crate) fn print(&self) {
        match self {
            Self::OutputClosed | Self::Unwell => {}
            Self::Interrupted => eprintln!("interrupted: the statement was cancelled on the workspace"),
            Self::Usage(message) | Self::Local(message) => eprintln!("error: {message}"),
            Self::Adbc(error) => eprintln!("{}", paragraph(error)),
        }
    }
}

impl From<AdbcError> for Failure {
    fn from(error: AdbcError) -> Self {
        Self::Adbc(Box::new(error))
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, source) => source.into(),
            ArrowError::ExternalError(source) => match source.downcast::<adbc_databricks::Error>() {
                Ok(error) => AdbcError::from(*error).into(),
                Err(source) => Self::Local(source.to_string()),
            },
            other => Self::Local(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Local(error.to_string()),
        }
    }
}

fn came_from_the_workspace(error: &AdbcError) -> bool {
    has_sqlstate(error) || error.details.iter().flatten().any(|(key, _)| key == "http.status_code")
}

fn has_sqlstate(error: &AdbcError) -> bool {
    error.sqlstate.iter().any(|&byte| byte != 0 && byte as u8 != b'0')
}

fn paragraph(error: &AdbcError) -> String {
    let mut text = format!("error: {}", error.message.trim_end());
    let mut facts = vec![status_name(error.status).to_owned()];
    let sqlstate: String = error
        .sqlstate
        .iter()
        .filter(|&&byte| byte != 0)
        .map(|&byte| byte as u8 as char)
        .collect();
    if has_sqlstate(error) {
        facts.push(format!("SQLSTATE {sqlstate}"));
    }
    for (key, value) in error.details.iter().flatten() {
        let value = String::from_utf8_lossy(value);
        if key == "databricks.statement_id" {
            facts.push(format!("statement {value}"));
        } else if key == "http.status_code" {
            facts.push(format!("HTTP {value}"));
        }
    }
    let _ = write!(text, " ({})", facts.join(", "));
    if let Some(hint) = hint(error.status) {
        let _ = write!(text, "\n{hint}");
    }
    text
}

/// The status as the ADBC specification spells it.
fn status_name(status: Status) -> &'static str {
    match status {
        Status::Ok => "OK",
        Status::Unknown => "UNKNOWN",
        Status::NotImplemented => "NOT_IMPLEMENTED",
        Status::NotFound => "NOT_FOUND",
        Status::AlreadyExists => "ALREADY_EXISTS",
        Status::InvalidArguments => "INVALID_ARGUMENT",
        Status::InvalidState => "INVALID_STATE",
        Status::InvalidData => "INVALID_DATA",
        Status::Integrity => "INTEGRITY",
        Status::Internal => "INTERNAL",
        Status::IO => "IO",
        Status::Cancelled => "CANCELLED",
        Status::Timeout => "TIMEOUT",
        Status::Unauthenticated => "UNAUTHENTICATED",
        Status::Unauthorized => "UNAUTHORIZED",
    }
}

fn hint(status: Status) -> Option<&'static str> {
    match status {
        Status::Unauthenticated => Some("hint: check the token (--token, DATABRICKS_TOKEN, or in the URL)"),
        Status::Unauthorized => Some("hint: the token is valid, but its owner may not do this"),
        Status::IO => Some("hint: `dbsql doctor`, with the same options, tries each step of the way"),
        _ => None,
    }
}
