//! Databricks expressions that the planner has no word for, rewritten into ones that it has.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, BinaryOperator, CastKind, DataType, DateTimeField, Expr, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName, SetExpr, SetOperator, TableAlias,
    TableAliasColumnDef, TableFactor, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::error::{Class, SqlError};
use super::function::json::PATH_OPERATOR;
use super::parameter::{micros, months};
use function::function_rewritten;

mod explode;
mod format;
mod function;
mod template;

/// Rewrites a statement in place.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` for what would otherwise be ignored in silence, `CAST_INVALID_INPUT` for intervals that do not read.
pub(crate) fn rewrite(statement: &mut ast::Statement) -> Result<(), SqlError> {
    match statement.visit(&mut Rewriter::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// How many expressions rewriting may add to a statement. A few of what functions stand for repeat their arguments, so nested calls of
/// them double, and more, at every level; the planner, which cannot be interrupted, would take as long.
const MAX_ADDED: usize = 40_000;

#[derive(Default)]
struct Rewriter {
    added: usize,
}

impl VisitorMut for Rewriter {
    type Break = SqlError;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                return ControlFlow::Break(unsupported("TABLESAMPLE"));
            }
            TableFactor::Table { version: Some(_), .. } => return ControlFlow::Break(unsupported("Time travel")),
            TableFactor::Table {
                name,
                alias,
                args: Some(_),
                ..
            } if is_range(name) => name_range_column(alias),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<SqlError> {
        minus_to_except(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<SqlError> {
        match explode::views_to_tables(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match rewritten(expr) {
            Ok(Some(new)) => {
                self.added += size(&new).saturating_sub(size(expr));
                *expr = new;
                if self.added > MAX_ADDED {
                    return ControlFlow::Break(SqlError::new(
                        Class::UNSUPPORTED_FEATURE,
                        format!(
                            "The statement's functions stand for more than {MAX_ADDED} expressions: nest fewer calls, or compute \
                             the inner ones in a subquery."
                        ),
                    ));
                }
            }
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// The number of expressions in an expression, itself included.
fn size(expr: &Expr) -> usize {
    let mut size = 0;
    let _: ControlFlow<()> = ast::visit_expressions(expr, |_| {
        size += 1;
        ControlFlow::Continue(())
    });
    size
}

fn minus_to_except(body: &mut SetExpr) {
    if let SetExpr::SetOperation { op, left, right, .. } = body {
        if *op == SetOperator::Minus {
            *op = SetOperator::Except;
        }
        minus_to_except(left);
        minus_to_except(right);
    }
}

fn is_range(name: &ObjectName) -> bool {
    name.to_string().eq_ignore_ascii_case("range")
}

/// The column of `range` is called `id`.
fn name_range_column(alias: &mut Option<TableAlias>) {
    let alias = alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: Ident::new("range"),
        columns: Vec::new(),
        at: None,
    });
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef::from_name("id"));
    }
}

fn rewritten(expr: &Expr) -> Result<Option<Expr>, SqlError> {
    Ok(match expr {
        Expr::Value(value) => match &value.value {
            // An exponent makes a DOUBLE, the suffix L a BIGINT. From its text: as a number it would first be a decimal, which
            // has no room for 1e300.
            Value::Number(digits, false) if digits.contains(['e', 'E']) => Some(cast(
                Expr::value(Value::SingleQuotedString(digits.clone())),
                DataType::Double(ast::ExactNumberInfo::None),
            )),
            Value::Number(digits, true) => Some(cast(
                Expr::value(Value::Number(digits.clone(), false)),
                DataType::BigInt(None),
            )),
            _ => None,
        },
        Expr::BinaryOp {
            left,
            op: BinaryOperator::MyIntegerDivide,
            right,
        } => Some(call("div", vec![*left.clone(), *right.clone()])),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Spaceship,
            right,
        } => Some(Expr::IsNotDistinctFrom(left.clone(), right.clone())),
        Expr::UnaryOp {
            op: UnaryOperator::BangNot,
            expr,
        } => Some(Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: expr.clone(),
        }),
        Expr::RLike {
            negated, expr, pattern, ..
        } => {
            let matches = call("regexp_like", vec![*expr.clone(), *pattern.clone()]);
            Some(if *negated {
                Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(matches),
                }
            } else {
                matches
            })
        }
        Expr::Interval(interval) => plain_interval(interval)?,
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            expr,
        } => Some(call("bitwise_not", vec![*expr.clone()])),
        Expr::Like {
            negated,
            any: true,
            expr: text,
            pattern,
            escape_char,
        } => Some(like_any(*negated, text, pattern, escape_char.as_ref())),
        Expr::JsonAccess { value, path } => Some(json_path(value, path)?),
        Expr::Struct { values, fields } if fields.is_empty() => Some(Expr::Struct {
            values: values.iter().enumerate().map(named_field).collect(),
            fields: Vec::new(),
        }),
        Expr::Function(function) => function_rewritten(function)?,
        Expr::CompoundFieldAccess { root, access_chain } => Some(Expr::CompoundFieldAccess {
            root: root.clone(),
            access_chain: named_by_text(root, access_chain),
        }),
        _ => None,
    })
}

/// The planner takes the name of a field as text, except where a column's own name goes on in the chain: `t.a[0]`.
fn named_by_text(root: &Expr, chain: &[AccessExpr]) -> Vec<AccessExpr> {
    let mut is_column = matches!(root, Expr::Identifier(_));
    let by_text = |access: &AccessExpr| match access {
        AccessExpr::Dot(Expr::Identifier(_)) if is_column => access.clone(),
        AccessExpr::Dot(Expr::Identifier(name)) => {
            AccessExpr::Dot(Expr::value(Value::SingleQuotedString(name.value.clone())))
        }
        other => {
            is_column = false;
            other.clone()
        }
    };
    chain.iter().map(by_text).collect()
}

/// A field without a name has that of its column, or `col` and its place.
fn named_field((at, value): (usize, &Expr)) -> Expr {
    let name = match value {
        Expr::Named { .. } => return value.clone(),
        Expr::Identifier(name) => name.clone(),
        Expr::CompoundIdentifier(parts) => match parts.last() {
            Some(name) => name.clone(),
            None => return value.clone(),
        },
        _ => Ident::new(format!("col{}", at + 1)),
    };
    Expr::Named {
        expr: Box::new(value.clone()),
        name,
    }
}

/// `LIKE ANY (a, b)` as `(LIKE a OR LIKE b)`.
fn like_any(negated: bool, text: &Expr, pattern: &Expr, escape: Option<&ast::ValueWithSpan>) -> Expr {
    let patterns = match pattern {
        Expr::Tuple(patterns) => patterns.clone(),
        Expr::Nested(pattern) => vec![*pattern.clone()],
        pattern => vec![pattern.clone()],
    };
    let like = |pattern| Expr::Like {
        negated: false,
        any: false,
        expr: Box::new(text.clone()),
        pattern: Box::new(pattern),
        escape_char: escape.cloned(),
    };
    let any = patterns.into_iter().map(like).reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::Or,
        right: Box::new(right),
    });
    let any = Expr::Nested(Box::new(any.unwrap_or_else(|| Expr::value(Value::Boolean(false)))));
    if negated {
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(any),
        }
    } else {
        any
    }
}

/// `column:a.b[0]` as a function of the column and the path `$.a.b[0]`.
fn json_path(value: &Expr, path: &ast::JsonPath) -> Result<Expr, SqlError> {
    let mut text = "$".to_owned();
    for step in &path.path {
        match step {
            ast::JsonPathElem::Dot { key, quoted: false } => {
                text.push('.');
                text.push_str(key);
            }
            ast::JsonPathElem::Dot { key, quoted: true } => {
                text.push_str(&format!("['{key}']"));
            }
            ast::JsonPathElem::Bracket { key } | ast::JsonPathElem::ColonBracket { key } => match key {
                Expr::Value(key) => match &key.value {
                    Value::Number(index, _) => text.push_str(&format!("[{index}]")),
                    Value::SingleQuotedString(key) => text.push_str(&format!("['{key}']")),
                    _ => return Err(unsupported("This step of a JSON path")),
                },
                _ => return Err(unsupported("This step of a JSON path")),
            },
        }
    }
    let path = Expr::value(Value::SingleQuotedString(text));
    Ok(call(PATH_OPERATOR, vec![value.clone(), path]))
}

/// An interval of several fields, or with a precision, as the sum of plain ones.
fn plain_interval(interval: &Interval) -> Result<Option<Expr>, SqlError> {
    let Some(last_field) = &interval.last_field else {
        if interval.leading_precision.is_none() && interval.fractional_seconds_precision.is_none() {
            return Ok(None);
        }
        let plain = Interval {
            leading_precision: None,
            fractional_seconds_precision: None,
            ..interval.clone()
        };
        return Ok(Some(Expr::Interval(plain)));
    };
    let invalid = || {
        SqlError::new(
            Class::CAST_INVALID_INPUT,
            "An interval's text does not have the form that its fields ask for.",
        )
    };
    let Expr::Value(value) = interval.value.as_ref() else {
        return Err(invalid());
    };
    let (Value::SingleQuotedString(text) | Value::DoubleQuotedString(text)) = &value.value else {
        return Err(invalid());
    };
    let text = match (&interval.leading_field, last_field) {
        (Some(DateTimeField::Year), DateTimeField::Month) => format!("{} months", months(text).ok_or_else(invalid)?),
        (Some(DateTimeField::Day), DateTimeField::Hour | DateTimeField::Minute | DateTimeField::Second) => {
            format!("{} microseconds", micros(text).ok_or_else(invalid)?)
        }
        (Some(DateTimeField::Hour), DateTimeField::Minute | DateTimeField::Second) => {
            let (sign, clock) = text.strip_prefix('-').map_or(("", text.as_str()), |clock| ("-", clock));
            format!(
                "{} microseconds",
                micros(&format!("{sign}0 {clock}")).ok_or_else(invalid)?
            )
        }
        (Some(DateTimeField::Minute), DateTimeField::Second) => {
            let (sign, clock) = text.strip_prefix('-').map_or(("", text.as_str()), |clock| ("-", clock));
            format!(
                "{} microseconds",
                micros(&format!("{sign}0 0:{clock}")).ok_or_else(invalid)?
            )
        }
        _ => return Err(unsupported("This range of interval fields")),
    };
    Ok(Some(Expr::Interval(Interval {
        value: Box::new(Expr::value(Value::SingleQuotedString(text))),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })))
}

/// Plain arguments, if there are no others.
fn arguments(function: &ast::Function) -> Option<Vec<Expr>> {
    match &function.args {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => {
            let plain = |argument: &FunctionArg| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            };
            list.args.iter().map(plain).collect()
        }
    }
}

fn argument_list(arguments: Vec<Expr>) -> FunctionArgumentList {
    FunctionArgumentList {
        duplicate_treatment: None,
        args: arguments
            .into_iter()
            .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
            .collect(),
        clauses: Vec::new(),
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(ast::Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(argument_list(arguments)),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

fn unsupported(what: &str) -> SqlError {
    SqlError::new(Class::UNSUPPORTED_FEATURE, format!("{what} is not supported here."))
}
