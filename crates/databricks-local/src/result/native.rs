//! Which types reach a client as Arrow has them, and which as text: Thrift's clients say it for each statement.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::builder::StringBuilder;
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use databricks_wire::sea::ColumnInfo;

use super::cells::{Column, Style};

/// The metadata of a field that has the type as SQL writes it.
const SQL_NAME: &str = "Spark:DataType:SqlName";

/// The types that a client reads as Arrow has them. It gets the text of the others; those without a flag are always Arrow's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Natives {
    pub(crate) timestamps: bool,
    pub(crate) decimals: bool,
    /// Arrays, maps and structs.
    pub(crate) complex: bool,
    pub(crate) intervals: bool,
    /// `VOID`.
    pub(crate) nulls: bool,
}

impl Natives {
    fn has(self, data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(..) => self.timestamps,
            DataType::Decimal128(..) => self.decimals,
            DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => self.complex,
            DataType::Interval(_) | DataType::Duration(_) => self.intervals,
            DataType::Null => self.nulls,
            _ => true,
        }
    }

    /// The schema that [`batch`](Self::batch) brings batches to. What the types are in SQL is in the fields' metadata.
    pub(crate) fn schema(self, schema: &Schema, columns: &[ColumnInfo]) -> SchemaRef {
        let fields = schema.fields().iter().zip(columns).map(|(field, column)| {
            let data_type = match self.has(field.data_type()) {
                true => field.data_type().clone(),
                false => DataType::Utf8,
            };
            let sql_name = HashMap::from([(SQL_NAME.to_owned(), column.type_text.clone())]);
            Field::new(field.name(), data_type, field.is_nullable()).with_metadata(sql_name)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// # Errors
    /// When a date or time is out of what text can say.
    pub(crate) fn batch(self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().map(|column| match self.has(column.data_type()) {
            true => Ok(Arc::clone(column)),
            false => texts(column),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &options)
    }
}

/// The texts of a column's values.
pub(crate) fn texts(array: &dyn Array) -> Result<ArrayRef, ArrowError> {
    if *array.data_type() == DataType::Null {
        return Ok(Arc::new(StringArray::new_null(array.len())));
    }
    let column = Column::new(array, Style::Hive)?;
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut text = String::new();
    for row in 0..array.len() {
        if column.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        column.write(row, &mut text)?;
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::builder::{Float64Builder, ListBuilder, StringBuilder, StructBuilder};
    use arrow::array::cast::AsArray as _;
    use arrow::array::{Decimal128Array, TimestampMicrosecondArray};
    use arrow::datatypes::Fields;

    use super::*;

    fn text(array: &dyn Array) -> Vec<Option<String>> {
        let texts = texts(array).unwrap();
        texts
            .as_string::<i32>()
            .iter()
            .map(|text| text.map(str::to_owned))
            .collect()
    }

    #[test]
    fn times_are_those_of_their_zone_without_idle_digits() {
        let micros = [1_709_210_096_789_012, -14_182_939_500_000, 0];
        let zoned = TimestampMicrosecondArray::from_iter_values(micros);
        let there = zoned.clone().with_timezone("America/New_York");
        let expected = [
            "2024-02-29 07:34:56.789012",
            "1969-07-20 16:17:40.5",
            "1969-12-31 19:00:00",
        ];
        assert_eq!(text(&there), expected.map(|text| Some(text.to_owned())));
        let expected = [
            "2024-02-29 12:34:56.789012",
            "1969-07-20 20:17:40.5",
            "1970-01-01 00:00:00",
        ];
        assert_eq!(text(&zoned), expected.map(|text| Some(text.to_owned())));
    }

    #[test]
    fn complex_values_are_json_with_numbers_that_are_numbers() {
        let fields = Fields::from(vec![
            Field::new("x", DataType::Float64, true),
            Field::new("y", DataType::Utf8, true),
        ]);
        let mut list = ListBuilder::new(StructBuilder::from_fields(fields, 3));
        for (x, y) in [(Some(1.5), Some("it\"s")), (Some(f64::NAN), None)] {
            let fields = list.values();
            fields.field_builder::<Float64Builder>(0).unwrap().append_option(x);
            fields.field_builder::<StringBuilder>(1).unwrap().append_option(y);
            fields.append(true);
        }
        list.append(true);
        list.append_null();
        let expected = r#"[{"x":1.5,"y":"it\"s"},{"x":"NaN","y":null}]"#;
        assert_eq!(text(&list.finish()), [Some(expected.to_owned()), None]);
    }

    #[test]
    fn what_a_client_reads_is_not_touched() {
        let decimals = Decimal128Array::from(vec![Some(150), None])
            .with_precision_and_scale(5, 2)
            .unwrap();
        let schema = Schema::new(vec![Field::new("d", decimals.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(decimals)]).unwrap();
        let columns = crate::engine::types::column_infos(&schema);
        for (natives, expected) in [
            (
                Natives {
                    decimals: true,
                    ..Natives::default()
                },
                DataType::Decimal128(5, 2),
            ),
            (Natives::default(), DataType::Utf8),
        ] {
            let schema = natives.schema(&schema, &columns);
            assert_eq!(schema.field(0).data_type(), &expected);
            assert_eq!(schema.field(0).metadata()[SQL_NAME], "DECIMAL(5,2)");
            assert_eq!(natives.batch(&batch, &schema).unwrap().num_rows(), 2);
        }
        let array: ArrayRef = Arc::clone(batch.column(0));
        assert_eq!(text(&array), [Some("1.50".to_owned()), None]);
    }
}
