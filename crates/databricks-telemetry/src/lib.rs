//! Databricks usage telemetry: turns the driver's activities into records and delivers them without ever hurting the
//! driver.
//!
//! A connection [attaches](Telemetry::attach) with what it knows of itself and a [`Transport`], and holds a [`Lease`].
//! Each operation is a root [`Activity`](activity::Activity) from [`Lease::root`]; polls, downloads and readers are its
//! children. When the last of them lets go the record is complete, once, and then
//!
//! 1. the listener reads it through the allow-list of its kind ([`tags`], [`kinds`]) and puts it into the host's
//!    bounded queue, or drops and counts it: the caller's thread never waits;
//! 2. the host's worker thread takes batches out of the queue, asks the workspace's feature flag if that has the last
//!    word ([`enable`], [`flags`]), and posts them through the transport, with a breaker before each request
//!    ([`breaker`]).
//!
//! Nothing in this crate returns an error to the driver, except for an option's value that cannot be read. What went
//! wrong is counted in [`Stats`].
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use databricks_telemetry::{
//!     Auth, Config, ConnectionFacts, FlagOutcome, FlagRequest, Identity, Outcome, Telemetry, TelemetryPost, Transport,
//!     operations, tags,
//! };
//!
//! /// The driver's HTTP client; here, a workspace that takes everything.
//! struct Http;
//!
//! impl Transport for Http {
//!     fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
//!         assert!(!post.body.contains("SELECT"));
//!         Outcome::Delivered { body: Vec::new() }
//!     }
//!     fn feature_flags(&self, _: &FlagRequest<'_>) -> FlagOutcome {
//!         FlagOutcome::Unavailable
//!     }
//!     fn is_authenticated(&self) -> bool {
//!         true
//!     }
//! }
//!
//! let facts = ConnectionFacts::new("example.com", Identity::of(&[b"pat", b"token"]), Auth::PersonalAccessToken);
//! let mut config = Config::default();
//! config.set("adbc.databricks.telemetry.force_enabled", "true")?;
//!
//! let lease = Telemetry::attach(facts, config, Arc::new(Http));
//! let mut statement = lease.root(&operations::STATEMENT_EXECUTE, None);
//! statement.set_text(tags::DB_STATEMENT, || "SELECT 1".to_owned());
//! statement.set(tags::OPERATION_LATENCY, statement.elapsed());
//! statement.end();
//! assert!(lease.flush(Duration::from_secs(10)));
//! assert_eq!(lease.stats().dropped_total() + lease.stats().delivered, lease.stats().recorded);
//! # Ok::<(), databricks_telemetry::ConfigError>(())
//! ```

pub mod breaker;
pub mod config;
pub mod enable;
pub mod flags;
pub mod kinds;
pub mod operations;
pub mod tags;

mod audit;
mod body;
mod catalogue;
mod event;
mod explain;
mod export;
mod facts;
mod fork;
mod hosts;
mod hub;
mod interceptor;
mod lane;
mod lease;
mod listener;
mod queue;
mod route;
mod schedule;
mod source;
mod stats;
mod system;
mod transport;
mod values;
mod worker;

pub use catalogue::{catalogue_markdown, page_tables};
pub use config::{Config, ConfigError};
pub use enable::{Decision, Environment, Reason, Verdict};
pub use explain::{Explanation, FlagAnswer, FlagSeen};
pub use facts::{ConnectionFacts, Identity};
pub use interceptor::{Execution, Interceptor};
pub use lease::{Lease, Telemetry};
pub use route::Routed;
pub use source::SOURCE;
pub use stats::{DropReason, Stats};
pub use system::{DRIVER_NAME, DRIVER_VERSION, USER_AGENT};
pub use transport::{FlagOutcome, FlagRequest, Outcome, TelemetryPost, Transport, Unreachable};
pub use values::{Auth, ErrorCategory, OperationType, ResultFormat, StatementKind, VolumeOperation};
