//! Status requests and chunk requests can be repeated without harm, and are.

use std::sync::atomic::{AtomicUsize, Ordering};

use adbc_core::error::Status;
use serde_json::json;

use crate::support::{Reply, Server, cloud, inline, is_cancel, is_chunk, ok, query, refusal, running};

const STATUS: &str = "/api/2.0/sql/statements/statement-1";

#[test]
fn polling_survives_a_bad_minute() {
    let polls = AtomicUsize::new(0);
    let server = Server::start(move |request, _| {
        if request.is_execute() {
            return Some(ok(
                json!({"statement_id": "statement-1", "status": {"state": "PENDING"}}),
            ));
        }
        request
            .is("GET", STATUS)
            .then(|| match polls.fetch_add(1, Ordering::SeqCst) {
                0 => Reply::Reset,
                1 => refusal(500, "INTERNAL_ERROR"),
                2 => refusal(429, "REQUEST_LIMIT_EXCEEDED"),
                3 => running(),
                _ => ok(inline(2)),
            })
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1]);
}

#[test]
fn a_chunk_request_that_breaks_is_made_again() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request, port| {
        if is_chunk(request) && tries.fetch_add(1, Ordering::SeqCst) == 0 {
            return Some(Reply::Truncated(b"{\"external_links\":".to_vec()));
        }
        cloud(request, port, 2, 5)
    });
    assert_eq!(query(&mut server.connect()).unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_server_that_never_recovers_ends_in_its_last_error_and_the_statement_is_given_up() {
    let server = Server::start(|request, _| {
        if request.is_execute() {
            return Some(running());
        }
        request.is("GET", STATUS).then(|| refusal(502, "BAD_GATEWAY"))
    });
    let mut connection = server.connect_with(&[("databricks.retry.max_retries", "3")]);
    let error = query(&mut connection).unwrap_err();
    assert_eq!(error.status, Status::IO);
    assert_eq!(server.count(|request| request.is("GET", STATUS)), 4);
    drop(connection);
    assert_eq!(server.count(is_cancel), 1);
}
