//! Answers that come when the test lets them, and statements that do not end by themselves.

use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;

use super::{PATIENCE, Reply, Request, Server, is_storage, last_number, ok};

/// A gate that a script can wait at until the test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn pass(&self) {
        let open = self.0.0.lock().unwrap();
        let (_open, late) = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap();
        assert!(!late.timed_out(), "the gate never opened");
    }
}

impl Server {
    /// Answers with `script`, and those requests that are `held` not before the gate is open.
    pub fn gated(
        held: impl Fn(&Request) -> bool + Send + Sync + 'static,
        script: impl Fn(&Request, u16) -> Option<Reply> + Send + Sync + 'static,
    ) -> (Self, Gate) {
        let gate = Gate::default();
        let server = Self::start({
            let gate = gate.clone();
            move |request, port| {
                if held(request) {
                    gate.pass();
                }
                script(request, port)
            }
        });
        (server, gate)
    }
}

/// The download of this chunk.
pub fn is_download_of(chunk: u64) -> impl Fn(&Request) -> bool {
    move |request| is_storage(request) && last_number(&request.path) == chunk
}

/// What the server says of a statement that has no end yet.
pub fn running() -> Reply {
    ok(json!({"statement_id": "statement-1", "status": {"state": "RUNNING"}}))
}

/// The script of a server whose statement runs until it is cancelled.
pub fn endless(request: &Request, _port: u16) -> Option<Reply> {
    (request.is_execute() || request.is("GET", STATEMENT)).then(running)
}

pub fn is_cancel(request: &Request) -> bool {
    request.is("POST", "/api/2.0/sql/statements/statement-1/cancel")
}

/// The close of the statement.
pub fn is_close(request: &Request) -> bool {
    request.is("DELETE", STATEMENT)
}

const STATEMENT: &str = "/api/2.0/sql/statements/statement-1";
