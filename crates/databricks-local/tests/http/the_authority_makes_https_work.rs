use std::path::Path;

use reqwest::Certificate;
use serde_json::json;

use crate::client::{Client, builder, http, rows};

fn trusting(ca_pem: &Path) -> reqwest::ClientBuilder {
    let pem = std::fs::read(ca_pem).unwrap();
    http().tls_certs_only([Certificate::from_pem(&pem).unwrap()])
}

#[tokio::test]
async fn by_every_name_of_this_machine_and_both_versions_of_http() {
    let workspace = builder().tls(true).start().unwrap();
    let ca_pem = workspace.ca_pem_path().unwrap();
    let https = workspace.https_url().unwrap().to_owned();
    for (client, version) in [
        (trusting(ca_pem).build().unwrap(), reqwest::Version::HTTP_2),
        (
            trusting(ca_pem).http1_only().build().unwrap(),
            reqwest::Version::HTTP_11,
        ),
    ] {
        for url in [https.clone(), https.replace("127.0.0.1", "localhost")] {
            let mut client = Client {
                http: client.clone(),
                url,
                ..Client::new(&workspace)
            };
            let response = client.send(reqwest::Method::GET, "/api/2.0/sql/warehouses", None).await;
            assert_eq!((response.status().as_u16(), response.version()), (200, version));
            let members = json!({ "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM" });
            let body = client.succeed("SELECT 1", members).await;
            let link = &body["result"]["external_links"][0];
            assert!(
                link["external_link"].as_str().unwrap().starts_with(&client.url),
                "links name what the client named"
            );
            assert_eq!(rows(&client.download(link).await.bytes().await.unwrap()), 1);
            client.url = workspace.url().to_owned();
            client.succeed("SELECT 1", json!({})).await;
        }
    }
    let stranger = http().build().unwrap();
    assert!(stranger.get(&https).send().await.is_err(), "nobody else trusts it");
}

#[tokio::test]
async fn and_its_files_are_where_one_says_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("certificates");
    let workspace = builder().tls(path.as_path()).start().unwrap();
    assert_eq!(workspace.ca_pem_path(), Some(path.join("ca.pem").as_path()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let key = std::fs::metadata(path.join("server.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
    workspace.stop();
    assert!(path.join("ca.pem").exists(), "a directory of one's own stays");

    let temporary = builder().tls(true).start().unwrap();
    let ca_pem = temporary.ca_pem_path().unwrap().to_owned();
    assert!(ca_pem.exists());
    temporary.stop();
    assert!(!ca_pem.exists(), "a temporary one goes");
}
