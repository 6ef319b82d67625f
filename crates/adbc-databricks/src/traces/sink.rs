//! Where do traces go? What the options say, and the file, console or collector that comes of it.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use activity::{ByteCount, Listener};
use activity_bridge::{Console, JsonLines, OpenError, default_folder};
use databricks_telemetry::ErrorCategory;

use crate::error::{Error, ErrorKind, Result};
use crate::options::{self, Settings};

/// The beginning of the files' names. Not the one that the ADBC drivers in Go have, which delete the oldest of their own.
const FILE_PREFIX: &str = "adbc-databricks";

/// What a database's options ask for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wish {
    exporter: Exporter,
    /// Whether free text is shown.
    text: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Exporter {
    Console,
    Files {
        folder: PathBuf,
        max_file_size: ByteCount,
        max_files: usize,
    },
    Otlp,
}

impl Wish {
    /// # Errors
    /// `InvalidArgument` when no folder is given and none is known.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>> {
        let exporter = match settings.text(options::TRACES_EXPORTER).as_deref() {
            Some("adbcfile") => Exporter::Files {
                folder: settings
                    .text(options::TRACES_FOLDER_PATH)
                    .map(PathBuf::from)
                    .or_else(default_folder)
                    .ok_or_else(|| refusal(&OpenError::NoDefaultFolder))?,
                max_file_size: ByteCount(settings.integer(options::TRACES_FILE_SIZE_KB).saturating_mul(1024)),
                max_files: usize::try_from(settings.integer(options::TRACES_FILES)).unwrap_or(usize::MAX),
            },
            Some("console") => Exporter::Console,
            Some("otlp") => Exporter::Otlp,
            _ => return Ok(None),
        };
        Ok(Some(Self {
            exporter,
            text: settings.flag(options::TRACES_TEXT).unwrap_or_default(),
        }))
    }

    /// # Errors
    /// As [`Traces::open`](super::Traces::open).
    pub(super) fn open(&self) -> Result<(Sink, Arc<dyn Listener>)> {
        match &self.exporter {
            Exporter::Console => {
                let console = Console::in_background(io::stderr()).map_err(|error| refusal(&error))?;
                let console = Arc::new(console.with_text(self.text));
                Ok((Sink::Console(Arc::clone(&console)), console))
            }
            Exporter::Files {
                folder,
                max_file_size,
                max_files,
            } => {
                let files = JsonLines::builder(FILE_PREFIX)
                    .with_folder(folder)
                    .with_max_file_size(*max_file_size)
                    .with_max_files(*max_files)
                    .with_text(self.text)
                    .open()
                    .map_err(|error| refusal(&error))?;
                let listener = files.listener();
                Ok((Sink::Files(files), listener))
            }
            #[cfg(feature = "otlp")]
            Exporter::Otlp => {
                let (spans, listener) = super::otlp::Spans::start(self.text)?;
                Ok((Sink::Otlp(spans), listener))
            }
            #[cfg(not(feature = "otlp"))]
            Exporter::Otlp => Err(Error::not_implemented(format!(
                "option '{}' = otlp: this driver was built without the feature `otlp`; use adbcfile or console",
                options::TRACES_EXPORTER
            ))),
        }
    }
}

/// An open file, console or way to a collector. Dropping it shows what waits, if it takes no longer than 2 s.
pub(super) enum Sink {
    Console(Arc<Console>),
    Files(JsonLines),
    #[cfg(feature = "otlp")]
    Otlp(super::otlp::Spans),
}

impl Sink {
    /// # Blocking
    /// At most `deadline`.
    pub(super) fn flush(&self, deadline: Duration) {
        // What is still not shown then is shown later, or counted.
        let _in_time = match self {
            Self::Console(console) => console.flush(deadline),
            Self::Files(files) => files.flush(deadline),
            #[cfg(feature = "otlp")]
            Self::Otlp(spans) => spans.flush(deadline),
        };
    }

    /// How many activities could not be shown.
    pub(super) fn dropped(&self) -> u64 {
        match self {
            Self::Console(console) => console.dropped(),
            Self::Files(files) => files.stats().dropped,
            #[cfg(feature = "otlp")]
            Self::Otlp(spans) => spans.dropped(),
        }
    }
}

/// Traces were asked for, so that there are none is no secret.
fn refusal(error: &OpenError) -> Error {
    let (kind, option) = match error {
        OpenError::Folder { .. } | OpenError::NoDefaultFolder => {
            (ErrorKind::InvalidArgument, options::TRACES_FOLDER_PATH)
        }
        _ => (ErrorKind::Io, options::TRACES_EXPORTER),
    };
    let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Error::new(
        kind,
        ErrorCategory::InvalidRequest,
        format!("option '{option}': {error}{reason}"),
    )
}
