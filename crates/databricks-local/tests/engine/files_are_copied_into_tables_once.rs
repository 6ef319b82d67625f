//! `COPY INTO` and `read_files` on volumes; and the constraint that a table gets afterwards.

use crate::engine_support::{run, session, try_run};

const CSV: &str = "/Volumes/main/default/v/in";

/// A session whose engine has a volume with a file of this content. Only the Files API writes files, so the test looks for the volume.
async fn with_file(name: &str, content: &str) -> std::sync::Arc<databricks_local::engine::EngineSession> {
    let session = session();
    run(&session, "CREATE VOLUME main.default.v").await;
    put(&session, name, content);
    session
}

fn put(session: &databricks_local::engine::EngineSession, name: &str, content: &str) {
    session
        .write_volume_file(&format!("{CSV}/{name}"), content.as_bytes())
        .unwrap();
}

#[tokio::test]
async fn a_file_is_copied_once_unless_it_changed_or_is_forced() {
    let session = with_file("a.csv", "Id,name\n1,x\n2,y\n").await;
    run(&session, "CREATE TABLE t (name STRING, Id BIGINT, extra INT)").await;
    let copy = format!("COPY INTO t FROM '{CSV}' FILEFORMAT = CSV");
    assert_eq!(run(&session, &copy).await.rows, [["2", "2", "0"]]);
    assert_eq!(run(&session, &copy).await.rows, [["0", "0", "0"]]);
    put(&session, "b.csv", "Id,name\n3,z\n");
    put(&session, "_hidden.csv", "Id,name\n9,h\n");
    assert_eq!(run(&session, &copy).await.rows, [["1", "1", "0"]]);
    let forced = format!("{copy} COPY_OPTIONS ('force' = 'true')");
    assert_eq!(run(&session, &forced).await.rows, [["3", "3", "0"]]);
    put(&session, "b.csv", "Id,name\n30,zz\n31,\n");
    assert_eq!(run(&session, &copy).await.rows, [["2", "2", "0"]]);
    let rows = run(&session, "SELECT id, name, extra FROM t ORDER BY id, name")
        .await
        .rows;
    assert_eq!(rows.len(), 8);
    assert_eq!(rows[7], ["31", "NULL", "NULL"]);
}

#[tokio::test]
async fn a_select_shapes_what_is_copied() {
    let session = with_file("a.csv", "Id,name\n1,x\n2,y\n").await;
    run(&session, "CREATE TABLE t (id STRING, twice INT)").await;
    let sql =
        format!("COPY INTO t FROM (SELECT CAST(`Id` AS STRING) AS id, 2 * id AS twice FROM '{CSV}') FILEFORMAT = CSV");
    run(&session, &sql).await;
    assert_eq!(
        run(&session, "SELECT * FROM t ORDER BY id").await.rows,
        [["1", "2"], ["2", "4"]]
    );
    let read = format!("SELECT `Id`, NAME FROM read_files('{CSV}', format => 'csv') ORDER BY 1");
    assert_eq!(run(&session, &read).await.rows, [["1", "x"], ["2", "y"]]);
    let create = format!("CREATE OR REPLACE TABLE t AS SELECT `Id` FROM read_files('{CSV}', format => 'csv')");
    run(&session, &create).await;
    assert_eq!(run(&session, "SELECT * FROM t ORDER BY 1").await.rows, [["1"], ["2"]]);
}

#[tokio::test]
async fn what_does_not_fit_copies_nothing_and_says_why() {
    let session = with_file("a.csv", "id,name\n1,x\nno number,y\n").await;
    run(&session, "CREATE TABLE t (id INT, name STRING)").await;
    let class = async |sql: String| try_run(&session, &sql, &[]).await.unwrap_err().class;
    let copy = |table: &str, path: &str, rest: &str| format!("COPY INTO {table} FROM '{path}' FILEFORMAT = CSV {rest}");
    assert_eq!(class(copy("t", CSV, "")).await, "CAST_INVALID_INPUT");
    assert_eq!(class(copy("missing", CSV, "")).await, "TABLE_OR_VIEW_NOT_FOUND");
    assert_eq!(
        class(copy("t", "/Volumes/main/default/v/none", "")).await,
        "PATH_NOT_FOUND"
    );
    assert_eq!(
        class(copy("t", "/Volumes/main/default/w/a", "")).await,
        "VOLUME_DOES_NOT_EXIST"
    );
    assert_eq!(class(copy("t", CSV, "PATTERN = 'x'")).await, "UNSUPPORTED_FEATURE");
    assert_eq!(
        class("COPY INTO t FROM (SELECT 1) FILEFORMAT = CSV".to_owned()).await,
        "PARSE_SYNTAX_ERROR"
    );
    run(&session, "CREATE TABLE narrow (id STRING)").await;
    assert_eq!(class(copy("narrow", CSV, "")).await, "DELTA_METADATA_MISMATCH");
    assert_eq!(run(&session, "SELECT count(*) FROM t").await.rows, [["0"]]);
}

#[tokio::test]
async fn a_column_becomes_not_null_if_it_holds_none() {
    let session = session();
    run(&session, "CREATE TABLE t AS SELECT 1 AS a, CAST(NULL AS INT) AS b").await;
    run(&session, "ALTER TABLE t ALTER COLUMN a SET NOT NULL").await;
    let refused = try_run(&session, "ALTER TABLE t ALTER COLUMN b SET NOT NULL", &[])
        .await
        .unwrap_err();
    assert_eq!(refused.class, "DELTA_NOT_NULL_CONSTRAINT_VIOLATED");
    let refused = try_run(&session, "INSERT INTO t VALUES (NULL, 1)", &[])
        .await
        .unwrap_err();
    assert_eq!(refused.class, "DELTA_NOT_NULL_CONSTRAINT_VIOLATED");
    run(&session, "INSERT INTO t VALUES (2, 2)").await;
    run(&session, "ALTER TABLE t ALTER COLUMN a DROP NOT NULL").await;
    run(&session, "INSERT INTO t VALUES (NULL, 3)").await;
    assert_eq!(run(&session, "SELECT sum(a), sum(b) FROM t").await.rows, [["3", "5"]]);
}
