use serde_json::json;

use crate::client::{Client, builder, decompressed};

#[tokio::test]
async fn also_when_they_are_several_frames() {
    let sql = "SELECT * FROM range(0, 5000) ORDER BY 1";
    let mut compressed = Vec::new();
    for multi_frame in [false, true] {
        let workspace = builder()
            .chunk_bytes(10_000)
            .multi_frame_lz4(multi_frame)
            .start()
            .unwrap();
        let client = Client::new(&workspace);
        let links = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM" });
        let members = |compression: &str| {
            let mut members = links.clone();
            members["result_compression"] = json!(compression);
            members
        };
        let body = client.succeed(sql, members("NONE")).await;
        assert_eq!(body["manifest"]["result_compression"], "NONE");
        let plain = client.chunks(&body).await;
        let body = client.succeed(sql, members("LZ4_FRAME")).await;
        assert_eq!(body["manifest"]["result_compression"], "LZ4_FRAME");
        let chunks = client.chunks(&body).await;
        assert_eq!(
            chunks.iter().map(|chunk| decompressed(chunk)).collect::<Vec<_>>(),
            plain
        );
        compressed.push(chunks);
    }
    assert_ne!(compressed[0], compressed[1]);
}
