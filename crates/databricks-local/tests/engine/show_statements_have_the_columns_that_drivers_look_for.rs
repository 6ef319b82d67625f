//! `SHOW` and `DESCRIBE`: drivers pick columns by name, and some by place.

use crate::engine_support::{error, run, session, text};

#[tokio::test]
async fn catalogs() {
    let session = session();
    let all = run(&session, "SHOW CATALOGS").await;
    assert_eq!(all.columns, ["catalog STRING"]);
    assert_eq!(all.rows, text(&[&["main"], &["samples"], &["system"]]));
    assert_eq!(
        run(&session, "SHOW CATALOGS LIKE 'SA*|m.in'").await.rows,
        text(&[&["main"], &["samples"]])
    );
}

#[tokio::test]
async fn schemas() {
    let session = session();
    let one = run(&session, "SHOW SCHEMAS IN `samples`").await;
    assert_eq!(one.columns, ["databaseName STRING"]);
    assert_eq!(one.rows, text(&[&["information_schema"], &["tpch"]]));
    let all = run(&session, "SHOW SCHEMAS IN ALL CATALOGS LIKE 't*'").await;
    assert_eq!(all.columns, ["databaseName STRING", "catalog STRING"]);
    assert_eq!(all.rows, text(&[&["tpch", "samples"]]));
    assert_eq!(
        run(&session, "SHOW DATABASES").await.rows,
        text(&[&["default"], &["information_schema"]])
    );
    assert_eq!(
        error(&session, "SHOW SCHEMAS IN nowhere").await.class,
        "NO_SUCH_CATALOG_EXCEPTION"
    );
}

#[tokio::test]
async fn tables() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT) COMMENT 'of mine'").await;
    run(&session, "CREATE VIEW v AS SELECT a FROM t").await;
    let catalog = run(&session, "SHOW TABLES IN CATALOG `main` SCHEMA LIKE 'default' LIKE '*'").await;
    assert_eq!(
        catalog.columns,
        [
            "namespace STRING",
            "tableName STRING",
            "isTemporary BOOLEAN",
            "information STRING",
            "catalogName STRING",
            "tableType STRING",
            "remarks STRING"
        ]
    );
    assert_eq!(
        catalog.rows,
        text(&[
            &["default", "t", "false", "", "main", "TABLE", "of mine"],
            &["default", "v", "false", "", "main", "VIEW", ""]
        ])
    );
    let everywhere = run(&session, "SHOW TABLES IN ALL CATALOGS SCHEMA LIKE 'tpch' LIKE 'l*'").await;
    assert_eq!(
        everywhere.rows,
        text(&[&["tpch", "lineitem", "false", "", "samples", "TABLE", ""]])
    );
    let schema = run(&session, "SHOW TABLES IN `samples`.`tpch` LIKE 'part*'").await;
    assert_eq!(
        schema.columns,
        ["database STRING", "tableName STRING", "isTemporary BOOLEAN"]
    );
    assert_eq!(
        schema.rows,
        text(&[&["tpch", "part", "false"], &["tpch", "partsupp", "false"]])
    );
    assert_eq!(
        run(&session, "SHOW VIEWS").await.rows,
        text(&[&["default", "v", "false"]])
    );
}

#[tokio::test]
async fn columns() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t (Id INT NOT NULL COMMENT 'the key', price DECIMAL(12,3), name STRING)",
    )
    .await;
    let columns = run(
        &session,
        "SHOW COLUMNS IN CATALOG main SCHEMA LIKE 'def*' TABLE LIKE 't' LIKE '*'",
    )
    .await;
    assert_eq!(
        columns.columns,
        [
            "col_name STRING",
            "catalogName STRING",
            "namespace STRING",
            "tableName STRING",
            "columnType STRING",
            "columnSize INT",
            "decimalDigits INT",
            "radix INT",
            "isNullable STRING",
            "remarks STRING",
            "ordinalPosition INT",
            "isAutoIncrement STRING",
            "isGenerated STRING"
        ]
    );
    assert_eq!(
        columns.rows,
        text(&[
            &[
                "Id", "main", "default", "t", "INT", "10", "0", "10", "false", "the key", "0", "NO", "NO"
            ],
            &[
                "price",
                "main",
                "default",
                "t",
                "DECIMAL(12,3)",
                "12",
                "3",
                "10",
                "true",
                "",
                "1",
                "NO",
                "NO"
            ],
            &[
                "name",
                "main",
                "default",
                "t",
                "STRING",
                "2147483647",
                "NULL",
                "NULL",
                "true",
                "",
                "2",
                "NO",
                "NO"
            ],
        ])
    );
    let everywhere = run(&session, "SHOW COLUMNS IN ALL CATALOGS TABLE LIKE 'region' LIKE 'r_r*'").await;
    assert_eq!(everywhere.rows.len(), 1);
    let of_table = run(&session, "SHOW COLUMNS IN samples.tpch.region").await;
    assert_eq!(of_table.columns, ["col_name STRING"]);
    assert_eq!(of_table.rows, text(&[&["r_regionkey"], &["r_name"], &["r_comment"]]));
}

#[tokio::test]
async fn keys_and_functions() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT)").await;
    let keys = run(&session, "SHOW KEYS IN CATALOG `main` IN SCHEMA `default` IN TABLE `t`").await;
    assert_eq!(
        keys.columns,
        [
            "catalogName STRING",
            "namespace STRING",
            "tableName STRING",
            "col_name STRING",
            "keySeq INT",
            "constraintName STRING"
        ]
    );
    let foreign = run(
        &session,
        "SHOW FOREIGN KEYS IN CATALOG `main` IN SCHEMA `default` IN TABLE `t`",
    )
    .await;
    assert_eq!(foreign.columns.len(), 13);
    assert_eq!(
        foreign.columns[..2],
        ["parentCatalogName STRING", "parentNamespace STRING"]
    );
    assert!(keys.rows.is_empty() && foreign.rows.is_empty());
    let functions = run(&session, "SHOW FUNCTIONS IN CATALOG `main` SCHEMA LIKE '*' LIKE '*'").await;
    assert_eq!(
        functions.columns,
        [
            "catalogName STRING",
            "namespace STRING",
            "functionName STRING",
            "remarks STRING",
            "functionType INT",
            "specificName STRING"
        ]
    );
    assert_eq!(
        run(&session, "SHOW FUNCTIONS LIKE 'current_cat*'").await.rows,
        text(&[&["current_catalog"]])
    );
}

#[tokio::test]
async fn descriptions() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t (Id INT COMMENT 'the key', tags ARRAY<STRING>)",
    )
    .await;
    let table = run(&session, "DESCRIBE TABLE main.default.t").await;
    assert_eq!(table.columns, ["col_name STRING", "data_type STRING", "comment STRING"]);
    assert_eq!(
        table.rows,
        text(&[&["Id", "int", "the key"], &["tags", "array<string>", "NULL"]])
    );
    let extended = run(&session, "DESC EXTENDED t").await;
    assert!(extended.rows.contains(&text(&[&["Type", "MANAGED", ""]])[0]));
    let query = run(&session, "DESCRIBE QUERY SELECT count(*) AS Cnt, 1.5 AS x FROM t").await;
    assert_eq!(
        query.rows,
        text(&[&["Cnt", "bigint", "NULL"], &["x", "decimal(2,1)", "NULL"]])
    );
}

#[tokio::test]
async fn the_information_schema_of_a_catalog_tells_of_that_catalog_and_the_one_of_system_of_all() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t (a INT NOT NULL, b DECIMAL(5,1) COMMENT 'of b')",
    )
    .await;
    let columns = run(
        &session,
        "SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, is_nullable, full_data_type, data_type, comment \
         FROM main.information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position",
    )
    .await;
    assert_eq!(
        columns.rows,
        text(&[
            &["main", "default", "t", "a", "0", "NO", "int", "INT", "NULL"],
            &[
                "main",
                "default",
                "t",
                "b",
                "1",
                "YES",
                "decimal(5,1)",
                "DECIMAL",
                "of b"
            ],
        ])
    );
    assert_eq!(columns.columns[4], "ordinal_position INT");
    let tables = run(
        &session,
        "SELECT table_type FROM main.information_schema.tables WHERE table_schema = 'default'",
    )
    .await;
    assert_eq!(tables.rows, text(&[&["MANAGED"]]));
    let catalogs = "SELECT DISTINCT table_catalog FROM system.information_schema.tables ORDER BY 1";
    assert_eq!(
        run(&session, catalogs).await.rows,
        text(&[&["main"], &["samples"], &["system"]])
    );
    let routines = "SELECT routine_catalog, routine_schema, routine_name, comment, specific_name FROM main.information_schema.routines \
                    WHERE routine_type = 'PROCEDURE' AND routine_schema LIKE 'd%' ORDER BY 1, 2, 3";
    assert!(run(&session, routines).await.rows.is_empty());
}

#[tokio::test]
async fn a_table_is_shown_as_a_statement_that_creates_it_again() {
    let session = session();
    let create = "CREATE TABLE t (a INT NOT NULL COMMENT 'it''s', `b c` ARRAY<STRING>, CONSTRAINT pk PRIMARY KEY (a)) COMMENT 'all'";
    run(&session, create).await;
    let shown = async || run(&session, "SHOW CREATE TABLE t").await;
    let first = shown().await;
    assert_eq!(first.columns, ["createtab_stmt STRING"]);
    run(&session, "DROP TABLE t").await;
    run(&session, &first.rows[0][0]).await;
    assert_eq!(shown().await, first);
    run(&session, "CREATE VIEW v AS SELECT a FROM t").await;
    let view = run(&session, "SHOW CREATE TABLE v").await;
    run(&session, "DROP VIEW v").await;
    run(&session, &view.rows[0][0]).await;
    assert_eq!(run(&session, "SELECT count(a) FROM v").await.rows, [["0"]]);
    run(&session, "CREATE TEMP VIEW w AS SELECT 1 AS a").await;
    assert_eq!(
        error(&session, "SHOW CREATE TABLE w").await.class,
        "UNSUPPORTED_SHOW_CREATE_TABLE.ON_TEMPORARY_VIEW"
    );
}

#[tokio::test]
async fn catalogs_schemas_and_tables_are_described() {
    let session = session();
    run(&session, "CREATE SCHEMA s COMMENT 'notes'").await;
    let schema = run(&session, "DESCRIBE SCHEMA EXTENDED s").await;
    assert_eq!(
        schema.columns,
        ["database_description_item STRING", "database_description_value STRING"]
    );
    assert!(
        schema.rows.contains(&vec!["Comment".to_owned(), "notes".to_owned()]),
        "{schema:?}"
    );
    let catalog = run(&session, "DESCRIBE CATALOG samples").await;
    assert_eq!(catalog.rows[0], ["Catalog Name", "samples"]);
    run(
        &session,
        "CREATE TABLE s.t (a DECIMAL(10,2) NOT NULL COMMENT 'x', m MAP<STRING, INT>)",
    )
    .await;
    let described = run(&session, "DESCRIBE TABLE EXTENDED s.t AS JSON").await;
    assert_eq!(described.columns, ["json_metadata STRING"]);
    let json: serde_json::Value = serde_json::from_str(&described.rows[0][0]).unwrap();
    assert_eq!(json["catalog_name"], "main");
    assert_eq!(json["namespace"], serde_json::json!(["s"]));
    assert_eq!(
        json["columns"][0],
        serde_json::json!({
            "name": "a", "type": { "name": "decimal", "precision": 10, "scale": 2 }, "nullable": false, "comment": "x"
        })
    );
    assert_eq!(json["columns"][1]["type"]["key_type"]["name"], "string");
    assert_eq!(
        error(&session, "DESCRIBE SCHEMA nowhere").await.class,
        "SCHEMA_NOT_FOUND"
    );
}
