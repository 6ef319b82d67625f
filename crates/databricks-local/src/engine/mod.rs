//! The SQL side of the workspace: catalogs, sessions and statements on DataFusion. It knows nothing of HTTP.
//!
//! | catalog | what is in it |
//! |---|---|
//! | `main` | schema `default`, empty and writable; schema `data`, the files of [`EngineConfig::data_dir`] as tables named by their stems |
//! | `samples` | schema `tpch`, the eight tables of the TPC-H benchmark, generated while they are read |
//! | `system` | whatever [`Engine::register_system_table`] puts there |
//!
//! Every catalog has an `information_schema`; the one of `system` spans all catalogs.
//!
//! # What is Databricks here, and what is not
//!
//! Statements are parsed in the Databricks dialect and planned by DataFusion with its Spark functions. The front of the engine adds
//! what DataFusion lacks: session statements (`USE`, `SET`), metadata statements (`SHOW`, `DESCRIBE`), tables that can be changed,
//! parameters, the types and names of results, ANSI arithmetic, and the error classes of a workspace. What stays different is listed
//! in `docs/dialect.md`.

mod analyze;
mod ansi;
pub(crate) mod catalog;
mod constraint;
mod copy_into;
mod ddl;
mod depth;
mod describe;
mod dialect;
mod dml;
mod error;
mod files;
mod function;
mod identifier;
pub(crate) mod information_schema;
mod interval;
mod lateral;
mod merge;
mod metadata;
mod names;
mod parameter;
mod pattern;
mod plan;
mod rewrite;
mod session;
mod settings;
mod stack;
mod statement;
mod table;
mod temporary;
mod tpch;
mod tpch_cache;
pub(crate) mod types;
pub(crate) mod volumes;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use datafusion_spark::SessionStateBuilderSpark;

pub use error::SqlError;
pub use session::{EngineSession, Execution};
pub(crate) use statement::Transfer;

use catalog::{Catalog, Catalogs, Kind, Schema, Table};
use error::Class;
use files::FileTables;
use plan::States;
use settings::Settings;
use tpch::{Tpch, TpchTable};
use tpch_cache::ColumnCache;
use volumes::Volumes;

/// Rows of a batch between operators.
const BATCH_ROWS: usize = 8192;
/// What queries may hold in memory together, when the configuration says nothing.
const DEFAULT_MEMORY_LIMIT_BYTES: usize = 1 << 30;
/// How many of the largest consumers an out-of-memory error names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The size of `samples.tpch`: 1 is 6 million line items, about 1 GB. The default is 0.1.
    pub scale_factor: f64,
    /// A directory whose Parquet, CSV and JSON files, and directories of them, are the tables of `main.data`.
    pub data_dir: Option<PathBuf>,
    /// What the tables of `main` and the operators of all queries together may hold, in bytes. Sorts, aggregations and joins spill
    /// to disk before they reach it; a statement that cannot fails. The default is 1 GiB.
    pub memory_limit: Option<usize>,
    /// Bytes of generated `samples.tpch` columns that are kept for the next query. The default is 64 MiB.
    pub sample_cache_bytes: usize,
    /// How many tasks work on one query. The default is the number of cores.
    pub parallelism: Option<usize>,
    /// Whom `current_user()` names. The default is `local@localhost`.
    pub user: String,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            scale_factor: 0.1,
            data_dir: None,
            memory_limit: None,
            sample_cache_bytes: 64 << 20,
            parallelism: None,
            user: "local@localhost".to_owned(),
        }
    }
}

/// A workspace's data and functions, shared by all its sessions.
pub struct Engine {
    catalogs: Arc<Catalogs>,
    /// What the states of all sessions start from.
    template: SessionState,
    states: States,
    pub(crate) volumes: Arc<Volumes>,
}

impl Engine {
    /// Sets up catalogs and functions. Reads and generates nothing yet, so it takes milliseconds.
    ///
    /// # Errors
    /// `INVALID_PARAMETER_VALUE` when the scale factor is no positive number or the data directory is no directory.
    pub fn new(config: EngineConfig) -> Result<Arc<Self>, SqlError> {
        if !(config.scale_factor.is_finite() && config.scale_factor > 0.0) {
            return Err(SqlError::new(
                Class::INVALID_PARAMETER_VALUE,
                "The scale factor must be a positive number.",
            ));
        }
        if let Some(directory) = &config.data_dir
            && !directory.is_dir()
        {
            let text = format!("The data directory {} is not a directory.", directory.display());
            return Err(SqlError::new(Class::INVALID_PARAMETER_VALUE, text));
        }
        let cores = config
            .parallelism
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
            .max(1);
        let runtime = runtime(config.memory_limit.unwrap_or(DEFAULT_MEMORY_LIMIT_BYTES))?;
        let volumes = Arc::new(Volumes::default());
        let mut template = template(&config, cores, Arc::clone(&runtime), &volumes);
        let catalogs = Catalogs::new([
            main_catalog(config.data_dir, &template),
            samples_catalog(config.scale_factor, cores, config.sample_cache_bytes),
            Catalog::new("system", "System catalog", false, Vec::new()),
        ]);
        template.register_catalog_list(Arc::clone(&catalogs) as Arc<_>);
        Ok(Arc::new(Self {
            catalogs,
            template,
            states: States::default(),
            volumes,
        }))
    }

    pub(crate) fn catalogs(&self) -> &Catalogs {
        &self.catalogs
    }

    /// Why files and directories of [`EngineConfig::data_dir`] that should be tables are none, as of now. Selecting from a table whose files
    /// cannot be read is the same error.
    pub async fn unreadable_files(&self) -> Vec<SqlError> {
        let mut errors = Vec::new();
        for schema in self.catalogs.all().flat_map(|catalog| catalog.all()) {
            errors.extend(schema.unreadable().await);
        }
        errors
    }

    /// Makes `provider` the table `system.<schema>.<table>`, in place of one that has the name.
    pub fn register_system_table(&self, schema: &str, table: &str, provider: Arc<dyn TableProvider>) {
        let Ok(system) = self.catalogs.named("system") else {
            return;
        };
        let table = Table {
            name: table.to_owned(),
            kind: Kind::System,
            comment: None,
            constraints: Vec::new(),
            provider,
        };
        let fresh = Schema::fixed(schema, "", vec![table.clone()]);
        if let Some(there) = system.add(fresh) {
            let replaced: Result<(), std::convert::Infallible> = there.put(table, |_| Ok(false));
            let Ok(()) = replaced;
        }
    }

    /// Opens a session. Names start in `catalog` and `schema`, or in `main.default`.
    ///
    /// # Errors
    /// `NO_SUCH_CATALOG_EXCEPTION`, `SCHEMA_NOT_FOUND`, or `INVALID_PARAMETER_VALUE` for a conf that makes no sense.
    pub fn session(
        self: &Arc<Self>,
        catalog: Option<&str>,
        schema: Option<&str>,
        confs: &BTreeMap<String, String>,
    ) -> Result<Arc<EngineSession>, SqlError> {
        let mut settings = Settings::default();
        for (name, value) in confs {
            settings.set(name, value)?;
        }
        if let Some(catalog) = catalog {
            settings.use_catalog(&self.catalogs, catalog)?;
        }
        if let Some(schema) = schema {
            settings.use_schema(&self.catalogs, None, schema)?;
        }
        Ok(Arc::new(EngineSession::new(Arc::clone(self), settings)))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("catalogs", &self.catalogs)
            .finish_non_exhaustive()
    }
}

fn runtime(memory_limit_bytes: usize) -> Result<Arc<RuntimeEnv>, SqlError> {
    let pool = TrackConsumersPool::new(FairSpillPool::new(memory_limit_bytes), NAMED_CONSUMERS);
    Ok(RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()?)
}

fn template(config: &EngineConfig, cores: usize, runtime: Arc<RuntimeEnv>, volumes: &Arc<Volumes>) -> SessionState {
    let mut session = SessionConfig::new()
        .with_batch_size(BATCH_ROWS)
        .with_target_partitions(cores)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_enable_ansi_mode(true);
    let options = session.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    // NULL is the smallest value, as in Spark.
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    SessionStateBuilder::new()
        .with_config(session)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_spark_features()
        .with_relation_planners(vec![Arc::new(lateral::LateralElements)])
        .with_function_overrides(&config.user)
        .with_files_of(volumes)
        .build()
}

trait WithFunctions {
    fn with_function_overrides(self, user: &str) -> Self;
    fn with_files_of(self, volumes: &Arc<Volumes>) -> Self;
}

impl WithFunctions for SessionStateBuilder {
    fn with_function_overrides(mut self, user: &str) -> Self {
        self.scalar_functions()
            .get_or_insert_with(Vec::new)
            .extend(function::all(user));
        // The Spark library's average is one of doubles; this one keeps decimals decimal.
        self.aggregate_functions()
            .get_or_insert_with(Vec::new)
            .extend(function::aggregates());
        self
    }

    fn with_files_of(mut self, volumes: &Arc<Volumes>) -> Self {
        let function = copy_into::read_files(Arc::clone(volumes));
        self.table_functions()
            .get_or_insert_default()
            .insert(function.name().to_owned(), function);
        self
    }
}

fn main_catalog(data_dir: Option<PathBuf>, template: &SessionState) -> Arc<Catalog> {
    let mut schemas = vec![Schema::writable("default", "Default schema")];
    if let Some(directory) = data_dir {
        let files = FileTables::new(directory, Arc::new(template.clone()));
        schemas.push(Schema::files("data", "Files of the data directory", files));
    }
    Catalog::new("main", "Main catalog", true, schemas)
}

fn samples_catalog(scale_factor: f64, cores: usize, cache_bytes: usize) -> Arc<Catalog> {
    let cache = Arc::new(ColumnCache::new(cache_bytes));
    let tables = Tpch::ALL
        .into_iter()
        .map(|table| Table {
            name: table.name().to_owned(),
            kind: Kind::External,
            comment: None,
            constraints: Vec::new(),
            provider: Arc::new(TpchTable::new(table, scale_factor, cores, Arc::clone(&cache))),
        })
        .collect();
    Catalog::new(
        "samples",
        "Sample data",
        false,
        vec![Schema::fixed("tpch", "The tables of the TPC-H benchmark", tables)],
    )
}
