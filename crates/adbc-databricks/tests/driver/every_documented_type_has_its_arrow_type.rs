//! A manifest with every type, written from the public documentation, and what becomes of it: with rows as JSON, and without rows.

use std::sync::Arc;

use adbc_core::sync::Statement as _;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, Field, Fields, IntervalUnit, SchemaRef, TimeUnit};
use serde_json::{Value, json};

use crate::support::{Server, ok, statement};

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/every_type.json")).unwrap()
}

fn fetch(answer: Value) -> (SchemaRef, Vec<RecordBatch>) {
    let server = Server::start(move |request, _| request.is_execute().then(|| ok(answer.clone())));
    let reader = statement(&mut server.connect(), "SELECT 1").execute().unwrap();
    (reader.schema(), reader.collect::<Result<_, _>>().unwrap())
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", item, true)))
}

fn expected() -> Vec<(&'static str, DataType, &'static str)> {
    let micros = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Decimal128(3, 1), true),
    ]);
    let record = Fields::from(vec![
        Field::new("a", DataType::Int64, false),
        Field::new("b", list(DataType::Utf8), true),
    ]);
    vec![
        ("b", DataType::Boolean, "true"),
        ("i8", DataType::Int8, "-1"),
        ("i16", DataType::Int16, "2"),
        ("i32", DataType::Int32, "3"),
        ("i64", DataType::Int64, "4"),
        ("f32", DataType::Float32, "1.5"),
        ("f64", DataType::Float64, "-inf"),
        ("d", DataType::Decimal128(10, 2), "3.10"),
        ("s", DataType::Utf8, "x"),
        ("vc", DataType::Utf8, "y"),
        ("c", DataType::Utf8, "z  "),
        ("bin", DataType::Binary, "00ff"),
        ("day", DataType::Date32, "2026-11-21"),
        ("at", micros(Some("Etc/UTC")), ""),
        ("ntz", micros(None), "2026-11-21T12:00:00"),
        ("ym", DataType::Interval(IntervalUnit::YearMonth), "2 years 6 mons"),
        ("dt", DataType::Duration(TimeUnit::Microsecond), "PT304215S"),
        ("list", list(DataType::Int32), "[1, ]"),
        (
            "pairs",
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false),
            "{k: 1.5}",
        ),
        ("record", DataType::Struct(record), "{a: 7, b: [x]}"),
        ("nothing", DataType::Null, ""),
        ("v", DataType::Utf8, r#"{"a":1}"#),
        ("geog", DataType::Utf8, "POINT(1 2)"),
        ("geom", DataType::Utf8, "POINT(1 2)"),
        ("any", DataType::Utf8, "SRID=3857;POINT(1 2)"),
        ("udt", DataType::Utf8, "(1,2)"),
    ]
}

#[test]
fn with_rows_and_without() {
    let (schema, batches) = fetch(golden());
    let mut empty = golden();
    empty["manifest"]["format"] = json!("ARROW_STREAM");
    for count in ["total_chunk_count", "total_row_count"] {
        empty["manifest"][count] = json!(0);
    }
    empty["manifest"]["chunks"] = json!([]);
    empty["result"] = json!({});
    let (without_rows, none) = fetch(empty);
    assert_eq!((schema.as_ref(), none.len()), (without_rows.as_ref(), 0));

    let expected = expected();
    assert_eq!(schema.fields().len(), expected.len());
    for (column, (name, data_type, text)) in expected.iter().enumerate() {
        let field = schema.field(column);
        assert_eq!((field.name().as_str(), field.data_type()), (*name, data_type));
        assert!(field.is_nullable());
        let array = batches[0].column(column);
        // The text of an instant needs a time zone database.
        if *name != "at" {
            assert_eq!(array_value_to_string(array, 0).unwrap(), *text, "{name}");
        }
        assert!(array.is_null(1) || *data_type == DataType::Null, "{name}");
    }
}

#[test]
fn fields_say_what_they_were() {
    let (schema, _) = fetch(golden());
    let metadata = |name: &str, key: &str| schema.field_with_name(name).unwrap().metadata().get(key).cloned();
    for (field, column) in schema
        .fields()
        .iter()
        .zip(golden()["manifest"]["schema"]["columns"].as_array().unwrap())
    {
        for key in ["DATABRICKS:type", "databricks.type_text", "Spark:DataType:SqlName"] {
            assert_eq!(field.metadata()[key], column["type_text"].as_str().unwrap());
        }
        assert_eq!(
            field.metadata()["databricks.type_name"],
            column["type_name"].as_str().unwrap()
        );
    }
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(metadata("d", "databricks.type_precision"), text("10"));
    assert_eq!(metadata("d", "databricks.type_scale"), text("2"));
    assert_eq!(metadata("ym", "databricks.type_interval_type"), text("YEAR TO MONTH"));
    let extension = |name: &str| {
        let [name, described] = ["ARROW:extension:name", "ARROW:extension:metadata"].map(|key| metadata(name, key));
        Some((name?, described?))
    };
    let pair = |name: &str, described: &str| Some((name.to_owned(), described.to_owned()));
    assert_eq!(extension("v"), pair("arrow.json", ""));
    let crs = r#"{"crs":"EPSG:4326","crs_type":"authority_code","edges":"spherical"}"#;
    assert_eq!(extension("geog"), pair("geoarrow.wkt", crs));
    assert_eq!(extension("geom"), pair("geoarrow.wkt", "{}"));
    assert_eq!((extension("any"), extension("s")), (None, None));
}

#[test]
fn a_family_without_its_text_is_enough() {
    let mut answer = golden();
    let columns = answer["manifest"]["schema"]["columns"].as_array_mut().unwrap();
    columns.truncate(17);
    for column in columns.iter_mut() {
        column["type_text"] = json!("");
    }
    for row in answer["result"]["data_array"].as_array_mut().unwrap() {
        row.as_array_mut().unwrap().truncate(17);
    }
    let (schema, batches) = fetch(answer);
    for (field, (name, data_type, _)) in schema.fields().iter().zip(expected()) {
        assert_eq!(field.data_type(), &data_type, "{name}");
    }
    assert_eq!(batches[0].num_rows(), 2);
}
