//! `MERGE INTO`: rows of a source change, leave and enter a table. The next version is computed whole, then swapped in.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::compute::{filter_record_batch, interleave};
use arrow::datatypes::{DataType, Field, Int64Type, Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, JoinConstraint, JoinOperator, SetExpr, TableFactor, TableWithJoins, Value,
};

use super::dml::{aliased, counted, nullable_batch, parsed_query, select_from, target};
use super::error::{Class, SqlError};
use super::interval::cast_to_wire;
use super::parameter::Bound;
use super::plan::Context;
use super::session::Execution;
use super::table::StoredTable;
use clauses::{Action, Clause, Clauses};
use spelling::Spelling;

mod clauses;
mod spelling;
mod stars;

pub(crate) use stars::without_stars;

/// The column that tells the target's rows apart.
const ROW: &str = "__merge_row";
const SOURCE: &str = "__merge_source";
const TARGET: &str = "__merge_target";

/// `MERGE INTO … USING … ON … WHEN …`.
///
/// # Errors
/// When the table cannot be changed, a clause does not resolve, a value does not fit, or a row of the target would be changed by several
/// rows of the source; then nothing is changed.
pub(crate) async fn merge(context: &Context, merge: ast::Merge, bound: &Bound) -> Result<Execution, SqlError> {
    if merge.output.is_some() {
        return Err(unsupported("MERGE returns no rows of its table."));
    }
    let into = vec![TableWithJoins {
        relation: merge.table,
        joins: Vec::new(),
    }];
    let (place, table) = target(context, &into).await?;
    let schema = TableProvider::schema(table.as_ref());
    let mut sides = Sides {
        target: name(&into[0].relation, TARGET)?,
        source: name(&merge.source, SOURCE)?,
        on: *merge.on,
    };
    let mut clauses = Clauses::of(merge.clauses, &sides, &schema, &place)?;

    let writer = table.writer().await;
    let old = writer.snapshot();
    let (inner, source) = both(context, merge.source, &old, &schema, bound).await?;
    let spelling = Spelling::new(&sides, &schema, &source);
    spelling.respell(&mut sides.on);
    clauses.expressions().for_each(|expr| spelling.respell(expr));

    let mut pieces: Vec<Piece> = Vec::new();
    let mut changes: Vec<Change> = vec![Change::None; old.iter().map(RecordBatch::num_rows).sum()];
    let (mut updated, mut deleted) = (0, 0);
    let any_may_delete = matches!(
        clauses.matched.as_slice(),
        [Clause {
            condition: None,
            action: Action::Delete
        }]
    );
    for (kind, of_kind) in [(Kind::Matched, &clauses.matched), (Kind::BySource, &clauses.by_source)] {
        for piece in answers(&inner, &sides, kind, of_kind, &schema, bound).await? {
            let deletes = matches!(of_kind[piece.clause].action, Action::Delete);
            for (at, row) in piece.rows.values().iter().enumerate() {
                let change = usize::try_from(*row).ok().and_then(|row| changes.get_mut(row));
                let Some(change) = change else {
                    return Err(SqlError::new(
                        Class::INTERNAL_ERROR,
                        "MERGE changes a row that is not there.",
                    ));
                };
                match change {
                    Change::None if deletes => {
                        *change = Change::Delete;
                        deleted += 1;
                    }
                    Change::None => {
                        *change = Change::Update(pieces.len(), at);
                        updated += 1;
                    }
                    Change::Delete if any_may_delete => {}
                    _ => return Err(several_rows_match()),
                }
            }
            pieces.push(piece);
        }
    }

    let mut version = changed(&old, &schema, &changes, &pieces)?;
    let mut inserted = 0;
    for piece in answers(&inner, &sides, Kind::ByTarget, &clauses.by_target, &schema, bound).await? {
        let count = piece.rows.len();
        inserted += count;
        let columns = piece.columns.into_iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| column.unwrap_or_else(|| new_null_array(field.data_type(), count)));
        version.push(nullable_batch(&schema, columns.collect())?);
    }
    writer.replace(&version)?;
    counted(&[
        ("num_affected_rows", updated + deleted + inserted),
        ("num_updated_rows", updated),
        ("num_deleted_rows", deleted),
        ("num_inserted_rows", inserted),
    ])
}

/// What the two tables are called in the clauses, and when their rows match.
struct Sides {
    target: Ident,
    source: Ident,
    on: Expr,
}

fn name(factor: &TableFactor, otherwise: &str) -> Result<Ident, SqlError> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Ok(alias.name.clone())
        }
        TableFactor::Table { name, .. } => {
            let last = name.0.last().and_then(|part| part.as_ident());
            last.cloned()
                .ok_or_else(|| SqlError::new(Class::PARSE_SYNTAX_ERROR, format!("Syntax error at or near '{name}'.")))
        }
        TableFactor::Derived { .. } => Ok(Ident::new(otherwise)),
        _ => Err(unsupported("MERGE takes a table or a query as its source.")),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Matched,
    ByTarget,
    BySource,
}

/// A context in which the rows of both sides stand still, under names of their own: all queries of a merge see the same rows, even of a
/// source that others change meanwhile or that draws random numbers. With it, the columns of the source.
async fn both(
    context: &Context,
    source: TableFactor,
    old: &[RecordBatch],
    schema: &SchemaRef,
    bound: &Bound,
) -> Result<(Context, SchemaRef), SqlError> {
    let query = select_from(vec![TableWithJoins {
        relation: source,
        joins: Vec::new(),
    }])?;
    let plan = context.plan_rows(query, bound).await?;
    let rows = context.collect(&plan).await?;
    let fields = match rows.first() {
        Some(batch) => batch.schema(),
        None => Arc::new(plan.schema().as_arrow().clone()),
    };
    let nullable = fields
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), true));
    let source_schema = Arc::new(ArrowSchema::new(nullable.collect::<Vec<Field>>()));

    let mut numbered = Vec::with_capacity(old.len());
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(ROW, DataType::Int64, false));
    let target_schema = Arc::new(ArrowSchema::new(fields));
    let mut next = 0_i64;
    for batch in old {
        let mut columns = batch.columns().to_vec();
        let numbers = Int64Array::from_iter_values((next..).take(batch.num_rows()));
        next = numbers.values().last().map_or(next, |last| last + 1);
        columns.push(Arc::new(numbers));
        numbered.push(RecordBatch::try_new(Arc::clone(&target_schema), columns)?);
    }

    let mut state = context.state.clone();
    for (name, schema, rows) in [
        (SOURCE, Arc::clone(&source_schema), rows),
        (TARGET, target_schema, numbered),
    ] {
        let table = Arc::new(StoredTable::new(schema, &rows, context.memory())?);
        state.register_udtf(name, Arc::new(Rows(table)));
    }
    let context = Context {
        volumes: Arc::clone(&context.volumes),
        temporary: Arc::clone(&context.temporary),
        catalogs: Arc::clone(&context.catalogs),
        settings: context.settings.clone(),
        state,
    };
    Ok((context, source_schema))
}

/// A table under the name of a function.
#[derive(Debug)]
struct Rows(Arc<StoredTable>);

impl TableFunctionImpl for Rows {
    fn call_with_args(&self, _: TableFunctionArgs<'_, '_>) -> datafusion::error::Result<Arc<dyn TableProvider>> {
        Ok(Arc::clone(&self.0) as Arc<dyn TableProvider>)
    }
}

/// Rows for which one clause acts.
struct Piece {
    clause: usize,
    /// Numbers of the target's rows; for inserted rows they mean nothing.
    rows: Int64Array,
    /// By column of the target; none where the clause gives no value.
    columns: Vec<Option<ArrayRef>>,
}

/// Finds the rows of one kind, and for each the first clause whose condition holds and the values it gives.
///
/// Each kind of clause sees what it may name: inserts the source only, rows without a source the target only.
async fn answers(
    context: &Context,
    sides: &Sides,
    kind: Kind,
    clauses: &[Clause],
    schema: &ArrowSchema,
    bound: &Bound,
) -> Result<Vec<Piece>, SqlError> {
    if clauses.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = match kind {
        Kind::Matched | Kind::BySource => {
            let (target, source) = (&sides.target, &sides.source);
            parsed_query(&format!(
                "SELECT * FROM {TARGET}() AS {target} JOIN {SOURCE}() AS {source} ON true"
            ))?
        }
        Kind::ByTarget => {
            let (target, source) = (&sides.target, &sides.source);
            parsed_query(&format!(
                "SELECT * FROM {SOURCE}() AS {source} JOIN {TARGET}() AS {target} ON true"
            ))?
        }
    };
    if let SetExpr::Select(select) = query.body.as_mut() {
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            let on = JoinConstraint::On(sides.on.clone());
            join.join_operator = match kind {
                Kind::Matched => JoinOperator::Inner(on),
                Kind::ByTarget | Kind::BySource => JoinOperator::LeftAnti(on),
            };
        }
        let row = match kind {
            Kind::Matched | Kind::BySource => {
                Expr::CompoundIdentifier(vec![sides.target.clone(), Ident::with_quote('`', ROW)])
            }
            Kind::ByTarget => number(0),
        };
        let chosen = (0..clauses.len()).map(number).collect();
        select.projection = vec![aliased(row, "__row"), aliased(chain(clauses, chosen), "__clause")];
        for (index, clause) in clauses.iter().enumerate() {
            for (column, value) in clause.action.values() {
                // Evaluated only where the clause acts, so that the rows left alone cannot fail.
                let mut results = vec![Expr::value(Value::Null); index];
                results.push(value.clone());
                let alias = format!("__value_{index}_{column}");
                select.projection.push(aliased(chain(clauses, results), &alias));
            }
        }
    }
    let plan = context.plan_rows(query, bound).await?;
    let mut pieces = Vec::new();
    for batch in context.collect(&plan).await? {
        let chosen = cast_to_wire(batch.column(1), &DataType::Int64)?;
        let chosen = chosen.as_primitive::<Int64Type>();
        let mut first = 2;
        for (index, clause) in clauses.iter().enumerate() {
            let values = clause.action.values();
            let acts: BooleanArray = chosen
                .iter()
                .map(|chosen| Some(chosen.and_then(|chosen| usize::try_from(chosen).ok()) == Some(index)))
                .collect();
            if acts.true_count() > 0 {
                let batch = filter_record_batch(&batch, &acts)?;
                let mut columns = vec![None; schema.fields().len()];
                for (offset, (column, _)) in values.iter().enumerate() {
                    let value = batch.column(first + offset);
                    columns[*column] = Some(cast_to_wire(value, schema.field(*column).data_type())?);
                }
                pieces.push(Piece {
                    clause: index,
                    rows: cast_to_wire(batch.column(0), &DataType::Int64)?
                        .as_primitive::<Int64Type>()
                        .clone(),
                    columns,
                });
            }
            first += values.len();
        }
    }
    Ok(pieces)
}

/// `CASE` over the conditions of the first clauses, as many as there are results.
fn chain(clauses: &[Clause], results: Vec<Expr>) -> Expr {
    let conditions = clauses.iter().zip(results).map(|(clause, result)| ast::CaseWhen {
        condition: match &clause.condition {
            Some(condition) => condition.clone(),
            None => Expr::value(Value::Boolean(true)),
        },
        result,
    });
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions.collect(),
        else_result: None,
    }
}

fn number(number: usize) -> Expr {
    Expr::value(Value::Number(number.to_string(), false))
}

/// What becomes of a row of the target.
#[derive(Clone)]
enum Change {
    None,
    Delete,
    /// The piece that has the new values, and the row in it.
    Update(usize, usize),
}

/// The target's rows after updates and deletes, in their order.
fn changed(
    old: &[RecordBatch],
    schema: &ArrowSchema,
    changes: &[Change],
    pieces: &[Piece],
) -> Result<Vec<RecordBatch>, SqlError> {
    let mut version = Vec::with_capacity(old.len());
    let mut first = 0;
    for batch in old {
        let changes = &changes[first..first + batch.num_rows()];
        first += batch.num_rows();
        if changes.iter().all(|change| matches!(change, Change::None)) {
            version.push(nullable_batch(schema, batch.columns().to_vec())?);
            continue;
        }
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (at, column) in batch.columns().iter().enumerate() {
            let mut arrays = vec![column.as_ref()];
            let slots: Vec<usize> = pieces
                .iter()
                .map(|piece| match &piece.columns[at] {
                    Some(values) => {
                        arrays.push(values.as_ref());
                        arrays.len() - 1
                    }
                    None => 0,
                })
                .collect();
            let indices: Vec<(usize, usize)> = changes
                .iter()
                .enumerate()
                .filter_map(|(row, change)| match *change {
                    Change::Delete => None,
                    Change::Update(piece, new) if slots[piece] > 0 => Some((slots[piece], new)),
                    Change::None | Change::Update(..) => Some((0, row)),
                })
                .collect();
            columns.push(interleave(&arrays, &indices)?);
        }
        version.push(nullable_batch(schema, columns)?);
    }
    Ok(version)
}

fn several_rows_match() -> SqlError {
    SqlError::new(
        Class::MULTIPLE_SOURCE_ROWS_MATCH,
        "Cannot perform Merge as multiple source rows matched and attempted to modify the same target row in possibly conflicting ways.",
    )
}

fn unsupported(text: &str) -> SqlError {
    SqlError::new(Class::UNSUPPORTED_FEATURE, text)
}
