//! Statements that change rows. Each computes the table's next version with a query, and swaps it in when all of it is there.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use datafusion::catalog::TableProvider;
use datafusion::sql::sqlparser::ast::{
    self, AssignmentTarget, Expr, FromTable, Ident, ObjectName, SelectItem, SetExpr, TableFactor, TableObject,
    TableWithJoins,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ddl::stored;
use super::dialect::LocalDialect;
use super::error::{Class, SqlError, quoted};
use super::interval::cast_to_wire;
use super::names::ResultNames;
use super::parameter::Bound;
use super::plan::{Context, Place, parts};
use super::session::Execution;
use super::table::StoredTable;

/// Takes `BY NAME` out of an `INSERT`, which the parser does not know, and tells whether it was there.
pub(crate) fn without_by_name(mut tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, bool) {
    let keyword = |at: usize| match &tokens[at].token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    };
    let significant: Vec<usize> = (0..tokens.len())
        .filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_)))
        .collect();
    if significant.first().and_then(|&at| keyword(at)) != Some(Keyword::INSERT) {
        return (tokens, false);
    }
    // Columns can be called `by` and `name`, and what comes after the source began is the source's.
    let mut depth = 0_usize;
    for pair in significant.windows(2) {
        match (&tokens[pair[0]].token, keyword(pair[0])) {
            (Token::LParen, _) => depth += 1,
            (Token::RParen, _) => depth = depth.saturating_sub(1),
            (_, Some(Keyword::SELECT | Keyword::VALUES | Keyword::WITH | Keyword::FROM | Keyword::ORDER)) => break,
            (_, Some(Keyword::BY)) if depth == 0 && keyword(pair[1]) == Some(Keyword::NAME) => {
                tokens.drain(pair[0]..=pair[1]);
                return (tokens, true);
            }
            _ => {}
        }
    }
    (tokens, false)
}

/// `INSERT INTO` and `INSERT OVERWRITE`, from values or a query; `by_name` says what the query calls its columns where these decide.
///
/// # Errors
/// When the table cannot be changed, or the query fails, or a value does not fit; then nothing is inserted.
pub(crate) async fn insert(
    context: &Context,
    insert: ast::Insert,
    by_name: Option<&ResultNames>,
    bound: &Bound,
) -> Result<Execution, SqlError> {
    let TableObject::TableName(name) = &insert.table else {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "Rows are inserted into tables only.",
        ));
    };
    let place = context.place(&parts(name)?)?;
    let table = stored(&place, &place.table().await?)?;
    let schema = TableProvider::schema(table.as_ref());
    let Some(source) = insert.source else {
        return Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            "Syntax error: INSERT takes VALUES or a query.",
        ));
    };
    let plan = context.plan_rows(*source, bound).await?;
    let columns: Vec<usize> = match (by_name, insert.columns.as_slice()) {
        (Some(written), _) => {
            let name = |name: String| ObjectName::from(vec![Ident::with_quote('`', name)]);
            let names = written.over(plan.schema()).into_iter();
            names
                .map(|given| column(&name(given), &schema, &place))
                .collect::<Result<_, _>>()?
        }
        (None, []) => (0..schema.fields().len()).collect(),
        (None, names) => names
            .iter()
            .map(|name| column(name, &schema, &place))
            .collect::<Result<_, _>>()?,
    };
    if let Some(twice) = columns
        .iter()
        .enumerate()
        .find(|(at, column)| columns[..*at].contains(column))
    {
        let name = quoted(&[schema.field(*twice.1).name()]);
        return Err(SqlError::new(
            Class::COLUMN_ALREADY_EXISTS,
            format!("The column {name} is given more than once."),
        ));
    }
    let given = plan.schema().fields().len();
    if given != columns.len() {
        return Err(SqlError::new(
            Class::INSERT_COLUMN_ARITY_MISMATCH,
            format!(
                "Cannot write to {}: {} columns are expected, the data has {given}.",
                place.quoted(),
                columns.len()
            ),
        ));
    }
    let rows = context.collect(&plan).await?;
    let batches: Result<Vec<RecordBatch>, SqlError> =
        rows.iter().map(|batch| spread(batch, &columns, &schema)).collect();
    let batches = batches?;
    let writer = table.writer().await;
    let rows = if insert.overwrite {
        writer.replace(&batches)?
    } else {
        writer.append(&batches)?
    };
    modified(rows, &["num_affected_rows", "num_inserted_rows"])
}

/// A batch of some columns as a batch of all of them, NULL in the others.
fn spread(batch: &RecordBatch, columns: &[usize], schema: &ArrowSchema) -> Result<RecordBatch, SqlError> {
    let all =
        schema
            .fields()
            .iter()
            .enumerate()
            .map(|(at, field)| match columns.iter().position(|&column| column == at) {
                Some(given) => cast_to_wire(batch.column(given), field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            });
    let all: Result<Vec<ArrayRef>, SqlError> = all.collect();
    nullable_batch(schema, all?)
}

/// Columns as a batch in which NULL is allowed: whether it is, is judged where the batch is put.
pub(super) fn nullable_batch(schema: &ArrowSchema, columns: Vec<ArrayRef>) -> Result<RecordBatch, SqlError> {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Ok(RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)?)
}

/// `DELETE FROM`.
///
/// # Errors
/// When the table cannot be changed or the condition fails; then nothing is deleted.
pub(crate) async fn delete(context: &Context, delete: ast::Delete, bound: &Bound) -> Result<Execution, SqlError> {
    if delete.using.is_some() || delete.returning.is_some() || delete.limit.is_some() || !delete.order_by.is_empty() {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "DELETE takes a table and a condition.",
        ));
    }
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = delete.from;
    let (_, table) = target(context, &from).await?;
    let writer = table.writer().await;
    let before: usize = writer.snapshot().iter().map(RecordBatch::num_rows).sum();
    let kept = match delete.selection {
        None => Vec::new(),
        Some(condition) => {
            let mut query = select_from(from)?;
            if let SetExpr::Select(select) = query.body.as_mut() {
                // Rows for which the condition is unknown stay.
                select.selection = Some(Expr::IsNotTrue(Box::new(Expr::Nested(Box::new(condition)))));
            }
            run(context, query, bound).await?
        }
    };
    let after = writer.replace(&kept)?;
    modified(before - after, &["num_affected_rows"])
}

/// `UPDATE … SET`.
///
/// # Errors
/// When the table cannot be changed, a column is not found, or a value does not fit; then nothing is updated.
pub(crate) async fn update(context: &Context, update: ast::Update, bound: &Bound) -> Result<Execution, SqlError> {
    if update.from.is_some() || update.returning.is_some() || update.limit.is_some() || !update.order_by.is_empty() {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "UPDATE takes a table, assignments and a condition.",
        ));
    }
    let from = vec![update.table];
    let (place, table) = target(context, &from).await?;
    let schema = TableProvider::schema(table.as_ref());
    let condition = update
        .selection
        .unwrap_or_else(|| Expr::value(ast::Value::Boolean(true)));

    let mut query = select_from(from)?;
    let mut assigned: Vec<usize> = Vec::new();
    if let SetExpr::Select(select) = query.body.as_mut() {
        let condition_item = Expr::IsTrue(Box::new(Expr::Nested(Box::new(condition.clone()))));
        select.projection.push(aliased(condition_item, "__condition"));
        for assignment in update.assignments {
            let column = assigned_column(&assignment.target, &schema, &place)?;
            // Evaluated only where the condition holds, so that the rows left alone cannot fail.
            let value = Expr::Case {
                case_token: ast::helpers::attached_token::AttachedToken::empty(),
                end_token: ast::helpers::attached_token::AttachedToken::empty(),
                operand: None,
                conditions: vec![ast::CaseWhen {
                    condition: condition.clone(),
                    result: assignment.value,
                }],
                else_result: None,
            };
            select
                .projection
                .push(aliased(value, &format!("__value_{}", assigned.len())));
            assigned.push(column);
        }
    }
    let writer = table.writer().await;
    let mut updated = 0;
    let mut version = Vec::new();
    for batch in run(context, query, bound).await? {
        let width = schema.fields().len();
        let condition = batch.column(width).as_boolean().clone();
        updated += condition.true_count();
        let mut columns: Vec<ArrayRef> = batch.columns()[..width].to_vec();
        for (index, &column) in assigned.iter().enumerate() {
            let value = cast_to_wire(batch.column(width + 1 + index), schema.field(column).data_type())?;
            columns[column] = chosen(&condition, &value, &columns[column])?;
        }
        version.push(nullable_batch(&schema, columns)?);
    }
    writer.replace(&version)?;
    modified(updated, &["num_affected_rows"])
}

fn chosen(condition: &BooleanArray, value: &ArrayRef, old: &ArrayRef) -> Result<ArrayRef, SqlError> {
    Ok(zip(condition, &value.as_ref(), &old.as_ref())?)
}

fn assigned_column(target: &AssignmentTarget, schema: &ArrowSchema, place: &Place) -> Result<usize, SqlError> {
    let AssignmentTarget::ColumnName(name) = target else {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "One column is assigned at a time.",
        ));
    };
    column(name, schema, place)
}

pub(super) fn column(name: &ObjectName, schema: &ArrowSchema, place: &Place) -> Result<usize, SqlError> {
    let name = parts(name)?.pop().unwrap_or_default();
    let found = schema
        .fields()
        .iter()
        .position(|field| field.name().eq_ignore_ascii_case(&name));
    found.ok_or_else(|| {
        SqlError::new(
            Class::UNRESOLVED_COLUMN,
            format!(
                "A column, variable, or function parameter with name {} cannot be resolved in {}.",
                quoted(&[name]),
                place.quoted()
            ),
        )
    })
}

pub(super) fn aliased(expr: Expr, alias: &str) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr,
        alias: Ident::new(alias),
    }
}

/// `SELECT *` from what a statement changes.
pub(super) fn select_from(from: Vec<TableWithJoins>) -> Result<ast::Query, SqlError> {
    let mut query = parsed_query("SELECT * FROM t")?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.from = from;
    }
    Ok(query)
}

/// A query that the engine itself writes.
pub(super) fn parsed_query(sql: &str) -> Result<ast::Query, SqlError> {
    let mut parser = Parser::new(&LocalDialect)
        .try_with_sql(sql)
        .map_err(|error| SqlError::from_parser(&error))?;
    Ok(*parser.parse_query().map_err(|error| SqlError::from_parser(&error))?)
}

async fn run(context: &Context, query: ast::Query, bound: &Bound) -> Result<Vec<RecordBatch>, SqlError> {
    let plan = context.plan_rows(query, bound).await?;
    context.collect(&plan).await
}

/// The one table that a statement changes.
pub(super) async fn target(context: &Context, from: &[TableWithJoins]) -> Result<(Place, Arc<StoredTable>), SqlError> {
    let [
        TableWithJoins {
            relation: TableFactor::Table { name, .. },
            joins,
        },
    ] = from
    else {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "One table is changed at a time.",
        ));
    };
    if !joins.is_empty() {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "One table is changed at a time.",
        ));
    }
    let place = context.place(&parts(name)?)?;
    let table = stored(&place, &place.table().await?)?;
    Ok((place, table))
}

/// The one-row result of a change that has one count.
fn modified(rows: usize, names: &[&str]) -> Result<Execution, SqlError> {
    let counts: Vec<(&str, usize)> = names.iter().map(|name| (*name, rows)).collect();
    counted(&counts)
}

/// The one-row result of a change. The first count is of all rows changed.
pub(super) fn counted(counts: &[(&str, usize)]) -> Result<Execution, SqlError> {
    let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
    let fields: Vec<Field> = counts
        .iter()
        .map(|(name, _)| Field::new(*name, DataType::Int64, true))
        .collect();
    let columns: Vec<ArrayRef> = counts
        .iter()
        .map(|(_, rows)| Arc::new(Int64Array::from(vec![count(*rows)])) as ArrayRef)
        .collect();
    let batch = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)?;
    Ok(Execution {
        num_modified_rows: counts.first().map(|(_, rows)| count(*rows)),
        ..Execution::of_batch(batch)
    })
}
