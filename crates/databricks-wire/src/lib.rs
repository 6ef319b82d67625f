//! What a Databricks SQL client and a workspace say to each other, as Rust types.
//!
//! No I/O and no policy: [`sea`] is the SQL Statement Execution API (sessions, statements, results), [`telemetry`] is the
//! driver telemetry that a client posts back, [`flags`] is the feature-flag answer that may allow it, and [`error`] is the
//! body of a refused request.
//!
//! Both the driver and the local workspace use these types, so a mistake here would be invisible between the two. Two
//! antidotes: `tests/golden` holds JSON written from the public documentation and from recorded foreign clients, and the
//! local workspace checks incoming telemetry against a schema of its own that does not use this crate.
//!
//! # Privacy
//! SQL text, parameter values, result cells and signed links are never printed by `Debug`: they are [`Sensitive`] or
//! skipped by a hand-written implementation.

pub mod error;
pub mod flags;
mod quoted;
pub mod sea;
mod sensitive;
pub mod telemetry;

pub use quoted::{NotAnEntry, push_quoted};
pub use sensitive::Sensitive;
