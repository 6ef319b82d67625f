//! Whether files come about as fast as they are decoded.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Downloads that take less than so many times the time of decoding are quick: some of them in parallel keep the processors busy.
const QUICK_FACTOR: u64 = 4;

/// A beginning (`BEGINNING_BYTES`) that takes longer belongs to a download that is not quick, on any processor: decoding so much takes a
/// millisecond or two.
const SLOW_BEGINNING: Duration = Duration::from_millis(20);

/// How many downloads are remembered. That one of them took long says only that something else was in its way.
const DOWNLOADS: usize = 4;

/// Tells from the quickest of the last downloads and from the last chunk that was decoded. Several tasks tell; in which order does not matter.
#[derive(Debug, Default)]
pub(super) struct Haste {
    /// 0 before anything was.
    decoding_ns: AtomicU64,
    /// Each 0 before anything was.
    download_ns: [AtomicU64; DOWNLOADS],
    downloads: AtomicUsize,
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
        let place = self.downloads.fetch_add(1, Ordering::Relaxed) % DOWNLOADS;
        self.download_ns[place].store(nanoseconds(took), Ordering::Relaxed);
    }

    pub(super) fn arrival(&self) -> Arrival {
        let decoding = self.decoding_ns.load(Ordering::Relaxed);
        let downloads = self.download_ns.iter().map(|ns| ns.load(Ordering::Relaxed));
        let download = downloads.filter(|ns| *ns > 0).min().unwrap_or(0);
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
        haste.downloaded(ms(39));
        assert_eq!(haste.arrival(), Arrival::Unknown, "nothing was decoded yet");
        haste.decoded(ms(10));
        assert_eq!(haste.arrival(), Arrival::Quick);
        for _ in 1..DOWNLOADS {
            haste.downloaded(ms(41));
            assert_eq!(haste.arrival(), Arrival::Quick, "something was in its way");
        }
        haste.downloaded(ms(41));
        assert_eq!(haste.arrival(), Arrival::Slow);
        haste.decoded(Duration::MAX);
        assert_eq!(haste.arrival(), Arrival::Quick);
    }

    #[test]
    fn a_beginning_says_what_no_decoding_has_said_yet() {
        let haste = Haste::default();
        haste.begun(Duration::from_millis(19));
        assert_eq!(haste.arrival(), Arrival::Unknown);
        haste.begun(Duration::from_millis(21));
        assert_eq!(haste.arrival(), Arrival::Slow);
        haste.downloaded(Duration::from_millis(30));
        haste.decoded(Duration::from_millis(10));
        assert_eq!(haste.arrival(), Arrival::Quick);
    }
}
