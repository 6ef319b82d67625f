//! Tables that statements create and change, kept in memory.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use tokio::sync::{Mutex, MutexGuard};

use super::analyze::ColumnStatistics;
use super::error::{Class, SqlError, quoted};
use super::interval::cast_to_wire;

/// A table of batches. Readers see one version from beginning to end; a writer makes the next one and swaps it in whole, or not at all.
///
/// What it holds is taken from the memory that queries and tables share, and given back when the table is dropped.
pub(crate) struct StoredTable {
    schema: RwLock<SchemaRef>,
    version: RwLock<Arc<Vec<RecordBatch>>>,
    memory: MemoryReservation,
    writing: Mutex<()>,
    /// The files whose rows `COPY INTO` put here, and what they were then.
    loaded: RwLock<HashMap<PathBuf, Stamp>>,
    /// What `ANALYZE TABLE` found, by the columns' names in lower case.
    statistics: RwLock<HashMap<String, ColumnStatistics>>,
}

/// Tells a file from what was written in its place.
type Stamp = (u64, Option<SystemTime>);

impl StoredTable {
    /// # Errors
    /// See [`conform`]; and when there is no memory left.
    pub(crate) fn new(
        schema: SchemaRef,
        batches: &[RecordBatch],
        memory: &Arc<dyn MemoryPool>,
    ) -> std::result::Result<Self, SqlError> {
        let table = Self {
            schema: RwLock::new(schema),
            version: RwLock::default(),
            memory: MemoryConsumer::new("table").register(memory),
            writing: Mutex::new(()),
            loaded: RwLock::default(),
            statistics: RwLock::default(),
        };
        table.put(Vec::new(), batches)?;
        Ok(table)
    }

    pub(crate) fn snapshot(&self) -> Arc<Vec<RecordBatch>> {
        Arc::clone(&self.version.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        let version = self.snapshot();
        let bytes = version.iter().map(RecordBatch::get_array_memory_size).sum();
        (bytes, version.iter().map(RecordBatch::num_rows).sum())
    }

    /// What was found about a column when it was analyzed last.
    pub(crate) fn statistics(&self, column: &str) -> Option<ColumnStatistics> {
        let statistics = self.statistics.read().unwrap_or_else(PoisonError::into_inner);
        statistics.get(&column.to_lowercase()).cloned()
    }

    /// Keeps what was found about columns, by their names in lower case.
    pub(crate) fn remember_statistics(&self, found: Vec<(String, ColumnStatistics)>) {
        let mut statistics = self.statistics.write().unwrap_or_else(PoisonError::into_inner);
        statistics.extend(found);
    }

    fn put(&self, mut version: Vec<RecordBatch>, batches: &[RecordBatch]) -> std::result::Result<usize, SqlError> {
        let (mut rows, schema) = (0, TableProvider::schema(self));
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            rows += batch.num_rows();
            version.push(conform(batch, &schema)?);
        }
        self.memory
            .try_resize(version.iter().map(RecordBatch::get_array_memory_size).sum())?;
        *self.version.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(version);
        Ok(rows)
    }

    /// Waits until no other statement changes the table.
    pub(crate) async fn writer(&self) -> Writer<'_> {
        Writer {
            table: self,
            _alone: self.writing.lock().await,
        }
    }
}

/// The right to change a table, held from reading the old version to putting the new one.
pub(crate) struct Writer<'a> {
    table: &'a StoredTable,
    _alone: MutexGuard<'a, ()>,
}

impl Writer<'_> {
    pub(crate) fn snapshot(&self) -> Arc<Vec<RecordBatch>> {
        self.table.snapshot()
    }

    /// Replaces the table's content and tells how many rows the new one has.
    ///
    /// # Errors
    /// See [`conform`]; and when there is no memory left. The old content stays.
    pub(crate) fn replace(&self, batches: &[RecordBatch]) -> std::result::Result<usize, SqlError> {
        self.table.put(Vec::new(), batches)
    }

    /// Appends to the table's content and tells how many rows were appended.
    ///
    /// # Errors
    /// See [`conform`]; and when there is no memory left. The old content stays.
    pub(crate) fn append(&self, batches: &[RecordBatch]) -> std::result::Result<usize, SqlError> {
        self.table.put(self.snapshot().to_vec(), batches)
    }

    /// Changes whether a column may hold NULL.
    ///
    /// # Errors
    /// `UNRESOLVED_COLUMN`; `NOT_NULL_VIOLATION` when it holds NULL now. Nothing is changed then.
    pub(crate) fn set_nullable(&self, column: &str, nullable: bool) -> std::result::Result<(), SqlError> {
        let old = TableProvider::schema(self.table);
        let same = |field: &Field| field.name().eq_ignore_ascii_case(column);
        if !old.fields().iter().any(|field| same(field)) {
            let text = format!("A column with name {} cannot be resolved.", quoted(&[column]));
            return Err(SqlError::new(Class::UNRESOLVED_COLUMN, text));
        }
        let changed = |field: &Arc<Field>| match same(field) {
            true => Arc::new(field.as_ref().clone().with_nullable(nullable)),
            false => Arc::clone(field),
        };
        let schema = Arc::new(Schema::new(old.fields().iter().map(changed).collect::<Vec<_>>()));
        let batches: std::result::Result<Vec<_>, _> =
            self.snapshot().iter().map(|batch| conform(batch, &schema)).collect();
        *self.table.version.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(batches?);
        *self.table.schema.write().unwrap_or_else(PoisonError::into_inner) = schema;
        Ok(())
    }

    /// Whether the rows of this file are here, and the file is what it was.
    pub(crate) fn has_loaded(&self, file: &Path) -> bool {
        let loaded = self.table.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.get(file).is_some_and(|then| stamp(file).as_ref() == Some(then))
    }

    /// Remembers the files whose rows were just appended.
    pub(crate) fn remember_loaded(&self, files: Vec<PathBuf>) {
        let mut loaded = self.table.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|file, _| file.exists());
        loaded.extend(
            files
                .into_iter()
                .filter_map(|file| stamp(&file).map(|stamp| (file, stamp))),
        );
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = fs::metadata(file).ok()?;
    Some((about.len(), about.modified().ok()))
}

/// The batch as rows of a table with this schema.
///
/// # Errors
/// When a value cannot be cast to its column's type, or is NULL in a column that is `NOT NULL`.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> std::result::Result<RecordBatch, SqlError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        if !field.is_nullable() && column.logical_null_count() > 0 {
            let text = format!("NOT NULL constraint violated for column: {}.", field.name());
            return Err(SqlError::new(Class::NOT_NULL_VIOLATION, text));
        }
        columns.push(if column.data_type() == field.data_type() {
            Arc::clone(column)
        } else {
            cast_to_wire(column, field.data_type())?
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

impl fmt::Debug for StoredTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredTable").finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batches = self.snapshot().to_vec();
        // A batch may be older than the last change of a constraint: its own schema fits it.
        let schema = batches
            .first()
            .map_or_else(|| TableProvider::schema(self), RecordBatch::schema);
        let source = MemorySourceConfig::try_new(&[batches], schema, projection.cloned())?;
        Ok(DataSourceExec::from_data_source(source))
    }
}
