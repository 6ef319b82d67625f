//! Functions under other names, and those that are expressions of another kind.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    self, DataType, Expr, FunctionArguments, Ident, ObjectName, UnaryOperator, Value,
};

use super::format::chrono_format;
use super::template;
use super::{argument_list, arguments, call, cast};
use crate::engine::error::SqlError;

pub(super) fn function_rewritten(function: &ast::Function) -> Result<Option<Expr>, SqlError> {
    let name = function.name.to_string().to_lowercase();
    let renamed = match name.as_str() {
        "approx_count_distinct" => "approx_distinct",
        "any_value" | "first" => "first_value",
        "element_at" => "element_of",
        "endswith" => "ends_with",
        "every" => "bool_and",
        "exists" => "array_any_match",
        "explode" => "unnest",
        "filter" => "array_filter",
        "last" => "last_value",
        "lcase" => "lower",
        "len" => "length",
        "sign" => "signum",
        "startswith" => "starts_with",
        "some" => "bool_or",
        "std" => "stddev",
        "transform" => "array_transform",
        "ucase" => "upper",
        "variance" => "var_samp",
        _ => "",
    };
    if !renamed.is_empty() {
        let name = ObjectName::from(vec![Ident::new(renamed)]);
        return Ok(Some(Expr::Function(ast::Function {
            name,
            ..function.clone()
        })));
    }
    let Some(arguments) = arguments(function) else {
        return Ok(None);
    };
    // A template has no place for what else a call can have.
    let is_plain = function.over.is_none() && function.filter.is_none() && !is_distinct(function);
    if is_plain && let Some(expr) = template::expanded(&name, &arguments)? {
        return Ok(Some(expr));
    }
    Ok(match (name.as_str(), arguments.as_slice()) {
        // These take an INT, which a literal is.
        ("date_add" | "date_sub" | "add_months", [date, count]) if is_integer_literal(count) => Some(call(
            &name,
            vec![date.clone(), cast(count.clone(), DataType::Int(None))],
        )),
        ("count_if", [condition]) => {
            let counted = call("nullif", vec![condition.clone(), Expr::value(Value::Boolean(false))]);
            let mut list = argument_list(vec![counted]);
            if let FunctionArguments::List(written) = &function.args {
                list.duplicate_treatment = written.duplicate_treatment;
            }
            let args = FunctionArguments::List(list);
            let name = ObjectName::from(vec![Ident::new("count")]);
            Some(Expr::Function(ast::Function {
                name,
                args,
                ..function.clone()
            }))
        }
        ("decode", [value, first, answer, rest @ ..]) => Some(decoded(value, first, answer, rest)),
        ("isnotnull", [inner]) => Some(Expr::IsNotNull(Box::new(inner.clone()))),
        ("isnull", [inner]) => Some(Expr::IsNull(Box::new(inner.clone()))),
        ("curdate", []) => Some(call("current_date", Vec::new())),
        ("charindex" | "locate", [part, whole]) => Some(call("instr", vec![whole.clone(), part.clone()])),
        ("to_date", [text]) => Some(cast(text.clone(), DataType::Date)),
        ("to_timestamp", [text]) => Some(timestamp(text.clone())),
        ("date_format", [date, format]) => Some(call("to_char", vec![date.clone(), chrono_format(format)?])),
        ("from_unixtime", [seconds, format]) => {
            let time = timestamp(cast(seconds.clone(), DataType::BigInt(None)));
            Some(call("to_char", vec![time, chrono_format(format)?]))
        }
        ("unix_timestamp" | "to_unix_timestamp", [text, format]) => {
            let time = call("to_timestamp", vec![text.clone(), chrono_format(format)?]);
            Some(call("unix_seconds", vec![timestamp(time)]))
        }
        ("to_date", [text, format]) => Some(call(&name, vec![text.clone(), chrono_format(format)?])),
        ("to_timestamp", [text, format]) => {
            let time = call(&name, vec![text.clone(), chrono_format(format)?]);
            Some(timestamp(time))
        }
        (
            part @ ("year" | "quarter" | "month" | "week" | "weekofyear" | "day" | "dayofmonth" | "dayofweek"
            | "dayofyear" | "hour" | "minute" | "second"),
            [date],
        ) => {
            let part = match part {
                "weekofyear" => "week",
                "dayofmonth" => "day",
                "dayofyear" => "doy",
                other => other,
            };
            Some(call(
                "date_part",
                vec![Expr::value(Value::SingleQuotedString(part.to_owned())), date.clone()],
            ))
        }
        (type_name, [inner]) => cast_function(type_name).map(|data_type| cast(inner.clone(), data_type)),
        _ => None,
    })
}

/// In the session's zone.
fn timestamp(expr: Expr) -> Expr {
    cast(expr, DataType::Timestamp(None, ast::TimezoneInfo::None))
}

fn is_distinct(function: &ast::Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment.is_some())
}

/// `decode(value, search, answer, …, otherwise)`, where NULL is found too.
fn decoded(value: &Expr, first: &Expr, answer: &Expr, rest: &[Expr]) -> Expr {
    let case = |search: &Expr, answer: &Expr| ast::CaseWhen {
        condition: Expr::IsNotDistinctFrom(Box::new(value.clone()), Box::new(search.clone())),
        result: answer.clone(),
    };
    let mut conditions = vec![case(first, answer)];
    let pairs = rest.chunks_exact(2);
    let otherwise = pairs.remainder().first();
    conditions.extend(pairs.map(|pair| case(&pair[0], &pair[1])));
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions,
        else_result: otherwise.map(|otherwise| Box::new(otherwise.clone())),
    }
}

fn is_integer_literal(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => is_integer_literal(expr),
        Expr::Value(value) => matches!(&value.value, Value::Number(digits, _) if digits.parse::<i32>().is_ok()),
        _ => false,
    }
}

/// The type that a function casts to, if the function is a type's name.
fn cast_function(name: &str) -> Option<DataType> {
    Some(match name {
        "bigint" => DataType::BigInt(None),
        "binary" => DataType::Binary(None),
        "boolean" => DataType::Boolean,
        "date" => DataType::Date,
        "double" => DataType::Double(ast::ExactNumberInfo::None),
        "float" => DataType::Float(ast::ExactNumberInfo::None),
        "int" => DataType::Int(None),
        "smallint" => DataType::SmallInt(None),
        "string" => DataType::String(None),
        "timestamp" => DataType::Timestamp(None, ast::TimezoneInfo::None),
        "tinyint" => DataType::TinyInt(None),
        _ => return None,
    })
}
