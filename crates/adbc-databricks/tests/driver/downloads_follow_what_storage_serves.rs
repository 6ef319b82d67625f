//! As many downloads run at a time as pay: never more than allowed, more than at first where storage takes its time, and few where it
//! refuses. Memory bounds the files, not the larger chunks that they will be. No row is lost over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adbc_core::sync::Statement as _;

use crate::support::{
    Gate, Reply, Server, cloud, constant, file, is_storage, last_number, lz4, query, refusal, statement, stream_of,
};

const CHUNKS: u64 = 100;
const ROWS: u64 = 5;

#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    most: AtomicUsize,
    refused: AtomicUsize,
}

/// Reads from storage that takes a while for each file, and refuses what comes while it is busy with `serves` others.
fn read(max: &str, serves: usize) -> Arc<Counts> {
    let options = [
        ("databricks.cloudfetch.parallel_downloads", max),
        ("databricks.retry.max_retries", "100"),
    ];
    let (counts, rows) = read_with(&options, ROWS, serves, |index| file(index, ROWS));
    assert_eq!(rows, (0..(CHUNKS * ROWS) as i64).collect::<Vec<_>>());
    counts
}

fn read_with(options: &[(&str, &str)], rows: u64, serves: usize, file: fn(u64) -> Vec<u8>) -> (Arc<Counts>, Vec<i64>) {
    let counts = Arc::new(Counts::default());
    let shared = Arc::clone(&counts);
    let server = Server::start(move |request, port| {
        if !is_storage(request) {
            return cloud(request, port, CHUNKS, rows);
        }
        let running = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most.fetch_max(running, Ordering::SeqCst);
        let reply = if running > serves {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            Some(refusal(503, "SLOW_DOWN"))
        } else {
            std::thread::sleep(Duration::from_millis(20));
            Some(Reply::Bytes(file(last_number(&request.path))))
        };
        shared.running.fetch_sub(1, Ordering::SeqCst);
        reply
    });
    let options = [&[("databricks.cloudfetch.straggler_mitigation", "false")], options].concat();
    let mut connection = server.connect_with(&options);
    let read = query(&mut connection).unwrap();
    (counts, read)
}

#[test]
fn never_more_than_allowed_and_never_none() {
    for max in [1, 3] {
        let counts = read(&max.to_string(), usize::MAX);
        assert_eq!(counts.most.load(Ordering::SeqCst), max);
    }
}

#[test]
fn more_than_at_first_where_storage_takes_its_time() {
    let most = read("16", usize::MAX).most.load(Ordering::SeqCst);
    assert!((5..=16).contains(&most), "{most} at a time");
}

#[test]
fn more_than_at_first_before_the_first_file_is_here() {
    const CHUNKS: u64 = 16;
    const ROWS: u64 = 200_000;
    // What does not compress.
    let value = |row: u64| row.wrapping_mul(0x9E37_79B9_7F4A_7C15) as i64;
    let file = |chunk: u64| lz4(&stream_of((chunk * ROWS..(chunk + 1) * ROWS).map(value)));
    let files: Vec<_> = (0..CHUNKS).map(file).collect();
    let (asked, gate) = (AtomicUsize::new(0), Gate::default());
    let server = Server::start(move |request, port| {
        if !is_storage(request) {
            return cloud(request, port, CHUNKS, ROWS);
        }
        if asked.fetch_add(1, Ordering::SeqCst) + 1 == 8 {
            gate.open();
        }
        // So that a busy machine's own delays count for little.
        std::thread::sleep(Duration::from_millis(300));
        let file = &files[last_number(&request.path) as usize];
        Some(Reply::InTwo(file.clone(), 1_200_000, gate.clone()))
    });
    let read = query(&mut server.connect()).unwrap();
    assert!(read.into_iter().eq((0..CHUNKS * ROWS).map(value)));
}

#[test]
fn few_where_storage_refuses() {
    let refused = read("16", 2).refused.load(Ordering::SeqCst);
    assert!(
        refused > 0 && refused < CHUNKS as usize,
        "{refused} of {CHUNKS} were refused"
    );
}

#[test]
fn as_many_as_their_files_fit_into_memory_where_storage_takes_its_time() {
    const ROWS: u64 = 4_000;
    // A hundredth of the chunk's size, compressed.
    let file = |index| lz4(&constant(index as i64, ROWS as usize));
    // Room for four chunks and a bit.
    let budget = (4 * 8 * ROWS + 10_000).to_string();
    let options = [("databricks.cloudfetch.memory_budget_bytes", budget.as_str())];
    let (counts, rows) = read_with(&options, ROWS, usize::MAX, file);
    let expected = (0..CHUNKS as i64).flat_map(|index| std::iter::repeat_n(index, ROWS as usize));
    assert!(rows.into_iter().eq(expected));
    let most = counts.most.load(Ordering::SeqCst);
    assert!(most > 6, "{most} at a time");
}

#[test]
fn quick_downloads_wait_for_a_slow_reader() {
    const CHUNKS: u64 = 12;
    const ROWS: u64 = 1_000_000;
    // Decoding takes longer than sending a hundredth of the bytes.
    let file = lz4(&constant(1, ROWS as usize));
    let server = Server::start(move |request, port| match is_storage(request) {
        true => Some(Reply::Bytes(file.clone())),
        false => cloud(request, port, CHUNKS, ROWS),
    });
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT 1");
    let mut rows = 0;
    for batch in statement.execute().unwrap() {
        rows += batch.unwrap().num_rows() as u64;
        // Long enough for everything that may be fetched ahead to be here.
        std::thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(rows, CHUNKS * ROWS);
}
