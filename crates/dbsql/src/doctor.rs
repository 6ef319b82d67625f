//! `dbsql doctor`: tries each step from this machine to a warehouse, and says what to do where one fails.
//!
//! One thread takes the steps in their order; this one prints them as they end, and ends everything when the time is over.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use adbc_core::options::{OptionDatabase, OptionValue};
use serde_json::json;

use crate::cli::DoctorArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::target::Target;

mod certificate;
mod library;
mod network;
mod report;
mod workspace;

use report::{Check, Event, Page, Report, Verdict};

/// A check says at once what fails; a query may wait for the network to come back. What the user sets wins.
const LIMITS: [(&str, &str); 3] = [
    ("databricks.retry.max_retries", "1"),
    ("databricks.cloudfetch.max_url_refresh_attempts", "1"),
    ("databricks.http.connect_timeout_ms", "10000"),
];

/// How long a cancel may take when the time is over.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: DoctorArgs) -> Result<(), Failure> {
    let timeout = Duration::try_from_secs_f64(args.timeout)
        .ok()
        .filter(|timeout| !timeout.is_zero())
        .ok_or_else(|| Failure::Usage(format!("--timeout {} is not a number of seconds", args.timeout)))?;
    let interrupt = Interrupt::listen()?;
    let deadline = Instant::now().checked_add(timeout);
    let target = Target::resolve_over_tls(&args.connect)?;
    let mut options: Vec<_> = LIMITS
        .into_iter()
        .map(|(key, value)| (OptionDatabase::from(key), OptionValue::String(value.to_owned())))
        .collect();
    options.extend(target.options());

    let (events, happened) = mpsc::channel();
    let report = Report { events };
    let steps_interrupt = interrupt.clone();
    let library = args.library.clone();
    thread::Builder::new()
        .name("dbsql-doctor".to_owned())
        .spawn(move || steps(&report, library.as_deref(), options, &steps_interrupt))?;

    let mut out = io::stdout().lock();
    if !args.json {
        let whose = match target.embedded() {
            Some(_) => "a workspace inside this process",
            None => "the warehouse",
        };
        writeln!(out, "From this machine to {whose}:\n")?;
    }
    let mut checks = Vec::new();
    let mut page = Page::default();
    let mut current = "start";
    loop {
        let left = deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        let progress = Progress::start(current);
        let event = happened.recv_timeout(left);
        drop(progress);
        let is_overdue = event.is_err();
        let check = match event {
            Ok(Event::Begun(name)) => {
                current = name;
                continue;
            }
            Ok(Event::Over(check)) => check,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => Check::overdue(current, timeout),
        };
        if !args.json {
            page.print(&mut out, &check)?;
        }
        checks.push(check);
        if is_overdue {
            if interrupt.cancel() {
                // A statement that was to be cancelled must not run on: this is the time in which the workspace hears of it.
                let _ = happened.recv_timeout(GRACE);
            }
            break;
        }
    }
    if interrupt.is_set() {
        return Err(Failure::Interrupted);
    }
    let count = |verdict| {
        checks
            .iter()
            .filter(|check: &&Check| check.verdict() == verdict)
            .count()
    };
    let failed = count(Verdict::Failed);
    if args.json {
        let checks: Vec<_> = checks.iter().map(Check::to_json).collect();
        writeln!(out, "{:#}", json!({ "ok": failed == 0, "checks": checks }))?;
    } else {
        page.end(&mut out)?;
        let summary = match (failed, count(Verdict::Warning)) {
            (0, 0) => "Everything works.".to_owned(),
            (0, warnings) => format!("Everything that was tried works; {warnings} to know about."),
            (failed, _) => format!("{failed} failed; the first is the one to look at."),
        };
        writeln!(out, "\n{summary}")?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Unwell),
    }
}

/// The steps, each with those that it needs.
fn steps(report: &Report, library: Option<&Path>, options: Vec<(OptionDatabase, OptionValue)>, interrupt: &Interrupt) {
    let library = report.check("library", || library::find(library));
    let loaded = report.after("entry point", library, library::load);

    let configured = report.check("configuration", || network::configuration(options.clone()));
    let (database, way) = configured.unzip();
    let (database, way) = (database.as_ref(), way.as_ref());
    report.after("proxy", way, network::proxy);
    let addresses = report.after("name", way, network::name);
    let addresses = report.after("port", way.zip(addresses), |(way, addresses)| {
        network::port(way, addresses)
    });
    let secured = report.after("TLS", way.zip(addresses), |(way, addresses)| {
        network::tls(way, &addresses)
    });
    let answered = report.after("HTTP", way.zip(secured), |(way, ())| network::clock(way));

    let known = report.after("credentials", way.zip(answered), |(way, ())| {
        workspace::credentials(way)
    });
    let seen = report.after("warehouse", way.zip(known), |(way, ())| workspace::warehouse(way));
    let connection = report.after("session", database.zip(seen), |(database, ())| {
        workspace::session(database)
    });
    let connection = connection.as_ref();
    let read = report.after("statement", connection, workspace::select);
    let usable = read.and(connection);
    report.after("storage", usable, workspace::storage);
    let usable = read.and(way.zip(connection));
    report.after("cancel", usable, |(way, connection)| {
        workspace::cancel(way, connection, interrupt)
    });
    report.after("by library", read.and(loaded), |driver| {
        workspace::select_by_library(driver, options)
    });
    report.after("telemetry", database.zip(seen), |(database, ())| {
        workspace::telemetry(database)
    });
    report.after("traces", way.zip(connection), |(way, connection)| {
        workspace::traces(way, connection)
    });
}
