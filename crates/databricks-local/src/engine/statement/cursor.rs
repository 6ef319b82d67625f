//! A walk over a statement's tokens.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::engine::error::{Class, SqlError};

/// Walks over tokens, blanks skipped.
pub(super) struct Cursor<'a> {
    pub(super) tokens: &'a [TokenWithSpan],
    pub(super) position: usize,
}

impl Cursor<'_> {
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens[self.position.min(self.tokens.len())..]
            .iter()
            .map(|token| &token.token)
            .find(|token| !matches!(token, Token::Whitespace(_)))
    }

    pub(super) fn next(&mut self) -> Option<&Token> {
        while let Some(token) = self.tokens.get(self.position) {
            self.position += 1;
            if !matches!(token.token, Token::Whitespace(_)) {
                return Some(&token.token);
            }
        }
        None
    }

    /// Takes a keyword, if it is next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword));
        if is_next {
            self.next();
        }
        is_next
    }

    /// Takes several keywords, if all of them are next.
    pub(super) fn keywords(&mut self, keywords: &[&str]) -> bool {
        let start = self.position;
        let all = keywords.iter().all(|keyword| self.keyword(keyword));
        if !all {
            self.position = start;
        }
        all
    }

    pub(super) fn name(&mut self) -> Result<String, SqlError> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word.value.clone()),
            // An unquoted name may begin with digits.
            Some(Token::Number(digits, _)) => Ok(digits.clone()),
            _ => Err(self.error_before()),
        }
    }

    /// A name of one to `most` parts.
    pub(super) fn dotted(&mut self, most: usize) -> Result<Vec<String>, SqlError> {
        let mut parts = vec![self.name()?];
        while self.peek() == Some(&Token::Period) {
            self.next();
            parts.push(self.name()?);
        }
        if parts.len() > most {
            Err(self.error_before())
        } else {
            Ok(parts)
        }
    }

    pub(super) fn string(&mut self) -> Result<String, SqlError> {
        match self.next() {
            Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) => Ok(text.clone()),
            _ => Err(self.error_before()),
        }
    }

    /// `[LIKE] 'pattern'`.
    pub(super) fn like(&mut self) -> Result<Option<String>, SqlError> {
        if self.keyword("LIKE")
            || matches!(
                self.peek(),
                Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
            )
        {
            return self.string().map(Some);
        }
        Ok(None)
    }

    /// `<what> LIKE 'pattern'`.
    pub(super) fn like_of(&mut self, what: &str) -> Result<Option<String>, SqlError> {
        if self.keywords(&[what, "LIKE"]) {
            self.string().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn in_(&mut self) -> bool {
        self.keyword("IN") || self.keyword("FROM")
    }

    pub(super) fn end<T>(&self, value: T) -> Result<T, SqlError> {
        match self.peek() {
            None => Ok(value),
            Some(token) => Err(syntax_error(&token.to_string())),
        }
    }

    /// The error about the token that was just taken.
    pub(super) fn error_before(&self) -> SqlError {
        match self.position.checked_sub(1).and_then(|before| self.tokens.get(before)) {
            Some(token) if self.position < self.tokens.len() || !matches!(token.token, Token::Whitespace(_)) => {
                syntax_error(&token.token.to_string())
            }
            _ => syntax_error("end of input"),
        }
    }

    /// Everything up to the end of the parenthesis that is next.
    pub(super) fn parentheses(&mut self) -> Result<(), SqlError> {
        let mut depth = 0_usize;
        loop {
            match self.next() {
                Some(Token::LParen) => depth += 1,
                Some(Token::RParen) if depth > 1 => depth -= 1,
                Some(Token::RParen) if depth == 1 => return Ok(()),
                Some(_) if depth > 0 => {}
                _ => return Err(self.error_before()),
            }
        }
    }

    pub(super) fn string_is_next(&self) -> bool {
        matches!(
            self.peek(),
            Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
        )
    }

    pub(super) fn symbol(&mut self, symbol: &Token) -> Result<(), SqlError> {
        match self.next() {
            Some(next) if next == symbol => Ok(()),
            _ => Err(self.error_before()),
        }
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), SqlError> {
        if self.keyword(keyword) {
            return Ok(());
        }
        self.next();
        Err(self.error_before())
    }
}

pub(super) fn syntax_error(near: &str) -> SqlError {
    SqlError::new(Class::PARSE_SYNTAX_ERROR, format!("Syntax error at or near '{near}'."))
}
