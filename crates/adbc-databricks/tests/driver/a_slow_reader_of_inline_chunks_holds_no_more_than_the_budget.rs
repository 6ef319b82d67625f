//! Inline chunks are asked for as far ahead as the memory budget goes, and no further until the reader goes on.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use std::time::Duration;

use adbc_core::sync::Statement as _;
use serde_json::{Value, json};

use crate::support::{
    Server, base64, driver_error, is_chunk, last_number, manifest, numbers, ok, statement, stream, succeeded,
};

const CHUNKS: u64 = 40;
const ROWS: u64 = 4096;
const CHUNK_BYTES: u64 = 8 * ROWS;

/// A server with [`CHUNKS`] chunks: uncompressed Arrow streams, or rows of text.
fn server(json: bool) -> Server {
    let chunk = move |index: u64| {
        let numbers = (index * ROWS) as i64..((index + 1) * ROWS) as i64;
        let mut chunk = json!({"chunk_index": index, "row_count": ROWS});
        if json {
            chunk["data_array"] = numbers.map(|number| json!([number.to_string()])).collect();
        } else {
            chunk["attachment"] = json!(base64(&stream(&[numbers])));
        }
        if index + 1 < CHUNKS {
            chunk["next_chunk_index"] = json!(index + 1);
        }
        chunk
    };
    Server::start(move |request, _| {
        if request.is_execute() {
            let mut manifest = manifest(&[ROWS; CHUNKS as usize]);
            manifest["result_compression"] = Value::Null;
            if json {
                manifest["format"] = json!("JSON_ARRAY");
            }
            return Some(ok(succeeded(manifest, chunk(0))));
        }
        is_chunk(request).then(|| ok(chunk(last_number(&request.path))))
    })
}

/// How many chunks were asked for once no more are. Chunk 0 comes with the answer.
fn settled(server: &Server) -> u64 {
    let mut before = None;
    loop {
        let now = server.count(is_chunk) as u64;
        if before == Some(now) {
            return now;
        }
        before = Some(now);
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_slow_reader_of_inline_chunks_holds_no_more_than_the_budget() {
    for json in [false, true] {
        for budget_bytes in [1, 10 * CHUNK_BYTES] {
            let server = server(json);
            let options = [
                ("databricks.cloudfetch.memory_budget_bytes", &*budget_bytes.to_string()),
                (
                    "databricks.result.disposition",
                    if json { "INLINE" } else { "INLINE_OR_EXTERNAL_LINKS" },
                ),
            ];
            let mut connection = server.connect_with(&options);
            let mut reader = statement(&mut connection, "SELECT x FROM numbers").execute().unwrap();
            let first = reader.next().unwrap().map_err(|error| driver_error(&error)).unwrap();
            let ahead = settled(&server);
            // The chunk that is being read counts as well, and one always fits.
            let most = (budget_bytes / CHUNK_BYTES).saturating_sub(1);
            assert!(
                ahead <= most,
                "{ahead} chunks are ahead with {budget_bytes} bytes (JSON: {json})"
            );
            assert_eq!(ahead > 0, budget_bytes > 1, "chunks are asked for ahead where they fit");
            let rest = numbers(reader).unwrap();
            assert_eq!(first.num_rows() + rest.len(), (ROWS * CHUNKS) as usize);
            assert!(rest.into_iter().eq(ROWS as i64..(ROWS * CHUNKS) as i64));
            assert_eq!(
                server.count(is_chunk) as u64,
                CHUNKS - 1,
                "each chunk is asked for once"
            );
        }
    }
}
