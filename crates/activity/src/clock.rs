//! What time is it? A monotonic clock for durations, and the wall time that belongs to one of its readings.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time to a source, which reads [`SystemClock`] unless made with
/// [`Source::with_clock`](crate::Source::with_clock).
pub trait Clock: Send + Sync + 'static {
    /// The monotonic time; never goes back.
    fn now(&self) -> Instant;

    /// The wall time at which [`now`](Clock::now) was `at`.
    fn wall_time(&self, at: Instant) -> SystemTime;
}

/// The operating system's monotonic clock, anchored to its wall clock.
///
/// One anchor serves all readings, so that wall times have the order of the monotonic ones. A monotonic clock stands
/// still while a computer sleeps, and a wall clock can be set: when the anchor is found to be off by more than a
/// second, it is taken anew.
#[derive(Debug)]
pub struct SystemClock;

/// When the process first asked for a wall time; the anchor's monotonic end.
static ZERO: OnceLock<Instant> = OnceLock::new();
/// Unix time of `ZERO` in nanoseconds; 0 until first asked for.
static ANCHOR_NS: AtomicU64 = AtomicU64::new(0);

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_time(&self, at: Instant) -> SystemTime {
        SystemClock.wall_time_seen(at, Instant::now())
    }
}

impl SystemClock {
    /// The wall time of `at`, for a caller who has read the clock a moment ago: `now`.
    pub(crate) fn wall_time_seen(&self, at: Instant, now: Instant) -> SystemTime {
        let unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, saturating_ns);
        let zero = *ZERO.get_or_init(|| now);
        let fresh_ns = unix_ns.saturating_sub(saturating_ns(now.saturating_duration_since(zero)));
        let mut anchor_ns = ANCHOR_NS.load(Ordering::Relaxed);
        if anchor_ns.abs_diff(fresh_ns) > 1_000_000_000 {
            anchor_ns = fresh_ns;
            ANCHOR_NS.store(fresh_ns, Ordering::Relaxed);
        }
        let anchor = UNIX_EPOCH + Duration::from_nanos(anchor_ns);
        // An activity may have started before anybody asked for a wall time.
        match at.checked_duration_since(zero) {
            Some(since) => anchor + since,
            None => anchor - zero.saturating_duration_since(at),
        }
    }
}

/// A duration in nanoseconds; durations beyond 584 years are cut.
#[inline]
pub(crate) fn saturating_ns(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}
