//! Memory that is filled with zeros, for buffers that are small or tens of MiB large.

use std::mem;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// From here on memory comes from the operating system by itself, in pages of this size where it has them. An allocator serves such sizes as well,
/// but out of regions that it keeps when they are fragmented, and in pages of 4 KiB: each is a fault when it is first written, and for a
/// result that is read once these faults take a tenth of the time.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Bytes that can all be read and written.
#[derive(Debug)]
pub(super) enum Memory {
    Small(Vec<u8>),
    Large(MmapMut),
}

impl Memory {
    /// At least `bytes` of them.
    pub(super) fn zeroed(bytes: usize) -> Self {
        // Whole huge pages, because the system gives no other size a place where such pages can lie.
        if bytes >= HUGE_PAGE_BYTES
            && let Ok(pages) = MmapMut::map_anon(bytes.next_multiple_of(HUGE_PAGE_BYTES))
        {
            // A wish. Where it cannot be had, the pages are small.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
            return Self::Large(pages);
        }
        Self::Small(vec![0; bytes])
    }

    /// Makes it at least `bytes` large, of which the first `kept` stay as they are.
    pub(super) fn grow(&mut self, bytes: usize, kept: usize) {
        let before = mem::replace(self, Self::zeroed(bytes));
        self[..kept].copy_from_slice(&before[..kept]);
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::Small(Vec::new())
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(pages) => pages,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(pages) => pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_whatever_it_grows_out_of_and_into() {
        let mut memory = Memory::zeroed(4);
        memory.copy_from_slice(b"kept");
        for bytes in [10, HUGE_PAGE_BYTES, 2 * HUGE_PAGE_BYTES + 1] {
            memory.grow(bytes, 4);
            assert!(memory.len() >= bytes);
            assert_eq!(&memory[..4], b"kept");
            assert!(memory[4..].iter().all(|byte| *byte == 0));
        }
    }
}
