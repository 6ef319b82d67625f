//! A workspace that answers from memory, so that only the client is measured.
//!
//! `replay TAPE [PORT]` prints its URL and serves until it is killed. It knows two statements: one that names `lineitem`, and
//! any other. Feature flags allow telemetry, and telemetry is accepted.
//!
//! `STORAGE_LATENCY_MS` and `STORAGE_MIB_PER_S` in the environment put the chunks at a distance: each waits so long for its first byte, and
//! comes no faster over one connection.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, io, thread};

use bench::http::{Message, Wire};
use bench::tape::{SMALL, Tape};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let tape = arguments
        .next()
        .ok_or_else(|| io::Error::other("usage: replay TAPE [PORT]"))?;
    let port = arguments
        .next()
        .map_or(Ok(0), |port| port.parse().map_err(io::Error::other))?;
    let tape = Arc::new(Tape::read(Path::new(&tape))?);
    let distance = Distance::of_environment()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    show(&format!("http://{}", listener.local_addr()?));
    for socket in listener.incoming() {
        let (socket, tape) = (socket?, Arc::clone(&tape));
        // A client that goes away ends its thread.
        thread::spawn(move || serve(socket, &tape, distance));
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn show(url: &str) {
    println!("{url}");
}

/// How far away the chunks are.
#[derive(Clone, Copy)]
struct Distance {
    latency: Duration,
    bytes_per_s: Option<f64>,
}

impl Distance {
    fn of_environment() -> io::Result<Self> {
        let number = |name| {
            let text = env::var(name).ok();
            text.map(|text| text.parse::<f64>().map_err(io::Error::other))
                .transpose()
        };
        Ok(Self {
            latency: Duration::from_secs_f64(number("STORAGE_LATENCY_MS")?.unwrap_or(0.0) / 1e3),
            bytes_per_s: number("STORAGE_MIB_PER_S")?.map(|mib| mib * f64::from(1 << 20)),
        })
    }

    /// Sends a chunk from there.
    fn send(self, wire: &mut Wire, chunk: &[u8]) -> io::Result<()> {
        let (start, headers) = ("HTTP/1.1 200 OK", "Content-Type: application/octet-stream\r\n");
        thread::sleep(self.latency);
        let Some(bytes_per_s) = self.bytes_per_s else {
            return wire.write(start, headers, chunk);
        };
        wire.begin(start, headers, chunk.len())?;
        let began = Instant::now();
        for (index, piece) in chunk.chunks(PIECE_BYTES).enumerate() {
            let due = Duration::from_secs_f64((index * PIECE_BYTES) as f64 / bytes_per_s);
            thread::sleep(due.saturating_sub(began.elapsed()));
            wire.go_on(piece)?;
        }
        Ok(())
    }
}

/// How much of a chunk from a distance comes at once.
const PIECE_BYTES: usize = 64 << 10;

fn serve(socket: TcpStream, tape: &Tape, distance: Distance) -> io::Result<()> {
    let mut wire = Wire::new(socket)?;
    let mut request = Message::default();
    while wire.read(&mut request)? {
        let mut words = request.start.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default().trim_end_matches('/');
        if let Some(name) = path.strip_prefix("/results/") {
            let chunk = match name.parse() {
                Ok(SMALL) => Some(&tape.small_chunk),
                Ok(index) => tape.chunks.get(index),
                Err(_) => None,
            };
            match chunk {
                Some(chunk) => distance.send(&mut wire, chunk)?,
                None => wire.write("HTTP/1.1 404 Not Found", "", b"<Error/>")?,
            }
            continue;
        }
        let answer = answer(tape, method, path, &request);
        let start = if answer.is_null() {
            "HTTP/1.1 404 Not Found"
        } else {
            "HTTP/1.1 200 OK"
        };
        wire.write(
            start,
            "Content-Type: application/json\r\n",
            answer.to_string().as_bytes(),
        )?;
    }
    Ok(())
}

fn answer(tape: &Tape, method: &str, path: &str, request: &Message) -> Value {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match (method, path) {
        ("POST", "/api/2.0/sql/sessions") => json!({"session_id": "01f0c2d4-1111-2222-3333-444455556666"}),
        ("POST", "/api/2.0/sql/statements") => execute(tape, &request.host, &body),
        ("GET", _) if path.contains("/result/chunks/") => {
            let index = path.rsplit('/').next().and_then(|index| index.parse().ok());
            index.map_or(Value::Null, |index| tape.link(&request.host, index))
        }
        ("GET", _) if path.starts_with("/api/2.0/sql/warehouses/") => json!({"state": "RUNNING"}),
        ("GET", _) if path.contains("/feature-flags/") => {
            let flag = |name| json!({"name": format!("databricks.partnerplatform.clientConfigsFeatureFlags.{name}"), "value": "true"});
            let names = [
                "enableTelemetryForAdbc",
                "enableTelemetryForPythonDriver",
                "enableTelemetryForKernel",
            ];
            json!({"flags": names.map(flag), "ttl_seconds": 900})
        }
        ("POST", "/telemetry-ext" | "/telemetry-unauth") => {
            let count = body["protoLogs"].as_array().map_or(0, Vec::len);
            json!({"errors": [], "numSuccess": count, "numProtoSuccess": count, "numRealtimeSuccess": count})
        }
        ("DELETE", _) => json!({}),
        ("POST", _) if path.ends_with("/cancel") => json!({}),
        _ => Value::Null,
    }
}

fn execute(tape: &Tape, host: &str, body: &Value) -> Value {
    if body["statement"].as_str().is_some_and(|sql| sql.contains("lineitem")) {
        let mut answer = tape.large.clone();
        answer["result"] = tape.link(host, 0);
        return answer;
    }
    match body["disposition"].as_str() {
        Some("INLINE_OR_EXTERNAL_LINKS") => tape.hybrid.clone(),
        Some("EXTERNAL_LINKS") => {
            let mut answer = tape.links.clone();
            let link = &mut answer["result"]["external_links"][0];
            link["external_link"] = json!(format!("http://{host}/results/{SMALL}"));
            link["expiration"] = json!("2099-01-01T00:00:00.000Z");
            answer
        }
        _ => tape.json.clone(),
    }
}
