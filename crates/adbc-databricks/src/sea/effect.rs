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
            matches!(word.as_str(), "TEMP" | "TEMPORARY")
        }
        _ => true,
    }
}

/// The words that a statement begins with, past comments, blanks and opening parentheses.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
            if let Some(comment) = self.0.strip_prefix("--") {
                self.0 = comment.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(comment) = self.0.strip_prefix("/*") {
                // Nested comments end later than this thinks, and what follows is then not known to be harmless.
                self.0 = comment.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                break;
            }
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
        ] {
            assert!(changes_session(sql), "{sql}");
        }
    }
}
