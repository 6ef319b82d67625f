//! A stray `{:?}` of any message shows neither SQL, values, names, links nor the server's prose.

use databricks_wire::error::ApiError;
use databricks_wire::sea::{
    ColumnInfo, ExecuteStatementRequest, ExternalLink, Manifest, Parameter, QueryTag, ResultData, ResultSchema,
    ServiceError, StatementResponse, StatementStatus,
};

const CANARY: &str = "canary-7f3a";

#[test]
fn debug_of_every_message_is_clean() {
    let text = || CANARY.to_owned();
    let request = ExecuteStatementRequest {
        statement: text().into(),
        parameters: vec![Parameter {
            value: Some(text().into()),
            ..Parameter::default()
        }],
        query_tags: vec![QueryTag {
            key: text().into(),
            value: Some(text().into()),
        }],
        ..ExecuteStatementRequest::default()
    };
    let response = StatementResponse {
        status: StatementStatus {
            error: Some(ServiceError {
                message: Some(text()),
                ..ServiceError::default()
            }),
            ..StatementStatus::default()
        },
        manifest: Some(Manifest {
            schema: ResultSchema {
                column_count: 1,
                columns: vec![ColumnInfo {
                    name: text(),
                    ..ColumnInfo::default()
                }],
            },
            ..Manifest::default()
        }),
        result: Some(ResultData {
            data_array: Some(vec![vec![Some(text())]]),
            attachment: Some(text()),
            external_links: Some(vec![ExternalLink {
                external_link: text().into(),
                http_headers: [("x-key".to_owned(), text().into())].into(),
                ..ExternalLink::default()
            }]),
            ..ResultData::default()
        }),
        ..StatementResponse::default()
    };
    for shown in [
        format!("{request:?}"),
        format!("{response:?}"),
        format!("{:?}", ApiError::new("X", text())),
    ] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}
