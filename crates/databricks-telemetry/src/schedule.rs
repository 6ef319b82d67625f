//! When the worker looks at the queue although nobody woke it.

use std::time::{Duration, Instant};

/// A tick each interval. The first comes after a random part of it, so that many processes that start together do not
/// post together.
#[derive(Debug)]
pub(crate) struct Ticks {
    interval: Duration,
    next: Instant,
}

impl Ticks {
    /// `jitter` is a part of the interval, from 0 to 1.
    pub(crate) fn new(now: Instant, interval: Duration, jitter: f64) -> Self {
        Self {
            interval,
            next: now + interval.mul_f64(jitter.clamp(0.0, 1.0)),
        }
    }

    /// Whether a tick has come; if so, the next one is a whole number of intervals later and after `now`.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let late = now.duration_since(self.next);
        let intervals = late.as_nanos() / self.interval.as_nanos().max(1) + 1;
        self.next += self
            .interval
            .saturating_mul(u32::try_from(intervals).unwrap_or(u32::MAX));
        true
    }

    /// How long until the next tick.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }
}

/// A random number from 0 (inclusive) to 1 (exclusive).
pub(crate) fn random() -> f64 {
    // 32 random bits of a UUID: its version and variant bits are elsewhere.
    let bits = (uuid::Uuid::new_v4().as_u128() & u128::from(u32::MAX)) as u32;
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tick_is_jittered_and_the_others_keep_step() {
        let start = Instant::now();
        let interval = Duration::from_secs(5);
        let mut ticks = Ticks::new(start, interval, 0.2);
        assert!(!ticks.take(start + Duration::from_millis(999)));
        assert!(ticks.take(start + Duration::from_secs(1)));
        assert_eq!(ticks.left(start + Duration::from_secs(1)), interval);
        assert!(!ticks.take(start + Duration::from_secs(5)));
        // Ticks that nobody took are not made up for.
        assert!(ticks.take(start + Duration::from_secs(28)));
        assert!(!ticks.take(start + Duration::from_secs(28)));
        assert_eq!(ticks.left(start + Duration::from_secs(28)), Duration::from_secs(3));
    }

    #[test]
    fn random_numbers_are_a_part_of_one() {
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&random()));
        }
    }
}
