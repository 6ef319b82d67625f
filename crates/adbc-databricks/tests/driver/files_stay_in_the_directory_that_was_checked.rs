//! The directory of a transfer is checked once and then held: a link that is put in its place meanwhile leads nobody elsewhere.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use adbc_core::sync::Statement as _;
use serde_json::json;

use crate::support::{self, Reply, Request, Server, ok, statement};

/// `allowed/sub/file` and `elsewhere/file`.
fn desk() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(directory.path()).unwrap();
    for (name, content) in [("allowed/sub", "mine"), ("elsewhere", "secret")] {
        fs::create_dir_all(path.join(name)).unwrap();
        fs::write(path.join(name).join("file"), content).unwrap();
    }
    (directory, path)
}

/// Puts a link to `elsewhere` where `allowed/sub` was.
fn swap(desk: &Path) {
    fs::rename(desk.join("allowed/sub"), desk.join("moved")).unwrap();
    symlink(desk.join("elsewhere"), desk.join("allowed/sub")).unwrap();
}

/// Asks for a transfer, and swaps the directories before it refuses the first attempt.
fn server(desk: PathBuf, operation: &'static str, name: &'static str) -> Server {
    let swapped = AtomicBool::new(false);
    Server::start(move |request, port| {
        if request.is_execute() {
            return Some(transfer(operation, port, &desk.join("allowed/sub").join(name)));
        }
        let is_first = request.path == "/storage/file" && !swapped.swap(true, Ordering::Relaxed);
        if is_first {
            swap(&desk);
            return Some(support::refusal(503, "BUSY"));
        }
        (request.path == "/storage/file").then(|| Reply::Bytes(b"from the volume".to_vec()))
    })
}

fn transfer(operation: &str, port: u16, local: &Path) -> Reply {
    let names = ["operation", "presignedUrl", "headers", "localFile"];
    let columns: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(place, name)| json!({"name": name, "type_text": "STRING", "type_name": "STRING", "position": place}))
        .collect();
    let link = format!("http://127.0.0.1:{port}/storage/file");
    ok(json!({
        "statement_id": "statement-1",
        "status": {"state": "SUCCEEDED"},
        "manifest": {
            "format": "JSON_ARRAY", "schema": {"column_count": 4, "columns": columns}, "total_chunk_count": 1,
            "total_row_count": 1, "truncated": false, "is_volume_operation": true,
        },
        "result": {"chunk_index": 0, "row_offset": 0, "row_count": 1,
            "data_array": [[operation, link, "{}", local.to_str().unwrap()]]},
    }))
}

fn execute(server: &Server, desk: &Path) {
    let allowed = desk.join("allowed");
    let option = ("databricks.volume.allowed_local_paths", allowed.to_str().unwrap());
    let mut connection = server.connect_with(&[option]);
    statement(&mut connection, "the text is the server's business")
        .execute_update()
        .unwrap();
    assert_eq!(
        server.count(|request| request.path == "/storage/file"),
        2,
        "one attempt after the swap"
    );
}

#[test]
fn what_get_writes_is_where_it_was_to_be() {
    let (_directory, desk) = desk();
    let server = server(desk.clone(), "GET", "new");
    execute(&server, &desk);
    assert_eq!(fs::read_to_string(desk.join("moved/new")).unwrap(), "from the volume");
    assert_eq!(fs::read_dir(desk.join("elsewhere")).unwrap().count(), 1);
    assert_eq!(
        fs::read_dir(desk.join("moved")).unwrap().count(),
        2,
        "and no part of it is left"
    );
}

#[test]
fn what_put_reads_is_the_file_that_was_meant() {
    let (_directory, desk) = desk();
    let server = server(desk.clone(), "PUT", "file");
    execute(&server, &desk);
    let sent = server
        .requests()
        .into_iter()
        .filter(|request: &Request| request.path == "/storage/file");
    assert!(sent.map(|request| request.body).all(|body| body == "mine"));
}
