//! The table that rows are put into: how statements call it, and whether it is there.
//!
//! A name of one part means the session's temporary table if there is one, and the current schema's table if there is none. See
//! <https://docs.databricks.com/aws/en/tables/temporary-tables>.

use arrow_schema::Schema;

use crate::ErrorCategory;
use crate::error::{Error, ErrorKind, Result};
use crate::metadata::{self, Asker, quoted};
use crate::observe::Purpose;
use crate::options;

/// A table by its name, which need not be there.
pub(super) struct Target {
    /// As it was given.
    name: String,
    /// As statements call it, quoted.
    pub(super) table: String,
    /// A name beside the table's that nobody else uses, quoted.
    pub(super) beside: String,
    /// Whether it is the session's own.
    pub(super) temporary: bool,
}

impl Target {
    /// Reads the options. A lasting table is called by its whole name where one of the session might have the same.
    ///
    /// # Errors
    /// `InvalidState` for a temporary table with a catalog or a schema, `NotImplemented` for one on a server without sessions; the
    /// server's when it is asked where names start.
    ///
    /// # Blocking
    /// For a statement if the name needs the current catalog or schema.
    pub(super) fn new(asker: &Asker<'_>, name: &str) -> Result<Self> {
        let settings = asker.settings;
        let part = |key| settings.text(key).filter(|name| !name.is_empty());
        let (mut catalog, mut schema) = (part(options::INGEST_CATALOG), part(options::INGEST_SCHEMA));
        let temporary = settings.flag(options::INGEST_TEMPORARY).unwrap_or_default();
        if temporary && (catalog.is_some() || schema.is_some()) {
            return Err(Error::invalid_state(format!(
                "a temporary table has no catalog and no schema: set '{}' or '{}' and '{}', not both",
                options::INGEST_TEMPORARY,
                options::INGEST_CATALOG,
                options::INGEST_SCHEMA
            )));
        }
        if temporary && asker.session.session().id().is_none() {
            // Each statement would have a session of its own, and the rows would go into a lasting table of the same name.
            return Err(Error::not_implemented(format!(
                "the server has no sessions, so temporary tables would not last; leave '{}' out",
                options::INGEST_TEMPORARY
            )));
        }
        let is_ambiguous = catalog.is_none() && asker.session.session().may_have_temporaries();
        if !temporary && schema.is_none() && (catalog.is_some() || is_ambiguous) {
            // `catalog.table` would be taken as `schema.table`.
            let current = metadata::current_namespace(asker)?;
            catalog = catalog.or(Some(current.0));
            schema = Some(current.1);
        }
        let whole = |name: &str| {
            let parts = [catalog.as_deref(), schema.as_deref(), Some(name)];
            parts.into_iter().flatten().map(quoted).collect::<Vec<_>>().join(".")
        };
        Ok(Self {
            name: name.to_owned(),
            table: whole(name),
            beside: whole(&format!("{name}__adbc_ingest_{}", uuid::Uuid::new_v4().simple())),
            temporary,
        })
    }

    /// What stands before the table's name in statements that create it.
    pub(super) fn kind(&self) -> &'static str {
        if self.temporary { "TEMPORARY TABLE" } else { "TABLE" }
    }

    /// The columns of the table that is there.
    ///
    /// # Errors
    /// `NotFound` when there is none, for a temporary one also when the name means a lasting table; the server's.
    ///
    /// # Blocking
    /// For a statement, and for a temporary table one more.
    pub(super) fn columns(&self, asker: &Asker<'_>) -> Result<Schema> {
        if self.temporary && !asker.session.session().may_have_temporaries() {
            return Err(self.not_found());
        }
        let sql = format!("SELECT * FROM {}", self.table);
        let columns = metadata::describe(asker, &sql, Vec::new(), Purpose::INTERNAL)?;
        if self.temporary && metadata::is_lasting(asker, &self.name)? {
            return Err(self.not_found());
        }
        Ok(columns)
    }

    fn not_found(&self) -> Error {
        Error::new(
            ErrorKind::NotFound,
            ErrorCategory::InvalidRequest,
            format!(
                "the session has no temporary table {}; create it, or set '{}' = false for a table that lasts",
                self.table,
                options::INGEST_TEMPORARY
            ),
        )
        .with_sqlstate("42P01")
    }
}
