//! A caller's span goes along on the requests made for it, and never to storage.

use adbc_core::error::Status;
use adbc_core::sync::{Optionable as _, Statement as _};

use crate::support::{self, Server, cloud, is_storage, numbers, statement};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn of_the_statement_with_telemetry_on_and_off() {
    for telemetry in ["forceEnableTelemetry", "enableTelemetry"] {
        let server = Server::start(|request, port| cloud(request, port, 3, 5));
        let mut connection = server.connect_with(&[(
            telemetry,
            if telemetry.starts_with("force") {
                "true"
            } else {
                "false"
            },
        )]);
        let mut statement = statement(&mut connection, "SELECT");
        statement
            .set_option("adbc.telemetry.trace_parent".into(), PARENT.into())
            .unwrap();
        assert_eq!(
            statement
                .get_option_string("adbc.telemetry.trace_parent".into())
                .unwrap(),
            PARENT
        );
        numbers(statement.execute().unwrap()).unwrap();
        let asked = server.requests();
        let about: Vec<_> = asked
            .iter()
            .filter(|request| request.is_execute() || support::is_chunk(request))
            .collect();
        assert_eq!(about.len(), 3);
        for request in about {
            let sent = &request.headers["traceparent"];
            assert_eq!(sent[..36], PARENT[..36], "the trace id");
            assert_eq!(sent[53..], PARENT[53..], "the caller's decision about sampling");
        }
        assert!(
            asked
                .iter()
                .filter(|request| is_storage(request))
                .all(|request| !request.headers.contains_key("traceparent"))
        );
    }
}

#[test]
fn a_malformed_one_is_refused() {
    let server = Server::start(|_, _| None);
    let mut connection = server.connect();
    let error = connection
        .set_option("adbc.telemetry.trace_parent".into(), "nonsense".into())
        .unwrap_err();
    assert_eq!(error.status, Status::InvalidArguments);
}
