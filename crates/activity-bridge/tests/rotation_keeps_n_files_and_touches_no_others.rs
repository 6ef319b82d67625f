//! A full file makes way for a new one, the oldest of the same prefix goes, and nobody else's file does.

mod support;

use std::fs;
use std::time::Duration;

use activity::ByteCount;
use support::*;

#[test]
fn rotation_keeps_n_files_and_touches_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let stamp = "2001-01-01-00-00-00.000000";
    let foreign = [
        format!("driver-two-{stamp}-1.jsonl"),
        format!("other-{stamp}-1.jsonl"),
        format!("driver-{stamp}-1.jsonl.gz"),
        format!("driver-{stamp}-x.jsonl"),
        "driver-notes.jsonl".into(),
        "notes.txt".into(),
    ];
    for name in &foreign {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let named_like_ours = folder.path().join(format!("driver-{stamp}-2.jsonl"));
    fs::create_dir(&named_like_ours).unwrap();
    let of_another_process = (3..9).map(|pid| folder.path().join(format!("driver-{stamp}-{pid}.jsonl")));
    let of_another_process = of_another_process.collect::<Vec<_>>();
    for path in &of_another_process {
        fs::write(path, "").unwrap();
    }

    let max_size = 1000;
    let traces = traces(folder.path())
        .with_max_file_size(ByteCount(max_size))
        .with_max_files(4)
        .open()
        .unwrap();
    let is_foreign = |name: &str| foreign.iter().any(|foreign| foreign == name);
    let ours = || {
        let files = files(folder.path()).into_iter();
        let ours = files.filter(|path| path.is_file() && !is_foreign(path.file_name().unwrap().to_str().unwrap()));
        ours.collect::<Vec<_>>()
    };
    // Opening is the first rotation.
    assert_eq!(ours().len(), 4);
    assert_eq!(of_another_process.iter().filter(|path| path.exists()).count(), 3);

    let registration = traces.listen_to(&SOURCE);
    for _ in 0..50 {
        run_statement();
        assert!(traces.flush(Duration::MAX));
        assert_eq!(ours().len(), 4);
    }
    drop(registration);

    for path in ours() {
        assert!(
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .ends_with(&format!("-{}.jsonl", std::process::id()))
        );
        let length = fs::metadata(&path).unwrap().len();
        assert!(length > 0 && length <= max_size, "{length}");
    }
    // The newest lines are those that are left.
    let newest = ours().last().map(|path| fs::read_to_string(path).unwrap()).unwrap();
    let newest: serde_json::Value = serde_json::from_str(newest.lines().last().unwrap()).unwrap();
    assert_eq!(newest["name"], "Statement.Execute");
    assert_eq!(newest["start_time"], "2026-01-01T00:00:00.539000Z");
    assert_eq!(traces.stats().written, 250);

    for name in &foreign {
        assert_eq!(&fs::read_to_string(folder.path().join(name)).unwrap(), name);
    }
    assert!(named_like_ours.is_dir());
}
