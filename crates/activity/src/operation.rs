//! What is being done: operations, the kinds of event they are exported as, and how much a listener wants to know.

/// One thing the program does, such as executing a statement. Always a `static`; activities refer to it by identity.
///
/// ```
/// use activity::{EventKind, Operation};
///
/// const STATEMENT: EventKind = EventKind::new(1);
/// static EXECUTE: Operation = Operation::new("Statement.Execute", STATEMENT);
/// static POLL: Operation = Operation::new("Statement.Poll", EventKind::NONE);
/// ```
#[derive(Debug)]
pub struct Operation {
    name: &'static str,
    kind: EventKind,
}

impl Operation {
    /// Names an operation. `kind` is [`EventKind::NONE`] for operations that are only ever part of another one.
    pub const fn new(name: &'static str, kind: EventKind) -> Operation {
        Operation { name, kind }
    }

    /// The name, for people. Nothing is ever matched by it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// As which kind of event a completed activity of this operation is exported.
    pub const fn kind(&self) -> EventKind {
        self.kind
    }
}

/// A kind of exported event, such as "connection open" or "statement execution". Each kind has its own allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKind(u8);

impl EventKind {
    /// Not an event of its own; nothing is exported.
    pub const NONE: EventKind = EventKind(0);
    /// The number of kinds, [`NONE`](EventKind::NONE) included.
    pub const COUNT: usize = 16;

    /// Makes kind number `index`, from 1 to 15.
    ///
    /// # Panics
    /// On any other number; in a `const`, where kinds belong, that is a compile error.
    pub const fn new(index: u8) -> EventKind {
        assert!(
            index > 0 && (index as usize) < EventKind::COUNT,
            "event kinds are numbered from 1 to 15"
        );
        EventKind(index)
    }

    /// The number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The bit of this kind in a set of kinds.
    pub(crate) const fn bit(self) -> u16 {
        1 << self.0
    }

    /// All kinds in a set.
    pub(crate) fn in_set(set: u16) -> impl Iterator<Item = EventKind> {
        (0u8..16).map(EventKind).filter(move |kind| set & kind.bit() != 0)
    }
}

/// How much a listener wants to know; a source records as much as its most curious listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Nothing. Starting an activity costs one relaxed load.
    Off = 0,
    /// Timing, status and typed tags. No free text is ever made.
    Metrics = 1,
    /// Also free text and events.
    Trace = 2,
}

impl Level {
    /// Reads back `level as u8`.
    #[inline]
    pub(crate) const fn from_bits(bits: u8) -> Level {
        match bits {
            0 => Level::Off,
            1 => Level::Metrics,
            _ => Level::Trace,
        }
    }
}
