//! The stars of a `MERGE`, which the parser does not know.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// What stands for `*` in `UPDATE SET *` and `INSERT *`.
pub(super) const STAR: &str = "*";

/// Puts names in place of the stars of a `MERGE`.
pub(crate) fn without_stars(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let significant: Vec<usize> = (0..tokens.len())
        .filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_)))
        .collect();
    let keyword = |at: Option<&usize>| match at.map(|&at| &tokens[at].token) {
        Some(Token::Word(word)) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    if keyword(significant.first()) != Keyword::MERGE {
        return tokens;
    }
    let star = Token::Word(Word {
        value: STAR.to_owned(),
        quote_style: Some('`'),
        keyword: Keyword::NoKeyword,
    });
    let mut actions: Vec<(usize, Vec<Token>)> = Vec::new();
    for at in 2..significant.len() {
        let ends = significant.get(at + 1).is_none() || keyword(significant.get(at + 1)) == Keyword::WHEN;
        if tokens[significant[at]].token != Token::Mul || !ends {
            continue;
        }
        let before = (keyword(significant.get(at - 2)), keyword(significant.get(at - 1)));
        match before {
            (Keyword::UPDATE, Keyword::SET) => {
                actions.push((
                    significant[at],
                    vec![star.clone(), Token::Eq, Token::make_keyword("NULL")],
                ));
            }
            (Keyword::THEN, Keyword::INSERT) => actions.push((
                significant[at],
                vec![
                    Token::LParen,
                    star.clone(),
                    Token::RParen,
                    Token::make_keyword("VALUES"),
                    Token::LParen,
                    Token::make_keyword("NULL"),
                    Token::RParen,
                ],
            )),
            _ => {}
        }
    }
    let mut replaced = Vec::with_capacity(tokens.len());
    let mut actions = actions.into_iter().peekable();
    for (at, token) in tokens.into_iter().enumerate() {
        match actions.next_if(|(star, _)| *star == at) {
            Some((_, words)) => replaced.extend(words.into_iter().map(|word| TokenWithSpan::new(word, token.span))),
            None => replaced.push(token),
        }
    }
    replaced
}
