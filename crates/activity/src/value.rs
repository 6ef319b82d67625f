//! What may a tag hold? Closed types that may leave the machine, and [`LocalText`], which may not.
//!
//! Numbers, durations, sizes, booleans and closed enums fit into a slot of eight bytes. Ids, versions and text are
//! *wide*: an activity keeps them in a vector that it allocates with the first one.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::clock::saturating_ns;
use crate::slots::{Slots, Wide};

/// A type that a [`Tag`](crate::Tag) can hold. Sealed: `u64`, `i64`, `bool`, [`Duration`], [`ByteCount`], [`Id`],
/// [`Version`], [`LocalText`] and enums made with [`closed_enum!`](crate::closed_enum).
pub trait TagValue: sealed::Stored {}

/// A type of which values can be added up. Adding saturates, so that the order does not matter.
pub trait Summable: TagValue {
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn add(self, slots: &mut Slots, slot: u8);
}

/// A type of which the smaller and the larger value are known.
pub trait Ordered: TagValue {}

/// A type that may leave the machine: its values come from a closed set or a bounded grammar.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` may not leave this machine",
    label = "a tag of this type can only have the scope `None` or `Local`"
)]
pub trait Exportable: TagValue {}

/// An enum whose values have fixed names. Made with [`closed_enum!`](crate::closed_enum), never by hand.
pub trait ClosedEnum: Copy + Send + Sync + 'static {
    /// The name of the type.
    const TYPE_NAME: &'static str;
    /// The names of all values, in the order of their codes.
    const NAMES: &'static [&'static str];

    /// The position in [`NAMES`](ClosedEnum::NAMES).
    fn code(self) -> u8;

    /// The value at a position.
    fn from_code(code: u8) -> Option<Self>;
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

/// An identifier that somebody else gave: 1 to 64 characters out of `A-Z a-z 0-9 . _ : -`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(pub(crate) Token);

impl Id {
    /// Checks and copies an id.
    ///
    /// # Errors
    /// [`InvalidValue`] when the text is empty, longer than 64 bytes or holds any other character.
    pub const fn new(text: &str) -> Result<Id, InvalidValue> {
        match Token::new(text, b':') {
            Some(token) => Ok(Id(token)),
            None => Err(InvalidValue("an id has 1 to 64 characters out of A-Z a-z 0-9 . _ : -")),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A version of a program: a digit, then up to 63 characters out of `A-Z a-z 0-9 . _ + -`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub(crate) Token);

impl Version {
    /// Checks and copies a version.
    ///
    /// # Errors
    /// [`InvalidValue`] when the text does not start with a digit, is longer than 64 bytes or holds any other
    /// character.
    pub const fn new(text: &str) -> Result<Version, InvalidValue> {
        match Token::new(text, b'+') {
            Some(token) if token.bytes[0].is_ascii_digit() => Ok(Version(token)),
            _ => Err(InvalidValue(
                "a version has a digit, then up to 63 characters out of A-Z a-z 0-9 . _ + -",
            )),
        }
    }

    /// The version as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Free text, such as SQL or an error message. Stays on this machine: it is not [`Exportable`], and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalText {
    text: Box<str>,
    truncated: bool,
}

impl LocalText {
    /// The longest text that is kept, in bytes; the rest is cut off at a character boundary.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Keeps a text, or its beginning.
    pub fn new(text: impl Into<String>) -> LocalText {
        let mut text: String = text.into();
        let truncated = text.len() > LocalText::MAX_BYTES;
        if truncated {
            text.truncate(text.floor_char_boundary(LocalText::MAX_BYTES));
        }
        LocalText {
            text: text.into_boxed_str(),
            truncated,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the text was longer than [`MAX_BYTES`](LocalText::MAX_BYTES).
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl fmt::Debug for LocalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalText({} bytes)", self.text.len())
    }
}

macro_rules! print_as_str {
    ($($type:ident)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self.as_str())
            }
        }

        impl TryFrom<&str> for $type {
            type Error = InvalidValue;

            fn try_from(text: &str) -> Result<$type, InvalidValue> {
                $type::new(text)
            }
        }

        impl std::str::FromStr for $type {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<$type, InvalidValue> {
                $type::new(text)
            }
        }
    )*};
}

print_as_str!(Id Version);

/// Says which grammar a value breaks. Does not repeat the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidValue(&'static str);

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidValue {}

/// A short ASCII text, kept in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    length: u8,
    bytes: [u8; 64],
}

impl Token {
    /// Accepts letters, digits, `.`, `_`, `-` and one `more` character.
    const fn new(text: &str, more: u8) -> Option<Token> {
        let text = text.as_bytes();
        if text.is_empty() || text.len() > 64 {
            return None;
        }
        let mut bytes = [0; 64];
        let mut at = 0;
        let mut accepted = true;
        // Goes on to the end, which is faster than to stop early.
        while at < text.len() {
            let byte = text[at];
            accepted &=
                byte.is_ascii_alphanumeric() | (byte == b'.') | (byte == b'_') | (byte == b'-') | (byte == more);
            bytes[at] = byte;
            at += 1;
        }
        if !accepted {
            return None;
        }
        Some(Token {
            length: text.len() as u8,
            bytes,
        })
    }

    fn as_str(&self) -> &str {
        self.bytes
            .get(..self.length.into())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

/// A value of any tag, for listeners that go over all of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A value that may leave the machine.
    Closed(RemoteValue),
    /// Free text.
    Text(&'a LocalText),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Closed(value) => value.fmt(f),
            Value::Text(text) => f.write_str(text.as_str()),
        }
    }
}

/// A value that may leave the machine. There is no variant for free text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteValue {
    /// A boolean.
    Bool(bool),
    /// A size.
    Bytes(ByteCount),
    /// A duration.
    Duration(Duration),
    /// The name of a closed enum's value.
    Enum(&'static str),
    /// A signed number.
    I64(i64),
    /// An identifier.
    Id(Id),
    /// A count.
    U64(u64),
    /// A version.
    Version(Version),
}

impl fmt::Display for RemoteValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteValue::Bool(value) => value.fmt(f),
            RemoteValue::Bytes(value) => value.fmt(f),
            RemoteValue::Duration(value) => fmt::Debug::fmt(value, f),
            RemoteValue::Enum(name) => f.write_str(name),
            RemoteValue::I64(value) => value.fmt(f),
            RemoteValue::Id(value) => value.fmt(f),
            RemoteValue::U64(value) => value.fmt(f),
            RemoteValue::Version(value) => value.fmt(f),
        }
    }
}

/// How the value of a tag is stored; names the type in catalogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Bool,
    Bytes,
    Duration,
    Enum(&'static [&'static str]),
    I64,
    Id,
    Text,
    U64,
    Version,
}

impl Storage {
    /// Whether a slot holds the index of a wide value.
    pub(crate) const fn is_wide(self) -> bool {
        matches!(self, Storage::Id | Storage::Text | Storage::Version)
    }

    /// Two handles of the same storage read the same bits; the names of an enum are compared by the type's name.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Storage::Bool => 0,
            Storage::Bytes => 1,
            Storage::Duration => 2,
            Storage::Enum(_) => 3,
            Storage::I64 => 4,
            Storage::Id => 5,
            Storage::Text => 6,
            Storage::U64 => 7,
            Storage::Version => 8,
        }
    }
}

pub(crate) mod sealed {
    use super::*;

    /// How a type goes into the slots and comes back. Private, so that nobody can smuggle text into a closed type.
    pub trait Stored: Sized + 'static {
        #[doc(hidden)]
        #[allow(private_interfaces)]
        const STORAGE: Storage;
        #[doc(hidden)]
        const NAME: &'static str;

        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn store(self, slots: &mut Slots, slot: u8);

        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn load(slots: &Slots, slot: u8) -> Option<Self>;
    }
}

/// Values of eight bytes or less, given as: type, storage, name, to bits, from bits.
macro_rules! narrow {
    ($($type:ty, $storage:ident, $name:literal, $to:expr, $from:expr;)*) => {$(
        impl sealed::Stored for $type {
            #[allow(private_interfaces)]
            const STORAGE: Storage = Storage::$storage;
            const NAME: &'static str = $name;

            #[inline]
            #[allow(private_interfaces)]
            fn store(self, slots: &mut Slots, slot: u8) {
                slots.put(slot, $to(self));
            }

            #[inline]
            #[allow(private_interfaces)]
            fn load(slots: &Slots, slot: u8) -> Option<$type> {
                slots.bits(slot).map($from)
            }
        }

        impl TagValue for $type {}
        impl Exportable for $type {}
    )*};
}

narrow! {
    bool, Bool, "bool", u64::from, |bits| bits != 0;
    ByteCount, Bytes, "bytes", |bytes: ByteCount| bytes.0, ByteCount;
    Duration, Duration, "duration", saturating_ns, Duration::from_nanos;
    i64, I64, "i64", i64::cast_unsigned, u64::cast_signed;
    u64, U64, "u64", |count| count, |bits| bits;
}

macro_rules! summable {
    ($($type:ty, $to:expr;)*) => {$(
        impl Summable for $type {
            #[inline]
            #[allow(private_interfaces)]
            fn add(self, slots: &mut Slots, slot: u8) {
                slots.add(slot, $to(self));
            }
        }
    )*};
}

summable! {
    ByteCount, |bytes: ByteCount| bytes.0;
    Duration, saturating_ns;
    u64, |count| count;
}

impl Ordered for ByteCount {}
impl Ordered for Duration {}
impl Ordered for i64 {}
impl Ordered for u64 {}

impl<E: ClosedEnum> sealed::Stored for E {
    #[allow(private_interfaces)]
    const STORAGE: Storage = Storage::Enum(E::NAMES);
    const NAME: &'static str = E::TYPE_NAME;

    #[inline]
    #[allow(private_interfaces)]
    fn store(self, slots: &mut Slots, slot: u8) {
        slots.put(slot, self.code().into());
    }

    #[inline]
    #[allow(private_interfaces)]
    fn load(slots: &Slots, slot: u8) -> Option<E> {
        E::from_code(slots.bits(slot)?.try_into().ok()?)
    }
}

impl<E: ClosedEnum> TagValue for E {}
impl<E: ClosedEnum> Exportable for E {}

/// Wide values, given as: type, storage, name, to wide, from wide.
macro_rules! wide {
    ($($type:ident, $storage:ident, $name:literal, $to:expr, $from:expr;)*) => {$(
        impl sealed::Stored for $type {
            #[allow(private_interfaces)]
            const STORAGE: Storage = Storage::$storage;
            const NAME: &'static str = $name;

            #[allow(private_interfaces)]
            fn store(self, slots: &mut Slots, slot: u8) {
                slots.put_wide(slot, $to(self));
            }

            #[allow(private_interfaces)]
            fn load(slots: &Slots, slot: u8) -> Option<$type> {
                slots.wide(slot).and_then($from)
            }
        }

        impl TagValue for $type {}
    )*};
}

wide! {
    Id, Id, "id", |id: Id| Wide::Token(id.0), |wide: &Wide| wide.token().map(Id);
    LocalText, Text, "text", Wide::Text, |wide: &Wide| wide.text().cloned();
    Version, Version, "version", |version: Version| Wide::Token(version.0), |wide: &Wide| wide.token().map(Version);
}

impl Exportable for Id {}
impl Exportable for Version {}

/// What a field of an [`Event`](crate::Event) holds. Events never leave the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum EventValue {
    /// A boolean.
    Bool(bool),
    /// A size.
    Bytes(ByteCount),
    /// A duration.
    Duration(Duration),
    /// A signed number.
    I64(i64),
    /// A fixed text.
    Str(&'static str),
    /// A text; `Debug` hides it.
    Text(LocalText),
    /// A count.
    U64(u64),
}

impl fmt::Display for EventValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventValue::Bool(value) => value.fmt(f),
            EventValue::Bytes(value) => value.fmt(f),
            EventValue::Duration(value) => fmt::Debug::fmt(value, f),
            EventValue::I64(value) => value.fmt(f),
            EventValue::Str(text) => f.write_str(text),
            EventValue::Text(text) => f.write_str(text.as_str()),
            EventValue::U64(value) => value.fmt(f),
        }
    }
}

macro_rules! event_value_from {
    ($($type:ty => $make:expr;)*) => {$(
        impl From<$type> for EventValue {
            fn from(value: $type) -> EventValue {
                $make(value)
            }
        }
    )*};
}

event_value_from! {
    bool => EventValue::Bool;
    ByteCount => EventValue::Bytes;
    Duration => EventValue::Duration;
    i64 => EventValue::I64;
    &'static str => EventValue::Str;
    String => |text| EventValue::Text(LocalText::new(text));
    Cow<'static, str> => |text| EventValue::Text(LocalText::new(text));
    u64 => EventValue::U64;
    u32 => |count| EventValue::U64(u64::from(count));
    usize => |count| EventValue::U64(count as u64);
}
