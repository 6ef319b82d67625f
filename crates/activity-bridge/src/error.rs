//! Why can traces not be written?

use std::path::PathBuf;
use std::{error, fmt, io};

/// Says why a trace file could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The prefix of the file names is not 1 to 100 characters out of `A-Z a-z 0-9 . _ -`.
    InvalidPrefix,
    /// No folder was given, and the environment does not say where this user's state belongs.
    NoDefaultFolder,
    /// A file cannot be created in the folder.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The thread that writes could not be started.
    Thread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InvalidPrefix => {
                f.write_str("the prefix of trace files has 1 to 100 characters out of A-Z a-z 0-9 . _ -")
            }
            OpenError::NoDefaultFolder => f.write_str("no folder for traces: none given, and no home folder is known"),
            OpenError::Folder { folder, .. } => write!(f, "cannot write traces into {}", folder.display()),
            OpenError::Thread(_) => f.write_str("cannot start the thread that writes traces"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            OpenError::InvalidPrefix | OpenError::NoDefaultFolder => None,
            OpenError::Folder { source, .. } | OpenError::Thread(source) => Some(source),
        }
    }
}
