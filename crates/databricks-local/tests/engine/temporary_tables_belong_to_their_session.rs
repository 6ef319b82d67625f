//! Temporary tables and views: seen by one session's statements, before a schema's tables of the same name.

use std::collections::BTreeMap;
use std::sync::Arc;

use databricks_local::engine::{Engine, EngineSession};

use crate::engine_support::{engine, error, run, session, text};

fn open(engine: &Arc<Engine>) -> Arc<EngineSession> {
    engine.session(None, None, &BTreeMap::new()).unwrap()
}

#[tokio::test]
async fn two_sessions_have_two_tables_of_one_name_and_a_third_has_the_lasting_one() {
    let engine = engine();
    let (first, second, third) = (open(&engine), open(&engine), open(&engine));
    run(&third, "CREATE TABLE t AS SELECT 'lasting' AS a").await;
    run(&first, "CREATE TEMPORARY TABLE t (a STRING)").await;
    run(&first, "INSERT INTO t VALUES ('first')").await;
    run(&second, "CREATE TEMP TABLE T AS SELECT 'second' AS a").await;
    for (session, expected) in [(&first, "first"), (&second, "second"), (&third, "lasting")] {
        assert_eq!(run(session, "SELECT t.a FROM t").await.rows, text(&[&[expected]]));
        // A name with a schema is never that of a temporary table.
        for lasting in ["main.default.t", "default.t"] {
            let read = run(session, &format!("SELECT a FROM {lasting}")).await;
            assert_eq!(read.rows, text(&[&["lasting"]]), "{lasting}");
        }
        let place = run(session, "SELECT current_catalog(), current_schema()").await;
        assert_eq!(place.rows, text(&[&["main", "default"]]));
    }
    // The schema's other tables are found as before, wherever the session goes.
    run(&first, "CREATE TABLE beside (b INT)").await;
    assert_eq!(
        run(&first, "SELECT count(*) FROM beside, t").await.rows,
        text(&[&["0"]])
    );
    run(&first, "USE samples.tpch").await;
    let joined = run(&first, "SELECT t.a, count(*) FROM t, region GROUP BY t.a").await;
    assert_eq!(joined.rows, text(&[&["first", "5"]]));
    let with = run(&first, "WITH t AS (SELECT 'cte' AS a) SELECT a FROM t").await;
    assert_eq!(with.rows, text(&[&["cte"]]));
}

#[tokio::test]
async fn dropping_gives_the_name_back_to_the_lasting_table() {
    let session = session();
    run(&session, "CREATE TABLE t AS SELECT 1 AS a").await;
    run(&session, "CREATE TEMP TABLE t AS SELECT 2 AS a").await;
    run(&session, "DROP TABLE t").await;
    assert_eq!(run(&session, "SELECT a FROM t").await.rows, text(&[&["1"]]));
    run(&session, "CREATE TEMP VIEW v AS SELECT a + 1 AS b FROM t").await;
    assert_eq!(run(&session, "SELECT b FROM v").await.rows, text(&[&["2"]]));
    run(&session, "DROP VIEW v").await;
    assert_eq!(
        error(&session, "SELECT b FROM v").await.class,
        "TABLE_OR_VIEW_NOT_FOUND"
    );
}

#[tokio::test]
async fn every_change_of_rows_works_on_them() {
    let session = session();
    run(&session, "CREATE TABLE t (lasting INT)").await;
    run(
        &session,
        "CREATE TEMP TABLE t (Id INT NOT NULL, name STRING COMMENT 'who')",
    )
    .await;
    let changed = async |sql: &str| session.execute(sql, &[]).await.unwrap().num_modified_rows;
    assert_eq!(
        changed("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')").await,
        Some(3)
    );
    assert_eq!(changed("UPDATE t SET name = 'x' WHERE id = 1").await, Some(1));
    assert_eq!(changed("DELETE FROM t WHERE ID = 2").await, Some(1));
    let merge = "MERGE INTO t USING (SELECT 3 AS id, 'y' AS name) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name";
    assert_eq!(changed(merge).await, Some(1));
    let rows = run(&session, "SELECT * FROM t ORDER BY id").await;
    assert_eq!(rows.rows, text(&[&["1", "x"], &["3", "y"]]));
    let described = run(&session, "DESCRIBE TABLE t").await;
    assert_eq!(
        described.rows,
        text(&[&["Id", "int", "NULL"], &["name", "string", "who"]])
    );
    run(&session, "INSERT OVERWRITE t SELECT 9, 'z'").await;
    assert_eq!(run(&session, "SELECT id FROM t").await.rows, text(&[&["9"]]));
    assert_eq!(
        error(&session, "INSERT INTO t VALUES (NULL, 'n')").await.class,
        "DELTA_NOT_NULL_CONSTRAINT_VIOLATED"
    );
    assert_eq!(
        run(&session, "SELECT count(*) FROM default.t").await.rows,
        text(&[&["0"]])
    );
}

#[tokio::test]
async fn lists_name_them_in_no_schema_and_say_that_they_are_temporary() {
    let engine = engine();
    let (session, other) = (open(&engine), open(&engine));
    run(&session, "CREATE TABLE lasting (a INT)").await;
    run(&session, "CREATE TEMP TABLE own (a INT)").await;
    run(&session, "CREATE OR REPLACE TEMP VIEW seen AS SELECT 1 AS a").await;
    let tables = run(&session, "SHOW TABLES").await;
    assert_eq!(
        tables.columns,
        ["database STRING", "tableName STRING", "isTemporary BOOLEAN"]
    );
    assert_eq!(
        tables.rows,
        text(&[
            &["default", "lasting", "false"],
            &["", "own", "true"],
            &["", "seen", "true"]
        ])
    );
    let views = run(&session, "SHOW VIEWS IN samples.tpch").await;
    assert_eq!(views.rows, text(&[&["", "seen", "true"]]));
    assert_eq!(
        run(&session, "SHOW TABLES LIKE 'o*'").await.rows,
        text(&[&["", "own", "true"]])
    );
    assert_eq!(
        run(&other, "SHOW TABLES").await.rows,
        text(&[&["default", "lasting", "false"]])
    );
    let known = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'default'";
    assert_eq!(run(&session, known).await.rows, text(&[&["lasting"]]));
}

#[tokio::test]
async fn they_are_replaced_but_not_changed_and_lasting_views_do_not_read_them() {
    let session = session();
    run(&session, "CREATE TEMP TABLE t (a INT)").await;
    run(&session, "CREATE OR REPLACE TEMPORARY TABLE t AS SELECT 'x' AS b").await;
    assert_eq!(run(&session, "SELECT * FROM t").await.columns, ["b STRING"]);
    run(&session, "CREATE OR REPLACE TEMP VIEW v AS SELECT b FROM t").await;
    run(&session, "CREATE OR REPLACE TEMP VIEW v AS SELECT 1 AS one").await;
    for (sql, class) in [
        ("CREATE TEMP TABLE t (a INT)", "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS"),
        (
            "CREATE OR REPLACE TEMP VIEW t AS SELECT 1",
            "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
        ),
        ("CREATE TEMP TABLE IF NOT EXISTS t (a INT)", "PARSE_SYNTAX_ERROR"),
        (
            "CREATE TEMP TABLE default.u (a INT)",
            "TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS",
        ),
        ("CREATE GLOBAL TEMPORARY VIEW g AS SELECT 1", "UNSUPPORTED_FEATURE"),
        ("CREATE VIEW w AS SELECT b FROM t", "INVALID_TEMP_OBJ_REFERENCE"),
        ("TRUNCATE TABLE t", "TEMP_TABLE_OPERATION_NOT_SUPPORTED.TRUNCATE_TABLE"),
        (
            "ALTER TABLE t ALTER COLUMN b SET NOT NULL",
            "TEMP_TABLE_OPERATION_NOT_SUPPORTED.ALTER_TABLE",
        ),
        ("DROP VIEW t", "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE"),
    ] {
        assert_eq!(error(&session, sql).await.class, class, "{sql}");
    }
    // A table that is made of their rows lasts.
    run(&session, "CREATE TABLE kept AS SELECT b FROM t").await;
    assert_eq!(run(&session, "SELECT b FROM default.kept").await.rows, text(&[&["x"]]));
}

#[tokio::test]
async fn their_memory_comes_back_when_the_session_ends() {
    let config = databricks_local::engine::EngineConfig {
        scale_factor: 0.01,
        memory_limit: Some(1 << 20),
        ..Default::default()
    };
    let engine = Engine::new(config).unwrap();
    for _ in 0..8 {
        let session = open(&engine);
        let small = "CREATE TEMP TABLE t AS SELECT l_orderkey FROM samples.tpch.lineitem LIMIT 30000";
        run(&session, small).await;
    }
}
