//! What waits is written when the registration is dropped, and nothing after that.

mod support;

use activity::Level;
use support::*;

#[test]
fn dropping_the_registration_stops_writing() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path()).open().unwrap();
    assert_eq!(SOURCE.level(), Level::Off);
    let registration = traces.listen_to(&SOURCE);
    run_statement();
    let under_way = SOURCE.start(&EXECUTE);
    drop(registration);
    assert_eq!(lines(folder.path()).len(), 5);
    assert_eq!(SOURCE.level(), Level::Off);

    under_way.end();
    run_statement();
    assert!(!SOURCE.start(&POLL).is_recording());
    drop(traces);
    assert_eq!(lines(folder.path()).len(), 5);
}

#[test]
fn what_completes_after_the_listener_is_gone_goes_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path()).open().unwrap();
    let registration = traces.listen_to(&OTHER);
    OTHER.start(&POLL).end();
    drop(traces);
    assert_eq!(lines(folder.path()).len(), 1);
    OTHER.start(&POLL).end();
    drop(registration);
    assert_eq!(lines(folder.path()).len(), 1);
}

#[test]
fn without_activities_there_is_no_file_left() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path()).open().unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    drop(traces);
    assert!(files(folder.path()).is_empty());
}

/// Tests run side by side, and those above look at what is not recorded.
static OTHER: activity::Source = activity::Source::new("other", &TAGS);
