use serde_json::json;

use crate::client::{Client, builder};

#[tokio::test]
async fn from_memory_and_from_disk() {
    for memory_budget in [256 << 20, 0] {
        let workspace = builder().memory_budget(memory_budget).start().unwrap();
        let client = Client::new(&workspace);
        let members = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM" });
        let body = client.succeed("SELECT * FROM range(0, 100000)", members).await;
        let link = &body["result"]["external_links"][0];
        let whole = client.download(link).await;
        assert_eq!(whole.headers()["accept-ranges"], "bytes");
        let whole = whole.bytes().await.unwrap();
        let len = whole.len();
        assert!(len > 700_000);

        let ranged = async |range: String| {
            let url = link["external_link"].as_str().unwrap();
            client.http.get(url).header("range", range).send().await.unwrap()
        };
        for (range, start, end) in [
            ("bytes=0-99".to_owned(), 0, 100),
            (format!("bytes={}-{}", len - 300_000, len - 1), len - 300_000, len),
            (format!("bytes=1000-{}", len * 2), 1000, len),
            ("bytes=1000-".to_owned(), 1000, len),
            ("bytes=-8".to_owned(), len - 8, len),
        ] {
            let response = ranged(range).await;
            assert_eq!(response.status(), 206);
            assert_eq!(
                response.headers()["content-range"],
                format!("bytes {start}-{}/{len}", end - 1)
            );
            assert_eq!(response.content_length(), Some((end - start) as u64));
            assert_eq!(response.bytes().await.unwrap(), whole[start..end]);
        }
        let beyond = ranged(format!("bytes={len}-")).await;
        assert_eq!(beyond.status(), 416);
        assert_eq!(beyond.headers()["content-range"], format!("bytes */{len}"));
        assert_eq!(ranged("lines=1-2".to_owned()).await.bytes().await.unwrap(), whole);
    }
}
