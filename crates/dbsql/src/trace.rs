//! Local diagnostics of a run: listeners on the driver's activities, for as long as the run lasts.

use std::sync::Arc;

use activity_bridge::{Console, JsonLines};

use crate::cli::TraceArgs;
use crate::failure::Failure;

/// Keeps the listeners registered; dropping it writes what waits.
#[must_use = "dropping it ends the trace"]
pub(crate) struct Trace {
    _registrations: Vec<activity_bridge::Registration>,
    _files: Option<JsonLines>,
}

impl Trace {
    pub(crate) fn start(args: &TraceArgs) -> Result<Self, Failure> {
        let mut registrations = Vec::new();
        if args.trace {
            let console = Console::stderr().with_text(args.trace_text);
            registrations.push(adbc_databricks::SOURCE.register(Arc::new(console)));
        }
        let files = match &args.trace_dir {
            Some(folder) => {
                let files = JsonLines::builder("adbc-databricks")
                    .with_folder(folder.clone())
                    .with_text(args.trace_text)
                    .open()
                    .map_err(|error| Failure::Usage(format!("--trace-dir: {error}")))?;
                registrations.push(files.listen_to(&adbc_databricks::SOURCE));
                Some(files)
            }
            None => None,
        };
        Ok(Self {
            _registrations: registrations,
            _files: files,
        })
    }
}
