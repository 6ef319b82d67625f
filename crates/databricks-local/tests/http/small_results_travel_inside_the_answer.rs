use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::client::{Client, batches, builder, decompressed, rows};

#[tokio::test]
async fn as_json_when_nothing_else_is_asked_for() {
    let workspace = builder().start().unwrap();
    let body = Client::new(&workspace).succeed("SELECT 1 AS one", json!({})).await;
    assert_eq!(body["manifest"]["format"], "JSON_ARRAY");
    assert_eq!(body["manifest"]["schema"]["column_count"], 1);
    assert_eq!(body["manifest"]["schema"]["columns"][0]["name"], "one");
    assert_eq!(body["result"]["data_array"], json!([["1"]]));
    assert_eq!(body["manifest"]["total_row_count"], 1);
    assert_eq!(body["manifest"]["total_chunk_count"], 1);
}

#[tokio::test]
async fn as_one_ipc_stream_with_the_hybrid_disposition() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for compression in ["LZ4_FRAME", "NONE"] {
        let members = json!({
            "disposition": "INLINE_OR_EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": compression,
        });
        let body = client.succeed("SELECT * FROM range(0, 20000)", members).await;
        assert_eq!(body["manifest"]["result_compression"], compression);
        assert!(body["result"].get("external_links").is_none());
        assert!(body["result"].get("next_chunk_index").is_none());
        let attachment = STANDARD.decode(body["result"]["attachment"].as_str().unwrap()).unwrap();
        let stream = if compression == "NONE" {
            attachment
        } else {
            decompressed(&attachment)
        };
        assert_eq!(rows(&stream), 20_000);
        assert_eq!(batches(&stream)[0].num_columns(), 1);
    }
}

#[tokio::test]
async fn and_large_ones_do_not() {
    let workspace = builder().chunk_bytes(1000).start().unwrap();
    let client = Client::new(&workspace);
    let members = json!({ "disposition": "INLINE_OR_EXTERNAL_LINKS", "format": "ARROW_STREAM" });
    let body = client.succeed("SELECT * FROM range(0, 1000)", members).await;
    assert!(body["result"].get("attachment").is_none());
    let chunks = client.chunks(&body).await;
    assert_eq!(chunks.iter().map(|chunk| rows(chunk)).sum::<usize>(), 1000);
}

#[tokio::test]
async fn and_an_inline_result_over_25_mib_fails() {
    let workspace = builder().start().unwrap();
    let answer = Client::new(&workspace)
        .execute(
            "SELECT repeat('x', 1000) FROM range(0, 30000)",
            json!({ "wait_timeout": "50s" }),
        )
        .await;
    let status = &answer.body["status"];
    assert_eq!(answer.status, 200);
    assert_eq!(status["state"], "FAILED");
    assert_eq!(status["error"]["error_code"], "BAD_REQUEST");
    assert!(
        status["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Inline byte limit exceeded")
    );
    assert!(answer.body.get("result").is_none() && answer.body.get("manifest").is_none());
}
