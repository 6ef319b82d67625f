//! Several LZ4 frames, empty ones, padding rows, and downloads that arrive broken.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{self, Reply, Server, cloud, file, is_storage, lz4, query, stream};

fn with_file(make: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request, port| is_storage(request).then(&make).or_else(|| cloud(request, port, 1, 6)))
}

#[test]
fn every_frame_counts_and_an_empty_one_ends_nothing() {
    let server = with_file(|| {
        let whole = stream(&[0..3, 3..6]);
        let (head, tail) = whole.split_at(whole.len() / 2);
        Reply::Bytes([lz4(head), lz4(b""), lz4(tail), lz4(b"")].concat())
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn rows_beyond_the_links_count_are_padding() {
    let server = with_file(|| Reply::Bytes(lz4(&stream(&[0..4, 4..9, 9..12]))));
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_body_that_is_cut_off_is_downloaded_again() {
    let tries = AtomicUsize::new(0);
    let server = with_file(move || match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Truncated(file(0, 6)),
        1 => Reply::Bytes(file(0, 6)[..20].to_vec()),
        2 => Reply::Reset,
        _ => Reply::Bytes(file(0, 6)),
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(server.count(is_storage), 4);
}

#[test]
fn a_file_that_is_always_broken_is_an_error() {
    for bytes in [
        vec![],
        b"no such format".to_vec(),
        lz4(b"no arrow"),
        lz4(&stream(&[0..6])[..300]),
    ] {
        let server = with_file(move || Reply::Bytes(bytes.clone()));
        let error = query(&mut server.connect()).unwrap_err();
        assert!(error.message.contains("chunk 0"), "{error}");
        assert_eq!(server.count(is_storage), 3);
    }
}

#[test]
fn the_rest_of_another_file_is_not_put_behind_the_beginning_of_this_one() {
    let tries = AtomicUsize::new(0);
    // Storage that answers for the range without looking at `If-Range`: the file has changed in between.
    let server = Server::start(move |request, port| {
        let storage = |request: &support::Request| {
            let one = stream(&[0..6]);
            let other = stream(&[100..106]);
            let tag = |tag: &str| vec![("etag", format!("\"{tag}\""))];
            let reply = match (tries.fetch_add(1, Ordering::SeqCst), request.headers.get("range")) {
                // Three of the six rows.
                (0, _) => Reply::Part(200, tag("one"), one, 48),
                (_, Some(range)) => {
                    let from: usize = range["bytes=".len()..].trim_end_matches('-').parse().unwrap();
                    let mut headers = tag("other");
                    headers.push((
                        "content-range",
                        format!("bytes {from}-{}/{}", other.len() - 1, other.len()),
                    ));
                    Reply::Part(206, headers, other[from..].to_vec(), 0)
                }
                _ => Reply::Part(200, tag("other"), other, 0),
            };
            Some(reply)
        };
        if is_storage(request) {
            return storage(request);
        }
        let Reply::Json(status, mut answer) = cloud(request, port, 1, 6)? else {
            return None;
        };
        answer["manifest"]["result_compression"] = "NONE".into();
        Some(Reply::Json(status, answer))
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [100, 101, 102, 103, 104, 105]);
}
