//! The way from this machine to a workspace, one step at a time, for whoever has to find out which of them fails.
//!
//! [`Database::diagnose`](crate::Database::diagnose) says where the steps lead and where that was said; each method then takes
//! one, with the driver's own settings, certificates, proxy and credentials, so that what is found holds for the driver. Nothing
//! here returns a secret, and only [`Diagnosis::credentials`] and [`Diagnosis::warehouse`] use one.

mod tls;
mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, SystemTime};

use adbc_core::error::Result;
pub use databricks_telemetry::Auth;
use databricks_wire::sea::{StatementResponse, StatementState, statement_path};
use reqwest::Method;
use serde::Deserialize;

use crate::http::proxy::Route;
use crate::http::{Call, Client};
use crate::options::{self, Settings};
use crate::runtime;

pub use tls::{Handshake, TlsProblem};

/// Where the way to a workspace leads, and the means to try its steps.
pub struct Diagnosis {
    client: Arc<Client>,
    settings: Settings,
    origins: Vec<Origin>,
}

/// Where an option's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The option's key.
    pub key: &'static str,
    /// `option`, `URI`, `variable NAME`, or the profile, its file and its member.
    pub place: String,
}

/// Whether requests go through a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// There is none.
    None,
    /// There is one, and this workspace is reached without it.
    Bypassed {
        /// The variables or the option that say so.
        by: String,
    },
    /// Requests and downloads go through it.
    Used {
        /// `SCHEME://HOST:PORT`, without a user.
        address: String,
        /// The variables or the option that name it.
        by: String,
    },
}

/// What the workspace answered to somebody whom it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Greeting {
    /// The HTTP status. Any means that it is reached.
    pub status: u16,
    /// Its clock, to the second, if it told.
    pub date: Option<SystemTime>,
    /// This machine's clock at the middle of the request.
    pub here: SystemTime,
}

/// Credentials that are ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// When the token ends, if the caller said or the token says.
    pub ends: Option<SystemTime>,
}

/// What the workspace says of the warehouse.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warehouse {
    /// Its name; empty if the workspace does not say.
    #[serde(default)]
    pub name: String,
    /// `RUNNING`, `STOPPED`, `STARTING` and others; empty if the workspace does not say.
    #[serde(default)]
    pub state: String,
}

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits or executes.
    Running,
    /// It was cancelled, or closed.
    Cancelled,
    /// It came to its own end.
    Over,
}

impl Diagnosis {
    pub(crate) fn new(client: Arc<Client>, settings: Settings, origins: Vec<Origin>) -> Self {
        Self {
            client,
            settings,
            origins,
        }
    }

    /// Where each value came from that was not left to its default.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// The workspace as `HOST:PORT`.
    pub fn authority(&self) -> String {
        self.client.endpoint().authority()
    }

    /// The warehouse's id.
    pub fn warehouse_id(&self) -> &str {
        &self.client.endpoint().warehouse_id
    }

    /// Whether the workspace is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.client.endpoint().base.scheme() == "https"
    }

    /// Whether requests go through a proxy, which, and who says so.
    pub fn proxy(&self) -> Proxy {
        let route = self.client.route();
        let by = match route {
            Route::Direct => return Proxy::None,
            Route::Environment => wire::proxy_variables(),
            Route::Proxy(_) if self.settings.has(options::PROXY_HOST) => options::PROXY_HOST.to_owned(),
            Route::Proxy(_) => options::PROXY_URL.to_owned(),
        };
        match (route.proxy_for(&self.client.endpoint().base), route) {
            (Some(proxy), _) => Proxy::Used {
                address: proxy.address(),
                by,
            },
            (None, Route::Proxy(_)) => Proxy::Bypassed {
                by: options::PROXY_BYPASS.to_owned(),
            },
            (None, _) if wire::names_a_proxy() => Proxy::Bypassed { by },
            (None, _) => Proxy::None,
        }
    }

    /// How the driver proves who it is.
    pub fn authentication(&self) -> Auth {
        self.client.authenticator().kind()
    }

    /// The exporter of local traces, `none` if there is none.
    pub fn traces_exporter(&self) -> String {
        self.settings
            .text(options::TRACES_EXPORTER)
            .unwrap_or_else(|| "none".to_owned())
    }

    /// Makes one request for nothing, without credentials, the way that all requests go.
    ///
    /// # Errors
    /// `IO` when there is no answer.
    ///
    /// # Blocking
    /// For one request, within the options' time limits.
    pub fn greet(&self) -> Result<Greeting> {
        let client = Arc::clone(&self.client);
        Ok(runtime::wait(async move {
            let sent = SystemTime::now();
            let (status, date) = client.knock().await?;
            let here = sent + sent.elapsed().unwrap_or_default() / 2;
            Ok(Greeting {
                status,
                date: date.map(SystemTime::from),
                here,
            })
        })?)
    }

    /// Gets the credentials ready as a statement would, which never opens a browser.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when there are none to be had, or they have ended; the identity provider's refusal.
    ///
    /// # Blocking
    /// For the requests that an OAuth token takes; not at all for a token that was given.
    pub fn credentials(&self) -> Result<Credentials> {
        let client = Arc::clone(&self.client);
        let header = runtime::wait(async move { client.authenticator().authorization().await })?;
        let said = self.settings.instant(options::ACCESS_TOKEN_EXPIRES_AT);
        let says = || wire::jwt_end(header.to_str().ok()?.strip_prefix("Bearer ")?);
        Ok(Credentials {
            ends: said.or_else(says).map(SystemTime::from),
        })
    }

    /// Asks the workspace for the warehouse's state, which does not start it.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when the credentials are refused, `UNAUTHORIZED` when they may not see the warehouse, `NOT_FOUND` or
    /// `INVALID_ARGUMENT` when there is none of this id.
    ///
    /// # Blocking
    /// For one request, and those that the options allow after it.
    pub fn warehouse(&self) -> Result<Warehouse> {
        let client = Arc::clone(&self.client);
        // GET /api/2.0/sql/warehouses/{id}: docs.databricks.com/api/workspace/warehouses/get
        Ok(runtime::wait(async move {
            let path = format!("/api/2.0/sql/warehouses/{}", client.endpoint().warehouse_id);
            let call = Call::harmless(&Method::GET, &path);
            client.call(call, None::<&()>, &AtomicU32::new(0)).await
        })?)
    }

    /// Asks the workspace what became of a statement of these credentials.
    ///
    /// # Errors
    /// `NOT_FOUND` when it has forgotten the statement.
    ///
    /// # Blocking
    /// As [`warehouse`](Self::warehouse).
    pub fn fate(&self, statement_id: &str) -> Result<Fate> {
        let client = Arc::clone(&self.client);
        let path = statement_path(statement_id);
        Ok(runtime::wait(async move {
            let call = Call::harmless(&Method::GET, &path);
            let answer: StatementResponse = client.call(call, None::<&()>, &AtomicU32::new(0)).await?;
            Ok(match answer.status.state {
                StatementState::Pending | StatementState::Running => Fate::Running,
                StatementState::Canceled | StatementState::Closed => Fate::Cancelled,
                StatementState::Succeeded | StatementState::Failed | StatementState::Unknown => Fate::Over,
            })
        })?)
    }

    fn connect_timeout(&self) -> Duration {
        self.settings.millis(options::CONNECT_TIMEOUT_MS)
    }
}

impl std::fmt::Debug for Diagnosis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diagnosis")
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

/// Notes the options that `settings` has and that nobody has accounted for, as coming from `place`.
pub(crate) fn account(origins: &mut Vec<Origin>, settings: &Settings, place: &str) {
    for spec in options::CATALOGUE.iter().filter(|spec| settings.has(spec.key)) {
        if !origins.iter().any(|origin| origin.key == spec.key) {
            origins.push(Origin {
                key: spec.key,
                place: place.to_owned(),
            });
        }
    }
}
