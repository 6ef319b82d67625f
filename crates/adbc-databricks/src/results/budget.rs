//! The memory budget of one result.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Costs are counted in sixteenths of a byte per announced byte.
const COST_UNIT: u64 = 16;

/// The most that is believed of an announced size: what no machine has. Sums of sizes must not reach the end of the numbers, where giving
/// one back would take from the others.
const MAX_ANNOUNCED_BYTES: u64 = 1 << 40;

/// What a compressed chunk is taken to need until one was seen: itself and three times itself, decompressed.
const COMPRESSED_COST: u64 = 4 * COST_UNIT;

/// Bytes that chunks may occupy from when they are fetched until they are handed out.
///
/// A chunk is first a file, as it was sent, and then decoded. Servers announce the size of the one or of the other, and do not say which.
/// So the budget learns from each chunk what an announced byte really costs in either form, and prices what was claimed before
/// accordingly.
pub(super) struct Budget {
    limit: u64,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    files: Claims,
    /// Of chunks that are not decoded yet.
    chunks: Claims,
    /// What files that are here and decoded chunks keep.
    kept: u64,
    /// How many claims for chunks there are, of decoded ones as well.
    held: usize,
}

impl State {
    fn claimed(&self) -> u64 {
        let files = self.files.claimed();
        files.saturating_add(self.chunks.claimed()).saturating_add(self.kept)
    }

    fn fits(&self, more: u64, limit: u64) -> bool {
        self.claimed().saturating_add(more) <= limit
    }

    fn add(&mut self, what: What, announced: u64) {
        match what {
            What::File => self.files.add(announced),
            What::WholeFile(bytes) => self.kept += bytes,
            What::Beyond => self.chunks.add(announced),
            What::Chunk => {
                self.chunks.add(announced);
                self.held += 1;
            }
            What::Kept(bytes) => {
                self.kept += bytes;
                self.held += 1;
            }
        }
    }

    fn remove(&mut self, what: What, announced: u64) {
        match what {
            What::File => self.files.remove(announced),
            What::WholeFile(bytes) => self.kept -= bytes,
            What::Beyond => self.chunks.remove(announced),
            What::Chunk => {
                self.chunks.remove(announced);
                self.held -= 1;
            }
            What::Kept(bytes) => {
                self.kept -= bytes;
                self.held -= 1;
            }
        }
    }
}

/// The claims of one kind, by what was announced, and what they cost.
///
/// Small and large chunks have prices of their own: what surrounds the data is most of a small one, and one in which all rows are the
/// same is small as a file and as large as any when decoded.
struct Claims {
    small: Account,
    large: Account,
}

/// Chunks with fewer announced bytes are small.
const LARGE_BYTES: u64 = 1 << 20;

/// Announced bytes and what each of them costs: the most that was seen, or a guess as long as nothing was.
struct Account {
    announced: u64,
    per_byte: u64,
    is_seen: bool,
}

impl Claims {
    fn guess(per_byte: u64) -> Self {
        let account = || Account {
            announced: 0,
            per_byte,
            is_seen: false,
        };
        Self {
            small: account(),
            large: account(),
        }
    }

    /// Guesses anew where nothing was seen.
    fn guess_again(&mut self, per_byte: u64) {
        for account in [&mut self.small, &mut self.large] {
            if !account.is_seen {
                account.per_byte = per_byte;
            }
        }
    }

    /// What a claim for so many announced bytes costs.
    fn cost(&self, announced: u64) -> u64 {
        let account = if announced < LARGE_BYTES {
            &self.small
        } else {
            &self.large
        };
        account.cost(announced)
    }

    /// What all claims cost.
    fn claimed(&self) -> u64 {
        let [small, large] = [&self.small, &self.large].map(|account| account.cost(account.announced));
        small.saturating_add(large)
    }

    fn add(&mut self, announced: u64) {
        self.of(announced).announced += announced;
    }

    fn remove(&mut self, announced: u64) {
        self.of(announced).announced -= announced;
    }

    fn see(&mut self, announced: u64, bytes: u64) {
        let found = bytes.saturating_mul(COST_UNIT).div_ceil(announced.max(1)).max(1);
        let account = self.of(announced);
        account.per_byte = if account.is_seen {
            account.per_byte.max(found)
        } else {
            found
        };
        account.is_seen = true;
    }

    fn of(&mut self, announced: u64) -> &mut Account {
        match announced < LARGE_BYTES {
            true => &mut self.small,
            false => &mut self.large,
        }
    }
}

impl Account {
    fn cost(&self, announced: u64) -> u64 {
        announced.saturating_mul(self.per_byte) / COST_UNIT
    }
}

impl Budget {
    pub(super) fn new(limit: u64, compressed: bool) -> Arc<Self> {
        let chunk_cost = if compressed { COMPRESSED_COST } else { COST_UNIT };
        Arc::new(Self {
            limit,
            state: Mutex::new(State {
                files: Claims::guess(COST_UNIT),
                chunks: Claims::guess(chunk_cost),
                kept: 0,
                held: 0,
            }),
            changed: Notify::new(),
        })
    }

    /// Claims what the file of a chunk of `announced` bytes needs, if it fits, beside a chunk that is held. With nothing claimed any size fits, so
    /// that one huge chunk cannot wait for ever.
    pub(super) fn file(self: &Arc<Self>, announced: u64) -> Option<Reservation> {
        let announced = announced.min(MAX_ANNOUNCED_BYTES);
        let state = self.lock();
        let first_chunk = match state.held {
            0 => state.chunks.cost(announced),
            _ => 0,
        };
        let cost = state.files.cost(announced).saturating_add(first_chunk);
        let fits = state.claimed() == 0 || state.fits(cost, self.limit);
        fits.then(|| self.claim(state, What::File, announced))
    }

    /// Claims what a chunk of `announced` bytes needs to be decoded, if it fits. Where no other chunk is held any size fits: chunks are decoded
    /// in their order, so the reader waits for this one, and whatever else is claimed waits for it too.
    pub(super) fn chunk(self: &Arc<Self>, announced: u64) -> Option<Reservation> {
        let announced = announced.min(MAX_ANNOUNCED_BYTES);
        let state = self.lock();
        let fits = state.held == 0 || state.fits(state.chunks.cost(announced), self.limit);
        fits.then(|| self.claim(state, What::Chunk, announced))
    }

    /// Claims what a chunk of `announced` bytes needs, although it may not fit. For what must not wait, and is bounded otherwise.
    pub(super) fn beyond(self: &Arc<Self>, announced: u64) -> Reservation {
        self.claim(self.lock(), What::Beyond, announced.min(MAX_ANNOUNCED_BYTES))
    }

    /// How many chunks are being decoded, or are and wait for the reader, or are with it.
    pub(super) fn held_chunks(&self) -> usize {
        self.lock().held
    }

    /// Wakes who waits for [`Budget::changed`], because something else changed that decides what is claimed next.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    /// Waits until more may fit than did before. For one task at a time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until a chunk of `announced` bytes fits.
    ///
    /// One task claims, in the order of the chunks: whoever waits waits only for chunks before its own, which the reader gets first.
    pub(super) async fn reserve(self: &Arc<Self>, announced: u64) -> Reservation {
        loop {
            if let Some(reservation) = self.chunk(announced) {
                return reservation;
            }
            self.changed().await;
        }
    }

    /// The file of a chunk of `announced` bytes has `bytes`. Before it is decoded that tells already which of the two was announced.
    pub(super) fn learn_file(&self, announced: u64, bytes: u64) {
        let mut state = self.lock();
        state.files.see(announced, bytes);
        // A tenth less is more than what surrounds the compressed bytes can explain.
        let is_decoded_size = bytes < announced / 10 * 9;
        if is_decoded_size {
            state.chunks.guess_again(COST_UNIT);
        }
        self.tell(state);
    }

    fn claim(self: &Arc<Self>, mut state: MutexGuard<'_, State>, what: What, announced: u64) -> Reservation {
        state.add(what, announced);
        Reservation {
            budget: Arc::clone(self),
            announced,
            what,
        }
    }

    /// Stores a permit if the claiming task is just about to wait.
    fn tell(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.look_again();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim on the budget. Dropping it gives the bytes back.
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    announced: u64,
    what: What,
}

/// What memory is claimed for.
#[derive(Clone, Copy)]
enum What {
    File,
    Chunk,
    /// A file that is here, with its bytes.
    WholeFile(u64),
    /// A chunk that nobody waits for.
    Beyond,
    /// A decoded chunk, with its bytes.
    Kept(u64),
}

impl Reservation {
    /// The file is here, and has so many bytes.
    pub(super) fn settle_file(&mut self, bytes: u64) {
        let mut state = self.budget.lock();
        state.files.see(self.announced, bytes);
        state.remove(self.what, self.announced);
        self.what = What::WholeFile(bytes);
        state.add(self.what, self.announced);
        self.budget.tell(state);
    }

    /// The chunk is decoded: it needed `peak` bytes on the way and keeps `kept`. Growing never waits: the later chunks that
    /// it would wait for are waiting for this one.
    pub(super) fn settle(&mut self, peak: u64, kept: u64) {
        let mut state = self.budget.lock();
        state.chunks.see(self.announced, peak);
        state.remove(self.what, self.announced);
        self.what = What::Kept(kept);
        state.add(self.what, self.announced);
        self.budget.tell(state);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.remove(self.what, self.announced);
        self.budget.tell(state);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_claim_waits_until_it_fits_and_one_always_does() {
        let budget = Budget::new(10, false);
        let huge = budget.reserve(100).now_or_never().unwrap();
        assert!(budget.reserve(1).now_or_never().is_none());
        drop(huge);
        let first = budget.reserve(6).now_or_never().unwrap();
        assert!(budget.reserve(6).now_or_never().is_none());
        let second = budget.reserve(4).now_or_never().unwrap();
        drop(first);
        assert!(budget.reserve(6).now_or_never().is_some());
        drop(second);
    }

    #[test]
    fn what_exceeds_the_budget_counts_as_well() {
        let budget = Budget::new(10, false);
        let first = budget.reserve(8).now_or_never().unwrap();
        let second = budget.reserve(1).now_or_never().unwrap();
        let beyond = budget.beyond(8);
        drop(first);
        assert!(budget.chunk(4).is_none());
        drop(beyond);
        assert!(budget.chunk(4).is_some());
        drop(second);
    }

    #[test]
    fn what_a_byte_costs_is_learned() {
        let budget = Budget::new(100, true);
        let mut first = budget.chunk(20).unwrap();
        assert!(budget.chunk(20).is_none(), "80 of 100 are taken to be needed");
        first.settle(40, 30);
        let second = budget.chunk(20).unwrap();
        assert!(budget.chunk(20).is_none(), "30 kept and 40 claimed leave less than 40");
        drop(second);
        assert!(budget.chunk(35).is_some());
    }

    #[test]
    fn files_are_begun_as_long_as_they_fit_beside_a_chunk() {
        let budget = Budget::new(100, true);
        let first = budget.file(20).unwrap();
        assert!(budget.file(20).is_none(), "20 claimed, and 20 and 80 to come");
        budget.learn_file(20, 5);
        // 20 were the decoded bytes; so far 5 are claimed, and 20 are left for a chunk.
        let files: Vec<_> = std::iter::from_fn(|| budget.file(20)).collect();
        assert_eq!(files.len(), 15);
        let chunk = budget.chunk(20).unwrap();
        assert!(budget.file(20).is_none(), "all is claimed");
        drop(files);
        let files: Vec<_> = std::iter::from_fn(|| budget.file(20)).collect();
        assert_eq!(files.len(), 15, "nothing is left for another chunk");
        assert!(budget.chunk(20).is_none());
        drop(chunk);
        assert!(budget.chunk(20).is_some(), "the next one that is waited for");
        drop(first);
    }

    #[test]
    fn the_chunk_that_is_waited_for_fits_beside_any_files() {
        let budget = Budget::new(10, false);
        let files = (budget.file(5).unwrap(), budget.beyond(9));
        let first = budget.chunk(5).unwrap();
        assert!(budget.chunk(5).is_none());
        drop(first);
        assert!(budget.chunk(5).is_some());
        drop(files);
    }

    #[test]
    fn a_small_file_of_a_large_chunk_costs_what_such_chunks_do() {
        const MIB: u64 = 1 << 20;
        let budget = Budget::new(100 * MIB, true);
        budget.chunk(8 * MIB).unwrap().settle(20 * MIB, 20 * MIB);
        budget.chunk(MIB / 2).unwrap().settle(20 * MIB, 20 * MIB);
        let chunks: Vec<_> = std::iter::from_fn(|| budget.chunk(MIB / 2)).take(20).collect();
        assert_eq!(chunks.len(), 5);
        drop(chunks);
        let chunks: Vec<_> = std::iter::from_fn(|| budget.chunk(8 * MIB)).take(20).collect();
        assert_eq!(chunks.len(), 5);
    }

    #[test]
    fn a_small_chunk_does_not_set_the_price_of_large_ones() {
        const MIB: u64 = 1 << 20;
        let budget = Budget::new(100 * MIB, true);
        budget.learn_file(100, 700);
        budget.learn_file(20 * MIB, 5 * MIB);
        budget.learn_file(100, 700);
        let chunk = budget.chunk(20 * MIB);
        let files: Vec<_> = std::iter::from_fn(|| budget.file(20 * MIB)).take(20).collect();
        assert_eq!(files.len(), 16, "20 MiB are the chunk's, and 5 each file's");
        drop(chunk);
    }

    #[test]
    fn sizes_that_no_machine_has_add_up() {
        let budget = Budget::new(u64::MAX, true);
        let claims: Vec<_> = (0..100).filter_map(|_| budget.chunk(u64::MAX)).collect();
        assert_eq!(claims.len(), 100);
        budget.learn_file(1, u64::MAX);
        drop(claims);
        assert_eq!(budget.lock().claimed(), 0);
    }
}
