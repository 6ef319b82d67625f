//! This driver, natively: reads the large result batch by batch, or repeats the small query.
//!
//! `fetch URL large` or `fetch URL small COUNT` prints one line of JSON. Telemetry is on unless `TELEMETRY=off`.

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use adbc_core::options::{OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_databricks::{Connection, Driver};

const WAREHOUSE: &str = "/sql/1.0/warehouses/0123456789abcdef";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let telemetry = match env::var("TELEMETRY").as_deref() {
        Ok("off") => "false",
        _ => "true",
    };
    let connect = |url: &str| -> Result<Connection, Box<dyn Error>> {
        let mut options = vec![
            (OptionDatabase::Uri, format!("{url}{WAREHOUSE}")),
            ("databricks.token".into(), "dapi-bench".to_owned()),
            ("adbc.databricks.telemetry.enabled".into(), telemetry.to_owned()),
        ];
        // `OPTION_x=y` in the environment sets the driver option x.
        options.extend(env::vars().filter_map(|(name, value)| Some((name.strip_prefix("OPTION_")?.into(), value))));
        let options = options
            .into_iter()
            .map(|(key, value)| (key, OptionValue::String(value)));
        Ok(Driver.new_database_with_opts(options)?.new_connection()?)
    };
    match arguments[..] {
        [url, "large"] => large(connect(url)?),
        [url, "small", count] => small(connect(url)?, count.parse()?),
        _ => Err("usage: fetch URL large | fetch URL small COUNT".into()),
    }
}

fn large(mut connection: Connection) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let mut statement = connection.new_statement()?;
    statement.set_sql_query("SELECT * FROM samples.tpch.lineitem")?;
    let (mut rows, mut first) = (0, Duration::ZERO);
    for batch in statement.execute()? {
        if rows == 0 {
            first = started.elapsed();
        }
        rows += batch?.num_rows();
    }
    show(&format!(
        "{{\"rows\": {rows}, \"seconds\": {:.4}, \"first_batch_ms\": {:.2}, \"peak_mib\": {}}}",
        started.elapsed().as_secs_f64(),
        first.as_secs_f64() * 1e3,
        bench::peak_mib()
    ));
    Ok(())
}

fn small(mut connection: Connection, count: usize) -> Result<(), Box<dyn Error>> {
    let mut times = bench::Times::default();
    for _ in 0..count {
        let started = Instant::now();
        let mut statement = connection.new_statement()?;
        statement.set_sql_query("SELECT 1")?;
        let mut rows = 0;
        for batch in statement.execute()? {
            rows += batch?.num_rows();
        }
        times.add(started.elapsed());
        if rows != 1 {
            return Err("the small result has one row".into());
        }
    }
    show(&times.to_json());
    Ok(())
}

#[allow(clippy::print_stdout)]
fn show(line: &str) {
    println!("{line}");
}
