//! `dbsql telemetry explain`: whether telemetry is on and why, and what exactly would be sent.
//!
//! Nothing here knows the rules or the records: the driver is asked why, and the bodies are those that it wrote to its audit
//! file while it ran `SELECT 1` against a workspace inside this process.

use std::fs;
use std::io::{self, Write};

use adbc_core::options::{OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_databricks::telemetry::enable::{Environment, Reason};
use adbc_databricks::telemetry::{Explanation, FlagAnswer, FlagSeen, Stats};
use databricks_local::Workspace;
use serde_json::Value;

use crate::cli::{ConnectArgs, ExplainArgs, WorkspaceArgs};
use crate::failure::Failure;
use crate::target::{self, Target};

const NEVER_SENT: &str = "\
Never sent: SQL text, parameters, result values; names of catalogs, schemas, tables, columns, files or people; the
server's address or path; tokens; error messages. docs/tags.md lists every member that can be.";

pub(crate) fn run(args: ExplainArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let small = WorkspaceArgs {
        scale_factor: Some(0.01),
        data: None,
    };
    let target = Target::resolve_with(&args.connect, &small)?;
    let explanation = adbc_databricks::Driver
        .new_database_with_opts(target.options())?
        .explain_telemetry()?;
    let preview = match refused_for_the_process(&explanation.environment) {
        Some(_) => None,
        None => Some(match target.embedded() {
            Some(workspace) => Preview::make(workspace, &args.connect)?,
            None => Preview::make(&target::start(&small, |builder| builder)?, &args.connect)?,
        }),
    };
    if args.raw {
        for body in preview.iter().flat_map(|preview| &preview.bodies) {
            writeln!(out, "{body}")?;
        }
        return Ok(());
    }
    let place = match target.embedded() {
        Some(_) => format!("the workspace inside this process ({})", explanation.host),
        None => explanation.host.clone(),
    };
    writeln!(out, "Telemetry to {place} is {}.\n", verdict(&explanation))?;
    print_rules(&mut out, &explanation)?;
    writeln!(out, "\n{}", what_was_asked(&explanation, target.embedded().is_some()))?;
    match preview {
        Some(preview) => preview.print(&mut out, &explanation, target.embedded().is_some())?,
        None => {
            if let Some(variable) = refused_for_the_process(&explanation.environment) {
                writeln!(
                    out,
                    "Nothing is sent and no record is made, here or anywhere in this process. To see what would be sent \
                     otherwise:\n  env -u {variable} dbsql telemetry explain"
                )?;
            }
        }
    }
    writeln!(out, "\n{NEVER_SENT}")?;
    Ok(())
}

/// The variable that switches telemetry off for the whole process.
fn refused_for_the_process(environment: &Environment) -> Option<&'static str> {
    match environment {
        Environment { do_not_track: true, .. } => Some("DO_NOT_TRACK"),
        Environment { disabled: true, .. } => Some("DATABRICKS_TELEMETRY_DISABLED"),
        _ => None,
    }
}

/// Whether it is on, and what decided.
pub(crate) fn verdict(explanation: &Explanation) -> String {
    let why = match explanation.decision.reason {
        Reason::DoNotTrack => "DO_NOT_TRACK is set",
        Reason::DisabledByEnvironment => "DATABRICKS_TELEMETRY_DISABLED is set",
        Reason::Forced => "the option force_enabled is true",
        Reason::RefusedByOption => "the option enabled is false",
        Reason::RefusedByEnvironment => "DATABRICKS_TELEMETRY_ENABLED is false",
        Reason::FlagOn => "the workspace's feature flag is on",
        Reason::FlagOff => "the workspace's feature flag is off or absent",
        Reason::FlagFailed => "the workspace's feature flag could not be had",
        Reason::FlagNotAsked => "the workspace has not been asked for its feature flag",
        Reason::Unserved => "this process has too many connections with telemetry",
    };
    let on = if explanation.decision.is_on() { "ON" } else { "OFF" };
    format!("{on}: {why}")
}

/// The rules in their order, with what each saw. The first that has an answer decides; the driver says which it was.
fn print_rules(out: &mut impl Write, explanation: &Explanation) -> io::Result<()> {
    let set = |is_set: bool| if is_set { "set" } else { "not set" }.to_owned();
    let said = |said: Option<bool>| said.map_or_else(|| "not set".to_owned(), |value| value.to_string());
    let Explanation {
        environment,
        force,
        option,
        flag,
        decision,
        ..
    } = explanation;
    let decides: &[Reason] = &[decision.reason];
    let rows: [(&str, &str, String, &[Reason]); 7] = [
        (
            "1",
            "DO_NOT_TRACK",
            set(environment.do_not_track),
            &[Reason::DoNotTrack],
        ),
        (
            "",
            "DATABRICKS_TELEMETRY_DISABLED",
            set(environment.disabled),
            &[Reason::DisabledByEnvironment],
        ),
        ("2", "option force_enabled", force.to_string(), &[Reason::Forced]),
        ("3", "option enabled", said(*option), &[Reason::RefusedByOption]),
        (
            "",
            "DATABRICKS_TELEMETRY_ENABLED",
            said(environment.enabled),
            &[Reason::RefusedByEnvironment],
        ),
        (
            "4",
            "the workspace's feature flag: on",
            flag.as_ref().map_or_else(|| "not asked".to_owned(), seen),
            &[Reason::FlagOn],
        ),
        (
            "5",
            "the same: off, absent or unknown",
            String::new(),
            &[Reason::FlagOff, Reason::FlagFailed, Reason::FlagNotAsked],
        ),
    ];
    for (number, rule, value, reasons) in rows {
        let mark = if reasons.iter().any(|reason| decides.contains(reason)) {
            if decision.is_on() {
                "<- decides: on"
            } else {
                "<- decides: off"
            }
        } else {
            ""
        };
        writeln!(
            out,
            "{}",
            format!("  {number:1}  {rule:<34}  {value:<32}  {mark}").trim_end()
        )?;
    }
    Ok(())
}

fn seen(flag: &FlagSeen) -> String {
    let seconds = flag.holds_for.as_secs_f64().round();
    let answer = match flag.answer {
        FlagAnswer::Remembered => "asked before".to_owned(),
        FlagAnswer::Says(value) => value.to_string(),
        FlagAnswer::Absent => "absent".to_owned(),
        FlagAnswer::Unreadable => "unknown: answer is not readable".to_owned(),
        FlagAnswer::Refused(status) => format!("unknown: HTTP {status}"),
        FlagAnswer::Unavailable => "unknown: no answer".to_owned(),
    };
    format!("{answer}, holds {seconds} s")
}

/// What this command did to the workspace that it explains.
fn what_was_asked(explanation: &Explanation, is_embedded: bool) -> String {
    let Explanation {
        flag_name, flag_path, ..
    } = explanation;
    let workspace = if is_embedded { "It" } else { "The workspace" };
    match &explanation.flag {
        None => format!("{workspace} was not asked for its flag, nor for anything else."),
        Some(FlagSeen {
            answer: FlagAnswer::Remembered,
            ..
        }) => format!("{workspace} was asked for its flag earlier; the answer still holds."),
        Some(_) => format!(
            "{workspace} was asked for its flag, with your credentials and nothing else:\n  GET {flag_path}\n  flag \
             {flag_name}"
        ),
    }
}

/// What one `SELECT 1` made the driver send.
struct Preview {
    /// The request bodies in their order.
    bodies: Vec<String>,
    /// Where they went, in the same order: path and status.
    requests: Vec<(String, u16)>,
    stats: Stats,
}

impl Preview {
    fn make(workspace: &Workspace, connect: &ConnectArgs) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let audit = folder.path().join("bodies");
        let text = |value: String| OptionValue::String(value);
        let mut options = vec![(OptionDatabase::Uri, text(workspace.uri()))];
        // What shapes the records; not where the workspace is, nor who asks.
        let shapes = [
            "adbc.databricks.telemetry.",
            "databricks.result.",
            "databricks.statement.",
        ];
        let shaping = connect
            .options
            .iter()
            .filter(|pair| shapes.iter().any(|prefix| pair.key.starts_with(prefix)))
            .map(|pair| (OptionDatabase::from(pair.key.as_str()), text(pair.value.clone())));
        options.extend(shaping);
        for (key, value) in [
            ("adbc.databricks.telemetry.force_enabled", "true".to_owned()),
            (
                "adbc.databricks.telemetry.audit_file",
                audit.to_string_lossy().into_owned(),
            ),
        ] {
            options.push((OptionDatabase::from(key), text(value)));
        }
        let mut connection = adbc_databricks::Driver
            .new_database_with_opts(options)?
            .new_connection()?;
        let telemetry = connection.telemetry()?;
        let mut statement = connection.new_statement()?;
        statement.set_sql_query("SELECT 1")?;
        for batch in statement.execute()? {
            batch?;
        }
        drop(statement);
        drop(connection);
        let requests = workspace
            .requests()
            .into_iter()
            .filter(|request| request.path.starts_with("/telemetry"))
            .map(|request| (format!("{} {}", request.method, request.path), request.status))
            .collect();
        Ok(Self {
            bodies: fs::read_to_string(audit)?.lines().map(str::to_owned).collect(),
            requests,
            stats: telemetry.stats(),
        })
    }

    fn print(&self, out: &mut impl Write, explanation: &Explanation, is_embedded: bool) -> io::Result<()> {
        let condition = match explanation.decision.is_on() {
            true => "One SELECT 1, from connect to close, sends",
            false => "Nothing is sent. Were telemetry on, one SELECT 1, from connect to close, would send",
        };
        writeln!(
            out,
            "\n{condition} {} in {}:",
            count(self.entries(), "record"),
            count(self.bodies.len(), "request")
        )?;
        for (number, body) in self.bodies.iter().enumerate() {
            let place = self.requests.get(number).map_or("POST", |(place, _)| place.as_str());
            writeln!(out, "\n{place}, {} bytes", body.len())?;
            writeln!(out, "{}", readable(body))?;
        }
        let Stats { delivered, .. } = self.stats;
        writeln!(
            out,
            "\nThe driver wrote these bodies, running SELECT 1 against a workspace inside this process, which took {delivered} \
             of {} records.\nEach entry of protoLogs travels as a string of JSON; here it is unfolded (--raw shows the bytes).",
            self.stats.recorded
        )?;
        if !is_embedded {
            writeln!(
                out,
                "{} got none of them. There, the ids, times and the kind of credentials would be its own.",
                explanation.host
            )?;
        }
        Ok(())
    }

    fn entries(&self) -> usize {
        self.bodies.iter().filter_map(|body| entries(body)).sum()
    }
}

fn entries(body: &str) -> Option<usize> {
    let body: Value = serde_json::from_str(body).ok()?;
    Some(body.get("protoLogs")?.as_array()?.len())
}

/// The body with its inner JSON unfolded; as it is when it cannot be read.
fn readable(body: &str) -> String {
    let unfold = || -> Option<String> {
        let mut body: Value = serde_json::from_str(body).ok()?;
        for entry in body.get_mut("protoLogs")?.as_array_mut()? {
            *entry = serde_json::from_str(entry.as_str()?).ok()?;
        }
        serde_json::to_string_pretty(&body).ok()
    };
    unfold().unwrap_or_else(|| body.to_owned())
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
