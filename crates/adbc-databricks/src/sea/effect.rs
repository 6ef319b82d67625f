//! Which statements leave something behind in their session.

/// Whether the session may be another after this statement: settings, variables, temporary views, the current names.
///
/// What a statement begins with is enough to know the harmless ones; whatever is not known to be harmless is not.
pub(super) fn changes_session(sql: &str) -> bool {
    let mut words = Words(sql);
    let mut next = || words.next().unwrap_or_default().to_ascii_uppercase();
    match next().as_str() {
        "" | "SELECT" | "WITH" | "VALUES" | "TABLE" | "FROM" | "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" | "LIST" => {
            false
        }
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY" | "TRUNCATE" | "OPTIMIZE" | "VACUUM" | "ANALYZE" => false,
        "ALTER" | "DROP" | "COMMENT" | "GRANT" | "REVOKE" | "MSCK" | "RESTORE" | "UNDROP" | "PUT" | "GET"
        | "REMOVE" => false,
        "CREATE" => {
            let mut word = next();
            if word == "OR" {
                next();
                word = next();
            }
            if word == "GLOBAL" {
                word = next();
            }
            matches!(word.as_str(), "TEMP" | "TEMPORARY" | UNCLEAR)
        }
        _ => true,
    }
}

/// The words that a statement begins with, past comments, blanks and opening parentheses. From a comment on whose end depends on who
/// reads it, all words are [`UNCLEAR`].
struct Words<'a>(&'a str);

/// Stands for a word that is not known.
const UNCLEAR: &str = "?";

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
            let (rest, is_unclear) = if let Some(comment) = self.0.strip_prefix("--") {
                let (comment, rest) = comment.split_once('\n').unwrap_or((comment, ""));
                let comment = comment.strip_suffix('\r').unwrap_or(comment);
                // Spark's end with a carriage return alone too, and not with a line that a backslash continues.
                (rest, comment.contains('\r') || comment.ends_with('\\'))
            } else if let Some(comment) = self.0.strip_prefix("/*") {
                let (comment, rest) = comment.split_once("*/").unwrap_or((comment, ""));
                // Spark's nest, as the standard allows.
                (rest, comment.contains("/*"))
            } else {
                break;
            };
            if is_unclear {
                return Some(UNCLEAR);
            }
            self.0 = rest;
        }
        let end = self
            .0
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::changes_session;

    #[test]
    fn queries_and_changes_of_data_leave_the_session_as_it_was() {
        for sql in [
            "SELECT 1",
            "  -- a comment\n/* another */ select 1",
            "(SELECT 1)",
            "with a as (select 1) select * from a",
            "INSERT INTO t VALUES (1)",
            "create table t (a int)",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "",
            "-- nothing",
            "-- a comment\r\nSELECT 1",
            "/* one *//**/ /* two */ SELECT 1",
            "PUT '/tmp/a' INTO '/Volumes/c/s/v/a'",
        ] {
            assert!(!changes_session(sql), "{sql}");
        }
    }

    #[test]
    fn what_sets_something_and_what_nobody_knows_does_not() {
        for sql in [
            "USE CATALOG c",
            "SET TIMEZONE = 'UTC'",
            "set\tx=1",
            "RESET x",
            "DECLARE VARIABLE v INT",
            "CREATE TEMPORARY VIEW v AS SELECT 1",
            "create or replace temp view v as select 1",
            "CREATE GLOBAL TEMPORARY VIEW v AS SELECT 1",
            "BEGIN SET x = 1; END",
            "EXECUTE IMMEDIATE 'USE c'",
            "CACHE TABLE t",
            "/* /* nested */ USE c */",
            "/* /* nested */ SELECT */ CREATE TEMPORARY TABLE t (a INT)",
            "CREATE /* /* nested */ TABLE */ TEMPORARY TABLE t (a INT)",
            "CREATE OR /* /* nested */ REPLACE VIEW */ REPLACE TEMPORARY VIEW v AS SELECT 1",
            "-- a comment\rUSE c",
            "-- continued \\\nSELECT 1\nUSE c",
        ] {
            assert!(changes_session(sql), "{sql}");
        }
    }
}
