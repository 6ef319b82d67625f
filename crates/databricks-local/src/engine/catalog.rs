//! Catalogs, schemas, tables: what names lead to.
//!
//! Names are kept as written and found in any case.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TableType;

use super::constraint::Constraint;
use super::error::{Class, SqlError, quoted};
use super::files::FileTables;
use super::information_schema::{self, INFORMATION_SCHEMA};

/// All catalogs of the workspace.
pub(crate) struct Catalogs {
    catalogs: BTreeMap<String, Arc<Catalog>>,
}

impl Catalogs {
    pub(crate) fn new(catalogs: impl IntoIterator<Item = Arc<Catalog>>) -> Arc<Self> {
        let catalogs: BTreeMap<String, Arc<Catalog>> = catalogs
            .into_iter()
            .map(|catalog| (key(&catalog.name), catalog))
            .collect();
        let list = Arc::new(Self { catalogs });
        for catalog in list.catalogs.values() {
            *write(&catalog.list) = Arc::downgrade(&list);
        }
        list
    }

    /// In the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Catalog>> {
        self.catalogs.values()
    }

    /// # Errors
    /// `NO_SUCH_CATALOG_EXCEPTION`.
    pub(crate) fn named(&self, name: &str) -> std::result::Result<&Arc<Catalog>, SqlError> {
        self.catalogs.get(&key(name)).ok_or_else(|| {
            SqlError::new(
                Class::NO_SUCH_CATALOG,
                format!(
                    "Catalog {} was not found. Please verify the catalog name.",
                    quoted(&[name])
                ),
            )
        })
    }
}

/// One catalog.
pub(crate) struct Catalog {
    pub(crate) name: String,
    pub(crate) comment: &'static str,
    /// Whether schemas can be created and dropped.
    pub(crate) writable: bool,
    schemas: RwLock<BTreeMap<String, Arc<Schema>>>,
    list: RwLock<Weak<Catalogs>>,
}

impl Catalog {
    pub(crate) fn new(name: &str, comment: &'static str, writable: bool, schemas: Vec<Schema>) -> Arc<Self> {
        let schemas = schemas
            .into_iter()
            .map(|schema| (key(&schema.name), Arc::new(schema)))
            .collect();
        Arc::new(Self {
            name: name.to_owned(),
            comment,
            writable,
            schemas: RwLock::new(schemas),
            list: RwLock::default(),
        })
    }

    /// All schemas in the order of their names, `information_schema` among them.
    pub(crate) fn all(&self) -> Vec<Arc<Schema>> {
        let mut schemas: Vec<Arc<Schema>> = read(&self.schemas).values().map(Arc::clone).collect();
        schemas.push(self.information_schema());
        schemas.sort_by(|left, right| left.name.cmp(&right.name));
        schemas
    }

    /// # Errors
    /// `SCHEMA_NOT_FOUND`.
    pub(crate) fn named(&self, name: &str) -> std::result::Result<Arc<Schema>, SqlError> {
        if name.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return Ok(self.information_schema());
        }
        read(&self.schemas).get(&key(name)).map(Arc::clone).ok_or_else(|| {
            SqlError::new(
                Class::SCHEMA_NOT_FOUND,
                format!(
                    "The schema {} cannot be found. Verify the spelling and correctness of the schema and catalog.",
                    quoted(&[self.name.as_str(), name])
                ),
            )
        })
    }

    /// Adds a schema; the one of that name that is there already is returned and stays.
    pub(crate) fn add(&self, schema: Schema) -> Option<Arc<Schema>> {
        let mut schemas = write(&self.schemas);
        if let Some(there) = schemas.get(&key(&schema.name)) {
            return Some(Arc::clone(there));
        }
        schemas.insert(key(&schema.name), Arc::new(schema));
        None
    }

    /// Removes a schema, if `condition` holds for it.
    pub(crate) fn remove<E>(
        &self,
        name: &str,
        condition: impl FnOnce(&Schema) -> std::result::Result<(), E>,
    ) -> std::result::Result<bool, E> {
        let mut schemas = write(&self.schemas);
        let Some(schema) = schemas.get(&key(name)) else {
            return Ok(false);
        };
        condition(schema)?;
        schemas.remove(&key(name));
        Ok(true)
    }

    fn information_schema(&self) -> Arc<Schema> {
        let content = Content::Information {
            catalog: self.name.clone(),
            list: read(&self.list).clone(),
        };
        Arc::new(Schema {
            name: INFORMATION_SCHEMA.to_owned(),
            comment: "Information schema".to_owned(),
            content,
        })
    }
}

/// One schema.
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) comment: String,
    content: Content,
}

enum Content {
    Tables {
        tables: RwLock<BTreeMap<String, Table>>,
        writable: bool,
    },
    Files(FileTables),
    Information {
        catalog: String,
        list: Weak<Catalogs>,
    },
}

impl Schema {
    /// A schema whose tables statements can create and drop.
    pub(crate) fn writable(name: &str, comment: &str) -> Self {
        let content = Content::Tables {
            tables: RwLock::default(),
            writable: true,
        };
        Self {
            name: name.to_owned(),
            comment: comment.to_owned(),
            content,
        }
    }

    /// A schema whose tables only the engine changes.
    pub(crate) fn fixed(name: &str, comment: &str, tables: Vec<Table>) -> Self {
        let tables = tables.into_iter().map(|table| (key(&table.name), table)).collect();
        let content = Content::Tables {
            tables: RwLock::new(tables),
            writable: false,
        };
        Self {
            name: name.to_owned(),
            comment: comment.to_owned(),
            content,
        }
    }

    /// A schema whose tables are files.
    pub(crate) fn files(name: &str, comment: &str, files: FileTables) -> Self {
        Self {
            name: name.to_owned(),
            comment: comment.to_owned(),
            content: Content::Files(files),
        }
    }

    pub(crate) fn is_writable(&self) -> bool {
        matches!(self.content, Content::Tables { writable: true, .. })
    }

    /// All tables in the order of their names, without files that cannot be read.
    pub(crate) async fn all(&self) -> Vec<Table> {
        match &self.content {
            Content::Tables { tables, .. } => read(tables).values().cloned().collect(),
            Content::Files(files) => files.all().await,
            Content::Information { catalog, list } => information_schema::tables(catalog, list),
        }
    }

    /// Why files that should be tables are none.
    pub(crate) async fn unreadable(&self) -> Vec<SqlError> {
        match &self.content {
            Content::Files(files) => files.unreadable().await,
            Content::Tables { .. } | Content::Information { .. } => Vec::new(),
        }
    }

    /// The table of this name, if there is one.
    pub(crate) async fn named(&self, name: &str) -> std::result::Result<Option<Table>, SqlError> {
        match &self.content {
            Content::Tables { tables, .. } => Ok(read(tables).get(&key(name)).cloned()),
            Content::Files(files) => files.named(name).await,
            Content::Information { catalog, list } => Ok(information_schema::tables(catalog, list)
                .into_iter()
                .find(|table| table.name.eq_ignore_ascii_case(name))),
        }
    }

    /// Whether it has a table of this name, as far as that is known without reading files.
    pub(crate) fn holds(&self, name: &str) -> bool {
        match &self.content {
            Content::Tables { tables, .. } => read(tables).contains_key(&key(name)),
            Content::Files(_) | Content::Information { .. } => false,
        }
    }

    /// Whether there are no tables.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.content {
            Content::Tables { tables, .. } => read(tables).is_empty(),
            Content::Files(_) | Content::Information { .. } => false,
        }
    }

    /// Puts a table into a schema of tables, in place of what `keep` does not want kept.
    ///
    /// # Errors
    /// Whatever `keep` says about the table that has the name.
    pub(crate) fn put<E>(
        &self,
        table: Table,
        keep: impl FnOnce(&Table) -> std::result::Result<bool, E>,
    ) -> std::result::Result<(), E> {
        if let Content::Tables { tables, .. } = &self.content {
            let mut tables = write(tables);
            let kept = match tables.get(&key(&table.name)) {
                Some(there) => keep(there)?,
                None => false,
            };
            if !kept {
                tables.insert(key(&table.name), table);
            }
        }
        Ok(())
    }

    /// Takes the table of this name out, if `condition` holds for it.
    pub(crate) fn take<E>(
        &self,
        name: &str,
        condition: impl FnOnce(&Table) -> std::result::Result<(), E>,
    ) -> std::result::Result<Option<Table>, E> {
        let Content::Tables { tables, .. } = &self.content else {
            return Ok(None);
        };
        let mut tables = write(tables);
        if let Some(table) = tables.get(&key(name)) {
            condition(table)?;
        }
        Ok(tables.remove(&key(name)))
    }
}

/// One table or view.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) comment: Option<String>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) provider: Arc<dyn TableProvider>,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Created by a statement, kept in memory.
    Managed,
    /// A file, or generated.
    External,
    /// Of the system catalog or an information schema.
    System,
    View,
}

impl Kind {
    /// As `SHOW TABLES IN CATALOG` and drivers name it.
    pub(crate) const fn driver_name(self) -> &'static str {
        match self {
            Self::Managed | Self::External => "TABLE",
            Self::System => "SYSTEM TABLE",
            Self::View => "VIEW",
        }
    }

    /// As the information schema names it.
    pub(crate) const fn information_name(self) -> &'static str {
        match self {
            Self::Managed => "MANAGED",
            Self::External => "EXTERNAL",
            Self::System => "SYSTEM",
            Self::View => "VIEW",
        }
    }
}

fn key(name: &str) -> String {
    name.to_lowercase()
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Catalogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogs").finish_non_exhaustive()
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").finish_non_exhaustive()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

impl CatalogProviderList for Catalogs {
    fn register_catalog(&self, _name: String, _catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        self.all().map(|catalog| catalog.name.clone()).collect()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        Some(Arc::clone(self.catalogs.get(&key(name))?) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        self.all().iter().map(|schema| schema.name.clone()).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(self.named(name).ok()? as Arc<dyn SchemaProvider>)
    }
}

#[async_trait]
impl SchemaProvider for Schema {
    fn table_names(&self) -> Vec<String> {
        match &self.content {
            Content::Tables { tables, .. } => read(tables).values().map(|table| table.name.clone()).collect(),
            Content::Files(files) => files.names(),
            Content::Information { catalog, list } => information_schema::tables(catalog, list)
                .into_iter()
                .map(|table| table.name)
                .collect(),
        }
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Ok(self.named(name).await?.map(|table| table.provider))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.named(name).await?.map(|table| table.provider.table_type()))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|there| there.eq_ignore_ascii_case(name))
    }
}
