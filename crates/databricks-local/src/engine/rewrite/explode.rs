//! `LATERAL VIEW explode(…)` and `explode(…)` in a `FROM` clause, as relations that the planner knows.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, Join, JoinConstraint, JoinOperator, LateralView, ObjectName, SelectItem, SetExpr, TableAlias,
    TableAliasColumnDef, TableFactor, TableWithJoins,
};

use super::{arguments, call, unsupported};
use crate::engine::dml::parsed_query;
use crate::engine::error::SqlError;

/// Makes relations of the lateral views of a select, which see the relations before them.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` for a generator other than `explode`.
pub(super) fn views_to_tables(select: &mut ast::Select) -> Result<(), SqlError> {
    let mut from = Vec::with_capacity(select.from.len());
    for mut table in std::mem::take(&mut select.from) {
        let (name, args, alias, lateral) = match &table.relation {
            TableFactor::Function {
                lateral,
                name,
                args,
                alias,
                ..
            } if is_explode(name) => (name, args.clone(), alias, *lateral),
            TableFactor::Table {
                name,
                args: Some(args),
                alias,
                ..
            } if is_explode(name) => (name, args.args.clone(), alias, false),
            _ => {
                from.push(table);
                continue;
            }
        };
        let call = Expr::Function(function(name.clone(), args));
        let array = exploded(&call, is_outer(name))?;
        let element = element_of(alias.as_ref());
        let view = alias
            .as_ref()
            .map_or_else(|| Ident::new("explode"), |alias| alias.name.clone());
        if lateral && table.joins.is_empty() {
            // `FROM t, LATERAL explode(t.a) AS e(c)` is a lateral view.
            from = beside(from, array, element, view)?;
        } else {
            table.relation = alone(array, &element, view)?;
            from.push(table);
        }
    }
    for view in std::mem::take(&mut select.lateral_views) {
        let LateralView {
            lateral_view,
            lateral_view_name,
            lateral_col_alias,
            outer,
        } = view;
        let element = match lateral_col_alias.as_slice() {
            [] => Ident::new("col"),
            [element] => element.clone(),
            _ => return Err(unsupported("A lateral view of several columns")),
        };
        let array = exploded(&lateral_view, outer)?;
        let view = match lateral_view_name.0.as_slice() {
            [name] => name.as_ident().cloned(),
            _ => None,
        };
        let view = view.ok_or_else(|| unsupported("A lateral view whose name is not one word"))?;
        from = beside(from, array, element, view)?;
    }
    select.from = from;
    Ok(())
}

/// The elements of an array as a relation of their own.
fn alone(array: Expr, element: &Ident, view: Ident) -> Result<TableFactor, SqlError> {
    let mut query = parsed_query("SELECT 1")?;
    if let SetExpr::Select(inner) = query.body.as_mut() {
        inner.projection = vec![unnested(array, element)];
    }
    Ok(derived(query, view))
}

/// These relations and, for each of their rows, the elements of an array: `(t CROSS JOIN UNNEST(t.a) AS view (element))`, which
/// [`LateralElements`](crate::engine::lateral::LateralElements) plans. The element is a column of the view and of nothing else.
fn beside(
    from: Vec<TableWithJoins>,
    array: Expr,
    element: Ident,
    view: Ident,
) -> Result<Vec<TableWithJoins>, SqlError> {
    let mut from = from.into_iter();
    let Some(mut tables) = from.next() else {
        return Ok(vec![only(alone(array, &element, view)?)]);
    };
    tables.joins.extend(from.map(|table| {
        cross_join(if table.joins.is_empty() {
            table.relation
        } else {
            nested(table)
        })
    }));
    tables.joins.push(cross_join(TableFactor::UNNEST {
        alias: Some(TableAlias {
            explicit: true,
            name: view,
            columns: vec![TableAliasColumnDef {
                name: element,
                data_type: None,
            }],
            at: None,
        }),
        array_exprs: vec![array],
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }));
    Ok(vec![only(nested(tables))])
}

fn only(relation: TableFactor) -> TableWithJoins {
    TableWithJoins {
        relation,
        joins: Vec::new(),
    }
}

fn nested(tables: TableWithJoins) -> TableFactor {
    TableFactor::NestedJoin {
        table_with_joins: Box::new(tables),
        alias: None,
    }
}

fn cross_join(relation: TableFactor) -> Join {
    Join {
        relation,
        global: false,
        join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
    }
}

/// The array whose elements become rows. NULL has none; for an outer view, that and the empty array have one, NULL.
fn exploded(generator: &Expr, outer: bool) -> Result<Expr, SqlError> {
    let Expr::Function(function) = generator else {
        return Err(unsupported("A lateral view of this expression"));
    };
    let arguments = arguments(function);
    let (true, Some([array])) = (is_explode(&function.name), arguments.as_deref()) else {
        return Err(unsupported("A lateral view of another function than explode"));
    };
    if !outer && !is_outer(&function.name) {
        return Ok(array.clone());
    }
    let null = call("make_array", vec![Expr::value(ast::Value::Null)]);
    let has_rows = Expr::BinaryOp {
        left: Box::new(call("array_length", vec![array.clone()])),
        op: ast::BinaryOperator::Gt,
        right: Box::new(Expr::value(ast::Value::Number("0".to_owned(), false))),
    };
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![ast::CaseWhen {
            condition: has_rows,
            result: array.clone(),
        }],
        else_result: Some(Box::new(null)),
    })
}

fn is_explode(name: &ObjectName) -> bool {
    name.to_string().eq_ignore_ascii_case("explode") || is_outer(name)
}

fn is_outer(name: &ObjectName) -> bool {
    name.to_string().eq_ignore_ascii_case("explode_outer")
}

/// The element's column: as the alias names it, or `col`.
fn element_of(alias: Option<&TableAlias>) -> Ident {
    let named = alias.and_then(|alias| alias.columns.first());
    named.map_or_else(|| Ident::new("col"), |column| column.name.clone())
}

fn unnested(array: Expr, element: &Ident) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr: call("unnest", vec![array]),
        alias: element.clone(),
    }
}

fn derived(query: ast::Query, name: Ident) -> TableFactor {
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(TableAlias {
            explicit: true,
            name,
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    }
}

fn function(name: ObjectName, args: Vec<ast::FunctionArg>) -> ast::Function {
    ast::Function {
        name,
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args: ast::FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}
