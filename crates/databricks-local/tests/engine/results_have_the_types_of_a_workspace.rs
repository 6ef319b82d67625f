//! The types that columns have, in the manifest and in Arrow.

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};

use crate::engine_support::{run, session, text};

fn list(element: DataType) -> DataType {
    DataType::List(Field::new_list_field(element, true).into())
}

fn map(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Field::new("entries", DataType::Struct(entries), false).into(), false)
}

#[tokio::test]
async fn every_sql_type_has_its_name_its_text_and_its_arrow_type() {
    let micros = TimeUnit::Microsecond;
    let pair = DataType::Struct(Fields::from(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Utf8, true),
    ]));
    let table = [
        ("BOOLEAN", "BOOLEAN", "BOOLEAN", DataType::Boolean),
        ("TINYINT", "BYTE", "TINYINT", DataType::Int8),
        ("SMALLINT", "SHORT", "SMALLINT", DataType::Int16),
        ("INT", "INT", "INT", DataType::Int32),
        ("BIGINT", "LONG", "BIGINT", DataType::Int64),
        ("FLOAT", "FLOAT", "FLOAT", DataType::Float32),
        ("DOUBLE", "DOUBLE", "DOUBLE", DataType::Float64),
        ("DECIMAL(12,3)", "DECIMAL", "DECIMAL(12,3)", DataType::Decimal128(12, 3)),
        ("DECIMAL", "DECIMAL", "DECIMAL(10,0)", DataType::Decimal128(10, 0)),
        ("STRING", "STRING", "STRING", DataType::Utf8),
        ("VARCHAR(5)", "STRING", "STRING", DataType::Utf8),
        ("BINARY", "BINARY", "BINARY", DataType::Binary),
        ("DATE", "DATE", "DATE", DataType::Date32),
        (
            "TIMESTAMP",
            "TIMESTAMP",
            "TIMESTAMP",
            DataType::Timestamp(micros, Some("Etc/UTC".into())),
        ),
        (
            "TIMESTAMP_NTZ",
            "TIMESTAMP_NTZ",
            "TIMESTAMP_NTZ",
            DataType::Timestamp(micros, None),
        ),
        (
            "INTERVAL YEAR TO MONTH",
            "INTERVAL",
            "INTERVAL YEAR TO MONTH",
            DataType::Interval(IntervalUnit::YearMonth),
        ),
        (
            "INTERVAL DAY TO SECOND",
            "INTERVAL",
            "INTERVAL DAY TO SECOND",
            DataType::Duration(micros),
        ),
        ("ARRAY<INT>", "ARRAY", "ARRAY<INT>", list(DataType::Int32)),
        (
            "MAP<STRING, ARRAY<INT>>",
            "MAP",
            "MAP<STRING, ARRAY<INT>>",
            map(DataType::Utf8, list(DataType::Int32)),
        ),
        (
            "STRUCT<a: BIGINT, b: STRING>",
            "STRUCT",
            "STRUCT<a: BIGINT, b: STRING>",
            pair,
        ),
    ];
    let session = session();
    for (sql, name, type_text, arrow) in table {
        let execution = session
            .execute(&format!("SELECT CAST(NULL AS {sql}) AS c"), &[])
            .await
            .unwrap();
        let column = &execution.columns[0];
        assert_eq!(column.type_name.as_deref(), Some(name), "{sql}");
        assert_eq!(column.type_text, type_text, "{sql}");
        assert_eq!(*execution.schema.field(0).data_type(), arrow, "{sql}");
        let DataType::Decimal128(precision, scale) = arrow else {
            assert_eq!((column.type_precision, column.type_scale), (None, None), "{sql}");
            continue;
        };
        assert_eq!(
            (column.type_precision, column.type_scale),
            (Some(precision.into()), Some(scale as u32)),
            "{sql}"
        );
    }
    let execution = session.execute("SELECT NULL AS c", &[]).await.unwrap();
    assert_eq!(
        (
            execution.columns[0].type_name.as_deref(),
            execution.columns[0].type_text.as_str()
        ),
        (Some("NULL"), "VOID")
    );
    assert_eq!(*execution.schema.field(0).data_type(), DataType::Null);
}

#[tokio::test]
async fn literals_have_the_types_of_spark() {
    let session = session();
    let answer = run(
        &session,
        "SELECT 1, 2147483648, 1.50, 1e300, 1L, 2S, 3Y, 1.5D, 2F, 2.5BD, 'a', \"b\", X'1F', true, DATE '2024-02-29', \
         TIMESTAMP_NTZ '2024-02-29 01:02:03', INTERVAL '90' DAY, INTERVAL '1 12:30:15.5' DAY TO SECOND, INTERVAL '1-6' YEAR TO MONTH",
    )
    .await;
    let types: Vec<&str> = answer
        .columns
        .iter()
        .map(|column| column.rsplit_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        types[..16],
        [
            "INT",
            "BIGINT",
            "DECIMAL(3,2)",
            "DOUBLE",
            "BIGINT",
            "SMALLINT",
            "TINYINT",
            "DOUBLE",
            "FLOAT",
            "DECIMAL(2,1)",
            "STRING",
            "STRING",
            "BINARY",
            "BOOLEAN",
            "DATE",
            "TIMESTAMP_NTZ"
        ]
    );
    assert_eq!(
        answer.rows,
        text(&[&[
            "1",
            "2147483648",
            "1.50",
            "1e300",
            "1",
            "2",
            "3",
            "1.5",
            "2.0",
            "2.5",
            "a",
            "b",
            "1f",
            "true",
            "2024-02-29",
            "2024-02-29T01:02:03",
            "PT7776000S",
            "PT131415.5S",
            "1 years 6 mons"
        ]])
    );
}

#[tokio::test]
async fn arithmetic_has_the_types_of_spark() {
    let session = session();
    for (sql, column, value) in [
        ("SELECT 7 / 2 AS x", "x DOUBLE", "3.5"),
        ("SELECT 7 DIV 2 AS x", "x BIGINT", "3"),
        ("SELECT 7 % 4 AS x", "x INT", "3"),
        ("SELECT 5.00 / 3 AS x", "x DECIMAL(7,6)", "1.666667"),
        ("SELECT -5.00 / 3 AS x", "x DECIMAL(7,6)", "-1.666667"),
        ("SELECT 1.10 + 1 AS x", "x DECIMAL(4,2)", "2.10"),
        ("SELECT '6' / 2 AS x", "x DOUBLE", "3.0"),
        ("SELECT 1 + 1 AS x", "x INT", "2"),
        ("SELECT 1 + 2147483648 AS x", "x BIGINT", "2147483649"),
        ("SELECT try_divide(1, 0) AS x", "x DOUBLE", "NULL"),
        ("SELECT DATE '2024-03-01' - INTERVAL 1 DAY AS x", "x DATE", "2024-02-29"),
        (
            "SELECT avg(CAST(id AS DECIMAL(18,2))) AS x FROM range(4)",
            "x DECIMAL(22,6)",
            "1.500000",
        ),
        ("SELECT sum(CAST(1 AS INT)) AS x FROM range(4)", "x BIGINT", "4"),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) AS x FROM r",
            "x BIGINT",
            "15",
        ),
        ("SELECT array(10, 20)[0] AS x", "x INT", "10"),
        ("SELECT map('k', 1)['k'] AS x", "x INT", "1"),
    ] {
        let answer = run(&session, sql).await;
        assert_eq!(
            (answer.columns[0].as_str(), answer.rows[0][0].as_str()),
            (column, value),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn samples_have_the_types_of_the_sample_catalog() {
    let session = session();
    let answer = run(&session, "SELECT * FROM samples.tpch.lineitem LIMIT 1").await;
    assert_eq!(
        answer.columns,
        [
            "l_orderkey BIGINT",
            "l_partkey BIGINT",
            "l_suppkey BIGINT",
            "l_linenumber INT",
            "l_quantity DECIMAL(18,2)",
            "l_extendedprice DECIMAL(18,2)",
            "l_discount DECIMAL(18,2)",
            "l_tax DECIMAL(18,2)",
            "l_returnflag STRING",
            "l_linestatus STRING",
            "l_shipdate DATE",
            "l_commitdate DATE",
            "l_receiptdate DATE",
            "l_shipinstruct STRING",
            "l_shipmode STRING",
            "l_comment STRING"
        ]
    );
    assert_eq!(answer.rows[0][0], "1", "a few rows are always the first ones");
}

#[tokio::test]
async fn a_timestamp_is_shown_in_the_zone_of_the_session() {
    let session = session();
    run(&session, "SET TIME ZONE 'Europe/Berlin'").await;
    let execution = session
        .execute("SELECT TIMESTAMP '2024-07-01 12:00:00' AS t, now() AS n", &[])
        .await
        .unwrap();
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Berlin".into()));
    assert_eq!(
        execution
            .schema
            .fields()
            .iter()
            .map(|field| field.data_type())
            .collect::<Vec<_>>(),
        [&zoned, &zoned]
    );
    let answer = run(
        &session,
        "SELECT CAST(TIMESTAMP '2024-07-01 12:00:00' AS BIGINT) AS micros",
    )
    .await;
    assert_eq!(answer.rows.len(), 1);
    let answer = run(&session, "SELECT TIMESTAMP '2024-07-01 12:00:00' AS t").await;
    assert_eq!(answer.rows, text(&[&["2024-07-01T12:00:00+02:00"]]));
}

#[tokio::test]
async fn a_table_made_of_literals_has_their_types() {
    let session = session();
    for (values, expected) in [
        ("(1)", "a INT"),
        ("(1), (NULL)", "a INT"),
        ("(-1), (1 + 1)", "a INT"),
        ("(1), (3000000000)", "a BIGINT"),
        ("(1 + 1), (3000000000)", "a BIGINT"),
        ("(1), (1L)", "a BIGINT"),
        ("(array(1)), (array(2))", "a ARRAY<INT>"),
        ("(CAST(1 AS SMALLINT))", "a SMALLINT"),
    ] {
        run(
            &session,
            &format!("CREATE OR REPLACE TABLE t AS SELECT * FROM VALUES {values} AS v(a)"),
        )
        .await;
        let made = run(&session, "SELECT * FROM t").await.columns;
        assert_eq!(made, [expected], "{values}");
        let selected = run(&session, &format!("SELECT * FROM VALUES {values} AS v(a)"))
            .await
            .columns;
        assert_eq!(selected, made, "{values}");
    }
}
