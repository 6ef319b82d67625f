//! What a statement's tokens ask for: one of the statements that the engine answers itself, or SQL for the planner.

use databricks_wire::sea::Parameter;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError};

use super::dialect::LocalDialect;
use super::error::{Class, SqlError};
use super::identifier;

mod analyze;
mod cursor;
mod files;
mod show;

pub(crate) use analyze::{Analyze, AnalyzedColumns};
pub(crate) use files::{CopyInto, Transfer, VolumeStatement};
pub(crate) use show::{Scope, Show};

use cursor::{Cursor, syntax_error};

/// A statement.
#[derive(Debug)]
pub(crate) enum Command {
    Analyze(Analyze),
    CopyInto(CopyInto),
    CreateSchema {
        name: Vec<String>,
        if_not_exists: bool,
        comment: String,
    },
    DescribeCatalog(String),
    /// `DESCRIBE TABLE EXTENDED … AS JSON`.
    DescribeJson(Vec<String>),
    DescribeQuery(Vec<TokenWithSpan>),
    DescribeColumn {
        table: Vec<String>,
        column: String,
        extended: bool,
    },
    DescribeSchema(Vec<String>),
    DescribeTable {
        name: Vec<String>,
        extended: bool,
    },
    Reset(Option<String>),
    /// `SET`, all confs.
    SetList,
    /// `SET k`.
    SetQuery(String),
    /// `SET k = v`.
    Set {
        name: String,
        value: String,
    },
    /// `ALTER TABLE t ALTER COLUMN c SET NOT NULL`, or `DROP NOT NULL`.
    SetNullable {
        table: Vec<String>,
        column: String,
        nullable: bool,
    },
    Show(Show),
    Sql(Vec<TokenWithSpan>),
    UseCatalog(String),
    UseSchema(Vec<String>),
    Volume(VolumeStatement),
}

/// Reads a statement.
///
/// # Errors
/// `PARSE_SYNTAX_ERROR` and `PARSE_EMPTY_STATEMENT`, and those of `IDENTIFIER()`; errors within planned SQL are found later.
pub(crate) fn parse(sql: &str, parameters: &[Parameter]) -> Result<Command, SqlError> {
    let tokens = identifier::resolved(tokenize(sql)?, parameters)?;
    let Some(first) = tokens.first() else {
        return Err(SqlError::new(
            Class::PARSE_EMPTY_STATEMENT,
            "Syntax error, unexpected empty statement.",
        ));
    };
    let Token::Word(word) = &first.token else {
        return Ok(Command::Sql(tokens));
    };
    let head = word.value.to_ascii_uppercase();
    let mut cursor = Cursor {
        tokens: &tokens,
        position: 1,
    };
    match head.as_str() {
        "SHOW" => cursor.show().map(Command::Show),
        "CREATE" if cursor.keyword("SCHEMA") || cursor.keyword("DATABASE") => cursor.create_schema(),
        "USE" => cursor.use_(),
        "SET" => cursor.set(),
        "RESET" => cursor.reset(),
        "DESCRIBE" | "DESC" => cursor.describe(),
        "COPY" => cursor.copy(),
        "ANALYZE" if word.quote_style.is_none() => cursor.analyze(),
        "PUT" | "GET" | "REMOVE" if cursor.string_is_next() => cursor.transfer(&head),
        "CREATE" if cursor.keyword("VOLUME") => cursor.create_volume(),
        "CREATE" if cursor.keyword("GLOBAL") || cursor.keywords(&["OR", "REPLACE", "GLOBAL"]) => Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            "Global temporary views are not supported here.",
        )),
        "DROP" if cursor.keyword("VOLUME") => cursor.drop_volume(),
        "ALTER" if cursor.keyword("TABLE") => cursor.alter_table(),
        "ALTER" | "BEGIN" | "CACHE" | "CALL" | "COMMENT" | "COMMIT" | "DECLARE" | "GRANT" | "LIST" | "MSCK"
        | "OPTIMIZE" | "REFRESH" | "REORG" | "REPAIR" | "RESTORE" | "REVOKE" | "ROLLBACK" | "SYNC" | "UNCACHE"
        | "UNDROP" | "VACUUM"
            if word.quote_style.is_none() =>
        {
            Err(SqlError::new(
                Class::UNSUPPORTED_FEATURE,
                format!("The statement {head} is not supported here."),
            ))
        }
        _ => Ok(Command::Sql(tokens)),
    }
}

/// The tokens of a text without comments and without the closing semicolon.
///
/// Blanks stay, because markers are told from paths by the blanks around them.
fn tokenize(sql: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    let tokens = Tokenizer::new(&LocalDialect, sql)
        .tokenize_with_location()
        .map_err(|error: TokenizerError| SqlError::new(Class::PARSE_SYNTAX_ERROR, error.to_string()))?;
    let mut tokens: Vec<TokenWithSpan> = tokens;
    while tokens
        .last()
        .is_some_and(|last| matches!(last.token, Token::SemiColon | Token::Whitespace(_) | Token::EOF))
    {
        tokens.pop();
    }
    let start = tokens
        .iter()
        .position(|token| !matches!(token.token, Token::Whitespace(_)))
        .unwrap_or(tokens.len());
    tokens.drain(..start);
    Ok(tokens)
}

impl Cursor<'_> {
    /// `CREATE SCHEMA`, after these words. Properties are accepted and mean nothing here.
    fn create_schema(&mut self) -> Result<Command, SqlError> {
        let if_not_exists = self.keywords(&["IF", "NOT", "EXISTS"]);
        let name = self.dotted(2)?;
        let mut comment = String::new();
        loop {
            if self.keyword("COMMENT") {
                comment = self.string()?;
            } else if self.keywords(&["WITH", "DBPROPERTIES"]) {
                self.parentheses()?;
            } else if self.keyword("MANAGED") || self.keyword("LOCATION") {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    "Schemas with a LOCATION are not supported here.",
                ));
            } else {
                return self.end(Command::CreateSchema {
                    name,
                    if_not_exists,
                    comment,
                });
            }
        }
    }

    fn use_(&mut self) -> Result<Command, SqlError> {
        if self.keyword("CATALOG") || self.keywords(&["SET", "CATALOG"]) {
            let catalog = match self.peek() {
                Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)) => self.string()?,
                _ => self.name()?,
            };
            return self.end(Command::UseCatalog(catalog));
        }
        if !self.keyword("SCHEMA") {
            self.keyword("DATABASE");
        }
        let schema = self.dotted(2)?;
        self.end(Command::UseSchema(schema))
    }

    fn set(&mut self) -> Result<Command, SqlError> {
        if self.peek().is_none() {
            return Ok(Command::SetList);
        }
        if self.keyword("CATALOG") {
            self.position = 1;
            return self.use_();
        }
        if self.keywords(&["TIME", "ZONE"]) {
            let value = if self.keyword("LOCAL") {
                "UTC".to_owned()
            } else {
                self.string()?
            };
            return self.end(Command::Set {
                name: "TIMEZONE".to_owned(),
                value,
            });
        }
        let text: String = self.tokens[self.position..]
            .iter()
            .map(|token| token.token.to_string())
            .collect();
        if text.trim() == "-v" {
            return Ok(Command::SetList);
        }
        match text.split_once('=') {
            Some((name, value)) => Ok(Command::Set {
                name: bare(name).to_owned(),
                value: bare(value).to_owned(),
            }),
            None => Ok(Command::SetQuery(bare(&text).to_owned())),
        }
    }

    /// `ALTER TABLE t ALTER [COLUMN] c {SET | DROP} NOT NULL`; no other change of a table is served.
    fn alter_table(&mut self) -> Result<Command, SqlError> {
        let unsupported = || {
            SqlError::new(
                Class::UNSUPPORTED_FEATURE,
                "Of ALTER TABLE only ALTER COLUMN … SET NOT NULL and DROP NOT NULL are supported here.",
            )
        };
        let table = self.dotted(3)?;
        if !self.keyword("ALTER") {
            return Err(unsupported());
        }
        self.keyword("COLUMN");
        let column = self.name()?;
        let nullable = if self.keywords(&["SET", "NOT", "NULL"]) {
            false
        } else if self.keywords(&["DROP", "NOT", "NULL"]) {
            true
        } else {
            return Err(unsupported());
        };
        self.end(Command::SetNullable {
            table,
            column,
            nullable,
        })
    }

    fn reset(&mut self) -> Result<Command, SqlError> {
        let text: String = self.tokens[self.position..]
            .iter()
            .map(|token| token.token.to_string())
            .collect();
        let name = bare(&text);
        Ok(Command::Reset((!name.is_empty()).then(|| name.to_owned())))
    }

    fn describe(&mut self) -> Result<Command, SqlError> {
        let start = self.position;
        if self.keyword("QUERY") {
            return Ok(Command::DescribeQuery(self.tokens[self.position..].to_vec()));
        }
        if matches!(self.peek(), Some(Token::Word(word)) if ["SELECT", "WITH", "VALUES"].iter().any(|head| word.value.eq_ignore_ascii_case(head)))
        {
            return Ok(Command::DescribeQuery(self.tokens[start..].to_vec()));
        }
        for (kind, most) in [("CATALOG", 1), ("SCHEMA", 2), ("DATABASE", 2)] {
            if self.keyword(kind) {
                if self.peek().is_some() {
                    self.keyword("EXTENDED");
                    let mut name = self.dotted(most)?;
                    return self.end(match kind {
                        "CATALOG" => Command::DescribeCatalog(name.swap_remove(0)),
                        _ => Command::DescribeSchema(name),
                    });
                }
                self.position = start;
            }
        }
        for unsupported in ["FUNCTION", "HISTORY", "DETAIL"] {
            if self.keyword(unsupported) {
                if self.peek().is_some() {
                    return Err(SqlError::new(
                        Class::UNSUPPORTED_FEATURE,
                        format!("DESCRIBE {unsupported} is not supported here."),
                    ));
                }
                self.position = start;
            }
        }
        self.keyword("TABLE");
        let extended = self.keyword("EXTENDED") || self.keyword("FORMATTED");
        let name = self.dotted(3)?;
        if self.keywords(&["AS", "JSON"]) {
            return self.end(Command::DescribeJson(name));
        }
        if matches!(self.peek(), Some(Token::Word(_))) {
            let column = self.name()?;
            return self.end(Command::DescribeColumn {
                table: name,
                column,
                extended,
            });
        }
        self.end(Command::DescribeTable { name, extended })
    }
}

/// A conf's name or value without blanks and quotes around it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    for quote in ['\'', '"', '`'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(sql: &str) -> Show {
        match parse(sql, &[]) {
            Ok(Command::Show(show)) => show,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn drivers_forms_of_show_are_understood() {
        let like = |pattern: &str| Some(pattern.to_owned());
        let main = || Scope::Catalog("main".to_owned());
        assert_eq!(show("SHOW CATALOGS LIKE 'm*';"), Show::Catalogs { like: like("m*") });
        assert_eq!(
            show("show schemas in `main` 'd*'"),
            Show::Schemas {
                scope: Some(main()),
                like: like("d*")
            }
        );
        assert_eq!(
            show("SHOW SCHEMAS IN ALL CATALOGS"),
            Show::Schemas {
                scope: Some(Scope::AllCatalogs),
                like: None
            }
        );
        assert_eq!(
            show("SHOW TABLES IN CATALOG `main` SCHEMA LIKE 'd*' LIKE 't.'"),
            Show::Tables {
                scope: main(),
                schema_like: like("d*"),
                like: like("t.")
            }
        );
        assert_eq!(
            show("SHOW COLUMNS IN CATALOG main SCHEMA LIKE 's' TABLE LIKE 't' LIKE 'c'"),
            Show::Columns {
                scope: main(),
                schema_like: like("s"),
                table_like: like("t"),
                like: like("c")
            }
        );
        assert_eq!(
            show("SHOW COLUMNS IN t IN c.s"),
            Show::ColumnsOf {
                table: vec!["c".to_owned(), "s".to_owned(), "t".to_owned()]
            }
        );
        let table = || ["c", "s", "t"].map(str::to_owned).to_vec();
        assert_eq!(
            show("SHOW KEYS IN CATALOG `c` IN SCHEMA `s` IN TABLE `t`"),
            Show::Keys { table: table() }
        );
        assert_eq!(
            show("SHOW FOREIGN KEYS IN CATALOG `c` IN SCHEMA `s` IN TABLE `t`"),
            Show::ForeignKeys { table: table() }
        );
    }

    #[test]
    fn what_is_left_over_is_a_syntax_error() {
        for sql in [
            "SHOW CATALOGS LIKE",
            "SHOW NOTHING",
            "USE a.b.c",
            "SHOW SCHEMAS IN c extra",
            "SHOW COLUMNS",
            "DESCRIBE",
        ] {
            let error = parse(sql, &[]).unwrap_err();
            assert!(error.is(Class::PARSE_SYNTAX_ERROR), "{sql}: {error}");
        }
        assert!(
            parse(" ; -- nothing", &[])
                .unwrap_err()
                .is(Class::PARSE_EMPTY_STATEMENT)
        );
    }

    #[test]
    fn confs_lose_their_quotes() {
        let Ok(Command::Set { name, value }) = parse("SET `QUERY_TAGS` = 'a:b,c:d'", &[]) else {
            panic!()
        };
        assert_eq!((name.as_str(), value.as_str()), ("QUERY_TAGS", "a:b,c:d"));
        let Ok(Command::Set { name, value }) = parse("SET spark.sql.x.y=128m", &[]) else {
            panic!()
        };
        assert_eq!((name.as_str(), value.as_str()), ("spark.sql.x.y", "128m"));
    }
}
