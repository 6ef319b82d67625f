//! Two processes that trace into one folder do not write into one file.

mod support;

use std::env;
use std::process::{self, Command};

use support::*;

const FOLDER: &str = "ACTIVITY_BRIDGE_TEST_FOLDER";

#[test]
fn each_process_has_a_file_of_its_own() {
    if let Some(folder) = env::var_os(FOLDER) {
        return trace(folder.as_ref());
    }
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path());
    let mut other = Command::new(env::current_exe().unwrap());
    let mut other = other.env(FOLDER, folder.path()).spawn().unwrap();
    let other_pid = other.id();
    assert!(other.wait().unwrap().success());

    let files = files(folder.path());
    let names = files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(names.len(), 2);
    for (name, pid) in names.iter().zip([process::id(), other_pid]) {
        assert!(
            name.starts_with("driver-20") && name.ends_with(&format!("-{pid}.jsonl")),
            "{name}"
        );
    }
    assert_eq!(lines(folder.path()).len(), 10);
}

fn trace(folder: &std::path::Path) {
    let traces = traces(folder).open().unwrap();
    let registration = traces.listen_to(&SOURCE);
    run_statement();
    drop(registration);
}
