//! Who else may look? Listeners that show [`activity`] records outside of the library that makes them.
//!
//! | listener | shows |
//! |---|---|
//! | [`JsonLines`] | every completed activity, as a line of JSON in a file that only its owner can read |
//! | [`Console`] | every completed tree, as an outline for people |
//! | `TracingListener` (feature `tracing`) | every activity, as a live span of the application's `tracing` subscriber |
//! | `OtelListener` (feature `opentelemetry`) | every activity, as a live span of an OpenTelemetry tracer provider |
//!
//! With the feature `otlp`, `otlp::Pipeline` is such a provider: it sends to a collector, as the `OTEL_EXPORTER_OTLP_*`
//! variables say.
//!
//! Each is installed at a [`Source`](activity::Source) and removed by dropping the
//! [`Registration`]. Nothing global is ever installed: no subscriber, no hook, no logger.
//! Several can listen side by side, and none changes what another one sees.
//!
//! All of them read a record through [`iter_local`](activity::Record::iter_local): tags of the scopes `Local` and
//! `All`. Free text, such as SQL, and events are shown only by a listener that was asked for them with `with_text`,
//! even when another listener of the same source has them recorded.
//!
//! ```
//! use activity::{EventKind, Operation, Source};
//! use activity_bridge::JsonLines;
//!
//! activity::tags! {
//!     /// What we know about a statement.
//!     pub static TAGS;
//!     /// How often the status was asked for.
//!     pub const POLL_COUNT: u64 = "poll.count", scope: Local, merge: Sum;
//! }
//! static SOURCE: Source = Source::new("example", &TAGS);
//! static EXECUTE: Operation = Operation::new("Statement.Execute", EventKind::NONE);
//!
//! # let folder = tempfile::tempdir().unwrap();
//! let traces = JsonLines::builder("example").with_folder(folder.path()).open()?;
//! let registration = traces.listen_to(&SOURCE);
//! let mut statement = SOURCE.start(&EXECUTE);
//! statement.set(POLL_COUNT, 3);
//! statement.end();
//!
//! drop(registration); // Writes what waits, and ends it.
//! assert_eq!(traces.stats().written, 1);
//! # Ok::<(), activity_bridge::OpenError>(())
//! ```

mod console;
mod error;
mod file;
mod folder;
mod json;
mod json_lines;
#[cfg(feature = "opentelemetry")]
mod otel;
#[cfg(feature = "opentelemetry")]
mod otel_ids;
#[cfg(feature = "otlp")]
pub mod otlp;
mod printer;
mod queue;
#[cfg(feature = "tracing")]
mod spans;
mod utc;
mod view;

pub use activity::Registration;
pub use console::Console;
pub use error::OpenError;
pub use folder::default_folder;
pub use json_lines::{JsonLines, JsonLinesBuilder, JsonLinesStats};
#[cfg(feature = "opentelemetry")]
pub use otel::{OtelListener, current_span};
#[cfg(feature = "opentelemetry")]
pub use otel_ids::ActivityIds;
#[cfg(feature = "tracing")]
pub use spans::TracingListener;
