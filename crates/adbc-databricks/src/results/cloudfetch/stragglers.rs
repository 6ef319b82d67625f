//! Downloads that fall behind their neighbours, and who may have a second try.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::options::{self, Settings};

/// The fewest neighbours whose median says something.
pub(super) const MIN_NEIGHBOURS: usize = 3;
/// How many finished downloads are remembered: more than ever run beside one, unless it has long fallen behind.
const MAX_REMEMBERED: usize = 64;
/// The shortest time between two looks at a download that is late and moves.
const MIN_LOOK: Duration = Duration::from_millis(20);

/// When a download has fallen behind, and how many second tries there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    multiplier: f64,
    quantile: f64,
    padding: Duration,
    /// 0 when there are none at all.
    second_tries: u64,
}

impl Rules {
    pub(crate) fn of(settings: &Settings) -> Self {
        let wanted = settings.flag(options::STRAGGLERS).unwrap_or(false);
        Self {
            multiplier: settings.number(options::STRAGGLER_MULTIPLIER),
            quantile: settings.number(options::STRAGGLER_QUANTILE),
            padding: settings.seconds(options::STRAGGLER_PADDING_S),
            second_tries: if wanted {
                settings.integer(options::MAX_STRAGGLERS)
            } else {
                0
            },
        }
    }

    /// What to do about a download of so many announced bytes that has run for `elapsed`.
    fn judge(&self, announced: u64, elapsed: Duration, progress: &Progress, neighbours: &Neighbours) -> Verdict {
        let finished = neighbours.pace.len();
        if finished < MIN_NEIGHBOURS || (finished as f64) < self.quantile * neighbours.count as f64 {
            return Verdict::TooEarly;
        }
        let mut pace = neighbours.pace.clone();
        let (_, median, _) = pace.select_nth_unstable_by(finished / 2, f64::total_cmp);
        let usual = duration(*median * announced as f64);
        let patience = duration(usual.as_secs_f64() * self.multiplier).saturating_add(self.padding);
        if elapsed < patience {
            return Verdict::LookAgain(patience - elapsed);
        }
        // What a new download needs from now on is the usual time. One that will be done by then is left alone.
        match progress.left(elapsed) {
            Some(left) if left <= usual => Verdict::LookAgain((usual / 4).max(MIN_LOOK)),
            _ => Verdict::Behind,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Too few neighbours have finished.
    TooEarly,
    /// Not before this time has passed.
    LookAgain(Duration),
    Behind,
}

/// The downloads that ran beside another, or began after it.
#[derive(Debug, Default)]
struct Neighbours {
    count: u64,
    /// Seconds for each announced byte of those that have finished.
    pace: Vec<f64>,
}

/// How far one try of a download is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    begins_at: AtomicU64,
    received: AtomicU64,
    /// 0 while it is not known.
    all: AtomicU64,
}

impl Progress {
    /// The answer has begun: with this byte of the file, and with so many bytes.
    pub(super) fn begin(&self, at: u64, announced: Option<u64>) {
        self.begins_at.store(at, Ordering::Relaxed);
        self.received.store(at, Ordering::Relaxed);
        self.all
            .store(announced.map_or(0, |bytes| at.saturating_add(bytes)), Ordering::Relaxed);
    }

    /// Whether the try began with the first byte.
    pub(super) fn is_of_the_whole(&self) -> bool {
        self.begins_at.load(Ordering::Relaxed) == 0
    }

    /// So many bytes of the file are here.
    pub(super) fn reach(&self, received: u64) {
        self.received.store(received, Ordering::Relaxed);
    }

    /// How long the rest takes if it goes on as in `elapsed`; `None` if that cannot be told.
    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let received = self.received.load(Ordering::Relaxed);
        let moved = received.checked_sub(self.begins_at.load(Ordering::Relaxed))?;
        let missing = self.all.load(Ordering::Relaxed).checked_sub(received)?;
        (moved > 0).then(|| duration(elapsed.as_secs_f64() * missing as f64 / moved as f64))
    }
}

/// The downloads of one result, as far as one says something about another.
pub(super) struct Stragglers {
    rules: Rules,
    record: Mutex<Record>,
    changed: Notify,
    /// One second try at a time, because its memory comes on top of the budget.
    turns: Semaphore,
}

#[derive(Default)]
struct Record {
    begun: u64,
    running: u64,
    finished: u64,
    /// Seconds for each announced byte of the last ones that finished.
    pace: VecDeque<f64>,
    second_tries: u64,
}

impl Stragglers {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            record: Mutex::default(),
            changed: Notify::new(),
            turns: Semaphore::new(1),
        }
    }

    /// A download of so many announced bytes begins.
    pub(super) fn begin(&self, announced: u64) -> Running<'_> {
        let mut record = self.lock();
        let running = Running {
            stragglers: self,
            announced: announced.max(1),
            began: Instant::now(),
            beside: record.running,
            begun_before: record.begun + 1,
            finished_before: record.finished,
            has_second_try: AtomicBool::new(false),
        };
        record.begun += 1;
        record.running += 1;
        running
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A download that runs. Dropping it says that it does not any more.
pub(super) struct Running<'a> {
    stragglers: &'a Stragglers,
    announced: u64,
    began: Instant,
    /// How many ran when it began.
    beside: u64,
    begun_before: u64,
    finished_before: u64,
    has_second_try: AtomicBool,
}

impl Running<'_> {
    /// The file is here; the try that brought it took this long.
    pub(super) fn finished(&self, took: Duration) {
        let mut record = self.stragglers.lock();
        record.finished += 1;
        record.pace.push_back(took.as_secs_f64() / self.announced as f64);
        if record.pace.len() > MAX_REMEMBERED {
            record.pace.pop_front();
        }
        drop(record);
        self.stragglers.changed.notify_waiters();
    }

    /// A second try asks storage for the file.
    pub(super) fn begin_second_try(&self) {
        self.has_second_try.store(true, Ordering::Relaxed);
    }

    /// Whether one does, or did.
    pub(super) fn has_second_try(&self) -> bool {
        self.has_second_try.load(Ordering::Relaxed)
    }

    /// Waits until the download has fallen behind and may have a second try, which is for as long as the turn is held. Waits for ever
    /// where there are none, or none any more.
    pub(super) async fn turn(&self, progress: &Progress) -> SemaphorePermit<'_> {
        loop {
            self.fallen_behind(progress).await;
            let Ok(turn) = self.stragglers.turns.acquire().await else {
                return std::future::pending().await;
            };
            // Much may have changed while others had their turn.
            let is_behind = self.verdict(progress) == Verdict::Behind;
            let mut record = self.stragglers.lock();
            if is_behind && record.second_tries < self.stragglers.rules.second_tries {
                record.second_tries += 1;
                return turn;
            }
        }
    }

    async fn fallen_behind(&self, progress: &Progress) {
        loop {
            if self.stragglers.lock().second_tries >= self.stragglers.rules.second_tries {
                return std::future::pending().await;
            }
            // Before looking, so that what happens meanwhile is not missed.
            let mut changed = std::pin::pin!(self.stragglers.changed.notified());
            changed.as_mut().enable();
            match self.verdict(progress) {
                Verdict::Behind => return,
                Verdict::TooEarly => changed.await,
                Verdict::LookAgain(wait) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    fn verdict(&self, progress: &Progress) -> Verdict {
        let neighbours = {
            let record = self.stragglers.lock();
            let finished = usize::try_from(record.finished - self.finished_before).unwrap_or(usize::MAX);
            Neighbours {
                count: self.beside + (record.begun - self.begun_before),
                pace: record.pace.iter().rev().take(finished).copied().collect(),
            }
        };
        let rules = &self.stragglers.rules;
        rules.judge(self.announced, self.began.elapsed(), progress, &neighbours)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.stragglers.lock().running -= 1;
    }
}

/// As a time; what is no time is a very long one.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        multiplier: 1.5,
        quantile: 0.6,
        padding: Duration::from_secs(5),
        second_tries: 10,
    };
    const MIB: u64 = 1 << 20;

    /// Neighbours that took so many seconds for each MiB, and one more that runs for each `running`.
    fn neighbours(seconds: &[f64], running: u64) -> Neighbours {
        Neighbours {
            count: seconds.len() as u64 + running,
            pace: seconds.iter().map(|seconds| seconds / MIB as f64).collect(),
        }
    }

    fn progress(received: u64, of: u64) -> Progress {
        let progress = Progress::default();
        progress.begin(0, Some(of));
        progress.reach(received);
        progress
    }

    fn judge(elapsed: u64, progress: &Progress, neighbours: &Neighbours) -> Verdict {
        RULES.judge(10 * MIB, Duration::from_secs(elapsed), progress, neighbours)
    }

    #[test]
    fn the_median_of_the_neighbours_sets_the_time() {
        let usual = neighbours(&[0.1, 9.0, 1.0, 1.0], 1);
        let silent = Progress::default();
        // 10 MiB take 10 s, and half as long again, and 5 s.
        assert_eq!(judge(19, &silent, &usual), Verdict::LookAgain(Duration::from_secs(1)));
        assert_eq!(judge(20, &silent, &usual), Verdict::Behind);
    }

    #[test]
    fn too_few_neighbours_say_nothing() {
        let silent = Progress::default();
        assert_eq!(judge(1000, &silent, &neighbours(&[1.0, 1.0], 0)), Verdict::TooEarly);
        // Where all are slow, nobody has fallen behind.
        assert_eq!(judge(1000, &silent, &neighbours(&[1.0; 5], 4)), Verdict::TooEarly);
        assert_eq!(judge(1000, &silent, &neighbours(&[1.0; 6], 4)), Verdict::Behind);
    }

    #[test]
    fn a_download_that_will_be_done_before_a_new_one_is_left_alone() {
        let usual = neighbours(&[1.0; 4], 0);
        let again = Verdict::LookAgain(Duration::from_millis(2500));
        assert_eq!(judge(20, &progress(8 * MIB, 10 * MIB), &usual), again, "5 s to go");
        assert_eq!(
            judge(20, &progress(6 * MIB, 10 * MIB), &usual),
            Verdict::Behind,
            "13 s to go"
        );
        assert_eq!(judge(20, &progress(10 * MIB, 10 * MIB), &usual), again, "all is here");
    }

    #[test]
    fn a_continued_download_is_measured_by_what_it_has_brought_itself() {
        let usual = neighbours(&[1.0; 4], 0);
        let continued = Progress::default();
        continued.begin(8 * MIB, Some(2 * MIB));
        assert_eq!(judge(20, &continued, &usual), Verdict::Behind, "nothing came");
    }

    #[tokio::test]
    async fn second_tries_are_counted_and_come_one_at_a_time() {
        let rules = Rules {
            padding: Duration::ZERO,
            second_tries: 2,
            ..RULES
        };
        let stragglers = Stragglers::new(rules);
        let silent = Progress::default();
        let late: Vec<_> = (0..3).map(|_| stragglers.begin(1)).collect();
        for _ in 0..9 {
            stragglers.begin(1).finished(Duration::ZERO);
        }
        let first = late[0].turn(&silent).await;
        let mut second = std::pin::pin!(late[1].turn(&silent));
        assert!(futures::poll!(second.as_mut()).is_pending(), "one at a time");
        drop(first);
        drop(second.await);
        let third = std::pin::pin!(late[2].turn(&silent));
        assert!(futures::poll!(third).is_pending(), "two in all");
    }
}
