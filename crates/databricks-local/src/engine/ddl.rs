//! Statements that create and drop: tables, views, schemas.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::TableReference;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{
    self, ColumnOption, CommentDef, CreateTableOptions, ObjectName, ObjectType, SqlOption,
};

use super::catalog::{Kind, Schema, Table};
use super::constraint::{self, Constraint};
use super::error::{Class, SqlError, quoted};
use super::information_schema::COMMENT;
use super::names::ResultNames;
use super::parameter::Bound;
use super::plan::{Context, Place, Planned, parts};
use super::session::Execution;
use super::table::StoredTable;
use super::temporary;
use super::types::wire_schema;

mod layout;

pub(crate) use layout::without_layout;

/// `CREATE [OR REPLACE] TABLE [IF NOT EXISTS]`, with columns or from a query.
///
/// # Errors
/// When the table exists, a type is not supported, or the query fails; then there is no new table.
pub(crate) async fn create_table(
    context: &Context,
    create: ast::CreateTable,
    written: &ResultNames,
    bound: &Bound,
) -> Result<Execution, SqlError> {
    if create.external
        || create.global.is_some()
        || create.like.is_some()
        || create.clone.is_some()
        || create.location.is_some()
    {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "Only plain managed tables can be created here.",
        ));
    }
    let comment = table_comment(&create)?;
    let place = new_place(context, &create.name, create.temporary, create.if_not_exists)?;
    let there = place.schema.named(&place.name).await?;
    if there.is_some() && create.if_not_exists {
        return Ok(Execution::without_rows());
    }
    if let Some(there) = &there
        && !(create.or_replace && there.kind == Kind::Managed)
    {
        return Err(already_exists(&place));
    }
    let constraints = constraint::declared(context, &place, &create).await?;
    let stored = match create.query {
        Some(query) => {
            let planned = context.plan_query(*query, written, bound).await?;
            let (schema, plan) = storable(context, planned)?;
            StoredTable::new(schema, &context.collect(&plan).await?, context.memory())?
        }
        None => StoredTable::new(columns(context, &create.columns, &constraints)?, &[], context.memory())?,
    };
    put(
        &place,
        Kind::Managed,
        comment,
        constraints,
        Arc::new(stored),
        create.or_replace,
        create.if_not_exists,
    )
}

/// `CREATE [OR REPLACE] VIEW [IF NOT EXISTS]`. The view reads the tables that its names lead to now.
///
/// # Errors
/// When the name is taken or the query does not resolve.
pub(crate) async fn create_view(
    context: &Context,
    create: ast::CreateView,
    written: &ResultNames,
    bound: &Bound,
) -> Result<Execution, SqlError> {
    if create.materialized {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "Only plain views can be created here.",
        ));
    }
    let place = new_place(context, &create.name, create.temporary, create.if_not_exists)?;
    if !create.temporary {
        let query = ast::Statement::Query(create.query.clone());
        let references = context
            .state
            .resolve_table_references(&DFStatement::Statement(Box::new(query)));
        let own = |reference: &TableReference| matches!(reference, TableReference::Bare { table } if context.temporary.holds(table));
        if let Some(table) = references.unwrap_or_default().into_iter().find(own) {
            return Err(temporary::invalid_reference(&place, table.table()));
        }
    }
    if let Some(there) = place.schema.named(&place.name).await? {
        if create.if_not_exists {
            return Ok(Execution::without_rows());
        }
        if !(create.or_replace && there.kind == Kind::View) {
            return Err(already_exists(&place));
        }
    }
    let definition = create.query.to_string();
    let mut planned = context.plan_query(*create.query, written, bound).await?;
    for (name, column) in planned.names.iter_mut().zip(&create.columns) {
        name.clone_from(&column.name.value);
    }
    if !create.columns.is_empty() && create.columns.len() != planned.names.len() {
        return Err(SqlError::new(
            Class::INSERT_COLUMN_ARITY_MISMATCH,
            format!(
                "The view has {} columns, its query {}.",
                create.columns.len(),
                planned.names.len()
            ),
        ));
    }
    let (_, plan) = storable(context, planned)?;
    let view = ViewTable::new(plan, Some(definition));
    put(
        &place,
        Kind::View,
        create.comment,
        Vec::new(),
        Arc::new(view),
        create.or_replace,
        create.if_not_exists,
    )
}

/// `TRUNCATE TABLE`.
///
/// # Errors
/// When a table is not found or cannot be changed.
pub(crate) async fn truncate(context: &Context, truncate: &ast::Truncate) -> Result<Execution, SqlError> {
    for target in &truncate.table_names {
        let place = context.place(&parts(&target.name)?)?;
        temporary::refuse(&place, Class::TEMP_TABLE_TRUNCATE, "TRUNCATE TABLE on the table")?;
        let table = place.table().await?;
        stored(&place, &table)?.writer().await.replace(&[])?;
    }
    Ok(Execution::without_rows())
}

/// `CREATE SCHEMA [IF NOT EXISTS] [COMMENT]`.
///
/// # Errors
/// When the schema exists or its catalog takes none.
pub(crate) fn create_schema(
    context: &Context,
    name: &[String],
    if_not_exists: bool,
    comment: &str,
) -> Result<Execution, SqlError> {
    let (catalog, schema) = schema_place(context, name)?;
    let schema = schema.to_lowercase();
    let catalog = context.catalogs.named(&catalog)?;
    let there = catalog.named(&schema).is_ok();
    if there && if_not_exists {
        return Ok(Execution::without_rows());
    }
    if !there && !catalog.writable {
        return Err(cannot_modify(&quoted(&[catalog.name.as_str()])));
    }
    if there || catalog.add(Schema::writable(&schema, comment)).is_some() && !if_not_exists {
        return Err(SqlError::new(
            Class::SCHEMA_ALREADY_EXISTS,
            format!(
                "Cannot create schema {} because it already exists.",
                quoted(&[catalog.name.as_str(), schema.as_str()])
            ),
        ));
    }
    Ok(Execution::without_rows())
}

/// `DROP TABLE`, `DROP VIEW`, `DROP SCHEMA`.
///
/// # Errors
/// When there is nothing of that name and kind, or it must stay.
pub(crate) fn drop(
    context: &Context,
    object_type: &ObjectType,
    if_exists: bool,
    names: &[ObjectName],
    cascade: bool,
) -> Result<Execution, SqlError> {
    for name in names {
        match object_type {
            ObjectType::Table => drop_table(context, name, if_exists, false)?,
            ObjectType::View => drop_table(context, name, if_exists, true)?,
            ObjectType::Schema | ObjectType::Database => drop_schema(context, name, if_exists, cascade)?,
            other => {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    format!("DROP {other} is not supported here."),
                ));
            }
        }
    }
    Ok(Execution::without_rows())
}

fn drop_table(context: &Context, name: &ObjectName, if_exists: bool, view: bool) -> Result<(), SqlError> {
    let place = match context.place(&parts(name)?) {
        Err(_) if if_exists => return Ok(()),
        place => place?,
    };
    let taken = place.schema.take(&place.name, |table| match (table.kind, view) {
        (Kind::Managed, false) | (Kind::View, true) => Ok(()),
        (Kind::View, false) => Err(SqlError::new(
            Class::EXPECT_TABLE_NOT_VIEW,
            format!("'DROP TABLE' expects a table but {} is a view.", place.quoted()),
        )),
        (_, true) => Err(SqlError::new(
            Class::EXPECT_VIEW_NOT_TABLE,
            format!("'DROP VIEW' expects a view but {} is a table.", place.quoted()),
        )),
        _ => Err(cannot_modify(&place.quoted())),
    })?;
    if taken.is_none() && !place.schema.is_writable() && !if_exists {
        return Err(cannot_modify(&place.quoted()));
    }
    if taken.is_none() && !if_exists {
        return Err(SqlError::new(
            Class::TABLE_OR_VIEW_NOT_FOUND,
            format!(
                "The table or view {} cannot be found. Verify the spelling and correctness of the schema and catalog.",
                place.quoted()
            ),
        ));
    }
    Ok(())
}

fn drop_schema(context: &Context, name: &ObjectName, if_exists: bool, cascade: bool) -> Result<(), SqlError> {
    let (catalog, schema) = schema_place(context, &parts(name)?)?;
    let catalog = match context.catalogs.named(&catalog) {
        Err(_) if if_exists => return Ok(()),
        catalog => catalog?,
    };
    let removed = catalog.remove(&schema, |schema| {
        let name = quoted(&[catalog.name.as_str(), schema.name.as_str()]);
        if !schema.is_writable() {
            return Err(cannot_modify(&name));
        }
        let is_empty = schema.is_empty() && context.volumes.of_schema(&catalog.name, &schema.name).is_empty();
        if !is_empty && !cascade {
            let text = format!(
                "Cannot drop a schema {name} because it contains objects. Use DROP SCHEMA ... CASCADE to drop them too."
            );
            return Err(SqlError::new(Class::SCHEMA_NOT_EMPTY, text));
        }
        Ok(())
    })?;
    if removed {
        context.volumes.remove_schema(&catalog.name, &schema);
    }
    if !removed && !if_exists {
        catalog.named(&schema)?;
        return Err(cannot_modify(&quoted(&[catalog.name.as_str(), schema.as_str()])));
    }
    Ok(())
}

fn schema_place(context: &Context, name: &[String]) -> Result<(String, String), SqlError> {
    match name {
        [schema] => Ok((context.settings.catalog.clone(), schema.clone())),
        [catalog, schema] => Ok((catalog.clone(), schema.clone())),
        _ => Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            "A schema has a name of one or two parts.",
        )),
    }
}

/// Where a statement puts what it creates.
fn new_place(context: &Context, name: &ObjectName, temporary: bool, if_not_exists: bool) -> Result<Place, SqlError> {
    if !temporary {
        return writable(context, name);
    }
    if if_not_exists {
        return Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            "Syntax error at or near 'IF': what is temporary takes OR REPLACE, but not IF NOT EXISTS.",
        ));
    }
    match parts(name)?.as_slice() {
        [name] => Ok(context.temporary_place(&name.to_lowercase())),
        parts => Err(SqlError::new(
            Class::TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS,
            format!(
                "Temporary tables and views take a name of one part, got: {}.",
                quoted(parts)
            ),
        )),
    }
}

fn writable(context: &Context, name: &ObjectName) -> Result<Place, SqlError> {
    let mut place = context.lasting_place(&parts(name)?)?;
    // Unlike columns, tables and views have their names in lower case.
    place.name = place.name.to_lowercase();
    if place.schema.is_writable() {
        Ok(place)
    } else {
        Err(cannot_modify(&place.quoted()))
    }
}

/// The table as one that can be changed.
///
/// # Errors
/// When it is a view, or belongs to the engine.
pub(crate) fn stored(place: &Place, table: &Table) -> Result<Arc<StoredTable>, SqlError> {
    match (
        table.kind,
        Arc::downcast::<StoredTable>(Arc::clone(&table.provider) as Arc<dyn std::any::Any + Send + Sync>),
    ) {
        (Kind::Managed, Ok(stored)) => Ok(stored),
        _ => Err(cannot_modify(&place.quoted())),
    }
}

fn cannot_modify(name: &str) -> SqlError {
    SqlError::new(
        Class::CANNOT_MODIFY,
        format!("{name} cannot be changed: it is provided by the workspace."),
    )
}

fn already_exists(place: &Place) -> SqlError {
    if place.is_temporary() {
        return SqlError::new(
            Class::TEMP_OBJECT_ALREADY_EXISTS,
            format!(
                "Cannot create the temporary table or view {} because it already exists. Choose a different name, or drop or replace the existing object.",
                place.quoted()
            ),
        );
    }
    SqlError::new(
        Class::TABLE_OR_VIEW_ALREADY_EXISTS,
        format!(
            "Cannot create table or view {} because it already exists. Choose a different name, drop or replace the existing object, or add the IF NOT EXISTS clause to tolerate pre-existing objects.",
            place.quoted()
        ),
    )
}

fn put(
    place: &Place,
    kind: Kind,
    comment: Option<String>,
    constraints: Vec<Constraint>,
    provider: Arc<dyn TableProvider>,
    or_replace: bool,
    if_not_exists: bool,
) -> Result<Execution, SqlError> {
    let table = Table {
        name: place.name.clone(),
        kind,
        comment,
        constraints,
        provider,
    };
    // Another statement may have taken the name since it was looked up.
    place
        .schema
        .put(table, |there| match (or_replace && there.kind == kind, if_not_exists) {
            (true, _) => Ok(false),
            (false, true) => Ok(true),
            (false, false) => Err(already_exists(place)),
        })?;
    Ok(Execution::without_rows())
}

/// A query's plan with the names and types under which its rows are kept.
fn storable(context: &Context, planned: Planned) -> Result<(SchemaRef, LogicalPlan), SqlError> {
    let schema = context.result_schema(&planned)?;
    let mut seen = std::collections::BTreeSet::new();
    for field in schema.fields() {
        if !seen.insert(field.name().to_lowercase()) {
            return Err(SqlError::new(
                Class::COLUMN_ALREADY_EXISTS,
                format!(
                    "The column {} already exists. Choose another name or rename the existing column.",
                    quoted(&[field.name()])
                ),
            ));
        }
        if *field.data_type() == DataType::Null {
            let text = format!(
                "The column {} has the type VOID, which no table can keep.",
                quoted(&[field.name()])
            );
            return Err(SqlError::new(Class::UNSUPPORTED_FEATURE, text));
        }
    }
    let columns: Vec<_> = planned.plan.schema().columns();
    let exprs = columns.into_iter().zip(schema.fields()).map(|(column, field)| {
        let column = datafusion::logical_expr::Expr::Column(column);
        cast(column, field.data_type().clone()).alias(field.name())
    });
    let plan = LogicalPlanBuilder::from(planned.plan).project(exprs)?.build()?;
    // What a query happens to know about NULL is no constraint of the table.
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Ok((Arc::new(ArrowSchema::new(fields)), plan))
}

fn columns(context: &Context, columns: &[ast::ColumnDef], constraints: &[Constraint]) -> Result<SchemaRef, SqlError> {
    let types = context.types();
    let mut fields = Vec::with_capacity(columns.len());
    let mut seen = std::collections::BTreeSet::new();
    for column in columns {
        let name = &column.name.value;
        if !seen.insert(name.to_lowercase()) {
            return Err(SqlError::new(
                Class::COLUMN_ALREADY_EXISTS,
                format!(
                    "The column {} already exists. Choose another name or rename the existing column.",
                    quoted(&[name])
                ),
            ));
        }
        let mut nullable = !constraint::is_primary(constraints, name);
        let mut metadata = HashMap::new();
        for option in &column.options {
            match &option.option {
                ColumnOption::Null => {}
                ColumnOption::NotNull => nullable = false,
                ColumnOption::Comment(comment) => {
                    metadata.insert(COMMENT.to_owned(), comment.clone());
                }
                // Declared with the table's constraints.
                ColumnOption::PrimaryKey(_) | ColumnOption::ForeignKey(_) => {}
                other => {
                    return Err(SqlError::new(
                        Class::UNSUPPORTED_FEATURE,
                        format!("The column option {other} is not supported here."),
                    ));
                }
            }
        }
        fields.push(Field::new(name, types.arrow_type(&column.data_type)?, nullable).with_metadata(metadata));
    }
    let schema = ArrowSchema::new(fields);
    // The wire's types are the types that tables keep.
    let wire = wire_schema(&schema, &[], &context.settings.time_zone);
    let fields = wire.fields().iter().zip(schema.fields()).map(|(wire, field)| {
        let nullable = field.is_nullable();
        wire.as_ref()
            .clone()
            .with_nullable(nullable)
            .with_metadata(field.metadata().clone())
    });
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>())))
}

/// The comment, which is the only option that a table takes.
fn table_comment(create: &ast::CreateTable) -> Result<Option<String>, SqlError> {
    let mut comment = create.comment.as_ref();
    if let CreateTableOptions::Plain(options) = &create.table_options {
        for option in options {
            let SqlOption::Comment(text) = option else {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    format!("The table option {option} is not supported here."),
                ));
            };
            comment = Some(text);
        }
    }
    Ok(comment.map(|comment| match comment {
        CommentDef::WithEq(text) | CommentDef::WithoutEq(text) => text.clone(),
    }))
}
