//! The floor: downloads the chunks of the large result on two threads and decompresses them, and does nothing else; or asks for the small
//! result over one blocking connection and reads nothing of the answer.
//!
//! `floor URL large CHUNKS` or `floor URL small COUNT` prints one line of JSON. No driver can be faster by more than what it saves on these.

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, io, thread};

use bench::http::{Message, Wire};
use lz4_flex::frame::FrameDecoder;

const THREADS: usize = 2;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let usage = || io::Error::other("usage: floor URL large CHUNKS | floor URL small COUNT");
    let [url, what, count] = arguments.as_slice() else {
        return Err(usage());
    };
    let host = url.trim_start_matches("http://");
    let count: usize = count.parse().map_err(io::Error::other)?;
    match what.as_str() {
        "large" => large(host, count),
        "small" => small(host, count),
        _ => Err(usage()),
    }
}

fn large(host: &str, chunks: usize) -> io::Result<()> {
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let plain: io::Result<usize> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| work(host, chunks, &next)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
            })
            .sum()
    });
    show(&format!(
        "{{\"seconds\": {:.4}, \"plain_mib\": {}, \"peak_mib\": {}}}",
        started.elapsed().as_secs_f64(),
        plain? >> 20,
        bench::peak_mib()
    ));
    Ok(())
}

fn small(host: &str, count: usize) -> io::Result<()> {
    let mut wire = Wire::new(TcpStream::connect(host)?)?;
    let (mut answer, mut times) = (Message::default(), bench::Times::default());
    let body = br#"{"statement":"SELECT 1","warehouse_id":"0","disposition":"INLINE_OR_EXTERNAL_LINKS"}"#;
    let start = format!("POST /api/2.0/sql/statements HTTP/1.1\r\nHost: {host}");
    for _ in 0..count {
        let started = Instant::now();
        wire.write(&start, "Content-Type: application/json\r\n", body)?;
        if !wire.read(&mut answer)? || !answer.start.contains(" 200 ") {
            return Err(io::Error::other("the statement has no answer"));
        }
        times.add(started.elapsed());
    }
    show(&times.to_json());
    Ok(())
}

fn work(host: &str, chunks: usize, next: &AtomicUsize) -> io::Result<usize> {
    let mut wire = Wire::new(TcpStream::connect(host)?)?;
    let (mut answer, mut plain, mut total) = (Message::default(), Vec::new(), 0);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= chunks {
            return Ok(total);
        }
        wire.write(&format!("GET /results/{index} HTTP/1.1\r\nHost: {host}"), "", b"")?;
        if !wire.read(&mut answer)? || !answer.start.contains(" 200 ") {
            return Err(io::Error::other("a chunk is not there"));
        }
        let mut input = answer.body.as_slice();
        plain.clear();
        while !input.is_empty() {
            FrameDecoder::new(&mut input).read_to_end(&mut plain)?;
        }
        total += plain.len();
    }
}

#[allow(clippy::print_stdout)]
fn show(line: &str) {
    println!("{line}");
}
