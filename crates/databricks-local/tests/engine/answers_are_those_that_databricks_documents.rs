//! Functions and clauses that people type first, with the values that Databricks documents for them.

use databricks_local::engine::EngineSession;

use crate::engine_support::{self, error, run, session, text};

/// One row of cells for each query.
async fn answers(session: &EngineSession, expected: &[(&str, &[&str])]) {
    for (sql, cells) in expected {
        let answer = run(session, &format!("SELECT {sql}")).await;
        assert_eq!(answer.rows, text(&[cells]), "{sql}");
    }
}

#[tokio::test]
async fn functions_of_texts() {
    let session = session();
    let expected: &[(&str, &[&str])] = &[
        ("split('oneAtwoBthreeC', '[ABC]')", &["[one, two, three, ]"]),
        ("split('oneAtwoBthreeC', '[ABC]', 2)", &["[one, twoBthreeC]"]),
        ("split('abc', '')", &["[a, b, c]"]),
        ("split(NULL, ',')", &["NULL"]),
        (
            "split('a,b', ',', NULL), regexp_extract('abc', '(b)', NULL), regexp_extract_all('abc', '(b)', NULL)",
            &["NULL", "NULL", "NULL"],
        ),
        (
            "left('abc', -1), left('abc', 2), left('abc', NULL), right('abc', -1)",
            &["", "ab", "NULL", ""],
        ),
        ("regexp_extract('100-200', '([0-9]+)-([0-9]+)', 1)", &["100"]),
        ("regexp_extract('100-200', '([0-9]+)-([0-9]+)', 0)", &["100-200"]),
        ("regexp_extract('none', '([0-9]+)')", &[""]),
        (
            "regexp_extract_all('100-200, 300-400', '([0-9]+)-([0-9]+)', 2)",
            &["[200, 400]"],
        ),
        (
            "regexp_substr('Steven', 'e+'), regexp_substr('Steven', 'x')",
            &["e", "NULL"],
        ),
        ("regexp_replace('100-200', '([0-9]+)', 'num')", &["num-num"]),
        ("regexp_replace('ab1', '([a-z])([0-9])', '$2$1')", &["a1b"]),
        (
            "'abc' LIKE ANY ('x%', 'a%'), 'abc' NOT LIKE ANY ('x%')",
            &["true", "true"],
        ),
        ("decode(2, 1, 'Southlake', 2, 'San Francisco', 'x')", &["San Francisco"]),
        ("decode(NULL, 6, 'Spark', NULL, 'SQL')", &["SQL"]),
        ("listagg(a, ', ') FROM VALUES ('x'), ('y') AS t(a)", &["x, y"]),
    ];
    answers(&session, expected).await;
    let class = async |sql: &str| error(&session, sql).await.class;
    assert_eq!(
        class("SELECT regexp_extract('a', 'a', 1)").await,
        "INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX"
    );
    assert_eq!(class("SELECT split('a', '(')").await, "INVALID_PARAMETER_VALUE.PATTERN");
    assert_eq!(class("SELECT split('a')").await, "DATATYPE_MISMATCH");
}

#[tokio::test]
async fn functions_of_arrays_and_maps() {
    let session = session();
    let expected: &[(&str, &[&str])] = &[
        ("transform(array(1, 2, 3), x -> x + 1)", &["[2, 3, 4]"]),
        ("filter(array(1, 2, 3), x -> x % 2 == 1)", &["[1, 3]"]),
        (
            "exists(array(1, 2, 3), x -> x % 2 == 0), exists(array(1), x -> x > 1)",
            &["true", "false"],
        ),
        (
            "transform(a, x -> x * 2) FROM VALUES (array(1, 2)) AS t(a)",
            &["[2, 4]"],
        ),
        (
            "element_at(array(1, 2, 3), 2), element_at(array(1, 2, 3), -1)",
            &["2", "3"],
        ),
        ("element_at(map('a', 1, 'b', 2), 'b')", &["2"]),
        (
            "try_element_at(array(1), 5), get(array(1, 2), 0), get(array(1), 7)",
            &["NULL", "1", "NULL"],
        ),
        ("array(1, 2)[1], map('a', 1)['a']", &["2", "1"]),
        (
            "array_contains(array(1, 2), 2), array_size(array(1, 2))",
            &["true", "2"],
        ),
        ("sequence(1, 5), sequence(1, 9, 4)", &["[1, 2, 3, 4, 5]", "[1, 5, 9]"]),
        (
            "sort_array(array(2, NULL, 1)), sort_array(array(2, NULL, 1), false), array_sort(array(2, NULL, 1))",
            &["[NULL, 1, 2]", "[2, 1, NULL]", "[1, 2, NULL]"],
        ),
        (
            "array_remove(array(1, 2, 1), 1), concat(array(1), array(2)), reverse(array(1, 2))",
            &["[2]", "[1, 2]", "[2, 1]"],
        ),
        ("map_contains_key(map('a', 1), 'a')", &["true"]),
        (
            "sequence(5, 1), sequence(3, 3), sequence(1, CAST(NULL AS INT))",
            &["[5, 4, 3, 2, 1]", "[3]", "NULL"],
        ),
        (
            "sequence(DATE'2020-01-01', DATE'2020-01-02', INTERVAL 1 DAY), sequence(DATE'2020-01-02', DATE'2020-01-01')",
            &["[2020-01-01, 2020-01-02]", "[2020-01-02, 2020-01-01]"],
        ),
        (
            "sequence(a, b), sequence(a, b, c) FROM VALUES (3, 1, -2) AS t(a, b, c)",
            &["[3, 2, 1]", "[3, 1]"],
        ),
        (
            "array_size(CAST(NULL AS ARRAY<INT>)), element_at(NULL, 1)",
            &["NULL", "NULL"],
        ),
        (
            "struct(1, 'x'), struct(a, 2) FROM VALUES (5) AS t(a)",
            &["{col1: 1, col2: x}", "{a: 5, col2: 2}"],
        ),
    ];
    answers(&session, expected).await;
    for (sql, class) in [
        ("SELECT array(1, 2)[2]", "INVALID_ARRAY_INDEX"),
        ("SELECT array(1, 2)[-1]", "INVALID_ARRAY_INDEX"),
        ("SELECT element_at(array(1), 5)", "INVALID_ARRAY_INDEX_IN_ELEMENT_AT"),
        ("SELECT element_at(array(1), 0)", "INVALID_INDEX_OF_ZERO"),
        ("SELECT sequence(1, 5, -1)", "INVALID_PARAMETER_VALUE"),
    ] {
        assert_eq!(error(&session, sql).await.class, class, "{sql}");
    }
    run(&session, "CREATE TABLE t (S STRUCT<Inner: STRUCT<Value: INT>>)").await;
    run(
        &session,
        "INSERT INTO t SELECT named_struct('Inner', named_struct('Value', 7))",
    )
    .await;
    let field = run(&session, "SELECT s.inner.value, t.s.INNER.VALUE FROM t").await;
    assert_eq!(field.rows, text(&[&["7", "7"]]));
}

#[tokio::test]
async fn elements_become_rows() {
    let session = session();
    let t = "(SELECT 1 AS a, array(1, 2) AS b UNION ALL SELECT 2, array() UNION ALL SELECT 3, NULL) AS t";
    for (sql, rows) in [
        ("SELECT explode(array(1, 2))".to_owned(), text(&[&["1"], &["2"]])),
        (
            format!("SELECT t.a, e.c FROM {t} LATERAL VIEW explode(t.b) e AS c ORDER BY ALL"),
            text(&[&["1", "1"], &["1", "2"]]),
        ),
        (
            format!("SELECT a, c FROM {t} LATERAL VIEW OUTER explode(b) AS c ORDER BY ALL"),
            text(&[&["1", "1"], &["1", "2"], &["2", "NULL"], &["3", "NULL"]]),
        ),
        (
            format!("SELECT a, x.c FROM {t}, LATERAL explode(b) AS x(c) WHERE x.c > 1"),
            text(&[&["1", "2"]]),
        ),
        ("SELECT col FROM explode(array(7)) AS e".to_owned(), text(&[&["7"]])),
    ] {
        assert_eq!(run(&session, &sql).await.rows, rows, "{sql}");
    }
    let number = "SELECT c FROM range(1) LATERAL VIEW explode(1) AS c";
    assert_eq!(error(&session, number).await.class, "DATATYPE_MISMATCH");
    let posexplode = "SELECT c FROM range(1) LATERAL VIEW posexplode(array(1)) AS c";
    assert_eq!(error(&session, posexplode).await.class, "UNSUPPORTED_FEATURE");
}

#[tokio::test]
async fn a_lateral_view_has_its_element_and_the_table_its_columns() {
    let session = session();
    run(
        &session,
        "CREATE TABLE t (id INT, Ids ARRAY<INT>, deep ARRAY<ARRAY<INT>>)",
    )
    .await;
    run(
        &session,
        "INSERT INTO t VALUES (1, array(10, 20), array(array(1, 2), array(3))), (2, array(30), array(array(4)))",
    )
    .await;
    let one = "VALUES (array(1, 2)) t(a) LATERAL VIEW explode(a) e AS x";
    let expected: &[(&str, &[&[&str]])] = &[
        (
            &format!("SELECT e.x FROM {one} WHERE EXISTS (SELECT 1 FROM VALUES (2) u(x) WHERE u.x = e.x)"),
            &[&["2"]],
        ),
        (
            &format!(
                "SELECT (SELECT max(u.y) FROM VALUES (1, 10), (2, 20) u(x, y) WHERE u.x = e.x) AS y FROM {one} ORDER BY y"
            ),
            &[&["10"], &["20"]],
        ),
        (
            "SELECT t.id, v.id FROM t LATERAL VIEW explode(ids) v AS id WHERE v.id > 10 ORDER BY v.id",
            &[&["1", "20"], &["2", "30"]],
        ),
        (
            "SELECT V.X FROM t LATERAL VIEW explode(t.IDS) v AS x ORDER BY v.x DESC",
            &[&["30"], &["20"], &["10"]],
        ),
        (
            "SELECT id, y FROM t LATERAL VIEW explode(deep) v1 AS x LATERAL VIEW explode(v1.x) v2 AS y ORDER BY v2.y",
            &[&["1", "1"], &["1", "2"], &["1", "3"], &["2", "4"]],
        ),
        (
            "SELECT f.y FROM t, LATERAL explode(deep) AS e(x), LATERAL explode(e.x) AS f(y) WHERE id = 1 ORDER BY f.y",
            &[&["1"], &["2"], &["3"]],
        ),
        (
            "SELECT v.* FROM t LATERAL VIEW explode(ids) v AS x ORDER BY ALL",
            &[&["10"], &["20"], &["30"]],
        ),
        (
            "SELECT a.id, b.id, x FROM t a JOIN t b ON a.id = b.id LATERAL VIEW explode(b.ids) v AS x ORDER BY x",
            &[&["1", "1", "10"], &["1", "1", "20"], &["2", "2", "30"]],
        ),
        (
            "SELECT a.id, b.id, x FROM t a, t b LATERAL VIEW explode(b.ids) v AS x WHERE a.id = b.id ORDER BY x",
            &[&["1", "1", "10"], &["1", "1", "20"], &["2", "2", "30"]],
        ),
        (
            "SELECT * FROM (SELECT id, ids FROM t) a JOIN VALUES (2, 'b') b(id, c) USING (id) LATERAL VIEW explode(ids) v AS x",
            &[&["2", "[30]", "b", "30"]],
        ),
        (
            "SELECT id, sum(v.x) FROM t LATERAL VIEW OUTER explode(ids) v AS x GROUP BY id ORDER BY id",
            &[&["1", "30"], &["2", "30"]],
        ),
        ("SELECT x LATERAL VIEW explode(array(7)) v AS x", &[&["7"]]),
    ];
    for (sql, rows) in expected {
        assert_eq!(run(&session, sql).await.rows, text(rows), "{sql}");
    }
    for (sql, class) in [
        (
            "SELECT u.k FROM VALUES (5, array(1)) t(k, a) LATERAL VIEW explode(a) u AS x",
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        ),
        (
            "SELECT t.x FROM VALUES (5, array(1)) t(k, a) LATERAL VIEW explode(a) u AS x",
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        ),
        (
            "SELECT id FROM t LATERAL VIEW explode(ids) v AS id",
            "AMBIGUOUS_REFERENCE",
        ),
    ] {
        assert_eq!(error(&session, sql).await.class, class, "{sql}");
    }
}

#[tokio::test]
async fn arithmetic_that_would_lose_something_is_an_error_or_null() {
    let session = session();
    let expected: &[(&str, &[&str])] = &[
        (
            "try_add(1, 2), try_add(2147483647, 1), try_subtract(1, 2), try_multiply(3, 2)",
            &["3", "NULL", "-1", "6"],
        ),
        ("try_add(1, NULL), try_multiply(NULL, 2)", &["NULL", "NULL"]),
        ("sum(try_add(a, 1)) FROM VALUES (1), (2147483647) AS t(a)", &["2"]),
        (
            "sum(a) FROM VALUES (9223372036854775807), (1), (-1) AS t(a)",
            &["9223372036854775807"],
        ),
        ("try_sum(a) FROM VALUES (9223372036854775807), (1) AS t(a)", &["NULL"]),
        // Two thirds, and minus two thirds: half away from zero in the last digit.
        (
            "avg(CAST(a AS DECIMAL(10,2))) FROM VALUES (1), (1), (0) AS t(a)",
            &["0.666667"],
        ),
        (
            "avg(CAST(a AS DECIMAL(10,2))) FROM VALUES (-1), (-1), (0) AS t(a)",
            &["-0.666667"],
        ),
        ("avg(a) FROM VALUES (1), (2) AS t(a)", &["1.5"]),
    ];
    answers(&session, expected).await;
    for sql in [
        "SELECT sum(a) FROM VALUES (9223372036854775807), (1) AS t(a)",
        "SELECT k, sum(a) FROM VALUES (1, 9223372036854775807), (1, 1) AS t(k, a) GROUP BY k",
        "SELECT sum(a) OVER (ORDER BY a ROWS 1 PRECEDING) FROM VALUES (9223372036854775806), (2) AS t(a)",
    ] {
        assert_eq!(error(&session, sql).await.class, "ARITHMETIC_OVERFLOW", "{sql}");
    }
    let ranks = "SELECT row_number() OVER (ORDER BY a) AS n, rank() OVER (ORDER BY a) AS r, sum(a) OVER () AS s FROM VALUES (1) AS t(a)";
    assert_eq!(run(&session, ranks).await.columns, ["n INT", "r INT", "s BIGINT"]);
}

#[tokio::test]
async fn aggregates_that_pick_a_value() {
    let session = session();
    let expected: &[(&str, &[&str])] = &[
        (
            "max_by(a, b), min_by(a, b) FROM VALUES ('a', 10), ('b', 50), ('c', 20), ('d', NULL) AS t(a, b)",
            &["b", "a"],
        ),
        (
            "percentile_approx(a, 0.5), approx_percentile(a, 0.9, 100), percentile(a, 0.5) FROM VALUES (1), (2), (3), (10), (NULL) AS t(a)",
            &["2", "10", "2.5"],
        ),
        (
            "count_if(a > 1), count_if(DISTINCT a > 1) FROM VALUES (1), (2), (3), (NULL) AS t(a)",
            &["2", "1"],
        ),
        (
            "every(a > 0), some(a > 1) FROM VALUES (1), (2) AS t(a)",
            &["true", "true"],
        ),
    ];
    answers(&session, expected).await;
}

#[tokio::test]
async fn functions_of_times() {
    let session = session();
    let expected: &[(&str, &[&str])] = &[
        (
            "unix_timestamp(TIMESTAMP'2020-01-01 00:00:00'), unix_timestamp('2020-01-01', 'yyyy-MM-dd')",
            &["1577836800", "1577836800"],
        ),
        ("unix_timestamp() > 1577836800", &["true"]),
        (
            "from_unixtime(0), from_unixtime(0, 'yyyy/M')",
            &["1970-01-01 00:00:00", "1970/1"],
        ),
        (
            "date_format(DATE'2020-01-05', 'd.M.yy'), date_format(TIMESTAMP'2020-01-05 03:04:05', \"yyyy 'at' H\")",
            &["5.1.20", "2020 at 3"],
        ),
        ("date_trunc('MONTH', DATE'2020-02-05')", &["2020-02-01T00:00:00Z"]),
        (
            "datediff(MONTH, DATE'2021-02-28', DATE'2021-03-28'), datediff(MONTH, DATE'2021-02-28', DATE'2021-03-27')",
            &["1", "0"],
        ),
        (
            "datediff(DAY, DATE'2020-01-01', DATE'2020-01-05'), timestampdiff(HOUR, TIMESTAMP'2020-01-01 00:00:00', TIMESTAMP'2020-01-01 23:59:59')",
            &["4", "23"],
        ),
        ("datediff(YEAR, DATE'2020-05-01', DATE'2018-05-02')", &["-1"]),
        (
            "timestampdiff(MONTH, '2024-01-31', '2024-02-29'), datediff(YEAR, DATE'2024-02-29', DATE'2025-02-28')",
            &["0", "0"],
        ),
        (
            "timestampdiff(MONTH, '2024-01-31 12:00:00', '2024-03-01 00:00:00'), datediff(QUARTER, DATE'2024-01-01', DATE'2024-07-01')",
            &["0", "2"],
        ),
        (
            "timestamp_seconds(1.5), timestamp_millis(-1), timestamp_micros(1), typeof(timestamp_seconds(1))",
            &[
                "1970-01-01T00:00:01.500Z",
                "1969-12-31T23:59:59.999Z",
                "1970-01-01T00:00:00.000001Z",
                "timestamp",
            ],
        ),
        (
            "dateadd(MONTH, -1, DATE'2022-03-31'), timestampadd(HOUR, 2, TIMESTAMP'2022-03-31 00:00:00')",
            &["2022-02-28T00:00:00Z", "2022-03-31T02:00:00Z"],
        ),
        (
            "CAST(1 AS TIMESTAMP), CAST(TIMESTAMP'1970-01-01 00:01:00' AS BIGINT)",
            &["1970-01-01T00:00:01Z", "60"],
        ),
        (
            "try_to_timestamp('x'), try_to_date('2020-01-01')",
            &["NULL", "2020-01-01"],
        ),
    ];
    answers(&session, expected).await;
    let difference = run(&session, "SELECT DATE'2020-01-05' - DATE'2020-01-01' AS d").await;
    assert_eq!(difference.columns, ["d INTERVAL DAY TO SECOND"]);
    assert_eq!(difference.rows, text(&[&["PT345600S"]]));
}

#[tokio::test]
async fn times_are_of_the_zone_of_the_session() {
    let session = session();
    run(&session, "SET TIME ZONE 'America/New_York'").await;
    let expected: &[(&str, &[&str])] = &[
        // The night in which the clocks go forward has 23 hours.
        (
            "datediff(DAY, DATE'2024-03-10', DATE'2024-03-11'), datediff(WEEK, DATE'2024-03-07', DATE'2024-03-14')",
            &["1", "1"],
        ),
        (
            "timestampdiff(MONTH, a, b), timestampdiff(MONTH, b, a), timestamp_seconds(c) FROM VALUES \
             (TIMESTAMP'2024-01-31 12:00:00', TIMESTAMP'2024-03-31 12:00:00', 1.5D) AS t(a, b, c)",
            &["2", "-2", "1969-12-31T19:00:01.500-05:00"],
        ),
        (
            "from_unixtime(0), from_unixtime(0, 'yyyy-MM-dd HH')",
            &["1969-12-31 19:00:00", "1969-12-31 19"],
        ),
        ("unix_timestamp('1970-01-01', 'yyyy-MM-dd')", &["18000"]),
        (
            "to_timestamp('1970-01-01', 'yyyy-MM-dd'), typeof(to_timestamp('1970-01-01', 'yyyy-MM-dd'))",
            &["1970-01-01T00:00:00-05:00", "timestamp"],
        ),
        (
            "typeof(timestamp_seconds(1)), typeof(timestamp_millis(1)), timestamp_seconds(0)",
            &["timestamp", "timestamp", "1969-12-31T19:00:00-05:00"],
        ),
    ];
    answers(&session, expected).await;
}

#[tokio::test]
async fn values_inside_json() {
    let session = session();
    let json = r#"FROM (SELECT '{"Owner":"a","list":[{"n": 1},{"n":2}],"none":null}' AS j)"#;
    let expected: &[(String, &[&str])] = &[
        (
            format!("j:owner, j:OWNER, j:list[1].n::INT, j:none, j:missing {json}"),
            &["a", "a", "2", "NULL", "NULL"],
        ),
        (
            format!("j:['Owner'], j:['owner'], j:list[0] {json}"),
            &["a", "NULL", r#"{"n":1}"#],
        ),
        (
            format!(
                "get_json_object(j, '$.list[0].n'), get_json_object(j, '$.owner'), get_json_object('no', '$.a') {json}"
            ),
            &["1", "NULL", "NULL"],
        ),
    ];
    for (sql, cells) in expected {
        answers(&session, &[(sql.as_str(), cells)]).await;
    }
    let wildcard = r#"SELECT get_json_object('[{"a":1},{"a":2}]', '$[*].a')"#;
    assert_eq!(error(&session, wildcard).await.class, "UNSUPPORTED_FEATURE");
}

#[tokio::test]
async fn clauses_of_queries() {
    let session = session();
    let expected: &[(&str, &[&str])] = &[
        ("1 MINUS SELECT 2", &["1"]),
        ("~5", &["-6"]),
        (
            "iff(true, 1, 2), zeroifnull(NULL), nullifzero(0), equal_null(NULL, NULL)",
            &["1", "0", "NULL", "true"],
        ),
        (
            "typeof(1), typeof(1.5), typeof('a'), typeof(array(1)), typeof(NULL), typeof(2147483648)",
            &["int", "decimal(2,1)", "string", "array<int>", "void", "bigint"],
        ),
    ];
    answers(&session, expected).await;
    let ordered = run(
        &session,
        "SELECT * FROM VALUES (2, 1), (1, 2), (1, 1) AS t(a, b) ORDER BY ALL",
    )
    .await;
    assert_eq!(ordered.rows, text(&[&["1", "1"], &["1", "2"], &["2", "1"]]));
}

#[tokio::test]
async fn names_come_from_strings_and_from_nothing_else() {
    let session = session();
    run(&session, "CREATE TABLE IDENTIFIER('main.default.t') AS SELECT 5 AS a").await;
    let parameter = |value: &str| databricks_wire::sea::Parameter {
        name: Some("t".to_owned()),
        value: Some(value.into()),
        ..Default::default()
    };
    let sql = "SELECT IDENTIFIER('a') FROM IDENTIFIER(:t)";
    let answer = engine_support::try_run(&session, sql, &[parameter("`default`.t")]).await;
    assert_eq!(answer.unwrap().rows, text(&[&["5"]]));
    let refused = engine_support::try_run(&session, sql, &[parameter("t WHERE false")]).await;
    assert_eq!(refused.unwrap_err().class, "PARSE_SYNTAX_ERROR");
    assert_eq!(error(&session, sql).await.class, "UNBOUND_SQL_PARAMETER");
    // A keyword is a name too, and no column has it.
    for keyword in ["DISTINCT", "null", "CURRENT_DATE"] {
        let sql = "SELECT IDENTIFIER(:t) FROM t";
        let missing = engine_support::try_run(&session, sql, &[parameter(keyword)]).await;
        assert_eq!(
            missing.unwrap_err().class,
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
            "{keyword}"
        );
    }
    let sql = "SELECT IDENTIFIER(:t) a FROM t";
    let missing = engine_support::try_run(&session, sql, &[parameter("DISTINCT")]).await;
    assert_eq!(missing.unwrap_err().class, "UNRESOLVED_COLUMN.WITH_SUGGESTION");
    let called = run(
        &session,
        "SELECT IDENTIFIER('STARTSWITH')('ab', 'a'), IDENTIFIER('A') FROM IDENTIFIER('MAIN.Default.T')",
    )
    .await;
    assert_eq!(called.rows, text(&[&["true", "5"]]));
    run(&session, "CREATE TABLE IDENTIFIER('Order') (IDENTIFIER('select') INT)").await;
    run(
        &session,
        "INSERT INTO IDENTIFIER('order') (IDENTIFIER('SELECT')) VALUES (3)",
    )
    .await;
    let kept = run(&session, "SELECT IDENTIFIER('select') FROM IDENTIFIER('ORDER')").await;
    assert_eq!(kept.rows, text(&[&["3"]]));
}

#[tokio::test]
async fn columns_are_inserted_by_their_names() {
    let session = session();
    run(&session, "CREATE TABLE t (a INT, B STRING, c INT)").await;
    run(&session, "INSERT INTO t BY NAME SELECT 'x' AS b, 1 AS a").await;
    run(&session, "INSERT INTO t BY NAME SELECT 2 AS c, 3 AS A, 'y' AS B").await;
    let rows = run(&session, "SELECT * FROM t ORDER BY a").await;
    assert_eq!(rows.rows, text(&[&["1", "x", "NULL"], &["3", "y", "2"]]));
    let unknown = error(&session, "INSERT INTO t BY NAME SELECT 1 AS z").await;
    assert_eq!(unknown.class, "UNRESOLVED_COLUMN.WITH_SUGGESTION");
    run(&session, "CREATE TABLE bn (id INT, by INT, name INT)").await;
    run(&session, "INSERT INTO bn (id, by, name) VALUES (1, 2, 3)").await;
    run(
        &session,
        "INSERT INTO bn BY /* theirs */ NAME (SELECT 4 AS name, 5 AS by, 6 AS id)",
    )
    .await;
    run(&session, "INSERT INTO bn (SELECT 7 AS name, 8, 9) ORDER BY name").await;
    let rows = run(&session, "SELECT * FROM bn ORDER BY id").await;
    assert_eq!(rows.rows, text(&[&["1", "2", "3"], &["6", "5", "4"], &["7", "8", "9"]]));
}

#[tokio::test]
async fn the_version_is_a_struct_with_that_of_databricks_sql() {
    let session = session();
    let fields = "v.dbr_version, v.dbsql_version, v.u_build_hash = v.r_build_hash";
    let expected: &[(&str, &[&str])] = &[
        ("current_version().dbsql_version", &["2026.10"]),
        (
            "typeof(current_version())",
            &["struct<dbr_version: string, dbsql_version: string, u_build_hash: string, r_build_hash: string>"],
        ),
        (
            &format!("{fields} FROM (SELECT current_version() AS v)"),
            &["NULL", "2026.10", "true"],
        ),
        // Fields of what is no column.
        (
            "named_struct('a', named_struct('b', 1)).a.b, array(named_struct('a', 2))[0].a, t.s[0].a.b \
             FROM (SELECT array(named_struct('a', named_struct('b', 3))) AS s) AS t",
            &["1", "2", "3"],
        ),
    ];
    answers(&session, expected).await;
}
