//! A completed root is an outline on the console, with its children in the order in which they began.

mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use activity::Source;
use activity_bridge::Console;
use support::*;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn the_console_prints_the_tree() {
    let (quiet, curious) = (Paper::default(), Paper::default());
    let without = SOURCE.register(Arc::new(Console::to(quiet.clone())));
    let with = SOURCE.register(Arc::new(Console::to(curious.clone()).with_text(true)));
    run_statement();
    drop((without, with));
    run_statement();

    let expected = "\
Statement.Execute ok 6ms, complete after 11ms {poll.count=2, bytes=4096 B, slowest=5ms, format=EXTERNAL_LINKS, \
compressed=true, drift=-2, statement.id=01f0-ab, version=18.1}
  Statement.Poll ok 3ms {poll.count=1}
  Statement.Poll ok 3ms {poll.count=1}
  Chunk.Download ok 5ms {bytes=4096 B, slowest=5ms, format=EXTERNAL_LINKS}
    Http.Request error(timeout) 1ms
";
    assert_eq!(quiet.text(), expected);
    let expected = expected.replace(
        "version=18.1}",
        "version=18.1, db.query.text=SELECT\\n'secret'} [links count=2 url=https://secret]",
    );
    assert_eq!(curious.text(), expected);
}

#[test]
fn a_tree_is_printed_whole_among_others() {
    let paper = Paper::default();
    let registration = OTHER.register(Arc::new(Console::to(paper.clone())));
    let (one, two) = (OTHER.start(&EXECUTE), OTHER.start(&POLL));
    let (download, poll) = (one.child(&DOWNLOAD), one.child(&POLL));
    two.child(&REQUEST).end();
    poll.end();
    download.end();
    two.end();
    one.end();
    drop(registration);
    let text = paper.text();
    let names = text
        .lines()
        .map(|line| line.split(" ok").next().unwrap())
        .collect::<Vec<_>>();
    let expected = [
        "Statement.Poll",
        "  Http.Request",
        "Statement.Execute",
        "  Chunk.Download",
        "  Statement.Poll",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_large_tree_says_what_it_leaves_out() {
    let paper = Paper::default();
    let registration = LARGE.register(Arc::new(Console::to(paper.clone())));
    let root = LARGE.start(&EXECUTE);
    let download = root.child(&DOWNLOAD);
    for _ in 0..1500 {
        download.child(&REQUEST).end();
    }
    download.end();
    root.child(&POLL).end();
    root.end();
    drop(registration);
    let text = paper.text();
    // The root, the download with as many requests as fit, and the number of those that do not, the poll among them.
    assert_eq!(text.lines().count(), 1 + 1000 + 1);
    assert_eq!(text.matches("\n    Http.Request").count(), 999);
    assert!(text.ends_with("  (502 more)\n"), "{text}");
}

#[test]
fn too_many_open_trees_are_counted_by_the_next_root() {
    let paper = Paper::default();
    let registration = MANY.register(Arc::new(Console::to(paper.clone())));
    let roots = (0..16_384 + 3).map(|_| MANY.start(&EXECUTE)).collect::<Vec<_>>();
    for root in &roots {
        root.child(&POLL).end();
    }
    drop(roots);
    drop(registration);
    let text = paper.text();
    assert_eq!(text.matches("\n  Statement.Poll").count(), 16_384);
    assert_eq!(text.matches(" more)").count(), 1);
    assert_eq!(text.lines().nth(2), Some("  (3 more)"));
}

static OTHER: Source = Source::new("other", &TAGS);
static LARGE: Source = Source::new("large", &TAGS);
static MANY: Source = Source::new("many", &TAGS);
