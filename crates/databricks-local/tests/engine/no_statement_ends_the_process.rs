//! Whatever the text of a statement is, the answer is a result or an error.

use crate::engine_support::{session, text, try_run};

#[tokio::test(flavor = "multi_thread")]
async fn deep_statements_are_refused_or_answered() {
    let session = session();
    let deep = [
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT 1{}", " + 1".repeat(5_000)),
        format!("SELECT {} true", "NOT ".repeat(5_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(5_000)),
        format!("SELECT {}1{}", "array(".repeat(500), ")".repeat(500)),
        format!("SELECT CAST(NULL AS {}INT{})", "ARRAY<".repeat(500), ">".repeat(500)),
    ];
    for sql in &deep {
        let error = try_run(&session, sql, &[]).await.unwrap_err();
        assert!(["0A000", "42601"].contains(&error.sql_state), "{error}");
    }
    let long = format!(
        "SELECT count(*) FROM samples.tpch.nation WHERE {} false",
        "n_nationkey + 1 = 7 OR ".repeat(500)
    );
    assert_eq!(try_run(&session, &long, &[]).await.unwrap().rows, text(&[&["1"]]));
    let sum = format!("SELECT max(n_nationkey{}) FROM samples.tpch.nation", " + 1".repeat(60));
    assert_eq!(try_run(&session, &sum, &[]).await.unwrap().rows, text(&[&["84"]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_repeat_their_arguments_do_not_grow_without_end() {
    let session = session();
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("SELECT {}{inner}{} AS c", open.repeat(depth), close.repeat(depth))
    };
    for sql in [
        nested("sort_array(", "array(2, 1)", ", true)", 40),
        nested(
            "datediff(MONTH, DATE '2020-01-01', date_add(DATE '2020-01-01', ",
            "1",
            "))",
            6,
        ),
        nested("decode(", "1", ", 1, 2, 2, 3, 3, 4)", 12),
        format!(
            "SELECT a FROM VALUES (array(1)) t(a) {}",
            "LATERAL VIEW explode(a) v AS x ".repeat(500)
        ),
    ] {
        let error = try_run(&session, &sql, &[]).await.unwrap_err();
        assert_eq!(error.class, "UNSUPPORTED_FEATURE", "{error}");
    }
    let sane = nested("sort_array(", "array(2, 1)", ", true)", 3);
    assert_eq!(try_run(&session, &sane, &[]).await.unwrap().rows, text(&[&["[1, 2]"]]));
    let many = format!(
        "SELECT 1 WHERE {} false",
        "datediff(MONTH, DATE '2020-01-01', DATE '2021-01-01') = 1 OR ".repeat(50)
    );
    assert!(try_run(&session, &many, &[]).await.unwrap().rows.is_empty());
    let views: String = (0..50)
        .map(|view| format!(" LATERAL VIEW explode(a) v{view} AS x{view}"))
        .collect();
    let views = format!("SELECT x49 FROM VALUES (array(1)) t(a){views}");
    assert_eq!(try_run(&session, &views, &[]).await.unwrap().rows, text(&[&["1"]]));
}

#[tokio::test]
async fn odd_statements_are_errors() {
    let session = session();
    for sql in [
        "",
        ";",
        ";;",
        "\u{0}",
        "\u{feff}",
        "SHOW",
        "SHOW TABLES IN `",
        "SHOW TABLES IN ``.",
        "USE ``",
        "USE a.b.c.d",
        "SELECT * FROM ``",
        "SELECT :",
        "SELECT :1",
        "SELECT $1",
        "SELECT @a",
        "SELECT ?::INT",
        "DESCRIBE",
        "DESCRIBE QUERY",
        "DESCRIBE QUERY SELECT",
        "DESCRIBE QUERY DROP TABLE t",
        "EXPLAIN",
        "EXPLAIN DROP TABLE t",
        "EXPLAIN DELETE FROM t",
        "CREATE TABLE",
        "CREATE TABLE t USING",
        "CREATE TABLE t (a MAP<",
        "CREATE TABLE t (a NOSUCH)",
        "CREATE TABLE t (a DECIMAL(99,2))",
        "INSERT INTO",
        "INSERT INTO t",
        "UPDATE t",
        "DELETE",
        "DROP",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * FROM '/etc/passwd'",
        "CREATE DATABASE x LOCATION '/tmp'",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "SELECT 'a' 'b' 'c' FROM",
        "SELECT INTERVAL 'x' DAY TO SECOND",
        "SELECT date_format(now(), 'QQQQ')",
        "SELECT 1 LIMIT -1",
    ] {
        let error = try_run(&session, sql, &[]).await.expect_err(sql);
        assert_ne!(error.class, "INTERNAL_ERROR", "{sql}: {error}");
    }
}
