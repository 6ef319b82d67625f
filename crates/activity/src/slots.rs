//! Where the values of an activity live: a bit set of what is present, and one slot for each tag of the table.
//!
//! Slots of tags that are not present hold stale bits and are never read. The first [`INLINE`] slots lie in place,
//! which covers a normal table without an allocation; the slots above, and wide values, are allocated with the first of
//! them.

use crate::tag::{Merge, TagTable};
use crate::value::{LocalText, Storage, Token};

/// The slots that lie in place.
const INLINE: usize = 32;

/// A value that does not fit into eight bytes.
#[derive(Clone, Debug)]
pub(crate) enum Wide {
    Text(LocalText),
    Token(Token),
}

impl Wide {
    pub(crate) fn token(&self) -> Option<Token> {
        match self {
            Wide::Token(token) => Some(*token),
            Wide::Text(_) => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&LocalText> {
        match self {
            Wide::Text(text) => Some(text),
            Wide::Token(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Slots {
    present: u64,
    low: [u64; INLINE],
    high: Option<Box<[u64; INLINE]>>,
    /// Wide values; the slot of such a tag holds an index into it.
    wide: Vec<Wide>,
}

impl Slots {
    #[inline]
    pub(crate) const fn new() -> Slots {
        Slots {
            present: 0,
            low: [0; INLINE],
            high: None,
            wide: Vec::new(),
        }
    }

    /// Forgets all values; keeps the memory.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.present = 0;
        if !self.wide.is_empty() {
            self.wide.clear();
        }
    }

    #[inline]
    pub(crate) fn present(&self) -> u64 {
        self.present
    }

    #[inline]
    pub(crate) fn bits(&self, slot: u8) -> Option<u64> {
        if self.present & bit(slot) == 0 {
            return None;
        }
        match self.low.get(usize::from(slot)) {
            Some(bits) => Some(*bits),
            None => self.high.as_deref().map(|high| high[usize::from(slot) % INLINE]),
        }
    }

    #[inline]
    pub(crate) fn put(&mut self, slot: u8, bits: u64) {
        self.present |= bit(slot);
        match self.low.get_mut(usize::from(slot)) {
            Some(place) => *place = bits,
            None => self.high.get_or_insert_with(|| Box::new([0; INLINE]))[usize::from(slot) % INLINE] = bits,
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, slot: u8, bits: u64) {
        self.put(slot, self.bits(slot).map_or(bits, |sum| sum.saturating_add(bits)));
    }

    pub(crate) fn wide(&self, slot: u8) -> Option<&Wide> {
        self.wide.get(usize::try_from(self.bits(slot)?).ok()?)
    }

    pub(crate) fn put_wide(&mut self, slot: u8, wide: Wide) {
        let index = self.bits(slot).and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| self.wide.get_mut(index)) {
            Some(place) => *place = wide,
            None => {
                self.put(slot, self.wide.len() as u64);
                self.wide.push(wide);
            }
        }
    }

    /// Merges in the values of somebody who completed before or after, by each tag's rule, as far as `mask` goes.
    pub(crate) fn merge(&mut self, others: &Slots, completed: Completed, table: &TagTable, mask: u64) {
        for slot in ones(others.present & mask) {
            let (Some(tag), Some(theirs)) = (table.at(slot), others.bits(slot)) else {
                continue;
            };
            let signed = tag.storage() == Storage::I64;
            let merged = match (tag.merge(), self.bits(slot)) {
                (Merge::First, Some(_)) if completed == Completed::Later => continue,
                (Merge::Last | Merge::Keep, Some(_)) if completed == Completed::Earlier => continue,
                (Merge::Sum, Some(ours)) => ours.saturating_add(theirs),
                (Merge::Max, Some(ours)) if signed => larger_signed(ours, theirs),
                (Merge::Max, Some(ours)) => ours.max(theirs),
                (Merge::Min, Some(ours)) if signed => !larger_signed(!ours, !theirs),
                (Merge::Min, Some(ours)) => ours.min(theirs),
                (Merge::First | Merge::Last | Merge::Keep, Some(_)) | (_, None) => match others.wide(slot) {
                    Some(wide) if tag.storage().is_wide() => {
                        self.put_wide(slot, wide.clone());
                        continue;
                    }
                    _ => theirs,
                },
            };
            self.put(slot, merged);
        }
    }
}

/// When those completed whose values are merged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completed {
    Earlier,
    Later,
}

/// The numbers of the bits that are set, from low to high.
pub(crate) fn ones(mut set: u64) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as u8);
        set &= set.wrapping_sub(1);
        lowest
    })
}

#[inline]
pub(crate) const fn bit(slot: u8) -> u64 {
    1 << (slot & 63)
}

/// The larger of two signed numbers. Inverting all bits turns the order round, which gives the smaller one.
fn larger_signed(a: u64, b: u64) -> u64 {
    a.cast_signed().max(b.cast_signed()).cast_unsigned()
}
