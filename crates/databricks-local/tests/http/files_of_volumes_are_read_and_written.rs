use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{Client, builder};

const FILES: &str = "/api/2.0/fs/files/Volumes/main/default/v";
const DIRECTORIES: &str = "/api/2.0/fs/directories/Volumes/main/default/v";

async fn status(client: &Client, method: Method, path: &str, body: Option<&str>) -> StatusCode {
    client.send(method, path, body.map(str::to_owned)).await.status()
}

#[tokio::test]
async fn a_file_is_written_read_listed_and_removed() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let put = async |path: &str, body: &str| status(&client, Method::PUT, path, Some(body)).await;
    assert_eq!(put(&format!("{FILES}/a.txt"), "early").await, 404, "no volume yet");
    client.succeed("CREATE VOLUME v", json!({})).await;
    assert_eq!(
        client.succeed("SHOW VOLUMES", json!({})).await["result"]["data_array"],
        json!([["default", "v"]])
    );

    assert_eq!(put(&format!("{FILES}/d/e/a%20b%C3%BC.txt"), "0123456789").await, 204);
    assert_eq!(
        put(&format!("{FILES}/d/e/a%20b%C3%BC.txt?overwrite=false"), "x").await,
        409
    );
    assert_eq!(put(&format!("{FILES}/empty?overwrite=true"), "").await, 204);
    assert_eq!(put(&format!("{FILES}/d"), "x").await, 409, "a directory stays one");
    let file = format!("{FILES}/d/e/a%20b%C3%BC.txt");
    let response = client.send(Method::GET, &file, None).await;
    assert_eq!(response.headers()["content-length"], "10");
    assert!(response.headers()["last-modified"].to_str().unwrap().ends_with(" GMT"));
    assert_eq!(response.text().await.unwrap(), "0123456789");
    let head = client.send(Method::HEAD, &file, None).await;
    assert_eq!(
        (head.status(), &head.headers()["content-length"]),
        (StatusCode::OK, &"10".parse().unwrap())
    );
    let part = client
        .http
        .get(format!("{}{file}", workspace.url()))
        .bearer_auth(workspace.token());
    let part = part.header("range", "bytes=3-5").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 3-5/10");
    assert_eq!(part.text().await.unwrap(), "345");

    let first = client.get(&format!("{DIRECTORIES}?page_size=1")).await.body;
    assert_eq!(first["contents"][0]["path"], "/Volumes/main/default/v/d");
    assert_eq!(first["contents"][0]["is_directory"], true);
    let token = first["next_page_token"].as_str().unwrap();
    let second = client.get(&format!("{DIRECTORIES}?page_token={token}")).await.body;
    assert_eq!(second["contents"][0]["name"], "empty");
    assert_eq!(second["contents"][0]["file_size"], 0);
    assert!(second.get("next_page_token").is_none());

    assert_eq!(
        status(&client, Method::PUT, &format!("{DIRECTORIES}/x/y"), None).await,
        204
    );
    assert_eq!(
        status(&client, Method::HEAD, &format!("{DIRECTORIES}/x/y"), None).await,
        200
    );
    assert_eq!(
        status(&client, Method::DELETE, &format!("{DIRECTORIES}/x"), None).await,
        400,
        "not empty"
    );
    assert_eq!(
        status(&client, Method::DELETE, &format!("{DIRECTORIES}/x/y"), None).await,
        204
    );
    assert_eq!(status(&client, Method::DELETE, &file, None).await, 204);
    assert_eq!(status(&client, Method::DELETE, &file, None).await, 404);
    assert_eq!(status(&client, Method::GET, &file, None).await, 404);
    client.succeed("DROP VOLUME v", json!({})).await;
    assert_eq!(status(&client, Method::GET, &format!("{FILES}/empty"), None).await, 404);
}

#[tokio::test]
async fn without_a_token_and_outside_of_a_volume_there_is_nothing() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    client.succeed("CREATE VOLUME v", json!({})).await;
    for path in ["..%2F..%2Fetc%2Fpasswd", "a%2F..%2Fb", ".%2Fa", "a%5Cb", "%00", "a//b"] {
        let path = format!("{FILES}/{path}");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = client.call(method.clone(), &path, Some(json!("x"))).await;
            assert_eq!(answer.status, 400, "{method} {path}: {:?}", answer.body);
        }
    }
    let stranger = Client {
        token: None,
        ..Client::new(&workspace)
    };
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = stranger.call(method, &format!("{FILES}/a"), Some(json!("x"))).await;
        assert_eq!(answer.status, 401, "{:?}", answer.body);
    }
    // The refused body was read, so the connection is still of use.
    assert_eq!(
        status(&client, Method::PUT, &format!("{FILES}/a"), Some("x")).await,
        204
    );
}

#[tokio::test]
async fn a_file_larger_than_a_statement_can_be_goes_through() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    client.succeed("CREATE VOLUME v", json!({})).await;
    let large = "0123456789abcdef".repeat(2 << 20);
    assert_eq!(
        status(&client, Method::PUT, &format!("{FILES}/large"), Some(&large)).await,
        204
    );
    let back = client.send(Method::GET, &format!("{FILES}/large"), None).await;
    assert!(back.bytes().await.unwrap() == large.as_bytes());
}

#[tokio::test]
async fn a_transfer_is_one_row_with_a_link_for_one_file_and_one_method() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    client.succeed("CREATE VOLUME v", json!({})).await;
    let body = client
        .succeed("PUT '/tmp/a.csv' INTO '/Volumes/main/default/v/a.csv'", json!({}))
        .await;
    assert_eq!(body["manifest"]["is_volume_operation"], true);
    let row = &body["result"]["data_array"][0];
    assert_eq!((&row[0], &row[3]), (&json!("PUT"), &json!("/tmp/a.csv")));
    let link = row[1].as_str().unwrap();
    let put = async |header: bool| {
        let mut request = client.http.put(link).body("a,b");
        if header {
            request = request.header("x-databricks-local-transfer", "1");
        }
        request.send().await.unwrap().status()
    };
    assert_eq!(put(false).await, 400);
    assert_eq!(put(true).await, 201);
    assert_eq!(put(true).await, 409, "without OVERWRITE a file stays");
    for wrong in [
        client.http.get(link),
        client.http.delete(link),
        client.http.put(link.replace("a.csv", "b.csv")),
    ] {
        assert_eq!(wrong.send().await.unwrap().status(), 403);
    }
    let body = client
        .succeed("GET '/Volumes/main/default/v/a.csv' TO 'b'", json!({}))
        .await;
    let link = body["result"]["data_array"][0][1].as_str().unwrap();
    assert_eq!(client.http.get(link).send().await.unwrap().text().await.unwrap(), "a,b");
    let body = client
        .succeed("REMOVE '/Volumes/main/default/v/a.csv'", json!({}))
        .await;
    let link = body["result"]["data_array"][0][1].as_str().unwrap();
    assert_eq!(client.http.delete(link).send().await.unwrap().status(), 204);
    assert_eq!(client.http.delete(link).send().await.unwrap().status(), 404);
    let refused = client
        .execute("GET '/Volumes/main/default/v/../../x' TO 'b'", json!({}))
        .await;
    assert_eq!(refused.body["status"]["state"], "FAILED");
}
