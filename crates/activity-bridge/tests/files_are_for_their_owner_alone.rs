//! Nobody but their owner can read trace files, or list a folder that was made for them.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use activity::ByteCount;
use support::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_are_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("adbc").join("traces");
    let builder = traces(&folder);
    let traces = builder.with_max_file_size(ByteCount(0)).open().unwrap();
    let registration = traces.listen_to(&SOURCE);
    run_statement();
    drop(registration);

    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(folder.parent().unwrap()), 0o700);
    assert_eq!(files(&folder).len(), 5);
    for file in files(&folder) {
        assert_eq!(mode(&file), 0o600);
    }
}

#[test]
fn a_folder_that_was_there_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let traces = traces(folder.path()).open().unwrap();
    assert_eq!(mode(folder.path()), 0o750);
    assert_eq!(mode(&files(folder.path())[0]), 0o600);
    drop(traces);
}
