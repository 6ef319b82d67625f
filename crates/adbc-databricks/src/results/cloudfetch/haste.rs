//! Whether files come about as fast as they are decoded.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Downloads that take less than so many times the time of decoding are quick: some of them in parallel keep the processors busy.
const QUICK_FACTOR: u64 = 4;

/// A beginning (`BEGINNING_BYTES`) that takes longer belongs to a download that is not quick, on any processor: decoding so much takes a
/// millisecond or two.
const SLOW_BEGINNING: Duration = Duration::from_millis(20);

/// Tells from the last chunk that was downloaded and the last that was decoded. Several tasks tell; whose word is the last does not matter.
#[derive(Debug, Default)]
pub(super) struct Haste {
    /// 0 before anything was.
    decoding_ns: AtomicU64,
    /// 0 before anything was.
    download_ns: AtomicU64,
    /// Whether the last beginning took long.
    is_slow_beginning: AtomicBool,
}

/// How files come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Unknown,
    Quick,
    Slow,
}

impl Haste {
    /// A chunk took this long to be decompressed and decoded.
    pub(super) fn decoded(&self, took: Duration) {
        self.decoding_ns.store(nanoseconds(took), Ordering::Relaxed);
    }

    /// The beginning of a file came in this time, at the first try.
    pub(super) fn begun(&self, took: Duration) {
        self.is_slow_beginning.store(took > SLOW_BEGINNING, Ordering::Relaxed);
    }

    /// A file came in this time, at the first try.
    pub(super) fn downloaded(&self, took: Duration) {
        self.download_ns.store(nanoseconds(took), Ordering::Relaxed);
    }

    pub(super) fn arrival(&self) -> Arrival {
        let decoding = self.decoding_ns.load(Ordering::Relaxed);
        let download = self.download_ns.load(Ordering::Relaxed);
        match (decoding, download) {
            (0, _) | (_, 0) if self.is_slow_beginning.load(Ordering::Relaxed) => Arrival::Slow,
            (0, _) | (_, 0) => Arrival::Unknown,
            _ if download < decoding.saturating_mul(QUICK_FACTOR) => Arrival::Quick,
            _ => Arrival::Slow,
        }
    }
}

/// At least 1, because something took that time.
fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_is_what_takes_little_longer_than_decoding() {
        let (haste, ms) = (Haste::default(), Duration::from_millis);
        haste.downloaded(ms(1));
        assert_eq!(haste.arrival(), Arrival::Unknown, "nothing was decoded yet");
        haste.decoded(ms(10));
        haste.downloaded(ms(39));
        assert_eq!(haste.arrival(), Arrival::Quick);
        haste.downloaded(ms(41));
        assert_eq!(haste.arrival(), Arrival::Slow);
        haste.decoded(Duration::MAX);
        assert_eq!(haste.arrival(), Arrival::Quick);
    }
}
