//! `SHOW`, `DESCRIBE`, and the confs: statements about names and types. Their column names are what drivers look for.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use databricks_wire::sea::Parameter;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use super::catalog::{Catalog, Schema, Table};
use super::describe;
use super::error::{Class, SqlError};
use super::information_schema::{COMMENT, Cell, NumericSize, OWNER, batch};
use super::pattern::Pattern;
use super::plan::Context;
use super::session::Execution;
use super::statement::{Scope, Show};
use super::types::{type_text, wire_schema};

/// # Errors
/// When a name does not resolve.
pub(crate) async fn show(context: &Context, show: Show) -> Result<Execution, SqlError> {
    match show {
        Show::Catalogs { like } => {
            let like = Pattern::or_any(like.as_deref());
            let names = context.catalogs.all().filter(|catalog| like.matches(&catalog.name));
            texts(
                &["catalog"],
                names.map(|catalog| vec![catalog.name.as_str().into()]).collect(),
            )
        }
        Show::Columns {
            scope,
            schema_like,
            table_like,
            like,
        } => {
            let patterns = [schema_like, table_like, like].map(|pattern| Pattern::or_any(pattern.as_deref()));
            columns(context, &scope, &patterns).await
        }
        Show::ColumnsOf { table } => {
            let table = context.place(&table)?.table().await?;
            let schema = table.provider.schema();
            texts(
                &["col_name"],
                schema
                    .fields()
                    .iter()
                    .map(|field| vec![field.name().as_str().into()])
                    .collect(),
            )
        }
        Show::CreateTable { table } => describe::create_statement(context, &table).await,
        Show::CurrentNamespace => {
            let row = vec![
                context.settings.catalog.as_str().into(),
                context.settings.schema.as_str().into(),
            ];
            texts(&["catalog", "namespace"], vec![row])
        }
        Show::ForeignKeys { table } => foreign_keys(context, &table).await,
        Show::Functions { scope: None, like } => {
            let like = Pattern::or_any(like.as_deref());
            texts(
                &["function"],
                functions(context, &like)
                    .into_iter()
                    .map(|name| vec![name.into()])
                    .collect(),
            )
        }
        Show::Functions { scope: Some(scope), .. } => {
            // The functions of the language belong to no catalog, and no catalog has others.
            scoped(context, &scope)?;
            empty(&[
                ("catalogName", DataType::Utf8),
                ("namespace", DataType::Utf8),
                ("functionName", DataType::Utf8),
                ("remarks", DataType::Utf8),
                ("functionType", DataType::Int32),
                ("specificName", DataType::Utf8),
            ])
        }
        Show::Keys { table } => primary_keys(context, &table).await,
        Show::Schemas { scope, like } => schemas(context, scope, &Pattern::or_any(like.as_deref())),
        Show::Tables {
            scope,
            schema_like,
            like,
        } => {
            tables(
                context,
                &scope,
                &Pattern::or_any(schema_like.as_deref()),
                &Pattern::or_any(like.as_deref()),
            )
            .await
        }
        Show::Volumes { schema } => {
            let mut name = schema;
            if name.is_empty() {
                name.push(context.settings.schema.clone());
            }
            name.push(String::new());
            let place = context.place(&name)?;
            let schema = &place.schema.name;
            let volumes = context.volumes.of_schema(&place.catalog, schema);
            let rows = volumes
                .iter()
                .map(|volume| vec![schema.as_str().into(), volume.as_str().into()]);
            texts(&["database", "volume_name"], rows.collect())
        }
        Show::TablesOf { schema, like, views } => {
            tables_of(context, &schema, &Pattern::or_any(like.as_deref()), views).await
        }
    }
}

async fn primary_keys(context: &Context, table: &[String]) -> Result<Execution, SqlError> {
    let place = context.place(table)?;
    let table = place.table().await?;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for key in table
        .constraints
        .iter()
        .filter(|constraint| constraint.parent.is_none())
    {
        for (column, position) in key.columns.iter().zip(1..) {
            rows.push(vec![
                place.catalog.as_str().into(),
                place.schema.name.as_str().into(),
                table.name.as_str().into(),
                column.as_str().into(),
                position.into(),
                key.name.as_str().into(),
            ]);
        }
    }
    let columns = [
        ("catalogName", DataType::Utf8),
        ("namespace", DataType::Utf8),
        ("tableName", DataType::Utf8),
        ("col_name", DataType::Utf8),
        ("keySeq", DataType::Int32),
        ("constraintName", DataType::Utf8),
    ];
    Ok(Execution::of_batch(batch(&typed_schema(&columns), &rows)?))
}

async fn foreign_keys(context: &Context, table: &[String]) -> Result<Execution, SqlError> {
    /// JDBC's `importedKeyNoAction` and `importedKeyNotDeferrable`: keys are not enforced.
    const NO_ACTION: i32 = 3;
    const NOT_DEFERRABLE: i32 = 7;
    let place = context.place(table)?;
    let table = place.table().await?;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for key in &table.constraints {
        let Some(parent) = &key.parent else { continue };
        for ((column, parent_column), position) in key.columns.iter().zip(&parent.columns).zip(1..) {
            rows.push(vec![
                parent.catalog.as_str().into(),
                parent.schema.as_str().into(),
                parent.table.as_str().into(),
                parent_column.as_str().into(),
                place.catalog.as_str().into(),
                place.schema.name.as_str().into(),
                table.name.as_str().into(),
                column.as_str().into(),
                key.name.as_str().into(),
                position.into(),
                NO_ACTION.into(),
                NO_ACTION.into(),
                NOT_DEFERRABLE.into(),
            ]);
        }
    }
    let columns = [
        ("parentCatalogName", DataType::Utf8),
        ("parentNamespace", DataType::Utf8),
        ("parentTableName", DataType::Utf8),
        ("parentColName", DataType::Utf8),
        ("catalogName", DataType::Utf8),
        ("namespace", DataType::Utf8),
        ("tableName", DataType::Utf8),
        ("col_name", DataType::Utf8),
        ("constraintName", DataType::Utf8),
        ("keySeq", DataType::Int32),
        ("updateRule", DataType::Int32),
        ("deleteRule", DataType::Int32),
        ("deferrability", DataType::Int32),
    ];
    Ok(Execution::of_batch(batch(&typed_schema(&columns), &rows)?))
}

fn scoped<'a>(context: &'a Context, scope: &Scope) -> Result<Vec<&'a Arc<Catalog>>, SqlError> {
    match scope {
        Scope::AllCatalogs => Ok(context.catalogs.all().collect()),
        Scope::Catalog(name) => Ok(vec![context.catalogs.named(name)?]),
    }
}

fn functions(context: &Context, like: &Pattern) -> Vec<String> {
    let state = &context.state;
    let mut names: Vec<String> = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys())
        .filter(|name| like.matches(name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

fn schemas(context: &Context, scope: Option<Scope>, like: &Pattern) -> Result<Execution, SqlError> {
    let all = scope == Some(Scope::AllCatalogs);
    let scope = scope.unwrap_or_else(|| Scope::Catalog(context.settings.catalog.clone()));
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for catalog in scoped(context, &scope)? {
        for schema in catalog.all().iter().filter(|schema| like.matches(&schema.name)) {
            let mut row: Vec<Cell> = vec![schema.name.as_str().into()];
            if all {
                row.push(catalog.name.as_str().into());
            }
            rows.push(row);
        }
    }
    texts(
        if all {
            &["databaseName", "catalog"]
        } else {
            &["databaseName"]
        },
        rows,
    )
}

async fn tables(
    context: &Context,
    scope: &Scope,
    schema_like: &Pattern,
    like: &Pattern,
) -> Result<Execution, SqlError> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for catalog in scoped(context, scope)? {
        for schema in catalog.all().iter().filter(|schema| schema_like.matches(&schema.name)) {
            for table in schema.all().await.iter().filter(|table| like.matches(&table.name)) {
                rows.push(vec![
                    schema.name.as_str().into(),
                    table.name.as_str().into(),
                    "".into(),
                    catalog.name.as_str().into(),
                    table.kind.driver_name().into(),
                    table.comment.clone().unwrap_or_default().into(),
                ]);
            }
        }
    }
    let lasting = vec![false; rows.len()];
    let batch = batch(
        &texts_schema(&[
            "namespace",
            "tableName",
            "information",
            "catalogName",
            "tableType",
            "remarks",
        ]),
        &rows,
    )?;
    with_is_temporary(&batch, lasting)
}

async fn tables_of(context: &Context, schema: &[String], like: &Pattern, views: bool) -> Result<Execution, SqlError> {
    let schema: Arc<Schema> = match schema {
        [catalog, schema] => context.catalogs.named(catalog)?.named(schema)?,
        [schema] => context.catalogs.named(&context.settings.catalog)?.named(schema)?,
        _ => context
            .catalogs
            .named(&context.settings.catalog)?
            .named(&context.settings.schema)?,
    };
    let wanted = |table: &Table| like.matches(&table.name) && (!views || table.kind == super::catalog::Kind::View);
    let (mut rows, mut temporary): (Vec<Vec<Cell>>, Vec<bool>) = (Vec::new(), Vec::new());
    // What is temporary is in no schema, and in the list of every one.
    for schema in [&schema, &context.temporary] {
        for table in schema.all().await.into_iter().filter(wanted) {
            rows.push(vec![schema.name.as_str().into(), table.name.into()]);
            temporary.push(schema.name.is_empty());
        }
    }
    let names = if views {
        ["namespace", "viewName"]
    } else {
        ["database", "tableName"]
    };
    with_is_temporary(&batch(&texts_schema(&names), &rows)?, temporary)
}

/// Adds `isTemporary` as the third column.
fn with_is_temporary(batch: &RecordBatch, temporary: Vec<bool>) -> Result<Execution, SqlError> {
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().to_vec();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    fields.insert(2, Arc::new(Field::new("isTemporary", DataType::Boolean, true)));
    columns.insert(2, Arc::new(BooleanArray::from(temporary)));
    Ok(Execution::of_batch(RecordBatch::try_new(
        Arc::new(ArrowSchema::new(fields)),
        columns,
    )?))
}

async fn columns(
    context: &Context,
    scope: &Scope,
    [schema_like, table_like, like]: &[Pattern; 3],
) -> Result<Execution, SqlError> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for catalog in scoped(context, scope)? {
        for schema in catalog.all().iter().filter(|schema| schema_like.matches(&schema.name)) {
            for table in schema
                .all()
                .await
                .iter()
                .filter(|table| table_like.matches(&table.name))
            {
                for (position, field) in table.provider.schema().fields().iter().enumerate() {
                    if like.matches(field.name()) {
                        let mut row: Vec<Cell> = vec![
                            field.name().as_str().into(),
                            catalog.name.as_str().into(),
                            schema.name.as_str().into(),
                            table.name.as_str().into(),
                        ];
                        row.extend(column_cells(position, field));
                        rows.push(row);
                    }
                }
            }
        }
    }
    let columns = [
        ("col_name", DataType::Utf8),
        ("catalogName", DataType::Utf8),
        ("namespace", DataType::Utf8),
        ("tableName", DataType::Utf8),
        ("columnType", DataType::Utf8),
        ("columnSize", DataType::Int32),
        ("decimalDigits", DataType::Int32),
        ("radix", DataType::Int32),
        ("isNullable", DataType::Utf8),
        ("remarks", DataType::Utf8),
        ("ordinalPosition", DataType::Int32),
        ("isAutoIncrement", DataType::Utf8),
        ("isGenerated", DataType::Utf8),
    ];
    Ok(Execution::of_batch(batch(&typed_schema(&columns), &rows)?))
}

fn column_cells(position: usize, field: &Field) -> Vec<Cell> {
    let data_type = super::types::wire_type(field.data_type(), &"UTC".into());
    let size = NumericSize::of(&data_type);
    let (column_size, digits, radix) = match &data_type {
        DataType::Boolean => (Some(1), None, None),
        DataType::Float32 => (Some(7), Some(7), Some(10)),
        DataType::Float64 => (Some(15), Some(15), Some(10)),
        DataType::Date32 => (Some(10), None, None),
        DataType::Timestamp(..) => (Some(29), Some(6), None),
        DataType::Utf8 | DataType::Binary => (Some(i32::MAX), None, None),
        _ => (size.precision, size.scale, size.radix),
    };
    vec![
        type_text(&data_type).into(),
        column_size.into(),
        digits.into(),
        radix.into(),
        if field.is_nullable() { "true" } else { "false" }.into(),
        field.metadata().get(COMMENT).cloned().unwrap_or_default().into(),
        i32::try_from(position).unwrap_or(i32::MAX).into(),
        "NO".into(),
        "NO".into(),
    ]
}

/// # Errors
/// When the table is not found.
pub(crate) async fn describe_table(context: &Context, name: &[String], extended: bool) -> Result<Execution, SqlError> {
    let place = context.place(name)?;
    let table = place.table().await?;
    let mut rows = described(&table.provider.schema(), context);
    if extended {
        let kind = match place.is_temporary() {
            true => "TEMPORARY",
            false => table.kind.information_name(),
        };
        let mut detail = |name: &str, value: &str| rows.push(vec![name.into(), value.into(), "".into()]);
        detail("", "");
        detail("# Detailed Table Information", "");
        if !place.is_temporary() {
            detail("Catalog", &place.catalog);
            detail("Database", &place.schema.name);
        }
        detail("Table", &table.name);
        detail("Owner", OWNER);
        detail("Type", kind);
        if let Some(comment) = &table.comment {
            detail("Comment", comment);
        }
        if let Some(definition) = table.provider.get_table_definition() {
            detail("View Text", definition);
        }
        if table.kind == super::catalog::Kind::Managed {
            detail("Provider", "delta");
            if let Ok(stored) = super::ddl::stored(&place, &table) {
                let (bytes, rows) = stored.size();
                detail("Statistics", &format!("{bytes} bytes, {rows} rows"));
            }
        } else if let Some(rows) = table
            .provider
            .statistics()
            .and_then(|known| known.num_rows.get_value().copied())
        {
            // Rows that are generated while they are read take no storage.
            detail("Statistics", &format!("0 bytes, {rows} rows"));
        }
    }
    texts(&["col_name", "data_type", "comment"], rows)
}

/// # Errors
/// Those of planning the query.
pub(crate) async fn describe_query(
    context: &Context,
    tokens: Vec<TokenWithSpan>,
    parameters: &[Parameter],
) -> Result<Execution, SqlError> {
    let parsed = context.parse(tokens, parameters).await?;
    let (ast::Statement::Query(query), false) = (parsed.statement, parsed.explained) else {
        return Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            "Syntax error: DESCRIBE QUERY takes a query.",
        ));
    };
    let planned = context.plan_query(*query, &parsed.written, &parsed.bound).await?;
    let schema = context.result_schema(&planned)?;
    texts(&["col_name", "data_type", "comment"], described(&schema, context))
}

fn described(schema: &ArrowSchema, context: &Context) -> Vec<Vec<Cell>> {
    let wire = wire_schema(schema, &[], &context.settings.time_zone);
    let rows = wire.fields().iter().zip(schema.fields()).map(|(field, original)| {
        let comment = original.metadata().get(COMMENT).cloned();
        vec![
            field.name().as_str().into(),
            type_text(field.data_type()).to_lowercase().into(),
            comment.into(),
        ]
    });
    rows.collect()
}

/// # Errors
/// None that input can cause.
pub(crate) fn confs(confs: impl IntoIterator<Item = (String, String)>) -> Result<Execution, SqlError> {
    texts(
        &["key", "value"],
        confs
            .into_iter()
            .map(|(key, value)| vec![key.into(), value.into()])
            .collect(),
    )
}

/// A result of text columns.
///
/// # Errors
/// None that input can cause.
pub(crate) fn texts(names: &[&str], rows: Vec<Vec<Cell>>) -> Result<Execution, SqlError> {
    Ok(Execution::of_batch(batch(&texts_schema(names), &rows)?))
}

fn empty(columns: &[(&str, DataType)]) -> Result<Execution, SqlError> {
    Ok(Execution::of_batch(RecordBatch::new_empty(typed_schema(columns))))
}

fn texts_schema(names: &[&str]) -> SchemaRef {
    Arc::new(ArrowSchema::new(
        names
            .iter()
            .map(|name| Field::new(*name, DataType::Utf8, true))
            .collect::<Vec<_>>(),
    ))
}

fn typed_schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields = columns
        .iter()
        .map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}
