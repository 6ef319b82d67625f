//! Cells as text: the `JSON_ARRAY` and `CSV` formats, and what Thrift's clients get of types that they do not read.
//!
//! In the statement API every cell that is not NULL is a string, also numbers and booleans. Complex values are JSON inside
//! the string, and their leaves are strings again. [`Style`] says what is different in Thrift.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;

use text::{push_csv, push_json_string};

mod column;
mod text;

pub(super) use column::{Column, Style};

/// Rows as JSON arrays of cells, with or without the brackets of the array around them.
pub(crate) fn json(batches: &[RecordBatch], brackets: bool) -> Result<Vec<u8>, ArrowError> {
    let mut out = String::new();
    let mut text = String::new();
    if brackets {
        out.push('[');
    }
    let mut is_first = true;
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|c| Column::new(c.as_ref(), Style::Statement))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            out.push_str(if is_first { "[" } else { ",[" });
            is_first = false;
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                if column.is_null(row) {
                    out.push_str("null");
                } else {
                    text.clear();
                    column.write(row, &mut text)?;
                    push_json_string(&mut out, &text);
                }
            }
            out.push(']');
        }
    }
    if brackets {
        out.push(']');
    }
    Ok(out.into_bytes())
}

/// Rows as comma-separated values, after the names if there is a schema. NULL is `null`.
pub(crate) fn csv(names: Option<&Schema>, batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut out = String::new();
    let mut text = String::new();
    if let Some(schema) = names {
        for (place, field) in schema.fields().iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            push_csv(&mut out, field.name());
        }
        out.push_str("\r\n");
    }
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|c| Column::new(c.as_ref(), Style::Statement))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                if column.is_null(row) {
                    out.push_str("null");
                } else {
                    text.clear();
                    column.write(row, &mut text)?;
                    push_csv(&mut out, &text);
                }
            }
            out.push_str("\r\n");
        }
    }
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow::array::*;
    use arrow::datatypes::{DataType, Field, Fields};

    use super::*;

    fn rendered(array: ArrayRef) -> serde_json::Value {
        let schema = Arc::new(Schema::new(vec![Field::new("a", array.data_type().clone(), true)]));
        let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
        let rows: Vec<Vec<serde_json::Value>> = serde_json::from_slice(&json(&[batch], true).unwrap()).unwrap();
        rows.into_iter().flatten().collect()
    }

    #[test]
    fn floats_look_as_on_the_jvm() {
        let values = [
            1.0,
            -0.5,
            1e7,
            1234567.0,
            0.001,
            0.0001,
            1.5e300,
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            -f64::INFINITY,
        ];
        assert_eq!(
            rendered(Arc::new(Float64Array::from_iter_values(values))),
            serde_json::json!([
                "1.0",
                "-0.5",
                "1.0E7",
                "1234567.0",
                "0.001",
                "1.0E-4",
                "1.5E300",
                "0.0",
                "-0.0",
                "NaN",
                "Infinity",
                "-Infinity"
            ])
        );
        assert_eq!(
            rendered(Arc::new(Float32Array::from_iter_values([0.1]))),
            serde_json::json!(["0.1"])
        );
    }

    #[test]
    fn scalars_are_strings_and_nulls_are_null() {
        let decimal = Decimal128Array::from(vec![Some(31400), Some(-5), None])
            .with_precision_and_scale(10, 4)
            .unwrap();
        assert_eq!(
            rendered(Arc::new(decimal)),
            serde_json::json!(["3.1400", "-0.0005", null])
        );
        assert_eq!(
            rendered(Arc::new(BooleanArray::from(vec![true]))),
            serde_json::json!(["true"])
        );
        assert_eq!(
            rendered(Arc::new(Int64Array::from(vec![i64::MIN]))),
            serde_json::json!(["-9223372036854775808"])
        );
        assert_eq!(
            rendered(Arc::new(BinaryArray::from_vec(vec![b"\x00\xff"]))),
            serde_json::json!(["AP8="])
        );
        assert_eq!(rendered(Arc::new(NullArray::new(1))), serde_json::json!([null]));
        assert_eq!(
            rendered(Arc::new(StringArray::from(vec!["a\"\\\n\u{1}é"]))),
            serde_json::json!(["a\"\\\n\u{1}é"])
        );
    }

    #[test]
    fn dates_and_times_are_iso() {
        assert_eq!(
            rendered(Arc::new(Date32Array::from(vec![0, -719_162, 20_671]))),
            serde_json::json!(["1970-01-01", "0001-01-01", "2026-08-06"])
        );
        let at = 1_786_019_696_000_000;
        let zoned = TimestampMicrosecondArray::from(vec![at, at + 1]).with_timezone("UTC");
        assert_eq!(
            rendered(Arc::new(zoned)),
            serde_json::json!(["2026-08-06T12:34:56.000Z", "2026-08-06T12:34:56.000001Z"])
        );
        assert_eq!(
            rendered(Arc::new(TimestampMicrosecondArray::from(vec![at]))),
            serde_json::json!(["2026-08-06T12:34:56.000"])
        );
        assert_eq!(
            rendered(Arc::new(IntervalYearMonthArray::from(vec![30, -1]))),
            serde_json::json!(["2-6", "-0-1"])
        );
        assert_eq!(
            rendered(Arc::new(DurationMicrosecondArray::from(vec![304_215_000_000]))),
            serde_json::json!(["3 12:30:15.000000000"])
        );
    }

    #[test]
    fn complex_values_are_json_with_string_leaves() {
        let mut list = ListBuilder::new(Int64Builder::new());
        list.append_value([Some(1), None]);
        list.append_value([Some(2)]);
        let list: ArrayRef = Arc::new(list.finish());
        assert_eq!(rendered(Arc::clone(&list).slice(1, 1)), serde_json::json!([r#"["2"]"#]));
        assert_eq!(
            rendered(Arc::clone(&list)),
            serde_json::json!([r#"["1",null]"#, r#"["2"]"#])
        );

        let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        map.keys().append_value("k\"");
        map.values().append_value(7);
        map.append(true).unwrap();
        assert_eq!(rendered(Arc::new(map.finish())), serde_json::json!([r#"{"k\"":"7"}"#]));

        let fields = Fields::from(vec![
            Field::new("l", list.data_type().clone(), true),
            Field::new("b", DataType::Boolean, true),
        ]);
        let structs = StructArray::new(
            fields,
            vec![list, Arc::new(BooleanArray::from(vec![None, Some(true)]))],
            None,
        );
        assert_eq!(
            rendered(Arc::new(structs)),
            serde_json::json!([r#"{"l":["1",null],"b":null}"#, r#"{"l":["2"],"b":"true"}"#])
        );
    }

    #[test]
    fn csv_quotes_what_it_must() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a,b", DataType::Utf8, true),
            Field::new("c", DataType::Int64, true),
        ]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some("x\"y"), None])),
            Arc::new(Int64Array::from(vec![1, 2])),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        assert_eq!(
            String::from_utf8(csv(Some(&schema), &[batch]).unwrap()).unwrap(),
            "\"a,b\",c\r\n\"x\"\"y\",1\r\nnull,2\r\n"
        );
    }
}
