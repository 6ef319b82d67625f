//! A statement that takes longer than allowed is `TIMEOUT` for the caller and cancelled for the server.

use adbc_core::error::Status;
use adbc_core::options::OptionValue;
use adbc_core::sync::{Optionable as _, Statement as _};

use crate::support::{Server, endless, is_cancel, statement};

#[test]
fn the_caller_gets_timeout_and_the_server_a_cancel() {
    let server = Server::start(endless);
    let mut connection = server.connect();
    let mut statement = statement(&mut connection, "SELECT slow()");
    statement
        .set_option("adbc.apache.statement.query_timeout_s".into(), OptionValue::Double(0.2))
        .unwrap();
    let error = statement.execute().map(drop).unwrap_err();
    assert_eq!(error.status, Status::Timeout);
    assert!(error.message.contains("0.2 s"), "{error}");
    server.wait_until("cancel", |asked| asked.iter().any(is_cancel));
}
