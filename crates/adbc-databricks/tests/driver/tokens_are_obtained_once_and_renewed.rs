//! OAuth tokens: one request however many threads wait, renewed when spent (also in the middle of a result), and once more
//! when the workspace refuses one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use adbc_core::error::Status;
use adbc_core::sync::Database as _;
use base64::Engine as _;
use serde_json::json;

use crate::support::oauth::{bearer, discovery, form, is_token, token, unless};
use crate::support::{self, Server, cloud, inline, is_chunk, is_storage, ok, query, refusal};

const MACHINE: [(&str, &str); 2] = [
    ("databricks.oauth.client_id", "client/1"),
    ("databricks.oauth.client_secret", "secret-canary:2"),
];

#[test]
fn many_threads_cause_one_token_request() {
    let server = Server::start(|request, port| {
        discovery(request, port)
            .or_else(|| is_token(request).then(|| token("t1", 3600)))
            .or_else(|| unless(request, "t1"))
            .or_else(|| request.is_execute().then(|| ok(inline(3))))
    });
    let database = Arc::new(server.database_without_token(&MACHINE));
    let threads = (0..8).map(|_| {
        let database = Arc::clone(&database);
        thread::spawn(move || query(&mut database.new_connection().unwrap()).unwrap())
    });
    for thread in threads.collect::<Vec<_>>() {
        assert_eq!(thread.join().unwrap(), [0, 1, 2]);
    }
    assert_eq!(server.count(is_token), 1);

    let requests = server.requests();
    let asked = requests.iter().find(|request| is_token(request)).unwrap();
    assert_eq!(form(asked, "grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(form(asked, "scope").as_deref(), Some("all-apis"));
    let basic = asked.headers["authorization"].strip_prefix("Basic ").unwrap();
    let basic = base64::engine::general_purpose::STANDARD.decode(basic).unwrap();
    assert_eq!(basic, b"client%2F1:secret-canary%3A2");
}

#[test]
fn a_token_that_ends_during_a_result_is_replaced_between_requests() {
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request, port| {
        discovery(request, port)
            // Spent as soon as it is here, so each request needs the next.
            .or_else(|| is_token(request).then(|| token(&format!("t{}", issued.fetch_add(1, Ordering::SeqCst)), 0)))
            .or_else(|| {
                // Storage knows nothing of tokens; everybody else wants the newest.
                let newest = format!("t{}", issued.load(Ordering::SeqCst).wrapping_sub(1));
                (is_chunk(request)).then(|| unless(request, &newest)).flatten()
            })
            .or_else(|| cloud(request, port, 3, 5))
    });
    let options = [&MACHINE[..], &[("databricks.cloudfetch.parallel_downloads", "1")]].concat();
    let mut connection = server.database_without_token(&options).new_connection().unwrap();
    assert_eq!(query(&mut connection).unwrap(), (0..15).collect::<Vec<_>>());
    let used: Vec<_> = server
        .requests()
        .iter()
        .filter(|request| is_chunk(request) || request.is_execute())
        .map(|request| bearer(request).to_owned())
        .collect();
    let mut different = used.clone();
    different.sort();
    different.dedup();
    assert!(used.len() >= 2 && different.len() == used.len(), "{used:?}");
    assert!(
        server
            .requests()
            .iter()
            .filter(|request| is_storage(request))
            .all(|request| bearer(request).is_empty())
    );
}

#[test]
fn a_refused_token_is_replaced_once_even_for_an_execute() {
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request, port| {
        discovery(request, port)
            .or_else(|| is_token(request).then(|| token(&format!("t{}", issued.fetch_add(1, Ordering::SeqCst)), 3600)))
            .or_else(|| {
                request.is_execute().then(|| {
                    // The first token was revoked after the session was opened.
                    unless(request, "t1").unwrap_or_else(|| ok(inline(2)))
                })
            })
    });
    let mut connection = server.database_without_token(&MACHINE).new_connection().unwrap();
    assert_eq!(query(&mut connection).unwrap(), [0, 1]);
    assert_eq!(
        (server.count(is_token), server.count(|request| request.is_execute())),
        (2, 2)
    );
}

#[test]
fn a_workspace_that_refuses_every_token_is_believed_at_the_second() {
    let server = Server::start(|request, port| {
        discovery(request, port)
            .or_else(|| is_token(request).then(|| token("t", 3600)))
            .or_else(|| request.is_execute().then(|| refusal(401, "UNAUTHENTICATED")))
    });
    let mut connection = server.database_without_token(&MACHINE).new_connection().unwrap();
    let error = query(&mut connection).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert_eq!(server.count(|request| request.is_execute()), 2);
}

#[test]
fn a_token_that_was_given_is_not_tried_twice() {
    let server = Server::start(|request, _| request.is_execute().then(|| refusal(401, "UNAUTHENTICATED")));
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert_eq!(server.count(|request| request.is_execute()), 1);
}

#[test]
fn a_wrong_secret_is_refused_in_the_providers_words_and_not_quoted() {
    let server = Server::start(|request, port| {
        discovery(request, port).or_else(|| {
            is_token(request).then(|| {
                support::Reply::Json(
                    401,
                    json!({"error": "invalid_client", "error_description": "the client is not known"}),
                )
            })
        })
    });
    let error = server
        .database_without_token(&MACHINE)
        .new_connection()
        .map(drop)
        .unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert!(
        error.message.contains("invalid_client: the client is not known"),
        "{}",
        error.message
    );
    assert!(!error.message.contains("canary"));
    assert_eq!(server.count(is_token), 1);
    assert_eq!(server.count(|request| request.path.starts_with("/api/")), 0);
}

#[test]
fn a_provider_that_stumbles_is_asked_again() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request, port| {
        discovery(request, port)
            .or_else(|| {
                is_token(request).then(|| match tries.fetch_add(1, Ordering::SeqCst) {
                    0 => support::Reply::Reset,
                    1 => refusal(503, "TEMPORARILY_UNAVAILABLE"),
                    _ => token("t1", 3600),
                })
            })
            .or_else(|| request.is_execute().then(|| ok(inline(1))))
    });
    let mut connection = server.database_without_token(&MACHINE).new_connection().unwrap();
    assert_eq!(query(&mut connection).unwrap(), [0]);
}

#[test]
fn without_discovery_the_documented_path_is_used() {
    let server = Server::start(|request, _| {
        is_token(request)
            .then(|| token("t1", 3600))
            .or_else(|| request.is_execute().then(|| ok(inline(1))))
    });
    let mut connection = server.database_without_token(&MACHINE).new_connection().unwrap();
    assert_eq!(query(&mut connection).unwrap(), [0]);
}

#[test]
fn another_providers_token_is_exchanged_and_a_file_is_read_each_time() {
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request, port| {
        discovery(request, port)
            .or_else(|| is_token(request).then(|| token(&format!("t{}", issued.fetch_add(1, Ordering::SeqCst)), 3600)))
            .or_else(|| unless(request, "t0").filter(|_| request.path.ends_with("/sessions")))
            .or_else(|| {
                request
                    .is_execute()
                    .then(|| unless(request, "t1").unwrap_or_else(|| ok(inline(1))))
            })
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "eyJhIjoxfQ.eyJuIjoxfQ.c2lnbmF0dXJl\n").unwrap();
    let database = server.database_without_token(&[
        ("databricks.oauth.subject_token_file", path.to_str().unwrap()),
        ("databricks.oauth.client_id", "federation"),
    ]);
    let mut connection = database.new_connection().unwrap();
    std::fs::write(&path, "eyJhIjoxfQ.eyJuIjoyfQ.c2lnbmF0dXJl").unwrap();
    assert_eq!(query(&mut connection).unwrap(), [0]);
    let requests = server.requests();
    let asked: Vec<_> = requests.iter().filter(|request| is_token(request)).collect();
    let subjects: Vec<_> = asked
        .iter()
        .map(|request| form(request, "subject_token").unwrap())
        .collect();
    assert_eq!(
        subjects,
        [
            "eyJhIjoxfQ.eyJuIjoxfQ.c2lnbmF0dXJl",
            "eyJhIjoxfQ.eyJuIjoyfQ.c2lnbmF0dXJl"
        ]
    );
    assert_eq!(
        form(asked[0], "grant_type").as_deref(),
        Some("urn:ietf:params:oauth:grant-type:token-exchange")
    );
    assert_eq!(form(asked[0], "client_id").as_deref(), Some("federation"));
    assert!(!asked[0].headers.contains_key("authorization"));
}

#[test]
fn a_file_that_holds_no_token_is_not_sent_away() {
    let server = Server::start(discovery);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("id_rsa");
    std::fs::write(&path, "-----BEGIN PRIVATE KEY----- canary").unwrap();
    let database = server.database_without_token(&[("databricks.oauth.subject_token_file", path.to_str().unwrap())]);
    let error = database.new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert!(error.message.contains("does not hold a JWT") && !error.message.contains("canary"));
    assert_eq!(server.count(is_token), 0);
}

#[test]
fn a_given_token_with_an_end_is_not_sent_after_it() {
    let server = Server::start(|_, _| None);
    let database = server.database(&[("databricks.access_token_expires_at", "2020-01-01T00:00:00Z")]);
    let error = database.new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert!(error.message.contains("2020-01-01T00:00:00Z"), "{}", error.message);
    assert!(server.requests().is_empty());
}
