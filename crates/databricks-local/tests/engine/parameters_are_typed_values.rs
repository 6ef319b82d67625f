//! Named and positional markers, and the types of their values.

use databricks_wire::sea::Parameter;

use crate::engine_support::{run, session, text, try_run};

fn named(name: &str, type_text: Option<&str>, value: Option<&str>) -> Parameter {
    Parameter {
        name: Some(name.to_owned()),
        type_text: type_text.map(str::to_owned),
        value: value.map(Into::into),
        ..Parameter::default()
    }
}

fn positional(ordinal: Option<u32>, type_text: &str, value: Option<&str>) -> Parameter {
    Parameter {
        ordinal,
        type_text: Some(type_text.to_owned()),
        value: value.map(Into::into),
        ..Parameter::default()
    }
}

#[tokio::test]
async fn a_value_of_every_type_and_null_of_every_type() {
    let session = session();
    for (type_text, value, column, expected) in [
        ("BOOLEAN", "true", "p BOOLEAN", "true"),
        ("TINYINT", "-128", "p TINYINT", "-128"),
        ("SMALLINT", "7", "p SMALLINT", "7"),
        ("INT", "5", "p INT", "5"),
        ("BIGINT", "5", "p BIGINT", "5"),
        ("BIGINT", "9223372036854775807", "p BIGINT", "9223372036854775807"),
        ("FLOAT", "1.5", "p FLOAT", "1.5"),
        ("DOUBLE", "-2.25", "p DOUBLE", "-2.25"),
        ("DECIMAL(10,2)", "3.14", "p DECIMAL(10,2)", "3.14"),
        ("DECIMAL(5)", "42", "p DECIMAL(5,0)", "42"),
        ("STRING", "it's; -- :x ? `y`", "p STRING", "it's; -- :x ? `y`"),
        ("DATE", "2024-02-29", "p DATE", "2024-02-29"),
        (
            "TIMESTAMP",
            "2024-02-29T01:02:03.5",
            "p TIMESTAMP",
            "2024-02-29T01:02:03.500Z",
        ),
        (
            "TIMESTAMP_NTZ",
            "2024-02-29 01:02:03",
            "p TIMESTAMP_NTZ",
            "2024-02-29T01:02:03",
        ),
        (
            "TIMESTAMP_LTZ",
            "2024-02-29 01:02:03",
            "p TIMESTAMP",
            "2024-02-29T01:02:03Z",
        ),
        ("BINARY", "00ff", "p BINARY", "00ff"),
        (
            "INTERVAL YEAR TO MONTH",
            "1-6",
            "p INTERVAL YEAR TO MONTH",
            "1 years 6 mons",
        ),
        (
            "INTERVAL DAY TO SECOND",
            "1 00:00:01",
            "p INTERVAL DAY TO SECOND",
            "PT86401S",
        ),
    ] {
        for (value, expected) in [(Some(value), expected), (None, "NULL")] {
            let answer = try_run(&session, "SELECT :p AS p", &[named("p", Some(type_text), value)])
                .await
                .unwrap();
            assert_eq!(
                (answer.columns[0].as_str(), answer.rows[0][0].as_str()),
                (column, expected),
                "{type_text}"
            );
        }
    }
    let void = try_run(&session, "SELECT :p AS p", &[named("p", Some("VOID"), None)])
        .await
        .unwrap();
    assert_eq!((void.columns[0].as_str(), void.rows[0][0].as_str()), ("p VOID", "NULL"));
    let untyped = try_run(&session, "SELECT :p AS p", &[named("p", None, Some("5"))])
        .await
        .unwrap();
    assert_eq!(untyped.columns, ["p STRING"]);
}

#[tokio::test]
async fn a_value_keeps_its_type_however_small_it_is_and_wherever_it_stands() {
    let session = session();
    for (type_text, value, column) in [
        ("TINYINT", "5", "TINYINT"),
        ("SMALLINT", "5", "SMALLINT"),
        ("INT", "5", "INT"),
        ("BIGINT", "5", "BIGINT"),
        ("BIGINT", "-5", "BIGINT"),
        ("FLOAT", "5", "FLOAT"),
        ("DOUBLE", "5", "DOUBLE"),
        ("DECIMAL(1,0)", "5", "DECIMAL(1,0)"),
        ("DECIMAL(38,0)", "5", "DECIMAL(38,0)"),
        ("STRING", "5", "STRING"),
        ("BOOLEAN", "true", "BOOLEAN"),
        ("DATE", "2024-02-29", "DATE"),
        ("TIMESTAMP", "2024-02-29 01:02:03", "TIMESTAMP"),
        ("TIMESTAMP_NTZ", "2024-02-29 01:02:03", "TIMESTAMP_NTZ"),
        ("BINARY", "00ff", "BINARY"),
        ("INTERVAL YEAR TO MONTH", "1-6", "INTERVAL YEAR TO MONTH"),
        ("INTERVAL DAY TO SECOND", "1 00:00:01", "INTERVAL DAY TO SECOND"),
    ] {
        let parameter = [named("p", Some(type_text), Some(value))];
        let column = format!("p {column}");
        for sql in [
            "SELECT :p AS p",
            "SELECT p FROM (SELECT :p AS p)",
            "SELECT p FROM VALUES (:p) AS t(p)",
            "SELECT :p AS p UNION ALL SELECT :p",
            "WITH t AS (SELECT :p AS p) SELECT p FROM t WHERE p = :p",
            "SELECT max(:p) AS p FROM range(3)",
            "SELECT CASE WHEN id = 0 THEN :p END AS p FROM range(2)",
        ] {
            let is_interval = type_text.starts_with("INTERVAL");
            if is_interval && sql != "SELECT :p AS p" {
                continue;
            }
            let answer = try_run(&session, sql, &parameter).await;
            let answer = answer.unwrap_or_else(|error| panic!("{type_text} in {sql}: {error}"));
            assert_eq!(answer.columns, [column.as_str()], "{type_text} in {sql}");
        }
    }
    // What is written without a marker is still INT where it fits.
    let small = [named("p", Some("BIGINT"), Some("1"))];
    let both = try_run(&session, "SELECT :p + 1 AS p, 1 AS q", &small).await.unwrap();
    assert_eq!(both.columns, ["p BIGINT", "q INT"]);
    let rows = try_run(&session, "SELECT a FROM VALUES (1), (:p) AS t(a)", &small)
        .await
        .unwrap();
    assert_eq!(rows.columns, ["a BIGINT"]);
    try_run(&session, "CREATE TABLE kept AS SELECT :p AS p", &small)
        .await
        .unwrap();
    assert_eq!(run(&session, "SELECT p FROM kept").await.columns, ["p BIGINT"]);
}

#[tokio::test]
async fn markers_go_by_name_or_by_place() {
    let session = session();
    let sql = "SELECT :a AS a, ':a ?' AS s, :b AS b, :a AS again -- :c ?\n /* :d ? */ FROM range(:n) AS `:e`";
    let parameters = [
        named("b", None, Some("B")),
        named("a", Some("INT"), Some("1")),
        named("n", Some("BIGINT"), Some("1")),
    ];
    let answer = try_run(&session, sql, &parameters).await;
    // A table function takes no markers here; everything else does.
    assert!(answer.is_err());
    let answer = try_run(&session, &sql.replace("range(:n)", "range(1)"), &parameters)
        .await
        .unwrap();
    assert_eq!(answer.rows, text(&[&["1", ":a ?", "B", "1"]]));

    let by_ordinal = [
        positional(Some(2), "INT", Some("2")),
        positional(Some(1), "INT", Some("1")),
    ];
    assert_eq!(
        try_run(&session, "SELECT ?, ?", &by_ordinal).await.unwrap().rows,
        text(&[&["1", "2"]])
    );
    let by_place = [positional(None, "INT", Some("1")), positional(None, "INT", Some("2"))];
    assert_eq!(
        try_run(&session, "SELECT ?, ?", &by_place).await.unwrap().rows,
        text(&[&["1", "2"]])
    );
}

#[tokio::test]
async fn markers_stand_wherever_a_value_does() {
    let session = session();
    run(&session, "CREATE TABLE t (id INT, name STRING)").await;
    let two = [
        positional(Some(1), "INT", Some("1")),
        positional(Some(2), "STRING", Some("x'); DROP TABLE t; --")),
    ];
    let inserted = session.execute("INSERT INTO t VALUES (?, ?)", &two).await.unwrap();
    assert_eq!(inserted.num_modified_rows, Some(1));
    let id = [named("id", Some("INT"), Some("1"))];
    let found = try_run(
        &session,
        "SELECT name FROM t WHERE id = :id AND id IN (:id, 2) LIMIT 1",
        &id,
    )
    .await
    .unwrap();
    assert_eq!(found.rows, text(&[&["x'); DROP TABLE t; --"]]));
    let updated = session
        .execute("UPDATE t SET id = id + :id WHERE id = :id", &id)
        .await
        .unwrap();
    assert_eq!(updated.num_modified_rows, Some(1));
    let deleted = session.execute("DELETE FROM t WHERE id = :id + 1", &id).await.unwrap();
    assert_eq!(deleted.num_modified_rows, Some(1));
    let limited = try_run(&session, "SELECT n_name FROM samples.tpch.nation LIMIT :id", &id)
        .await
        .unwrap();
    assert_eq!(limited.rows.len(), 1);
    let in_a_struct = "SELECT CAST(named_struct('a', :id) AS STRUCT<a :BIGINT>) AS s";
    assert_eq!(
        try_run(&session, in_a_struct, &id).await.unwrap().columns,
        ["s STRUCT<a: BIGINT>"]
    );
    let described = try_run(&session, "DESCRIBE QUERY SELECT ? AS a", &two[..1])
        .await
        .unwrap();
    assert_eq!(described.rows, text(&[&["a", "int", "NULL"]]));
}

#[tokio::test]
async fn what_cannot_be_bound_is_an_error() {
    let session = session();
    let one = named("a", Some("INT"), Some("1"));
    let class = async |sql: &str, parameters: &[Parameter]| match try_run(&session, sql, parameters).await {
        Ok(answer) => panic!("{sql}: {answer:?}"),
        Err(error) => error.class,
    };
    assert_eq!(
        class("SELECT :b", std::slice::from_ref(&one)).await,
        "UNBOUND_SQL_PARAMETER"
    );
    assert_eq!(
        class("SELECT ?, ?", &[positional(Some(1), "INT", Some("1"))]).await,
        "UNBOUND_SQL_PARAMETER"
    );
    assert_eq!(
        class("SELECT :a, ?", &[one.clone(), positional(Some(1), "INT", None)]).await,
        "INVALID_PARAMETER_VALUE"
    );
    assert_eq!(
        class("SELECT :a", &[named("a", Some("INT"), Some("one"))]).await,
        "CAST_INVALID_INPUT"
    );
    assert_eq!(
        class("SELECT :a", &[named("a", Some("TINYINT"), Some("300"))]).await,
        "CAST_INVALID_INPUT"
    );
    assert_eq!(
        class("SELECT :a", &[named("a", Some("GEOMETRY(0)"), Some("x"))]).await,
        "UNSUPPORTED_FEATURE"
    );
    // The value stays out of the message.
    let error = try_run(&session, "SELECT :a", &[named("a", Some("DATE"), Some("canary"))])
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("canary"));
}
