use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use adbc_core::error::Result;
use adbc_core::options::{InfoCode, ObjectDepth, OptionConnection, OptionValue};
use adbc_core::sync::Optionable;
use arrow_array::RecordBatchReader;
use arrow_schema::Schema;

use crate::cancel::CancelHandle;
use crate::error::{Error, ErrorKind, Result as DriverResult};
use crate::metadata::Asker;
use crate::metadata::objects::Filters;
use crate::metadata::statistics;
use crate::observe::Purpose;
use crate::options::{self, Scope, Settings};
use crate::sea::partition;
use crate::sea::session::{OpenSession, Session};
use crate::statement::Statement;
use crate::telemetry::TelemetryView;
use crate::traces::Traces;
use crate::{info, metadata, observe};

/// A session on a warehouse.
///
/// Statements and readers may outlive it: the session is closed when the last of them is gone.
pub struct Connection {
    settings: Settings,
    /// `None` only while it is being dropped.
    session: Option<Arc<OpenSession>>,
    cancel: CancelHandle,
    /// What the server said of its version, once it was asked.
    vendor_version: OnceLock<Option<String>>,
}

impl Connection {
    pub(crate) fn new(settings: Settings, session: Session, traces: Option<Arc<Traces>>) -> Self {
        Self {
            settings,
            session: Some(OpenSession::new(session, traces)),
            cancel: CancelHandle::default(),
            vendor_version: OnceLock::new(),
        }
    }

    /// A new statement. Statements of one connection can be used at the same time, each by one thread.
    ///
    /// # Errors
    /// `INVALID_STATE` when the connection is closed.
    pub fn statement(&self) -> Result<Statement> {
        let settings = self.settings.inherited_by(Scope::Statement);
        Ok(Statement::new(settings, Arc::clone(self.session()?)))
    }

    /// Refuses what the driver cannot do although the key is known.
    pub(crate) fn check(key: &str, value: &OptionValue) -> DriverResult<()> {
        let refusable = |spec: &&options::Spec| [options::AUTOCOMMIT, options::READ_ONLY].contains(&spec.key);
        let Some(spec) = options::find(key).filter(refusable) else {
            return Ok(());
        };
        let wanted = options::Value::parse(spec, value)?;
        match (spec.key, wanted) {
            (options::AUTOCOMMIT, options::Value::Flag(false)) => Err(Error::not_implemented(
                "transactions are not supported: autocommit cannot be turned off",
            )),
            (options::READ_ONLY, options::Value::Flag(true)) => {
                Err(Error::not_implemented("read-only connections are not supported"))
            }
            _ => Ok(()),
        }
    }

    /// A look at what becomes of this connection's telemetry, which outlives the connection.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn telemetry(&self) -> Result<TelemetryView> {
        Ok(TelemetryView(Arc::clone(self.session()?.session().lease())))
    }

    fn session(&self) -> DriverResult<&Arc<OpenSession>> {
        self.session
            .as_ref()
            .ok_or_else(|| Error::invalid_state("the connection is closed"))
    }

    /// What it takes to ask the server as a part of the call that `cancel` acts on.
    fn asker<'a>(&'a self, cancel: &'a CancelHandle) -> DriverResult<Asker<'a>> {
        Ok(Asker {
            session: self.session()?,
            settings: &self.settings,
            cancel,
        })
    }

    /// Does a metadata call as one activity.
    fn listing<T>(&self, purpose: Purpose, work: impl FnOnce(&Asker<'_>) -> DriverResult<T>) -> DriverResult<T> {
        let (cancel, _calling) = self.cancel.overlapping();
        let asker = self.asker(&cancel)?;
        let trace = observe::trace_parent(&self.settings);
        observe::listing(asker.session.session().lease(), purpose, trace, || work(&asker))
    }

    fn set(&mut self, key: &str, value: &OptionValue) -> DriverResult<()> {
        Self::check(key, value)?;
        if options::conf_name(key).is_some() {
            return Err(Error::invalid_state(format!(
                "option '{key}' is set before connecting; on an open connection run SET"
            )));
        }
        let spec = self.settings.settable(key)?;
        let wanted = options::Value::parse(spec, value)?.to_text().unwrap_or_default();
        let session = Arc::clone(self.session()?);
        let (cancel, _calling) = self.cancel.overlapping();
        match spec.key {
            options::CATALOG => {
                metadata::use_catalog(&self.asker(&cancel)?, &wanted)?;
                session.session().set_namespace(|namespace| {
                    // As `USE CATALOG` does: the schema is the new catalog's own default.
                    namespace.catalog = Some(wanted);
                    namespace.schema = None;
                });
            }
            options::SCHEMA => {
                metadata::use_schema(&self.asker(&cancel)?, &wanted)?;
                session
                    .session()
                    .set_namespace(|namespace| namespace.schema = Some(wanted));
            }
            _ => {}
        }
        self.settings.set(key, value)?;
        Ok(())
    }

    fn namespace(&self) -> DriverResult<(String, String)> {
        let (cancel, _calling) = self.cancel.overlapping();
        metadata::current_namespace(&self.asker(&cancel)?)
    }

    /// The server's version, which it is asked for once. An answer that did not come is `None`, and asked for again by the next call.
    ///
    /// # Errors
    /// `Cancelled`.
    fn vendor_version(&self) -> DriverResult<Option<String>> {
        if let Some(known) = self.vendor_version.get() {
            return Ok(known.clone());
        }
        let (cancel, _calling) = self.cancel.overlapping();
        let version = self.asker(&cancel).and_then(|asker| metadata::vendor_version(&asker));
        match version {
            Ok(version) => Ok(self.vendor_version.get_or_init(|| version).clone()),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            // It costs nobody the other facts.
            Err(_) => Ok(None),
        }
    }

    fn text(&self, key: &str) -> DriverResult<String> {
        match options::find(key).map(|spec| spec.key) {
            // `USE` in a statement moves the session too, so the server is asked.
            Some(options::CATALOG) => Ok(self.namespace()?.0),
            Some(options::SCHEMA) => Ok(self.namespace()?.1),
            Some(options::SESSION_ID) => match self.session()?.session().id() {
                Some(id) => Ok(id),
                None => self.settings.read_text(key),
            },
            _ => match self.traces_dropped(key)? {
                Some(dropped) => Ok(dropped.to_string()),
                None => self.settings.read_text(key),
            },
        }
    }

    /// The value of the option that counts missing traces, if `key` is that option and there are traces.
    fn traces_dropped(&self, key: &str) -> DriverResult<Option<u64>> {
        if options::canonical(key) != options::TRACES_DROPPED {
            return Ok(None);
        }
        Ok(self.session()?.traces().map(|traces| traces.dropped()))
    }
}

impl adbc_core::sync::Connection for Connection {
    type StatementType = Statement;

    fn new_statement(&mut self) -> Result<Statement> {
        self.statement()
    }

    fn get_cancel_handle(&self) -> Box<dyn adbc_core::sync::CancelHandle> {
        Box::new(self.cancel.clone())
    }

    /// Facts of the driver and the vendor. Only the vendor's version (Databricks SQL's, such as `2026.10`, or the runtime's of a
    /// cluster) is the server's to tell; it is null when the server does not.
    ///
    /// # Errors
    /// `CANCELLED` while the server is asked.
    ///
    /// # Blocking
    /// For one statement, the first time that the vendor's version is asked for: by its code, or by `None`.
    fn get_info(&self, codes: Option<HashSet<InfoCode>>) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        Ok(Box::new(info::reader(codes.as_ref(), || self.vendor_version())?))
    }

    /// Lists what there is, down to `depth`.
    ///
    /// Patterns know `%` and `_`, in any case, and no escape. An absent filter lets everything through; an empty catalog or
    /// schema asks for what has none, which nothing here is. `table_type` takes the names of
    /// [`get_table_types`](adbc_core::sync::Connection::get_table_types). Catalogs and schemas stay in the answer when nothing
    /// in them matches.
    ///
    /// Positions count from 1. Constraints are primary and foreign keys and checks, where the catalog has an information schema.
    ///
    /// # Errors
    /// The server's refusal of a catalog that is named exactly; of others nothing is listed. `INVALID_ARGUMENT` when more than
    /// 4,000,000 tables or columns match.
    ///
    /// # Blocking
    /// For one statement per level (catalogs, schemas, tables, columns, constraints), and one more per level for each catalog
    /// without an information schema.
    fn get_objects(
        &self,
        depth: ObjectDepth,
        catalog: Option<&str>,
        db_schema: Option<&str>,
        table_name: Option<&str>,
        table_type: Option<Vec<&str>>,
        column_name: Option<&str>,
    ) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        let filters = Filters::new(catalog, db_schema, table_name, table_type.as_deref(), column_name);
        let objects = self.listing(Purpose::objects(depth), |asker| {
            metadata::objects::objects(asker, depth, &filters)
        });
        Ok(Box::new(info::of_batch(objects?)))
    }

    /// Asks the server for a table's columns. The names are taken literally; quotes in them are escaped. Columns that are NOT NULL
    /// are not nullable, as in [`get_objects`](adbc_core::sync::Connection::get_objects).
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such table; `INVALID_ARGUMENT` for a catalog without a schema.
    ///
    /// # Blocking
    /// For one statement, `DESCRIBE TABLE EXTENDED … AS JSON`. Of a server that does not know it, and of a temporary view, the columns are
    /// asked for with a second one, and all of them are nullable.
    fn get_table_schema(&self, catalog: Option<&str>, db_schema: Option<&str>, table_name: &str) -> Result<Schema> {
        let (cancel, _calling) = self.cancel.overlapping();
        Ok(metadata::table_schema(
            &self.asker(&cancel)?,
            catalog,
            db_schema,
            table_name,
        )?)
    }

    fn get_table_types(&self) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        Ok(Box::new(self.listing(Purpose::TABLE_TYPES, |_| info::table_types())?))
    }

    /// The statistics beside those that the specification names: the size of a table in storage.
    fn get_statistic_names(&self) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        Ok(Box::new(info::of_batch(statistics::names()?)))
    }

    /// Row counts of tables, what is in their columns, and with `approximate` their sizes in storage.
    ///
    /// With `approximate` it is what the warehouse has at hand (`ANALYZE TABLE … FOR ALL COLUMNS` renews it), which may be
    /// nothing for a table or a column; without, it is computed, which reads the tables and can be dear. The patterns are those of
    /// [`get_objects`](adbc_core::sync::Connection::get_objects).
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when more than 1000 tables or 5000 columns match; the server's, also when rows of one table may not
    /// be read.
    ///
    /// # Blocking
    /// For four statements; then, eight at a time, for one per table and one per column of the tables that were analyzed, or for one
    /// per table and one more for each further 16 columns of it.
    fn get_statistics(
        &self,
        catalog: Option<&str>,
        db_schema: Option<&str>,
        table_name: Option<&str>,
        approximate: bool,
    ) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        let found = self.listing(Purpose::STATISTICS, |asker| {
            statistics::statistics(asker, catalog, db_schema, table_name, approximate)
        });
        Ok(Box::new(info::of_batch(found?)))
    }

    /// # Errors
    /// Always `INVALID_STATE`: each statement has committed by itself.
    fn commit(&mut self) -> Result<()> {
        Err(Error::invalid_state("there is no transaction to commit: autocommit is on").into())
    }

    /// # Errors
    /// Always `INVALID_STATE`: each statement has committed by itself.
    fn rollback(&mut self) -> Result<()> {
        Err(Error::invalid_state("there is no transaction to roll back: autocommit is on").into())
    }

    /// Reads a partition that [`execute_partitions`](adbc_core::sync::Statement::execute_partitions) gave, here or in another
    /// process, with this connection's credentials and its options for fetching results.
    ///
    /// It can be read again, and by several at once: reading neither closes nor cancels the statement.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the bytes are no partition, or one of another workspace; `NOT_FOUND` when the server has
    /// forgotten the result; the server's refusal, when another user executed the statement; `CANCELLED`.
    ///
    /// # Blocking
    /// Until the first chunk of the partition is here.
    fn read_partition(&self, partition: impl AsRef<[u8]>) -> Result<Box<dyn RecordBatchReader + Send + 'static>> {
        let (cancel, _calling) = self.cancel.overlapping();
        let settings = self.settings.inherited_by(Scope::Statement);
        let reader = partition::read(self.session()?, &settings, partition.as_ref(), &cancel)?;
        Ok(Box::new(reader))
    }
}

impl Optionable for Connection {
    type Option = OptionConnection;

    fn set_option(&mut self, key: OptionConnection, value: OptionValue) -> Result<()> {
        Ok(self.set(key.as_ref(), &value)?)
    }

    fn get_option_string(&self, key: OptionConnection) -> Result<String> {
        Ok(self.text(key.as_ref())?)
    }

    fn get_option_bytes(&self, key: OptionConnection) -> Result<Vec<u8>> {
        Ok(self.text(key.as_ref())?.into_bytes())
    }

    fn get_option_int(&self, key: OptionConnection) -> Result<i64> {
        match self.traces_dropped(key.as_ref())? {
            Some(dropped) => Ok(i64::try_from(dropped).unwrap_or(i64::MAX)),
            None => Ok(self.settings.read_integer(key.as_ref())?),
        }
    }

    fn get_option_double(&self, key: OptionConnection) -> Result<f64> {
        match self.traces_dropped(key.as_ref())? {
            Some(dropped) => Ok(dropped as f64),
            None => Ok(self.settings.read_double(key.as_ref())?),
        }
    }
}

impl Drop for Connection {
    /// # Blocking
    /// At most `databricks.close_timeout_ms` for the server to hear of the close, then at most
    /// `adbc.databricks.telemetry.close_timeout_ms` for the last telemetry, and then at most 2 s for local traces.
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.leave(self.settings.millis(options::CLOSE_TIMEOUT_MS));
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("session", &self.session.as_ref().map(|open| open.session()))
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
