//! Bulk ingest: every mode, both ways, every type, and the statuses that ADBC prescribes.

use std::sync::Arc;

use adbc_core::error::Status;
use adbc_core::{Connection as _, Optionable as _, Statement as _};
use adbc_databricks::Connection;
use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int8Type, Schema};
use conformance::{connect_with, ingest, query, reader, scalar, start, was_staged_and_cleared};
use databricks_local::Workspace;

const VOLUME: &str = "/Volumes/main/default/staging";
const METHODS: [&str; 2] = ["volume", "insert"];
const MODE: &str = "adbc.ingest.mode";
const APPEND: (&str, &str) = (MODE, "adbc.ingest.mode.append");
const REPLACE: (&str, &str) = (MODE, "adbc.ingest.mode.replace");
const CREATE_APPEND: (&str, &str) = (MODE, "adbc.ingest.mode.create_append");

fn with_volume(method: &str) -> (Workspace, Connection) {
    let workspace = start(|builder| builder);
    let options = [
        ("databricks.ingest.staging_volume", VOLUME),
        ("databricks.ingest.method", method),
    ];
    let mut connection = connect_with(&workspace, &options).unwrap();
    query(&mut connection, "CREATE VOLUME main.default.staging").unwrap();
    (workspace, connection)
}

fn numbers(values: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    let schema = Schema::new(vec![Field::new("Id`s", DataType::Int64, false)]);
    RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap()
}

fn sum(connection: &mut Connection, table: &str) -> String {
    scalar(
        connection,
        &format!("SELECT concat(count(*), '/', sum(`Id``s`)) FROM {table}"),
    )
}

#[test]
fn each_mode_does_what_it_says_and_fails_as_adbc_says() {
    for method in METHODS {
        let (workspace, mut connection) = with_volume(method);
        let table = "odd `name";
        let quoted = "`odd ``name`";
        let mut put = |options: &[(&str, &str)], values: &[i64]| {
            let batches = vec![numbers(values)];
            ingest(&mut connection, table, options, reader(batches)).map_err(|error| error.status)
        };
        assert_eq!(put(&[APPEND], &[1]), Err(Status::NotFound), "{method}");
        assert_eq!(put(&[], &[1, 2]), Ok(Some(2)), "{method}");
        assert_eq!(put(&[], &[1]), Err(Status::AlreadyExists), "{method}");
        assert_eq!(put(&[APPEND], &[3]), Ok(Some(1)), "{method}");
        assert_eq!(put(&[CREATE_APPEND], &[4]), Ok(Some(1)), "{method}");
        assert_eq!(sum(&mut connection, quoted), "4/10");
        let mut put = |table, options: &[(&str, &str)], values: &[i64]| {
            ingest(&mut connection, table, options, reader(vec![numbers(values)])).map_err(|error| error.status)
        };
        assert_eq!(put(table, &[REPLACE], &[7]), Ok(Some(1)), "{method}");
        assert_eq!(put("fresh", &[CREATE_APPEND], &[5]), Ok(Some(1)), "{method}");
        assert_eq!(put("fresher", &[REPLACE], &[6]), Ok(Some(1)), "{method}");
        for (table, expected) in [(quoted, "1/7"), ("fresh", "1/5"), ("fresher", "1/6")] {
            assert_eq!(sum(&mut connection, table), expected);
            // The field is not nullable, so the column is not.
            let refused = query(&mut connection, &format!("INSERT INTO {table} VALUES (NULL)")).unwrap_err();
            assert_eq!(refused.status, Status::Integrity, "{method} {table}");
        }
        // Nothing is left beside the tables, nor in the volume.
        let left = query(&mut connection, "SHOW TABLES").unwrap();
        assert_eq!(left.num_rows(), 3, "{method}: {left:?}");
        if method == "volume" {
            assert!(was_staged_and_cleared(&workspace, VOLUME));
        }
    }
}

#[test]
fn data_that_does_not_fit_the_table_is_refused_before_anything_is_sent() {
    for method in METHODS {
        let (_workspace, mut connection) = with_volume(method);
        query(&mut connection, "CREATE TABLE t (a BIGINT, b STRING)").unwrap();
        let mut put = |name: &str, column: ArrayRef, options: &[(&str, &str)]| {
            let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
            ingest(&mut connection, "t", options, reader(vec![batch])).map_err(|error| error.status)
        };
        let int: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert_eq!(put("c", Arc::clone(&int), &[APPEND]), Err(Status::AlreadyExists));
        assert_eq!(put("b", Arc::clone(&int), &[CREATE_APPEND]), Err(Status::AlreadyExists));
        assert_eq!(
            put("A", int, &[APPEND]),
            Ok(Some(1)),
            "fewer columns and a narrower number fit"
        );
        let time: ArrayRef = Arc::new(Time32SecondArray::from(vec![1]));
        assert_eq!(put("a", time, &[APPEND]), Err(Status::NotImplemented));
        assert_eq!(
            scalar(&mut connection, "SELECT concat(count(*), '/', count(b)) FROM t"),
            "1/0"
        );
    }
}

#[test]
fn temporary_tables_take_rows_in_every_mode_and_other_connections_do_not_see_them() {
    const TEMPORARY: (&str, &str) = ("adbc.ingest.temporary", "true");
    for method in METHODS {
        let (workspace, mut connection) = with_volume(method);
        let mut other = connect_with(&workspace, &[]).unwrap();
        ingest(&mut connection, "t", &[], reader(vec![numbers(&[100])])).unwrap();
        let mut put = |options: &[(&str, &str)], values: &[i64]| {
            let options = [options, &[TEMPORARY]].concat();
            ingest(&mut connection, "own", &options, reader(vec![numbers(values)])).map_err(|error| error.status)
        };
        assert_eq!(put(&[APPEND], &[1]), Err(Status::NotFound), "{method}");
        assert_eq!(put(&[], &[1, 2]), Ok(Some(2)), "{method}");
        assert_eq!(put(&[], &[1]), Err(Status::AlreadyExists), "{method}");
        assert_eq!(put(&[APPEND], &[3]), Ok(Some(1)), "{method}");
        assert_eq!(put(&[CREATE_APPEND], &[4]), Ok(Some(1)), "{method}");
        assert_eq!(sum(&mut connection, "own"), "4/10");
        let mut put = |table, options: &[(&str, &str)], values: &[i64]| {
            let options = [options, &[TEMPORARY]].concat();
            ingest(&mut connection, table, &options, reader(vec![numbers(values)])).map_err(|error| error.status)
        };
        assert_eq!(put("own", &[REPLACE], &[7]), Ok(Some(1)), "{method}");
        assert_eq!(put("fresh", &[REPLACE], &[8]), Ok(Some(1)), "{method}");
        assert_eq!(put("fresher", &[CREATE_APPEND], &[]), Ok(Some(0)), "{method}");
        // A lasting table of the same name is in nobody's way, and stays as it was.
        assert_eq!(put("t", &[], &[9]), Ok(Some(1)), "{method}");
        for (table, expected) in [("own", "1/7"), ("fresh", "1/8"), ("t", "1/9"), ("default.t", "1/100")] {
            assert_eq!(sum(&mut connection, table), expected, "{method} {table}");
        }
        assert_eq!(sum(&mut other, "t"), "1/100", "{method}");
        let missing = query(&mut other, "SELECT * FROM own").unwrap_err();
        assert_eq!(missing.status, Status::NotFound, "{method}");
        ingest(&mut other, "own", &[TEMPORARY], reader(vec![numbers(&[5])])).unwrap();
        assert_eq!(sum(&mut other, "own"), "1/5", "{method}");
        // Nothing is left beside the tables.
        let left = query(&mut connection, "SHOW TABLES").unwrap();
        assert_eq!(left.num_rows(), 5, "{method}: {left:?}");
        drop(connection);
        assert_eq!(query(&mut other, "SHOW TABLES").unwrap().num_rows(), 2, "{method}");
    }
}

#[test]
fn without_rows_there_is_a_table_and_without_anything_bound_an_invalid_state() {
    for method in METHODS {
        let (_workspace, mut connection) = with_volume(method);
        let empty = || reader(vec![numbers(&[]), numbers(&[])]);
        assert_eq!(ingest(&mut connection, "t", &[], empty()).unwrap(), Some(0));
        assert_eq!(scalar(&mut connection, "SELECT count(`Id``s`) FROM t"), "0");
        ingest(&mut connection, "t", &[APPEND], reader(vec![numbers(&[1])])).unwrap();
        assert_eq!(ingest(&mut connection, "t", &[REPLACE], empty()).unwrap(), Some(0));
        assert_eq!(scalar(&mut connection, "SELECT count(*) FROM t"), "0");
        let mut statement = connection.new_statement().unwrap();
        statement
            .set_option("adbc.ingest.target_table".into(), "u".into())
            .unwrap();
        assert_eq!(statement.execute_update().unwrap_err().status, Status::InvalidState);
        // The same statement goes on with plain SQL.
        statement.set_sql_query("SELECT 1").unwrap();
        assert_eq!(statement.execute().unwrap().count(), 1);
        statement
            .set_option("adbc.ingest.target_table".into(), "u".into())
            .unwrap();
        statement
            .set_option("adbc.ingest.temporary".into(), "true".into())
            .unwrap();
        statement
            .set_option("adbc.ingest.target_db_schema".into(), "default".into())
            .unwrap();
        statement.bind(numbers(&[1])).unwrap();
        assert_eq!(statement.execute_update().unwrap_err().status, Status::InvalidState);
    }
}

#[test]
fn catalog_and_schema_lead_to_the_table() {
    let (_workspace, mut connection) = with_volume("insert");
    query(&mut connection, "CREATE SCHEMA other").unwrap();
    let place = [
        ("adbc.ingest.target_catalog", "main"),
        ("adbc.ingest.target_db_schema", "other"),
    ];
    ingest(&mut connection, "t", &place, reader(vec![numbers(&[1])])).unwrap();
    ingest(&mut connection, "u", &place[..1], reader(vec![numbers(&[2])])).unwrap();
    ingest(&mut connection, "v", &place[1..], reader(vec![numbers(&[3])])).unwrap();
    for (table, expected) in [
        ("main.other.t", "1/1"),
        ("main.default.u", "1/2"),
        ("main.other.v", "1/3"),
    ] {
        assert_eq!(sum(&mut connection, table), expected);
    }
}

/// One column of every flat type, with a NULL in each.
fn flat() -> RecordBatch {
    let dictionary: DictionaryArray<Int8Type> = vec![Some("x"), None].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("nothing", Arc::new(NullArray::new(2))),
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("int8", Arc::new(Int8Array::from(vec![Some(i8::MIN), None]))),
        ("int16", Arc::new(Int16Array::from(vec![Some(i16::MIN), None]))),
        ("int32", Arc::new(Int32Array::from(vec![Some(i32::MIN), None]))),
        ("int64", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
        ("uint8", Arc::new(UInt8Array::from(vec![Some(u8::MAX), None]))),
        ("uint16", Arc::new(UInt16Array::from(vec![Some(u16::MAX), None]))),
        ("uint32", Arc::new(UInt32Array::from(vec![Some(u32::MAX), None]))),
        ("uint64", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("float", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
        (
            "double",
            Arc::new(Float64Array::from(vec![Some(f64::MIN_POSITIVE), None])),
        ),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![Some(-12_345), None])
                    .with_precision_and_scale(38, 10)
                    .unwrap(),
            ),
        ),
        (
            "text",
            Arc::new(StringArray::from(vec![Some("it's \\ \"ü\"\n;--"), None])),
        ),
        ("large", Arc::new(LargeStringArray::from(vec![Some(""), None]))),
        ("view", Arc::new(StringViewArray::from(vec![Some("v"), None]))),
        ("dictionary", Arc::new(dictionary)),
        ("binary", Arc::new(BinaryArray::from(vec![Some(&[0, 0xff][..]), None]))),
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        (
            "ntz",
            Arc::new(TimestampNanosecondArray::from(vec![Some(1_500_000_000), None])),
        ),
        (
            "tz",
            Arc::new(TimestampMillisecondArray::from(vec![Some(1_500), None]).with_timezone("+02:00")),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

const FLAT_TYPES: &str = "STRING BOOLEAN TINYINT SMALLINT INT BIGINT SMALLINT INT BIGINT DECIMAL(20,0) FLOAT DOUBLE DECIMAL(38,10) STRING \
                          STRING STRING STRING BINARY DATE TIMESTAMP_NTZ TIMESTAMP";

#[test]
fn every_flat_type_arrives_as_it_was() {
    for method in METHODS {
        let (_workspace, mut connection) = with_volume(method);
        for options in [&[][..], &[REPLACE][..]] {
            let rows = ingest(&mut connection, "t", options, reader(vec![flat()]));
            assert_eq!(rows.unwrap(), Some(2));
            let columns = query(&mut connection, "DESCRIBE TABLE t").unwrap();
            let types: Vec<&str> = columns.column(1).as_string::<i32>().iter().flatten().collect();
            assert_eq!(types.join(" ").to_uppercase(), FLAT_TYPES, "{method}");
            let back = query(&mut connection, "SELECT * FROM t ORDER BY boolean NULLS LAST").unwrap();
            for (index, sent) in flat().columns().iter().enumerate() {
                let came = back.column(index);
                let sent = arrow::compute::cast(sent, came.data_type()).unwrap();
                assert_eq!(&sent, came, "{method} {}", flat().schema().field(index).name());
            }
        }
    }
}

#[test]
fn nanoseconds_inside_nested_values_are_cut_to_the_microsecond_that_they_are_in() {
    // One before 1970 by less than a microsecond, where a cast would round up.
    let nanos = || TimestampNanosecondArray::from(vec![-1, 1999]);
    let item = || Arc::new(Field::new("item", nanos().data_type().clone(), true));
    let offsets = || OffsetBuffer::<i32>::from_lengths([1, 1]);
    let list = ListArray::new(item(), offsets(), Arc::new(nanos()), None);
    let wide = LargeListArray::new(item(), OffsetBuffer::from_lengths([1, 1]), Arc::new(nanos()), None);
    let fixed = FixedSizeListArray::new(item(), 1, Arc::new(nanos()), None);
    let dates: ArrayRef = Arc::new(Date64Array::from(vec![-1, 86_400_000]));
    let structs = StructArray::from(vec![
        (
            Arc::new(Field::new("l", list.data_type().clone(), true)),
            Arc::new(list.clone()) as ArrayRef,
        ),
        (Arc::new(Field::new("d", DataType::Date64, true)), dates),
    ]);
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["k", "k"]));
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("keys", DataType::Utf8, false)), keys),
        (
            Arc::new(Field::new("values", nanos().data_type().clone(), true)),
            Arc::new(nanos()) as ArrayRef,
        ),
    ]);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(field, offsets(), entries, None, false);
    let batch = RecordBatch::try_from_iter([
        ("n", Arc::new(nanos()) as ArrayRef),
        ("l", Arc::new(list)),
        ("w", Arc::new(wide)),
        ("f", Arc::new(fixed)),
        ("s", Arc::new(structs)),
        ("m", Arc::new(map)),
    ])
    .unwrap();
    let (_workspace, mut connection) = with_volume("auto");
    // Of a part of a batch only that part arrives.
    for batch in [batch.slice(0, 1), batch.slice(1, 1)] {
        ingest(&mut connection, "t", &[CREATE_APPEND], reader(vec![batch])).unwrap();
    }
    let all = "SELECT concat_ws(' ', CAST(n AS STRING), size(l), CAST(l[0] AS STRING), CAST(w[0] AS STRING), CAST(f[0] AS STRING), \
               CAST(s.l[0] AS STRING), CAST(s.d AS STRING), CAST(m['k'] AS STRING)) FROM t ORDER BY n";
    let back = query(&mut connection, all).unwrap();
    let back = back.column(0).as_string::<i32>().iter().flatten();
    // How a time is written is no matter here.
    let back: Vec<String> = back.map(|row| row.replace('T', " ")).collect();
    let expected = |time: &str, date: &str| format!("{time} 1 {time} {time} {time} {time} {date} {time}");
    assert_eq!(
        back,
        [
            expected("1969-12-31 23:59:59.999999", "1969-12-31"),
            expected("1970-01-01 00:00:00.000001", "1970-01-02")
        ]
    );
}

#[test]
fn nested_types_go_by_the_volume_and_are_refused_without() {
    let list = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>(vec![
        Some(vec![Some(1), None]),
        Some(vec![]),
        None,
    ]);
    let inner: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let structs = StructArray::from(vec![(Arc::new(Field::new("s", DataType::Utf8, true)), inner)]);
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("key", DataType::Utf8, false)),
            Arc::new(StringArray::from(vec!["k"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("value", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![7])) as ArrayRef,
        ),
    ]);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(field, OffsetBuffer::new(vec![0, 1, 1, 1].into()), entries, None, false);
    let batch = RecordBatch::try_from_iter([
        ("l", Arc::new(list) as ArrayRef),
        ("s", Arc::new(structs) as ArrayRef),
        ("m", Arc::new(map) as ArrayRef),
    ])
    .unwrap();
    let (_workspace, mut connection) = with_volume("auto");
    assert_eq!(
        ingest(&mut connection, "t", &[], reader(vec![batch.clone()])).unwrap(),
        Some(3)
    );
    let back = query(&mut connection, "SELECT * FROM t").unwrap();
    let text = |batch: &RecordBatch| {
        arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch))
            .unwrap()
            .to_string()
    };
    assert_eq!(text(&back), text(&batch));
    let error = ingest(
        &mut connection,
        "u",
        &[("databricks.ingest.method", "insert")],
        reader(vec![batch]),
    )
    .unwrap_err();
    assert_eq!(error.status, Status::NotImplemented);
    assert!(
        error.message.contains("'l'") && error.message.contains("staging_volume"),
        "{error}"
    );
}
