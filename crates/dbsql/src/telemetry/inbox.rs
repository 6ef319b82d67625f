//! The inbox of a workspace, read through SQL: all of it, or what is new.

use std::collections::HashSet;

use arrow::record_batch::RecordBatch;

use crate::failure::Failure;
use crate::session::{Session, integer, text};

const COLUMNS: &str = "CAST(received_at AS STRING) AS received, CAST(event_at AS STRING) AS happened, event_id, \
     user_agent, driver_name, driver_version, session_id, statement_id, operation_type, statement_type, execution_result, \
     error_name, CAST(is_internal AS BIGINT) AS internal, operation_latency_ms, result_ready_ms, result_consumption_ms, \
     CAST(chunks_present AS BIGINT) AS chunks_present, CAST(chunks_iterated AS BIGINT) AS chunks_iterated, \
     chunk_initial_ms, chunk_slowest_ms, chunk_sum_ms, CAST(poll_count AS BIGINT) AS poll_count, poll_latency_ms, \
     retry_count, CAST(cardinality(violations) AS BIGINT) AS violation_count";

/// One record of the inbox.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Row<'_> {
    /// A column's text, if the record has it.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        text(self.batch, column, self.row)
    }

    /// A column's number, if the record has it and it is not negative.
    pub(super) fn number(&self, column: &str) -> Option<u64> {
        u64::try_from(integer(self.batch, column, self.row)?).ok()
    }
}

/// A reader that hands out each record once.
#[derive(Default)]
pub(super) struct Inbox {
    /// The time of receipt of the last record, as the workspace writes it.
    until: Option<String>,
    /// The records of the last read.
    seen: HashSet<String>,
}

impl Inbox {
    /// Shows each record that came since the last call, in the order of receipt.
    ///
    /// # Blocking
    /// For one query.
    pub(super) fn read(&mut self, session: &mut Session, mut show: impl FnMut(Row<'_>)) -> Result<(), Failure> {
        let news = match &self.until {
            // The workspace's own text goes back to it; a time has no quotes. Requests that came together are not kept in
            // the order of their times, so a moment is read again.
            Some(until) => format!(
                " WHERE received_at >= CAST('{}' AS TIMESTAMP) - INTERVAL '2' SECOND",
                until.replace('\'', "")
            ),
            None => String::new(),
        };
        let sql = format!("SELECT {COLUMNS} FROM system.telemetry.driver_log{news} ORDER BY received_at, event_at");
        let mut seen = HashSet::new();
        for batch in session.rows(&sql)? {
            for row in 0..batch.num_rows() {
                let row = Row { batch: &batch, row };
                self.until = row.text("received").or(self.until.take());
                // A record without an id cannot be told from others without one: one of them is shown.
                let id = row.text("event_id").unwrap_or_default();
                if !self.seen.contains(&id) && !seen.contains(&id) {
                    show(row);
                }
                seen.insert(id);
            }
        }
        self.seen = seen;
        Ok(())
    }
}
