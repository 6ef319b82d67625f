//! Datetime patterns.

use datafusion::sql::sqlparser::ast::{Expr, Value};

use super::unsupported;
use crate::engine::error::SqlError;

/// A datetime pattern of letters as one of percent signs.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` when the pattern is no literal or has letters that have no counterpart.
pub(super) fn chrono_format(format: &Expr) -> Result<Expr, SqlError> {
    let pattern = match format {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(pattern) | Value::DoubleQuotedString(pattern) => pattern,
            _ => return Err(unsupported("A datetime pattern that is no literal")),
        },
        _ => return Err(unsupported("A datetime pattern that is no literal")),
    };
    let letters: Vec<char> = pattern.chars().collect();
    let mut chrono = String::new();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        let count = letters[at..].iter().take_while(|&&next| next == letter).count();
        at += count;
        chrono.push_str(match (letter, count) {
            ('y', 4) => "%Y",
            ('y', 2) => "%y",
            ('y', 1) => "%-Y",
            ('Q' | 'q', 1) => "%q",
            ('M' | 'L', 1) => "%-m",
            ('d', 1) => "%-d",
            ('H', 1) => "%-H",
            ('h', 1) => "%-I",
            ('m', 1) => "%-M",
            ('s', 1) => "%-S",
            ('x' | 'X', 3) => "%:z",
            ('M' | 'L', 2) => "%m",
            ('M', 3) => "%b",
            ('M', 4) => "%B",
            ('d', 2) => "%d",
            ('D', 3) => "%j",
            ('E', 1..=3) => "%a",
            ('E', 4) => "%A",
            ('H', 2) => "%H",
            ('h', 2) => "%I",
            ('m', 2) => "%M",
            ('s', 2) => "%S",
            ('S', 3) => "%3f",
            ('S', 6) => "%6f",
            ('a', 1) => "%p",
            ('%', _) => return Err(unsupported("A datetime pattern with percent signs")),
            ('\'', quotes) => {
                // Two quotes are one, within text and without; what stands between single ones is text.
                chrono.extend(std::iter::repeat_n('\'', quotes / 2));
                let mut open = quotes % 2 == 1;
                while open {
                    let Some(&letter) = letters.get(at) else {
                        return Err(unsupported("A datetime pattern with an open quote"));
                    };
                    at += 1;
                    match letter {
                        '\'' if letters.get(at) != Some(&'\'') => open = false,
                        '\'' => {
                            chrono.push('\'');
                            at += 1;
                        }
                        '%' => chrono.push_str("%%"),
                        other => chrono.push(other),
                    }
                }
                continue;
            }
            (letter, _) if letter.is_ascii_alphabetic() => {
                return Err(unsupported("This letter in a datetime pattern"));
            }
            (other, count) => {
                chrono.extend(std::iter::repeat_n(other, count));
                continue;
            }
        });
    }
    Ok(Expr::value(Value::SingleQuotedString(chrono)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetime_patterns_are_translated_or_refused() {
        let format = |pattern: &str| chrono_format(&Expr::value(Value::SingleQuotedString(pattern.to_owned())));
        let chrono = Expr::value(Value::SingleQuotedString("%Y-%m-%d %H:%M:%S".to_owned()));
        assert_eq!(format("yyyy-MM-dd HH:mm:ss").unwrap(), chrono);
        let chrono = Expr::value(Value::SingleQuotedString("%-d/%-m/%Y at %-Ho'clock".to_owned()));
        assert_eq!(format("d/M/yyyy' at 'H'o''clock'").unwrap(), chrono);
        assert!(format("yyyy' at").is_err());
        assert!(format("yyyy-QQ").is_err());
        assert!(format("yyyy%").is_err());
    }
}
