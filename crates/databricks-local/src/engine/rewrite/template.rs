//! Functions that are expressions of functions which the planner knows.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::parser::Parser;

use super::unsupported;
use crate::engine::dialect::LocalDialect;
use crate::engine::error::{Class, SqlError};

/// By name and number of arguments. `$1` is the first argument. What a template calls is not rewritten again.
const TEMPLATES: &[(&str, usize, &str)] = &[
    ("approx_percentile", 2, PERCENTILE),
    ("approx_percentile", 3, PERCENTILE),
    ("array_remove", 2, "array_remove_all($1, $2)"),
    ("array_size", 1, "CASE WHEN $1 IS NOT NULL THEN size($1) END"),
    ("array_sort", 1, "array_sort($1, 'ASC', 'NULLS LAST')"),
    ("date_from_unix_date", 1, "date_add(DATE '1970-01-01', CAST($1 AS INT))"),
    ("date_trunc", 2, "date_trunc($1, CAST($2 AS TIMESTAMP))"),
    ("equal_null", 2, "($1 IS NOT DISTINCT FROM $2)"),
    ("factorial", 1, "factorial(CAST($1 AS INT))"),
    (
        "from_unixtime",
        1,
        "to_char(CAST(CAST($1 AS BIGINT) AS TIMESTAMP), '%Y-%m-%d %H:%M:%S')",
    ),
    ("iff", 3, "CASE WHEN $1 THEN $2 ELSE $3 END"),
    ("left", 2, "left($1, CASE WHEN $2 < 0 THEN 0 ELSE $2 END)"),
    ("listagg", 1, "string_agg($1, '')"),
    ("listagg", 2, "string_agg($1, $2)"),
    ("map_contains_key", 2, "array_has(map_keys($1), $2)"),
    (
        "max_by",
        2,
        "first_value($1 ORDER BY $2 DESC NULLS LAST) FILTER (WHERE $2 IS NOT NULL)",
    ),
    (
        "min_by",
        2,
        "first_value($1 ORDER BY $2 ASC NULLS LAST) FILTER (WHERE $2 IS NOT NULL)",
    ),
    ("nullifzero", 1, "nullif($1, 0)"),
    ("percentile", 2, "percentile_cont($1, $2)"),
    ("percentile_approx", 2, PERCENTILE),
    ("percentile_approx", 3, PERCENTILE),
    ("positive", 1, "$1"),
    ("right", 2, "right($1, CASE WHEN $2 < 0 THEN 0 ELSE $2 END)"),
    ("sequence", 2, "generate_series($1, $2, sequence_step($1, $2))"),
    ("sequence", 3, "generate_series($1, $2, sequence_step($1, $2, $3))"),
    ("sort_array", 1, "array_sort($1, 'ASC', 'NULLS FIRST')"),
    (
        "sort_array",
        2,
        "CASE WHEN $2 THEN array_sort($1, 'ASC', 'NULLS FIRST') ELSE array_sort($1, 'DESC', 'NULLS LAST') END",
    ),
    ("space", 1, "repeat(' ', $1)"),
    (
        "timestamp_micros",
        1,
        "CAST(arrow_cast(CAST($1 AS BIGINT), 'Timestamp(Microsecond, Some(\"UTC\"))') AS TIMESTAMP)",
    ),
    (
        "timestamp_millis",
        1,
        "CAST(arrow_cast(CAST($1 AS BIGINT), 'Timestamp(Millisecond, Some(\"UTC\"))') AS TIMESTAMP)",
    ),
    (
        "timestamp_seconds",
        1,
        "CAST(arrow_cast(CAST(CAST($1 AS DECIMAL(28,6)) * 1000000 AS BIGINT), \
         'Timestamp(Microsecond, Some(\"UTC\"))') AS TIMESTAMP)",
    ),
    ("to_unix_timestamp", 1, "unix_seconds(CAST($1 AS TIMESTAMP))"),
    ("try_to_date", 1, "TRY_CAST($1 AS DATE)"),
    ("try_to_timestamp", 1, "TRY_CAST($1 AS TIMESTAMP)"),
    ("unix_timestamp", 0, "unix_seconds(now())"),
    ("unix_timestamp", 1, "unix_seconds(CAST($1 AS TIMESTAMP))"),
    ("zeroifnull", 1, "coalesce($1, 0)"),
];

/// Exact, which every accuracy allows: the smallest value that no fewer than this share of the values do not exceed.
const PERCENTILE: &str = "array_element(array_sort(array_agg($1) FILTER (WHERE $1 IS NOT NULL), 'ASC', 'NULLS LAST'), \
                          greatest(CAST(ceil($2 * count($1)) AS BIGINT), 1))";

/// The expression that a call of this function stands for, if there is one.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` for a unit of time that is none.
pub(super) fn expanded(name: &str, arguments: &[Expr]) -> Result<Option<Expr>, SqlError> {
    if let ("datediff" | "date_diff" | "timestampdiff", [unit, start, end]) = (name, arguments) {
        return expand(&difference(unit)?, &[start.clone(), end.clone()]).map(Some);
    }
    if let ("dateadd" | "date_add" | "timestampadd", [unit, count, start]) = (name, arguments) {
        return expand(&sum(unit)?, &[count.clone(), start.clone()]).map(Some);
    }
    let found = TEMPLATES
        .iter()
        .find(|(there, count, _)| *there == name && *count == arguments.len());
    found.map(|(_, _, template)| expand(template, arguments)).transpose()
}

fn unit_name(unit: &Expr) -> Result<String, SqlError> {
    match unit {
        Expr::Identifier(unit) => Ok(unit.value.to_ascii_uppercase()),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(unit) => Ok(unit.to_ascii_uppercase()),
            _ => Err(unsupported("This unit of time")),
        },
        _ => Err(unsupported("This unit of time")),
    }
}

/// What a clock on the wall shows: days and months are not of one length where clocks change.
const START: &str = "to_local_time(CAST($1 AS TIMESTAMP))";
const END: &str = "to_local_time(CAST($2 AS TIMESTAMP))";

/// Whole units from `$1` to `$2`, as `ChronoUnit.between` counts them.
fn difference(unit: &Expr) -> Result<String, SqlError> {
    let micros = match unit_name(unit)?.as_str() {
        "DAY" | "DAYOFYEAR" => return Ok(days(1)),
        "WEEK" => return Ok(days(7)),
        "MONTH" => return Ok(months(1)),
        "QUARTER" => return Ok(months(3)),
        "YEAR" => return Ok(months(12)),
        "MICROSECOND" => 1_u64,
        "MILLISECOND" => 1_000,
        "SECOND" => 1_000_000,
        "MINUTE" => 60_000_000,
        "HOUR" => 3_600_000_000,
        _ => return Err(unsupported("This unit of time")),
    };
    Ok(format!(
        "div(unix_micros(CAST($2 AS TIMESTAMP)) - unix_micros(CAST($1 AS TIMESTAMP)), {micros})"
    ))
}

fn days(each: u64) -> String {
    let micros = each * 86_400_000_000;
    format!("div(unix_micros({END}) - unix_micros({START}), {micros})")
}

/// A day that has begun and not ended counts no day; then a month counts when its day is reached: there are 32 places for days in each
/// month, so that one division finds whole months.
fn months(each: u64) -> String {
    let clock = |time: &str| format!("pmod(unix_micros({time}), 86400000000)");
    let (from, to) = (clock(START), clock(END));
    let end = format!(
        "date_add(CAST({END} AS DATE), CAST(CASE WHEN {END} > {START} AND {to} < {from} THEN -1 \
         WHEN {END} < {START} AND {to} > {from} THEN 1 ELSE 0 END AS INT))"
    );
    let place = |date: &str| {
        format!(
            "(CAST(date_part('year', {date}) AS BIGINT) * 12 + CAST(date_part('month', {date}) AS BIGINT)) * 32 \
             + CAST(date_part('day', {date}) AS BIGINT)"
        )
    };
    format!("div(({}) - ({}), {})", place(&end), place(START), 32 * each)
}

/// `$1` units after `$2`.
fn sum(unit: &Expr) -> Result<String, SqlError> {
    let count = "CAST($1 AS INT)";
    let interval = match unit_name(unit)?.as_str() {
        "SECOND" => format!("0, 0, 0, 0, 0, 0, {count}"),
        "MINUTE" => format!("0, 0, 0, 0, 0, {count}, 0"),
        "HOUR" => format!("0, 0, 0, 0, {count}, 0, 0"),
        "DAY" | "DAYOFYEAR" => format!("0, 0, 0, {count}, 0, 0, 0"),
        "WEEK" => format!("0, 0, {count}, 0, 0, 0, 0"),
        "MONTH" => format!("0, {count}, 0, 0, 0, 0, 0"),
        "QUARTER" => format!("0, {count} * 3, 0, 0, 0, 0, 0"),
        "YEAR" => format!("{count}, 0, 0, 0, 0, 0, 0"),
        _ => return Err(unsupported("This unit of time")),
    };
    Ok(format!("CAST($2 AS TIMESTAMP) + make_interval({interval})"))
}

fn expand(template: &str, arguments: &[Expr]) -> Result<Expr, SqlError> {
    let unreadable = |error: datafusion::sql::sqlparser::parser::ParserError| {
        SqlError::new(
            Class::INTERNAL_ERROR,
            format!("a function's template does not read: {error}"),
        )
    };
    let mut parser = Parser::new(&LocalDialect).try_with_sql(template).map_err(unreadable)?;
    let mut expr = parser.parse_expr().map_err(unreadable)?;
    let _: ControlFlow<()> = expr.visit(&mut Fill(arguments));
    Ok(expr)
}

/// Puts arguments in the place of their numbers. They are not looked into: their own markers are the statement's.
struct Fill<'a>(&'a [Expr]);

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let number = match expr {
            Expr::Value(value) => match &value.value {
                Value::Placeholder(number) => number.strip_prefix('$').and_then(|number| number.parse().ok()),
                _ => None,
            },
            _ => None,
        };
        let argument = number.and_then(|number: usize| self.0.get(number.checked_sub(1)?));
        if let Some(argument) = argument {
            *expr = Expr::Nested(Box::new(argument.clone()));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_reads_and_uses_its_arguments() {
        let arguments: Vec<Expr> = (1..=3).map(|_| Expr::value(Value::Boolean(true))).collect();
        for (name, count, template) in TEMPLATES {
            let text = expand(template, &arguments[..*count]).unwrap().to_string();
            assert!(!text.contains('$'), "{name}: {text}");
        }
        for unit in ["second", "DAY", "MONTH", "YEAR"] {
            let unit = Expr::value(Value::SingleQuotedString(unit.to_owned()));
            for template in [difference(&unit).unwrap(), sum(&unit).unwrap()] {
                assert!(!expand(&template, &arguments).unwrap().to_string().contains('$'));
            }
        }
    }
}
