//! `dbsql query`.

use std::io::{self, IsTerminal as _, Read as _};
use std::time::{Duration, Instant};

use adbc_core::{Connection as _, Statement as _};
use arrow::array::{Array as _, RecordBatch};
use indicatif::{HumanCount, HumanDuration};

use crate::cli::QueryArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output;
use crate::progress::Progress;
use crate::session::Session;
use crate::target::Target;
use crate::telemetry;
use crate::trace::{self, Trace};

pub(crate) fn run(args: QueryArgs) -> Result<(), Failure> {
    if args.format.is_binary() && args.output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::Usage(format!(
            "{:?} is not for a terminal: redirect standard output or use --output FILE",
            args.format
        )));
    }
    let sql = match args.sql.as_str() {
        "-" => {
            let mut sql = String::new();
            io::stdin().read_to_string(&mut sql).map_err(unreadable)?;
            sql
        }
        sql => sql.to_owned(),
    };
    let interrupt = Interrupt::listen()?;
    let trace = Trace::start(&args.trace);
    let target = Target::resolve(&args.connect, &args.workspace)?;

    let mut run = Run {
        session_id: None,
        interrupt,
    };
    let outcome = run.execute(&args, &target, &sql);
    drop(trace);
    // The connection is closed by now, and its close has delivered the telemetry.
    if args.telemetry
        && let Err(failure) = telemetry::show_run(&target, run.session_id.as_deref())
    {
        // Only the local workspace has an inbox that can be asked. The query's own outcome stays the outcome.
        eprintln!("\ntelemetry: this workspace's inbox cannot be shown");
        failure.print();
    }
    outcome
}

fn unreadable(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => Failure::Usage("the SQL on standard input is not UTF-8".to_owned()),
        _ => Failure::Local(format!("standard input: {error}")),
    }
}

struct Run {
    session_id: Option<String>,
    interrupt: Interrupt,
}

impl Run {
    fn execute(&mut self, args: &QueryArgs, target: &Target, sql: &str) -> Result<(), Failure> {
        let began = Instant::now();
        let mut progress = Progress::start("connecting");
        let mut session = Session::open(target, trace::options(&args.trace))?;
        self.session_id = session.id();
        if self.interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
        let mut statement = session.connection.new_statement()?;
        self.interrupt.cancels(statement.get_cancel_handle());
        statement.set_sql_query(sql)?;
        progress = progress.then("executing");
        let reader = self.interrupted_or(statement.execute().map_err(Failure::from))?;

        let schema = reader.schema();
        let mut sink = output::open(args, &schema)?;
        let mut rows = 0_u64;
        for batch in reader {
            let batch = self.interrupted_or(batch.map_err(Failure::from))?;
            rows += batch.num_rows() as u64;
            progress.advance(batch.num_rows(), bytes(&batch));
            sink.write(&batch)?;
            if self.interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
        }
        drop(progress);
        sink.finish()?;
        if schema.fields().is_empty() {
            eprintln!("OK in {}", seconds(began.elapsed()));
        } else {
            let noun = if rows == 1 { "row" } else { "rows" };
            eprintln!("{} {noun} in {}", HumanCount(rows), seconds(began.elapsed()));
        }
        Ok(())
    }

    /// After Ctrl-C every failure of the statement is the interruption, whatever words it comes in.
    fn interrupted_or<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| {
            if self.interrupt.is_set() {
                Failure::Interrupted
            } else {
                failure
            }
        })
    }
}

/// The bytes of these rows alone; batches of one chunk share its buffer.
fn bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
        .sum()
}

fn seconds(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(100) {
        format!("{:.2} s", elapsed.as_secs_f64())
    } else {
        HumanDuration(elapsed).to_string()
    }
}
