//! The user's own record of what left the machine: each request body, as one line of a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file to which request bodies are appended before they leave.
#[derive(Debug)]
pub(crate) struct Audit {
    path: PathBuf,
    /// Opened by the first body, and again after a failure.
    file: Option<File>,
}

impl Audit {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
        }
    }

    /// Appends `line`, which ends with its line break, in one write, so that several writers do not mix their lines.
    ///
    /// # Errors
    /// When the file cannot be opened or written. The body must then not be sent.
    pub(crate) fn append(&mut self, line: &str) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new().create(true).append(true).open(&self.path)?,
        };
        file.write_all(line.as_bytes())?;
        self.file = Some(file);
        Ok(())
    }
}
