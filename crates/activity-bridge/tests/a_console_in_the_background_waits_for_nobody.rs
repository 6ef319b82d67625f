//! A terminal that does not take its text holds up nobody who works; what does not fit is counted and said.

mod support;

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_bridge::Console;
use support::*;

/// Takes no text before it is told to.
struct Stuck {
    until: Receiver<()>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Once the sender is gone there is nothing to wait for.
        let _ = self.until.recv();
        self.taken.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stuck() -> (Stuck, Sender<()>, Arc<Mutex<Vec<u8>>>) {
    let (release, until) = mpsc::channel();
    let taken = Arc::default();
    let writer = Stuck {
        until,
        taken: Arc::clone(&taken),
    };
    (writer, release, taken)
}

#[test]
fn a_console_in_the_background_waits_for_nobody() {
    let (writer, release, taken) = stuck();
    let console = Arc::new(Console::in_background(writer).unwrap());
    let registration = SOURCE.register(Arc::clone(&console) as _);
    // One outline is some 200 bytes: more of them than 4 MiB hold.
    for _ in 0..40_000 {
        run_statement();
    }
    assert!(!console.flush(Duration::ZERO));
    let dropped = console.dropped();
    assert!(dropped > 0);

    drop(release);
    drop(registration);
    let text = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
    let shown = text
        .lines()
        .filter(|line| line.starts_with("Statement.Execute"))
        .count();
    assert_eq!(u64::try_from(shown).unwrap() + dropped, 40_000);
    assert!(
        text.contains(&format!("({dropped} not shown")),
        "{}",
        &text[text.len() - 200..]
    );
}
