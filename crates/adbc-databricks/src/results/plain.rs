//! Buffers for the files and the decompressed chunks of a result, which are used again when the caller has let go of their batches.
//!
//! A chunk is some 20 MiB, and fresh memory is slow: the operating system gives it page by page, filled with zeros.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow_buffer::Buffer;
use bytes::Bytes;

use super::memory::Memory;

/// The buffers of one result.
#[derive(Debug)]
pub(super) struct Pool {
    /// How many bytes buffers may have, lent ones and waiting ones together, before a returned one is given back to the system rather than
    /// kept for its next use (files: half of it). One more may be kept beyond it: when the caller asks for the first batch of a chunk, it
    /// still has the last one of the chunk before, whose claim on the memory budget has ended.
    limit: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    files: Kind,
    chunks: Kind,
}

/// Buffers that are about as large as one another.
#[derive(Debug, Default)]
struct Kind {
    idle: Vec<Memory>,
    /// The bytes of all, lent or idle.
    bytes: usize,
    /// The most that one was filled with.
    usual_bytes: usize,
}

/// What a buffer is for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Content {
    /// A file that waits as it came.
    File,
    #[default]
    Chunk,
}

impl Shelf {
    fn of(&mut self, content: Content) -> &mut Kind {
        match content {
            Content::File => &mut self.files,
            Content::Chunk => &mut self.chunks,
        }
    }

    fn bytes(&self) -> usize {
        self.files.bytes.saturating_add(self.chunks.bytes)
    }
}

impl Kind {
    /// Takes an idle buffer out, to be given back to the system.
    fn discard(&mut self) -> Option<Memory> {
        let idle = self.idle.pop()?;
        self.bytes -= idle.len();
        Some(idle)
    }
}

impl Pool {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            shelf: Mutex::default(),
        })
    }

    /// A buffer that was used before, or a new one: with room for what the others had in them, else for `guess` bytes.
    pub(super) fn take(self: &Arc<Self>, content: Content, guess: usize) -> Plain {
        let mut shelf = self.lock();
        let mut discarded = Vec::new();
        let used = shelf.of(content).idle.pop();
        let bytes = used.unwrap_or_else(|| {
            let room = match shelf.of(content).usual_bytes {
                0 => guess,
                usual => usual + usual / 16,
            };
            // Those that wait for the other use make way.
            let other = match content {
                Content::File => Content::Chunk,
                Content::Chunk => Content::File,
            };
            while shelf.bytes().saturating_add(room) > self.limit
                && let Some(idle) = shelf.of(other).discard()
            {
                discarded.push(idle);
            }
            let fresh = Memory::zeroed(room);
            shelf.of(content).bytes += fresh.len();
            fresh
        });
        // Giving memory back takes time, in which nobody should wait.
        drop(shelf);
        drop(discarded);
        Plain {
            content,
            lent_bytes: bytes.len(),
            bytes,
            filled: 0,
            pool: Arc::downgrade(self),
        }
    }

    fn put(&self, returned: &mut Plain) {
        let bytes = std::mem::take(&mut returned.bytes);
        let mut shelf = self.lock();
        let kind = shelf.of(returned.content);
        kind.bytes = kind.bytes.saturating_sub(returned.lent_bytes) + bytes.len();
        kind.usual_bytes = kind.usual_bytes.max(returned.filled);
        let is_kept = match returned.content {
            // However many chunks the caller keeps.
            Content::File => shelf.files.bytes <= self.limit / 2,
            Content::Chunk => shelf.bytes() <= self.limit + bytes.len(),
        };
        let kind = shelf.of(returned.content);
        if is_kept {
            kind.idle.push(bytes);
        } else {
            kind.bytes -= bytes.len();
            drop(shelf);
            drop(bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer that is filled from its beginning.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// All of it may be written; what is beyond `filled` means nothing.
    bytes: Memory,
    filled: usize,
    content: Content,
    /// How large it was when the pool lent it.
    lent_bytes: usize,
    pool: Weak<Pool>,
}

impl Plain {
    /// A buffer of no pool.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Memory::zeroed(bytes),
            filled: 0,
            content: Content::default(),
            lent_bytes: 0,
            pool: Weak::new(),
        }
    }

    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// What is filled, and the next `bytes` bytes to write to. Grows if need be.
    pub(super) fn room(&mut self, bytes: usize) -> (&[u8], &mut [u8]) {
        let end = self.filled + bytes;
        if end > self.bytes.len() {
            let grown = self.bytes.len() + self.bytes.len() / 2;
            self.bytes.grow(end.max(grown), self.filled);
        }
        let (before, after) = self.bytes.split_at_mut(self.filled);
        (before, &mut after[..bytes])
    }

    /// Declares the next `bytes` bytes filled.
    pub(super) fn fill(&mut self, bytes: usize) {
        self.filled = self.bytes.len().min(self.filled + bytes);
    }

    /// Appends a copy.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).1.copy_from_slice(bytes);
        self.fill(bytes.len());
    }

    /// The filled part, without a copy. The buffer goes back to its pool when the last slice of it is dropped.
    pub(super) fn into_buffer(self) -> Buffer {
        Bytes::from_owner(self).into()
    }
}

impl AsRef<[u8]> for Plain {
    fn as_ref(&self) -> &[u8] {
        self.filled()
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.put(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_its_last_slice_is_gone() {
        let pool = Pool::new(4 << 20);
        let mut first = pool.take(Content::Chunk, 2 << 20);
        first.extend(b"some rows");
        let place = first.filled().as_ptr();
        let slice = {
            let whole = first.into_buffer();
            whole.slice_with_length(5, 4)
        };
        let second = pool.take(Content::Chunk, 2 << 20);
        assert_ne!(second.bytes.as_ptr(), place, "it is still in use");
        assert_eq!(slice.as_slice(), b"rows");
        drop(slice);
        assert_eq!(pool.take(Content::Chunk, 0).bytes.as_ptr(), place);
    }

    #[test]
    fn a_pool_keeps_one_more_than_its_limit_and_buffers_outlive_it() {
        let pool = Pool::new(3 << 20);
        let shelf = |pool: &Pool| {
            let shelf = pool.lock();
            (shelf.chunks.idle.len(), shelf.bytes())
        };
        let lent: Vec<_> = (0..3).map(|_| pool.take(Content::Chunk, 2 << 20)).collect();
        drop(lent);
        assert_eq!(shelf(&pool), (2, 4 << 20));
    }

    #[test]
    fn a_buffer_that_grew_counts_as_what_it_is() {
        let pool = Pool::new(3 << 20);
        let mut grown = pool.take(Content::Chunk, 0);
        grown.room(4 << 20);
        drop((grown, pool.take(Content::Chunk, 1 << 20)));
        let shelf = pool.lock();
        assert_eq!((shelf.chunks.idle.len(), shelf.bytes()), (1, 4 << 20));
    }

    #[test]
    fn idle_buffers_of_the_one_kind_make_way_for_the_other() {
        let pool = Pool::new(6 << 20);
        drop((pool.take(Content::Chunk, 2 << 20), pool.take(Content::Chunk, 2 << 20)));
        let file = pool.take(Content::File, 2 << 20);
        assert_eq!(pool.lock().chunks.idle.len(), 2, "there is room for all");
        let second = pool.take(Content::File, 2 << 20);
        let shelf = pool.lock();
        assert_eq!((shelf.chunks.idle.len(), shelf.bytes()), (1, 6 << 20));
        drop(shelf);
        drop((file, second));
        assert_eq!(pool.lock().files.idle.len(), 1, "half of the limit is for files");
    }

    #[test]
    fn a_buffer_outlives_its_pool() {
        let pool = Pool::new(3 << 20);
        let mut last = pool.take(Content::Chunk, 0);
        last.extend(b"kept");
        drop(pool);
        assert_eq!(last.into_buffer().as_slice(), b"kept");
    }
}
