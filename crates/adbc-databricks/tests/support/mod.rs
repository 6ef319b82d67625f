//! A scripted server: a real socket, recorded-style answers, and a book of what was asked.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each program of tests uses its own part"
)]

pub mod gate;
pub mod oauth;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use adbc_core::error::Error;
use adbc_core::sync::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_databricks::{Connection, Database, Driver, Statement};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use base64::Engine as _;
use serde_json::{Value, json};

pub use gate::{Gate, endless, is_cancel, is_close, is_download_of, running};

/// The token of every test. It must not appear where it does not belong.
pub const TOKEN: &str = "dapi-canary-token";
/// A deadline for things that happen in the background. Nobody waits this long unless the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With query.
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// As text.
    pub body: String,
    pub bytes: Vec<u8>,
}

impl Request {
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next() == Some(path)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub fn is_execute(&self) -> bool {
        self.is("POST", "/api/2.0/sql/statements")
    }
}

pub enum Reply {
    Json(u16, Value),
    /// A status, headers and a JSON body.
    Headed(u16, Vec<(&'static str, String)>, Value),
    Bytes(Vec<u8>),
    /// A status, headers and bytes, of which the last so many are announced and not sent.
    Part(u16, Vec<(&'static str, String)>, Vec<u8>, usize),
    /// So many of the bytes, and the others when the gate is open.
    InTwo(Vec<u8>, usize, Gate),
    /// Announces more bytes than it sends.
    Truncated(Vec<u8>),
    /// Closes the connection without a word.
    Reset,
}

pub fn ok(body: Value) -> Reply {
    Reply::Json(200, body)
}

pub fn refusal(status: u16, code: &str) -> Reply {
    Reply::Json(
        status,
        json!({"error_code": code, "message": format!("{code} says the server")}),
    )
}

struct Book {
    requests: Mutex<Vec<Request>>,
    changed: Condvar,
}

pub struct Server {
    pub port: u16,
    book: Arc<Book>,
}

impl Server {
    /// Answers with `script`; what it leaves (`None`) is answered as a well-behaved server would: sessions open and close,
    /// statements cancel and close, everything else is 404.
    pub fn start(script: impl Fn(&Request, u16) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let book = Arc::new(Book {
            requests: Mutex::new(Vec::new()),
            changed: Condvar::new(),
        });
        let (script, shared) = (Arc::new(script), Arc::clone(&book));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), script, book) = (stream, Arc::clone(&script), Arc::clone(&shared)) else {
                    return;
                };
                thread::spawn(move || serve(stream, &*script, &book, port));
            }
        });
        Self { port, book }
    }

    pub fn uri(&self) -> String {
        format!(
            "databricks://token:{TOKEN}@127.0.0.1:{}/sql/1.0/warehouses/w1",
            self.port
        )
    }

    pub fn database(&self, options: &[(&str, &str)]) -> Database {
        self.database_at(&self.uri(), options)
    }

    /// A database without the test's token.
    pub fn database_without_token(&self, options: &[(&str, &str)]) -> Database {
        let uri = format!("databricks://127.0.0.1:{}/sql/1.0/warehouses/w1", self.port);
        self.database_at(&uri, options)
    }

    fn database_at(&self, uri: &str, options: &[(&str, &str)]) -> Database {
        // Waits between retries are real in the driver and pointless in a test.
        let mut all = vec![
            ("uri".into(), uri.into()),
            ("databricks.retry.min_wait_ms".into(), "1".into()),
        ];
        all.push(("databricks.retry.max_wait_ms".into(), "20".into()));
        let is_about_telemetry = |key: &str| key.contains("elemetry") && !key.starts_with("adbc.telemetry.");
        if !options.iter().any(|(key, _)| is_about_telemetry(key)) {
            // Its own requests would only be in the way.
            all.push(("enableTelemetry".into(), "false".into()));
        }
        all.extend(options.iter().map(|(key, value)| ((*key).into(), (*value).into())));
        Driver.new_database_with_opts(all).unwrap()
    }

    pub fn connect(&self) -> Connection {
        self.connect_with(&[])
    }

    pub fn connect_with(&self, options: &[(&str, &str)]) -> Connection {
        self.database(options).new_connection().unwrap()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.book.requests.lock().unwrap().clone()
    }

    pub fn count(&self, matches: impl Fn(&Request) -> bool) -> usize {
        self.requests().iter().filter(|request| matches(request)).count()
    }

    /// Waits until the requests so far satisfy `condition`.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&[Request]) -> bool) {
        let requests = self.book.requests.lock().unwrap();
        let (requests, late) = self
            .book
            .changed
            .wait_timeout_while(requests, PATIENCE, |requests| !condition(requests))
            .unwrap();
        let asked: Vec<_> = requests
            .iter()
            .map(|request| format!("{} {}", request.method, request.path))
            .collect();
        assert!(!late.timed_out(), "never happened: {what}; asked so far: {asked:#?}");
    }
}

fn serve(stream: TcpStream, script: &dyn Fn(&Request, u16) -> Option<Reply>, book: &Book, port: u16) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        book.requests.lock().unwrap().push(request.clone());
        book.changed.notify_all();
        let reply = script(&request, port).unwrap_or_else(|| well_behaved(&request));
        if write_reply(reader.get_mut(), reply).is_none() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        bytes: body,
    })
}

/// `None` when the connection is to be closed.
fn write_reply(stream: &mut TcpStream, reply: Reply) -> Option<()> {
    let (status, headers, body, announced) = match reply {
        Reply::InTwo(body, first, gate) => {
            let head = format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body[..first]].concat()).ok()?;
            gate.pass();
            return stream.write_all(&body[first..]).ok();
        }
        Reply::Json(status, body) => (status, vec![], body.to_string().into_bytes(), 0),
        Reply::Headed(status, headers, body) => (status, headers, body.to_string().into_bytes(), 0),
        Reply::Bytes(body) => (200, vec![], body, 0),
        Reply::Part(status, headers, mut body, unsent) => {
            body.truncate(body.len().saturating_sub(unsent));
            (status, headers, body, unsent)
        }
        Reply::Truncated(body) => (200, vec![], body, 100),
        Reply::Reset => return None,
    };
    let mut message = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len() + announced).into_bytes();
    for (name, value) in headers {
        message.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    message.extend(b"\r\n");
    message.extend(body);
    stream.write_all(&message).ok()?;
    (announced == 0).then_some(())
}

fn well_behaved(request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("POST", "/api/2.0/sql/sessions") => ok(json!({"session_id": "session-1"})),
        ("POST", "/telemetry-ext" | "/telemetry-unauth") => {
            let entries = request.json()["protoLogs"].as_array().map_or(0, Vec::len);
            ok(json!({"errors": [], "numSuccess": entries, "numProtoSuccess": entries}))
        }
        ("DELETE", _) => ok(json!({})),
        ("POST", path) if path.ends_with("/cancel") => ok(json!({})),
        _ => refusal(404, "ENDPOINT_NOT_FOUND"),
    }
}

/// The lines of all trace files in a folder.
pub fn trace_lines(folder: &std::path::Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    lines
}

pub fn statement(connection: &mut Connection, sql: &str) -> Statement {
    let mut statement = connection.new_statement().unwrap();
    statement.set_sql_query(sql).unwrap();
    statement
}

/// The telemetry that a server got: path, and each entry's `sql_driver_log`.
pub fn telemetry(server: &Server) -> Vec<(String, Value)> {
    let posts = server
        .requests()
        .into_iter()
        .filter(|request| request.path.starts_with("/telemetry"));
    let entries = posts.flat_map(|post| {
        let logs = post.json()["protoLogs"].as_array().cloned().unwrap_or_default();
        logs.into_iter().map(move |log| {
            let log: Value = serde_json::from_str(log.as_str().unwrap()).unwrap();
            (post.path.clone(), log["entry"]["sql_driver_log"].clone())
        })
    });
    entries.collect()
}

/// The entries about operations of this type.
pub fn telemetry_of(server: &Server, operation_type: &str) -> Vec<Value> {
    let is = |log: &Value| log["sql_operation"]["operation_detail"]["operation_type"] == operation_type;
    telemetry(server).into_iter().map(|(_, log)| log).filter(is).collect()
}

/// The first column of everything that is left in a reader, or the error that an application gets through ADBC.
pub fn numbers(reader: impl RecordBatchReader) -> Result<Vec<i64>, Error> {
    let mut found = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| Error::from(driver_error(&error)))?;
        found.extend(batch.column(0).as_primitive::<Int64Type>().values());
    }
    Ok(found)
}

pub fn query(connection: &mut Connection) -> Result<Vec<i64>, Error> {
    numbers(statement(connection, "SELECT x FROM numbers").execute()?)
}

/// The driver's own error inside what a reader yields.
pub fn driver_error(error: &ArrowError) -> adbc_databricks::Error {
    match error {
        ArrowError::ExternalError(inner) => inner
            .downcast_ref::<adbc_databricks::Error>()
            .expect("the driver's error")
            .clone(),
        other => panic!("not the driver's error: {other:?}"),
    }
}

/// A detail of an error, as text.
pub fn detail(error: &Error, key: &str) -> Option<String> {
    let details = error.details.as_ref()?;
    let (_, value) = details.iter().find(|(name, _)| name == key)?;
    String::from_utf8(value.clone()).ok()
}

pub fn sqlstate(error: &Error) -> String {
    error.sqlstate.iter().map(|byte| char::from(*byte as u8)).collect()
}

pub fn batch(range: std::ops::Range<i64>) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![Field::new("in_the_file", DataType::Int64, true)]));
    RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(range)) as ArrayRef]).unwrap()
}

/// An Arrow IPC stream with one batch per range.
pub fn stream(ranges: &[std::ops::Range<i64>]) -> Vec<u8> {
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch(0..0).schema()).unwrap();
    for range in ranges {
        writer.write(&batch(range.clone())).unwrap();
    }
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

/// A stream of one batch in which every row is the same.
pub fn constant(value: i64, rows: usize) -> Vec<u8> {
    stream_of(std::iter::repeat_n(value, rows))
}

/// A stream of one batch with these rows.
pub fn stream_of(values: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let column = Arc::new(Int64Array::from_iter_values(values)) as ArrayRef;
    let batch = RecordBatch::try_new(batch(0..0).schema(), vec![column]).unwrap();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

pub fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The manifest of a result with the column `x BIGINT` and chunks of these sizes.
pub fn manifest(chunk_rows: &[u64]) -> Value {
    let mut offset = 0;
    let chunks: Vec<_> = chunk_rows
        .iter()
        .enumerate()
        .map(|(index, rows)| {
            let chunk = json!({"chunk_index": index, "row_offset": offset, "row_count": rows, "byte_count": rows * 8});
            offset += rows;
            chunk
        })
        .collect();
    json!({
        "format": "ARROW_STREAM",
        "schema": {"column_count": 1, "columns": [{"name": "x", "type_text": "BIGINT", "type_name": "LONG", "position": 0}]},
        "total_chunk_count": chunk_rows.len(), "total_row_count": offset, "total_byte_count": offset * 8,
        "truncated": false, "chunks": chunks, "result_compression": "LZ4_FRAME",
    })
}

pub fn succeeded(manifest: Value, result: Value) -> Value {
    json!({"statement_id": "statement-1", "status": {"state": "SUCCEEDED"}, "manifest": manifest, "result": result})
}

/// A whole inline result: `0..rows` in one attachment.
pub fn inline(rows: i64) -> Value {
    let attachment = base64(&lz4(&stream(&[0..rows])));
    succeeded(
        manifest(&[rows as u64]),
        json!({"chunk_index": 0, "row_offset": 0, "row_count": rows, "attachment": attachment}),
    )
}

pub fn expires_in(seconds: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string()
}

/// A link to `/storage/{index}{suffix}` of the server.
pub fn link(port: u16, index: u64, rows: u64, of: u64, suffix: &str) -> Value {
    let mut link = json!({
        "external_link": format!("http://127.0.0.1:{port}/storage/{index}{suffix}"), "expiration": expires_in(900),
        "chunk_index": index, "row_offset": index * rows, "row_count": rows, "byte_count": rows * 8,
    });
    if index + 1 < of {
        link["next_chunk_index"] = json!(index + 1);
        link["next_chunk_internal_link"] = json!(format!(
            "/api/2.0/sql/statements/statement-1/result/chunks/{}",
            index + 1
        ));
    }
    link
}

pub fn links(links: Vec<Value>) -> Value {
    json!({"external_links": links})
}

/// The number after the last slash: the chunk that a chunk or storage request is about.
pub fn last_number(path: &str) -> u64 {
    let path = path.split('?').next().unwrap_or_default();
    path.rsplit('/')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(u64::MAX)
}

pub fn is_chunk(request: &Request) -> bool {
    request.method == "GET" && request.path.contains("/result/chunks/")
}

pub fn is_storage(request: &Request) -> bool {
    request.path.starts_with("/storage/")
}

/// A result of `chunks` chunks of `rows` rows behind links, one link per answer, served as it should be.
pub fn cloud(request: &Request, port: u16, chunks: u64, rows: u64) -> Option<Reply> {
    if request.is_execute() {
        let sizes = vec![rows; chunks as usize];
        return Some(ok(succeeded(
            manifest(&sizes),
            links(vec![link(port, 0, rows, chunks, "")]),
        )));
    }
    if is_chunk(request) {
        return Some(ok(links(vec![link(
            port,
            last_number(&request.path),
            rows,
            chunks,
            "",
        )])));
    }
    is_storage(request).then(|| Reply::Bytes(file(last_number(&request.path), rows)))
}

/// The compressed file of a chunk.
pub fn file(index: u64, rows: u64) -> Vec<u8> {
    let from = (index * rows) as i64;
    lz4(&stream(&[from..from + rows as i64]))
}
