//! What a person sees on standard error while a statement runs. Nothing when standard error is not a terminal.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

/// A spinner with rows and bytes.
pub(crate) struct Progress {
    bar: ProgressBar,
    rows: u64,
    bytes: u64,
}

impl Progress {
    pub(crate) fn start(message: &'static str) -> Self {
        // indicatif draws nothing unless standard error is a terminal.
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, rows: 0, bytes: 0 }
    }

    /// The next phase of the same wait.
    pub(crate) fn then(self, message: &'static str) -> Self {
        self.bar.set_message(message);
        self
    }

    pub(crate) fn advance(&mut self, rows: usize, bytes: usize) {
        self.rows += rows as u64;
        self.bytes += bytes as u64;
        self.bar
            .set_message(format!("{} rows, {}", HumanCount(self.rows), HumanBytes(self.bytes)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
