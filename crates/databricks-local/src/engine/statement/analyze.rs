//! `ANALYZE TABLE`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Command, Cursor};
use crate::engine::error::{Class, SqlError};

/// `ANALYZE TABLE t COMPUTE STATISTICS [NOSCAN | FOR ALL COLUMNS | FOR COLUMNS c, …]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Analyze {
    pub(crate) table: Vec<String>,
    pub(crate) columns: AnalyzedColumns,
}

/// The columns that statistics are computed of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AnalyzedColumns {
    None,
    All,
    Named(Vec<String>),
}

impl Cursor<'_> {
    /// After `ANALYZE`.
    pub(super) fn analyze(&mut self) -> Result<Command, SqlError> {
        let unsupported = |what: &str| {
            let text = format!("ANALYZE with {what} is not supported here.");
            Err(SqlError::new(Class::UNSUPPORTED_FEATURE, text))
        };
        if self.keyword("TABLES") {
            return unsupported("TABLES");
        }
        self.expect("TABLE")?;
        let table = self.dotted(3)?;
        if self.keyword("PARTITION") {
            return unsupported("PARTITION");
        }
        self.expect("COMPUTE")?;
        if self.keyword("DELTA") {
            return unsupported("DELTA STATISTICS");
        }
        self.expect("STATISTICS")?;
        let columns = if self.keywords(&["FOR", "ALL", "COLUMNS"]) {
            AnalyzedColumns::All
        } else if self.keywords(&["FOR", "COLUMNS"]) {
            let mut names = vec![self.name()?];
            while self.peek() == Some(&Token::Comma) {
                self.next();
                names.push(self.name()?);
            }
            AnalyzedColumns::Named(names)
        } else {
            self.keyword("NOSCAN");
            AnalyzedColumns::None
        };
        self.end(Command::Analyze(Analyze { table, columns }))
    }
}
