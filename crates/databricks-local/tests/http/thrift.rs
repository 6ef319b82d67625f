//! A client of the Thrift service with a codec of its own, so that a mistake of the workspace's is not made twice.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use databricks_local::Workspace;

use crate::client::{Client, decompressed};

/// A value of the binary protocol.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Byte(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Struct(BTreeMap<i16, Value>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

pub(crate) fn fields<const N: usize>(fields: [(i16, Value); N]) -> Value {
    Value::Struct(fields.into())
}

pub(crate) fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

impl Value {
    const fn kind(&self) -> u8 {
        match self {
            Self::Bool(_) => 2,
            Self::Byte(_) => 3,
            Self::Double(_) => 4,
            Self::I16(_) => 6,
            Self::I32(_) => 8,
            Self::I64(_) => 10,
            Self::Bytes(_) => 11,
            Self::Struct(_) => 12,
            Self::Map(_) => 13,
            Self::List(_) => 15,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => out.push(u8::from(*value)),
            Self::Byte(value) => out.extend(value.to_be_bytes()),
            Self::Double(value) => out.extend(value.to_be_bytes()),
            Self::I16(value) => out.extend(value.to_be_bytes()),
            Self::I32(value) => out.extend(value.to_be_bytes()),
            Self::I64(value) => out.extend(value.to_be_bytes()),
            Self::Bytes(bytes) => {
                out.extend((bytes.len() as i32).to_be_bytes());
                out.extend(bytes);
            }
            Self::Struct(fields) => {
                for (id, value) in fields {
                    out.push(value.kind());
                    out.extend(id.to_be_bytes());
                    value.write(out);
                }
                out.push(0);
            }
            Self::Map(entries) => {
                let (key, value) = &entries[0];
                out.extend([key.kind(), value.kind()]);
                out.extend((entries.len() as i32).to_be_bytes());
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Self::List(elements) => {
                out.push(elements.first().map_or(12, Self::kind));
                out.extend((elements.len() as i32).to_be_bytes());
                elements.iter().for_each(|element| element.write(out));
            }
        }
    }

    fn read(kind: u8, rest: &mut &[u8]) -> Self {
        fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
            let (taken, left) = rest.split_first_chunk().expect("the message goes on");
            *rest = left;
            *taken
        }
        fn count(rest: &mut &[u8]) -> usize {
            usize::try_from(i32::from_be_bytes(take(rest))).unwrap()
        }
        match kind {
            2 => Self::Bool(take::<1>(rest)[0] == 1),
            3 => Self::Byte(i8::from_be_bytes(take(rest))),
            4 => Self::Double(f64::from_be_bytes(take(rest))),
            6 => Self::I16(i16::from_be_bytes(take(rest))),
            8 => Self::I32(i32::from_be_bytes(take(rest))),
            10 => Self::I64(i64::from_be_bytes(take(rest))),
            11 => {
                let length = count(rest);
                let (bytes, left) = rest.split_at(length);
                *rest = left;
                Self::Bytes(bytes.to_vec())
            }
            12 => {
                let mut fields = BTreeMap::new();
                loop {
                    let kind = take::<1>(rest)[0];
                    if kind == 0 {
                        return Self::Struct(fields);
                    }
                    let id = i16::from_be_bytes(take(rest));
                    assert!(
                        fields.insert(id, Self::read(kind, rest)).is_none(),
                        "a field comes twice"
                    );
                }
            }
            13 => {
                let [key, value] = take(rest);
                let count = count(rest);
                Self::Map(
                    (0..count)
                        .map(|_| (Self::read(key, rest), Self::read(value, rest)))
                        .collect(),
                )
            }
            15 => {
                let [kind] = take(rest);
                let count = count(rest);
                Self::List((0..count).map(|_| Self::read(kind, rest)).collect())
            }
            other => panic!("no type {other}"),
        }
    }

    /// The field to which this path of numbers leads, if it is there.
    pub(crate) fn find(&self, path: &[i16]) -> Option<&Self> {
        path.iter().try_fold(self, |value, id| match value {
            Self::Struct(fields) => fields.get(id),
            other => panic!("no struct: {other:?}"),
        })
    }

    pub(crate) fn at(&self, path: &[i16]) -> &Self {
        self.find(path)
            .unwrap_or_else(|| panic!("{path:?} is missing in {self:?}"))
    }

    pub(crate) fn i32(&self) -> i32 {
        match self {
            Self::I32(value) => *value,
            other => panic!("no i32: {other:?}"),
        }
    }

    pub(crate) fn i64(&self) -> i64 {
        match self {
            Self::I64(value) => *value,
            other => panic!("no i64: {other:?}"),
        }
    }

    pub(crate) fn bool(&self) -> bool {
        *self == Self::Bool(true)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("no bytes: {other:?}"),
        }
    }

    pub(crate) fn str(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap()
    }

    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            other => panic!("no list: {other:?}"),
        }
    }
}

/// A call as bytes.
pub(crate) fn call(method: &str, request: Value) -> Vec<u8> {
    let mut body = vec![0x80, 1, 0, 1];
    text(method).write(&mut body);
    body.extend(7_i32.to_be_bytes());
    fields([(1, request)]).write(&mut body);
    body
}

/// An answer: its message's type, and its body.
pub(crate) fn answer(method: &str, mut bytes: &[u8]) -> (u8, Value) {
    let rest = &mut bytes;
    assert_eq!(rest[..3], [0x80, 1, 0]);
    let kind = rest[3];
    *rest = &rest[4..];
    assert_eq!(Value::read(11, rest), text(method));
    assert_eq!(Value::read(8, rest), Value::I32(7), "the sequence number of the call");
    let body = Value::read(12, rest);
    assert!(rest.is_empty(), "nothing comes after the message");
    (kind, body)
}

/// A client with a session.
pub(crate) struct Thrift {
    pub(crate) client: Client,
    pub(crate) path: String,
    pub(crate) session: Value,
}

/// Direct results without a limit.
pub(crate) fn direct() -> (i16, Value) {
    (1281, fields([(1, Value::I64(1_000_000))]))
}

/// What a client says that reads Arrow, with all its types.
pub(crate) const ARROW: [(i16, Value); 1] = [(1282, Value::Bool(true))];

pub(crate) fn all_native() -> (i16, Value) {
    (1286, fields([1, 2, 3, 4, 5].map(|id| (id, Value::Bool(true)))))
}

impl Thrift {
    pub(crate) async fn open(workspace: &Workspace) -> Self {
        Self::open_with(workspace, fields([])).await
    }

    pub(crate) async fn open_with(workspace: &Workspace, request: Value) -> Self {
        let mut thrift = Self {
            client: Client::new(workspace),
            path: format!("/sql/1.0/warehouses/{}", workspace.warehouse_id()),
            session: fields([]),
        };
        let answer = thrift.succeed("OpenSession", request).await;
        assert_eq!(answer.at(&[2]), &Value::I32(42_248), "protocol V8");
        thrift.session = answer.at(&[3]).clone();
        thrift
    }

    pub(crate) async fn post(&self, body: Vec<u8>) -> reqwest::Response {
        let request = self.client.http.post(format!("{}{}", self.client.url, self.path));
        let token = self.client.token.as_deref().unwrap_or_default();
        request.bearer_auth(token).body(body).send().await.unwrap()
    }

    /// The response of a call.
    pub(crate) async fn call(&self, method: &str, request: Value) -> Value {
        let response = self.post(call(method, request)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-thrift");
        let (kind, body) = answer(method, &response.bytes().await.unwrap());
        assert_eq!(kind, 2, "{body:?}");
        body.at(&[0]).clone()
    }

    pub(crate) async fn succeed(&self, method: &str, request: Value) -> Value {
        let response = self.call(method, request).await;
        assert_eq!(response.at(&[1, 1]), &Value::I32(0), "{response:?}");
        response
    }

    /// Executes a statement with these further fields.
    pub(crate) async fn execute<const N: usize>(&self, sql: &str, more: [(i16, Value); N]) -> Value {
        let mut request = BTreeMap::from([(1, self.session.clone()), (2, text(sql)), (4, Value::Bool(true))]);
        request.extend(more);
        self.succeed("ExecuteStatement", Value::Struct(request)).await
    }

    /// Asks about an operation until it has ended.
    pub(crate) async fn ended(&self, operation: &Value) -> Value {
        loop {
            let status = self
                .succeed("GetOperationStatus", fields([(1, operation.clone())]))
                .await;
            if !matches!(status.at(&[2]).i32(), 0 | 1 | 7) {
                return status;
            }
        }
    }

    pub(crate) async fn fetch<const N: usize>(&self, operation: &Value, more: [(i16, Value); N]) -> Value {
        let mut request = BTreeMap::from([(1, operation.clone()), (2, Value::I32(0))]);
        request.extend(more);
        self.succeed("FetchResults", Value::Struct(request)).await
    }

    /// The batches of a statement whose result comes with the answer.
    pub(crate) async fn rows<const N: usize>(&self, sql: &str, more: [(i16, Value); N]) -> Vec<RecordBatch> {
        let mut request = BTreeMap::from([(1, self.session.clone()), (2, text(sql)), direct()]);
        request.extend(ARROW);
        request.extend(more);
        let answer = self.succeed("ExecuteStatement", Value::Struct(request)).await;
        // An unoptimised build may need longer than the call waits.
        let (metadata, set) = match answer.find(&[1281]) {
            Some(direct) => (direct.at(&[2]).clone(), direct.at(&[3, 3]).clone()),
            None => {
                let operation = answer.at(&[2]).clone();
                assert_eq!(self.ended(&operation).await.at(&[2]), &Value::I32(2));
                let fetched = self.fetch(&operation, [(1283, Value::Bool(true))]).await;
                (fetched.at(&[1281]).clone(), fetched.at(&[3]).clone())
            }
        };
        batches(&metadata, &set)
    }
}

/// The batches of a row set, by the schema of its metadata.
pub(crate) fn batches(metadata: &Value, set: &Value) -> Vec<RecordBatch> {
    let mut stream = metadata.at(&[1283]).bytes().to_vec();
    for batch in set.at(&[1281]).list() {
        let bytes = batch.at(&[1]).bytes();
        match metadata.at(&[1282]).bool() {
            true => stream.extend(decompressed(bytes)),
            false => stream.extend(bytes),
        }
    }
    stream.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    crate::client::batches(&stream)
}
