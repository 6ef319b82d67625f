//! How deep a statement's expressions are, estimated before they are parsed.
//!
//! A chain such as `a + b + c + …` is a tree as deep as it is long, and the planner and the operators walk trees by recursion, on the
//! stacks of worker threads. So there is a bound, and a statement beyond it is refused rather than allowed to end the process.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::error::{Class, SqlError};

/// What a statement may weigh on its deepest path: 250 operators, or 2000 times `AND` or `OR`.
const MAX_DEPTH: usize = 2_000;
/// An operator of two values is evaluated with far more stack than `AND` and `OR`.
const OPERATOR: usize = 8;

/// # Errors
/// `UNSUPPORTED_FEATURE` when the statement is too deep.
pub(crate) fn check(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    for token in tokens {
        match &token.token {
            Token::LParen => outer.push(std::mem::take(&mut level)),
            Token::RParen => {
                let inner = level.finish();
                level = outer.pop().unwrap_or_default();
                level.inner = level.inner.max(inner);
            }
            Token::Comma => level.end_item(),
            Token::Word(word) => match word.keyword {
                Keyword::AND | Keyword::OR => level.junction(),
                Keyword::EXCEPT | Keyword::INTERSECT | Keyword::JOIN | Keyword::UNION => level.steps += OPERATOR,
                // Each is planned as a join of all before it, in a parenthesis.
                Keyword::LATERAL => level.steps += 4 * OPERATOR,
                Keyword::IS | Keyword::LIKE | Keyword::ILIKE | Keyword::RLIKE | Keyword::DIV => {
                    level.operators += OPERATOR
                }
                Keyword::SELECT
                | Keyword::FROM
                | Keyword::WHERE
                | Keyword::GROUP
                | Keyword::HAVING
                | Keyword::ORDER
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE => level.end_item(),
                _ => {}
            },
            Token::Whitespace(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::Placeholder(_)
            | Token::Period
            | Token::Colon
            | Token::RBracket => {}
            _ => level.operators += OPERATOR,
        }
        if level.depth() > MAX_DEPTH {
            return Err(SqlError::new(
                Class::UNSUPPORTED_FEATURE,
                "The statement is too deep: an expression chains more than 250 operators, or more than 2000 conditions.",
            ));
        }
    }
    Ok(())
}

/// What has been seen between two parentheses.
#[derive(Default)]
struct Level {
    /// Operators since the last item, condition or parenthesis began.
    operators: usize,
    /// The deepest parenthesis among them.
    inner: usize,
    /// `AND` and `OR` of this item.
    junctions: usize,
    /// The deepest condition of this item.
    condition: usize,
    /// The deepest item.
    item: usize,
    /// Joins and set operations.
    steps: usize,
}

impl Level {
    fn junction(&mut self) {
        self.condition = self.condition.max(self.operators + self.inner);
        self.operators = 0;
        self.inner = 0;
        self.junctions += 1;
    }

    fn end_item(&mut self) {
        self.item = self.depth() - self.steps;
        self.operators = 0;
        self.inner = 0;
        self.junctions = 0;
        self.condition = 0;
    }

    fn depth(&self) -> usize {
        self.item
            .max(self.junctions + self.condition.max(self.operators + self.inner))
            + self.steps
    }

    fn finish(self) -> usize {
        self.depth()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::dialect::LocalDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    fn is_deep(sql: &str) -> bool {
        check(&Tokenizer::new(&LocalDialect, sql).tokenize_with_location().unwrap()).is_err()
    }

    #[test]
    fn long_is_not_deep() {
        assert!(!is_deep(&format!(
            "INSERT INTO t VALUES {}",
            "(-1, 2 * 3, 'x'), ".repeat(5_000)
        )));
        assert!(!is_deep(&format!("SELECT {} 1 FROM t", "a + b * c, ".repeat(5_000))));
        assert!(!is_deep(&format!("SELECT 1 WHERE {} true", "a = 1 OR ".repeat(1_900))));
        assert!(!is_deep(&format!(
            "SELECT CASE {} END",
            "WHEN a + 1 = 2 THEN b || c ".repeat(5_000)
        )));
    }

    #[test]
    fn deep_is_deep_however_it_is_written() {
        assert!(is_deep(&format!("SELECT 1{}", " + 1".repeat(300))));
        assert!(is_deep(&format!("SELECT 1 WHERE {} true", "a = 1 OR ".repeat(2_100))));
        assert!(is_deep(&format!(
            "SELECT {}1{}",
            "1 + 1 + 1 + 1 + 1 + 1 + f(".repeat(45),
            ")".repeat(45)
        )));
        assert!(is_deep(&format!("SELECT 1{}", " UNION SELECT 1".repeat(300))));
        assert!(is_deep(&format!("SELECT x{}", "::INT".repeat(300))));
    }
}
