//! Writing TBinaryProtocol.

use super::kind;

/// The fields of a struct, in the order in which they are added.
#[derive(Debug, Default)]
pub(super) struct Struct {
    out: Vec<u8>,
}

impl Struct {
    fn field(mut self, kind: u8, id: i16) -> Self {
        self.out.push(kind);
        self.out.extend_from_slice(&id.to_be_bytes());
        self
    }

    fn value(mut self, bytes: &[u8]) -> Self {
        self.out.extend_from_slice(bytes);
        self
    }

    pub(super) fn bool(self, id: i16, value: bool) -> Self {
        self.field(kind::BOOL, id).value(&[u8::from(value)])
    }

    pub(super) fn i32(self, id: i16, value: i32) -> Self {
        self.field(kind::I32, id).value(&value.to_be_bytes())
    }

    pub(super) fn i64(self, id: i16, value: i64) -> Self {
        self.field(kind::I64, id).value(&value.to_be_bytes())
    }

    pub(super) fn double(self, id: i16, value: f64) -> Self {
        self.field(kind::DOUBLE, id).value(&value.to_be_bytes())
    }

    pub(super) fn bytes(self, id: i16, value: &[u8]) -> Self {
        let mut this = self.field(kind::STRING, id);
        push_bytes(&mut this.out, value);
        this
    }

    pub(super) fn text(self, id: i16, value: &str) -> Self {
        self.bytes(id, value.as_bytes())
    }

    pub(super) fn structure(self, id: i16, value: Self) -> Self {
        self.field(kind::STRUCT, id).value(&value.finish())
    }

    /// A list whose `count` elements of this kind `write` writes one after the other.
    pub(super) fn list(self, id: i16, element: u8, count: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut this = self.field(kind::LIST, id).value(&[element]);
        push_count(&mut this.out, count);
        write(&mut this.out);
        this
    }

    pub(super) fn structures(self, id: i16, values: Vec<Self>) -> Self {
        self.list(id, kind::STRUCT, values.len(), |out| {
            for value in values {
                out.extend_from_slice(&value.finish());
            }
        })
    }

    /// A map from text to structs.
    pub(super) fn structure_map<const N: usize>(self, id: i16, entries: [(&str, Self); N]) -> Self {
        let mut this = self.field(kind::MAP, id).value(&[kind::STRING, kind::STRUCT]);
        push_count(&mut this.out, N);
        for (key, value) in entries {
            push_bytes(&mut this.out, key.as_bytes());
            this.out.extend_from_slice(&value.finish());
        }
        this
    }

    /// `write` when there is a value.
    pub(super) fn when<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self,
        }
    }

    /// The bytes of the whole struct.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.push(kind::STOP);
        self.out
    }
}

/// A text or bytes, with the length before.
pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// What is sent is far below 2 GiB: answers are bounded by the size of a chunk.
fn push_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
}

/// A whole message of the strict protocol.
pub(super) fn message(method: &str, message_type: u8, sequence: i32, body: Struct) -> Vec<u8> {
    let body = body.finish();
    let mut out = Vec::with_capacity(body.len() + method.len() + 12);
    out.extend_from_slice(&[0x80, 0x01, 0x00, message_type]);
    push_bytes(&mut out, method.as_bytes());
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&body);
    out
}
