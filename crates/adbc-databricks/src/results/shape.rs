//! The schema that the caller sees, and how batches are made to fit it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Field, Schema, SchemaRef};
use databricks_wire::sea::{ColumnInfo, Manifest};

use crate::error::{Error, Result};
use crate::types::{self, SqlType};
use databricks_telemetry::ErrorCategory;

/// A result's schema: names and order from the manifest, types from the data where there is data.
///
/// Names inside a file are not trusted: a server may name columns differently there, and cached files keep the names of the
/// query that made them.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    schema: SchemaRef,
    /// Columns of shapes, and what their values begin with on the way to becoming well-known text.
    prefixes: Vec<(usize, String)>,
}

impl Shape {
    fn new(fields: Vec<Field>, types: impl Iterator<Item = SqlType>) -> Self {
        let prefixes = types.enumerate().filter_map(|(index, sql_type)| match sql_type {
            SqlType::Geography(Some(srid)) | SqlType::Geometry(Some(srid)) => Some((index, format!("SRID={srid};"))),
            _ => None,
        });
        Self {
            prefixes: prefixes.collect(),
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// The shape of a result without data, from the SQL types in the manifest.
    ///
    /// # Errors
    /// Never for the types that the service documents; an unknown type is text.
    pub(super) fn of_manifest(manifest: &Manifest) -> Result<Self> {
        let columns = columns(manifest)?;
        let fields = columns.iter().map(|column| {
            let sql_type = SqlType::of_column(column);
            let data_type = sql_type.to_arrow();
            let described = types::describe(column, &sql_type, &data_type);
            Field::new(&column.name, data_type, true).with_metadata(described)
        });
        let types = columns.iter().map(|column| SqlType::of_column(column));
        Ok(Self::new(fields.collect(), types))
    }

    /// The shape of a result whose first file has this schema.
    ///
    /// # Errors
    /// The file has another number of columns than the manifest.
    pub(super) fn of_file(manifest: &Manifest, file: &Schema) -> Result<Self> {
        let columns = columns(manifest)?;
        if columns.len() != file.fields().len() {
            return Err(Error::result_set(format!(
                "the result's manifest has {} columns and its data has {}",
                columns.len(),
                file.fields().len()
            ))
            .with_category(ErrorCategory::ArrowSchemaParsingError));
        }
        let fields = columns.iter().zip(file.fields()).map(|(column, field)| {
            let mut described = field.metadata().clone();
            described.extend(types::describe(column, &SqlType::of_column(column), field.data_type()));
            Field::new(&column.name, field.data_type().clone(), field.is_nullable()).with_metadata(described)
        });
        let types = columns.iter().map(|column| SqlType::of_column(column));
        Ok(Self::new(fields.collect(), types))
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Puts the caller's names on a batch, without copying it. Shapes lose what is no well-known text: their type's system.
    ///
    /// # Errors
    /// A later file's types differ from the first one's.
    pub(super) fn fit(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let (_, mut columns, _) = batch.into_parts();
        for (index, prefix) in &self.prefixes {
            if let Some(column) = columns.get_mut(*index)
                && let Some(texts) = column.as_string_opt::<i32>()
            {
                let plain = |text| str::strip_prefix(text, prefix).unwrap_or(text);
                *column = Arc::new(texts.iter().map(|text| text.map(plain)).collect::<StringArray>());
            }
        }
        RecordBatch::try_new_with_options(self.schema(), columns, &options).map_err(|error| {
            Error::result_set(format!("a chunk does not have the result's columns: {error}"))
                .with_category(ErrorCategory::ArrowSchemaParsingError)
        })
    }
}

/// Cuts `batches` to their first `rows` rows: a file may hold more than its link promises, which is padding.
pub(super) fn truncate(batches: &mut Vec<RecordBatch>, rows: u64) {
    let mut left = usize::try_from(rows).unwrap_or(usize::MAX);
    batches.retain_mut(|batch| {
        if batch.num_rows() > left {
            *batch = batch.slice(0, left);
        }
        left -= batch.num_rows();
        batch.num_rows() > 0
    });
}

/// The manifest's columns in order of position.
fn columns(manifest: &Manifest) -> Result<Vec<&ColumnInfo>> {
    let mut columns: Vec<_> = manifest.schema.columns.iter().collect();
    // A stable sort: a server that gives no positions (all 0) lists the columns in order.
    columns.sort_by_key(|column| column.position);
    if columns.is_empty() && manifest.schema.column_count > 0 {
        return Err(Error::result_set(
            "the result's manifest counts columns without naming them",
        ));
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn padding_rows_are_cut() {
        let batch = |from: i64, rows: i64| {
            let column = Arc::new(Int64Array::from_iter_values(from..from + rows));
            RecordBatch::try_from_iter([("x", column as ArrayRef)]).unwrap()
        };
        let mut batches = vec![batch(0, 3), batch(3, 3), batch(6, 3)];
        truncate(&mut batches, 4);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [3, 1]);
    }
}
