use serde_json::json;

use crate::client::{Client, builder};

#[tokio::test]
async fn by_rows_and_by_bytes() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for (limits, rows, truncated) in [
        (json!({ "row_limit": 10 }), 10, true),
        (json!({ "row_limit": 100 }), 100, false),
        (json!({ "row_limit": 101 }), 100, false),
        (json!({ "byte_limit": 80 }), 10, true),
        (json!({ "byte_limit": 800 }), 100, false),
        (json!({ "byte_limit": 1, "row_limit": 5 }), 0, true),
    ] {
        let body = client.succeed("SELECT * FROM range(0, 100)", limits.clone()).await;
        assert_eq!(body["manifest"]["total_row_count"], rows, "{limits}");
        assert_eq!(body["manifest"]["truncated"], truncated, "{limits}");
    }
    // The limit also ends the work: this would run for hours.
    let body = client
        .succeed("SELECT * FROM range(0, 1000000000000)", json!({ "row_limit": 3 }))
        .await;
    assert_eq!(body["manifest"]["total_row_count"], 3);
}
