//! A proxy of one's own: requests and downloads tunnel through it, with its password, except to the hosts that are left out.

use std::io::{BufRead as _, BufReader, Write as _, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use adbc_core::sync::{Database as _, Driver as _};
use adbc_databricks::{Database, Driver};
use arrow::array::RecordBatchReader as _;
use base64::Engine as _;
use conformance::{logs_of_closed, of_type, start, statement};
use databricks_local::Workspace;

/// A proxy that tunnels for those who know the password, and keeps a book of where to.
struct Proxy {
    port: u16,
    book: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let book = Arc::<Mutex<Vec<String>>>::default();
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                thread::spawn(move || tunnel(client, &book));
            }
        });
        Self { port, book }
    }

    fn tunnels(&self) -> Vec<String> {
        self.book.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, book: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let target = lines.first()?.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    let password = base64::engine::general_purpose::STANDARD.encode("me:proxy-canary");
    let known = lines.iter().any(|line| {
        line.split_once(": ").is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("proxy-authorization") && value == format!("Basic {password}")
        })
    });
    if !known {
        client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .ok()?;
        return None;
    }
    book.lock().unwrap().push(target.clone());
    let mut server = TcpStream::connect(target).ok()?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let up = thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
    up.join().ok()
}

fn database(workspace: &Workspace, options: &[(&str, &str)]) -> Database {
    let https = workspace
        .https_url()
        .expect("https is on")
        .replace("127.0.0.1", "localhost");
    let ca = workspace
        .ca_pem_path()
        .expect("an authority")
        .to_str()
        .expect("UTF-8")
        .to_owned();
    let mut all = vec![
        ("databricks.host".into(), https.trim_end_matches('/').into()),
        ("databricks.warehouse_id".into(), workspace.warehouse_id().into()),
        ("databricks.token".into(), workspace.token().into()),
        ("databricks.tls.ca_file".into(), ca.as_str().into()),
        ("enableTelemetry".into(), "false".into()),
        ("databricks.retry.max_retries".into(), "0".into()),
        ("databricks.result.disposition".into(), "EXTERNAL_LINKS".into()),
    ];
    all.extend(options.iter().map(|(key, value)| ((*key).into(), (*value).into())));
    Driver.new_database_with_opts(all).expect("options that go together")
}

fn rows(database: &Database) -> usize {
    use adbc_core::sync::Statement as _;
    let mut connection = database.new_connection().expect("a connection");
    let reader = statement(&mut connection, "SELECT l_orderkey FROM samples.tpch.lineitem")
        .execute()
        .expect("rows");
    assert_eq!(reader.schema().fields().len(), 1);
    reader.map(|batch| batch.expect("a batch").num_rows()).sum()
}

#[test]
fn requests_and_downloads_tunnel_through_it() {
    let (workspace, proxy) = (start(|builder| builder.tls(true)), Proxy::start());
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let port = proxy.port.to_string();
    let ways: [&[(&str, &str)]; 2] = [
        &[("databricks.http.proxy.url", &url)],
        &[
            ("adbc.proxy_options.proxy_host", "127.0.0.1"),
            ("adbc.proxy_options.proxy_port", &port),
        ],
    ];
    for way in ways {
        let before = proxy.tunnels().len();
        let mut options = way.to_vec();
        options.extend([
            ("databricks.http.proxy.username", "me"),
            ("databricks.http.proxy.password", "proxy-canary"),
        ]);
        assert_eq!(rows(&database(&workspace, &options)), 60_175);
        let tunnels = proxy.tunnels().split_off(before);
        // One for the requests, and at least one for downloads.
        assert!(
            tunnels.len() >= 2 && tunnels.iter().all(|target| target.contains("localhost")),
            "{tunnels:?}"
        );
    }
}

#[test]
fn hosts_that_are_left_out_are_reached_without_it() {
    let (workspace, proxy) = (start(|builder| builder.tls(true)), Proxy::start());
    let url = format!("http://127.0.0.1:{}", proxy.port);
    for more in [
        ("databricks.http.proxy.bypass_hosts", "elsewhere.example, localhost"),
        ("adbc.proxy_options.use_proxy", "false"),
    ] {
        let options = [("databricks.http.proxy.url", url.as_str()), more];
        assert_eq!(rows(&database(&workspace, &options)), 60_175);
    }
    assert!(proxy.tunnels().is_empty());
}

/// The record of the opening says whether this workspace is reached through a proxy, not whether one is set.
#[test]
fn telemetry_says_whether_there_is_one_in_between() {
    let (workspace, proxy) = (start(|builder| builder.tls(true)), Proxy::start());
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let named = [
        ("databricks.http.proxy.url", url.as_str()),
        ("databricks.http.proxy.username", "me"),
        ("databricks.http.proxy.password", "proxy-canary"),
        ("enableTelemetry", "true"),
        ("forceEnableTelemetry", "true"),
    ];
    let ways: [(&[(&str, &str)], bool); 3] = [
        (&[], true),
        (&[("databricks.http.proxy.bypass_hosts", "elsewhere.example")], true),
        (&[("databricks.http.proxy.bypass_hosts", "localhost")], false),
    ];
    for (more, expected) in ways {
        let before = proxy.tunnels().len();
        assert_eq!(rows(&database(&workspace, &[&named[..], more].concat())), 60_175);
        assert_eq!(proxy.tunnels().len() > before, expected, "{more:?}");
    }
    let logs = logs_of_closed(&workspace, ways.len());
    let said: Vec<_> = of_type(&logs, "CREATE_SESSION")
        .into_iter()
        .map(|log| {
            let parameters = &log["driver_connection_params"];
            ["use_proxy", "use_system_proxy", "use_cf_proxy"].map(|name| parameters[name].as_bool())
        })
        .collect();
    let expected = ways.map(|(_, expected)| [Some(expected), Some(false), Some(false)]);
    assert_eq!(said, expected);
    assert!(logs.iter().all(|log| !log.to_string().contains("canary")));
}

#[test]
fn a_wrong_password_is_an_error_that_does_not_quote_it() {
    let (workspace, proxy) = (start(|builder| builder.tls(true)), Proxy::start());
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let options = [
        ("databricks.http.proxy.url", url.as_str()),
        ("databricks.http.proxy.username", "me"),
        ("databricks.http.proxy.password", "wrong-canary"),
    ];
    let error = database(&workspace, &options).new_connection().map(drop).unwrap_err();
    assert!(
        error.message.contains("could not connect") && error.message.contains("proxy"),
        "{}",
        error.message
    );
    assert!(!error.message.contains("canary"), "{}", error.message);
}

#[test]
fn options_that_make_no_sense_alone_are_refused() {
    let workspace = start(|builder| builder.tls(true));
    for (options, says) in [
        (
            &[("databricks.http.proxy.username", "me")][..],
            "databricks.http.proxy.url",
        ),
        (&[("databricks.http.proxy.url", "ftp://p")], "databricks.http.proxy.url"),
        (
            &[("databricks.http.proxy.url", "http://me:proxy-canary@p")],
            "databricks.http.proxy.password",
        ),
        (
            &[
                ("databricks.http.proxy.url", "http://p"),
                ("databricks.http.proxy.host", "p"),
            ],
            "databricks.http.proxy.host",
        ),
    ] {
        let error = database(&workspace, options).new_connection().map(drop).unwrap_err();
        assert!(
            error.message.contains(says) && !error.message.contains("canary"),
            "{}",
            error.message
        );
    }
}
