//! Local diagnostics of a run: the driver's own option for files, and a console for as long as the run lasts.

use std::sync::Arc;

use activity_bridge::Console;
use adbc_core::options::{OptionDatabase, OptionValue};
use adbc_databricks::options::{TRACES_EXPORTER, TRACES_FOLDER_PATH, TRACES_TEXT};

use crate::cli::TraceArgs;

/// Keeps the console listening; dropping it ends the trace.
#[must_use = "dropping it ends the trace"]
pub(crate) struct Trace {
    _console: Option<activity_bridge::Registration>,
}

impl Trace {
    /// The driver has a console too, but one destination for each database; and this one prints in order with the rest of
    /// what a run says on standard error.
    pub(crate) fn start(args: &TraceArgs) -> Self {
        let console = args.trace.then(|| {
            let console = Console::stderr().with_text(args.trace_text);
            adbc_databricks::SOURCE.register(Arc::new(console))
        });
        Self { _console: console }
    }
}

/// The driver's options for `--trace-dir`.
pub(crate) fn options(args: &TraceArgs) -> Vec<(OptionDatabase, OptionValue)> {
    let Some(folder) = &args.trace_dir else {
        return Vec::new();
    };
    let option = |key, value: &str| (OptionDatabase::from(key), OptionValue::String(value.to_owned()));
    vec![
        option(TRACES_EXPORTER, "adbcfile"),
        option(TRACES_FOLDER_PATH, folder),
        option(TRACES_TEXT, if args.trace_text { "true" } else { "false" }),
    ]
}
