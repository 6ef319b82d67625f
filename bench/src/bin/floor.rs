//! The floor: downloads the chunks of the large result on two threads and decompresses them, and does nothing else.
//!
//! `floor URL CHUNKS` prints one line of JSON. No driver can be faster by more than what it saves on these two.

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, io, thread};

use bench::http::{Message, Wire};
use lz4_flex::frame::FrameDecoder;

const THREADS: usize = 2;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let usage = || io::Error::other("usage: floor URL CHUNKS");
    let url = arguments.next().ok_or_else(usage)?;
    let chunks: usize = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .ok_or_else(usage)?;
    let host = url.trim_start_matches("http://");
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
    show(plain?, started, bench::peak_mib());
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
fn show(plain: usize, started: Instant, peak_mib: u64) {
    println!(
        "{{\"seconds\": {:.4}, \"plain_mib\": {}, \"peak_mib\": {peak_mib}}}",
        started.elapsed().as_secs_f64(),
        plain >> 20
    );
}
