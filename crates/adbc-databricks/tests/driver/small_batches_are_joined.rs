//! Small batches come joined if that is asked for, and as the server made them if not; rows never wait for other rows.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use adbc_core::Optionable as _;
use adbc_core::options::OptionStatement;
use adbc_core::sync::Statement as _;
use serde_json::json;

use crate::support::{
    Reply, Server, base64, cloud, is_download_of, is_storage, last_number, lz4, manifest, numbers, ok, statement,
    stream, succeeded,
};

/// A result in one attachment, with batches of these ranges.
fn attached(ranges: &'static [std::ops::Range<i64>]) -> Server {
    let rows = ranges.last().unwrap().end as u64;
    Server::start(move |request, _| {
        let attachment = base64(&lz4(&stream(ranges)));
        request.is_execute().then(|| {
            ok(succeeded(
                manifest(&[rows]),
                json!({"chunk_index": 0, "row_count": rows, "attachment": attachment}),
            ))
        })
    })
}

#[test]
fn batches_are_joined_up_to_the_rows_that_are_asked_for() {
    let server = attached(&[0..4, 4..6, 6..16, 16..17, 17..20]);
    let mut connection = server.connect();
    for (key, rows, expected) in [
        ("databricks.result.batch_rows", "0", vec![4, 2, 10, 1, 3]),
        ("databricks.result.batch_rows", "8", vec![6, 10, 4]),
        ("databricks.cloudfetch.batch_merge_target_rows", "1000", vec![20]),
    ] {
        let mut statement = statement(&mut connection, "SELECT x FROM numbers");
        statement
            .set_option(OptionStatement::Other(key.to_owned()), rows.into())
            .unwrap();
        let batches: Vec<_> = statement.execute().unwrap().map(Result::unwrap).collect();
        let found: Vec<_> = batches.iter().map(|batch| batch.num_rows()).collect();
        assert_eq!(found, expected, "{key}={rows}");
        assert!(batches.iter().all(|batch| batch.schema() == batches[0].schema()));
        let rest = arrow_array::RecordBatchIterator::new(batches.clone().into_iter().map(Ok), batches[0].schema());
        assert_eq!(numbers(rest).unwrap(), (0..20).collect::<Vec<_>>());
    }
}

#[test]
fn rows_that_are_here_do_not_wait_for_a_chunk_that_is_not() {
    let (server, gate) = Server::gated(is_download_of(1), |request, port| {
        if is_storage(request) {
            let from = 6 * last_number(&request.path) as i64;
            return Some(Reply::Bytes(lz4(&stream(&[from..from + 2, from + 2..from + 6]))));
        }
        cloud(request, port, 4, 6)
    });
    let mut connection = server.connect_with(&[("databricks.result.batch_rows", "100")]);
    let mut reader = statement(&mut connection, "SELECT x FROM numbers").execute().unwrap();
    assert_eq!(
        reader.next().unwrap().unwrap().num_rows(),
        6,
        "all of chunk 0, and chunk 1 is not there"
    );
    gate.open();
    assert_eq!(numbers(reader).unwrap(), (6..24).collect::<Vec<_>>());
}
