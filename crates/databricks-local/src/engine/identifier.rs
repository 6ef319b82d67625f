//! `IDENTIFIER(…)`: a name out of a string or a parameter.
//!
//! See <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-names-identifier-clause>.

use databricks_wire::sea::Parameter;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use super::dialect::LocalDialect;
use super::error::{Class, SqlError};
use super::parameter;

/// Puts the names in place of the clauses. The text becomes a dotted name, never anything else of a statement.
///
/// # Errors
/// `PARSE_SYNTAX_ERROR` for a text that is no name, `UNBOUND_SQL_PARAMETER` for a marker without a value.
pub(crate) fn resolved(tokens: Vec<TokenWithSpan>, parameters: &[Parameter]) -> Result<Vec<TokenWithSpan>, SqlError> {
    let significant: Vec<usize> = (0..tokens.len())
        .filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_)))
        .collect();
    let token = |at: usize| significant.get(at).map(|&at| &tokens[at].token);
    let mut clauses: Vec<(usize, usize, Vec<Token>)> = Vec::new();
    for at in 0..significant.len() {
        let is_clause = matches!(token(at), Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("IDENTIFIER"));
        if !is_clause || token(at + 1) != Some(&Token::LParen) {
            continue;
        }
        let (text, length) = match (token(at + 2), token(at + 3), token(at + 4)) {
            (Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)), Some(Token::RParen), _) => {
                (text.clone(), 3)
            }
            (Some(Token::Colon), Some(Token::Word(name)), Some(Token::RParen)) => {
                (parameter::text(&name.value, parameters)?, 4)
            }
            _ => {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    "IDENTIFIER() takes a string or a named parameter here.",
                ));
            }
        };
        let is_call = token(at + length + 1) == Some(&Token::LParen);
        clauses.push((significant[at], significant[at + length], name(&text, is_call)?));
    }
    let mut resolved = Vec::with_capacity(tokens.len());
    let mut clauses = clauses.into_iter().peekable();
    let mut skipped_to = None;
    for (at, token) in tokens.into_iter().enumerate() {
        if let Some((_, end, name)) = clauses.next_if(|(start, ..)| *start == at) {
            skipped_to = Some(end);
            resolved.extend(name.into_iter().map(|part| TokenWithSpan::new(part, token.span)));
        }
        if skipped_to.is_none_or(|end| at > end) {
            resolved.push(token);
        }
    }
    Ok(resolved)
}

/// The tokens of a dotted name, none of them a keyword: in back quotes, but before a parenthesis, where it may be a function's name,
/// which is found in any case.
fn name(text: &str, is_call: bool) -> Result<Vec<Token>, SqlError> {
    let invalid = || {
        SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            "The text of an IDENTIFIER() is not a name of one or more parts.",
        )
    };
    let tokens = Tokenizer::new(&LocalDialect, text).tokenize().map_err(|_| invalid())?;
    let alternates = tokens.iter().enumerate().all(|(at, token)| match token {
        Token::Word(_) => at % 2 == 0,
        Token::Period => at % 2 == 1,
        _ => false,
    });
    if !alternates || tokens.len() % 2 == 0 {
        return Err(invalid());
    }
    let plain = |token| match token {
        Token::Word(word) => Token::Word(Word {
            quote_style: word.quote_style.or((!is_call).then_some('`')),
            keyword: Keyword::NoKeyword,
            ..word
        }),
        other => other,
    };
    Ok(tokens.into_iter().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_name_and_nothing_else() {
        for text in ["t", "s.t", "`a b`.`c`"] {
            assert!(name(text, false).is_ok(), "{text}");
        }
        for text in ["", "t; DROP TABLE t", "t x", "a.", ".a", "a..b", "1 + 1", "f(x)"] {
            assert!(name(text, false).is_err(), "{text}");
        }
    }
}
