//! `get_objects`: catalogs, schemas, tables, columns, constraints.

use adbc_core::options::ObjectDepth;
use arrow_array::RecordBatch;

use super::Asker;
use super::listing::Listing;
use super::pattern::Pattern;
use super::tree;
use crate::error::Result;

/// What is wanted. A pattern that is absent lets everything through.
pub(crate) struct Filters {
    pub(super) catalog: Pattern,
    pub(super) schema: Pattern,
    pub(super) table: Pattern,
    pub(super) column: Pattern,
    /// Names of `get_table_types`, in upper case; an empty list wants none.
    pub(super) kinds: Option<Vec<String>>,
}

impl Filters {
    pub(crate) fn new(
        catalog: Option<&str>,
        schema: Option<&str>,
        table: Option<&str>,
        kinds: Option<&[&str]>,
        column: Option<&str>,
    ) -> Self {
        Self {
            catalog: Pattern::new(catalog),
            schema: Pattern::new(schema),
            table: Pattern::new(table),
            column: Pattern::new(column),
            kinds: kinds.map(|kinds| kinds.iter().map(|kind| kind.to_uppercase()).collect()),
        }
    }

    pub(super) fn wants_kind(&self, kind: &str) -> bool {
        self.kinds
            .as_ref()
            .is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind))
    }
}

/// Lists what there is, down to `depth`, in order of name.
///
/// Needs one statement per level: `SHOW CATALOGS`, then the information schema, of the one catalog that is meant or of
/// `system` for several. Catalogs without one (`hive_metastore`) are asked with `SHOW`, one statement per catalog and level.
///
/// # Errors
/// The server could not be asked, or it refuses a catalog that is named exactly. Other catalogs that it refuses have no
/// schemas in the answer.
///
/// # Blocking
/// Until all is listed.
pub(crate) fn objects(asker: &Asker<'_>, depth: ObjectDepth, filters: &Filters) -> Result<RecordBatch> {
    let mut listing = Listing::new(asker, filters);
    listing.catalogs()?;
    if !matches!(depth, ObjectDepth::Catalogs) {
        listing.schemas()?;
    }
    if matches!(depth, ObjectDepth::Tables | ObjectDepth::Columns | ObjectDepth::All) {
        listing.tables()?;
    }
    if matches!(depth, ObjectDepth::Columns | ObjectDepth::All) {
        listing.columns()?;
        listing.constraints()?;
    }
    tree::batch(&listing.found, depth)
}
