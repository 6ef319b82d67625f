//! How far an execution has come: `adbc.statement.exec.progress` and `adbc.statement.exec.max_progress`.
//!
//! ADBC leaves the unit to the driver; here it is rows. It means the progress of the execution and not of whoever reads its result
//! (<https://github.com/apache/arrow-adbc/blob/main/c/include/arrow-adbc/adbc.h>), so what counts are the rows that have arrived
//! here, whether or not the caller has asked for them yet. Of a large result they arrive as earlier ones are read, since only so
//! many bytes may wait.

use std::sync::atomic::{AtomicU64, Ordering};

/// The rows of one execution so far, and how many they will be. Written by whoever works on it, read by anybody at any time.
///
/// Both numbers only inform: no ordering with anything else is promised, nor between the two.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    rows: AtomicU64,
    /// 0 while unknown.
    total: AtomicU64,
    /// Whether it has several parts, each with a total of its own.
    in_parts: bool,
}

impl Progress {
    /// For an execution per bound row: no part's promise is about the whole.
    pub(crate) fn in_parts() -> Self {
        Self {
            in_parts: true,
            ..Self::default()
        }
    }

    /// So many rows more have come, gone or changed.
    pub(crate) fn add(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// The statement says that it changed so many rows.
    pub(crate) fn add_changed(&self, rows: i64) {
        self.add(u64::try_from(rows).unwrap_or_default());
    }

    /// So many rows are promised.
    pub(crate) fn expect(&self, rows: u64) {
        if !self.in_parts {
            self.total.store(rows, Ordering::Relaxed);
        }
    }

    /// Nothing more will come.
    pub(crate) fn complete(&self) {
        self.total.store(self.rows.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The end of one result: of the whole, unless it is one of several.
    pub(crate) fn end_of_result(&self) {
        if !self.in_parts {
            self.complete();
        }
    }

    /// `adbc.statement.exec.progress`.
    pub(crate) fn rows(&self) -> f64 {
        self.rows.load(Ordering::Relaxed) as f64
    }

    /// `adbc.statement.exec.max_progress`: 0 while it is not known.
    pub(crate) fn total(&self) -> f64 {
        self.total.load(Ordering::Relaxed) as f64
    }
}
