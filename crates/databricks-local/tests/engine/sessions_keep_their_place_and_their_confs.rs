//! `USE`, `SET`, and what a session starts with.

use std::collections::BTreeMap;

use crate::engine_support::{engine, error, run, session, text};

#[tokio::test]
async fn a_session_starts_in_main_default_or_where_it_is_told_to() {
    let engine = engine();
    let session = engine.session(None, None, &BTreeMap::new()).unwrap();
    assert_eq!(
        (session.current_catalog().as_str(), session.current_schema().as_str()),
        ("main", "default")
    );
    let session = engine.session(Some("SAMPLES"), Some("tpch"), &BTreeMap::new()).unwrap();
    assert_eq!(run(&session, "SELECT count(*) FROM region").await.rows, text(&[&["5"]]));
    let named = "SELECT current_catalog(), current_schema(), current_database()";
    assert_eq!(run(&session, named).await.rows, text(&[&["samples", "tpch", "tpch"]]));
    assert_eq!(
        engine
            .session(Some("nowhere"), None, &BTreeMap::new())
            .unwrap_err()
            .class,
        "NO_SUCH_CATALOG_EXCEPTION"
    );
    assert_eq!(
        engine
            .session(None, Some("nowhere"), &BTreeMap::new())
            .unwrap_err()
            .class,
        "SCHEMA_NOT_FOUND"
    );
}

#[tokio::test]
async fn use_moves_a_session_and_no_other() {
    let engine = engine();
    let moved = engine.session(None, None, &BTreeMap::new()).unwrap();
    let other = engine.session(None, None, &BTreeMap::new()).unwrap();
    for (sql, catalog, schema) in [
        ("USE CATALOG samples", "samples", "default"),
        ("USE SCHEMA tpch", "samples", "tpch"),
        ("USE main.`default`", "main", "default"),
        ("USE samples.TPCH", "samples", "tpch"),
        ("USE information_schema", "samples", "information_schema"),
    ] {
        let execution = moved.execute(sql, &[]).await.unwrap();
        assert!(!execution.returns_rows, "{sql}");
        assert_eq!(
            (moved.current_catalog().as_str(), moved.current_schema().as_str()),
            (catalog, schema),
            "{sql}"
        );
    }
    assert_eq!(error(&moved, "USE nowhere").await.class, "SCHEMA_NOT_FOUND");
    assert_eq!(moved.current_schema(), "information_schema");
    assert_eq!(other.current_schema(), "default");
}

#[tokio::test]
async fn confs_are_set_read_and_reset() {
    let session = session();
    let set = run(&session, "SET QUERY_TAGS = 'team:a'").await;
    assert_eq!(
        (set.columns, set.rows),
        (
            vec!["key STRING".to_owned(), "value STRING".to_owned()],
            text(&[&["QUERY_TAGS", "team:a"]])
        )
    );
    assert_eq!(
        run(&session, "SET query_tags").await.rows,
        text(&[&["query_tags", "team:a"]])
    );
    run(&session, "SET spark.sql.session.timeZone = America/New_York").await;
    assert_eq!(
        run(&session, "SELECT current_timezone()").await.rows,
        text(&[&["America/New_York"]])
    );
    let all = text(&[
        &["ANSI_MODE", "true"],
        &["QUERY_TAGS", "team:a"],
        &["TIMEZONE", "America/New_York"],
    ]);
    assert_eq!(run(&session, "SET").await.rows, all);
    run(&session, "RESET").await;
    assert_eq!(
        run(&session, "SELECT current_timezone()").await.rows,
        text(&[&["Etc/UTC"]])
    );
}
