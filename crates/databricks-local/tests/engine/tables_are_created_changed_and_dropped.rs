//! DDL and DML on `main`.

use crate::engine_support::{error, run, session, text};

#[tokio::test]
async fn a_table_is_created_filled_changed_and_dropped() {
    let session = session();
    let created = session
        .execute(
            "CREATE TABLE t (id INT NOT NULL, name STRING, amount DECIMAL(10,2)) USING DELTA TBLPROPERTIES ('a' = 'b')",
            &[],
        )
        .await
        .unwrap();
    assert!(!created.returns_rows);
    assert!(created.columns.is_empty());

    let inserted = session
        .execute("INSERT INTO t VALUES (1, 'a', 1.5), (2, 'b', NULL), (3, 'c', 30)", &[])
        .await
        .unwrap();
    assert_eq!(inserted.num_modified_rows, Some(3));
    let inserted = run(&session, "INSERT INTO t (name, id) SELECT 'd', 4").await;
    assert_eq!(
        inserted.columns,
        ["num_affected_rows BIGINT", "num_inserted_rows BIGINT"]
    );
    assert_eq!(inserted.rows, text(&[&["1", "1"]]));

    let updated = session
        .execute(
            "UPDATE t SET amount = 10 / id, name = upper(name) WHERE id % 2 = 0",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(updated.num_modified_rows, Some(2));
    let deleted = run(&session, "DELETE FROM t WHERE amount > 20").await;
    assert_eq!(deleted.columns, ["num_affected_rows BIGINT"]);
    assert_eq!(deleted.rows, text(&[&["1"]]));
    let rows = text(&[&["1", "a", "1.50"], &["2", "B", "5.00"], &["4", "D", "2.50"]]);
    assert_eq!(
        run(&session, "SELECT * FROM main.default.t ORDER BY id").await.rows,
        rows
    );

    run(&session, "INSERT OVERWRITE t (id) SELECT id FROM range(3)").await;
    assert_eq!(
        run(&session, "SELECT count(*), sum(id), count(name) FROM t").await.rows,
        text(&[&["3", "3", "0"]])
    );
    run(&session, "TRUNCATE TABLE t").await;
    assert_eq!(run(&session, "SELECT count(*) FROM t").await.rows, text(&[&["0"]]));
    run(&session, "DROP TABLE t").await;
    assert_eq!(
        error(&session, "SELECT * FROM t").await.class,
        "TABLE_OR_VIEW_NOT_FOUND"
    );
    run(&session, "DROP TABLE IF EXISTS t").await;
}

#[tokio::test]
async fn a_condition_that_is_unknown_deletes_and_updates_nothing() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t AS SELECT * FROM VALUES (1, 10), (2, NULL) AS v(id, x)",
    )
    .await;
    assert_eq!(run(&session, "DELETE FROM t WHERE x > 100").await.rows, text(&[&["0"]]));
    assert_eq!(
        run(&session, "UPDATE t SET x = 0 WHERE x > 5").await.rows,
        text(&[&["1"]])
    );
    assert_eq!(
        run(&session, "SELECT * FROM t ORDER BY id").await.rows,
        text(&[&["1", "0"], &["2", "NULL"]])
    );
    assert_eq!(
        run(&session, "DELETE FROM t WHERE id IN (SELECT 2)").await.rows,
        text(&[&["1"]])
    );
    assert_eq!(run(&session, "DELETE FROM t").await.rows, text(&[&["1"]]));
}

#[tokio::test]
async fn a_statement_that_fails_changes_nothing() {
    let session = session();
    run(&session, "CREATE TABLE t (id INT NOT NULL, x INT)").await;
    run(&session, "INSERT INTO t VALUES (0, 1), (1, 2)").await;
    for (sql, class) in [
        ("UPDATE t SET x = 1 DIV id", "DIVIDE_BY_ZERO"),
        (
            "UPDATE t SET id = NULL WHERE id = 1",
            "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
        ),
        ("DELETE FROM t WHERE 1 DIV id = 1", "DIVIDE_BY_ZERO"),
        (
            "INSERT INTO t VALUES (2, 3), (NULL, 4)",
            "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
        ),
        ("INSERT INTO t VALUES (2, 'three')", "CAST_INVALID_INPUT"),
        ("INSERT INTO t VALUES (2147483648, 1)", "CAST_OVERFLOW"),
        ("INSERT INTO t (id) VALUES (2, 3)", "INSERT_COLUMN_ARITY_MISMATCH"),
        ("INSERT INTO t VALUES (2)", "INSERT_COLUMN_ARITY_MISMATCH"),
        (
            "CREATE OR REPLACE TABLE t AS SELECT 1 DIV id AS id FROM t",
            "DIVIDE_BY_ZERO",
        ),
    ] {
        assert_eq!(error(&session, sql).await.class, class, "{sql}");
        let rows = run(&session, "SELECT * FROM t ORDER BY id").await.rows;
        assert_eq!(rows, text(&[&["0", "1"], &["1", "2"]]), "{sql}");
    }
    // The rows that the condition leaves alone cannot fail.
    assert_eq!(
        run(&session, "UPDATE t SET x = 1 DIV id WHERE id <> 0").await.rows,
        text(&[&["1"]])
    );
}

#[tokio::test]
async fn a_table_made_from_a_query_has_the_names_and_types_of_the_query() {
    let session = session();
    run(
        &session,
        "CREATE TABLE Nations AS SELECT n_name AS Name, n_regionkey, count(*) OVER () AS `How Many` FROM samples.tpch.nation",
    )
    .await;
    let answer = run(&session, "SELECT * FROM nations ORDER BY name LIMIT 1").await;
    assert_eq!(answer.columns, ["Name STRING", "n_regionkey BIGINT", "How Many BIGINT"]);
    assert_eq!(answer.rows, text(&[&["ALGERIA", "0", "25"]]));
    assert_eq!(
        error(&session, "CREATE TABLE nations (a INT)").await.class,
        "TABLE_OR_VIEW_ALREADY_EXISTS"
    );
    run(&session, "CREATE TABLE IF NOT EXISTS nations (a INT)").await;
    run(&session, "CREATE OR REPLACE TABLE nations (a INT)").await;
    assert!(run(&session, "SELECT a FROM nations").await.rows.is_empty());
}

#[tokio::test]
async fn a_view_shows_the_rows_of_its_tables() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT)").await;
    run(&session, "CREATE VIEW v (Twice) AS SELECT a * 2 FROM t").await;
    run(&session, "INSERT INTO t VALUES (21)").await;
    let answer = run(&session, "SELECT * FROM v").await;
    assert_eq!(
        (answer.columns, answer.rows),
        (vec!["Twice INT".to_owned()], text(&[&["42"]]))
    );
    assert_eq!(
        error(&session, "DROP TABLE v").await.class,
        "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE"
    );
    assert_eq!(error(&session, "INSERT INTO v VALUES (1)").await.sql_state, "0A000");
    run(&session, "CREATE OR REPLACE VIEW v AS SELECT a FROM t").await;
    assert_eq!(run(&session, "SELECT * FROM v").await.rows, text(&[&["21"]]));
    run(&session, "DROP VIEW v").await;
}

#[tokio::test]
async fn schemas_come_and_go() {
    let session = session();
    run(&session, "CREATE SCHEMA main.Scratch").await;
    assert_eq!(
        error(&session, "CREATE SCHEMA scratch").await.class,
        "SCHEMA_ALREADY_EXISTS"
    );
    run(&session, "CREATE SCHEMA IF NOT EXISTS scratch").await;
    run(&session, "CREATE TABLE scratch.t (a INT)").await;
    assert_eq!(error(&session, "DROP SCHEMA scratch").await.class, "SCHEMA_NOT_EMPTY");
    run(&session, "DROP SCHEMA scratch CASCADE").await;
    assert_eq!(error(&session, "DROP SCHEMA scratch").await.class, "SCHEMA_NOT_FOUND");
    run(&session, "DROP SCHEMA IF EXISTS scratch").await;
}

#[tokio::test]
async fn what_the_workspace_provides_cannot_be_changed() {
    let session = session();
    for sql in [
        "INSERT INTO samples.tpch.region VALUES (1, 'x', 'y')",
        "DELETE FROM samples.tpch.region",
        "UPDATE samples.tpch.region SET r_name = 'x'",
        "DROP TABLE samples.tpch.region",
        "CREATE TABLE samples.tpch.mine (a INT)",
        "CREATE SCHEMA samples.mine",
        "DROP SCHEMA samples.tpch CASCADE",
        "TRUNCATE TABLE system.information_schema.tables",
        "CREATE TABLE t (a INT) LOCATION '/tmp/t'",
        "CREATE TABLE t (a INT) USING parquet",
    ] {
        assert_eq!(error(&session, sql).await.sql_state, "0A000", "{sql}");
    }
    assert_eq!(
        run(&session, "SELECT count(*) FROM samples.tpch.region").await.rows,
        text(&[&["5"]])
    );
}

#[tokio::test]
async fn changes_at_the_same_time_all_count() {
    let session = session();
    run(&session, "CREATE TABLE t (n INT)").await;
    run(&session, "INSERT INTO t VALUES (0)").await;
    let updates = (0..20).map(|_| run(&session, "UPDATE t SET n = n + 1"));
    futures::future::join_all(updates).await;
    assert_eq!(run(&session, "SELECT n FROM t").await.rows, text(&[&["20"]]));
}
