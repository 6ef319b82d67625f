//! A refresh token works once. When a statement is cancelled while its token is renewed, the answer with the next refresh token is
//! kept all the same, and nobody has to sign in again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use adbc_core::error::Status;
use adbc_core::sync::{Database as _, Statement as _};
use serde_json::json;

use crate::support::oauth::{discovery, form, is_token};
use crate::support::{Gate, Reply, Request, Server, inline, is_close, ok, query, refusal, running, statement};

/// Does what the browser does at the end of a sign-in that `message` asks for.
fn come_back(message: &str) {
    let url = message.split(' ').find(|word| word.starts_with("http://")).unwrap();
    let url = url::Url::parse(url).unwrap();
    let member = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let home = url::Url::parse(&member("redirect_uri")).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", home.port().unwrap())).unwrap();
    let state = member("state");
    write!(stream, "GET /?code=c&state={state} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains("Signed in"), "{page}");
}

/// Each access token is spent when it arrives, and each refresh token works once.
fn rotated(request: &Request, generation: &AtomicU64) -> Reply {
    let newest = generation.load(Ordering::SeqCst);
    let is_refresh = form(request, "grant_type").as_deref() == Some("refresh_token");
    if is_refresh && form(request, "refresh_token") != Some(format!("r{newest}")) {
        return refusal(400, "invalid_grant");
    }
    let next = generation.fetch_add(1, Ordering::SeqCst) + 1;
    ok(json!({"access_token": format!("t{next}"), "refresh_token": format!("r{next}"), "expires_in": 0}))
}

fn is_slow(request: &Request) -> bool {
    request.is_execute() && request.body.contains("SLOW")
}

#[test]
fn the_renewal_that_a_cancelled_statement_waited_for_is_kept() {
    let (generation, slow, gate) = (AtomicU64::new(0), Arc::new(AtomicBool::new(false)), Gate::default());
    let server = Server::start({
        let (slow, gate) = (Arc::clone(&slow), gate.clone());
        move |request, port| {
            discovery(request, port)
                .or_else(|| {
                    is_token(request).then(|| {
                        let reply = rotated(request, &generation);
                        if slow.load(Ordering::SeqCst) {
                            gate.pass();
                        }
                        reply
                    })
                })
                .or_else(|| {
                    is_slow(request).then(|| {
                        slow.store(true, Ordering::SeqCst);
                        running()
                    })
                })
                .or_else(|| request.is_execute().then(|| ok(inline(3))))
        }
    });
    let database = server.database_without_token(&[
        ("databricks.auth.type", "oauth-u2m"),
        ("databricks.oauth.open_browser", "false"),
        ("databricks.oauth.redirect_port", "0"),
        ("databricks.oauth.token_cache", "false"),
    ]);
    let asked = database.new_connection().map(drop).unwrap_err();
    come_back(&asked.message);
    let mut connection = database.new_connection().unwrap();
    assert_eq!(query(&mut connection).unwrap(), [0, 1, 2]);

    let mut running = statement(&mut connection, "SELECT 'SLOW'");
    let cancel = running.get_cancel_handle();
    // The close of the query's statement needs a token as well; it is out of the way.
    server.wait_until("the close", |asked| asked.iter().any(is_close));
    let worker = thread::spawn(move || running.execute().map(drop));
    // The first poll's, whose answer is held back.
    server.wait_until("the renewal for a poll", |asked| {
        let submitted = asked.iter().position(is_slow);
        submitted.is_some_and(|submitted| asked[submitted..].iter().any(is_token))
    });
    cancel.try_cancel().unwrap();
    assert_eq!(worker.join().unwrap().unwrap_err().status, Status::Cancelled);
    slow.store(false, Ordering::SeqCst);
    gate.open();
    assert_eq!(query(&mut connection).unwrap(), [0, 1, 2]);
}
