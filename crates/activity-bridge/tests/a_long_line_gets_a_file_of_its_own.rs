//! A line is never cut: one that is longer than a file may be gets a file of its own.

mod support;

use std::fs;

use activity::ByteCount;
use support::*;

#[test]
fn a_long_line_gets_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let builder = traces(folder.path());
    let traces = builder.with_max_file_size(ByteCount(0)).open().unwrap();
    let registration = traces.listen_to(&SOURCE);
    run_statement();
    drop(registration);
    let per_file = files(folder.path())
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap().lines().count());
    assert_eq!(per_file.collect::<Vec<_>>(), [1; 5]);
}
