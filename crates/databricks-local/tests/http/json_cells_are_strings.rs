use serde_json::json;

use crate::client::{Client, builder};

#[tokio::test]
async fn or_null() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let sql = "SELECT 1 AS a, CAST(2 AS BIGINT) AS b, CAST(1.5 AS DOUBLE) AS c, CAST(1 AS DOUBLE) AS d, true AS e, \
        'a\"b' AS f, CAST(3.14 AS DECIMAL(10, 4)) AS g, DATE '2026-08-06' AS h, CAST(NULL AS STRING) AS i, \
        CAST('2026-08-06 12:34:56' AS TIMESTAMP_NTZ) AS j";
    let body = client.succeed(sql, json!({})).await;
    assert_eq!(
        body["result"]["data_array"],
        json!([[
            "1",
            "2",
            "1.5",
            "1.0",
            "true",
            "a\"b",
            "3.1400",
            "2026-08-06",
            null,
            "2026-08-06T12:34:56.000"
        ]])
    );
}

#[tokio::test]
async fn for_all_sample_data() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for table in ["lineitem", "orders", "nation"] {
        let sql = format!("SELECT * FROM samples.tpch.{table} LIMIT 1000");
        let body = client.succeed(&sql, json!({})).await;
        let rows = body["result"]["data_array"].as_array().unwrap();
        assert!(!rows.is_empty());
        for cell in rows.iter().flat_map(|row| row.as_array().unwrap()) {
            assert!(cell.is_string(), "{cell}");
        }
    }
}
