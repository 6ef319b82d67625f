//! ADBC's search patterns: what they match, and how the two kinds of SQL write them.
//!
//! `%` is any text, `_` any one character, and nothing escapes them (the header says so). Letters match in any case, as names
//! do in Databricks. The server narrows, the driver decides: what a server's own pattern language would match wrongly is
//! filtered here.

/// A filter on one kind of name.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// In lower case; `None` lets everything through.
    text: Option<String>,
    /// As it was given.
    given: Option<String>,
}

impl Pattern {
    pub(super) fn new(pattern: Option<&str>) -> Self {
        Self {
            text: pattern.map(str::to_lowercase),
            given: pattern.map(str::to_owned),
        }
    }

    /// Whether nothing that has a name passes: an empty pattern asks for what belongs to no catalog or schema.
    pub(super) fn wants_nameless(&self) -> bool {
        self.text.as_deref() == Some("")
    }

    /// Whether everything passes.
    pub(super) fn is_open(&self) -> bool {
        self.text
            .as_deref()
            .is_none_or(|text| !text.is_empty() && text.chars().all(|char| char == '%'))
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.text.as_deref().is_none_or(|pattern| {
            let name = name.to_lowercase();
            matches(pattern, &name)
        })
    }

    /// Whether the pattern is this very name. `a_b` names `a_b`, although `axb` matches too.
    pub(super) fn names(&self, name: &str) -> bool {
        self.text.as_deref() == Some(name.to_lowercase().as_str())
    }

    /// The text for the parameter of a condition on `column`, and the condition. `None` when there is nothing to narrow.
    ///
    /// A name without wildcards becomes an equality, which a server can look up instead of scanning. Catalogs keep names in
    /// lower case, mostly; a name is looked up as it was given and in lower case.
    pub(super) fn condition(&self, column: &str, parameter: &str) -> Option<(String, Vec<(String, String)>)> {
        let (text, given) = (self.text.as_deref()?, self.given.as_deref()?);
        if self.is_open() {
            return None;
        }
        if text.contains(['%', '_']) {
            // Unlike ADBC's, the server's LIKE has an escape character.
            let value = text.replace('\\', "\\\\");
            let condition = format!("lower({column}) LIKE :{parameter}");
            return Some((condition, vec![(parameter.to_owned(), value)]));
        }
        let lower = format!("{parameter}_lower");
        let condition = format!("{column} IN (:{parameter}, :{lower})");
        let values = vec![(parameter.to_owned(), given.to_owned()), (lower, text.to_owned())];
        Some((condition, values))
    }

    /// The pattern as `SHOW … LIKE` writes it (`*`, `.`), quoted; `None` when there is nothing to narrow, or no way to say it.
    pub(super) fn hive(&self) -> Option<String> {
        let text = self.text.as_deref().filter(|_| !self.is_open())?;
        // These mean something in Hive's patterns or in a literal. Asking for everything and filtering here is right.
        if text.contains([
            '*', '.', '|', '[', ']', '\\', '\'', '(', ')', '+', '?', '^', '$', '{', '}',
        ]) {
            return None;
        }
        Some(format!("'{}'", text.replace('%', "*").replace('_', ".")))
    }
}

/// Matching in linear space: on a mismatch the last `%` takes one more character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while position < name.len() {
        match pattern.get(at) {
            Some('%') => {
                star = Some((at, position));
                at += 1;
            }
            Some(&char) if char == '_' || char == name[position] => {
                at += 1;
                position += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    position = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&char| char == '%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_match_and_nothing_escapes_them() {
        for (pattern, name, expected) in [
            ("%", "", true),
            ("", "x", false),
            ("a%", "Abc", true),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("%b%", "abc", true),
            ("a\\_c", "a_c", false),
            ("a\\_c", "a\\xc", true),
            ("a.c", "abc", false),
            ("ÄB", "äb", true),
        ] {
            assert_eq!(Pattern::new(Some(pattern)).matches(name), expected, "{pattern} {name}");
        }
        assert!(Pattern::new(None).matches("anything"));
    }

    #[test]
    fn a_pattern_that_hive_would_read_otherwise_is_not_sent() {
        assert_eq!(Pattern::new(Some("Line_%")).hive().as_deref(), Some("'line.*'"));
        for pattern in ["a|b", "a.b", "a*", "it's", "%"] {
            assert_eq!(Pattern::new(Some(pattern)).hive(), None, "{pattern}");
        }
    }

    /// The textbook definition, exponential and obviously right.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('%', rest)), None) => by_definition(rest, name),
            (Some(('%', rest)), Some((_, tail))) => by_definition(rest, name) || by_definition(pattern, tail),
            (Some((char, rest)), Some((first, tail))) => (*char == '_' || char == first) && by_definition(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_it_is_defined_to_be(pattern in "[ab%_]{0,7}", name in "[ab_%]{0,7}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), by_definition(&chars(&pattern), &chars(&name)));
        }
    }
}
