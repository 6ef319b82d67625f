use arrow::array::RecordBatch;
use serde_json::json;

use crate::client::{self, Client, builder};
use crate::thrift::{Thrift, Value, all_native, direct, fields, text};

const TYPES: &str = "SELECT TRUE AS bool, CAST(-128 AS TINYINT) AS tiny, CAST(1.5 AS FLOAT) AS f, 1e300 AS d, \
    CAST('12345678901234567890.0123456789' AS DECIMAL(38,10)) AS exact, 'Größe 🦀' AS t, X'00ff10' AS bin, \
    DATE'1969-07-20' AS day, TIMESTAMP'2024-02-29 12:34:56.789012' AS ts, TIMESTAMP_NTZ'1969-07-20 20:17:40.5' AS ntz, \
    ARRAY(1, NULL) AS list, MAP('a', 1) AS map, NAMED_STRUCT('x', 1, 'y', 'z') AS struct, \
    INTERVAL '1-2' YEAR TO MONTH AS months, INTERVAL '1 02:03:04' DAY TO SECOND AS days, NULL AS nothing, \
    CAST(NULL AS INT) AS no_int";

/// The rows of a statement over the statement API, as Arrow.
async fn by_statement_api(client: &Client, sql: &str) -> Vec<RecordBatch> {
    let members = json!({ "format": "ARROW_STREAM", "disposition": "EXTERNAL_LINKS" });
    let result = client.succeed(sql, members).await;
    let chunks = client.chunks(&result).await;
    chunks.iter().flat_map(|chunk| client::batches(chunk)).collect()
}

#[tokio::test]
async fn the_same_values_of_the_same_types() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    for sql in [
        TYPES,
        "SELECT * FROM samples.tpch.nation ORDER BY n_nationkey",
        "SHOW CATALOGS",
    ] {
        let expected = by_statement_api(&thrift.client, sql).await;
        for lz4 in [false, true] {
            let found = thrift.rows(sql, [all_native(), (1284, Value::Bool(lz4))]).await;
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.columns(), expected.columns());
                let types = |batch: &RecordBatch| -> Vec<_> {
                    let schema = batch.schema();
                    schema
                        .fields()
                        .iter()
                        .map(|field| (field.name().clone(), field.data_type().clone()))
                        .collect()
                };
                assert_eq!(types(found), types(expected));
            }
        }
    }
}

#[tokio::test]
async fn the_same_errors_with_the_same_sqlstates() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    for sql in [
        "SELEC 1",
        "SELECT * FROM samples.tpch.nope",
        "SELECT n_nationkey / 0 FROM samples.tpch.nation",
        "SELECT :unbound",
    ] {
        let expected = thrift.client.execute(sql, json!({ "wait_timeout": "50s" })).await.body["status"].clone();
        let operation = thrift.execute(sql, []).await.at(&[2]).clone();
        let status = thrift.ended(&operation).await;
        assert_eq!(status.at(&[2]), &Value::I32(5), "{sql}");
        assert_eq!(status.at(&[3]).str(), expected["sql_state"]);
        assert_eq!(status.at(&[5]).str(), expected["error"]["message"]);
        assert_eq!(status.at(&[1281]).str(), expected["error"]["message"]);
        let fetched = thrift.call("FetchResults", fields([(1, operation)])).await;
        assert_eq!(fetched.at(&[1, 1]), &Value::I32(3));
        assert_eq!(fetched.at(&[1, 3]).str(), expected["sql_state"]);
    }
}

#[tokio::test]
async fn parameters_are_named_or_by_place() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let parameter = |name: Option<&str>, kind: &str, value: Option<Value>| {
        let mut parameter = fields([(3, text(kind))]);
        let Value::Struct(members) = &mut parameter else {
            unreachable!()
        };
        members.extend(name.map(|name| (2, text(name))));
        // Some clients put a flag where the ordinal belongs.
        members.insert(1, Value::I32(1));
        members.extend(value.map(|value| (4, value)));
        parameter
    };
    let string = |value: &str| Some(fields([(1, text(value))]));
    let named = vec![
        parameter(Some("i"), "INT", string("7")),
        parameter(Some("t"), "STRING", string("it's")),
        parameter(Some("n"), "DOUBLE", None),
        parameter(Some("d"), "DOUBLE", Some(fields([(2, Value::Double(1.5))]))),
        parameter(Some("b"), "BOOLEAN", Some(fields([(3, Value::Bool(false))]))),
    ];
    let rows = thrift
        .rows("SELECT :i, :t, :n, :d, :b", [(1288, Value::List(named)), all_native()])
        .await;
    let expected = by_statement_api(
        &thrift.client,
        "SELECT 7, 'it''s', CAST(NULL AS DOUBLE), CAST(1.5 AS DOUBLE), FALSE",
    )
    .await;
    assert_eq!(rows[0].columns(), expected[0].columns());
    let by_place = vec![parameter(None, "INT", string("1")), parameter(None, "INT", string("2"))];
    let rows = thrift.rows("SELECT ?, ?", [(1288, Value::List(by_place))]).await;
    assert_eq!(
        rows[0].columns(),
        by_statement_api(&thrift.client, "SELECT 1, 2").await[0].columns()
    );
}

#[tokio::test]
async fn a_session_has_its_place_and_confs_and_a_statement_its_own() {
    let workspace = builder().start().unwrap();
    let confs = Value::Map(vec![(text("timezone"), text("America/New_York"))]);
    let place = fields([(1, text("samples")), (2, text("tpch"))]);
    let thrift = Thrift::open_with(&workspace, fields([(4, confs), (1284, place)])).await;
    let ask = "SELECT count(*) AS n, current_timezone() AS zone FROM nation";
    let zone_of = |rows: &[RecordBatch]| {
        use arrow::array::cast::AsArray as _;
        rows[0].column(1).as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(zone_of(&thrift.rows(ask, []).await), "America/New_York");
    let overlay = Value::Map(vec![(text("timezone"), text("Asia/Tokyo"))]);
    assert_eq!(zone_of(&thrift.rows(ask, [(3, overlay)]).await), "Asia/Tokyo");
    assert_eq!(zone_of(&thrift.rows(ask, []).await), "America/New_York");

    let nowhere = fields([(1284, fields([(1, text("nope"))]))]);
    let refused = thrift.call("OpenSession", nowhere).await;
    assert_eq!(
        (refused.at(&[1, 1]), refused.at(&[1, 3]).str()),
        (&Value::I32(3), "42704")
    );
}

#[tokio::test]
async fn changes_are_counted_and_statements_without_rows_have_no_columns() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let answer = thrift.execute("CREATE TABLE main.default.t (id INT)", [direct()]).await;
    assert_eq!(answer.at(&[1281, 1, 2]), &Value::I32(2));
    assert_eq!(answer.at(&[1281, 2, 2, 1]), &Value::List(vec![]));
    let answer = thrift
        .execute("INSERT INTO main.default.t VALUES (1), (2)", [direct()])
        .await;
    assert_eq!(answer.at(&[1281, 1, 11]), &Value::I64(2));
    assert_eq!(answer.at(&[2, 4]), &Value::Double(2.0));
    // The workspace has closed what it delivered whole.
    assert!(answer.find(&[1281, 4]).is_some());
    assert_eq!(thrift.ended(answer.at(&[2])).await.at(&[2]), &Value::I32(4));
}
