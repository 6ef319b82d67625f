//! A result that ends early is an error, whoever cut it.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use serde_json::json;

use crate::support::{
    Reply, Server, base64, cloud, detail, file, inline, is_chunk, is_storage, last_number, link, links, lz4, manifest,
    ok, query, refusal, stream, succeeded,
};

#[test]
fn a_last_chunk_that_is_withheld_is_an_error_that_counts_the_rows() {
    let server = Server::start(|request, port| {
        if request.is_execute() {
            // The links end after chunk 1 although the manifest lists three.
            return Some(ok(succeeded(
                manifest(&[4, 4, 2]),
                links(vec![link(port, 0, 4, 2, ""), link(port, 1, 4, 2, "")]),
            )));
        }
        is_storage(request).then(|| Reply::Bytes(file(last_number(&request.path), 4)))
    });
    let error = query(&mut server.connect()).unwrap_err();
    assert!(error.message.contains("chunk 2"), "{error}");
}

#[test]
fn a_manifest_that_counts_only_rows_is_enough_to_notice() {
    let server = Server::start(|request, port| {
        if request.is_execute() {
            let mut manifest = manifest(&[4, 4]);
            manifest["chunks"] = json!(null);
            manifest["total_chunk_count"] = json!(null);
            return Some(ok(succeeded(manifest, links(vec![link(port, 0, 4, 1, "")]))));
        }
        is_storage(request).then(|| Reply::Bytes(file(last_number(&request.path), 4)))
    });
    let error = query(&mut server.connect()).unwrap_err();
    assert!(error.message.contains("4 of 8 rows are missing"), "{error}");
    assert_eq!(
        detail(&error, "databricks.statement_id").as_deref(),
        Some("statement-1")
    );
}

#[test]
fn a_chunk_with_fewer_rows_than_its_link_says_is_an_error() {
    let server = Server::start(|request, port| {
        is_storage(request)
            .then(|| Reply::Bytes(lz4(&stream(&[0..3]))))
            .or_else(|| cloud(request, port, 1, 5))
    });
    let error = query(&mut server.connect()).unwrap_err();
    assert!(error.message.contains("2 rows are missing"), "{error}");
}

#[test]
fn an_inline_result_with_rows_missing_is_an_error() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            answer["manifest"]["total_row_count"] = json!(10);
            ok(answer)
        })
    });
    let error = query(&mut server.connect()).unwrap_err();
    assert!(error.message.contains("7 of 10 rows are missing"), "{error}");
}

#[test]
fn an_inline_chunk_that_never_comes_is_an_error() {
    let server = Server::start(|request, _| {
        if is_chunk(request) {
            return Some(refusal(404, "NOT_FOUND"));
        }
        request.is_execute().then(|| {
            let attachment = base64(&lz4(&stream(&[0..4])));
            ok(succeeded(
                manifest(&[4, 4]),
                json!({"chunk_index": 0, "row_count": 4, "attachment": attachment}),
            ))
        })
    });
    assert!(query(&mut server.connect()).is_err());
}

#[test]
fn a_result_that_a_limit_cut_is_complete() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            answer["manifest"]["total_row_count"] = json!(10);
            answer["manifest"]["truncated"] = json!(true);
            ok(answer)
        })
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2]);
}
