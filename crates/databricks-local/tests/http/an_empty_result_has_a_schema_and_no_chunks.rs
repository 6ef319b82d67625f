use serde_json::json;

use crate::client::{Client, builder, chunk};

#[tokio::test]
async fn in_every_disposition() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for members in [
        json!({}),
        json!({ "disposition": "INLINE_OR_EXTERNAL_LINKS", "format": "ARROW_STREAM" }),
        json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME" }),
        json!({ "disposition": "EXTERNAL_LINKS", "format": "CSV" }),
    ] {
        let body = client.succeed("SELECT 1 AS one WHERE false", members).await;
        assert_eq!(body["result"], json!({}));
        let manifest = &body["manifest"];
        assert_eq!(manifest["chunks"], json!([]));
        assert_eq!(manifest["total_chunk_count"], 0);
        assert_eq!(manifest["total_row_count"], 0);
        assert_eq!(manifest["schema"]["column_count"], 1);
        assert_eq!(manifest["schema"]["columns"][0]["name"], "one");
        let id = body["statement_id"].as_str().unwrap();
        assert_eq!(client.get(&chunk(id, 0)).await.status, 404);
    }
}

#[tokio::test]
async fn and_a_statement_without_result_has_no_columns() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let body = client.succeed("CREATE TABLE main.default.t (a INT)", json!({})).await;
    assert_eq!(body["manifest"]["schema"]["column_count"], 0);
    assert_eq!(body["manifest"]["chunks"], json!([]));
    assert_eq!(body["result"], json!({}));

    let body = client
        .succeed("INSERT INTO main.default.t VALUES (1), (2)", json!({}))
        .await;
    assert_eq!(body["status"]["num_modified_rows"], 2);
    assert_eq!(body["manifest"]["schema"]["columns"][0]["name"], "num_affected_rows");
    assert_eq!(body["result"]["data_array"][0][0], "2");
}
