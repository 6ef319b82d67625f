use databricks_local::Fault;

use crate::client::builder;
use crate::thrift::{Thrift, Value, answer, call, fields, text};

#[tokio::test]
async fn what_the_service_does_not_have_is_an_exception() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let no_guid = fields([(1, fields([]))]);
    let many = fields([(1, thrift.session.clone()), (5, Value::List(vec![text(""); 70_000]))]);
    for (method, request, expected) in [
        ("GetDelegationToken", fields([]), 1),
        ("", fields([]), 1),
        ("CloseSession", no_guid.clone(), 7),
        ("FetchResults", no_guid, 7),
        ("ExecuteStatement", fields([(1, thrift.session.clone())]), 7),
        ("GetTables", many, 7),
    ] {
        let response = thrift.post(call(method, request)).await;
        assert_eq!(response.status(), 200);
        let (kind, body) = answer(method, &response.bytes().await.unwrap());
        assert_eq!((kind, body.at(&[2])), (3, &Value::I32(expected)), "{method}");
    }
    let unknown = fields([(1, fields([(1, Value::Bytes(vec![0; 16]))]))]);
    let status = thrift.call("GetOperationStatus", fields([(1, unknown)])).await;
    assert_eq!(status.at(&[1, 1]), &Value::I32(4));
    let what = fields([(1, thrift.session.clone()), (2, Value::I32(0))]);
    assert_eq!(thrift.call("GetInfo", what).await.at(&[1, 1]), &Value::I32(3));
}

#[tokio::test]
async fn what_is_no_message_is_refused_in_http() {
    let workspace = builder().start().unwrap();
    let mut thrift = Thrift::open(&workspace).await;
    for body in [
        &b""[..],
        b"{}",
        &[0x80, 1, 0, 1],
        &[0x80, 1, 0, 1, 0x7f, 0xff, 0xff, 0xff],
    ] {
        let response = thrift.post(body.to_vec()).await;
        assert_eq!(response.status(), 400);
        assert!(response.headers().contains_key("x-thriftserver-error-message"));
    }
    // The message says who calls, so that the answer can be an exception.
    let mut cut = call("OpenSession", fields([(4, Value::Map(vec![(text("a"), text("b"))]))]));
    cut.truncate(cut.len() - 4);
    let response = thrift.post(cut).await;
    assert_eq!(answer("OpenSession", &response.bytes().await.unwrap()).0, 3);

    let open = || call("OpenSession", fields([]));
    for path in [
        format!("/sql/1.0/endpoints/{}", workspace.warehouse_id()),
        format!("/sql/protocolv1/o/123/{}/", workspace.warehouse_id()),
    ] {
        thrift.path = path;
        assert_eq!(thrift.post(open()).await.status(), 200);
    }
    thrift.path = "/sql/1.0/warehouses/nope".to_owned();
    let response = thrift.post(open()).await;
    assert_eq!(response.status(), 404);
    let reason = &response.headers()["x-thriftserver-error-message"];
    assert_eq!(reason, "the warehouse does not exist");
    thrift.client.token = Some("wrong".to_owned());
    let response = thrift.post(open()).await;
    assert_eq!(response.status(), 401);
    assert!(response.headers().contains_key("x-thriftserver-error-message"));
    assert_eq!(thrift.client.get(&thrift.path).await.status, 405);
}

#[tokio::test]
async fn faults_meet_its_path_as_any_other() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    workspace.fault("POST /sql/1.0/=status:503:1*1".parse::<Fault>().unwrap());
    let open = call("OpenSession", fields([]));
    let response = thrift.post(open.clone()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(response.headers().contains_key("x-thriftserver-error-message"));
    assert_eq!(thrift.post(open).await.status(), 200);
}
