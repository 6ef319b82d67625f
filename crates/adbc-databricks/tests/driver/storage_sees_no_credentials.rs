//! A signed link carries its own rights: the token, the organisation and the user agent stay with the workspace.

use crate::support::{Server, TOKEN, cloud, is_chunk, is_storage, link, links, manifest, ok, query, succeeded};

#[test]
fn downloads_carry_the_links_headers_and_nothing_of_the_workspaces() {
    let server = Server::start(|request, port| {
        if request.is_execute() {
            let mut first = link(port, 0, 5, 2, "");
            first["http_headers"] = serde_json::json!({"x-amz-server-side-encryption-customer-key": "key"});
            return Some(ok(succeeded(manifest(&[5, 5]), links(vec![first]))));
        }
        cloud(request, port, 2, 5)
    });
    let mut connection = server.connect_with(&[("databricks.http_path", "/sql/1.0/warehouses/w1?o=424242")]);
    query(&mut connection).unwrap();

    let downloads: Vec<_> = server.requests().into_iter().filter(is_storage).collect();
    assert_eq!(downloads.len(), 2);
    for download in &downloads {
        assert!(!download.headers.contains_key("authorization"));
        assert!(
            !download
                .headers
                .keys()
                .any(|name| name.starts_with("x-databricks") || name == "traceparent")
        );
        assert!(!format!("{download:?}").contains(TOKEN));
    }
    let keyed = downloads.iter().filter(|download| {
        download
            .headers
            .contains_key("x-amz-server-side-encryption-customer-key")
    });
    assert_eq!(keyed.count(), 1);
    for chunk in server.requests().into_iter().filter(is_chunk) {
        assert_eq!(chunk.headers["x-databricks-org-id"], "424242");
        assert!(chunk.headers.contains_key("authorization"));
    }
}
