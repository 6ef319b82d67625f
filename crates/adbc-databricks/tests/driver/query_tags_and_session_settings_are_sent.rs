//! Query tags and session settings go where the protocol wants them, and query tags nowhere else.

use adbc_core::error::Status;
use adbc_core::sync::{Connection as _, Database as _, Optionable as _, Statement as _};
use serde_json::{Value, json};

use crate::support::{Request, Server, inline, ok, query, refusal, statement, telemetry};

fn answering() -> Server {
    Server::start(|request, _| {
        if request.path.contains("/feature-flags/") {
            let flag = "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc";
            return Some(ok(
                json!({"flags": [{"name": flag, "value": "true"}], "ttl_seconds": 900}),
            ));
        }
        request.is_execute().then(|| ok(inline(1)))
    })
}

fn sent(server: &Server, matches: impl Fn(&Request) -> bool) -> Vec<Value> {
    server
        .requests()
        .iter()
        .filter(|request| matches(request))
        .map(Request::json)
        .collect()
}

#[test]
fn a_connections_tags_travel_with_its_session_and_a_statements_with_itself() {
    let server = answering();
    let mut connection = server.connect_with(&[("adbc.databricks.query_tags", "team:canary-a,alone")]);
    query(&mut connection).unwrap();
    let mut tagged = statement(&mut connection, "SELECT x FROM numbers");
    tagged
        .set_option("databricks.query_tags".into(), r"job:canary-b\,c".into())
        .unwrap();
    tagged.execute().unwrap().for_each(drop);
    assert_eq!(
        tagged.get_option_string("databricks.query_tags".into()).unwrap(),
        r"job:canary-b\,c"
    );
    connection
        .set_option("databricks.query_tags".into(), "team:canary-d".into())
        .unwrap();
    query(&mut connection).unwrap();

    let sessions = sent(&server, |request| request.is("POST", "/api/2.0/sql/sessions"));
    assert_eq!(
        sessions[0]["session_confs"],
        json!({"QUERY_TAGS": "team:canary-a,alone"})
    );
    let executes = sent(&server, Request::is_execute);
    assert_eq!(executes[0].get("query_tags"), None);
    assert_eq!(
        executes[1]["query_tags"],
        json!([{"key": "job", "value": "canary-b,c"}])
    );
    assert_eq!(executes[2]["query_tags"], json!([{"key": "team", "value": "canary-d"}]));
}

#[test]
fn tags_are_no_part_of_telemetry() {
    let server = answering();
    let mut connection = server.connect_with(&[
        ("databricks.query_tags", "team:canary"),
        ("databricks.session_conf.x", "canary"),
        ("forceEnableTelemetry", "true"),
    ]);
    let mut tagged = statement(&mut connection, "SELECT x FROM numbers");
    tagged
        .set_option("databricks.query_tags".into(), "job:canary".into())
        .unwrap();
    tagged.execute().unwrap().for_each(drop);
    drop((tagged, connection));
    assert!(telemetry(&server).len() >= 2);
    let posts = server
        .requests()
        .into_iter()
        .filter(|request| request.path.starts_with("/telemetry"));
    for post in posts {
        assert!(!post.body.contains("canary"), "{}", post.body);
    }
}

#[test]
fn settings_come_under_either_prefix_and_a_connection_may_override_its_database() {
    let server = answering();
    let database = server.database(&[
        ("databricks.session_conf.ANSI_MODE", "false"),
        ("adbc.databricks.ssp_TIMEZONE", "UTC"),
    ]);
    let connection = database
        .new_connection_with_opts([("databricks.session_conf.TIMEZONE".into(), "Asia/Tokyo".into())])
        .unwrap();
    let sessions = sent(&server, |request| request.is("POST", "/api/2.0/sql/sessions"));
    assert_eq!(
        sessions[0]["session_confs"],
        json!({"ANSI_MODE": "false", "TIMEZONE": "Asia/Tokyo"})
    );
    let read = |key: &str| connection.get_option_string(key.into());
    assert_eq!(read("adbc.databricks.ssp_TIMEZONE").unwrap(), "Asia/Tokyo");
    assert_eq!(
        read("databricks.session_conf.nothing").unwrap_err().status,
        Status::NotFound
    );
}

#[test]
fn they_may_be_in_the_uri() {
    let server = answering();
    let uri = format!(
        "{}?databricks.session_conf.ANSI_MODE=true&databricks.query_tags=a%3Ab",
        server.uri()
    );
    server.connect_with(&[("uri", &uri)]);
    let sessions = sent(&server, |request| request.is("POST", "/api/2.0/sql/sessions"));
    assert_eq!(
        sessions[0]["session_confs"],
        json!({"ANSI_MODE": "true", "QUERY_TAGS": "a:b"})
    );
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let server = answering();
    let refused = |options: &[(&str, &str)]| server.database(options).new_connection().map(drop).unwrap_err();
    let both = [
        ("databricks.query_tags", "a:b"),
        ("databricks.session_conf.query_tags", "c:d"),
    ];
    let error = refused(&both);
    assert_eq!(error.status, Status::InvalidArguments);
    assert!(error.message.contains("databricks.query_tags") && error.message.contains("session_conf.query_tags"));

    let mut connection = server.connect();
    let error = connection
        .set_option("databricks.session_conf.X".into(), "1".into())
        .unwrap_err();
    assert_eq!(error.status, Status::InvalidState);
    let mut statement = connection.new_statement().unwrap();
    let error = statement
        .set_option("databricks.session_conf.X".into(), "1".into())
        .unwrap_err();
    assert_eq!(error.status, Status::NotImplemented);
    let error = statement
        .set_option("databricks.query_tags".into(), ":b".into())
        .unwrap_err();
    assert_eq!(error.status, Status::InvalidArguments);

    // A server without sessions could not keep them.
    let plain = Server::start(|request, _| {
        request
            .path
            .ends_with("/sessions")
            .then(|| refusal(501, "NOT_IMPLEMENTED"))
    });
    plain.connect();
    let error = plain
        .database(&[("databricks.query_tags", "a:b")])
        .new_connection()
        .map(drop)
        .unwrap_err();
    assert!(error.message.contains("no sessions"), "{}", error.message);
}
