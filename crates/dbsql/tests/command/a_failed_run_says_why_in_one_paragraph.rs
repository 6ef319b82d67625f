//! Each way a run can fail: one paragraph on standard error, an exit code that scripts can tell apart, no hang and no panic.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::{assert_paragraph, dbsql, run, stderr, stdout, wait_until, workspace};

const FOREVER: &str =
    "SELECT count(*) FROM samples.tpch.lineitem a CROSS JOIN samples.tpch.lineitem b WHERE a.l_comment < b.l_comment";

#[test]
fn a_wrong_token() {
    let workspace = workspace(|builder| builder.token("right".to_owned()));
    let url = workspace.uri().replace("right", "canary-token");
    let output = run(&["query", "--url", &url, "SELECT 1"]);
    assert_paragraph(&output, 3, &["token"], &["canary-token"]);
}

#[test]
fn an_unknown_table() {
    let workspace = workspace(|builder| builder);
    let output = run(&["query", "--url", &workspace.uri(), "SELECT * FROM no_such_table"]);
    assert_paragraph(&output, 1, &["TABLE_OR_VIEW_NOT_FOUND", "no_such_table", "42P01"], &[]);
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_syntax_error() {
    let workspace = workspace(|builder| builder);
    let output = run(&["query", "--url", &workspace.uri(), "SELEKT 1"]);
    assert_paragraph(&output, 1, &["PARSE_SYNTAX_ERROR", "42601"], &[]);
}

#[test]
fn a_server_that_is_down() {
    let workspace = workspace(|builder| builder);
    let url = workspace.uri();
    let address = workspace.url().trim_start_matches("http://").to_owned();
    workspace.stop();
    let output = run(&[
        "query",
        "--url",
        &url,
        "-O",
        "databricks.retry.max_retries=0",
        "SELECT 1",
    ]);
    assert_paragraph(&output, 4, &[&address], &[]);
}

#[test]
fn a_url_that_is_none() {
    assert_paragraph(
        &run(&["query", "--url", "postgres://x", "SELECT 1"]),
        2,
        &["uri", "databricks, https or http"],
        &[],
    );
    assert_paragraph(
        &run(&["query", "--format", "csv", "-O", "no.such.key=1", "SELECT 1"]),
        2,
        &["'no.such.key' is unknown"],
        &[],
    );
    assert_paragraph(&run(&["telemetry"]), 2, &["dbsql serve"], &[]);
}

#[test]
fn what_is_typed_and_would_not_be_heeded() {
    let workspace = workspace(|builder| builder);
    let uri = workspace.uri();
    let with_url = |more: &[&str]| run(&[&["query", "--url", &uri], more, &["SELECT 1"]].concat());
    for more in [["--data", "/tmp"], ["--scale-factor", "0.1"]] {
        assert_paragraph(&with_url(&more), 2, &[more[0], "--url"], &[]);
    }
    assert_paragraph(
        &with_url(&["--token", "canary"]),
        2,
        &["--token", "the URL"],
        &["canary"],
    );
    let here = run(&["query", "--token", "canary", "--scale-factor", "0.01", "SELECT 1"]);
    assert_paragraph(&here, 2, &["--token", "--url"], &["canary"]);
}

#[test]
fn a_schema_that_is_not_there() {
    let workspace = workspace(|builder| builder);
    let url = format!("{}?schema=nowhere", workspace.uri());
    let output = run(&["query", "--url", &url, "SELECT 1"]);
    assert_paragraph(
        &output,
        1,
        &["[SCHEMA_NOT_FOUND]", "NOT_FOUND, SQLSTATE 42704"],
        &["SQLSTATE: "],
    );
}

#[test]
fn a_port_that_somebody_has_and_text_that_is_none() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let output = run(&["serve", "--port", &port, "--scale-factor", "0.01"]);
    assert_paragraph(&output, 4, &["in use", "--port"], &[]);

    let mut client = dbsql(&["query", "-"]).stdin(Stdio::piped()).spawn().expect("a client");
    let mut sql = client.stdin.take().expect("its input");
    sql.write_all(b"SELECT \xff").expect("written");
    drop(sql);
    assert_paragraph(&client.wait_with_output().expect("it ends"), 2, &["UTF-8"], &[]);
}

#[cfg(unix)]
#[test]
fn a_server_killed_while_the_result_is_read() {
    let mut server = dbsql(&["serve", "--port", "0", "--scale-factor", "0.05", "--token", "t"])
        .spawn()
        .expect("a server");
    let mut greeting = BufReader::new(server.stdout.take().expect("its output")).lines();
    let url = greeting
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            line.split('"')
                .find(|part| part.starts_with("databricks://"))
                .map(str::to_owned)
        })
        .expect("the URI is printed");
    std::thread::spawn(move || greeting.count());

    // A pipe that nobody empties holds the reader in the middle of the result.
    let mut client = dbsql(&[
        "query",
        "--url",
        &url,
        "--format",
        "csv",
        "-O",
        "databricks.cloudfetch.memory_budget_bytes=1",
        "-O",
        "databricks.cloudfetch.parallel_downloads=1",
        "-O",
        "databricks.retry.max_retries=1",
        "SELECT * FROM samples.tpch.lineitem",
    ])
    .spawn()
    .expect("a client");
    let mut rows = client.stdout.take().expect("its output");
    let mut some = [0_u8; 1000];
    rows.read_exact(&mut some).expect("the first rows");
    server.kill().expect("killed");
    server.wait().expect("gone");
    std::thread::spawn(move || std::io::copy(&mut rows, &mut std::io::sink()));
    let output = client.wait_with_output().expect("it ends");
    assert_paragraph(&output, 4, &["127.0.0.1"], &[]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_on_the_workspace() {
    let workspace = workspace(|builder| builder.scale_factor(0.05));
    let client = dbsql(&["query", "--url", &workspace.uri(), FOREVER])
        .spawn()
        .expect("a client");
    let cancels = || {
        workspace
            .requests()
            .iter()
            .filter(|request| request.path.ends_with("/cancel"))
            .count()
    };
    wait_until("the statement", || {
        workspace
            .requests()
            .iter()
            .any(|request| request.path.starts_with("/api/2.0/sql/statements"))
    });
    interrupt(client.id());
    let output = client.wait_with_output().expect("it ends");
    assert_paragraph(&output, 130, &["cancelled"], &[]);
    wait_until("the cancel", || cancels() == 1);
    wait_until("the record", || {
        workspace.telemetry().iter().any(|record| {
            let log = &record.log["entry"]["sql_driver_log"];
            record.violations.is_empty() && log["error_info"]["error_name"] == "cancelled"
        })
    });
}

#[cfg(unix)]
fn interrupt(pid: u32) {
    let status = Command::new("kill")
        .args(["-INT", &pid.to_string()])
        .stdout(Stdio::null())
        .status()
        .expect("kill");
    assert!(status.success());
}

#[test]
fn a_result_for_nobody_is_not_an_error() {
    let mut client = dbsql(&[
        "query",
        "--format",
        "csv",
        "--scale-factor",
        "0.01",
        "SELECT * FROM samples.tpch.lineitem",
    ])
    .spawn()
    .expect("a client");
    drop(client.stdout.take());
    let output = client.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[test]
fn a_file_that_is_no_table_is_a_warning() {
    let data = tempfile::tempdir().expect("a directory");
    std::fs::write(data.path().join("broken.parquet"), "no parquet").expect("written");
    std::fs::write(data.path().join("whole.csv"), "a\n1\n").expect("written");
    let place = data.path().to_str().expect("text");
    let run = |sql| {
        run(&[
            "query",
            "--data",
            place,
            "--scale-factor",
            "0.01",
            "--format",
            "csv",
            sql,
        ])
    };
    let output = run("SHOW TABLES IN main.data");
    assert!(
        output.status.success() && stdout(&output).contains("whole"),
        "{output:?}"
    );
    assert!(stderr(&output).starts_with("warning: The file ") && stderr(&output).contains("broken.parquet"));
}
