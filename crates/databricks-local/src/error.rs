//! Why a workspace could not start.

use std::fmt;

/// Why a workspace could not start.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// What could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An address could not be bound: another process has it, or it is not this machine's.
    Listen,
    /// The certificates could not be made, or not be written.
    Tls,
    /// The directory for temporary files could not be made.
    Storage,
    /// The SQL engine could not start.
    Engine,
    /// The runtime's threads could not be started.
    Runtime,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// What could not be done.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::Listen => "cannot listen",
            ErrorKind::Tls => "cannot set up https",
            ErrorKind::Storage => "cannot make a directory for results",
            ErrorKind::Engine => "cannot start the SQL engine",
            ErrorKind::Runtime => "cannot start threads",
        };
        write!(f, "{what}: {}", self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}
