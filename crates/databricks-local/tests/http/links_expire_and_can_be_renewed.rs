use std::time::Duration;

use serde_json::json;

use crate::client::{Client, builder, rows};

#[tokio::test]
async fn with_a_new_url_and_a_later_expiration() {
    let workspace = builder().link_ttl(Duration::from_millis(200)).start().unwrap();
    let client = Client::new(&workspace);
    let members = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM" });
    let body = client.succeed("SELECT 1", members).await;
    let id = body["statement_id"].as_str().unwrap();
    let first = &body["result"]["external_links"][0];

    // Wait for the expiry itself rather than for a time that should be enough.
    let expired = loop {
        let response = client.download(first).await;
        if response.status() != 200 {
            break response;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(expired.status(), 403);
    assert_eq!(expired.headers()["content-type"], "application/xml");
    assert!(expired.text().await.unwrap().contains("<Code>AccessDenied</Code>"));

    let second = client.link(id, 0).await;
    assert_ne!(first["external_link"], second["external_link"]);
    assert!(first["expiration"].as_str() < second["expiration"].as_str());
    let third = client.link(id, 0).await;
    assert!(second["expiration"].as_str() < third["expiration"].as_str());
}

#[tokio::test]
async fn and_need_their_signature_but_no_credentials() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let members = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM" });
    let body = client.succeed("SELECT 1", members).await;
    let link = &body["result"]["external_links"][0];
    assert_eq!(rows(&client.download(link).await.bytes().await.unwrap()), 1);

    let url = link["external_link"].as_str().unwrap();
    let (path, query) = url.split_once('?').unwrap();
    let forged = query.replace("expires=1", "expires=2");
    assert_ne!(forged, query);
    for wrong in [
        path.to_owned(),
        format!("{path}?{forged}"),
        format!("{}1?{query}", path.trim_end_matches('0')),
        format!("{url}AAAA"),
    ] {
        let response = client.http.get(&wrong).send().await.unwrap();
        assert_eq!(response.status(), 403, "{wrong}");
        assert!(response.text().await.unwrap().starts_with("<?xml"));
    }

    let downloads: Vec<_> = workspace
        .requests()
        .into_iter()
        .filter(|request| request.path.starts_with("/results/"))
        .collect();
    assert_eq!(downloads.len(), 5);
    assert!(
        downloads
            .iter()
            .all(|request| !request.carried_authorization && !request.authorised)
    );
    assert_eq!(downloads[0].status, 200);

    let id = body["statement_id"].as_str().unwrap();
    assert_eq!(client.delete(&crate::client::statement(id)).await.status, 200);
    assert_eq!(
        client.download(link).await.status(),
        404,
        "a closed statement's result is gone"
    );
}
