use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, batches, builder, rows};

#[tokio::test]
async fn in_the_manifest_in_the_links_and_in_the_files() {
    let workspace = builder().chunk_bytes(4000).start().unwrap();
    let client = Client::new(&workspace);
    let members = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM" });
    let body = client.succeed("SELECT * FROM range(0, 10007)", members).await;
    let id = body["statement_id"].as_str().unwrap();
    let manifest = &body["manifest"];
    let chunks = manifest["chunks"].as_array().unwrap();
    assert!(chunks.len() > 10);
    assert_eq!(manifest["total_chunk_count"], chunks.len());
    assert_eq!(manifest["total_row_count"], 10_007);
    assert_eq!(manifest["truncated"], false);

    let mut offset = 0;
    for (index, chunk) in (0_u64..).zip(chunks) {
        assert_eq!(
            (chunk["chunk_index"].as_u64(), chunk["row_offset"].as_u64()),
            (Some(index), Some(offset))
        );
        let link = client.link(id, index).await;
        for member in ["chunk_index", "row_offset", "row_count", "byte_count"] {
            assert_eq!(link[member], chunk[member]);
        }
        let next = chunks.get(index as usize + 1);
        assert_eq!(link.get("next_chunk_index"), next.map(|next| &next["chunk_index"]));
        assert_eq!(link.get("next_chunk_internal_link").is_some(), next.is_some());

        let response = client.download(&link).await;
        assert_eq!(response.status(), StatusCode::OK);
        let stream = response.bytes().await.unwrap();
        assert_eq!(chunk["byte_count"], stream.len());
        assert_eq!(chunk["row_count"], rows(&stream));
        offset += chunk["row_count"].as_u64().unwrap();
    }
    assert_eq!(offset, 10_007);
    assert_eq!(
        client.get(&crate::client::chunk(id, chunks.len() as u64)).await.status,
        404
    );
    let bytes: u64 = chunks.iter().filter_map(|chunk| chunk["byte_count"].as_u64()).sum();
    assert_eq!(manifest["total_byte_count"], bytes);
}

#[tokio::test]
async fn in_order_and_in_every_format() {
    let workspace = builder().chunk_bytes(4000).start().unwrap();
    let client = Client::new(&workspace);
    let sql = "SELECT * FROM range(0, 5000) ORDER BY 1";

    let links = |format| json!({ "disposition": "EXTERNAL_LINKS", "format": format });
    let arrow = client.succeed(sql, links("ARROW_STREAM")).await;
    let mut numbers = Vec::new();
    for chunk in client.chunks(&arrow).await {
        for batch in batches(&chunk) {
            let column = arrow::array::cast::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batch.column(0));
            numbers.extend(column.values().iter().copied());
        }
    }
    assert_eq!(numbers, (0..5000).collect::<Vec<_>>());

    let expected: Vec<Value> = (0..5000).map(|number: i64| json!([number.to_string()])).collect();
    let json = client.succeed(sql, links("JSON_ARRAY")).await;
    let mut rows = Vec::new();
    for chunk in client.chunks(&json).await {
        rows.extend(serde_json::from_slice::<Vec<Value>>(&chunk).unwrap());
    }
    assert_eq!(rows, expected);

    let csv = client.succeed(sql, links("CSV")).await;
    let text = String::from_utf8(client.chunks(&csv).await.concat()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5001, "one line of names, then the rows");
    assert_eq!(lines[5000], "4999");

    let inline = client.succeed(sql, json!({})).await;
    assert_eq!(inline["manifest"]["total_chunk_count"], 1, "inline rows are one chunk");
    assert_eq!(inline["result"]["data_array"], Value::Array(expected));
}

#[tokio::test]
async fn however_small_or_large_the_chunks_are() {
    for chunk_bytes in [1, 7, 8, 100, 5000, 1 << 20] {
        let workspace = builder().chunk_bytes(chunk_bytes).start().unwrap();
        let client = Client::new(&workspace);
        for disposition in ["EXTERNAL_LINKS", "INLINE_OR_EXTERNAL_LINKS"] {
            let members = json!({ "disposition": disposition, "format": "ARROW_STREAM" });
            let body = client.succeed("SELECT * FROM range(0, 100)", members).await;
            let counts = body["manifest"]["chunks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|chunk| chunk["row_count"].as_u64().unwrap());
            assert_eq!(counts.clone().sum::<u64>(), 100);
            assert!(counts.clone().all(|count| count > 0), "no chunk is empty");
            assert!(counts.max() <= Some((chunk_bytes as u64 / 8).max(1)));
            if body["result"].get("attachment").is_none() {
                let found: usize = client.chunks(&body).await.iter().map(|chunk| rows(chunk)).sum();
                assert_eq!(found, 100);
            }
        }
    }
}
