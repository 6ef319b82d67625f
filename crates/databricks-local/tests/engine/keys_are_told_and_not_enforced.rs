//! Primary and foreign keys: declared with a table, told by the information schema and by `SHOW`.

use databricks_local as _;

use crate::engine_support::{error, run, session, text};

#[tokio::test]
async fn keys_are_told() {
    let session = session();
    run(&session, "CREATE SCHEMA shop COMMENT 'of the shop'").await;
    run(
        &session,
        "CREATE TABLE shop.place (Country STRING, city STRING, CONSTRAINT place_key PRIMARY KEY (city, country))",
    )
    .await;
    run(
        &session,
        "CREATE TABLE shop.person (id INT PRIMARY KEY, boss INT REFERENCES shop.person (id), country STRING, city STRING, \
         CONSTRAINT lives FOREIGN KEY (country, city) REFERENCES shop.place (country, city))",
    )
    .await;
    let schemas = run(
        &session,
        "SELECT comment FROM main.information_schema.schemata WHERE schema_name = 'shop'",
    )
    .await;
    assert_eq!(schemas.rows, text(&[&["of the shop"]]));
    let constraints = run(
        &session,
        "SELECT table_name, constraint_name, constraint_type FROM main.information_schema.table_constraints ORDER BY 1, 2",
    )
    .await;
    assert_eq!(
        constraints.rows,
        text(&[
            &["person", "lives", "FOREIGN KEY"],
            &["person", "person_person_fk", "FOREIGN KEY"],
            &["person", "person_pk", "PRIMARY KEY"],
            &["place", "place_key", "PRIMARY KEY"],
        ])
    );
    let usage = run(
        &session,
        "SELECT column_name, ordinal_position, position_in_unique_constraint FROM system.information_schema.key_column_usage \
         WHERE constraint_name = 'lives' ORDER BY 2",
    )
    .await;
    assert_eq!(usage.rows, text(&[&["country", "1", "2"], &["city", "2", "1"]]));
    let references = run(
        &session,
        "SELECT constraint_name, unique_constraint_catalog, unique_constraint_schema, unique_constraint_name \
         FROM main.information_schema.referential_constraints ORDER BY 1",
    )
    .await;
    assert_eq!(
        references.rows,
        text(&[
            &["lives", "main", "shop", "place_key"],
            &["person_person_fk", "main", "shop", "person_pk"],
        ])
    );
    let keys = run(
        &session,
        "SHOW KEYS IN CATALOG `main` IN SCHEMA `shop` IN TABLE `place`",
    )
    .await;
    assert_eq!(
        keys.rows,
        text(&[
            &["main", "shop", "place", "city", "1", "place_key"],
            &["main", "shop", "place", "Country", "2", "place_key"],
        ])
    );
    let foreign = run(&session, "SHOW FOREIGN KEYS IN main.shop.person").await;
    assert_eq!(
        foreign.rows[0],
        text(&[&[
            "main",
            "shop",
            "person",
            "id",
            "main",
            "shop",
            "person",
            "boss",
            "person_person_fk",
            "1",
            "3",
            "3",
            "7"
        ]])[0]
    );
    assert_eq!(foreign.rows.len(), 3);
}

#[tokio::test]
async fn a_primary_key_takes_no_null_and_may_repeat() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT, PRIMARY KEY (a))").await;
    run(&session, "INSERT INTO t VALUES (1), (1)").await;
    error(&session, "INSERT INTO t VALUES (NULL)").await;
}

#[tokio::test]
async fn keys_of_nothing_are_refused() {
    let session = session();
    run(&session, "CREATE TABLE plain (a INT)").await;
    for sql in [
        "CREATE TABLE t (a INT, PRIMARY KEY (b))",
        "CREATE TABLE t (a INT, PRIMARY KEY (a + 1))",
        "CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)",
        "CREATE TABLE t (a INT REFERENCES plain (a))",
        "CREATE TABLE t (a INT REFERENCES missing (a))",
        "CREATE TABLE t (a INT, UNIQUE (a))",
        "CREATE TABLE t (a INT, CHECK (a > 0))",
        "SHOW KEYS IN missing",
        "CREATE SCHEMA s LOCATION 'x'",
        "CREATE SCHEMA s COMMENT",
    ] {
        error(&session, sql).await;
    }
    assert!(run(&session, "SHOW TABLES LIKE 't'").await.rows.is_empty());
}
