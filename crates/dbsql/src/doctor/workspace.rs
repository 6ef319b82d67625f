//! What a warehouse is for: credentials, a session, statements, results from storage, cancelling; and what is told about it.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, SystemTime};

use adbc_core::error::{Error, Status};
use adbc_core::options::{InfoCode, OptionConnection, OptionDatabase, OptionStatement, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Optionable as _, Statement as _};
use adbc_databricks::diagnosis::{Auth, Diagnosis, Fate};
use adbc_databricks::{Connection, Database};
use adbc_driver_manager::ManagedDriver;
use arrow::array::{Array as _, AsArray as _, RecordBatch, RecordBatchReader};
use arrow::datatypes::Int32Type;

use super::report::{Finding, Outcome};
use crate::interrupt::Interrupt;
use crate::telemetry;

/// Long enough to be cancelled, and bounded should nobody cancel it.
const LONG: &str = "SELECT sum(id % 7) FROM range(1000000000000)";
/// How long the workspace is given to begin the long statement, and each time to answer what became of it.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is asked what became of it.
const QUESTIONS: u32 = 10;
/// A token that ends within this is worth a word.
const SOON: Duration = Duration::from_secs(10 * 60);

pub(super) fn credentials(way: &Diagnosis) -> Outcome<()> {
    let kind = kind_in_words(way.authentication());
    let credentials = way.credentials().map_err(|error| {
        let advice = match way.authentication() {
            Auth::Browser => "sign in once: `dbsql query \"SELECT 1\"` with the same options opens the browser",
            Auth::PersonalAccessToken | Auth::SuppliedToken => "make a new token in the workspace's user settings",
            _ => "check the client id, its secret and its scopes; docs/connecting.md",
        };
        Finding::failed(format!("{kind}: {}", error.message), advice)
    })?;
    let Some(ends) = credentials.ends else {
        return Ok((Finding::ok(kind), ()));
    };
    let Ok(left) = ends.duration_since(SystemTime::now()) else {
        return Err(Finding::failed(
            format!("{kind}, which has ended"),
            "get a new one; a token that the driver gets by itself (docs/connecting.md) is renewed by itself",
        ));
    };
    let fact = format!("{kind}, ends in {}", words(left));
    let renews_itself = matches!(way.authentication(), Auth::ClientCredentials | Auth::Browser);
    Ok(match left < SOON && !renews_itself {
        true => (
            Finding::warning(fact, "get a new one soon: the driver cannot renew it"),
            (),
        ),
        false => (Finding::ok(fact), ()),
    })
}

fn kind_in_words(kind: Auth) -> &'static str {
    match kind {
        Auth::PersonalAccessToken => "personal access token",
        Auth::SuppliedToken => "token of an identity provider",
        Auth::ClientCredentials => "service principal (OAuth client credentials)",
        Auth::Browser => "person (OAuth in a browser)",
        Auth::Other => "of an unknown kind",
    }
}

fn words(left: Duration) -> String {
    let seconds = left.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

pub(super) fn warehouse(way: &Diagnosis) -> Outcome<()> {
    let id = way.warehouse_id();
    let warehouse = match way.warehouse() {
        Ok(warehouse) => warehouse,
        Err(error) => match error.status {
            Status::Unauthenticated => {
                return Err(Finding::failed(
                    error.message,
                    "the workspace refuses the credentials: check the token, that it is of this workspace, and that it has not ended",
                ));
            }
            // Who may use a warehouse need not be allowed to look at it.
            Status::Unauthorized => {
                return Ok((
                    Finding::warning(
                        format!("{id}: the credentials are good, and may not see its state"),
                        "nothing, if the session below works; otherwise ask for the permission CAN USE on the warehouse",
                    ),
                    (),
                ));
            }
            Status::NotFound | Status::InvalidArguments => {
                return Err(Finding::failed(
                    error.message,
                    "check the warehouse's id: its page in the workspace shows the HTTP path under \"Connection details\"",
                ));
            }
            _ => {
                return Err(Finding::failed(
                    error.message,
                    "the host answers, but not as a workspace does: check that it is one, and try again later",
                ));
            }
        },
    };
    let name = match warehouse.name.is_empty() {
        true => id.to_owned(),
        false => format!("{id} \"{}\"", plain(&warehouse.name)),
    };
    Ok(match warehouse.state.as_str() {
        "RUNNING" | "" => (Finding::ok(format!("{name} runs")), ()),
        "DELETED" | "DELETING" => {
            return Err(Finding::failed(format!("{name} is deleted"), "use another warehouse"));
        }
        state => (
            Finding::warning(
                format!("{name} is {}", plain(state)),
                "the session below starts it, which may take minutes (and costs money)",
            ),
            (),
        ),
    })
}

pub(super) fn session(database: &Database) -> Outcome<Connection> {
    let connection = database
        .new_connection()
        .map_err(|error| refused(error, "no session"))?;
    let id = connection.get_option_string(OptionConnection::from("databricks.session_id"));
    let fact = id.map_or_else(
        |_| "opened; the workspace has no sessions".to_owned(),
        |id| format!("opened, {id}"),
    );
    Ok((Finding::ok(fact), connection))
}

fn refused(error: Error, what: &str) -> Finding {
    let advice = match error.status {
        Status::Unauthenticated => "the workspace refuses the credentials: check the token",
        Status::Unauthorized => "ask for the permission CAN USE on the warehouse",
        Status::IO | Status::Timeout => {
            "the workspace was reached a moment ago: try again; `--trace` of dbsql query shows each request"
        }
        _ => "the workspace's own words are above; its query history may say more",
    };
    Finding::failed(format!("{what}: {}", error.message.trim()), advice)
}

/// `SELECT 1` through the driver in this program.
pub(super) fn select(connection: &Connection) -> Outcome<()> {
    let one = || {
        let mut statement = connection.statement()?;
        statement.set_sql_query("SELECT 1")?;
        first(statement.execute()?)
    };
    match one().map_err(|error| refused(error, "SELECT 1"))? {
        Some(1) => Ok((Finding::ok("SELECT 1 is 1"), ())),
        other => Err(strange(other)),
    }
}

/// `SELECT 1` through the shared library, as a driver manager runs it.
pub(super) fn select_by_library(mut driver: ManagedDriver, options: Vec<(OptionDatabase, OptionValue)>) -> Outcome<()> {
    let one = || {
        let mut connection = driver.new_database_with_opts(options)?.new_connection()?;
        let version = version(&connection)?;
        let mut statement = connection.new_statement()?;
        statement.set_sql_query("SELECT 1")?;
        Ok((first(statement.execute()?)?, version))
    };
    let (value, version) = one().map_err(|error| refused(error, "SELECT 1"))?;
    if value != Some(1) {
        return Err(strange(value));
    }
    let fact = format!("SELECT 1 is 1, driver version {version}");
    Ok(match version.trim_start_matches('v') == env!("CARGO_PKG_VERSION") {
        true => (Finding::ok(fact), ()),
        false => (
            Finding::warning(
                format!("{fact}; this program has {}", env!("CARGO_PKG_VERSION")),
                "install the library of this version: dbsql driver install --library FILE",
            ),
            (),
        ),
    })
}

fn version(connection: &impl adbc_core::Connection) -> Result<String, Error> {
    let wanted = HashSet::from([InfoCode::DriverVersion]);
    let batches = connection
        .get_info(Some(wanted))?
        .collect::<Result<Vec<RecordBatch>, _>>()?;
    let text = batches.iter().find_map(|batch| {
        // The union's first kind of value is text.
        let values = batch.column(1).as_union_opt()?;
        let texts = values.child(0).as_string_opt::<i32>()?;
        (!texts.is_empty()).then(|| texts.value(0).to_owned())
    });
    Ok(text.unwrap_or_else(|| "?".to_owned()))
}

/// The number in the first cell, after all rows were read.
fn first(reader: impl RecordBatchReader) -> Result<Option<i32>, Error> {
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let cell = |batch: &RecordBatch| {
        let numbers = batch.columns().first()?.as_primitive_opt::<Int32Type>()?;
        numbers.values().first().copied()
    };
    Ok(batches.iter().find_map(cell))
}

fn strange(value: Option<i32>) -> Finding {
    Finding::failed(
        format!("SELECT 1 is {value:?}"),
        "whatever answers is not a Databricks SQL warehouse",
    )
}

/// A result that comes from cloud storage instead of the workspace.
pub(super) fn storage(connection: &Connection) -> Outcome<()> {
    let one = || {
        let mut statement = connection.statement()?;
        let links = OptionValue::String("EXTERNAL_LINKS".to_owned());
        statement.set_option(OptionStatement::from("databricks.result.disposition"), links)?;
        statement.set_sql_query("SELECT 1")?;
        first(statement.execute()?)
    };
    match one() {
        Ok(_) => Ok((Finding::ok("a result behind a signed link was downloaded"), ())),
        Err(error) => Err(Finding::failed(
            error.message,
            "large results come from cloud storage, another host than the workspace: let the firewall or the proxy pass it; until \
             then -O databricks.result.disposition=INLINE reads small results",
        )),
    }
}

/// Whether a running statement can be cancelled, asked of the workspace itself.
pub(super) fn cancel(way: &Diagnosis, connection: &Connection, interrupt: &Interrupt) -> Outcome<()> {
    let failed = |error: Error| refused(error, "a statement to cancel");
    let mut statement = connection.statement().map_err(failed)?;
    // The workspace then names the statement at once, and can be told to cancel it.
    let at_once = OptionValue::String("0s".to_owned());
    statement
        .set_option(OptionStatement::from("databricks.statement.wait_timeout"), at_once)
        .map_err(failed)?;
    statement.set_sql_query(LONG).map_err(failed)?;
    let handle = statement.get_cancel_handle();
    interrupt.cancels(statement.get_cancel_handle());
    let canceller = thread::spawn(move || {
        thread::sleep(PAUSE);
        handle.try_cancel()
    });
    let outcome = statement.execute().map(drop);
    let _ = canceller.join();
    interrupt.forget();
    let error = match outcome {
        Ok(()) => {
            return Ok((
                Finding::warning(
                    "a long statement ended before it could be cancelled",
                    "nothing: try again if you doubt",
                ),
                (),
            ));
        }
        Err(error) if error.status == Status::Cancelled => error,
        Err(error) => return Err(failed(error)),
    };
    let id = error
        .details
        .iter()
        .flatten()
        .find(|(key, _)| key == "databricks.statement_id");
    let Some(id) = id.map(|(_, id)| String::from_utf8_lossy(id).into_owned()) else {
        return Ok((
            Finding::warning(
                "cancelled here; the workspace had not named the statement yet",
                "the workspace is slow to answer: try again",
            ),
            (),
        ));
    };
    for _ in 0..QUESTIONS {
        match way.fate(&id) {
            Ok(Fate::Cancelled) => {
                return Ok((Finding::ok("the workspace stopped a statement when it was told to"), ()));
            }
            Err(error) if error.status == Status::NotFound => {
                return Ok((Finding::ok("cancelled; the workspace has forgotten the statement"), ()));
            }
            Ok(Fate::Over) => {
                return Ok((
                    Finding::warning(
                        "the statement ended by itself before the cancel arrived",
                        "try again if you doubt",
                    ),
                    (),
                ));
            }
            Ok(Fate::Running) | Err(_) => thread::sleep(PAUSE),
        }
    }
    Err(Finding::failed(
        format!("the workspace was told to cancel statement {id}, which still runs"),
        "cancel it in the query history; Ctrl-C of queries may not reach this workspace",
    ))
}

/// Whether telemetry would be sent, and which rule says so.
pub(super) fn telemetry(database: &Database) -> Outcome<()> {
    let explanation = database
        .explain_telemetry()
        .map_err(|error| refused(error, "telemetry"))?;
    let fact = telemetry::verdict(&explanation);
    let asked = match &explanation.flag {
        Some(_) => format!("; asked {}", explanation.flag_path),
        None => "; nobody was asked".to_owned(),
    };
    Ok((Finding::ok(format!("{fact}{asked}")), ()))
}

/// Where local traces go, and whether any was lost.
pub(super) fn traces(way: &Diagnosis, connection: &Connection) -> Outcome<()> {
    let exporter = way.traces_exporter();
    if exporter == "none" {
        return Ok((
            Finding::ok("none; -O adbc.telemetry.traces_exporter=adbcfile keeps some"),
            (),
        ));
    }
    let key = OptionConnection::from(adbc_databricks::options::TRACES_DROPPED);
    match connection.get_option_int(key).unwrap_or(0) {
        0 => Ok((Finding::ok(format!("{exporter}; none was lost")), ())),
        lost => Ok((
            Finding::warning(
                format!("{exporter}; {lost} activities were lost"),
                "the disk or the collector is slower than the driver: docs/tracing.md",
            ),
            (),
        )),
    }
}

/// What others wrote, without what could move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
