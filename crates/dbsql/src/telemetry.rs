//! `dbsql telemetry`, and the records that `dbsql query --telemetry` shows.

use arrow::record_batch::RecordBatch;
use serde_json::Value;

use crate::cli::{TelemetryArgs, TelemetryCommand};
use crate::failure::Failure;
use crate::session::{Session, text};
use crate::target::Target;

mod explain;
mod follow;
mod inbox;
mod summary;

pub(crate) use explain::verdict;

pub(crate) fn run(args: TelemetryArgs) -> Result<(), Failure> {
    if let Some(TelemetryCommand::Explain(args)) = args.command {
        return explain::run(args);
    }
    let target = Target::remote(&args.connect)?;
    let mut session = Session::open_unobserved(&target)?;
    if args.follow {
        follow::run(&mut session)
    } else {
        summary::run(&mut session)
    }
}

/// Prints the records of one session as the inbox holds them. Without a session (connecting failed) all of them are shown.
pub(crate) fn show_run(target: &Target, session_id: Option<&str>) -> Result<(), Failure> {
    let mut session = Session::open_unobserved(target)?;
    // Ids are made by the workspace, of letters, digits and dashes; anything else would not be one.
    let session_id = session_id.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let filter = session_id
        .map(|id| format!(" WHERE session_id = '{id}'"))
        .unwrap_or_default();
    let sql = format!(
        "SELECT log, array_join(violations, '; ') AS violations FROM system.telemetry.driver_log{filter} ORDER BY event_at"
    );
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
