//! `get_info` answers whatever the server does: of a server without `current_version()` the vendor's version is null, and it is not asked
//! twice.

mod support;

use adbc_core::sync::Connection as _;
use serde_json::json;
use support::{Server, ok};

#[test]
fn a_server_that_has_no_version_is_asked_once() {
    let failed = json!({"statement_id": "statement-1", "status": {"state": "FAILED", "sql_state": "42883",
        "error": {"error_code": "BAD_REQUEST", "message": "[UNRESOLVED_ROUTINE] no `current_version`. SQLSTATE: 42883"}}});
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(failed.clone())));
    let connection = server.connect();
    for _ in 0..2 {
        let facts = connection.get_info(None).unwrap().next().unwrap().unwrap();
        assert_eq!(facts.num_rows(), 11);
    }
    assert_eq!(server.count(support::Request::is_execute), 1);
}
