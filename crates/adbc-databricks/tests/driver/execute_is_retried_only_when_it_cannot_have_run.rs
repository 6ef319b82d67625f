//! A statement may change rows: it is sent again only when the server cannot have begun it.

use std::sync::atomic::{AtomicUsize, Ordering};

use adbc_core::error::Status;
use serde_json::json;

use crate::support::{Reply, Request, Server, detail, inline, ok, query, refusal};

/// A server whose execute fails this way the first two times.
fn flaky(fail: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    let tries = AtomicUsize::new(0);
    Server::start(move |request, _| {
        request.is_execute().then(|| {
            if tries.fetch_add(1, Ordering::SeqCst) < 2 {
                fail()
            } else {
                ok(inline(2))
            }
        })
    })
}

#[test]
fn a_429_and_a_503_with_retry_after_are_tried_again() {
    let limited = flaky(|| refusal(429, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(query(&mut limited.connect()).unwrap(), [0, 1]);
    let starting = flaky(|| {
        Reply::Headed(
            503,
            vec![("Retry-After", "0".to_owned())],
            json!({"error_code": "TEMPORARILY_UNAVAILABLE"}),
        )
    });
    assert_eq!(query(&mut starting.connect()).unwrap(), [0, 1]);
    assert_eq!(starting.count(Request::is_execute), 3);
}

#[test]
fn a_503_without_retry_after_is_not_and_says_that_the_outcome_is_unknown() {
    for status in [503, 500, 502, 504] {
        let server = flaky(move || refusal(status, "TEMPORARILY_UNAVAILABLE"));
        let error = query(&mut server.connect()).unwrap_err();
        assert_eq!(error.status, Status::IO);
        assert!(error.message.contains("outcome of the statement is unknown"), "{error}");
        assert_eq!(server.count(Request::is_execute), 1);
    }
}

#[test]
fn a_connection_that_breaks_after_the_request_is_not_and_says_so() {
    let server = flaky(|| Reply::Reset);
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::IO);
    assert!(error.message.contains("outcome of the statement is unknown"), "{error}");
    assert_eq!(server.count(Request::is_execute), 1);
}

#[test]
fn a_refusal_is_final_and_its_outcome_known() {
    let server = flaky(|| refusal(403, "PERMISSION_DENIED"));
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::Unauthorized);
    assert!(
        error.message.contains("PERMISSION_DENIED says the server") && !error.message.contains("unknown"),
        "{error}"
    );
    assert_eq!(server.count(Request::is_execute), 1);
}

#[test]
fn a_fallback_that_may_have_run_is_not_hidden_behind_the_refusal_before_it() {
    let server = Server::start(|request, _| {
        request
            .is_execute()
            .then(|| match request.json()["disposition"].as_str() {
                Some("EXTERNAL_LINKS") => refusal(502, "BAD_GATEWAY"),
                _ => refusal(400, "INVALID_PARAMETER_VALUE"),
            })
    });
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(detail(&error, "http.status_code").as_deref(), Some("502"));
    assert_eq!(server.count(Request::is_execute), 2);
}
