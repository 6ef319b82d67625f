//! Markers in SQL text and the values bound to them. Values become typed literals of the plan; they never become text of the statement.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use databricks_wire::sea::Parameter;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::error::{Class, SqlError};
use super::types::{DatabricksTypes, STRICT};

/// The values of a statement's markers, in the order of the numbers that [`bind`] gave the markers.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    pub(crate) sql_types: Vec<ast::DataType>,
    pub(crate) values: Vec<ScalarValue>,
}

/// Replaces `:name` and `?` by the planner's `$1`, `$2`, …, and finds their values among `parameters`.
///
/// Strings, quoted names and comments are tokens of their own, so nothing inside them is a marker; neither is the colon of a path
/// (`column:field`), which follows a name or bracket without a blank.
///
/// # Errors
/// `UNBOUND_SQL_PARAMETER` for a marker without a value, `INVALID_PARAMETER_VALUE` when named and positional ones are mixed,
/// `CAST_INVALID_INPUT` for a value that its type cannot read.
pub(crate) fn bind(
    tokens: Vec<TokenWithSpan>,
    parameters: &[Parameter],
    types: &DatabricksTypes,
) -> Result<(Vec<TokenWithSpan>, Bound), SqlError> {
    let values = Values::new(parameters)?;
    let mut bound = Bound::default();
    let mut keys: Vec<String> = Vec::new();
    let mut positional = 0_u32;
    let mut rewritten: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    // Within the brackets of a type a colon stands between a field and its type.
    let mut type_depth = 0_usize;
    while let Some(mut token) = tokens.next() {
        match (&token.token, rewritten.last().map(|before| &before.token)) {
            (Token::Lt, Some(Token::Word(word))) if matches!(word.keyword, Keyword::ARRAY | Keyword::STRUCT) => {
                type_depth += 1
            }
            (Token::Gt, _) => type_depth = type_depth.saturating_sub(1),
            (Token::ShiftRight, _) => type_depth = type_depth.saturating_sub(2),
            _ => {}
        }
        let name = match (&token.token, tokens.peek().map(|next| &next.token)) {
            (Token::Colon, Some(Token::Word(word)))
                if type_depth == 0 && !rewritten.last().is_some_and(ends_operand) =>
            {
                Some(word.value.clone())
            }
            _ => None,
        };
        if let Some(name) = name {
            let number = match keys.iter().position(|key| *key == name) {
                Some(index) => index + 1,
                None => {
                    bound.push(values.named(&name)?, types)?;
                    keys.push(name);
                    keys.len()
                }
            };
            token.token = Token::Placeholder(format!("${number}"));
            tokens.next();
        } else if let (Token::Number(digits, false), Some(Token::Word(word))) =
            (&token.token, tokens.peek().map(|next| &next.token))
            && let Some(type_name) = suffix_type(&word.value)
        {
            if type_name == "DECIMAL" {
                tokens.next();
                rewritten.push(token);
                continue;
            }
            let literal = [
                ("CAST", true),
                ("(", false),
                (digits.as_str(), false),
                ("AS", true),
                (type_name, true),
                (")", false),
            ];
            rewritten.extend(literal.map(|(text, is_word)| TokenWithSpan {
                token: literal_token(text, is_word),
                span: token.span,
            }));
            tokens.next();
            continue;
        } else if let Token::Placeholder(text) = &token.token {
            if text != "?" {
                return Err(SqlError::new(
                    Class::PARSE_SYNTAX_ERROR,
                    format!("Syntax error at or near '{text}'."),
                ));
            }
            positional += 1;
            bound.push(values.positional(positional)?, types)?;
            token.token = Token::Placeholder(format!("${positional}"));
        }
        rewritten.push(token);
    }
    if positional > 0 && !keys.is_empty() {
        return Err(mixed());
    }
    Ok((rewritten, bound))
}

/// The text of a named parameter.
///
/// # Errors
/// `UNBOUND_SQL_PARAMETER` when there is none of the name, or it is NULL.
pub(crate) fn text(name: &str, parameters: &[Parameter]) -> Result<String, SqlError> {
    let parameter = Values::new(parameters)?.named(name)?;
    match &parameter.value {
        Some(value) => Ok(value.expose().to_owned()),
        None => Err(unbound(name)),
    }
}

/// The type that a number has with this suffix and no blank before it: `1S`, `2.5D`.
fn suffix_type(suffix: &str) -> Option<&'static str> {
    Some(match suffix.to_ascii_uppercase().as_str() {
        "BD" => "DECIMAL",
        "D" => "DOUBLE",
        "F" => "FLOAT",
        "S" => "SMALLINT",
        "Y" => "TINYINT",
        _ => return None,
    })
}

fn literal_token(text: &str, is_word: bool) -> Token {
    match text {
        "(" => Token::LParen,
        ")" => Token::RParen,
        _ if is_word => Token::make_keyword(text),
        _ => Token::Number(text.to_owned(), false),
    }
}

/// Whether a token can be what a path's colon hangs on.
fn ends_operand(token: &TokenWithSpan) -> bool {
    matches!(
        token.token,
        Token::Word(_) | Token::RParen | Token::RBracket | Token::SingleQuotedString(_)
    )
}

/// Parameters by what their markers are called.
struct Values<'a> {
    parameters: &'a [Parameter],
}

impl<'a> Values<'a> {
    fn new(parameters: &'a [Parameter]) -> Result<Self, SqlError> {
        let named = parameters.iter().filter(|parameter| parameter.name.is_some()).count();
        if named != 0 && named != parameters.len() {
            return Err(mixed());
        }
        Ok(Self { parameters })
    }

    fn named(&self, name: &str) -> Result<&'a Parameter, SqlError> {
        let exact = self
            .parameters
            .iter()
            .find(|parameter| parameter.name.as_deref() == Some(name));
        let found = exact.or_else(|| {
            let same = |parameter: &&Parameter| {
                parameter
                    .name
                    .as_ref()
                    .is_some_and(|there| there.eq_ignore_ascii_case(name))
            };
            self.parameters.iter().find(same)
        });
        found.ok_or_else(|| unbound(name))
    }

    /// By ordinal, from 1; a parameter without one has the ordinal of its place.
    fn positional(&self, ordinal: u32) -> Result<&'a Parameter, SqlError> {
        let by_ordinal = self
            .parameters
            .iter()
            .find(|parameter| parameter.name.is_none() && parameter.ordinal == Some(ordinal));
        let by_place = || {
            let place = usize::try_from(ordinal).ok()?.checked_sub(1)?;
            self.parameters
                .get(place)
                .filter(|parameter| parameter.name.is_none() && parameter.ordinal.is_none())
        };
        by_ordinal
            .or_else(by_place)
            .ok_or_else(|| unbound(&format!("_{ordinal}")))
    }
}

impl Bound {
    fn push(&mut self, parameter: &Parameter, types: &DatabricksTypes) -> Result<(), SqlError> {
        let sql_type = match &parameter.type_text {
            Some(text) => DatabricksTypes::parse(text)?,
            None => ast::DataType::String(None),
        };
        let data_type = types.arrow_type(&sql_type)?;
        let value = match &parameter.value {
            Some(text) => value(text.expose(), &data_type)?,
            None => ScalarValue::try_from(&data_type)?,
        };
        self.values.push(value);
        self.sql_types.push(sql_type);
        Ok(())
    }
}

/// A value from its text. The text itself stays out of the error: it is the user's data.
fn value(text: &str, data_type: &DataType) -> Result<ScalarValue, SqlError> {
    let invalid = || {
        SqlError::new(
            Class::CAST_INVALID_INPUT,
            format!(
                "The value of a parameter cannot be cast to {} because it is malformed.",
                super::types::type_text(data_type)
            ),
        )
    };
    let text_value = || ScalarValue::Utf8(Some(text.to_owned()));
    match data_type {
        DataType::Null => Ok(ScalarValue::Null),
        DataType::Utf8 => Ok(text_value()),
        DataType::Binary => hex(text)
            .map(|bytes| ScalarValue::Binary(Some(bytes)))
            .ok_or_else(invalid),
        DataType::Interval(IntervalUnit::YearMonth) => months(text)
            .map(|months| ScalarValue::IntervalYearMonth(Some(months)))
            .ok_or_else(invalid),
        DataType::Duration(TimeUnit::Microsecond) => micros(text)
            .map(|micros| ScalarValue::DurationMicrosecond(Some(micros)))
            .ok_or_else(invalid),
        DataType::Boolean => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Ok(ScalarValue::Boolean(Some(true))),
            "false" | "f" | "no" | "n" | "0" => Ok(ScalarValue::Boolean(Some(false))),
            _ => Err(invalid()),
        },
        _ => ScalarValue::Utf8(Some(text.trim().to_owned()))
            .cast_to_with_options(data_type, &STRICT)
            .map_err(|_| invalid()),
    }
}

/// Bytes from pairs of hexadecimal digits, with or without the `X'…'` of a literal.
fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let digits = text
        .strip_prefix(['X', 'x'])
        .and_then(|rest| rest.strip_prefix('\'')?.strip_suffix('\''))
        .unwrap_or(text);
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Months from `years-months` or from a number of months.
pub(crate) fn months(text: &str) -> Option<i32> {
    let (sign, text) = signed(text);
    let months = match text.split_once('-') {
        Some((years, months)) => years
            .parse::<i32>()
            .ok()?
            .checked_mul(12)?
            .checked_add(months.parse().ok()?)?,
        None => text.parse().ok()?,
    };
    months.checked_mul(sign)
}

/// Microseconds from `days hours:minutes:seconds.fraction`; a number alone is days.
pub(crate) fn micros(text: &str) -> Option<i64> {
    let (sign, text) = signed(text);
    let (days, clock) = text.split_once(' ').unwrap_or((text, ""));
    let mut seconds = days.parse::<i64>().ok()?.checked_mul(86_400)?;
    let mut fraction = 0;
    if !clock.is_empty() {
        let (clock, digits) = clock.split_once('.').unwrap_or((clock, ""));
        let parts: Option<Vec<i64>> = clock.split(':').map(|part| part.parse().ok()).collect();
        let mut unit = 3_600;
        for part in parts? {
            seconds = seconds.checked_add(part.checked_mul(unit)?)?;
            unit /= 60;
        }
        if !digits.is_empty() {
            let digits: String = format!("{digits:0<6}").chars().take(6).collect();
            fraction = digits.parse::<i64>().ok()?;
        }
    }
    seconds
        .checked_mul(1_000_000)?
        .checked_add(fraction)?
        .checked_mul(i64::from(sign))
}

fn signed(text: &str) -> (i32, &str) {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn unbound(name: &str) -> SqlError {
    SqlError::new(
        Class::UNBOUND_SQL_PARAMETER,
        format!(
            "Found the unbound parameter: {name}. Please fix `args` and provide a mapping of the parameter to a literal."
        ),
    )
}

fn mixed() -> SqlError {
    SqlError::new(
        Class::INVALID_PARAMETER_VALUE,
        "Named and positional parameters cannot be mixed in one statement.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_from_their_sql_text() {
        assert_eq!(months("2-6"), Some(30));
        assert_eq!(months("-2-6"), Some(-30));
        assert_eq!(
            micros("3 12:30:15.5"),
            Some(((3 * 24 + 12) * 3600 + 30 * 60 + 15) * 1_000_000 + 500_000)
        );
        assert_eq!(micros("-1 00:00:00"), Some(-86_400_000_000));
        assert_eq!(micros("soon"), None);
    }

    #[test]
    fn bytes_are_read_from_hexadecimal_digits() {
        assert_eq!(hex("00ff"), Some(vec![0, 255]));
        assert_eq!(hex("X'0A'"), Some(vec![10]));
        assert_eq!(hex("0"), None);
        assert_eq!(hex("zz"), None);
    }
}
