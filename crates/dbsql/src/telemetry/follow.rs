//! `dbsql telemetry --follow`: the summary kept up to date on a terminal, a line for each record anywhere else.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::thread;
use std::time::Duration;

use adbc_core::Connection as _;

use super::inbox::{Inbox, Row};
use super::summary::Summary;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::session::Session;

/// How often the workspace is asked for news.
const INTERVAL: Duration = Duration::from_millis(500);
/// The records that are shown below the summary.
const LAST: usize = 8;
/// Moves to the upper left corner; clears to the end of the line; clears to the end of the screen.
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

pub(super) fn run(session: &mut Session) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    interrupt.cancels(session.connection.get_cancel_handle());
    let outcome = if io::stdout().is_terminal() {
        draw(session, &interrupt)
    } else {
        print(session, &interrupt)
    };
    // Ctrl-C is how this ends, also when it meets a query.
    if interrupt.is_set() { Ok(()) } else { outcome }
}

fn print(session: &mut Session, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut inbox = Inbox::default();
    eprintln!("waiting for records; Ctrl-C ends");
    while !interrupt.is_set() {
        let mut lines = Vec::new();
        inbox.read(session, |row| lines.push(line(row)))?;
        for line in lines {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        pause(interrupt);
    }
    Ok(())
}

fn draw(session: &mut Session, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut inbox = Inbox::default();
    let mut summary = Summary::default();
    let mut last = VecDeque::new();
    write!(out, "{HOME}{REST_OF_SCREEN}")?;
    while !interrupt.is_set() {
        inbox.read(session, |row| {
            summary.add(row);
            if last.len() == LAST {
                last.pop_front();
            }
            last.push_back(line(row));
        })?;
        let mut screen = summary.to_text();
        screen.push_str("\n\nthe last records\n");
        for line in &last {
            screen.push_str(line);
            screen.push('\n');
        }
        screen.push_str("\nCtrl-C ends");
        // Line by line over what was there: a screen that is cleared first flickers.
        let screen = screen.replace('\n', &format!("{REST_OF_LINE}\n"));
        write!(out, "{HOME}{screen}{REST_OF_LINE}{REST_OF_SCREEN}")?;
        out.flush()?;
        pause(interrupt);
    }
    Ok(writeln!(out)?)
}

fn pause(interrupt: &Interrupt) {
    for _ in 0..10 {
        if !interrupt.is_set() {
            thread::sleep(INTERVAL / 10);
        }
    }
}

fn line(row: Row<'_>) -> String {
    let column = |name| row.text(name).unwrap_or_default();
    let latency = row.number("operation_latency_ms").map(|ms| format!("{ms} ms"));
    let facts = [
        column("happened"),
        format!("{:<24}", column("operation_type")),
        format!("{:>9}", latency.unwrap_or_default()),
        column("statement_type"),
        column("execution_result"),
        column("statement_id"),
        column("error_name"),
    ];
    let facts: Vec<_> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    facts.join("  ")
}
