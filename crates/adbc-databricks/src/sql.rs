//! As much of SQL as the driver must know of a text without asking: what kind of statement it is, and its parameter markers.
//!
//! The lexical rules are Databricks': strings in either quotes with backslash escapes, raw strings (`r'…'`), names in backticks,
//! nested comments, `$$` bodies; `:name` and `?` are markers, `col:path`, `expr::type` and `expr?::type` are not.

/// What a statement does, by its first words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Returns rows and changes nothing; `DESCRIBE QUERY` knows its columns.
    Query,
    /// Changes rows and returns how many, in these columns.
    Change(&'static [&'static str]),
    /// `SHOW`, `DESCRIBE`, `EXPLAIN`: changes nothing, and only executing tells its columns.
    Listing,
    /// Changes what there is, and returns nothing.
    Definition,
    /// Anything else: only executing tells.
    Other,
}

/// The kind of a statement.
pub(crate) fn kind(sql: &str) -> Kind {
    let words: Vec<String> = Lexer::new(sql)
        .filter_map(|token| match token {
            // A word in parentheses is not the statement's own, except that a query may stand in them.
            Token::Word(word, depth) => Some((word.to_ascii_uppercase(), depth)),
            _ => None,
        })
        .scan(None, |first, (word, depth)| {
            let least = *first.get_or_insert(depth);
            Some((depth <= least).then_some(word))
        })
        .flatten()
        .collect();
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    match words.first().map(String::as_str).unwrap_or_default() {
        "WITH" => ["INSERT", "UPDATE", "DELETE", "MERGE"]
            .into_iter()
            .find(|verb| has(verb))
            .map_or(Kind::Query, change),
        "SELECT" | "VALUES" | "TABLE" => Kind::Query,
        "FROM" if !has("INSERT") => Kind::Query,
        verb @ ("INSERT" | "UPDATE" | "DELETE" | "MERGE") => change(verb),
        "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" => Kind::Listing,
        // A table that is created from a query may report rows.
        "CREATE" if has("TABLE") && (has("AS") || has("CLONE")) => Kind::Other,
        "CREATE" | "DROP" | "ALTER" | "USE" | "COMMENT" | "GRANT" | "REVOKE" | "TRUNCATE" => Kind::Definition,
        _ => Kind::Other,
    }
}

/// See <https://docs.databricks.com/sql/language-manual/delta-merge-into.html> and its neighbours.
fn change(verb: &str) -> Kind {
    Kind::Change(match verb {
        "INSERT" => &["num_affected_rows", "num_inserted_rows"],
        "MERGE" => &[
            "num_affected_rows",
            "num_updated_rows",
            "num_deleted_rows",
            "num_inserted_rows",
        ],
        _ => &["num_affected_rows"],
    })
}

/// Whether the rows of a query come in an order that its own `ORDER BY` gives them, as far as its text says.
pub(crate) fn is_sorted(sql: &str) -> bool {
    let words: Vec<(&str, usize)> = Lexer::new(sql)
        .filter_map(|token| match token {
            Token::Word(word, depth) => Some((word, depth)),
            Token::Marker(_) => None,
        })
        .collect();
    // A query may stand in parentheses as a whole; deeper ones are subqueries and windows.
    let own = words.first().map_or(0, |(_, depth)| *depth);
    words.windows(2).any(|pair| match pair {
        [(order, depth), (by, _)] => {
            *depth <= own && order.eq_ignore_ascii_case("ORDER") && by.eq_ignore_ascii_case("BY")
        }
        _ => false,
    })
}

/// The parameter markers in order: a name once, where it first stands; `None` for each `?`.
pub(crate) fn markers(sql: &str) -> Vec<Option<&str>> {
    let mut found: Vec<Option<&str>> = Vec::new();
    for token in Lexer::new(sql) {
        match token {
            Token::Marker(Some(name)) if found.contains(&Some(name)) => {}
            Token::Marker(marker) => found.push(marker),
            Token::Word(..) => {}
        }
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// An unquoted word, and how many parentheses are open around it.
    Word(&'a str, usize),
    /// `:name`, or `?`.
    Marker(Option<&'a str>),
}

/// Yields words and markers and skips everything else. Never fails: what is not closed ends with the text.
struct Lexer<'a> {
    rest: &'a str,
    depth: usize,
    /// Whether the character just before is the end of an expression, so that `:` begins a path and `?` an operator.
    after_operand: bool,
}

impl<'a> Lexer<'a> {
    fn new(sql: &'a str) -> Self {
        Self {
            rest: sql,
            depth: 0,
            after_operand: false,
        }
    }

    /// Takes `bytes` bytes, which end at a character's end.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> &'a str {
        let is_inside = |char: char| char.is_alphanumeric() || char == '_';
        let end = self.rest.find(|char| !is_inside(char)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Skips what ends with `end`, of which doubled ones need no care: the second one opens again.
    fn skip_past(&mut self, end: &str) {
        let at = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.take(at);
    }

    fn skip_string(&mut self, quote: char) {
        let mut chars = self.rest.char_indices();
        while let Some((at, char)) = chars.next() {
            if char == '\\' {
                chars.next();
            } else if char == quote {
                self.take(at + 1);
                return;
            }
        }
        self.take(self.rest.len());
    }

    fn skip_comment(&mut self) {
        let mut depth = 1_usize;
        while depth > 0 && !self.rest.is_empty() {
            let next = self.rest.find(['/', '*']).unwrap_or(self.rest.len());
            self.take(next);
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
            } else {
                self.take(1);
            }
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let char = self.rest.chars().next()?;
            let after_operand = std::mem::replace(&mut self.after_operand, false);
            if char.is_alphabetic() || char == '_' {
                let word = self.word();
                if word.eq_ignore_ascii_case("r") && self.rest.starts_with(['\'', '"']) {
                    let quote = self.take(1);
                    self.skip_past(quote);
                    self.after_operand = true;
                    continue;
                }
                self.after_operand = true;
                return Some(Token::Word(word, self.depth));
            }
            if char.is_ascii_digit() {
                self.word();
                self.after_operand = true;
                continue;
            }
            if self.rest.starts_with("--") {
                self.skip_past("\n");
                continue;
            }
            self.take(char.len_utf8());
            match char {
                '/' if self.rest.starts_with('*') => {
                    self.take(1);
                    self.skip_comment();
                }
                '\'' | '"' => {
                    self.skip_string(char);
                    self.after_operand = true;
                }
                '`' => {
                    self.skip_past("`");
                    self.after_operand = true;
                }
                '$' if self.rest.starts_with('$') => {
                    self.take(1);
                    self.skip_past("$$");
                }
                '(' => self.depth += 1,
                ')' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.after_operand = true;
                }
                ']' => self.after_operand = true,
                ':' if self.rest.starts_with(':') => {
                    self.take(1);
                }
                ':' if !after_operand && self.rest.starts_with(|next: char| next.is_alphabetic() || next == '_') => {
                    let name = self.word();
                    self.after_operand = true;
                    return Some(Token::Marker(Some(name)));
                }
                '?' if !(after_operand && self.rest.starts_with("::")) => {
                    self.after_operand = true;
                    return Some(Token::Marker(None));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statements_are_told_apart_by_their_first_words() {
        let counts = |verb| change(verb);
        for (sql, expected) in [
            ("SELECT 1", Kind::Query),
            ("  -- why\n /* a /* b */ c */ (select 1)", Kind::Query),
            ("((SELECT 1) UNION (SELECT 2))", Kind::Query),
            ("WITH a AS (SELECT 1) SELECT * FROM a", Kind::Query),
            ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", counts("INSERT")),
            ("WITH a AS (SELECT 'INSERT') SELECT `insert` FROM a", Kind::Query),
            ("FROM t SELECT a", Kind::Query),
            ("FROM t INSERT INTO u SELECT a", Kind::Other),
            ("insert into t values (1)", counts("INSERT")),
            ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", counts("MERGE")),
            ("DELETE FROM t", counts("DELETE")),
            ("SHOW TABLES", Kind::Listing),
            ("CREATE TABLE t (a INT)", Kind::Definition),
            ("CREATE TABLE t AS SELECT 1", Kind::Other),
            ("CREATE VIEW v AS SELECT 1", Kind::Definition),
            ("SET a = 1", Kind::Other),
            ("CALL p()", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }

    #[test]
    fn only_the_order_of_the_whole_query_counts() {
        for (sql, expected) in [
            ("SELECT a FROM t ORDER BY a", true),
            ("(select a from t order /* why */ by a)", true),
            ("(SELECT 1) UNION (SELECT 2) ORDER BY 1", true),
            ("WITH a AS (SELECT 1) SELECT * FROM a ORDER BY ALL", true),
            ("FROM t |> ORDER BY a", true),
            ("SELECT a FROM t", false),
            ("SELECT sum(a) OVER (ORDER BY b) FROM t", false),
            ("SELECT * FROM (SELECT a FROM t ORDER BY a LIMIT 3)", false),
            ("SELECT 'ORDER BY', `order by` FROM t -- ORDER BY", false),
            ("", false),
        ] {
            assert_eq!(is_sorted(sql), expected, "{sql}");
        }
    }

    #[test]
    fn markers_are_found_and_what_looks_like_one_is_not() {
        for (sql, expected) in [
            ("SELECT ?, ? + 1", &[None, None][..]),
            ("SELECT :a, :b, :a", &[Some("a"), Some("b")]),
            ("SELECT :a::INT, ?::INT, ':c', \":d\", `:e`", &[Some("a"), None]),
            ("SELECT c:path, c:a.b[0]:d, f(x):y, x::INT, x?::INT", &[]),
            ("SELECT '\\':a', r'\\', :b", &[Some("b")]),
            ("SELECT 'it''s :a' -- :b ?\n, :c /* :d /* ? */ :e */", &[Some("c")]),
            ("SELECT 'never closed :a", &[]),
            ("CREATE TABLE t (s STRUCT<a:INT, b: INT>)", &[]),
            ("SELECT * FROM t WHERE a=:a LIMIT :größe", &[Some("a"), Some("größe")]),
        ] {
            assert_eq!(markers(sql), expected, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_lexer_panic_or_hang(text in "([a-zé$'\"`:?/*() \\\\-]|--|/\\*|\\$\\$|r'|::){0,40}") {
            let _ = (kind(&text), markers(&text), is_sorted(&text));
        }
    }
}
