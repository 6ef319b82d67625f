//! What telemetry costs: the same queries with telemetry on and off, in turns, against one workspace.
//!
//! ```text
//! telemetry_overhead URL compare QUERIES ROUNDS SQL   medians and ratios, in wall-clock time
//! telemetry_overhead URL on|off  QUERIES SQL          one run and no clock, to count its instructions
//! ```
//!
//! `bench/telemetry.sh` runs both and explains the method; `docs/benchmarks.md` has results.

// It reports to people.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, Instant};

use adbc_core::options::{OptionDatabase, OptionValue};
use adbc_core::sync::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_databricks::telemetry::{Stats, TelemetryView};
use adbc_databricks::{Connection, Database, Driver};

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "telemetry_overhead URL compare QUERIES ROUNDS SQL | URL on|off QUERIES SQL";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [url, "compare", queries, rounds, sql] => compare(url, queries.parse()?, rounds.parse()?, sql),
        [url, mode @ ("on" | "off"), queries, sql] => {
            let run = Run::of(&database(url, mode == "on")?, queries.parse()?, sql)?;
            println!("{} rows, {}", run.rows, counters(&run.stats));
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

fn database(url: &str, on: bool) -> Outcome<Database> {
    let key = match on {
        true => "adbc.databricks.telemetry.force_enabled",
        false => "adbc.databricks.telemetry.enabled",
    };
    let options = [
        (OptionDatabase::Uri, OptionValue::String(url.to_owned())),
        (OptionDatabase::from(key), OptionValue::String(on.to_string())),
    ];
    Ok(Driver.new_database_with_opts(options)?)
}

/// One connection: opened, used, closed.
struct Run {
    rows: usize,
    queries: Duration,
    close: Duration,
    stats: Stats,
}

impl Run {
    fn of(database: &Database, queries: usize, sql: &str) -> Outcome<Self> {
        let mut connection = database.new_connection()?;
        let telemetry: TelemetryView = connection.telemetry()?;
        let began = Instant::now();
        let mut rows = 0;
        for _ in 0..queries {
            rows += read(&mut connection, sql)?;
        }
        let queries = began.elapsed();
        let closing = Instant::now();
        drop(connection);
        Ok(Self {
            rows,
            queries,
            close: closing.elapsed(),
            stats: telemetry.stats(),
        })
    }
}

fn read(connection: &mut Connection, sql: &str) -> Outcome<usize> {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query(sql)?;
    let mut rows = 0;
    for batch in statement.execute()? {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

/// Runs of both kinds in turns, each first in every other round, after one of each that does not count.
fn compare(url: &str, queries: usize, rounds: usize, sql: &str) -> Outcome<()> {
    let (on, off) = (database(url, true)?, database(url, false)?);
    let expected = Run::of(&off, 1, sql)?.rows * queries;
    // An endpoint's first close is the longest: nobody knows yet how it behaves.
    let first_close = Run::of(&on, 1, sql)?.close.as_secs_f64() * 1e3;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for first in [round % 2 == 0, round % 2 != 0] {
            let (database, runs) = if first { (&on, &mut with) } else { (&off, &mut without) };
            let run = Run::of(database, queries, sql)?;
            if run.rows != expected {
                return Err(format!("{} rows came of {expected}", run.rows).into());
            }
            runs.push(run);
        }
    }
    let per_query = |run: &Run| run.queries.as_secs_f64() * 1e3 / queries as f64;
    let close = |run: &Run| run.close.as_secs_f64() * 1e3;
    let ratios = with
        .iter()
        .zip(&without)
        .map(|(on, off)| per_query(on) / per_query(off));
    let [low, ratio, high] = quartiles(ratios.collect());
    let [_, time_on, _] = quartiles(with.iter().map(per_query).collect());
    let [_, time_off, _] = quartiles(without.iter().map(per_query).collect());
    let [_, close_on, _] = quartiles(with.iter().map(close).collect());
    let [_, close_off, _] = quartiles(without.iter().map(close).collect());
    println!(
        "off {time_off:.3} ms  on {time_on:.3} ms  on/off {ratio:.3} ({low:.3}–{high:.3})  close off {close_off:.1} ms  \
         on {close_on:.1} ms, the first {first_close:.1} ms  {}",
        counters(&with.last().ok_or(USAGE)?.stats)
    );
    Ok(())
}

fn counters(stats: &Stats) -> String {
    format!(
        "recorded {} delivered {} refused {} dropped {} requests {}",
        stats.recorded,
        stats.delivered,
        stats.refused,
        stats.dropped_total(),
        stats.posts
    )
}

/// The lower quartile, the median and the upper quartile.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    [last / 4, last / 2, last - last / 4].map(|place| values.get(place).copied().unwrap_or(f64::NAN))
}
