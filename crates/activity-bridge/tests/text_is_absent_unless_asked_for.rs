//! SQL and events do not land in a file by default, even when another listener has them recorded.

mod support;

use std::fs;

use activity::Level;
use activity::testing::Recorder;
use support::*;

#[test]
fn text_is_absent_unless_asked_for() {
    let (quiet, curious) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let without = traces(quiet.path()).open().unwrap();
    let registration = without.listen_to(&SOURCE);
    assert_eq!(SOURCE.level(), Level::Metrics);
    run_statement();
    let recorder = Recorder::new(Level::Trace);
    let recording = recorder.listen_to(&SOURCE);
    let with = traces(curious.path()).with_text(true).open().unwrap();
    let asked = with.listen_to(&SOURCE);
    run_statement();
    drop((registration, recording, asked));

    assert!(recorder.tree().contains("secret"));
    let text = |folder: &tempfile::TempDir| fs::read_to_string(&files(folder.path())[0]).unwrap();
    assert_eq!(text(&curious).matches("secret").count(), 2);
    assert!(!text(&quiet).contains("secret"));
    assert!(!text(&quiet).contains("db.query.text"));
    let lines = lines(quiet.path());
    assert_eq!(lines.len(), 10);
    assert!(lines.iter().all(|line| line["events"].as_array().unwrap().is_empty()));
    // What only Databricks may see is not for this machine's eyes either.
    assert!(!text(&curious).contains("remote.only"));
}
