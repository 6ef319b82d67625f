//! Catalogs without an information schema are asked with `SHOW`; one that refuses costs only itself, unless it is named.

use adbc_core::error::Status;
use adbc_core::options::ObjectDepth;
use adbc_core::sync::Connection as _;
use adbc_databricks::Connection;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_cast::display::array_value_to_string;
use serde_json::{Value, json};

use crate::support::{Reply, Request, Server, ok, refusal};

/// A result of text columns, as JSON although Arrow was asked for: servers may.
fn rows(columns: &[&str], rows: &[&[&str]]) -> Reply {
    let describe = |(position, name): (usize, &&str)| json!({"name": name, "type_text": "STRING", "type_name": "STRING", "position": position});
    let columns: Vec<Value> = columns.iter().enumerate().map(describe).collect();
    ok(json!({"statement_id": "statement-1", "status": {"state": "SUCCEEDED"},
        "manifest": {"format": "JSON_ARRAY", "schema": {"column_count": columns.len(), "columns": columns},
            "total_chunk_count": 1, "total_row_count": rows.len(), "truncated": false},
        "result": {"chunk_index": 0, "row_count": rows.len(), "data_array": rows}}))
}

fn failed(class: &str, sqlstate: &str) -> Reply {
    ok(
        json!({"statement_id": "statement-1", "status": {"state": "FAILED", "sql_state": sqlstate,
        "error": {"error_code": "BAD_REQUEST", "message": format!("[{class}] no. SQLSTATE: {sqlstate}")}}}),
    )
}

const COLUMNS: [&str; 9] = [
    "table_catalog",
    "table_schema",
    "table_name",
    "column_name",
    "ordinal_position",
    "column_default",
    "is_nullable",
    "full_data_type",
    "comment",
];

/// `main` has an information schema, `old` has none, `locked` may not be used.
fn workspace(sql: &str) -> Reply {
    let is = |start: &str| sql.starts_with(start);
    let about = |relation: &str| sql.contains(&format!("system.information_schema.{relation}"));
    match sql {
        "SHOW CATALOGS" => rows(&["catalog"], &[&["main"], &["old"], &["locked"]]),
        _ if sql.contains("`locked`") => failed("INSUFFICIENT_PERMISSIONS", "42501"),
        _ if sql.contains("`old`.information_schema") => failed("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        _ if about("schemata") => rows(
            &["catalog_name", "schema_name"],
            &[&["main", "s"], &["main", "information_schema"]],
        ),
        _ if about("tables") => rows(
            &["table_catalog", "table_schema", "table_name", "table_type"],
            &[
                &["main", "s", "t", "EXTERNAL_SHALLOW_CLONE"],
                &["main", "s", "m", "MATERIALIZED_VIEW"],
            ],
        ),
        _ if about("columns") => rows(
            &COLUMNS,
            &[
                &["main", "s", "t", "b", "2", "1", "NO", "decimal(3,1)", ""],
                &["main", "s", "t", "a", "1", "", "YES", "struct<Aa:int>", "of a"],
                &["main", "s", "elsewhere", "a", "1", "", "YES", "int", ""],
            ],
        ),
        _ if about("table_constraints") => failed("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        _ if is("SHOW SCHEMAS IN `old`") => rows(&["databaseName"], &[&["default"]]),
        _ if is("SHOW TABLES IN CATALOG `old`") => rows(
            &[
                "namespace",
                "tableName",
                "isTemporary",
                "information",
                "catalogName",
                "tableType",
                "remarks",
            ],
            &[
                &["default", "u", "false", "", "old", "", ""],
                &["", "temp", "true", "", "", "", ""],
            ],
        ),
        _ if is("SHOW COLUMNS IN CATALOG `old`") => rows(
            &[
                "col_name",
                "catalogName",
                "namespace",
                "tableName",
                "columnType",
                "isNullable",
                "ordinalPosition",
                "isAutoIncrement",
            ],
            &[
                &["x", "old", "default", "u", "INT", "true", "0", "NO"],
                &["y", "old", "default", "u", "STRING", "false", "1", "YES"],
            ],
        ),
        other => panic!("not expected: {other}"),
    }
}

fn serve(script: fn(&str) -> Reply) -> Server {
    Server::start(move |request: &Request, _| {
        request
            .is_execute()
            .then(|| script(request.json()["statement"].as_str().unwrap_or_default()))
    })
}

fn asked(server: &Server) -> Vec<String> {
    let executes = server.requests().into_iter().filter(Request::is_execute);
    executes
        .map(|request| request.json()["statement"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// `catalog.schema.table (TYPE): position column TYPE nullable, …`
fn listing(connection: &Connection, catalog: Option<&str>) -> Vec<String> {
    let mut reader = connection
        .get_objects(ObjectDepth::All, catalog, None, None, None, None)
        .unwrap();
    let batch = reader.next().unwrap().unwrap();
    let text = |array: &dyn Array, row| array_value_to_string(array, row).unwrap();
    let mut found = Vec::new();
    for row in 0..batch.num_rows() {
        let catalog = text(batch.column(0), row);
        let schemas = batch.column(1).as_list::<i32>().value(row);
        if schemas.is_empty() {
            found.push(catalog.clone());
        }
        for row in 0..schemas.len() {
            let schema = text(schemas.as_struct().column(0), row);
            let tables = schemas.as_struct().column(1).as_list::<i32>().value(row);
            for row in 0..tables.len() {
                let tables = tables.as_struct();
                let columns = tables.column(2).as_list::<i32>().value(row);
                let columns = columns.as_struct();
                let column = |row| [1, 0, 4, 13].map(|cell| text(columns.column(cell), row)).join(" ");
                let columns: Vec<String> = (0..columns.len()).map(column).collect();
                found.push(format!(
                    "{catalog}.{schema}.{} ({}): {}",
                    text(tables.column(0), row),
                    text(tables.column(1), row),
                    columns.join(", ")
                ));
            }
        }
    }
    found
}

#[test]
fn each_catalog_answers_as_it_can() {
    let server = serve(workspace);
    let connection = server.connect();
    assert_eq!(
        listing(&connection, None),
        [
            "locked",
            "main.s.m (MATERIALIZED_VIEW): ",
            "main.s.t (TABLE): 1 a STRUCT<`Aa`: INT> YES, 2 b DECIMAL(3,1) NO",
            "old.default.u (TABLE): 1 x INT YES, 2 y STRING NO",
        ]
    );
    assert_eq!(asked(&server).len(), 9, "{:#?}", asked(&server));
}

#[test]
fn one_that_is_named_is_asked_alone() {
    let server = serve(workspace);
    let connection = server.connect();
    assert_eq!(
        listing(&connection, Some("OLD")),
        ["old.default.u (TABLE): 1 x INT YES, 2 y STRING NO"]
    );
    assert!(
        !asked(&server).iter().any(|sql| sql.contains("system.")),
        "{:#?}",
        asked(&server)
    );
}

#[test]
fn one_that_is_named_and_refuses_is_an_error() {
    let server = serve(workspace);
    let error = server
        .connect()
        .get_objects(ObjectDepth::Schemas, Some("locked"), None, None, None, None)
        .map(drop)
        .unwrap_err();
    assert_eq!(error.status, Status::Unauthorized);
}

#[test]
fn without_any_information_schema_everything_is_shown() {
    fn nothing_but_show(sql: &str) -> Reply {
        match sql {
            "SHOW CATALOGS" => rows(&["TABLE_CAT"], &[&["old"], &["locked"]]),
            _ if sql.contains("information_schema") => failed("NO_SUCH_CATALOG_EXCEPTION", "42704"),
            // The columns of JDBC, which a server may answer with.
            _ if sql.starts_with("SHOW SCHEMAS IN `old`") => {
                rows(&["TABLE_SCHEM", "TABLE_CATALOG"], &[&["default", "old"]])
            }
            _ if sql.starts_with("SHOW TABLES IN CATALOG `old`") => rows(
                &["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"],
                &[&["old", "default", "v", "VIEW"]],
            ),
            _ if sql.starts_with("SHOW COLUMNS IN CATALOG `old`") => rows(
                &[
                    "TABLE_CAT",
                    "TABLE_SCHEM",
                    "TABLE_NAME",
                    "COLUMN_NAME",
                    "TYPE_NAME",
                    "ORDINAL_POSITION",
                    "IS_NULLABLE",
                ],
                &[&["old", "default", "v", "c", "INT", "1", "NO"]],
            ),
            _ => failed("INSUFFICIENT_PERMISSIONS", "42501"),
        }
    }
    let server = serve(nothing_but_show);
    assert_eq!(
        listing(&server.connect(), None),
        ["locked", "old.default.v (VIEW): 1 c INT NO"]
    );
}

#[test]
fn a_server_that_does_not_answer_is_an_error_and_no_empty_listing() {
    for (status, expected) in [
        (400, Status::InvalidArguments),
        (403, Status::Unauthorized),
        (500, Status::IO),
    ] {
        let server = Server::start(move |request, _| {
            let sql = request.json()["statement"].as_str().unwrap_or_default().to_owned();
            request.is_execute().then(|| match sql.as_str() {
                "SHOW CATALOGS" => rows(&["catalog"], &[&["main"], &["old"]]),
                _ => refusal(status, "SOME_CODE"),
            })
        });
        let error = server
            .connect()
            .get_objects(ObjectDepth::All, None, None, None, None, None)
            .map(drop)
            .unwrap_err();
        assert_eq!(error.status, expected, "{error}");
    }
}

#[test]
fn a_table_that_is_not_described_as_json_is_described_as_a_query() {
    let server = serve(|sql| match sql {
        "DESCRIBE TABLE EXTENDED `t` AS JSON" => failed("PARSE_SYNTAX_ERROR", "42601"),
        "DESCRIBE QUERY SELECT * FROM `t`" => rows(&["col_name", "data_type", "comment"], &[&["a", "int", ""]]),
        _ => failed("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
    });
    let connection = server.connect();
    let schema = connection.get_table_schema(None, None, "t").unwrap();
    assert_eq!(schema.field(0).data_type(), &arrow_schema::DataType::Int32);
    assert!(schema.field(0).is_nullable());
    let missing = connection.get_table_schema(None, None, "u").unwrap_err();
    assert_eq!((missing.status, asked(&server).len()), (Status::NotFound, 3));
}
