//! How many downloads at a time pay.
//!
//! The controller has no clock and starts nothing: it is told what happened and says how many may run. By Little's law what so
//! many downloads get through in a second is their number times the bytes of one, divided by the time of one, whether they end
//! evenly spread or all at once; so a round of downloads is enough to compare two numbers.

use std::time::Duration;

/// How many run at first. The first chunks have to share the way with few others, and two doublings make 16.
const FIRST: usize = 4;
/// So many bytes are the beginning of a download.
pub(super) const BEGINNING_BYTES: u64 = 1 << 20;
/// Bytes a second of all downloads together, from which on beginnings are enough to go by. On a narrower way the first chunk, for which
/// somebody waits, would get late by what it had to share with more downloads.
const WIDE: f64 = 40e6;
/// The part of a beginning's latency that counts. It says little about how much of the way is used; some of it keeps what is over in a
/// moment from being compared by moments.
const LATENCY_SHARE: u32 = 8;
/// The fewest downloads that say something.
const MIN_ROUND: usize = 3;
/// The part of what a step would bring if all downloads kept their speed that it has to bring.
const LEAST_GAIN: f64 = 0.25;
/// The most rounds between two steps that are tried.
const MAX_REST: u32 = 16;

/// Decides how many downloads run at a time: from 1 to the most that is allowed.
///
/// It doubles the number while that pays, goes back by the step that does not, and tries a small step now and then from there on.
/// It halves the number when storage refuses. It does not look for the least number that would do: a connection too many costs
/// little, one too few costs time.
#[derive(Debug)]
pub(super) struct Pace {
    limit: usize,
    max: usize,
    /// When `limit` became what it is.
    since: Duration,
    round: Round,
    /// The number before the step that is being tried, and what it got through.
    before: Option<(usize, f64)>,
    is_starting: bool,
    /// Whether a round is one of beginnings.
    by_beginnings: bool,
    /// Rounds until the next step.
    rest: u32,
    /// Rounds until the next step, if that one does not pay either.
    next_rest: u32,
}

/// Downloads, or beginnings of downloads, that began and ended under the same limit.
#[derive(Debug, Default)]
struct Round {
    downloads: usize,
    bytes: f64,
    seconds: f64,
    running: f64,
}

/// A download, or its beginning, that went through at the first try. Times are since any fixed moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) began: Duration,
    pub(super) ended: Duration,
    pub(super) bytes: u64,
    /// How many ran when it ended, itself among them.
    pub(super) running: usize,
}

impl Pace {
    pub(super) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            limit: FIRST.min(max),
            max,
            since: Duration::ZERO,
            round: Round::default(),
            before: None,
            is_starting: true,
            by_beginnings: true,
            rest: 0,
            next_rest: 1,
        }
    }

    /// How many downloads may run.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The first bytes of a download are here. `sample` ends with them; the answer took `latency` to begin.
    pub(super) fn begun(&mut self, sample: Sample, latency: Duration) {
        if self.by_beginnings {
            let transfer = sample.ended.saturating_sub(sample.began).saturating_sub(latency);
            self.count(sample, transfer + latency / LATENCY_SHARE);
        }
    }

    /// A download ended well.
    pub(super) fn finished(&mut self, sample: Sample) {
        // A small one is no more than a beginning, and none was told.
        if !self.by_beginnings || sample.bytes < BEGINNING_BYTES {
            self.count(sample, sample.ended.saturating_sub(sample.began));
        }
    }

    fn count(&mut self, sample: Sample, took: Duration) {
        if sample.began < self.since {
            return;
        }
        self.round.downloads += 1;
        self.round.bytes += sample.bytes as f64;
        self.round.seconds += took.as_secs_f64();
        self.round.running += sample.running as f64;
        // After a step, only those that it let begin come to a beginning soon.
        let before = self.before.filter(|_| self.by_beginnings).map_or(0, |(limit, _)| limit);
        if self.round.downloads >= (self.limit - before).max(MIN_ROUND) {
            self.conclude(sample.ended);
        }
    }

    /// Storage was too busy for a download, or silent.
    pub(super) fn refused(&mut self, began: Duration, now: Duration) {
        // What began before the number was lowered says nothing about the lower number.
        if began < self.since {
            return;
        }
        self.start_is_over();
        self.before = None;
        self.take_a_rest();
        self.set(self.limit / 2, now);
    }

    fn conclude(&mut self, now: Duration) {
        let round = std::mem::take(&mut self.round);
        let running = round.running / round.downloads as f64;
        // Something else holds the downloads back (memory, the reader, the end of the result): more would not help, and what
        // this many get through is not known.
        if running + 0.5 < self.limit as f64 {
            return;
        }
        let rate = running * round.bytes / round.seconds.max(f64::MIN_POSITIVE);
        if let Some((limit, rate_before)) = self.before.take() {
            let step = (self.limit - limit) as f64 / limit as f64;
            if rate < rate_before * (1.0 + LEAST_GAIN * step) {
                self.start_is_over();
                self.take_a_rest();
                self.set(limit, now);
                return;
            }
            self.next_rest = 1;
        } else if self.by_beginnings && rate < WIDE {
            self.by_beginnings = false;
            return;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        let step = if self.is_starting {
            self.limit
        } else {
            (self.limit / 4).max(1)
        };
        let more = (self.limit + step).min(self.max);
        if more > self.limit {
            self.before = Some((self.limit, rate));
            self.set(more, now);
        }
    }

    fn start_is_over(&mut self) {
        self.is_starting = false;
        self.by_beginnings = false;
    }

    fn take_a_rest(&mut self) {
        self.rest = self.next_rest;
        self.next_rest = (2 * self.next_rest).min(MAX_REST);
    }

    fn set(&mut self, limit: usize, now: Duration) {
        self.limit = limit.clamp(1, self.max);
        self.since = now;
        self.round = Round::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: f64 = 20e6;
    const TICK: f64 = 0.001;

    /// Storage and the way to it.
    struct Store {
        /// Seconds until the first byte.
        latency: f64,
        /// Bytes a second: of one connection, and of all together.
        connection: f64,
        link: f64,
        /// How many downloads at a time it serves. It refuses further ones.
        serves: usize,
    }

    const STORE: Store = Store {
        latency: 0.02,
        connection: f64::INFINITY,
        link: f64::INFINITY,
        serves: usize::MAX,
    };

    struct Download {
        began: f64,
        /// When the first byte came.
        answered: Option<f64>,
        has_told_beginning: bool,
        /// Until the first byte, or until the next try.
        wait: f64,
        /// `None` if it was refused.
        left: Option<f64>,
    }

    #[derive(Default)]
    struct Outcome {
        seconds: f64,
        refused: usize,
        /// What was allowed at each end of a download.
        limits: Vec<usize>,
        /// The most that was allowed at any time.
        most: usize,
        /// When the first download ended.
        first: Option<f64>,
    }

    /// Downloads so many files, as many at a time as `max` and the pace allow, and `supply` has.
    fn simulate(store: &Store, max: usize, supply: usize, files: usize) -> Outcome {
        let mut pace = Pace::new(max);
        let (mut downloads, mut outcome) = (Vec::<Download>::new(), Outcome::default());
        let time = Duration::from_secs_f64;
        while outcome.limits.len() < files {
            let now = outcome.seconds;
            while downloads.len() < pace.limit().min(supply) {
                let is_refused = downloads.iter().filter(|download| download.left.is_some()).count() >= store.serves;
                // A refused download keeps its place while it waits for its next try.
                downloads.push(Download {
                    began: now,
                    answered: None,
                    has_told_beginning: false,
                    wait: if is_refused { 0.5 } else { store.latency },
                    left: (!is_refused).then_some(FILE),
                });
            }
            outcome.seconds += TICK;
            let moving = downloads.iter().filter(|download| download.wait <= 0.0).count().max(1);
            let speed = store.connection.min(store.link / moving as f64);
            for download in &mut downloads {
                match &mut download.left {
                    Some(left) if download.wait <= 0.0 => {
                        download.answered.get_or_insert(now);
                        *left -= speed * TICK;
                    }
                    _ => download.wait -= TICK,
                }
            }
            let running = downloads.len();
            outcome.most = outcome.most.max(pace.limit());
            for download in &mut downloads {
                let (Some(left), Some(answered)) = (download.left, download.answered) else {
                    continue;
                };
                let here = (FILE - left.max(0.0)) as u64;
                if here >= BEGINNING_BYTES && !download.has_told_beginning {
                    download.has_told_beginning = true;
                    let sample = Sample {
                        began: time(download.began),
                        ended: time(outcome.seconds),
                        bytes: here,
                        running,
                    };
                    pace.begun(sample, time(answered - download.began));
                }
            }
            downloads.retain(|download| match download.left {
                None => {
                    if download.wait <= 0.0 {
                        outcome.refused += 1;
                        pace.refused(time(download.began), time(outcome.seconds));
                    }
                    download.wait > 0.0
                }
                Some(left) => {
                    if left <= 0.0 {
                        pace.finished(Sample {
                            began: time(download.began),
                            ended: time(outcome.seconds),
                            bytes: FILE as u64,
                            running,
                        });
                        outcome.limits.push(pace.limit());
                        outcome.first.get_or_insert(outcome.seconds);
                    }
                    left > 0.0
                }
            });
        }
        outcome
    }

    /// On average, in the second half.
    fn usual(outcome: &Outcome) -> f64 {
        let later = &outcome.limits[outcome.limits.len() / 2..];
        later.iter().sum::<usize>() as f64 / later.len() as f64
    }

    #[test]
    fn a_store_that_takes_its_time_gets_all_that_are_allowed() {
        let slow = Store {
            latency: 1.0,
            connection: 1e9,
            ..STORE
        };
        let outcome = simulate(&slow, 16, usize::MAX, 400);
        assert_eq!(usual(&outcome), 16.0);
        let at_best = 400.0 / 16.0 * (1.0 + FILE / 1e9);
        assert!(
            outcome.seconds < 1.2 * at_best,
            "{} s instead of {at_best} s",
            outcome.seconds
        );
    }

    #[test]
    fn a_link_that_is_full_gets_no_more_than_fill_it() {
        let narrow = Store { link: 50e6, ..STORE };
        let outcome = simulate(&narrow, 64, usize::MAX, 400);
        assert_eq!(outcome.most, 8, "the one doubling that did not pay");
        assert!(usual(&outcome) < 4.6, "{} at a time", usual(&outcome));
        let at_best = 400.0 * FILE / 50e6;
        assert!(
            outcome.seconds < 1.02 * at_best,
            "{} s instead of {at_best} s",
            outcome.seconds
        );
    }

    #[test]
    fn a_narrow_link_is_the_first_chunks_as_long_as_that_takes() {
        let narrow = Store { link: 12e6, ..STORE };
        let outcome = simulate(&narrow, 16, usize::MAX, 100);
        let first = outcome.first.unwrap();
        let shared = FIRST as f64 * FILE / 12e6;
        assert!(first < 1.02 * shared, "{first} s instead of {shared} s");
    }

    #[test]
    fn a_wide_way_is_full_before_the_first_chunk_is_here() {
        let capped = Store {
            latency: 0.03,
            connection: 20e6,
            ..STORE
        };
        let outcome = simulate(&capped, 16, usize::MAX, 64);
        assert_eq!(outcome.limits[0], 16);
        let at_best = 64.0 / 16.0 * (0.03 + FILE / 20e6);
        assert!(
            outcome.seconds < 1.2 * at_best,
            "{} s instead of {at_best} s",
            outcome.seconds
        );
    }

    #[test]
    fn connections_that_are_slow_one_by_one_fill_the_link_together() {
        // Ten fill it.
        let capped = Store {
            connection: 10e6,
            link: 100e6,
            ..STORE
        };
        let outcome = simulate(&capped, 64, usize::MAX, 600);
        assert!((8.0..20.0).contains(&usual(&outcome)), "{} at a time", usual(&outcome));
        let at_best = 600.0 * FILE / 100e6;
        assert!(
            outcome.seconds < 1.2 * at_best,
            "{} s instead of {at_best} s",
            outcome.seconds
        );
    }

    #[test]
    fn a_store_that_throttles_is_asked_for_about_what_it_serves() {
        for serves in [1, 6, 12] {
            let throttling = Store {
                latency: 0.2,
                connection: 50e6,
                serves,
                ..STORE
            };
            let outcome = simulate(&throttling, 64, usize::MAX, 600);
            assert!(outcome.limits.iter().all(|limit| *limit >= 1));
            let usual = usual(&outcome);
            assert!(
                usual <= serves as f64 + 0.5,
                "{usual} at a time where {serves} are served"
            );
            assert!(
                usual >= serves as f64 / 2.0,
                "{usual} at a time where {serves} are served"
            );
            assert!(
                outcome.refused < 60,
                "{} of 600 refused where {serves} are served",
                outcome.refused
            );
        }
    }

    #[test]
    fn what_is_held_up_elsewhere_is_no_reason_for_more() {
        let slow = Store {
            latency: 1.0,
            connection: 1e9,
            ..STORE
        };
        let outcome = simulate(&slow, 64, 3, 200);
        assert_eq!(outcome.most, FIRST, "three at a time is all that there is memory for");
    }

    #[test]
    fn the_most_that_is_allowed_is_never_exceeded() {
        for max in 1..20 {
            let outcome = simulate(&STORE_OF_WAITS, max, usize::MAX, 200);
            assert_eq!(outcome.most, max, "it is what pays here");
        }
    }

    const STORE_OF_WAITS: Store = Store {
        latency: 0.5,
        connection: 1e10,
        ..STORE
    };
}
