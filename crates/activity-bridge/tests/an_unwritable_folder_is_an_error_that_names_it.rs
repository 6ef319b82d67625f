//! Whether traces can be written is known when the listener is made.

mod support;

use std::error::Error;
use std::fs;

use activity_bridge::{JsonLines, OpenError};
use support::{files, traces};

#[test]
fn an_unwritable_folder_is_an_error_that_names_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "kept").unwrap();
    for blocked in [file.clone(), file.join("traces")] {
        let error = traces(&blocked).open().unwrap_err();
        assert!(matches!(&error, OpenError::Folder { folder, .. } if *folder == blocked));
        assert_eq!(
            error.to_string(),
            format!("cannot write traces into {}", blocked.display())
        );
        assert!(error.source().is_some());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn a_prefix_cannot_lead_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(101);
    for prefix in ["", "../driver", "a/b", "a\\b", "a b", "é", long.as_str()] {
        let result = JsonLines::builder(prefix).with_folder(folder.path()).open();
        assert!(matches!(result, Err(OpenError::InvalidPrefix)), "{prefix}");
    }
    assert!(files(folder.path()).is_empty());
}
