//! Sessions: where statements start from, and how they are executed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use databricks_wire::sea::{ColumnInfo, Parameter};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast;
use futures::stream;

use super::Engine;
use super::catalog::Schema;
use super::error::{Class, SqlError};
use super::plan::{Context, Parsed};
use super::settings::Settings;
use super::stack::OnLargeStack;
use super::statement::{self, Command, Transfer};
use super::types::column_infos;
use super::{analyze, copy_into, ddl, describe, dml, merge, metadata, temporary};

/// A session: its place among the names, its confs. Statements of one session may run at the same time.
pub struct EngineSession {
    engine: Arc<Engine>,
    settings: RwLock<Settings>,
    /// The tables and views that only its statements see, and that go with it.
    temporary: Arc<Schema>,
}

/// What a statement gives. Dropping the stream ends the work behind it.
pub struct Execution {
    /// The columns as a manifest describes them; they agree with `schema`.
    pub columns: Vec<ColumnInfo>,
    /// The schema of the batches, in the Arrow types that a workspace sends.
    pub schema: SchemaRef,
    /// The rows. An error in it is a [`SqlError`] by way of [`SqlError::from_datafusion`].
    pub batches: SendableRecordBatchStream,
    /// Rows that the statement changed, if it is one that changes rows.
    pub num_modified_rows: Option<i64>,
    /// Whether there is a result at all: DDL has none.
    pub returns_rows: bool,
    /// A transfer from or to a volume, for the client to make.
    pub(crate) transfer: Option<Transfer>,
}

impl Execution {
    pub(crate) fn new(batches: SendableRecordBatchStream) -> Self {
        let schema = batches.schema();
        Self {
            columns: column_infos(&schema),
            schema,
            batches,
            num_modified_rows: None,
            returns_rows: true,
            transfer: None,
        }
    }

    pub(crate) fn of_batch(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        Self::new(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            stream::iter([Ok(batch)]),
        )))
    }

    pub(crate) fn without_rows() -> Self {
        let batch = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        Self {
            returns_rows: false,
            ..Self::of_batch(batch)
        }
    }
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution")
            .field("columns", &self.columns)
            .field("num_modified_rows", &self.num_modified_rows)
            .field("returns_rows", &self.returns_rows)
            .finish_non_exhaustive()
    }
}

impl EngineSession {
    pub(crate) fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self {
            engine,
            settings: RwLock::new(settings),
            temporary: temporary::schema(),
        }
    }

    /// The catalog that names start in.
    pub fn current_catalog(&self) -> String {
        self.settings().catalog
    }

    /// The schema that names start in.
    pub fn current_schema(&self) -> String {
        self.settings().schema
    }

    /// Executes one statement. Queries have been planned when this returns, and run while their stream is read; statements that change
    /// something have done so. Dropping the future ends the work; a change is then made whole or not at all.
    ///
    /// # Errors
    /// Whatever is wrong with the statement, its names, its parameters, or the change that it makes. Errors of a query's rows arise in
    /// the stream.
    pub async fn execute(&self, sql: &str, parameters: &[Parameter]) -> Result<Execution, SqlError> {
        self.execute_with(sql, parameters, &BTreeMap::new()).await
    }

    /// The same under confs that hold for this statement alone.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute), or that a conf makes no sense.
    pub async fn execute_with(
        &self,
        sql: &str,
        parameters: &[Parameter],
        confs: &BTreeMap<String, String>,
    ) -> Result<Execution, SqlError> {
        let mut settings = self.settings();
        for (name, value) in confs {
            settings.set(name, value)?;
        }
        OnLargeStack::new(self.execute_here(sql, parameters, settings)).await
    }

    async fn execute_here(
        &self,
        sql: &str,
        parameters: &[Parameter],
        settings: Settings,
    ) -> Result<Execution, SqlError> {
        let context = Context::new(&self.engine, settings, Arc::clone(&self.temporary));
        match statement::parse(sql, parameters)? {
            Command::Analyze(statement) => Box::pin(analyze::analyze(&context, statement)).await,
            Command::CopyInto(copy) => Box::pin(copy_into::copy_into(&context, copy)).await,
            Command::Volume(statement) => copy_into::volume(&context, statement),
            Command::SetNullable {
                table,
                column,
                nullable,
            } => copy_into::set_nullable(&context, &table, &column, nullable).await,
            Command::CreateSchema {
                name,
                if_not_exists,
                comment,
            } => ddl::create_schema(&context, &name, if_not_exists, &comment),
            Command::DescribeQuery(tokens) => Box::pin(metadata::describe_query(&context, tokens, parameters)).await,
            Command::DescribeCatalog(name) => describe::catalog(&context, &name),
            Command::DescribeJson(name) => describe::as_json(&context, &name).await,
            Command::DescribeSchema(name) => describe::schema(&context, &name),
            Command::DescribeColumn {
                table,
                column,
                extended,
            } => analyze::describe_column(&context, &table, &column, extended).await,
            Command::DescribeTable { name, extended } => metadata::describe_table(&context, &name, extended).await,
            Command::Reset(name) => {
                self.change(|settings| {
                    settings.reset(name.as_deref());
                    Ok(())
                })?;
                Ok(Execution::without_rows())
            }
            Command::SetList => metadata::confs(context.settings.all()),
            Command::SetQuery(name) => {
                let value = context.settings.get(&name).unwrap_or_else(|| "<undefined>".to_owned());
                metadata::confs([(name, value)])
            }
            Command::Set { name, value } => {
                self.change(|settings| settings.set(&name, &value))?;
                metadata::confs([(name, value)])
            }
            Command::Show(show) => metadata::show(&context, show).await,
            Command::Sql(tokens) => {
                let parsed = Box::pin(context.parse(tokens, parameters)).await?;
                Box::pin(execute_sql(&context, parsed)).await
            }
            Command::UseCatalog(catalog) => {
                self.change(|settings| settings.use_catalog(&self.engine.catalogs, &catalog))?;
                Ok(Execution::without_rows())
            }
            Command::UseSchema(name) => {
                self.change(|settings| match name.as_slice() {
                    [catalog, schema] => settings.use_schema(&self.engine.catalogs, Some(catalog), schema),
                    [schema] => settings.use_schema(&self.engine.catalogs, None, schema),
                    _ => Err(SqlError::new(
                        Class::PARSE_SYNTAX_ERROR,
                        "Syntax error at or near end of input.",
                    )),
                })?;
                Ok(Execution::without_rows())
            }
        }
    }

    /// Writes a file into a volume, as the Files API does, with the directories above it.
    ///
    /// # Errors
    /// `INVALID_PARAMETER_VALUE` for a path of no volume, `VOLUME_DOES_NOT_EXIST`, or that the file cannot be written.
    ///
    /// # Blocking
    /// Until it is written.
    pub fn write_volume_file(&self, path: &str, content: &[u8]) -> Result<(), SqlError> {
        let place = self.engine.volumes.find(path)?;
        let directory = place.local.parent().unwrap_or(&place.local);
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&place.local, content))
            .map_err(|error| SqlError::new(Class::INTERNAL_ERROR, format!("The file cannot be written: {error}")))
    }

    fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Settings) -> Result<(), SqlError>) -> Result<(), SqlError> {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = settings.clone();
        change(&mut changed)?;
        *settings = changed;
        Ok(())
    }
}

impl fmt::Debug for EngineSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSession").finish_non_exhaustive()
    }
}

async fn execute_sql(context: &Context, parsed: Parsed) -> Result<Execution, SqlError> {
    if parsed.explained {
        return context.explain(parsed).await;
    }
    let Parsed {
        statement,
        bound,
        written,
        by_name,
        ..
    } = parsed;
    match statement {
        ast::Statement::Query(query) => {
            let planned = context.plan_query(*query, &written, &bound).await?;
            Ok(Execution::new(context.stream(planned).await?))
        }
        ast::Statement::Insert(insert) => dml::insert(context, insert, by_name.then_some(&written), &bound).await,
        ast::Statement::Update(update) => dml::update(context, update, &bound).await,
        ast::Statement::Delete(delete) => dml::delete(context, delete, &bound).await,
        ast::Statement::Merge(statement) => merge::merge(context, statement, &bound).await,
        ast::Statement::Truncate(truncate) => ddl::truncate(context, &truncate).await,
        ast::Statement::CreateTable(create) => ddl::create_table(context, create, &written, &bound).await,
        ast::Statement::CreateView(create) => ddl::create_view(context, create, &written, &bound).await,
        ast::Statement::Drop {
            object_type,
            if_exists,
            names,
            cascade,
            ..
        } => ddl::drop(context, &object_type, if_exists, &names, cascade),
        other => {
            let text = other.to_string();
            let head: Vec<&str> = text.split_whitespace().take(2).collect();
            Err(SqlError::new(
                Class::UNSUPPORTED_FEATURE,
                format!("The statement {} is not supported here.", head.join(" ")),
            ))
        }
    }
}
