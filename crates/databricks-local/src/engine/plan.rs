//! From tokens to a statement, from a query to a plan, from a plan to a stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema as ArrowSchema, SchemaRef};
use databricks_wire::sea::Parameter;
use datafusion::common::{ParamValues, TableReference};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{Expr, LogicalPlan, Statement as PlanStatement};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::{DFParserBuilder, Statement as DFStatement};
use datafusion::sql::sqlparser::ast::{self, Ident, ObjectName};
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;
use futures::{StreamExt, TryStreamExt};

use super::Engine;
use super::ansi;
use super::catalog::{Catalogs, Schema, Table};
use super::copy_into;
use super::ddl;
use super::depth;
use super::dialect::LocalDialect;
use super::dml;
use super::error::{Class, SqlError, quoted};
use super::merge;
use super::names::{self, ResultNames, Spellings};
use super::parameter::{self, Bound};
use super::rewrite;
use super::session::Execution;
use super::settings::Settings;
use super::temporary;
use super::types::{DatabricksTypes, wire_batch, wire_schema, with_maps_as_structs};
use super::volumes::Volumes;

mod states;

pub(crate) use states::States;

/// What one statement is executed in: a copy of the session's settings, and a planner that obeys them.
pub(crate) struct Context {
    pub(crate) catalogs: Arc<Catalogs>,
    pub(crate) settings: Settings,
    pub(crate) state: SessionState,
    pub(crate) volumes: Arc<Volumes>,
    /// The session's own tables and views.
    pub(crate) temporary: Arc<Schema>,
}

/// A parsed statement, the values of its markers, and the names that it gives to its result.
pub(crate) struct Parsed {
    pub(crate) statement: ast::Statement,
    pub(crate) explained: bool,
    pub(crate) bound: Bound,
    pub(crate) written: ResultNames,
    /// Whether an `INSERT` puts columns where they have the same name, and not by their place.
    pub(crate) by_name: bool,
}

/// A plan, and the names that its columns have in the result.
pub(crate) struct Planned {
    pub(crate) plan: LogicalPlan,
    pub(crate) names: Vec<String>,
}

/// A place for a table: its catalog's and schema's own spelling, and the name as written.
pub(crate) struct Place {
    pub(crate) catalog: String,
    pub(crate) schema: Arc<Schema>,
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn quoted(&self) -> String {
        let parts = [self.catalog.as_str(), self.schema.name.as_str(), self.name.as_str()];
        quoted(&parts[if self.is_temporary() { 2 } else { 0 }..])
    }

    /// Whether it is among a session's own tables, which are in no catalog and in a schema without a name.
    pub(crate) fn is_temporary(&self) -> bool {
        self.catalog.is_empty()
    }

    /// # Errors
    /// `TABLE_OR_VIEW_NOT_FOUND`.
    pub(crate) async fn table(&self) -> Result<Table, SqlError> {
        match self.schema.named(&self.name).await? {
            Some(table) => Ok(table),
            None => Err(SqlError::new(
                Class::TABLE_OR_VIEW_NOT_FOUND,
                format!(
                    "The table or view {} cannot be found. Verify the spelling and correctness of the schema and catalog.",
                    self.quoted()
                ),
            )),
        }
    }
}

impl Context {
    pub(crate) fn new(engine: &Engine, settings: Settings, own: Arc<Schema>) -> Self {
        let mut state = engine.states.for_settings(&engine.template, &settings);
        let options = Arc::clone(state.config_options());
        state.execution_props_mut().mark_start_execution(options);
        if !own.is_empty() {
            temporary::find_first(&own, &mut state, &engine.catalogs, &settings);
        }
        Self {
            catalogs: Arc::clone(&engine.catalogs),
            settings,
            state,
            volumes: Arc::clone(&engine.volumes),
            temporary: own,
        }
    }

    pub(crate) fn types(&self) -> DatabricksTypes {
        DatabricksTypes {
            time_zone: Arc::clone(&self.settings.time_zone),
        }
    }

    /// Parses one statement and finds the values of its markers.
    ///
    /// # Errors
    /// `PARSE_SYNTAX_ERROR`, and those of [`parameter::bind`].
    pub(crate) async fn parse(&self, tokens: Vec<TokenWithSpan>, parameters: &[Parameter]) -> Result<Parsed, SqlError> {
        depth::check(&tokens)?;
        let tokens = merge::without_stars(with_maps_as_structs(ddl::without_layout(tokens)?));
        let (tokens, by_name) = dml::without_by_name(copy_into::with_plain_arguments(tokens));
        let (tokens, bound) = parameter::bind(tokens, parameters, &self.types())?;
        let parsed = parse_tokens(tokens.clone())?;
        let aliases = names::aliases(&tokens);
        let mut spellings = self.spellings(&parsed).await;
        for (path, format) in copy_into::paths_read(&tokens) {
            if let Ok(files) = copy_into::table_of(&self.volumes, &path, &format, &self.state) {
                spellings.add(files.schema().fields().iter().map(|field| field.name().as_str()));
            }
        }
        let respelled = spellings.respelled(tokens);
        let (mut statement, explained) = plain_statement(parsed)?;
        let written = ResultNames::of(&mut statement, aliases);
        if let Some(tokens) = respelled {
            let (mut respelled, _) = plain_statement(parse_tokens(tokens)?)?;
            ResultNames::of(&mut respelled, BTreeMap::new());
            // What a statement creates is spelled as it is written.
            match (&mut respelled, statement) {
                (ast::Statement::CreateTable(respelled), ast::Statement::CreateTable(create)) => {
                    respelled.columns = create.columns
                }
                (ast::Statement::CreateView(respelled), ast::Statement::CreateView(create)) => {
                    respelled.columns = create.columns
                }
                _ => {}
            }
            statement = respelled;
        }
        rewrite::rewrite(&mut statement)?;
        Ok(Parsed {
            statement,
            explained,
            bound,
            written,
            by_name,
        })
    }

    /// The spellings of the columns of all tables that a statement names.
    ///
    /// The table of an `INSERT` or of a `CREATE TABLE … AS` is not read: its columns spell no name of the source.
    async fn spellings(&self, statement: &DFStatement) -> Spellings {
        let mut spellings = Spellings::default();
        let source = match statement {
            DFStatement::Statement(statement) => match statement.as_ref() {
                ast::Statement::Insert(ast::Insert {
                    source: Some(source), ..
                })
                | ast::Statement::CreateTable(ast::CreateTable {
                    query: Some(source), ..
                }) => Some(DFStatement::Statement(Box::new(ast::Statement::Query(source.clone())))),
                _ => None,
            },
            _ => None,
        };
        for reference in self
            .state
            .resolve_table_references(source.as_ref().unwrap_or(statement))
            .unwrap_or_default()
        {
            if let Ok(table) = self.referenced(&reference).await {
                spellings.add(
                    table
                        .provider
                        .schema()
                        .fields()
                        .iter()
                        .map(|field| field.name().as_str()),
                );
            }
        }
        spellings
    }

    async fn referenced(&self, reference: &TableReference) -> Result<Table, SqlError> {
        let parts: Vec<String> = [reference.catalog(), reference.schema(), Some(reference.table())]
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect();
        self.place(&parts)?.table().await
    }

    /// Where a table of this name is, or would be: a temporary one before all others.
    ///
    /// # Errors
    /// `NO_SUCH_CATALOG_EXCEPTION`, `SCHEMA_NOT_FOUND`.
    pub(crate) fn place(&self, name: &[String]) -> Result<Place, SqlError> {
        match name {
            [name] if self.temporary.holds(name) => Ok(self.temporary_place(name)),
            name => self.lasting_place(name),
        }
    }

    /// The place of a table of the session.
    pub(crate) fn temporary_place(&self, name: &str) -> Place {
        Place {
            catalog: String::new(),
            schema: Arc::clone(&self.temporary),
            name: name.to_owned(),
        }
    }

    /// Where a table of this name is, or would be, among those that outlive the session.
    ///
    /// # Errors
    /// `NO_SUCH_CATALOG_EXCEPTION`, `SCHEMA_NOT_FOUND`.
    pub(crate) fn lasting_place(&self, name: &[String]) -> Result<Place, SqlError> {
        let (catalog, schema, name) = match name {
            [name] => (&self.settings.catalog, &self.settings.schema, name),
            [schema, name] => (&self.settings.catalog, schema, name),
            [catalog, schema, name] => (catalog, schema, name),
            _ => {
                return Err(SqlError::new(
                    Class::PARSE_SYNTAX_ERROR,
                    "A table has a name of one to three parts.",
                ));
            }
        };
        let catalog = self.catalogs.named(catalog)?;
        Ok(Place {
            catalog: catalog.name.clone(),
            schema: catalog.named(schema)?,
            name: name.clone(),
        })
    }

    /// Plans a query.
    ///
    /// # Errors
    /// Whatever does not resolve or does not fit together.
    pub(crate) async fn plan_query(
        &self,
        query: ast::Query,
        written: &ResultNames,
        bound: &Bound,
    ) -> Result<Planned, SqlError> {
        let plan = self.plan_rows(query, bound).await?;
        let names = written.over(plan.schema());
        Ok(Planned { plan, names })
    }

    /// Plans a query whose columns go by their place.
    ///
    /// # Errors
    /// See [`Context::plan_query`].
    pub(crate) async fn plan_rows(&self, mut query: ast::Query, bound: &Bound) -> Result<LogicalPlan, SqlError> {
        let mut planned = self.try_plan(query.clone(), bound).await;
        if let Err(DataFusionError::Plan(text)) = &planned
            && text.starts_with("Projections require unique expression names")
        {
            // Columns without names of their own may differ and yet have one name to the planner.
            names::name_all(&mut query);
            planned = self.try_plan(query.clone(), bound).await;
        }
        match planned {
            Ok(plan) => Ok(plan),
            Err(error) => Err(self.diagnosed(query, &error).await),
        }
    }

    async fn try_plan(&self, query: ast::Query, bound: &Bound) -> Result<LogicalPlan, DataFusionError> {
        let statement = Box::new(ast::Statement::Query(Box::new(query)));
        let plan = if bound.values.is_empty() {
            self.state.statement_to_plan(DFStatement::Statement(statement)).await?
        } else {
            // Preparing tells the planner the types of the markers.
            let prepare = ast::Statement::Prepare {
                name: Ident::new("statement"),
                data_types: bound.sql_types.clone(),
                statement,
            };
            let plan = self
                .state
                .statement_to_plan(DFStatement::Statement(Box::new(prepare)))
                .await?;
            let LogicalPlan::Statement(PlanStatement::Prepare(prepared)) = plan else {
                return Err(DataFusionError::Internal(
                    "a prepared statement was planned as something else".to_owned(),
                ));
            };
            let values = bound.values.iter().cloned().map(ansi::bound).collect();
            let plan = ansi::with_bound_rows(Arc::unwrap_or_clone(prepared.input), &bound.values)?;
            plan.with_param_values(ParamValues::List(values))?
        };
        ansi::apply(plan, self.settings.ansi, &self.types())
    }

    /// The planner reports missing tables as text. What is missing is found out here by looking for it.
    async fn diagnosed(&self, query: ast::Query, error: &DataFusionError) -> SqlError {
        let found = SqlError::from_datafusion(error);
        if found.is(Class::DATATYPE_MISMATCH) || found.is(Class::INTERNAL_ERROR) {
            let statement = DFStatement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
            for reference in self.state.resolve_table_references(&statement).unwrap_or_default() {
                if self.state.table_functions().contains_key(reference.table()) {
                    continue;
                }
                if let Err(error) = self.referenced(&reference).await {
                    // In a query a missing schema is a missing table.
                    return if error.is(Class::SCHEMA_NOT_FOUND) || error.is(Class::NO_SUCH_CATALOG) {
                        let parts = [reference.catalog(), reference.schema(), Some(reference.table())];
                        let parts: Vec<&str> = parts.into_iter().flatten().collect();
                        SqlError::new(
                            Class::TABLE_OR_VIEW_NOT_FOUND,
                            format!(
                                "The table or view {} cannot be found. Verify the spelling and correctness of the schema and catalog.",
                                quoted(&parts)
                            ),
                        )
                    } else {
                        error
                    };
                }
            }
        }
        found
    }

    /// Starts a plan and brings what it yields into the types of the wire.
    ///
    /// # Errors
    /// What the optimizer and the physical planner find wrong; errors of rows arise in the stream.
    pub(crate) async fn stream(&self, planned: Planned) -> Result<SendableRecordBatchStream, SqlError> {
        let physical = self.state.create_physical_plan(&planned.plan).await?;
        let stream = execute_stream(physical, self.state.task_ctx())?;
        let schema = self.wire_schema(&planned, &stream.schema());
        let to = Arc::clone(&schema);
        let batches = stream.map(move |batch| wire_batch(&batch?, &to).map_err(DataFusionError::from));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    /// The wire schema of a query that is not run.
    ///
    /// # Errors
    /// What the optimizer finds wrong.
    pub(crate) fn result_schema(&self, planned: &Planned) -> Result<SchemaRef, SqlError> {
        let optimized = self.state.optimize(&planned.plan)?;
        Ok(self.wire_schema(planned, optimized.schema().as_arrow()))
    }

    fn wire_schema(&self, planned: &Planned, schema: &ArrowSchema) -> SchemaRef {
        let year_month = year_month_columns(&planned.plan);
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let field = field.as_ref().clone();
                if year_month.contains(&index) {
                    field.with_data_type(DataType::Interval(IntervalUnit::YearMonth))
                } else {
                    field
                }
            })
            .collect();
        wire_schema(&ArrowSchema::new(fields), &planned.names, &self.settings.time_zone)
    }

    /// The memory that queries and tables share.
    pub(crate) fn memory(&self) -> &Arc<dyn MemoryPool> {
        &self.state.runtime_env().memory_pool
    }

    /// Runs a plan to its end. Its rows count as used memory while they are gathered.
    ///
    /// # Errors
    /// Of the plan and of its rows; and when there are more rows than memory.
    pub(crate) async fn collect(&self, plan: &LogicalPlan) -> Result<Vec<RecordBatch>, SqlError> {
        let physical = self.state.create_physical_plan(plan).await?;
        let mut stream = execute_stream(physical, self.state.task_ctx())?;
        let memory = MemoryConsumer::new("rows of a change").register(self.memory());
        let mut batches = Vec::new();
        while let Some(batch) = stream.try_next().await? {
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// `EXPLAIN`: the plan as text in one column.
    ///
    /// # Errors
    /// Those of planning the explained statement.
    pub(crate) async fn explain(&self, parsed: Parsed) -> Result<Execution, SqlError> {
        let ast::Statement::Query(query) = parsed.statement else {
            return Err(SqlError::new(
                Class::UNSUPPORTED_FEATURE,
                "Only queries can be explained.",
            ));
        };
        let planned = self.plan_query(*query, &parsed.written, &parsed.bound).await?;
        let optimized = self.state.optimize(&planned.plan)?;
        let physical = self.state.create_physical_plan(&planned.plan).await?;
        let text = format!(
            "== Logical Plan ==\n{}\n\n== Physical Plan ==\n{}",
            optimized.display_indent(),
            datafusion::physical_plan::displayable(physical.as_ref()).indent(false)
        );
        super::metadata::texts(&["plan"], vec![vec![text.into()]])
    }
}

fn plain_statement(statement: DFStatement) -> Result<(ast::Statement, bool), SqlError> {
    let unsupported = |text: &str| {
        let head: Vec<&str> = text.split_whitespace().take(2).collect();
        Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            format!("The statement {} is not supported here.", head.join(" ")),
        ))
    };
    match statement {
        DFStatement::Statement(statement) => Ok((*statement, false)),
        DFStatement::Explain(explain) => match *explain.statement {
            DFStatement::Statement(statement) => Ok((*statement, true)),
            other => unsupported(&other.to_string()),
        },
        other => unsupported(&other.to_string()),
    }
}

fn parse_tokens(tokens: Vec<TokenWithSpan>) -> Result<DFStatement, SqlError> {
    let mut statements = DFParserBuilder::new(tokens)
        .with_dialect(&LocalDialect)
        .build()?
        .parse_statements()?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (Some(_), false) => Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            "Syntax error at or near ';': one statement at a time.",
        )),
        (None, _) => Err(SqlError::new(
            Class::PARSE_EMPTY_STATEMENT,
            "Syntax error, unexpected empty statement.",
        )),
    }
}

/// The parts of a dotted name.
///
/// # Errors
/// `PARSE_SYNTAX_ERROR` for names made by functions.
pub(crate) fn parts(name: &ObjectName) -> Result<Vec<String>, SqlError> {
    let part = |part: &ast::ObjectNamePart| part.as_ident().map(|ident| ident.value.clone());
    name.0
        .iter()
        .map(part)
        .collect::<Option<Vec<String>>>()
        .ok_or_else(|| SqlError::new(Class::PARSE_SYNTAX_ERROR, format!("Syntax error at or near '{name}'.")))
}

/// Output columns that are interval literals of months: the planner has one interval type, the wire has two.
fn year_month_columns(plan: &LogicalPlan) -> Vec<usize> {
    fn is_months(expr: &Expr) -> bool {
        match expr {
            Expr::Alias(alias) => is_months(&alias.expr),
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => {
                interval.months != 0 && interval.days == 0 && interval.nanoseconds == 0
            }
            _ => false,
        }
    }
    match plan {
        LogicalPlan::Projection(projection) => {
            let months = projection.expr.iter().enumerate().filter(|(_, expr)| is_months(expr));
            months.map(|(index, _)| index).collect()
        }
        _ => Vec::new(),
    }
}
