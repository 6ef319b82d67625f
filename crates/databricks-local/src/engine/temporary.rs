//! Temporary tables and views: of one session, found before a schema's tables under a name of one part.
//!
//! See <https://docs.databricks.com/aws/en/tables/temporary-tables>.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;

use super::catalog::{Catalog, Catalogs, Schema};
use super::error::{Class, SqlError, quoted};
use super::plan::Place;
use super::settings::Settings;

/// What the planner's default schema begins with where a session has tables of its own. No name that a statement writes has a NUL.
const OWN: &str = "session\0";

/// The place of a session's tables, empty.
pub(crate) fn schema() -> Arc<Schema> {
    Arc::new(Schema::writable("", ""))
}

/// The schema that a planner's default schema stands for.
pub(crate) fn schema_behind(default_schema: &str) -> &str {
    default_schema.strip_prefix(OWN).unwrap_or(default_schema)
}

/// Lets the planner find a session's tables before those of the current schema, where a name has one part only.
///
/// The planner completes such a name with its defaults before it asks for a table. So the default schema becomes one that looks at both
/// places, under a name that no other reference can have.
pub(crate) fn find_first(
    temporary: &Arc<Schema>,
    state: &mut SessionState,
    catalogs: &Arc<Catalogs>,
    settings: &Settings,
) {
    let name = format!("{OWN}{}", settings.schema);
    let Ok(catalog) = catalogs.named(&settings.catalog) else {
        return;
    };
    let schema = Both {
        temporary: Arc::clone(temporary),
        current: catalog.named(&settings.schema).ok(),
    };
    let current = CurrentCatalog {
        catalog: Arc::clone(catalog),
        name: name.clone(),
        schema: Arc::new(schema),
    };
    state.register_catalog_list(Arc::new(SessionCatalogs {
        catalogs: Arc::clone(catalogs),
        current: Arc::new(current),
    }));
    state.config_mut().options_mut().catalog.default_schema = name;
}

/// # Errors
/// `TEMP_TABLE_OPERATION_NOT_SUPPORTED` for a temporary table.
pub(crate) fn refuse(place: &Place, class: Class, what: &str) -> std::result::Result<(), SqlError> {
    if !place.is_temporary() {
        return Ok(());
    }
    let text = format!(
        "Operations on the session-local temporary table {} are not supported: {what}. Drop it and create it anew.",
        place.quoted()
    );
    Err(SqlError::new(class, text))
}

/// `INVALID_TEMP_OBJ_REFERENCE`: a view outlives the session whose table it would read.
pub(crate) fn invalid_reference(view: &Place, table: &str) -> SqlError {
    SqlError::new(
        Class::INVALID_TEMP_OBJ_REFERENCE,
        format!(
            "Cannot create the persistent object {} of the type VIEW because it references the temporary object {}. Make the view temporary, or the object persistent.",
            view.quoted(),
            quoted(&[table])
        ),
    )
}

struct SessionCatalogs {
    catalogs: Arc<Catalogs>,
    current: Arc<CurrentCatalog>,
}

/// The current catalog, with one schema more.
struct CurrentCatalog {
    catalog: Arc<Catalog>,
    name: String,
    schema: Arc<Both>,
}

/// A session's own tables, and the current schema.
struct Both {
    temporary: Arc<Schema>,
    current: Option<Arc<Schema>>,
}

impl CatalogProviderList for SessionCatalogs {
    fn register_catalog(&self, _name: String, _catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        self.catalogs.catalog_names()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        if name.eq_ignore_ascii_case(&self.current.catalog.name) {
            return Some(Arc::clone(&self.current) as Arc<dyn CatalogProvider>);
        }
        CatalogProviderList::catalog(self.catalogs.as_ref(), name)
    }
}

impl CatalogProvider for CurrentCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.catalog.schema_names()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == self.name {
            return Some(Arc::clone(&self.schema) as Arc<dyn SchemaProvider>);
        }
        self.catalog.schema(name)
    }
}

#[async_trait]
impl SchemaProvider for Both {
    fn table_names(&self) -> Vec<String> {
        let current = self.current.as_ref().map(|schema| schema.table_names());
        let mut names = self.temporary.table_names();
        names.extend(current.unwrap_or_default());
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(table) = SchemaProvider::table(self.temporary.as_ref(), name).await? {
            return Ok(Some(table));
        }
        match &self.current {
            Some(schema) => SchemaProvider::table(schema.as_ref(), name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        let in_current = |schema: &Arc<Schema>| schema.table_exist(name);
        self.temporary.table_exist(name) || self.current.as_ref().is_some_and(in_current)
    }
}

impl fmt::Debug for SessionCatalogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCatalogs").finish_non_exhaustive()
    }
}

impl fmt::Debug for CurrentCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentCatalog").finish_non_exhaustive()
    }
}

impl fmt::Debug for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Both").finish_non_exhaustive()
    }
}
