//! `MERGE INTO` on `main`.

use crate::engine_support::{error, run, session, text};

#[tokio::test]
async fn a_merge_updates_what_matches_and_inserts_the_rest() {
    let session = session();
    run(&session, "CREATE TABLE t (id INT NOT NULL, name STRING, n INT)").await;
    run(
        &session,
        "INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30)",
    )
    .await;
    run(
        &session,
        "CREATE TABLE s AS SELECT * FROM VALUES (2, 'B', 5), (4, 'D', 7) AS v(id, name, n)",
    )
    .await;
    let merged = session
        .execute(
            "MERGE INTO t USING s ON t.id = s.id \
             WHEN MATCHED THEN UPDATE SET t.name = s.name, n = t.n + s.n \
             WHEN NOT MATCHED THEN INSERT (id, name) VALUES (id, lower(name))",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(merged.num_modified_rows, Some(2));
    let rows = [["1", "a", "10"], ["2", "B", "25"], ["3", "c", "30"], ["4", "d", "NULL"]];
    let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
    assert_eq!(run(&session, "SELECT * FROM t ORDER BY id").await.rows, text(&rows));

    let merged = run(
        &session,
        "MERGE INTO main.default.t AS a USING (SELECT id + 1 AS id, 'x' AS name, 0 AS n, 1 AS more FROM range(2, 5)) AS b \
         ON a.id = b.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED BY TARGET THEN INSERT *",
    )
    .await;
    assert_eq!(
        merged.columns,
        [
            "num_affected_rows BIGINT",
            "num_updated_rows BIGINT",
            "num_deleted_rows BIGINT",
            "num_inserted_rows BIGINT"
        ]
    );
    assert_eq!(merged.rows, text(&[&["3", "2", "0", "1"]]));
    let rows = [
        ["1", "a", "10"],
        ["2", "B", "25"],
        ["3", "x", "0"],
        ["4", "x", "0"],
        ["5", "x", "0"],
    ];
    let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
    assert_eq!(run(&session, "SELECT * FROM t ORDER BY id").await.rows, text(&rows));
}

#[tokio::test]
async fn the_first_clause_whose_condition_holds_acts() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t AS SELECT CAST(id AS INT) AS id, 0 AS n FROM range(8)",
    )
    .await;
    let merged = run(
        &session,
        "MERGE INTO t USING (SELECT CAST(id AS INT) AS id, CAST(id AS INT) % 2 AS odd FROM range(4, 12)) s ON t.id = s.id \
         WHEN MATCHED AND s.odd = 1 AND t.id > 6 THEN DELETE \
         WHEN MATCHED AND s.odd = 1 THEN UPDATE SET n = 100 DIV (t.id - 4) \
         WHEN NOT MATCHED AND odd = 0 THEN INSERT (id, n) VALUES (id, 1) \
         WHEN NOT MATCHED AND id > 10 THEN INSERT (id) VALUES (s.id) \
         WHEN NOT MATCHED BY SOURCE AND id < 2 THEN DELETE \
         WHEN NOT MATCHED BY SOURCE THEN UPDATE SET n = n - id",
    )
    .await;
    assert_eq!(merged.rows, text(&[&["9", "3", "3", "3"]]));
    let rows = [
        ["2", "-2"],
        ["3", "-3"],
        ["4", "0"],
        ["5", "100"],
        ["6", "0"],
        ["8", "1"],
        ["10", "1"],
        ["11", "NULL"],
    ];
    let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
    assert_eq!(run(&session, "SELECT * FROM t ORDER BY id").await.rows, text(&rows));
}

#[tokio::test]
async fn null_matches_nothing_and_a_constant_condition_is_one() {
    let session = session();
    run(&session, "CREATE TABLE t AS SELECT * FROM VALUES (1), (NULL) AS v(id)").await;
    let same = "MERGE INTO t USING t AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET id = 2 \
                WHEN NOT MATCHED THEN INSERT *";
    assert_eq!(run(&session, same).await.rows, text(&[&["2", "1", "0", "1"]]));
    let rows = text(&[&["2"], &["NULL"], &["NULL"]]);
    let all = "SELECT * FROM t ORDER BY id NULLS LAST";
    assert_eq!(run(&session, all).await.rows, rows);
    let never = "MERGE INTO t USING (SELECT 9 AS id) ON false WHEN NOT MATCHED THEN INSERT * \
                 WHEN NOT MATCHED BY SOURCE THEN DELETE";
    assert_eq!(run(&session, never).await.rows, text(&[&["4", "0", "3", "1"]]));
    assert_eq!(run(&session, all).await.rows, text(&[&["9"]]));
    // An empty source and an empty target.
    run(&session, "TRUNCATE TABLE t").await;
    assert_eq!(run(&session, same).await.rows, text(&[&["0", "0", "0", "0"]]));
}

#[tokio::test]
async fn a_row_is_changed_by_one_row_of_the_source() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t AS SELECT * FROM VALUES (1, 10), (2, 20) AS v(id, n)",
    )
    .await;
    let merge = |clauses: &str| {
        format!("MERGE INTO t USING (SELECT * FROM VALUES (1, 1), (1, 2) AS v(id, k)) AS s ON t.id = s.id {clauses}")
    };
    for clauses in [
        "WHEN MATCHED THEN UPDATE SET n = k",
        "WHEN MATCHED AND k > 0 THEN DELETE",
        "WHEN MATCHED AND k = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 0",
    ] {
        let error = error(&session, &merge(clauses)).await;
        assert_eq!(
            (error.class, error.sql_state),
            ("DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "21506"),
            "{clauses}"
        );
    }
    let rows = text(&[&["1", "10"], &["2", "20"]]);
    assert_eq!(run(&session, "SELECT * FROM t ORDER BY id").await.rows, rows);
    // One of the rows acts, or all do the same.
    let one = run(&session, &merge("WHEN MATCHED AND k = 2 THEN UPDATE SET n = k")).await;
    assert_eq!(one.rows, text(&[&["1", "1", "0", "0"]]));
    let deleted = run(&session, &merge("WHEN MATCHED THEN DELETE")).await;
    assert_eq!(deleted.rows, text(&[&["1", "0", "1", "0"]]));
    assert_eq!(run(&session, "SELECT * FROM t").await.rows, text(&[&["2", "20"]]));
}

#[tokio::test]
async fn a_merge_that_fails_changes_nothing() {
    let session = session();
    run(&session, "CREATE TABLE t (id INT NOT NULL, n INT)").await;
    run(&session, "INSERT INTO t VALUES (1, 10), (2, 20)").await;
    for (clauses, class) in [
        ("WHEN MATCHED THEN UPDATE SET n = 1 DIV (t.id - 1)", "DIVIDE_BY_ZERO"),
        (
            "WHEN MATCHED THEN UPDATE SET id = NULL",
            "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
        ),
        (
            "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (n) VALUES (s.id)",
            "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
        ),
        ("WHEN MATCHED THEN UPDATE SET n = 'x'", "CAST_INVALID_INPUT"),
        (
            "WHEN MATCHED THEN UPDATE SET m = 1",
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        ),
        (
            "WHEN MATCHED THEN UPDATE SET s.id = 1",
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        ),
        ("WHEN MATCHED THEN UPDATE SET *", "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
        ("WHEN MATCHED THEN UPDATE SET n = id", "AMBIGUOUS_REFERENCE"),
        ("WHEN MATCHED THEN UPDATE SET n = 1, N = 2", "COLUMN_ALREADY_EXISTS"),
        (
            "WHEN NOT MATCHED THEN INSERT (id, n) VALUES (1)",
            "INSERT_COLUMN_ARITY_MISMATCH",
        ),
        ("WHEN NOT MATCHED BY SOURCE THEN UPDATE SET *", "UNSUPPORTED_FEATURE"),
        ("", "PARSE_SYNTAX_ERROR"),
    ] {
        let sql = format!("MERGE INTO t USING (SELECT * FROM VALUES (1), (3) AS v(id)) AS s ON t.id = s.id {clauses}");
        assert_eq!(error(&session, &sql).await.class, class, "{clauses}");
    }
    let rows = text(&[&["1", "10"], &["2", "20"]]);
    assert_eq!(run(&session, "SELECT * FROM t ORDER BY id").await.rows, rows);
    let view = error(
        &session,
        "MERGE INTO samples.tpch.region AS r USING t ON r.r_regionkey = t.id WHEN MATCHED THEN DELETE",
    )
    .await;
    assert_eq!(view.sql_state, "0A000");
}

#[tokio::test]
async fn columns_are_found_in_any_case_on_both_sides() {
    let session = session();
    run(&session, "CREATE TABLE target (Id INT, Name STRING)").await;
    run(&session, "CREATE TABLE source (ID INT, NAME STRING)").await;
    run(&session, "INSERT INTO target VALUES (1, 'old'), (2, 'kept')").await;
    run(&session, "INSERT INTO source VALUES (1, 'new'), (3, 'added')").await;
    let merge = "MERGE INTO target AS t USING source AS s ON t.id = s.id AND s.Name <> t.NAME \
                 WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)";
    run(&session, merge).await;
    let rows = run(&session, "SELECT * FROM target ORDER BY id").await;
    assert_eq!(rows.rows, text(&[&["1", "new"], &["2", "kept"], &["3", "added"]]));
}
