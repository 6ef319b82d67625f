//! A link that no longer works is replaced; a server that has no better one gets an error, not a hang.

use adbc_core::error::Status;

use crate::support::{
    Reply, Server, cloud, detail, expires_in, is_chunk, is_storage, last_number, link, links, manifest, ok, query,
    refusal, succeeded,
};

#[test]
fn a_link_about_to_expire_is_renewed_before_it_is_used() {
    let server = Server::start(|request, port| {
        if request.is_execute() {
            let mut old = link(port, 0, 5, 1, "?old");
            old["expiration"] = expires_in(30).into();
            return Some(ok(succeeded(manifest(&[5]), links(vec![old]))));
        }
        if is_chunk(request) {
            return Some(ok(links(vec![link(port, 0, 5, 1, "?new")])));
        }
        cloud(request, port, 1, 5)
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(server.count(|request| request.path == "/storage/0?old"), 0);
}

#[test]
fn a_refused_link_is_renewed() {
    for status in [401, 403, 404] {
        let server = Server::start(move |request, port| {
            if is_chunk(request) {
                return Some(ok(links(vec![link(port, last_number(&request.path), 5, 1, "?new")])));
            }
            if request.path == "/storage/0" {
                return Some(refusal(status, "AccessDenied"));
            }
            cloud(request, port, 1, 5)
        });
        assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(server.count(is_storage), 2);
    }
}

#[test]
fn links_that_are_born_expired_are_tried_and_end_in_an_error() {
    let server = Server::start(|request, port| {
        let mut dead = link(port, 0, 5, 1, "");
        dead["expiration"] = expires_in(-60).into();
        if request.is_execute() {
            return Some(ok(succeeded(manifest(&[5]), links(vec![dead]))));
        }
        if is_chunk(request) {
            return Some(ok(links(vec![dead])));
        }
        is_storage(request).then(|| refusal(403, "AccessDenied"))
    });
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::IO);
    assert_eq!(detail(&error, "http.status_code").as_deref(), Some("403"));
    assert_eq!(server.count(is_storage), 4, "once, and three times with a new link");
}

#[test]
fn a_clock_that_runs_ahead_does_not_make_good_links_bad() {
    let server = Server::start(|request, port| {
        let mut odd = link(port, 0, 5, 1, "");
        odd["expiration"] = expires_in(-3600).into();
        if request.is_execute() {
            return Some(ok(succeeded(manifest(&[5]), links(vec![odd]))));
        }
        if is_chunk(request) {
            return Some(ok(links(vec![odd])));
        }
        cloud(request, port, 1, 5)
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_server_that_gives_no_link_is_an_error() {
    let server = Server::start(|request, port| {
        if is_chunk(request) {
            return Some(ok(links(vec![])));
        }
        cloud(request, port, 3, 5)
    });
    let error = query(&mut server.connect()).unwrap_err();
    assert!(error.message.contains("no link for chunk 1"), "{error}");
}

#[test]
fn a_dead_storage_ends_in_an_error_and_not_in_a_hang() {
    let server = Server::start(|request, port| {
        if is_storage(request) {
            return Some(Reply::Reset);
        }
        cloud(request, port, 3, 5)
    });
    let mut connection = server.connect_with(&[("databricks.retry.max_retries", "2")]);
    let error = query(&mut connection).unwrap_err();
    assert_eq!(error.status, Status::IO);
    assert!(
        !error.message.contains("/storage/"),
        "the signed link is in the message: {error}"
    );
}
