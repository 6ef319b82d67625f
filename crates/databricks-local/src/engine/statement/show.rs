//! `SHOW` statements.

use super::Cursor;
use crate::engine::error::SqlError;

/// A `SHOW` statement. Patterns are Hive's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Volumes {
        schema: Vec<String>,
    },
    Catalogs {
        like: Option<String>,
    },
    Columns {
        scope: Scope,
        schema_like: Option<String>,
        table_like: Option<String>,
        like: Option<String>,
    },
    ColumnsOf {
        table: Vec<String>,
    },
    CreateTable {
        table: Vec<String>,
    },
    CurrentNamespace,
    ForeignKeys {
        table: Vec<String>,
    },
    Functions {
        scope: Option<Scope>,
        like: Option<String>,
    },
    Keys {
        table: Vec<String>,
    },
    Schemas {
        scope: Option<Scope>,
        like: Option<String>,
    },
    Tables {
        scope: Scope,
        schema_like: Option<String>,
        like: Option<String>,
    },
    TablesOf {
        schema: Vec<String>,
        like: Option<String>,
        views: bool,
    },
}

/// Which catalogs a `SHOW` statement looks at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    AllCatalogs,
    Catalog(String),
}

impl Cursor<'_> {
    pub(super) fn show(&mut self) -> Result<Show, SqlError> {
        let show = if self.keywords(&["CREATE", "TABLE"]) {
            Show::CreateTable { table: self.dotted(3)? }
        } else if self.keyword("CATALOGS") {
            Show::Catalogs { like: self.like()? }
        } else if self.keyword("SCHEMAS") || self.keyword("DATABASES") {
            let scope = if self.in_() { Some(self.catalogs()?) } else { None };
            Show::Schemas {
                scope,
                like: self.like()?,
            }
        } else if self.keyword("TABLES") {
            self.show_tables()?
        } else if self.keyword("VIEWS") {
            let schema = if self.in_() { self.dotted(2)? } else { Vec::new() };
            Show::TablesOf {
                schema,
                like: self.like()?,
                views: true,
            }
        } else if self.keyword("VOLUMES") {
            let schema = if self.in_() { self.dotted(2)? } else { Vec::new() };
            Show::Volumes { schema }
        } else if self.keyword("COLUMNS") {
            self.show_columns()?
        } else if self.keywords(&["FOREIGN", "KEYS"]) {
            Show::ForeignKeys { table: self.keys_of()? }
        } else if self.keyword("KEYS") || self.keywords(&["PRIMARY", "KEYS"]) {
            Show::Keys { table: self.keys_of()? }
        } else if self.keywords(&["CURRENT", "NAMESPACE"]) || self.keywords(&["CURRENT", "SCHEMA"]) {
            Show::CurrentNamespace
        } else if self.keyword("FUNCTIONS") || self.function_kind() {
            let scope = match (self.in_(), self.keyword("CATALOG")) {
                (true, true) => Some(Scope::Catalog(self.name()?)),
                (true, false) => {
                    self.dotted(2)?;
                    None
                }
                (false, _) => None,
            };
            // A schema pattern narrows nothing: no schema has functions of its own.
            self.like_of("SCHEMA")?;
            Show::Functions {
                scope,
                like: self.like()?,
            }
        } else {
            self.next();
            return Err(self.error_before());
        };
        self.end(show)
    }

    fn function_kind(&mut self) -> bool {
        ["USER", "SYSTEM", "ALL"]
            .iter()
            .any(|kind| self.keywords(&[kind, "FUNCTIONS"]))
    }

    fn show_tables(&mut self) -> Result<Show, SqlError> {
        if !self.in_() {
            return Ok(Show::TablesOf {
                schema: Vec::new(),
                like: self.like()?,
                views: false,
            });
        }
        let scope = if self.keywords(&["ALL", "CATALOGS"]) {
            Scope::AllCatalogs
        } else if self.keyword("CATALOG") {
            Scope::Catalog(self.name()?)
        } else {
            return Ok(Show::TablesOf {
                schema: self.dotted(2)?,
                like: self.like()?,
                views: false,
            });
        };
        Ok(Show::Tables {
            scope,
            schema_like: self.like_of("SCHEMA")?,
            like: self.like()?,
        })
    }

    fn show_columns(&mut self) -> Result<Show, SqlError> {
        if !self.in_() {
            self.next();
            return Err(self.error_before());
        }
        let scope = if self.keywords(&["ALL", "CATALOGS"]) {
            Scope::AllCatalogs
        } else if self.keyword("CATALOG") {
            Scope::Catalog(self.name()?)
        } else {
            let mut table = self.dotted(3)?;
            if table.len() == 1 && self.in_() {
                let mut place = self.dotted(2)?;
                place.append(&mut table);
                table = place;
            }
            return Ok(Show::ColumnsOf { table });
        };
        Ok(Show::Columns {
            scope,
            schema_like: self.like_of("SCHEMA")?,
            table_like: self.like_of("TABLE")?,
            like: self.like()?,
        })
    }

    fn catalogs(&mut self) -> Result<Scope, SqlError> {
        if self.keywords(&["ALL", "CATALOGS"]) {
            return Ok(Scope::AllCatalogs);
        }
        self.keyword("CATALOG");
        self.name().map(Scope::Catalog)
    }

    /// `IN CATALOG c IN SCHEMA s IN TABLE t`, or `IN t`.
    fn keys_of(&mut self) -> Result<Vec<String>, SqlError> {
        let mut table = Vec::new();
        while self.in_() {
            let _kind = ["CATALOG", "SCHEMA", "TABLE"].iter().any(|kind| self.keyword(kind));
            table.append(&mut self.dotted(3)?);
        }
        if table.is_empty() || table.len() > 3 {
            return Err(self.error_before());
        }
        Ok(table)
    }
}
