//! The inbox in numbers: latencies, errors, chunks and polls, for each version of each driver.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write as _};

use hdrhistogram::Histogram;

use super::inbox::{Inbox, Row};
use crate::failure::Failure;
use crate::output::{Cells, print_cells};
use crate::session::Session;

/// Sessions whose driver is remembered; with more, all are forgotten and the user agent speaks for the driver.
const SESSIONS: usize = 100_000;

pub(super) fn run(session: &mut Session) -> Result<(), Failure> {
    let mut summary = Summary::default();
    Inbox::default().read(session, |row| summary.add(row))?;
    Ok(writeln!(io::stdout(), "{}", summary.to_text())?)
}

/// What the records come to. Of bounded size, however many there are.
#[derive(Default)]
pub(super) struct Summary {
    records: u64,
    internal: u64,
    violating: u64,
    /// Some drivers name themselves only in the record of the connection; its session ties the others to it.
    drivers: HashMap<String, String>,
    operations: BTreeMap<[String; 4], Operation>,
    chunked: BTreeMap<String, Chunked>,
    polled: BTreeMap<String, Polled>,
    errors: BTreeMap<String, u64>,
}

/// One kind of operation.
#[derive(Default)]
struct Operation {
    records: u64,
    errors: u64,
    latency: Times,
    first_batch: Times,
    consumption: Times,
}

/// The results that came in chunks.
#[derive(Default)]
struct Chunked {
    results: u64,
    present: u64,
    iterated: u64,
    retries: u64,
    first: Times,
    slowest: Times,
    sum: Times,
}

/// The statements that were asked about until they were done.
#[derive(Default)]
struct Polled {
    statements: u64,
    polls: Times,
    time: Times,
}

/// Quantiles of a stream of numbers, exact to three digits.
struct Times(Option<Histogram<u32>>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(3).ok())
    }
}

impl Times {
    fn add(&mut self, value: Option<u64>) {
        if let (Some(histogram), Some(value)) = (&mut self.0, value) {
            histogram.saturating_record(value);
        }
    }

    /// `p50 / p95 / p99`, or a dash when there was nothing.
    fn to_text(&self) -> String {
        match &self.0 {
            Some(histogram) if !histogram.is_empty() => [0.5, 0.95, 0.99]
                .map(|quantile| histogram.value_at_quantile(quantile).to_string())
                .join(" / "),
            _ => "-".to_owned(),
        }
    }
}

impl Summary {
    pub(super) fn add(&mut self, row: Row<'_>) {
        self.records += 1;
        self.internal += u64::from(row.number("internal") == Some(1));
        self.violating += u64::from(row.number("violation_count") > Some(0));
        let driver = self.driver(row);
        let or_dash = |column| row.text(column).unwrap_or_else(|| "-".to_owned());
        let key = [
            driver.clone(),
            or_dash("operation_type"),
            or_dash("statement_type"),
            or_dash("execution_result"),
        ];
        let operation = self.operations.entry(key).or_default();
        operation.records += 1;
        operation.latency.add(row.number("operation_latency_ms"));
        operation.first_batch.add(row.number("result_ready_ms"));
        operation.consumption.add(row.number("result_consumption_ms"));
        if let Some(category) = row.text("error_name") {
            operation.errors += 1;
            *self.errors.entry(category).or_default() += 1;
        }
        if let Some(present) = row.number("chunks_present") {
            let chunked = self.chunked.entry(driver.clone()).or_default();
            chunked.results += 1;
            chunked.present += present;
            chunked.iterated += row.number("chunks_iterated").unwrap_or(0);
            chunked.retries += row.number("retry_count").unwrap_or(0);
            chunked.first.add(row.number("chunk_initial_ms"));
            chunked.slowest.add(row.number("chunk_slowest_ms"));
            chunked.sum.add(row.number("chunk_sum_ms"));
        }
        if let Some(polls) = row.number("poll_count").filter(|polls| *polls > 0) {
            let polled = self.polled.entry(driver).or_default();
            polled.statements += 1;
            polled.polls.add(Some(polls));
            polled.time.add(row.number("poll_latency_ms"));
        }
    }

    /// The driver's name and version: as the record says, else as its session's first record said, else as the request's
    /// user agent says.
    fn driver(&mut self, row: Row<'_>) -> String {
        let session = row.text("session_id");
        if let Some(name) = row.text("driver_name") {
            let driver = match row.text("driver_version") {
                Some(version) => format!("{name} {version}"),
                None => name,
            };
            if let Some(session) = session {
                if self.drivers.len() >= SESSIONS {
                    self.drivers.clear();
                }
                self.drivers.insert(session, driver.clone());
            }
            return driver;
        }
        let of_session = session.and_then(|session| self.drivers.get(&session).cloned());
        let of_request = || Some(row.text("user_agent")?.split_whitespace().next()?.replace('/', " "));
        of_session.or_else(of_request).unwrap_or_else(|| "-".to_owned())
    }

    pub(super) fn to_text(&self) -> String {
        if self.records == 0 {
            return "The inbox is empty: no driver has reported yet.".to_owned();
        }
        let mut text = format!(
            "{} records, {} of them of statements that drivers made for themselves. Times are milliseconds: p50 / p95 / p99.",
            self.records, self.internal
        );
        let table = |text: &mut String, title: &str, cells: &Cells| {
            if !cells.rows.is_empty() {
                let _ = write!(text, "\n\n{title}\n{}", print_cells(cells));
            }
        };
        table(&mut text, "operations", &self.operations());
        table(&mut text, "results in chunks", &self.chunked());
        table(&mut text, "statements that were polled", &self.polled());
        if !self.errors.is_empty() {
            let list: Vec<_> = self
                .errors
                .iter()
                .map(|(category, count)| format!("{category} {count}"))
                .collect();
            let _ = write!(text, "\n\nerrors by category: {}", list.join(", "));
        }
        if self.violating > 0 {
            let _ = write!(
                text,
                "\n{} records violate the schema; see column `violations` of system.telemetry.driver_log",
                self.violating
            );
        }
        text
    }

    fn operations(&self) -> Cells {
        let mut cells = columns(&[
            "driver",
            "operation",
            "type",
            "result",
            "#records",
            "#errors",
            "#latency",
            "#first batch",
            "#consumption",
        ]);
        cells.rows.extend(self.operations.iter().map(|(key, operation)| {
            let mut row = key.to_vec();
            row.extend([operation.records, operation.errors].map(|count| count.to_string()));
            row.extend([&operation.latency, &operation.first_batch, &operation.consumption].map(Times::to_text));
            row
        }));
        cells
    }

    fn chunked(&self) -> Cells {
        let mut cells = columns(&[
            "driver",
            "#results",
            "#chunks",
            "#read",
            "#retries",
            "#first chunk",
            "#slowest chunk",
            "#all chunks",
        ]);
        cells.rows.extend(self.chunked.iter().map(|(driver, chunked)| {
            let mut row = vec![driver.clone()];
            let counts = [chunked.results, chunked.present, chunked.iterated, chunked.retries];
            row.extend(counts.map(|count| count.to_string()));
            row.extend([&chunked.first, &chunked.slowest, &chunked.sum].map(Times::to_text));
            row
        }));
        cells
    }

    fn polled(&self) -> Cells {
        let mut cells = columns(&["driver", "#statements", "#polls each", "#time in polls"]);
        cells.rows.extend(self.polled.iter().map(|(driver, polled)| {
            vec![
                driver.clone(),
                polled.statements.to_string(),
                polled.polls.to_text(),
                polled.time.to_text(),
            ]
        }));
        cells
    }
}

/// Columns with these titles; a `#` in front is not shown and makes it a column of numbers.
fn columns(titles: &[&str]) -> Cells {
    let columns = titles
        .iter()
        .map(|title| (title.trim_start_matches('#').to_owned(), title.starts_with('#')));
    Cells::new(columns.collect())
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn quantiles_are_of_what_was_measured_and_a_zero_is_a_measurement() {
        let mut times = Times::default();
        assert_eq!(times.to_text(), "-");
        times.add(None);
        assert_eq!(times.to_text(), "-");
        times.add(Some(0));
        assert_eq!(times.to_text(), "0 / 0 / 0");
        for value in 1..=200 {
            times.add(Some(value));
        }
        assert_eq!(times.to_text(), "100 / 190 / 198");
        times.add(Some(u64::MAX));
    }
}
