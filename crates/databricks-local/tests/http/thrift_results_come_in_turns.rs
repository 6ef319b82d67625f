use arrow::array::RecordBatch;
use arrow::array::cast::AsArray as _;
use arrow::array::types::Int64Type;
use arrow::datatypes::DataType;

use crate::client::{self, builder};
use crate::thrift::{Thrift, Value, batches, direct};

const ROWS: i64 = 20_000;
const NUMBERS: &str = "SELECT id FROM range(20000)";

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let columns = batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>());
    columns.flat_map(|column| column.values().to_vec()).collect()
}

#[tokio::test]
async fn no_turn_has_more_rows_than_were_asked_for_and_all_come_once() {
    // A chunk of 8,000 rows, so that turns end within chunks and at their ends.
    let workspace = builder().chunk_bytes(64_000).start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    for lz4 in [false, true] {
        let options = [(1282, Value::Bool(true)), (1284, Value::Bool(lz4))];
        let operation = thrift.execute(NUMBERS, options).await.at(&[2]).clone();
        thrift.ended(&operation).await;
        let metadata = thrift
            .succeed("GetResultSetMetadata", crate::thrift::fields([(1, operation.clone())]))
            .await;
        assert_eq!(metadata.at(&[1281]), &Value::I32(0));
        let mut found = Vec::new();
        loop {
            let turn = thrift.fetch(&operation, [(3, Value::I64(3000))]).await;
            assert_eq!(turn.at(&[3, 1]).i64(), found.len() as i64);
            let some = ids(&batches(&metadata, turn.at(&[3])));
            assert!((1..=3000).contains(&some.len()));
            found.extend(some);
            if !turn.at(&[2]).bool() {
                break;
            }
        }
        assert_eq!(found, (0..ROWS).collect::<Vec<_>>());
        let past = thrift.fetch(&operation, []).await;
        assert_eq!(
            (past.at(&[2]), past.at(&[3, 1281])),
            (&Value::Bool(false), &Value::List(vec![]))
        );
        let again = thrift.fetch(&operation, [(2, Value::I32(4)), (3, Value::I64(5))]).await;
        assert_eq!(ids(&batches(&metadata, again.at(&[3]))), [0, 1, 2, 3, 4]);
        let from = thrift
            .fetch(&operation, [(3, Value::I64(2)), (1282, Value::I64(7999))])
            .await;
        assert_eq!(ids(&batches(&metadata, from.at(&[3]))), [7999]);
    }
}

#[tokio::test]
async fn links_lead_to_all_rows() {
    let workspace = builder().chunk_bytes(64_000).multi_frame_lz4(true).start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    for lz4 in [false, true] {
        let options = [1282, 1283].map(|id| (id, Value::Bool(true)));
        let [arrow, links] = options;
        let answer = thrift
            .execute(
                "SELECT id, repeat('x', 300) FROM range(20000)",
                [arrow, links, (1284, Value::Bool(lz4))],
            )
            .await;
        let operation = answer.at(&[2]).clone();
        thrift.ended(&operation).await;
        let (mut found, mut turns) = (Vec::new(), 0);
        loop {
            let turn = thrift
                .fetch(&operation, [(1281, Value::I64(1_000_000)), (1283, Value::Bool(true))])
                .await;
            assert_eq!(turn.at(&[1281, 1281]), &Value::I32(3));
            for link in turn.at(&[3, 1282]).list() {
                assert_eq!(link.at(&[3]).i64(), found.len() as i64);
                assert!(link.at(&[2]).i64() > 1_700_000_000_000);
                let file = thrift.client.http.get(link.at(&[1]).str()).send().await.unwrap();
                assert_eq!(file.status(), 200);
                let mut bytes = file.bytes().await.unwrap().to_vec();
                if lz4 {
                    bytes = client::decompressed(&bytes);
                }
                assert_eq!(link.at(&[5]).i64(), bytes.len() as i64);
                let some = ids(&client::batches(&bytes));
                assert_eq!(link.at(&[4]).i64(), some.len() as i64);
                found.extend(some);
            }
            turns += 1;
            if !turn.at(&[2]).bool() {
                break;
            }
        }
        assert_eq!(found, (0..ROWS).collect::<Vec<_>>());
        assert!(turns > 3, "the bytes that were asked for bound an answer");
    }
}

#[tokio::test]
async fn a_small_result_comes_with_the_answer_though_links_are_welcome() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let rows = thrift
        .rows(NUMBERS, [(1283, Value::Bool(true)), (1284, Value::Bool(true))])
        .await;
    assert_eq!(ids(&rows), (0..ROWS).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_reads_no_arrow_gets_columns() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let sql = "SELECT CAST(1 AS TINYINT), CAST(2.5 AS FLOAT), CAST(1.50 AS DECIMAL(5,2)), DATE'2024-02-29', ARRAY(1, 2), \
               CAST(NULL AS STRING), X'00ff', TRUE";
    let answer = thrift.execute(sql, [direct()]).await;
    let direct = answer.at(&[1281]);
    assert_eq!(direct.at(&[2, 1281]), &Value::I32(1));
    let columns = direct.at(&[3, 3, 3]).list();
    let value = |at: usize, id: i16| columns[at].at(&[id, 1]).list()[0].clone();
    assert_eq!(value(0, 2), Value::Byte(1));
    assert_eq!(value(1, 6), Value::Double(2.5));
    assert_eq!(value(2, 7), crate::thrift::text("1.50"));
    assert_eq!(value(3, 7), crate::thrift::text("2024-02-29"));
    assert_eq!(value(4, 7), crate::thrift::text("[1,2]"));
    assert_eq!(columns[5].at(&[7, 2]).bytes(), [1]);
    assert_eq!(value(6, 8), Value::Bytes(vec![0, 0xff]));
    assert_eq!(value(7, 1), Value::Bool(true));
}

#[tokio::test]
async fn types_are_arrows_own_only_where_the_client_says_so() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let sql = "SELECT TIMESTAMP'2024-02-29 12:34:56.5' AS t, 1.50 AS d, NAMED_STRUCT('x', 1, 'y', 'z') AS s, \
               INTERVAL '1-2' YEAR TO MONTH AS i, NULL AS n";
    for chosen in 1..=5_i16 {
        let natives = crate::thrift::fields([(chosen, Value::Bool(true))]);
        let rows = thrift.rows(sql, [(1286, natives)]).await;
        let texts = ["2024-02-29 12:34:56.5", "1.50", r#"{"x":1,"y":"z"}"#, "1-2", ""];
        for (at, expected) in texts.iter().enumerate() {
            let column = rows[0].column(at);
            if at as i16 + 1 == chosen {
                assert_ne!(column.data_type(), &DataType::Utf8);
            } else {
                assert_eq!(column.as_string::<i32>().value(0), *expected);
            }
        }
    }
}

#[tokio::test]
async fn a_limit_of_rows_holds() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    assert_eq!(ids(&thrift.rows(NUMBERS, [(1287, Value::I64(3))]).await), [0, 1, 2]);
}
