//! Where finished chunks are kept: in memory up to a budget, beyond it in temporary files.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use tempfile::{NamedTempFile, TempDir, TempPath};

/// How much of a file is read at once while it is sent.
const READ_BYTES: usize = 256 << 10;

/// The workspace's chunks. Its directory goes away with it.
#[derive(Debug)]
pub(crate) struct Depot {
    directory: TempDir,
    budget: usize,
    in_memory: AtomicUsize,
}

/// One kept chunk; what it takes is given back when it is dropped.
#[derive(Debug)]
pub(crate) enum Stored {
    Memory { bytes: Bytes, _share: Share },
    File { path: TempPath, len: u64 },
}

/// A part of the memory budget.
#[derive(Debug)]
pub(crate) struct Share {
    depot: Arc<Depot>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        // Only a sum is shared through this counter, no data, so no ordering is needed.
        self.depot.in_memory.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Depot {
    pub(crate) fn new(budget: usize) -> io::Result<Self> {
        Ok(Self {
            directory: TempDir::with_prefix("databricks-local-results-")?,
            budget,
            in_memory: AtomicUsize::new(0),
        })
    }

    /// Keeps a chunk.
    ///
    /// # Blocking
    /// Writes a file when the memory budget is used up.
    pub(crate) fn keep(self: &Arc<Self>, mut bytes: Vec<u8>) -> io::Result<Stored> {
        bytes.shrink_to_fit();
        let reserved = self
            .in_memory
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes.len()).filter(|sum| *sum <= self.budget)
            });
        if reserved.is_ok() {
            let share = Share {
                depot: Arc::clone(self),
                bytes: bytes.len(),
            };
            return Ok(Stored::Memory {
                bytes: bytes.into(),
                _share: share,
            });
        }
        let mut file = NamedTempFile::new_in(self.directory.path())?;
        io::Write::write_all(&mut file, &bytes)?;
        Ok(Stored::File {
            path: file.into_temp_path(),
            len: bytes.len() as u64,
        })
    }
}

impl Stored {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory { bytes, .. } => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// The whole chunk.
    ///
    /// # Blocking
    /// Reads a file when the chunk is not in memory.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        match self {
            Self::Memory { bytes, .. } => Ok(bytes.clone()),
            Self::File { path, .. } => std::fs::read(path).map(Bytes::from),
        }
    }

    /// The bytes of `range` if they are in memory; costs nothing.
    pub(crate) fn in_memory(&self, range: &Range<u64>) -> Option<Bytes> {
        match self {
            Self::Memory { bytes, .. } => {
                let start = usize::try_from(range.start).ok()?;
                let end = usize::try_from(range.end).ok()?;
                (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
            }
            Self::File { .. } => None,
        }
    }

    /// The bytes of `range` from the file, piece by piece, each read on a thread where blocking is allowed.
    ///
    /// The file is opened first, so a statement that is closed meanwhile does not cut the download.
    pub(crate) async fn stream(
        &self,
        range: Range<u64>,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
        let path = match self {
            Self::File { path, .. } => path.to_path_buf(),
            Self::Memory { .. } => return Err(io::Error::other("the chunk is in memory")),
        };
        let start = range.start;
        let file = blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            Ok(file)
        })
        .await?;
        let left = range.end.saturating_sub(range.start);
        Ok(stream::try_unfold((file, left), |(file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let (piece, file) = blocking(move || {
                let mut file = file;
                let mut piece = vec![0; READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES))];
                file.read_exact(&mut piece)?;
                Ok((piece, file))
            })
            .await?;
            let left = left - piece.len() as u64;
            Ok(Some((Bytes::from(piece), (file, left))))
        }))
    }
}

/// Runs `work` on a thread where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_up_to_the_budget_and_given_back() {
        let depot = Arc::new(Depot::new(10).unwrap());
        let first = depot.keep(vec![1; 6]).unwrap();
        let second = depot.keep(vec![2; 6]).unwrap();
        assert!(matches!(first, Stored::Memory { .. }));
        assert!(matches!(second, Stored::File { .. }));
        assert_eq!(second.read().unwrap(), vec![2; 6]);
        drop(first);
        assert!(matches!(depot.keep(vec![3; 10]).unwrap(), Stored::Memory { .. }));
    }

    #[test]
    fn a_dropped_chunk_leaves_no_file() {
        let depot = Arc::new(Depot::new(0).unwrap());
        let chunk = depot.keep(vec![1]).unwrap();
        assert_eq!(std::fs::read_dir(depot.directory.path()).unwrap().count(), 1);
        drop(chunk);
        assert_eq!(std::fs::read_dir(depot.directory.path()).unwrap().count(), 0);
    }
}
