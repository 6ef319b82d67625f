use std::time::Duration;

use serde_json::json;

use crate::client::{ENDLESS, builder, statement};
use crate::thrift::{Thrift, Value, fields};

const INVALID_HANDLE: Value = Value::I32(4);

fn of(operation: &Value) -> Value {
    fields([(1, operation.clone())])
}

/// The id by which the statement API knows an operation.
fn id_of(operation: &Value) -> String {
    let guid: [u8; 16] = operation.at(&[1, 1]).bytes().try_into().unwrap();
    let hex = format!("{:032x}", u128::from_be_bytes(guid));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[tokio::test]
async fn an_operation_can_be_cancelled_and_closed() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let operation = thrift.execute(ENDLESS, []).await.at(&[2]).clone();
    let waiting = thrift.ended(&operation);
    let (status, _) = tokio::join!(waiting, thrift.succeed("CancelOperation", of(&operation)));
    assert_eq!(status.at(&[2]), &Value::I32(3));
    assert_eq!(thrift.client.state(&id_of(&operation)).await, "CANCELED");
    let fetched = thrift.call("FetchResults", of(&operation)).await;
    assert_eq!(
        (fetched.at(&[1, 1]), fetched.at(&[1, 3]).str()),
        (&Value::I32(3), "HY008")
    );
    for _ in 0..2 {
        thrift.succeed("CloseOperation", of(&operation)).await;
        thrift.succeed("CancelOperation", of(&operation)).await;
    }
    assert_eq!(
        thrift.call("FetchResults", of(&operation)).await.at(&[1, 1]),
        &INVALID_HANDLE
    );
}

#[tokio::test]
async fn operations_end_with_their_session() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let other = Thrift::open(&workspace).await;
    let mine = thrift.execute(ENDLESS, []).await.at(&[2]).clone();
    let others = other.execute("SELECT 1", []).await.at(&[2]).clone();
    other.ended(&others).await;
    thrift.succeed("CloseSession", of(&thrift.session)).await;
    assert_eq!(other.ended(&mine).await.at(&[2]), &Value::I32(4));
    assert_eq!(other.ended(&others).await.at(&[2]), &Value::I32(2));
    let closed = fields([(1, thrift.session.clone()), (2, crate::thrift::text("SELECT 1"))]);
    assert_eq!(
        thrift.call("ExecuteStatement", closed).await.at(&[1, 1]),
        &INVALID_HANDLE
    );
    assert_eq!(
        thrift.call("CloseSession", of(&thrift.session)).await.at(&[1, 1]),
        &INVALID_HANDLE
    );
}

#[tokio::test]
async fn a_session_that_has_expired_is_no_handle() {
    let workspace = builder().session_ttl(Duration::ZERO).start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let asked = thrift.call("GetCatalogs", of(&thrift.session)).await;
    assert_eq!(asked.at(&[1, 1]), &INVALID_HANDLE);
}

#[tokio::test]
async fn a_statement_that_takes_longer_than_it_may_has_timed_out() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let operation = thrift.execute(ENDLESS, [(5, Value::I64(1))]).await.at(&[2]).clone();
    let status = thrift.ended(&operation).await;
    assert_eq!(status.at(&[2]), &Value::I32(8));
    assert_eq!(status.at(&[3]).str(), "57014");
}

#[tokio::test]
async fn both_protocols_count_the_same_sessions_and_statements() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let warehouse = format!("/api/2.0/sql/warehouses/{}", workspace.warehouse_id());
    assert_eq!(thrift.client.get(&warehouse).await.body["num_active_sessions"], 1);
    let operation = thrift.execute(ENDLESS, []).await.at(&[2]).clone();
    let id = id_of(&operation);
    thrift
        .client
        .call(reqwest::Method::POST, &format!("{}/cancel", statement(&id)), None)
        .await;
    assert_eq!(thrift.ended(&operation).await.at(&[2]), &Value::I32(3));

    // What the statement API started is no operation: its result has no turns.
    let body = thrift.client.succeed("SELECT 1", json!({})).await;
    let id = u128::from_str_radix(&body["statement_id"].as_str().unwrap().replace('-', ""), 16).unwrap();
    let foreign = fields([(1, fields([(1, Value::Bytes(id.to_be_bytes().to_vec()))]))]);
    assert_eq!(
        thrift.call("FetchResults", of(&foreign)).await.at(&[1, 1]),
        &INVALID_HANDLE
    );
}
