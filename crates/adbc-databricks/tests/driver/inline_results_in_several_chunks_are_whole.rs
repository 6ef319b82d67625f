//! Inline results: a stream per chunk, one stream in pieces, and JSON rows.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use serde_json::json;

use crate::support::{Reply, Server, base64, is_chunk, last_number, lz4, manifest, ok, query, stream, succeeded};

fn server(pieces: Vec<Vec<u8>>, rows: Vec<u64>, with_next: bool) -> Server {
    let chunk = move |index: u64| {
        let mut chunk = json!({
            "chunk_index": index, "row_count": rows[index as usize],
            "attachment": base64(&lz4(&pieces[index as usize])),
        });
        if with_next && index + 1 < pieces.len() as u64 {
            chunk["next_chunk_index"] = json!(index + 1);
        }
        (chunk, rows.clone())
    };
    Server::start(move |request, _| {
        if request.is_execute() {
            let (first, rows) = chunk(0);
            return Some(ok(succeeded(manifest(&rows), first)));
        }
        is_chunk(request).then(|| ok(chunk(last_number(&request.path)).0))
    })
}

#[test]
fn a_stream_per_chunk() {
    for with_next in [true, false] {
        let server = server(
            vec![stream(&[0..4]), stream(&[4..8]), stream(&[8..10])],
            vec![4, 4, 2],
            with_next,
        );
        assert_eq!(query(&mut server.connect()).unwrap(), (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn one_stream_cut_anywhere() {
    let whole = stream(&[0..4, 4..8, 8..10]);
    for cut in [2, 100, whole.len() / 2, whole.len() - 9, whole.len() - 3] {
        let (head, tail) = whole.split_at(cut);
        let server = server(vec![head.to_vec(), tail.to_vec()], vec![5, 5], true);
        assert_eq!(
            query(&mut server.connect()).unwrap(),
            (0..10).collect::<Vec<_>>(),
            "cut at {cut}"
        );
    }
}

#[test]
fn padding_rows_of_a_chunk_are_cut() {
    let server = server(vec![stream(&[0..4, 90..95]), stream(&[4..8])], vec![4, 4], true);
    assert_eq!(query(&mut server.connect()).unwrap(), (0..8).collect::<Vec<_>>());
}

#[test]
fn json_rows_become_the_manifests_types() {
    let json_chunk = |index: u64| {
        let mut chunk =
            json!({"chunk_index": index, "row_count": 2, "data_array": [[(2 * index).to_string()], [null]]});
        if index == 0 {
            chunk["next_chunk_index"] = json!(1);
        }
        chunk
    };
    let server = Server::start(move |request, _| -> Option<Reply> {
        if request.is_execute() {
            assert_eq!(
                (&request.json()["disposition"], &request.json()["format"]),
                (&json!("INLINE"), &json!("JSON_ARRAY"))
            );
            let mut manifest = manifest(&[2, 2]);
            manifest["format"] = json!("JSON_ARRAY");
            manifest["result_compression"] = json!(null);
            return Some(ok(succeeded(manifest, json_chunk(0))));
        }
        is_chunk(request).then(|| ok(json_chunk(last_number(&request.path))))
    });
    let mut connection = server.connect_with(&[("databricks.result.disposition", "INLINE")]);
    assert_eq!(query(&mut connection).unwrap(), [0, 0, 2, 0], "nulls read as 0 here");
}
