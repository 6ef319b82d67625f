//! `dbsql telemetry`, and the records that `dbsql query --telemetry` shows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::thread;
use std::time::Duration;

use adbc_core::Connection as _;
use arrow::record_batch::RecordBatch;
use serde_json::Value;

use crate::cli::{TelemetryArgs, TelemetryCommand};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Cells, print_cells};
use crate::session::{Session, integer, text};
use crate::target::Target;

/// How often `--follow` asks for news.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);

mod explain;

pub(crate) fn run(args: TelemetryArgs) -> Result<(), Failure> {
    if let Some(TelemetryCommand::Explain(args)) = args.command {
        return explain::run(args);
    }
    let target = Target::remote(&args.connect)?;
    let mut session = Session::open(&target, false)?;
    if args.follow {
        follow(&mut session)
    } else {
        summary(&mut session)
    }
}

/// Prints the records of one session as the inbox holds them. Without a session (connecting failed) all of them are shown.
pub(crate) fn show_run(target: &Target, session_id: Option<&str>) -> Result<(), Failure> {
    let mut session = Session::open(target, false)?;
    // Ids are made by the workspace, of letters, digits and dashes; anything else would not be one.
    let session_id = session_id.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let filter = session_id
        .map(|id| format!(" WHERE session_id = '{id}'"))
        .unwrap_or_default();
    let sql = format!("SELECT log, violations FROM system.telemetry.driver_log{filter} ORDER BY event_at");
    let batches = session.rows(&sql)?;
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let whose = if session_id.is_some() {
        "of this run"
    } else {
        "in all; this run had no session to tell its own apart"
    };
    eprintln!("\ntelemetry: the workspace's inbox received {count} records {whose}");
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let Some(log) = text(batch, "log", row) else { continue };
            eprintln!("\n{}", pretty(&log));
            if let Some(violations) = text(batch, "violations", row).filter(|text| !text.is_empty()) {
                eprintln!("violates the schema: {violations}");
            }
        }
    }
    Ok(())
}

fn pretty(log: &str) -> String {
    let parsed: Result<Value, _> = serde_json::from_str(log);
    parsed
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| log.to_owned())
}

/// What happened to one kind of operation.
#[derive(Default)]
struct Group {
    records: u64,
    errors: u64,
    latencies_ms: Vec<i64>,
}

const COLUMNS: &str = "log, operation_type, statement_type, execution_result, error_name, operation_latency_ms, \
                       CAST(event_at AS STRING) AS event_at, statement_id, violations, driver_name, session_id";

fn summary(session: &mut Session) -> Result<(), Failure> {
    let batches = session.rows(&format!("SELECT {COLUMNS} FROM system.telemetry.driver_log"))?;
    // Some drivers name themselves only in the record of the connection; its session ties the others to it.
    let drivers: HashMap<String, String> = rows(&batches)
        .filter_map(|(batch, row)| Some((text(batch, "session_id", row)?, text(batch, "driver_name", row)?)))
        .collect();
    let mut groups: BTreeMap<[String; 4], Group> = BTreeMap::new();
    let mut categories: BTreeMap<String, u64> = BTreeMap::new();
    let mut invalid = 0_u64;
    for (batch, row) in rows(&batches) {
        let or_dash = |column| text(batch, column, row).unwrap_or_else(|| "-".to_owned());
        let of_session = || drivers.get(&text(batch, "session_id", row)?).cloned();
        let driver = text(batch, "driver_name", row).or_else(of_session);
        let key = [
            driver.unwrap_or_else(|| "-".to_owned()),
            or_dash("operation_type"),
            or_dash("statement_type"),
            or_dash("execution_result"),
        ];
        let group = groups.entry(key).or_default();
        group.records += 1;
        group.latencies_ms.extend(integer(batch, "operation_latency_ms", row));
        if let Some(category) = text(batch, "error_name", row) {
            group.errors += 1;
            *categories.entry(category).or_default() += 1;
        }
        invalid += u64::from(text(batch, "violations", row).is_some_and(|text| !text.is_empty()));
    }
    if groups.is_empty() {
        println!("The inbox is empty: no driver has reported yet.");
        return Ok(());
    }
    let titles = [
        ("driver", false),
        ("operation", false),
        ("type", false),
        ("result", false),
        ("records", true),
        ("errors", true),
        ("p50 ms", true),
        ("p90 ms", true),
        ("p99 ms", true),
        ("max ms", true),
    ];
    let mut cells = Cells::new(titles.map(|(title, number)| (title.to_owned(), number)).to_vec());
    for (key, mut group) in groups {
        group.latencies_ms.sort_unstable();
        let mut row = key.to_vec();
        row.extend([group.records.to_string(), group.errors.to_string()]);
        row.extend([50, 90, 99, 100].map(|percent| percentile(&group.latencies_ms, percent)));
        cells.rows.push(row);
    }
    println!("{}", print_cells(&cells));
    if !categories.is_empty() {
        let list: Vec<String> = categories
            .iter()
            .map(|(category, count)| format!("{category} {count}"))
            .collect();
        println!("errors by category: {}", list.join(", "));
    }
    if invalid > 0 {
        println!("{invalid} records violate the schema; see column `violations` of system.telemetry.driver_log");
    }
    Ok(())
}

fn follow(session: &mut Session) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    interrupt.cancels(session.connection.get_cancel_handle());
    let mut seen = HashSet::new();
    eprintln!("waiting for records; Ctrl-C ends");
    while !interrupt.is_set() {
        let sql = format!("SELECT {COLUMNS}, event_id FROM system.telemetry.driver_log ORDER BY received_at, event_at");
        let batches = session.rows(&sql)?;
        for (batch, row) in rows(&batches) {
            let Some(id) = text(batch, "event_id", row) else {
                continue;
            };
            if seen.insert(id) {
                println!("{}", line(batch, row));
            }
        }
        thread::sleep(FOLLOW_INTERVAL);
    }
    Ok(())
}

fn line(batch: &RecordBatch, row: usize) -> String {
    let column = |name| text(batch, name, row).unwrap_or_default();
    let latency = integer(batch, "operation_latency_ms", row)
        .map(|ms| format!("{ms} ms"))
        .unwrap_or_default();
    let facts = [
        column("event_at"),
        format!("{:<24}", column("operation_type")),
        format!("{latency:>9}"),
        column("statement_type"),
        column("execution_result"),
        column("statement_id"),
        column("error_name"),
    ];
    facts
        .into_iter()
        .filter(|fact| !fact.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

fn rows(batches: &[RecordBatch]) -> impl Iterator<Item = (&RecordBatch, usize)> {
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)))
}

/// The nearest-rank percentile of sorted values, as text.
fn percentile(sorted: &[i64], percent: usize) -> String {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_nearest_rank() {
        let values: Vec<i64> = (1..=200).collect();
        assert_eq!(
            [50, 90, 99, 100].map(|percent| percentile(&values, percent)),
            ["100", "180", "198", "200"]
        );
        assert_eq!(
            (percentile(&[7], 50), percentile(&[], 50)),
            ("7".to_owned(), "-".to_owned())
        );
    }
}
