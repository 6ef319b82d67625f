//! A Databricks SQL workspace on your desk.
//!
//! [`Workspace`] answers the SQL Statement Execution API, and the Thrift service that most clients speak first, on loopback, so
//! that a driver, a script or a test can run real queries and send real telemetry with no account and no network: sessions,
//! statements (synchronous, asynchronous, cancelled), results inline or behind signed links that expire, feature flags, OAuth
//! client credentials, and the telemetry endpoints. What drivers post there is checked against the published schema and can be queried with SQL as
//! `system.telemetry.driver_log`.
//!
//! The SQL side is [`engine`], which knows nothing of HTTP. Everything else here is the HTTP side:
//!
//! - `http` is the door: listeners, routes, credentials, faults, the request log;
//! - `thrift` is the second protocol, over the same sessions and statements;
//! - `statement` is the life of a statement, from a checked request to its retained result;
//! - `result` turns Arrow batches into chunks, keeps them in memory or on disk, and signs links to them;
//! - `inbox` keeps telemetry, checks it, and shows it as a table.
//!
//! # The table `system.telemetry.driver_log`
//!
//! One row for each telemetry entry that is kept (the last 100,000, up to 256 MiB), oldest first. A member that an
//! entry does not have, or has with a wrong type, is NULL. Times are in UTC, durations in milliseconds.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `received_at` | TIMESTAMP | when the entry came in |
//! | `event_at` | TIMESTAMP | when the event happened, as the driver says |
//! | `event_id` | STRING | the event's own id, made by the driver |
//! | `authenticated` | BOOLEAN | whether it came to the endpoint that asks for credentials |
//! | `user_agent` | STRING | the request's `User-Agent` |
//! | `driver_name`, `driver_version` | STRING | who sent it |
//! | `session_id`, `statement_id` | STRING | the ids that the workspace gave |
//! | `statement_type` | STRING | `QUERY`, `UPDATE`, `METADATA`, … |
//! | `operation_type` | STRING | `EXECUTE_STATEMENT`, `CREATE_SESSION`, … |
//! | `execution_result` | STRING | the form of the result: `INLINE_ARROW`, `EXTERNAL_LINKS`, … |
//! | `is_compressed` | BOOLEAN | whether the result that came was compressed |
//! | `operation_latency_ms` | BIGINT | how long the operation took |
//! | `result_ready_ms` | BIGINT | from submitting the statement to its result |
//! | `result_consumption_ms` | BIGINT | from the first fetch to the end of the rows |
//! | `chunks_present`, `chunks_iterated` | INT | chunks that the result has, and that reached the consumer |
//! | `chunk_initial_ms`, `chunk_slowest_ms`, `chunk_sum_ms` | BIGINT | downloads: first chunk, slowest, all |
//! | `poll_count` | INT | status requests |
//! | `poll_latency_ms` | BIGINT | time spent in them |
//! | `retry_count` | BIGINT | HTTP requests made again |
//! | `is_internal` | BOOLEAN | whether the driver, not the user, asked |
//! | `auth_type` | STRING | how the client authenticated |
//! | `error_name` | STRING | the category of what failed |
//! | `violations` | `ARRAY<STRING>` | what is wrong with the entry: `path: what`; empty when nothing is |
//! | `log` | STRING | the whole entry as it came |
//!
//! # Examples
//! ```no_run
//! let workspace = databricks_local::Workspace::builder().scale_factor(0.01).start()?;
//! println!("{}", workspace.uri());
//! # Ok::<(), databricks_local::Error>(())
//! ```

pub mod engine;

mod builder;
mod error;
mod faults;
mod http;
mod inbox;
mod requests;
mod result;
mod sessions;
mod state;
mod statement;
mod thrift;
mod tls;
mod workspace;

pub use builder::{Tls, WorkspaceBuilder};
pub use error::{Error, ErrorKind};
pub use faults::{Fault, FaultError};
pub use inbox::InboxRecord;
pub use requests::RequestRecord;
pub use workspace::Workspace;
