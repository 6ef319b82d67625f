//! `ANALYZE TABLE … COMPUTE STATISTICS`, and what `DESCRIBE TABLE EXTENDED t c` tells afterwards.

use databricks_local as _;
use databricks_local::engine::EngineSession;

use crate::engine_support::{error, run, session, text};

/// What is told of a column, without its name, type and comment.
async fn told(session: &EngineSession, column: &str) -> Vec<String> {
    let answer = run(session, &format!("DESCRIBE TABLE EXTENDED t {column}")).await;
    assert_eq!(answer.columns, ["info_name STRING", "info_value STRING"]);
    let names: Vec<&str> = answer.rows.iter().map(|row| row[0].as_str()).collect();
    let expected = [
        "col_name",
        "data_type",
        "comment",
        "min",
        "max",
        "num_nulls",
        "distinct_count",
        "avg_col_len",
        "max_col_len",
        "histogram",
    ];
    assert_eq!(names, expected);
    answer.rows[3..9].iter().map(|row| row[1].clone()).collect()
}

#[tokio::test]
async fn of_every_type_that_has_some() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t AS SELECT CAST(id AS INT) AS id, name, day, money, yes, x, list FROM VALUES \
         (1, 'a', DATE'2026-01-01', CAST(1.5 AS DECIMAL(5,1)), true, 0.5D, array(1)), \
         (2, 'four', DATE'2026-02-01', CAST(2.5 AS DECIMAL(5,1)), false, 1.5D, array(2)), \
         (2, NULL, NULL, NULL, NULL, NULL, NULL) AS v(id, name, day, money, yes, x, list)",
    )
    .await;
    assert_eq!(told(&session, "id").await, ["NULL"; 6], "nothing is known before");
    run(&session, "ANALYZE TABLE t COMPUTE STATISTICS NOSCAN").await;
    run(&session, "ANALYZE TABLE t COMPUTE STATISTICS").await;
    assert_eq!(told(&session, "id").await, ["NULL"; 6]);
    run(
        &session,
        "ANALYZE TABLE main.default.t COMPUTE STATISTICS FOR ALL COLUMNS",
    )
    .await;
    assert_eq!(told(&session, "ID").await, ["1", "2", "0", "2", "4", "4"]);
    assert_eq!(told(&session, "name").await, ["NULL", "NULL", "1", "2", "3", "4"]);
    let days = ["2026-01-01", "2026-02-01", "1", "2", "4", "4"];
    assert_eq!(told(&session, "day").await, days);
    assert_eq!(told(&session, "money").await, ["1.5", "2.5", "1", "2", "8", "8"]);
    assert_eq!(told(&session, "yes").await, ["false", "true", "1", "2", "1", "1"]);
    assert_eq!(told(&session, "x").await, ["0.5", "1.5", "1", "2", "8", "8"]);
    assert_eq!(told(&session, "list").await, ["NULL"; 6]);
}

#[tokio::test]
async fn until_they_are_computed_again_or_the_table_is_another() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT COMMENT 'the key', b INT)").await;
    run(&session, "INSERT INTO t VALUES (1, 1)").await;
    run(&session, "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a, b").await;
    run(&session, "INSERT INTO t VALUES (9, 9)").await;
    run(&session, "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS B").await;
    assert_eq!(told(&session, "a").await[1], "1", "as old as it is");
    assert_eq!(told(&session, "b").await[1], "9");
    let short = run(&session, "DESC t a").await;
    assert_eq!(
        short.rows,
        text(&[&["col_name", "a"], &["data_type", "int"], &["comment", "the key"]])
    );
    run(&session, "CREATE OR REPLACE TABLE t (a INT)").await;
    assert_eq!(told(&session, "a").await, ["NULL"; 6]);
}

#[tokio::test]
async fn refusals_have_their_classes() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT, list ARRAY<INT>)").await;
    run(&session, "CREATE VIEW v AS SELECT * FROM t").await;
    for (sql, class) in [
        ("ANALYZE TABLE nowhere COMPUTE STATISTICS", "TABLE_OR_VIEW_NOT_FOUND"),
        ("ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS b", "UNRESOLVED_COLUMN"),
        ("DESCRIBE TABLE EXTENDED t b", "UNRESOLVED_COLUMN"),
        (
            "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS list",
            "UNSUPPORTED_FEATURE",
        ),
        (
            "ANALYZE TABLE v COMPUTE STATISTICS FOR ALL COLUMNS",
            "UNSUPPORTED_FEATURE",
        ),
        (
            "ANALYZE TABLES IN main.default COMPUTE STATISTICS",
            "UNSUPPORTED_FEATURE",
        ),
        ("ANALYZE TABLE t COMPUTE", "PARSE_SYNTAX_ERROR"),
        (
            "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a,",
            "PARSE_SYNTAX_ERROR",
        ),
    ] {
        let refused = error(&session, sql).await.to_string();
        assert!(refused.contains(class), "{sql}: {refused}");
    }
}
