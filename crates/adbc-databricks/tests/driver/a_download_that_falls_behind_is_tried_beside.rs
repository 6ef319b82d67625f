//! A download that falls far behind the others gets a second try; whichever brings the chunk first, it is there once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Gate, Reply, Request, Server, cloud, file, is_chunk, is_storage, last_number, query, refusal};

const CHUNKS: u64 = 12;
const ROWS: u64 = 5;
/// The chunk whose first download stands still until the test opens its gate.
const LATE: u64 = 2;
const SOON: (&str, &str) = ("databricks.cloudfetch.straggler_padding_s", "0.2");

fn is_of_late_chunk(request: &Request) -> bool {
    is_storage(request) && last_number(&request.path) == LATE
}

/// A server that answers the downloads of the late chunk by `answer`, which is told how many there were before.
fn server(answer: impl Fn(u64) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let tries = Arc::new(AtomicU64::new(0));
    Server::start(move |request, port| {
        if is_of_late_chunk(request)
            && let Some(reply) = answer(tries.fetch_add(1, Ordering::SeqCst))
        {
            return Some(reply);
        }
        cloud(request, port, CHUNKS, ROWS)
    })
}

fn all_rows() -> Vec<i64> {
    (0..(CHUNKS * ROWS) as i64).collect()
}

#[test]
fn the_second_try_brings_the_chunk_over_a_new_link() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = server(move |tries| {
        if tries == 0 {
            held.pass();
        }
        None
    });
    assert_eq!(query(&mut server.connect_with(&[SOON])).unwrap(), all_rows());
    // While the first one still stands.
    assert_eq!(server.count(is_of_late_chunk), 2);
    assert_eq!(
        server.count(|request| is_chunk(request) && last_number(&request.path) == LATE),
        2
    );
    gate.open();
}

#[test]
fn a_second_try_that_fails_or_brings_half_a_file_leaves_the_first_alone() {
    let half = || {
        let mut half = file(LATE, ROWS);
        half.truncate(half.len() / 2);
        Reply::Bytes(half)
    };
    let seconds: [fn() -> Reply; 2] = [|| refusal(500, "INTERNAL_ERROR"), half];
    for second in seconds {
        let gate = Gate::default();
        let server = server(move |tries| match tries {
            0 => {
                gate.pass();
                None
            }
            _ => {
                let gate = gate.clone();
                std::thread::spawn(move || {
                    // The second one is there by then, or else this shows nothing.
                    std::thread::sleep(std::time::Duration::from_millis(300));
                    gate.open();
                });
                Some(second())
            }
        });
        assert_eq!(query(&mut server.connect_with(&[SOON])).unwrap(), all_rows());
        assert_eq!(server.count(is_of_late_chunk), 2);
    }
}

#[test]
fn a_first_try_that_fails_leaves_the_second_to_bring_the_chunk() {
    let (began, broke) = (Gate::default(), Gate::default());
    let server = server(move |tries| match tries {
        0 => {
            began.pass();
            broke.open();
            Some(Reply::Reset)
        }
        _ => {
            began.open();
            broke.pass();
            None
        }
    });
    assert_eq!(query(&mut server.connect_with(&[SOON])).unwrap(), all_rows());
    assert_eq!(server.count(is_of_late_chunk), 2);
}

#[test]
fn there_is_none_where_none_is_wanted() {
    for refusal in [
        ("databricks.cloudfetch.straggler_mitigation", "false"),
        ("databricks.cloudfetch.max_stragglers_per_query", "0"),
    ] {
        // The late one is so late that it would have been overtaken.
        let server = server(|_| {
            std::thread::sleep(std::time::Duration::from_secs(1));
            None
        });
        assert_eq!(query(&mut server.connect_with(&[SOON, refusal])).unwrap(), all_rows());
        assert_eq!(server.count(is_storage), CHUNKS as usize, "{refusal:?}");
    }
}
