//! Names of catalogs, schemas, tables and columns; and the names that results have.

use crate::engine_support::{run, session, text};

#[tokio::test]
async fn names_are_found_in_any_case_and_columns_keep_theirs() {
    let session = session();
    run(
        &session,
        "CREATE TABLE Orders (`Order Id` INT, CustomerName STRING, total INT)",
    )
    .await;
    run(
        &session,
        "INSERT INTO ORDERS (`order id`, customername, TOTAL) VALUES (1, 'ada', 7)",
    )
    .await;
    let all = run(&session, "SELECT * FROM Main.DEFAULT.`ORDERS`").await;
    assert_eq!(all.columns, ["Order Id INT", "CustomerName STRING", "total INT"]);
    let some = run(
        &session,
        "SELECT o.CUSTOMERNAME, `ORDER ID` + 1 AS NextId, sum(Total) AS `Sum Of`
         FROM orders o WHERE CustomerName = 'ada' GROUP BY customerName, `order id` HAVING SUM(total) > 0 ORDER BY nextid",
    )
    .await;
    assert_eq!(some.columns, ["CUSTOMERNAME STRING", "NextId INT", "Sum Of BIGINT"]);
    assert_eq!(some.rows, text(&[&["ada", "2", "7"]]));
    let nested = run(
        &session,
        "WITH C AS (SELECT total AS MyTotal FROM orders) SELECT * FROM c WHERE mytotal > 0",
    )
    .await;
    assert_eq!(nested.columns, ["MyTotal INT"]);
}

#[tokio::test]
async fn a_column_without_an_alias_is_named_by_its_expression() {
    let session = session();
    for (sql, names) in [
        ("SELECT 1, 'x', NULL, true", vec!["1", "x", "NULL", "true"]),
        (
            "SELECT count(*), sum(N_NationKey) FROM samples.tpch.nation",
            vec!["count(1)", "sum(N_NationKey)"],
        ),
        ("SELECT 1 + 2 * 3", vec!["(1 + (2 * 3))"]),
        ("SELECT n.n_name FROM samples.tpch.nation n LIMIT 1", vec!["n_name"]),
        ("SELECT current_catalog()", vec!["current_catalog()"]),
        (
            "SELECT CAST(1 AS STRING), CAST(1 AS DOUBLE)",
            vec!["CAST(1 AS STRING)", "CAST(1 AS DOUBLE)"],
        ),
    ] {
        let execution = session.execute(sql, &[]).await.unwrap();
        let found: Vec<&str> = execution.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(found, names, "{sql}");
    }
}

#[tokio::test]
async fn two_columns_may_have_one_name() {
    let session = session();
    let answer = run(
        &session,
        "SELECT 1 AS a, 2 AS a, 3 AS A, TIMESTAMP '2024-01-01', TIMESTAMP_NTZ '2024-01-01'",
    )
    .await;
    assert_eq!(answer.columns[..3], ["a INT", "a INT", "A INT"]);
    assert_eq!(answer.rows[0][..3], ["1", "2", "3"]);
    let join = "SELECT * FROM samples.tpch.region a JOIN samples.tpch.region b ON a.r_regionkey = b.r_regionkey ORDER BY a.r_regionkey";
    assert_eq!(run(&session, join).await.columns.len(), 6);
}

#[tokio::test]
async fn strings_have_two_kinds_of_quotes_and_backslashes() {
    let session = session();
    let answer = run(
        &session,
        r#"SELECT "it's", 'it\'s', 'it''s', 'a\tb', "say \"hi\"" AS s"#,
    )
    .await;
    assert_eq!(answer.rows, text(&[&["it's", "it's", "it's", "a\tb", "say \"hi\""]]));
}

#[tokio::test]
async fn a_column_that_is_called_like_a_keyword_does_not_hide_the_keyword() {
    let session = session();
    run(&session, "CREATE TABLE t (`Order` INT, `Date` DATE, `End` INT)").await;
    run(&session, "INSERT INTO t VALUES (1, DATE '2024-01-01', 2)").await;
    let answer = run(
        &session,
        "SELECT `order`, t.date, CASE WHEN End > 1 THEN 'x' END AS x, CAST('2024-01-01' AS DATE) = `DATE` AS same
         FROM t WHERE date >= DATE '2024-01-01' ORDER BY `ORDER`",
    )
    .await;
    assert_eq!(answer.rows, text(&[&["1", "2024-01-01", "x", "true"]]));
}
