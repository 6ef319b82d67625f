//! Whether files come about as fast as they are decoded.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Downloads that take less than so many times the time of decoding are quick: some of them in parallel keep the processors busy.
const QUICK_FACTOR: u32 = 4;

/// What the last chunk that was downloaded, and the last that was decoded, say. Several tasks tell; whose word is the last does not matter.
#[derive(Debug, Default)]
pub(super) struct Haste {
    decoding_ns: AtomicU64,
    is_quick: AtomicBool,
}

impl Haste {
    /// A chunk took this long to be decompressed and decoded.
    pub(super) fn decoded(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.decoding_ns.store(took, Ordering::Relaxed);
    }

    /// A file came in this time, at the first try.
    pub(super) fn downloaded(&self, took: Duration) {
        let decoding = Duration::from_nanos(self.decoding_ns.load(Ordering::Relaxed));
        self.is_quick
            .store(took < decoding.saturating_mul(QUICK_FACTOR), Ordering::Relaxed);
    }

    /// Whether downloads are quick. Not as long as nothing is known.
    pub(super) fn is_quick(&self) -> bool {
        self.is_quick.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_is_what_takes_little_longer_than_decoding() {
        let (haste, ms) = (Haste::default(), Duration::from_millis);
        haste.downloaded(ms(1));
        assert!(!haste.is_quick(), "nothing was decoded yet");
        haste.decoded(ms(10));
        haste.downloaded(ms(39));
        assert!(haste.is_quick());
        haste.downloaded(ms(41));
        assert!(!haste.is_quick());
        haste.decoded(Duration::MAX);
        haste.downloaded(ms(41));
        assert!(haste.is_quick());
    }
}
