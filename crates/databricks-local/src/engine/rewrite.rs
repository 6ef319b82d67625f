//! Databricks expressions that the planner has no word for, rewritten into ones that it has.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType, DateTimeField, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, Interval, ObjectName, TableAlias, TableAliasColumnDef, TableFactor, UnaryOperator, Value,
    VisitMut, VisitorMut,
};

use super::error::{Class, SqlError};
use super::parameter::{micros, months};
use function::function_rewritten;

mod format;
mod function;

/// Rewrites a statement in place.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` for what would otherwise be ignored in silence, `CAST_INVALID_INPUT` for intervals that do not read.
pub(crate) fn rewrite(statement: &mut ast::Statement) -> Result<(), SqlError> {
    match statement.visit(&mut Rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter;

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

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match rewritten(expr) {
            Ok(Some(new)) => *expr = new,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
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
        Expr::Function(function) => function_rewritten(function)?,
        _ => None,
    })
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
