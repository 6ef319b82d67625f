//! Servers differ: null members, `CLOSED` with a result, no sessions, no hybrid disposition.

#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use adbc_core::error::Status;
use adbc_core::sync::{Connection as _, Optionable as _, Statement as _};
use serde_json::{Value, json};

use crate::support::{Request, Server, base64, batch, cloud, inline, is_close, lz4, ok, query, refusal, stream};

#[test]
fn null_members_are_like_absent_ones() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            answer["status"] =
                json!({"state": "SUCCEEDED", "error": null, "sql_state": null, "num_modified_rows": null});
            for key in [
                "external_links",
                "data_array",
                "next_chunk_index",
                "next_chunk_internal_link",
            ] {
                answer["result"][key] = json!(null);
            }
            for key in ["chunks", "total_byte_count", "arrow_schema", "is_volume_operation"] {
                answer["manifest"][key] = json!(null);
            }
            ok(answer)
        })
    });
    assert_eq!(query(&mut server.connect()).unwrap(), [0, 1, 2]);
}

#[test]
fn closed_with_a_result_is_success_and_needs_no_close() {
    let server = Server::start(|request, _| {
        request.is_execute().then(|| {
            let mut answer = inline(3);
            answer["status"]["state"] = json!("CLOSED");
            ok(answer)
        })
    });
    let mut connection = server.connect();
    assert_eq!(query(&mut connection).unwrap(), [0, 1, 2]);
    drop(connection);
    assert_eq!(server.count(is_close), 0);
}

#[test]
fn closed_without_a_result_is_an_error() {
    let closed = json!({"statement_id": "statement-1", "status": {"state": "CLOSED"}});
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(closed.clone())));
    assert_eq!(query(&mut server.connect()).unwrap_err().status, Status::InvalidState);
}

#[test]
fn a_refused_hybrid_disposition_is_remembered() {
    let server = Server::start(|request, port| {
        if request.is_execute() && request.json()["disposition"] == "INLINE_OR_EXTERNAL_LINKS" {
            return Some(refusal(400, "INVALID_PARAMETER_VALUE"));
        }
        cloud(request, port, 2, 5)
    });
    let mut connection = server.connect();
    assert_eq!(query(&mut connection).unwrap().len(), 10);
    assert_eq!(query(&mut connection).unwrap().len(), 10);
    let asked: Vec<_> = server
        .requests()
        .iter()
        .filter(|request| request.is_execute())
        .map(|r| r.json()["disposition"].clone())
        .collect();
    assert_eq!(asked, ["INLINE_OR_EXTERNAL_LINKS", "EXTERNAL_LINKS", "EXTERNAL_LINKS"]);
}

#[test]
fn a_400_that_is_not_about_the_disposition_is_reported_as_it_was() {
    let server = Server::start(|request, _| request.is_execute().then(|| refusal(400, "BAD_REQUEST")));
    let error = query(&mut server.connect()).unwrap_err();
    assert_eq!(error.status, Status::InvalidArguments);
    assert!(error.message.contains("BAD_REQUEST says the server"), "{error}");
}

#[test]
fn without_sessions_the_namespace_travels_with_each_statement() {
    for (status, code) in [(404, "ENDPOINT_NOT_FOUND"), (501, "NOT_IMPLEMENTED")] {
        let server = Server::start(move |request, _| {
            if request.is("POST", "/api/2.0/sql/sessions") {
                return Some(refusal(status, code));
            }
            request.is_execute().then(|| ok(inline(2)))
        });
        let mut connection = server.connect_with(&[("databricks.catalog", "c"), ("databricks.schema", "s")]);
        assert_eq!(query(&mut connection).unwrap(), [0, 1]);
        let execute = server.requests().into_iter().find(Request::is_execute).unwrap().json();
        assert_eq!(
            (&execute["catalog"], &execute["schema"], &execute["session_id"]),
            (&json!("c"), &json!("s"), &json!(null))
        );
        drop(connection);
        assert_eq!(
            server.count(|request| request.method == "DELETE" && request.path.contains("/sessions/")),
            0
        );
    }
}

#[test]
fn without_sessions_no_temporary_table_is_made() {
    let server = Server::start(move |request, _| {
        if request.is("POST", "/api/2.0/sql/sessions") {
            return Some(refusal(404, "ENDPOINT_NOT_FOUND"));
        }
        request.is_execute().then(|| ok(inline(2)))
    });
    let mut connection = server.connect();
    for mode in ["create", "append", "replace", "create_append"] {
        let mut statement = connection.new_statement().unwrap();
        for (key, value) in [
            ("adbc.ingest.target_table", "t".to_owned()),
            ("adbc.ingest.mode", format!("adbc.ingest.mode.{mode}")),
            ("adbc.ingest.temporary", "true".to_owned()),
        ] {
            statement.set_option(key.into(), value.as_str().into()).unwrap();
        }
        statement.bind(batch(0..2)).unwrap();
        let error = statement.execute_update().unwrap_err();
        assert_eq!(error.status, Status::NotImplemented, "{mode}: {error}");
        assert!(error.message.contains("has no sessions"), "{error}");
    }
    assert_eq!(server.count(Request::is_execute), 0);
}

#[test]
fn a_ddl_statement_has_no_columns_and_no_rows() {
    let server = Server::start(|request, _| {
        let ddl = json!({"statement_id": "statement-1", "status": {"state": "SUCCEEDED"},
            "manifest": {"schema": {"column_count": 0}, "total_chunk_count": 0, "total_row_count": 0}, "result": {}});
        request.is_execute().then(|| ok(ddl))
    });
    assert!(query(&mut server.connect()).unwrap().is_empty());
}

/// What servers do differently with one and the same result: a name, and what it does to the usual answer.
type Difference = (&'static str, fn(&mut Value));

const DIFFERENCES: [Difference; 16] = [
    ("compression asked for and ignored", |answer| {
        answer["manifest"]["result_compression"] = json!("NONE");
        answer["result"]["attachment"] = json!(base64(&stream(&[0..3])));
    }),
    ("compression ignored and not mentioned", |answer| {
        remove(&mut answer["manifest"], "result_compression");
        answer["result"]["attachment"] = json!(base64(&stream(&[0..3])));
    }),
    ("two frames in one attachment", |answer| {
        let bytes = stream(&[0..3]);
        let frames = [lz4(&bytes[..40]), lz4(&bytes[40..])].concat();
        answer["result"]["attachment"] = json!(base64(&frames));
    }),
    ("JSON although Arrow was asked for", |answer| {
        answer["manifest"]["format"] = json!("JSON_ARRAY");
        remove(&mut answer["manifest"], "result_compression");
        answer["result"] = json!({"chunk_index": 0, "data_array": [["0"], ["1"], ["2"]]});
    }),
    ("no format", |answer| remove(&mut answer["manifest"], "format")),
    ("no list of chunks", |answer| remove(&mut answer["manifest"], "chunks")),
    ("no counts", |answer| {
        for count in ["total_chunk_count", "total_row_count", "total_byte_count", "chunks"] {
            remove(&mut answer["manifest"], count);
        }
        remove(&mut answer["result"], "row_count");
    }),
    ("no positions of columns", |answer| {
        remove(&mut answer["manifest"]["schema"]["columns"][0], "position");
        remove(&mut answer["manifest"]["schema"], "column_count");
    }),
    ("an empty list of links beside the attachment", |answer| {
        answer["result"]["external_links"] = json!([]);
    }),
    ("an empty attachment beside rows", |answer| {
        answer["manifest"]["format"] = json!("JSON_ARRAY");
        answer["result"] = json!({"attachment": "", "data_array": [["0"], ["1"], ["2"]]});
    }),
    ("native metadata", |answer| {
        answer["manifest"]["is_native_metadata_result"] = json!(true)
    }),
    ("closed with the result", |answer| {
        answer["status"]["state"] = json!("CLOSED")
    }),
    ("members of the future", |answer| {
        for part in ["status", "manifest", "result"] {
            answer[part]["of_the_future"] = json!({"a": [1, null]});
        }
        answer["of_the_future"] = json!(1);
    }),
    ("null where there is nothing", |answer| {
        answer["status"]["error"] = json!(null);
        answer["manifest"]["truncated"] = json!(null);
        answer["manifest"]["chunks"] = json!(null);
        answer["result"]["external_links"] = json!(null);
    }),
    ("several streams' worth of batches", |answer| {
        answer["result"]["attachment"] = json!(base64(&lz4(&stream(&[0..1, 1..1, 1..3]))));
    }),
    ("padding after the promised rows", |answer| {
        answer["result"]["attachment"] = json!(base64(&lz4(&stream(&[0..9]))));
    }),
];

fn remove(from: &mut Value, member: &str) {
    if let Some(members) = from.as_object_mut() {
        members.remove(member);
    }
}

#[test]
fn the_same_rows_come_whatever_way_a_server_tells_them() {
    for (name, change) in DIFFERENCES {
        for polled in [false, true] {
            let server = Server::start(move |request, _| {
                let mut answer = inline(3);
                change(&mut answer);
                if request.is_execute() {
                    let running = json!({"statement_id": "statement-1", "status": {"state": "RUNNING"}});
                    return Some(ok(if polled { running } else { answer }));
                }
                request
                    .is("GET", "/api/2.0/sql/statements/statement-1")
                    .then(|| ok(answer))
            });
            assert_eq!(
                query(&mut server.connect()),
                Ok(vec![0, 1, 2]),
                "{name}, polled: {polled}"
            );
        }
    }
}

#[test]
fn no_positive_wait_is_ever_asked_for() {
    for (wait, expected) in [("server", json!(null)), ("0s", json!("0s"))] {
        let server = Server::start(|request, _| request.is_execute().then(|| ok(inline(1))));
        let mut connection = server.connect_with(&[("databricks.statement.wait_timeout", wait)]);
        query(&mut connection).unwrap();
        let request = server.requests().into_iter().find(Request::is_execute).unwrap();
        assert_eq!(request.json()["wait_timeout"], expected);
        let error = connection.set_option("databricks.statement.wait_timeout".into(), "10s".into());
        assert!(error.is_err());
    }
}
