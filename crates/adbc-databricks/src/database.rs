use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use adbc_core::error::Result;
use adbc_core::options::{OptionConnection, OptionDatabase, OptionValue};
use adbc_core::sync::Optionable;
use databricks_telemetry::Explanation;

use crate::connection::Connection;
use crate::diagnosis::{self, Diagnosis, Origin};
use crate::error::Result as DriverResult;
use crate::http::Client;
use crate::options::{self, Scope, Settings};
use crate::sea::session::{Namespace, Session};
use crate::traces::Traces;
use crate::uri::{Endpoint, UriOptions};
use crate::{config, observe, runtime, telemetry};

/// A workspace and how to reach it.
///
/// Its connections share one HTTP client. Setting an option affects the connections made afterwards.
#[derive(Debug)]
pub struct Database {
    settings: Settings,
    /// What a connection needs, once one was made, and the process whose it is.
    reached: Mutex<Option<(u32, Reached)>>,
    /// Where the last connection's activities are shown; kept, so that the next one goes on in the same file.
    traces: Mutex<Option<Arc<Traces>>>,
}

/// What the connections of a database share.
#[derive(Clone, Debug)]
struct Reached {
    client: Arc<Client>,
    /// What options, URI, environment and profile say together.
    settings: Settings,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings::new(Scope::Database),
            reached: Mutex::new(None),
            traces: Mutex::new(None),
        }
    }

    pub(crate) fn set(&mut self, key: &str, value: &OptionValue) -> DriverResult<()> {
        self.settings.set(key, value)?;
        if let Some(uri) = self.settings.secret(options::URI).filter(|_| key == options::URI) {
            // Whoever sets a malformed URI shall hear of it now.
            UriOptions::parse(&uri)?;
        }
        *self.reached.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Where this database's connections show their activities, if anywhere.
    fn traces(&self, settings: &Settings) -> DriverResult<Option<Arc<Traces>>> {
        let traces = Traces::open(settings)?;
        // Dropped behind the lock: the last to let go of traces waits for the disk.
        let before = {
            let mut kept = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *kept, traces.clone())
        };
        drop(before);
        Ok(traces)
    }

    /// What the options, the URI and their surroundings say together.
    fn resolved(&self) -> DriverResult<Settings> {
        let mut settings = self.settings.clone();
        if let Some(uri) = settings.secret(options::URI) {
            UriOptions::parse(&uri)?.apply(&mut settings)?;
        }
        config::complete(&mut settings, &config::environment)?;
        Ok(settings)
    }

    /// Where each value that [`Database::resolved`] gives came from.
    fn origins(&self) -> DriverResult<Vec<Origin>> {
        let mut settings = self.settings.clone();
        let mut origins = Vec::new();
        diagnosis::account(&mut origins, &settings, "option");
        if let Some(uri) = settings.secret(options::URI) {
            UriOptions::parse(&uri)?.apply(&mut settings)?;
            diagnosis::account(&mut origins, &settings, "URI");
        }
        origins.extend(config::complete(&mut settings, &config::environment)?);
        Ok(origins)
    }

    fn reach(&self) -> DriverResult<Reached> {
        let mut known = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pid, reached)) = &*known
            && *pid == process::id()
        {
            return Ok(reached.clone());
        }
        let settings = self.resolved()?;
        let endpoint = Endpoint::resolve(&settings)?;
        let client = Arc::new(Client::new(&settings, endpoint)?);
        let reached = Reached { client, settings };
        *known = Some((process::id(), reached.clone()));
        Ok(reached)
    }

    /// Says whether telemetry would be on for a connection, and why, without opening one: what each rule saw, and what the
    /// workspace's feature flag answered. The flag is asked for only where the rules leave it to the workspace; nothing else
    /// is sent.
    ///
    /// # Errors
    /// When the options do not say where the workspace is, or as whom to ask it.
    ///
    /// # Blocking
    /// At most 10 s.
    pub fn explain_telemetry(&self) -> Result<Explanation> {
        let Reached { client, settings } = self.reach()?;
        Ok(telemetry::explain(&client, &settings.inherited_by(Scope::Connection))?)
    }

    /// The way to the workspace, to be tried step by step. Nothing is asked of anybody yet.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the options, their surroundings and the files that they name do not add up to a way.
    ///
    /// # Blocking
    /// Reads the system's certificates and small files.
    pub fn diagnose(&self) -> Result<Diagnosis> {
        let Reached { client, settings } = self.reach()?;
        Ok(Diagnosis::new(client, settings, self.origins()?))
    }

    fn connect(&self, opts: impl IntoIterator<Item = (OptionConnection, OptionValue)>) -> DriverResult<Connection> {
        let Reached {
            client,
            settings: resolved,
        } = self.reach()?;
        let mut settings = resolved.inherited_by(Scope::Connection);
        for (key, value) in opts {
            Connection::check(key.as_ref(), &value)?;
            settings.set(key.as_ref(), &value)?;
        }
        let namespace = Namespace {
            catalog: settings.text(options::CATALOG),
            schema: settings.text(options::SCHEMA),
        };
        let confs = settings.session_confs()?;
        let signing_in = Arc::clone(&client);
        runtime::wait(async move { signing_in.authenticator().sign_in().await })?;
        let traces = self.traces(&resolved)?;
        let lease = telemetry::attach(&client, &settings, traces.as_deref())?;
        let trace = observe::trace_parent(&settings);
        let opening = Session::open(client, Arc::clone(&lease), namespace, confs, trace);
        let session = runtime::wait(opening).map_err(|error| error.context("could not open a session"))?;
        Ok(Connection::new(settings, session, traces))
    }
}

impl adbc_core::sync::Database for Database {
    type ConnectionType = Connection;

    /// Opens a session on the workspace.
    ///
    /// # Blocking
    /// Until the server answered; a stopped warehouse may take minutes to.
    fn new_connection(&self) -> Result<Connection> {
        Ok(self.connect([])?)
    }

    fn new_connection_with_opts(
        &self,
        opts: impl IntoIterator<Item = (OptionConnection, OptionValue)>,
    ) -> Result<Connection> {
        Ok(self.connect(opts)?)
    }
}

impl Optionable for Database {
    type Option = OptionDatabase;

    fn set_option(&mut self, key: OptionDatabase, value: OptionValue) -> Result<()> {
        Ok(self.set(key.as_ref(), &value)?)
    }

    fn get_option_string(&self, key: OptionDatabase) -> Result<String> {
        Ok(self.settings.read_text(key.as_ref())?)
    }

    fn get_option_bytes(&self, key: OptionDatabase) -> Result<Vec<u8>> {
        Ok(self.settings.read_text(key.as_ref())?.into_bytes())
    }

    fn get_option_int(&self, key: OptionDatabase) -> Result<i64> {
        Ok(self.settings.read_integer(key.as_ref())?)
    }

    fn get_option_double(&self, key: OptionDatabase) -> Result<f64> {
        Ok(self.settings.read_double(key.as_ref())?)
    }
}
