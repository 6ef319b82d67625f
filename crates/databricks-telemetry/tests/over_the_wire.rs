//! The same over TCP: an HTTP server that a thread serves, and a transport that writes the request by hand.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{PATIENCE, Post, facts, flag_answer, patient};
use databricks_telemetry::{
    FlagOutcome, FlagRequest, Outcome, Telemetry, TelemetryPost, Transport, Unreachable, operations,
};

/// One request as the server read it.
#[derive(Debug)]
struct Request {
    line: String,
    headers: Vec<String>,
    body: String,
}

fn serve(listener: TcpListener, requests: Sender<Request>) {
    for stream in listener.incoming() {
        let mut reader = BufReader::new(stream.unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let length = lines
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer = if lines[0].starts_with("GET") {
            let FlagOutcome::Answered { body } = flag_answer(true, Some(900)) else {
                unreachable!()
            };
            body
        } else {
            br#"{"errors":[],"numSuccess":0,"numProtoSuccess":1,"numRealtimeSuccess":0}"#.to_vec()
        };
        let mut stream = reader.into_inner();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        )
        .unwrap();
        stream.write_all(&answer).unwrap();
        let line = lines.remove(0);
        let done = requests
            .send(Request {
                line,
                headers: lines,
                body: String::from_utf8(body).unwrap(),
            })
            .is_err();
        if done {
            return;
        }
    }
}

struct Http {
    address: SocketAddr,
}

impl Http {
    fn call(&self, head: String, body: &str, timeout: Duration) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect_timeout(&self.address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.as_bytes().to_vec()))
    }
}

impl Transport for Http {
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
        let token = if post.authenticated {
            "authorization: Bearer a-token\r\n"
        } else {
            ""
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nuser-agent: {}\r\n{token}",
            post.path, post.user_agent
        );
        match self.call(head, post.body, post.remaining()) {
            Ok((200, body)) => Outcome::Delivered { body },
            Ok((status, _)) => Outcome::Refused {
                status,
                retry_after: None,
            },
            Err(_) => Outcome::Unreachable(Unreachable::Connection),
        }
    }

    fn feature_flags(&self, request: &FlagRequest<'_>) -> FlagOutcome {
        let head = format!(
            "GET {} HTTP/1.1\r\nuser-agent: {}\r\nauthorization: Bearer a-token\r\n",
            request.path, request.user_agent
        );
        match self.call(head, "", request.remaining()) {
            Ok((200, body)) => FlagOutcome::Answered { body },
            Ok((status, _)) => FlagOutcome::Refused { status },
            Err(_) => FlagOutcome::Unavailable,
        }
    }

    fn is_authenticated(&self) -> bool {
        true
    }
}

fn next(requests: &Receiver<Request>) -> Request {
    requests.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn over_the_wire() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = channel();
    std::thread::spawn(move || serve(listener, sender));

    let lease = Telemetry::attach_in(Default::default(), facts(), patient(), Arc::new(Http { address }));
    lease.root(&operations::CONNECTION_OPEN, None).end();
    let flag = next(&requests);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        flag.line,
        format!("GET /api/2.0/connector-service/feature-flags/ADBC/{version} HTTP/1.1")
    );
    let post = next(&requests);
    assert_eq!(post.line, "POST /telemetry-ext HTTP/1.1");
    assert!(post.headers.contains(&"authorization: Bearer a-token".to_owned()));
    assert!(
        post.headers
            .contains(&format!("user-agent: adbc-databricks-rust/{version}"))
    );
    let logs = Post {
        path: "/telemetry-ext",
        authenticated: true,
        body: post.body,
    }
    .logs();
    assert_eq!(logs.len(), 1);

    let mut failing = lease.root(&operations::CONNECTION_OPEN, None);
    failing.fail("auth_error");
    drop(failing);
    let post = next(&requests);
    assert_eq!(post.line, "POST /telemetry-unauth HTTP/1.1");
    assert!(post.headers.iter().all(|header| !header.starts_with("authorization")));
    lease.close();
    assert_eq!(
        (lease.stats().delivered, lease.stats().posts, lease.stats().flag_fetches),
        (2, 2, 1)
    );
}
