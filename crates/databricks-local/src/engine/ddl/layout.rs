//! The clauses of a `CREATE TABLE` about storage.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::engine::error::{Class, SqlError};

/// Takes the clauses about storage out of a `CREATE TABLE`: they say where and how rows lie, never which rows there are.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` for a location or a format other than Delta, which would name data that is elsewhere.
pub(crate) fn without_layout(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, SqlError> {
    let words: Vec<String> = tokens.iter().filter_map(word).take(5).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if !matches!(
        words.as_slice(),
        ["CREATE", "TABLE", ..]
            | ["CREATE", "TEMP" | "TEMPORARY", "TABLE", ..]
            | ["CREATE", "OR", "REPLACE", "TABLE", ..]
            | ["CREATE", "OR", "REPLACE", "TEMP" | "TEMPORARY", "TABLE"]
    ) {
        return Ok(tokens);
    }
    let mut kept = Vec::with_capacity(tokens.len());
    let mut depth = 0_usize;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let clause = if depth == 0 { word(&token) } else { None };
        match clause.as_deref() {
            Some("AS") => {
                kept.push(token);
                kept.extend(tokens);
                return Ok(kept);
            }
            Some("USING") => {
                let format = tokens.find_map(|token| word(&token)).unwrap_or_default();
                if format != "DELTA" {
                    return Err(SqlError::new(
                        Class::UNSUPPORTED_FEATURE,
                        format!("Tables of format {format} are not supported here."),
                    ));
                }
            }
            Some("LOCATION") => {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    "Tables with a LOCATION are not supported here.",
                ));
            }
            Some("TBLPROPERTIES" | "OPTIONS") => skip_parentheses(&mut tokens),
            Some("PARTITIONED" | "CLUSTER") => skip_parentheses(&mut tokens),
            _ => kept.push(token),
        }
    }
    Ok(kept)
}

fn word(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    }
}

/// Skips up to the end of the next parenthesis.
fn skip_parentheses(tokens: &mut impl Iterator<Item = TokenWithSpan>) {
    let mut depth = 0_usize;
    for token in tokens {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            }
            _ => {}
        }
    }
}
