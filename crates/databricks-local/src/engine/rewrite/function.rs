//! Functions under other names, and those that are expressions of another kind.

use datafusion::sql::sqlparser::ast::{
    self, DataType, Expr, FunctionArguments, Ident, ObjectName, UnaryOperator, Value,
};

use super::format::chrono_format;
use super::{argument_list, arguments, call, cast};
use crate::engine::error::SqlError;

pub(super) fn function_rewritten(function: &ast::Function) -> Result<Option<Expr>, SqlError> {
    let name = function.name.to_string().to_lowercase();
    let renamed = match name.as_str() {
        "approx_count_distinct" => "approx_distinct",
        "any_value" | "first" => "first_value",
        "endswith" => "ends_with",
        "explode" => "unnest",
        "last" => "last_value",
        "lcase" => "lower",
        "len" => "length",
        "sign" => "signum",
        "startswith" => "starts_with",
        "std" => "stddev",
        "ucase" => "upper",
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
    Ok(match (name.as_str(), arguments.as_slice()) {
        // These take an INT, which a literal is.
        ("date_add" | "date_sub" | "add_months", [date, count]) if is_integer_literal(count) => Some(call(
            &name,
            vec![date.clone(), cast(count.clone(), DataType::Int(None))],
        )),
        ("count_if", [condition]) => {
            let counted = call("nullif", vec![condition.clone(), Expr::value(Value::Boolean(false))]);
            let args = FunctionArguments::List(argument_list(vec![counted]));
            let name = ObjectName::from(vec![Ident::new("count")]);
            Some(Expr::Function(ast::Function {
                name,
                args,
                ..function.clone()
            }))
        }
        ("isnotnull", [inner]) => Some(Expr::IsNotNull(Box::new(inner.clone()))),
        ("isnull", [inner]) => Some(Expr::IsNull(Box::new(inner.clone()))),
        ("curdate", []) => Some(call("current_date", Vec::new())),
        ("charindex" | "locate", [part, whole]) => Some(call("instr", vec![whole.clone(), part.clone()])),
        ("to_date", [text]) => Some(cast(text.clone(), DataType::Date)),
        ("to_timestamp", [text]) => Some(cast(text.clone(), DataType::Timestamp(None, ast::TimezoneInfo::None))),
        ("date_format", [date, format]) => Some(call("to_char", vec![date.clone(), chrono_format(format)?])),
        ("to_date" | "to_timestamp", [text, format]) => Some(call(&name, vec![text.clone(), chrono_format(format)?])),
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
