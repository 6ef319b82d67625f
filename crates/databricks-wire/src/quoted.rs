//! JSON inside a JSON string, which is how an entry travels in [`TelemetryRequest::proto_logs`].
//!
//! Made in two steps it is written twice and read once in between: an entry into a string, and that string, byte for byte, into
//! another. Here it is written once: the names of members and the variants of enums are quoted as they are, because none of them
//! has a character that would have to be escaped, and a text is only looked at to see that it has none either.
//!
//! [`TelemetryRequest::proto_logs`]: crate::telemetry::TelemetryRequest::proto_logs

use std::fmt::{self, Display};

use serde::ser::{self, Error as _, Impossible, Serialize, SerializeStruct, Serializer};

/// Appends what `serde_json` would make of the JSON text of `value`: a string that holds it, quotes included.
///
/// # Errors
/// `value` has something that entries do not have: anything but structs, optional members, texts, whole numbers, booleans and
/// enums without data. What was appended until then is taken back.
pub fn push_quoted<T: Serialize + ?Sized>(out: &mut String, value: &T) -> Result<(), NotAnEntry> {
    let before = out.len();
    out.push('"');
    let written = value.serialize(Quoted { out });
    match written {
        Ok(()) => out.push('"'),
        Err(_) => out.truncate(before),
    }
    written
}

/// Says that a value has something in it that entries do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEntry;

impl Display for NotAnEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it has something that no entry of telemetry has")
    }
}

impl std::error::Error for NotAnEntry {}

impl ser::Error for NotAnEntry {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

struct Quoted<'a> {
    out: &'a mut String,
}

/// A quote within a string.
const QUOTE: &str = "\\\"";

impl Quoted<'_> {
    /// A text that is known to have nothing to escape.
    fn plain(self, text: &str) {
        debug_assert!(is_plain(text), "{text}");
        self.out.push_str(QUOTE);
        self.out.push_str(text);
        self.out.push_str(QUOTE);
    }

    fn number(self, number: impl itoa::Integer) {
        self.out.push_str(itoa::Buffer::new().format(number));
    }
}

/// Whether a text stands in JSON, and in JSON within JSON, as it is. Goes on to its end, which is faster than to stop early.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    text.bytes().fold(true, |plain, byte| plain & is_plain(byte))
}

/// The simple values that entries do not have.
macro_rules! none_of {
    ($($method:ident($($type:ty)?)),+ $(,)?) => {
        $(fn $method(self, $(_: $type)?) -> Result<(), NotAnEntry> {
            Err(NotAnEntry)
        })+
    };
}

impl<'a> Serializer for Quoted<'a> {
    type Ok = ();
    type Error = NotAnEntry;
    type SerializeStruct = Members<'a>;
    type SerializeSeq = Impossible<(), NotAnEntry>;
    type SerializeTuple = Impossible<(), NotAnEntry>;
    type SerializeTupleStruct = Impossible<(), NotAnEntry>;
    type SerializeTupleVariant = Impossible<(), NotAnEntry>;
    type SerializeMap = Impossible<(), NotAnEntry>;
    type SerializeStructVariant = Impossible<(), NotAnEntry>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, NotAnEntry> {
        Ok(Members {
            out: self.out,
            before: '{',
        })
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotAnEntry> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), NotAnEntry> {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<(), NotAnEntry> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), NotAnEntry> {
        self.number(value);
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), NotAnEntry> {
        self.number(value);
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), NotAnEntry> {
        self.plain(name);
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), NotAnEntry> {
        if is_plain(text) {
            self.plain(text);
            return Ok(());
        }
        for char in serde_json::to_string(text).map_err(NotAnEntry::custom)?.chars() {
            if matches!(char, '"' | '\\') {
                self.out.push('\\');
            }
            self.out.push(char);
        }
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NotAnEntry> {
        value.serialize(self)
    }

    none_of! {
        serialize_i8(i8), serialize_i16(i16), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_f32(f32), serialize_f64(f64), serialize_char(char), serialize_bytes(&[u8]), serialize_unit(),
        serialize_unit_struct(&'static str),
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotAnEntry> {
        Err(NotAnEntry)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, NotAnEntry> {
        Err(NotAnEntry)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, NotAnEntry> {
        Err(NotAnEntry)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, NotAnEntry> {
        Err(NotAnEntry)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotAnEntry> {
        Err(NotAnEntry)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NotAnEntry> {
        Err(NotAnEntry)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NotAnEntry> {
        Err(NotAnEntry)
    }
}

/// The members of an object, as they come.
struct Members<'a> {
    out: &'a mut String,
    /// What the next one comes after: a brace, or a comma if it is not the first.
    before: char,
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = NotAnEntry;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), NotAnEntry> {
        debug_assert!(is_plain(name), "{name}");
        // Pieces of known lengths are stored, others copied by a call.
        self.out.push(self.before);
        self.out.push_str(QUOTE);
        self.before = ',';
        self.out.push_str(name);
        self.out.push_str("\\\":");
        value.serialize(Quoted { out: self.out })
    }

    fn end(self) -> Result<(), NotAnEntry> {
        if self.before == '{' {
            self.out.push('{');
        }
        self.out.push('}');
        Ok(())
    }
}
