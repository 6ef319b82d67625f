use serde_json::json;

use crate::client::{Client, builder};

#[tokio::test]
async fn to_those_kept_in_memory() {
    let sql = "SELECT l_orderkey, l_quantity, l_shipdate, l_comment FROM samples.tpch.lineitem ORDER BY 1, 2, 3, 4";
    let mut results = Vec::new();
    // None, some and all chunks on disk.
    for memory_budget in [256 << 20, 100_000, 0] {
        let workspace = builder()
            .chunk_bytes(50_000)
            .memory_budget(memory_budget)
            .start()
            .unwrap();
        let client = Client::new(&workspace);
        let members =
            json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME" });
        let body = client.succeed(sql, members).await;
        results.push((body["manifest"].clone(), client.chunks(&body).await));

        let inline = client.succeed("SELECT * FROM range(0, 30000)", json!({})).await;
        assert_eq!(inline["result"]["data_array"].as_array().unwrap().len(), 30_000);
    }
    assert!(results[0].1.len() > 5);
    assert!(results[0] == results[1] && results[1] == results[2]);
}
