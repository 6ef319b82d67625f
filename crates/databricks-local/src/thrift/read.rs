//! Reading TBinaryProtocol: a message, and the fields of its structs.
//!
//! Nothing is allocated by a length that the sender claims: whatever is read lies in the body that was received. A struct is looked at,
//! not built; its fields keep their places in the body until somebody asks for them, and what nobody asks for is skipped.

use std::collections::BTreeMap;

use super::kind;

/// How deep structs and containers may lie in each other. Requests need five.
const MAX_DEPTH: usize = 16;

/// How many fields a struct may have; the largest of the protocol has 17.
const MAX_FIELDS: usize = 256;

/// How many elements of a list or map are taken in.
const MAX_ELEMENTS: usize = 65_536;

/// Version 1, in the upper half of a strict message's first word. The lower half holds the message's type.
const VERSION: u32 = 0x8001_0000;

/// Why bytes are no message, or no value of their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(super) &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

type Result<T> = std::result::Result<T, Malformed>;

/// A message: a method, the number by which the client knows the answer, and the arguments.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) method: &'a str,
    pub(super) message_type: u8,
    pub(super) sequence: i32,
    arguments: Reader<'a>,
}

impl<'a> Message<'a> {
    /// # Errors
    /// When there is no strict message at the beginning of the body.
    pub(super) fn read(body: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { rest: body };
        let head = u32::from_be_bytes(reader.array()?);
        if head & 0xffff_0000 != VERSION {
            return Err(Malformed("the body is no message of the strict binary protocol"));
        }
        Ok(Self {
            message_type: head as u8,
            method: reader.text()?,
            sequence: reader.i32()?,
            arguments: reader,
        })
    }

    /// The request: every method has one argument, its first.
    ///
    /// # Errors
    /// When the arguments are cut short, or are not built as the protocol has it.
    pub(super) fn request(&mut self) -> Result<Fields<'a>> {
        Fields::read(&mut self.arguments, 0)?.structure(1)
    }
}

/// The fields of a struct, where they lie in the body.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    fields: Vec<(i16, u8, &'a [u8])>,
    depth: usize,
}

/// A field that is absent or of another type is one that the sender does not know: Thrift's rule for versions.
impl<'a> Fields<'a> {
    fn read(reader: &mut Reader<'a>, depth: usize) -> Result<Self> {
        let mut fields = Vec::new();
        loop {
            let kind = reader.u8()?;
            if kind == kind::STOP {
                return Ok(Self { fields, depth });
            }
            if fields.len() == MAX_FIELDS {
                return Err(Malformed("a struct has too many fields"));
            }
            let id = i16::from_be_bytes(reader.array()?);
            let before = reader.rest;
            reader.skip(kind, depth + 1)?;
            fields.push((id, kind, &before[..before.len() - reader.rest.len()]));
        }
    }

    fn find(&self, id: i16, kind: u8) -> Option<Reader<'a>> {
        let found = self.fields.iter().find(|field| (field.0, field.1) == (id, kind))?;
        Some(Reader { rest: found.2 })
    }

    /// False when absent, which is every flag's default.
    pub(super) fn bool(&self, id: i16) -> bool {
        self.optional_bool(id).unwrap_or_default()
    }

    pub(super) fn optional_bool(&self, id: i16) -> Option<bool> {
        Some(self.find(id, kind::BOOL)?.u8().ok()? != 0)
    }

    pub(super) fn i32(&self, id: i16) -> Option<i32> {
        self.find(id, kind::I32)?.i32().ok()
    }

    pub(super) fn i64(&self, id: i16) -> Option<i64> {
        Some(i64::from_be_bytes(self.find(id, kind::I64)?.array().ok()?))
    }

    /// A limit; what is not above nothing is none.
    pub(super) fn limit(&self, id: i16) -> Option<u64> {
        u64::try_from(self.i64(id)?).ok().filter(|limit| *limit > 0)
    }

    pub(super) fn double(&self, id: i16) -> Option<f64> {
        Some(f64::from_be_bytes(self.find(id, kind::DOUBLE)?.array().ok()?))
    }

    pub(super) fn bytes(&self, id: i16) -> Option<&'a [u8]> {
        self.find(id, kind::STRING)?.bytes().ok()
    }

    /// # Errors
    /// When it is no UTF-8.
    pub(super) fn text(&self, id: i16) -> Result<Option<&'a str>> {
        self.find(id, kind::STRING).map(|mut reader| reader.text()).transpose()
    }

    /// The struct; without fields when it is absent.
    pub(super) fn structure(&self, id: i16) -> Result<Self> {
        Ok(self.optional_structure(id)?.unwrap_or_default())
    }

    pub(super) fn optional_structure(&self, id: i16) -> Result<Option<Self>> {
        self.find(id, kind::STRUCT)
            .map(|mut reader| Self::read(&mut reader, self.depth + 1))
            .transpose()
    }

    /// The structs of a list.
    pub(super) fn structures(&self, id: i16) -> Result<Vec<Self>> {
        self.list(id, kind::STRUCT, |reader| Self::read(reader, self.depth + 2))
    }

    /// The texts of a list.
    pub(super) fn texts(&self, id: i16) -> Result<Vec<&'a str>> {
        self.list(id, kind::STRING, Reader::text)
    }

    fn list<T>(&self, id: i16, kind: u8, mut element: impl FnMut(&mut Reader<'a>) -> Result<T>) -> Result<Vec<T>> {
        let Some(mut reader) = self.find(id, kind::LIST) else {
            return Ok(Vec::new());
        };
        if reader.u8()? != kind {
            return Ok(Vec::new());
        }
        let count = reader.count()?;
        (0..taken(count)?).map(|_| element(&mut reader)).collect()
    }

    /// The entries of a map from text to text.
    pub(super) fn text_map(&self, id: i16) -> Result<BTreeMap<String, String>> {
        let Some(mut reader) = self.find(id, kind::MAP) else {
            return Ok(BTreeMap::new());
        };
        if (reader.u8()?, reader.u8()?) != (kind::STRING, kind::STRING) {
            return Ok(BTreeMap::new());
        }
        let count = reader.count()?;
        (0..taken(count)?)
            .map(|_| Ok((reader.text()?.to_owned(), reader.text()?.to_owned())))
            .collect()
    }
}

fn taken(count: usize) -> Result<usize> {
    if count > MAX_ELEMENTS {
        return Err(Malformed("a list or map has too many elements"));
    }
    Ok(count)
}

/// What is left of a body.
#[derive(Clone, Debug)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Malformed("the message is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(Malformed("the message is cut short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// A length or a count.
    fn count(&mut self) -> Result<usize> {
        usize::try_from(self.i32()?).map_err(|_| Malformed("a length is negative"))
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.count()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is not UTF-8"))
    }

    /// Each element of every kind takes at least a byte, so a count larger than the body ends where the body does.
    fn skip(&mut self, kind: u8, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Malformed("values lie too deep in each other"));
        }
        match kind {
            kind::BOOL | kind::BYTE => self.take(1).map(drop),
            kind::I16 => self.take(2).map(drop),
            kind::I32 => self.take(4).map(drop),
            kind::I64 | kind::DOUBLE => self.take(8).map(drop),
            kind::STRING => self.bytes().map(drop),
            kind::STRUCT => loop {
                let kind = self.u8()?;
                if kind == kind::STOP {
                    return Ok(());
                }
                self.take(2)?;
                self.skip(kind, depth + 1)?;
            },
            kind::LIST | kind::SET => {
                let element = self.u8()?;
                for _ in 0..self.count()? {
                    self.skip(element, depth + 1)?;
                }
                Ok(())
            }
            kind::MAP => {
                let (key, value) = (self.u8()?, self.u8()?);
                for _ in 0..self.count()? {
                    self.skip(key, depth + 1)?;
                    self.skip(value, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(Malformed("a value has a type that the protocol does not know")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::write::Struct;
    use super::*;

    fn call(request: Struct) -> Vec<u8> {
        let mut body = vec![0x80, 1, 0, 1, 0, 0, 0, 1, b'm', 0, 0, 0, 7];
        body.extend(Struct::default().structure(1, request).finish());
        body
    }

    #[test]
    fn fields_are_found_by_number_and_type() {
        let body = call(
            Struct::default()
                .i32(1, -5)
                .text(2, "it's")
                .structure(3, Struct::default().bool(1, true).i64(2, i64::MIN))
                .list(4, kind::STRING, 2, |out| {
                    out.extend_from_slice(&[0, 0, 0, 1, b'a', 0, 0, 0, 0]);
                }),
        );
        let mut message = Message::read(&body).unwrap();
        assert_eq!((message.method, message.message_type, message.sequence), ("m", 1, 7));
        let request = message.request().unwrap();
        assert_eq!(request.i32(1), Some(-5));
        assert_eq!(request.i64(1), None);
        assert_eq!(request.text(2), Ok(Some("it's")));
        assert_eq!(request.text(9), Ok(None));
        let inner = request.structure(3).unwrap();
        assert_eq!((inner.bool(1), inner.i64(2)), (true, Some(i64::MIN)));
        assert_eq!(request.texts(4), Ok(vec!["a", ""]));
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_refused() {
        let body = call(
            Struct::default()
                .text(1, "SELECT 1")
                .structure(2, Struct::default().bool(1, true)),
        );
        for length in 0..body.len() - 1 {
            let read = Message::read(&body[..length]).and_then(|mut message| message.request().map(drop));
            assert!(read.is_err(), "{length}");
        }
    }

    #[test]
    fn claims_of_the_sender_cost_nothing() {
        let bad = |field: &[u8]| {
            let mut body = vec![0x80, 1, 0, 1, 0, 0, 0, 1, b'm', 0, 0, 0, 7, kind::STRUCT, 0, 1];
            body.extend_from_slice(field);
            Message::read(&body).unwrap().request().map(drop)
        };
        let long = Err(Malformed("the message is cut short"));
        assert_eq!(bad(&[kind::STRING, 0, 1, 0x7f, 0xff, 0xff, 0xff, b'x']), long);
        assert_eq!(bad(&[kind::LIST, 0, 1, kind::STRUCT, 0x7f, 0xff, 0xff, 0xff]), long);
        // A list of nothings would be long without being large.
        let nothings = bad(&[kind::LIST, 0, 1, 1, 0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(
            nothings,
            Err(Malformed("a value has a type that the protocol does not know"))
        );
        assert_eq!(
            bad(&[kind::STRING, 0, 1, 0xff, 0xff, 0xff, 0xff]),
            Err(Malformed("a length is negative"))
        );
        let deep: Vec<u8> = std::iter::repeat_n([kind::STRUCT, 0, 1], 100_000).flatten().collect();
        assert_eq!(bad(&deep), Err(Malformed("values lie too deep in each other")));
        let mut wide: Vec<u8> = std::iter::repeat_n([kind::BOOL, 0, 1, 1], 257).flatten().collect();
        wide.extend([kind::STOP; 2]);
        assert_eq!(bad(&wide), Err(Malformed("a struct has too many fields")));
    }
}
