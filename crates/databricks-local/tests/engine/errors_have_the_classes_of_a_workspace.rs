//! Error classes, SQLSTATEs, and the form of messages.

use std::collections::BTreeMap;

use databricks_local::engine::{Engine, EngineConfig};

use crate::engine_support::{engine, error, run, session};

#[tokio::test]
async fn every_class_comes_with_its_sqlstate() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT)").await;
    for (sql, class, sql_state) in [
        ("SELEC 1", "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT 'open", "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT 1; SELECT 2", "PARSE_SYNTAX_ERROR", "42601"),
        ("-- nothing", "PARSE_EMPTY_STATEMENT", "42617"),
        ("SELECT * FROM nowhere", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("SELECT * FROM no.such.table_", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("DROP TABLE nowhere", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("DESCRIBE TABLE nowhere", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("SELECT b FROM t", "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"),
        ("USE SCHEMA nowhere", "SCHEMA_NOT_FOUND", "42704"),
        ("SHOW TABLES IN nowhere", "SCHEMA_NOT_FOUND", "42704"),
        ("USE CATALOG nowhere", "NO_SUCH_CATALOG_EXCEPTION", "42704"),
        ("CREATE TABLE t (a INT)", "TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"),
        ("CREATE TABLE u (a INT, A INT)", "COLUMN_ALREADY_EXISTS", "42711"),
        ("SELECT no_such_function(1)", "UNRESOLVED_ROUTINE", "42883"),
        // docs/dialect.md says so of these.
        ("SELECT * FROM t VERSION AS OF 1", "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT 'a' LIKE ALL ('a', 'b')", "UNRESOLVED_ROUTINE", "42883"),
        ("SELECT parse_json('1')", "UNRESOLVED_ROUTINE", "42883"),
        ("SELECT 1 + true", "DATATYPE_MISMATCH", "42K09"),
        ("SELECT a, count(*) FROM t", "MISSING_AGGREGATION", "42803"),
        ("SELECT 1 / 0", "DIVIDE_BY_ZERO", "22012"),
        ("SELECT 1 % 0", "DIVIDE_BY_ZERO", "22012"),
        ("SELECT 1 DIV 0", "DIVIDE_BY_ZERO", "22012"),
        ("SELECT 1.5 / 0", "DIVIDE_BY_ZERO", "22012"),
        ("SELECT CAST('x' AS INT)", "CAST_INVALID_INPUT", "22018"),
        ("SELECT CAST('x' AS DATE)", "CAST_INVALID_INPUT", "22018"),
        ("SELECT CAST(300 AS TINYINT)", "CAST_OVERFLOW", "22003"),
        ("SELECT 2147483647 + 1", "ARITHMETIC_OVERFLOW", "22003"),
        ("SELECT 9223372036854775807 * 2", "ARITHMETIC_OVERFLOW", "22003"),
        ("SELECT :missing", "UNBOUND_SQL_PARAMETER", "42P02"),
        ("SELECT ?", "UNBOUND_SQL_PARAMETER", "42P02"),
        (
            "MERGE INTO t USING t AS s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN MATCHED THEN DELETE",
            "NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION",
            "42613",
        ),
        ("OPTIMIZE t", "UNSUPPORTED_FEATURE", "0A000"),
        (
            "SELECT * FROM t TABLESAMPLE (10 PERCENT)",
            "UNSUPPORTED_FEATURE",
            "0A000",
        ),
        ("SET TIME ZONE 'Moon/Tranquility'", "INVALID_TIMEZONE", "22009"),
    ] {
        let error = error(&session, sql).await;
        assert_eq!((error.class, error.sql_state), (class, sql_state), "{sql}: {error}");
        assert_eq!(error.error_code, "BAD_REQUEST", "{sql}");
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("[{class}] ")) && text.ends_with(&format!(" SQLSTATE: {sql_state}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn messages_have_no_words_of_the_engine() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT, b STRING)").await;
    let unresolved = |name| format!("Cannot resolve routine {name} on search path [`system`.`builtin`].");
    let unsupported = |what| format!("{what} is not supported here.");
    for (sql, message) in [
        ("SELECT * FROM t PIVOT (sum(a) FOR b IN ('x', 'y'))", unsupported("PIVOT")),
        ("SELECT * FROM t UNPIVOT (v FOR k IN (a, b))", unsupported("UNPIVOT")),
        ("SELECT a IS NORMALIZED FROM t", unsupported("IS NORMALIZED")),
        (
            "SELECT * FROM t ASOF JOIN t AS u MATCH_CONDITION (t.a >= u.a)",
            unsupported("AS OF JOIN"),
        ),
        ("SELECT foo(1)", unresolved("`foo`")),
        ("SELECT main.default.foo(1)", unresolved("`main`.`default`.`foo`")),
        ("SELECT foo(1) OVER (ORDER BY a) FROM t", unresolved("`foo`")),
        ("SELECT * FROM foo(1)", unresolved("`foo`")),
        ("SELECT * FROM t JOIN LATERAL explode(array(1))", unresolved("`explode`")),
        ("SELEC 1", "Expected: an SQL statement, found: SELEC at Line: 1, Column: 1".to_owned()),
        (
            "SELECT a, b FROM t GROUP BY a",
            "Column in SELECT must be in GROUP BY or an aggregate function: column \"t.b\" must appear in the GROUP BY clause or must be \
             part of an aggregate function, currently only \"t.a\" appears in the SELECT clause satisfies this requirement"
                .to_owned(),
        ),
        ("SELECT CAST('Int64' AS INT)", "Cannot cast string 'Int64' to value of INT type".to_owned()),
        (
            "SELECT CAST('a'' Int64 b' AS INT)",
            "Cannot cast string 'a' Int64 b' to value of INT type".to_owned(),
        ),
        ("SELECT CAST('it''s Int64' AS DATE)", "Cannot cast string 'it's Int64' to value of DATE type".to_owned()),
        ("SELECT CAST(300 AS TINYINT)", "Can't cast value 300 to type TINYINT".to_owned()),
        (
            "SELECT 1 + true",
            "Cannot coerce arithmetic expression BIGINT + BOOLEAN to valid types".to_owned(),
        ),
        (
            "SELECT CAST(array(1) AS INT)",
            "Unsupported CAST from ARRAY<INT> to INT".to_owned(),
        ),
    ] {
        assert_eq!(error(&session, sql).await.message, message, "{sql}");
    }
}

#[tokio::test]
async fn an_error_amid_a_result_has_its_class_too() {
    let session = session();
    // Planning succeeds: the division fails in the row that has the number.
    let execution = session
        .execute("SELECT 1 DIV (l_linenumber - 7) FROM samples.tpch.lineitem", &[])
        .await
        .unwrap();
    assert_eq!(execution.columns.len(), 1);
    let error = error(&session, "SELECT 1 DIV (l_linenumber - 7) FROM samples.tpch.lineitem").await;
    assert_eq!(error.class, "DIVIDE_BY_ZERO");
}

#[tokio::test]
async fn without_ansi_mode_division_by_zero_is_null() {
    let confs = BTreeMap::from([("ansi_mode".to_owned(), "false".to_owned())]);
    let session = engine().session(None, None, &confs).unwrap();
    assert_eq!(run(&session, "SELECT 1 / 0 AS x").await.rows, [["NULL"]]);
}

#[tokio::test]
async fn a_query_that_needs_more_memory_than_there_is_says_so() {
    let config = EngineConfig {
        scale_factor: 0.01,
        memory_limit: Some(64 << 10),
        ..EngineConfig::default()
    };
    let session = Engine::new(config)
        .unwrap()
        .session(None, None, &BTreeMap::new())
        .unwrap();
    let error = error(
        &session,
        "SELECT l_orderkey, count(*) FROM samples.tpch.lineitem GROUP BY 1 ORDER BY 2, 1",
    )
    .await;
    assert_eq!(
        (error.error_code, error.sql_state),
        ("RESOURCE_EXHAUSTED", "53200"),
        "{error}"
    );
}

#[tokio::test]
async fn debug_output_leaves_the_text_out() {
    let error = error(&session(), "SELECT * FROM canary").await;
    assert!(error.to_string().contains("canary"));
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn tables_share_the_memory_of_queries_and_give_it_back() {
    let config = EngineConfig {
        scale_factor: 0.01,
        memory_limit: Some(1 << 20),
        ..EngineConfig::default()
    };
    let session = Engine::new(config)
        .unwrap()
        .session(None, None, &BTreeMap::new())
        .unwrap();
    let large = "CREATE TABLE t AS SELECT * FROM samples.tpch.lineitem";
    assert_eq!(error(&session, large).await.sql_state, "53200");
    let small = "CREATE TABLE t AS SELECT l_orderkey FROM samples.tpch.lineitem LIMIT 30000";
    for _ in 0..8 {
        run(&session, small).await;
        run(&session, "DROP TABLE t").await;
    }
}
