//! `LATERAL VIEW explode(…)` and `explode(…)` in a `FROM` clause, as a query whose select list unnests.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, LateralView, ObjectName, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins, VisitMut,
    VisitorMut,
};

use super::{arguments, call, unsupported};
use crate::engine::dml::parsed_query;
use crate::engine::error::SqlError;

/// Puts queries in place of the lateral views of a select.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` for a generator other than `explode`, and beside a join: what it makes stands in the place of one table.
pub(super) fn views_to_tables(select: &mut ast::Select) -> Result<(), SqlError> {
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
        let view = lateral_view_name.0.last().and_then(|part| part.as_ident()).cloned();
        widen(select, array, &element, view.as_ref())?;
    }
    // `FROM t, LATERAL explode(t.a) AS e(c)` is the same.
    while let [.., _, last] = select.from.as_slice()
        && let TableFactor::Function {
            lateral: true,
            name,
            args,
            alias,
            ..
        } = &last.relation
        && is_explode(name)
    {
        let call = Expr::Function(function(name.clone(), args.clone()));
        let array = exploded(&call, is_outer(name))?;
        let view = alias.as_ref().map(|alias| alias.name.clone());
        let element = element_of(alias.as_ref());
        select.from.pop();
        widen(select, array, &element, view.as_ref())?;
    }
    // And without a table beside it, `FROM explode(…)`.
    for from in &mut select.from {
        let (name, args, alias) = match &from.relation {
            TableFactor::Function { name, args, alias, .. } if is_explode(name) => (name, args.clone(), alias),
            TableFactor::Table {
                name,
                args: Some(args),
                alias,
                ..
            } if is_explode(name) => (name, args.args.clone(), alias),
            _ => continue,
        };
        let call = Expr::Function(function(name.clone(), args));
        let array = exploded(&call, is_outer(name))?;
        let element = element_of(alias.as_ref());
        let view = alias.as_ref().map(|alias| alias.name.clone());
        let mut query = parsed_query("SELECT 1")?;
        if let SetExpr::Select(inner) = query.body.as_mut() {
            inner.projection = vec![unnested(array, &element)];
        }
        from.relation = derived(query, view.unwrap_or_else(|| Ident::new("explode")));
    }
    Ok(())
}

/// A table with one column more, under the table's own name.
fn widen(select: &mut ast::Select, array: Expr, element: &Ident, view: Option<&Ident>) -> Result<(), SqlError> {
    let [from] = select.from.as_mut_slice() else {
        return Err(unsupported("A lateral view beside several tables"));
    };
    if !from.joins.is_empty() {
        return Err(unsupported("A lateral view beside a join"));
    }
    let name = match &from.relation {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            alias.name.clone()
        }
        TableFactor::Table { name, .. } => match name.0.last().and_then(|part| part.as_ident()) {
            Some(name) => name.clone(),
            None => return Err(unsupported("A lateral view of this table")),
        },
        _ => Ident::new("exploded"),
    };
    let mut query = parsed_query("SELECT *")?;
    if let SetExpr::Select(inner) = query.body.as_mut() {
        inner.from = vec![TableWithJoins {
            relation: from.relation.clone(),
            joins: Vec::new(),
        }];
        inner.projection.push(unnested(array, element));
    }
    from.relation = derived(query, name);
    // The new column belongs to the table now, and the view's name is no name of a table.
    if let Some(view) = view {
        unqualify(select, view);
    }
    Ok(())
}

/// Takes the view's name from before its columns.
fn unqualify(select: &mut ast::Select, view: &Ident) {
    let _: ControlFlow<()> = select.visit(&mut Unqualify(view));
}

struct Unqualify<'a>(&'a Ident);

impl VisitorMut for Unqualify<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && parts.len() > 1
            && parts[0].value.eq_ignore_ascii_case(&self.0.value)
        {
            parts.remove(0);
            if let [name] = parts.as_slice() {
                *expr = Expr::Identifier(name.clone());
            }
        }
        ControlFlow::Continue(())
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
