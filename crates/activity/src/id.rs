//! Which activity is this, and to which trace does it belong? Ids and context as W3C Trace Context defines them.
//!
//! Ids come from a generator of each thread (no lock, no atomics), seeded from the operating system through
//! [`RandomState`](std::hash::RandomState) and stirred with the start time of every activity, so that a forked child
//! does not repeat the ids of its parent. They are unique, not secret.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::num::{NonZeroU64, NonZeroU128};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::thread;

/// Identifies one trace: 128 bits, never zero. Prints as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// Makes an id from its number; `None` for zero, which W3C reserves for "invalid".
    pub const fn new(id: u128) -> Option<TraceId> {
        match NonZeroU128::new(id) {
            Some(id) => Some(TraceId(id)),
            None => None,
        }
    }

    /// The id as a number.
    pub const fn as_u128(self) -> u128 {
        self.0.get()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// Identifies one activity within its trace: 64 bits, never zero. Prints as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// Makes an id from its number; `None` for zero, which W3C reserves for "invalid".
    pub const fn new(id: u64) -> Option<SpanId> {
        match NonZeroU64::new(id) {
            Some(id) => Some(SpanId(id)),
            None => None,
        }
    }

    /// The id as a number.
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

/// The place of an activity in a distributed trace: trace id, span id and flags.
///
/// ```
/// use activity::SpanContext;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let context = SpanContext::parse_traceparent(text)?;
/// assert!(context.is_sampled());
/// assert_eq!(context.to_traceparent(), text);
/// # Ok::<(), activity::InvalidTraceparent>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: u8,
}

/// W3C Trace Context level 1: the caller may have recorded this trace.
const SAMPLED: u8 = 0x01;
/// W3C Trace Context level 2: the rightmost 7 bytes of the trace id are random.
const RANDOM: u8 = 0x02;
/// `00-` + 32 + `-` + 16 + `-` + 2.
const TRACEPARENT_BYTES: usize = 55;

impl SpanContext {
    /// Puts a context together. Flags that W3C Trace Context level 2 does not define are dropped.
    pub const fn new(trace_id: TraceId, span_id: SpanId, flags: u8) -> SpanContext {
        SpanContext {
            trace_id,
            span_id,
            flags: flags & (SAMPLED | RANDOM),
        }
    }

    /// Stands for a context that is not known yet.
    pub(crate) const BLANK: SpanContext = SpanContext {
        trace_id: TraceId(NonZeroU128::MIN),
        span_id: SpanId(NonZeroU64::MIN),
        flags: 0,
    };

    /// A fresh trace with a fresh span, not sampled.
    pub fn random() -> SpanContext {
        let now = Instant::now();
        thread::with(|local| {
            local.generator.stir(now);
            SpanContext {
                trace_id: local.generator.trace_id(),
                span_id: local.generator.span_id(),
                flags: 0,
            }
        })
    }

    /// Parses a W3C `traceparent` header.
    ///
    /// Accepts version `00` exactly, and of later versions the part that version `00` defines, as the
    /// recommendation asks: <https://www.w3.org/TR/trace-context/#versioning-of-traceparent>.
    ///
    /// # Errors
    /// [`InvalidTraceparent`] when the text is not a `traceparent`: wrong length, separators, upper-case or foreign
    /// digits, version `ff`, or an id that is all zeros.
    pub fn parse_traceparent(text: &str) -> Result<SpanContext, InvalidTraceparent> {
        let bytes = text.as_bytes();
        let fixed = bytes
            .get(..TRACEPARENT_BYTES)
            .ok_or(InvalidTraceparent("shorter than 55 characters"))?;
        let [v0, v1, b'-', rest @ ..] = fixed else {
            return Err(InvalidTraceparent("no '-' after the version"));
        };
        let (trace, rest) = rest.split_at(32);
        let [b'-', rest @ ..] = rest else {
            return Err(InvalidTraceparent("no '-' after the trace id"));
        };
        let (span, rest) = rest.split_at(16);
        let [b'-', f0, f1] = rest else {
            return Err(InvalidTraceparent("no '-' after the parent id"));
        };

        match (hex(&[*v0, *v1])?, bytes.get(TRACEPARENT_BYTES)) {
            (0xff, _) => return Err(InvalidTraceparent("version ff is forbidden")),
            (0x00, Some(_)) => return Err(InvalidTraceparent("longer than version 00 allows")),
            (_, None | Some(b'-')) => {}
            (_, Some(_)) => return Err(InvalidTraceparent("no '-' after the flags")),
        }
        let trace_id = TraceId::new(hex(trace)?).ok_or(InvalidTraceparent("trace id is zero"))?;
        let span_id = hex(span)?.try_into().ok().and_then(SpanId::new);
        let span_id = span_id.ok_or(InvalidTraceparent("parent id is zero"))?;
        let flags = hex(&[*f0, *f1])?.to_le_bytes()[0];
        Ok(SpanContext::new(trace_id, span_id, flags))
    }

    /// The `traceparent` header, version `00`, that tells a callee about this activity.
    pub fn to_traceparent(&self) -> String {
        // By hand: every request carries one, and formatting numbers takes five times as long.
        let mut text: [u8; TRACEPARENT_BYTES] = *b"00-________________________________-________________-__";
        write_hex(&mut text[3..35], &self.trace_id.as_u128().to_be_bytes());
        write_hex(&mut text[36..52], &self.span_id.as_u64().to_be_bytes());
        write_hex(&mut text[53..], &[self.flags]);
        std::str::from_utf8(&text).unwrap_or_default().to_owned()
    }

    /// The trace.
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The activity within the trace.
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The W3C trace flags.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the caller may have sampled this trace. Recording an activity never sets this.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Another span of the same trace, with the same flags.
    #[inline(always)]
    pub(crate) const fn with_span(&self, span_id: SpanId) -> SpanContext {
        SpanContext {
            trace_id: self.trace_id,
            span_id,
            flags: self.flags,
        }
    }
}

fn write_hex(place: &mut [u8], bytes: &[u8]) {
    let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit & 0x0f)];
    for (pair, byte) in place.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(*byte)]);
    }
}

/// Says why a text is not a W3C `traceparent`. Does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTraceparent(&'static str);

impl fmt::Display for InvalidTraceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid traceparent: {}", self.0)
    }
}

impl std::error::Error for InvalidTraceparent {}

/// Reads at most 32 lower-case hex digits.
fn hex(digits: &[u8]) -> Result<u128, InvalidTraceparent> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return Err(InvalidTraceparent("not a lower-case hex digit")),
        };
        Ok(number << 4 | u128::from(value))
    })
}

/// A thread's source of ids: xoroshiro128++ (Blackman and Vigna, public domain).
pub(crate) struct Generator(Cell<u64>, Cell<u64>);

impl Generator {
    /// Not seeded yet.
    pub(crate) const fn new() -> Generator {
        Generator(Cell::new(0), Cell::new(0))
    }

    /// Makes what comes next depend on the time, so that processes which were forked apart do not draw the same.
    #[inline(always)]
    pub(crate) fn stir(&self, now: Instant) {
        if self.0.get() | self.1.get() == 0 {
            self.seed();
        }
        let mut stirred = Stirred(self.0.get());
        now.hash(&mut stirred);
        self.0.set(stirred.finish());
    }

    #[inline(always)]
    pub(crate) fn span_id(&self) -> SpanId {
        SpanId(self.next())
    }

    #[inline(always)]
    pub(crate) fn trace_id(&self) -> TraceId {
        let (high, low) = (self.next(), self.next());
        TraceId(NonZeroU128::from(low) | u128::from(high.get()) << 64)
    }

    /// The next 64 bits, never zero.
    #[inline(always)]
    fn next(&self) -> NonZeroU64 {
        let (s0, mut s1) = (self.0.get(), self.1.get());
        let drawn = s0.wrapping_add(s1).rotate_left(17).wrapping_add(s0);
        s1 ^= s0;
        self.0.set(s0.rotate_left(49) ^ s1 ^ (s1 << 21));
        self.1.set(s1.rotate_left(28));
        NonZeroU64::new(drawn).unwrap_or(NonZeroU64::MIN)
    }

    #[cold]
    fn seed(&self) {
        let random = RandomState::new();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let half = |salt: u64| random.hash_one((salt, since_1970, std::process::id()));
        self.0.set(half(1));
        self.1.set(half(2));
    }
}

/// Mixes in the numbers of which an `Instant` consists, to which there is no other way than its hash. Bijective, so
/// that the generator loses nothing.
struct Stirred(u64);

impl Hasher for Stirred {
    #[inline(always)]
    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(32) ^ number;
    }

    #[inline(always)]
    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    #[inline(always)]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn processes_that_were_forked_apart_draw_different_ids() {
        let parent = Generator::new();
        let now = Instant::now();
        parent.stir(now);
        let child = Generator(parent.0.clone(), parent.1.clone());
        parent.stir(now + Duration::from_nanos(1));
        child.stir(now + Duration::from_nanos(2));
        for _ in 0..1000 {
            assert_ne!(parent.trace_id(), child.trace_id());
            assert_ne!(parent.span_id(), child.span_id());
        }
    }

    #[test]
    fn threads_draw_different_ids() {
        let draw = || std::thread::spawn(SpanContext::random).join();
        let contexts = (0..50)
            .filter_map(|_| draw().ok())
            .collect::<std::collections::HashSet<_>>();
        assert_eq!(contexts.len(), 50);
    }
}
