//! Statistics, table schemas, and what statements would return, on a real engine.

use std::collections::HashMap;

use adbc_core::error::Status;
use adbc_core::options::OptionConnection;
use adbc_core::sync::{Connection as _, Optionable as _, Statement as _};
use adbc_databricks::Connection;
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, RecordBatchReader};
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::util::display::array_value_to_string;
use conformance::{answers, connect, query, scalar, statement, workspace};
use databricks_local::Workspace;

fn one(reader: Box<dyn RecordBatchReader + Send>) -> RecordBatch {
    reader.into_iter().next().unwrap().unwrap()
}

fn statistics(connection: &Connection, table: &str, approximate: bool) -> Vec<Vec<String>> {
    statistics_of(connection, ["main", "default", table], approximate)
}

fn statistics_of(connection: &Connection, [catalog, schema, table]: [&str; 3], approximate: bool) -> Vec<Vec<String>> {
    let reader = connection
        .get_statistics(Some(catalog), Some(schema), Some(table), approximate)
        .unwrap();
    assert_eq!(reader.schema(), *adbc_core::schemas::GET_STATISTICS_SCHEMA);
    let batch = one(reader);
    let schemas = batch.column(1).as_list::<i32>().value(0);
    let all = schemas.as_struct().column(1).as_list::<i32>().value(0);
    let row = |row| {
        let cell = |column: &ArrayRef| array_value_to_string(column, row).unwrap();
        all.as_struct().columns().iter().map(cell).collect()
    };
    (0..all.len()).map(row).collect()
}

/// Those of one column: each key's value.
fn of_column(statistics: &[Vec<String>], column: &str) -> Vec<(String, String)> {
    let of = statistics.iter().filter(|one| one[1] == column);
    let mut found: Vec<_> = of.map(|one| (one[2].clone(), one[3].clone())).collect();
    found.sort();
    found
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    expected.iter().map(pair).collect()
}

#[test]
fn statistics_are_exact_or_say_that_they_are_not() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(
        &mut connection,
        "CREATE TABLE t AS SELECT n_nationkey FROM samples.tpch.nation",
    )
    .unwrap();
    query(&mut connection, "CREATE TABLE u (a INT)").unwrap();
    query(&mut connection, "CREATE VIEW v AS SELECT * FROM t").unwrap();
    assert_eq!(
        statistics(&connection, "%", false),
        [
            ["t", "", "6", "{int64=25}", "false"],
            ["t", "n_nationkey", "5", "{int64=0}", "false"],
            ["t", "n_nationkey", "1", "{int64=25}", "false"],
            ["t", "n_nationkey", "4", "{int64=0}", "false"],
            ["t", "n_nationkey", "3", "{int64=24}", "false"],
            ["u", "", "6", "{int64=0}", "false"],
            ["u", "a", "5", "{int64=0}", "false"],
            ["u", "a", "1", "{int64=0}", "false"],
        ]
    );
    let about = statistics(&connection, "t", true);
    assert_eq!(about[1], ["t", "", "6", "{float64=25.0}", "true"]);
    assert_eq!((about[0][2].as_str(), about[0][4].as_str()), ("1024", "true"));
    assert_eq!(about.len(), 2, "nobody has analyzed the columns");
    // What is generated takes no storage.
    let nation = statistics_of(&connection, ["samples", "tpch", "nation"], true);
    assert_eq!(
        nation,
        [
            ["nation", "", "1024", "{float64=0.0}", "true"],
            ["nation", "", "6", "{float64=25.0}", "true"]
        ]
    );
    let names = one(connection.get_statistic_names().unwrap());
    assert_eq!(names.num_rows(), 1);
    assert_eq!(array_value_to_string(names.column(1), 0).unwrap(), "1024");
}

#[test]
fn what_was_analyzed_is_known_as_it_was_and_what_is_computed_as_it_is() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let rows = "SELECT CAST(id AS INT) AS id, `na``me`, day, x, money, list FROM VALUES (1, 'a', DATE'2026-01-01', 1.25D, CAST(7.5 AS DECIMAL(5,1)), array(1)), \
                (2, 'four', DATE'2026-02-01', 2.5D, NULL, NULL) AS v(id, `na``me`, day, x, money, list)";
    query(&mut connection, &format!("CREATE TABLE t AS {rows}")).unwrap();
    query(&mut connection, "ANALYZE TABLE t COMPUTE STATISTICS FOR ALL COLUMNS").unwrap();
    query(&mut connection, "INSERT INTO t (id, day) VALUES (9, DATE'2027-01-01')").unwrap();

    let stored = statistics(&connection, "t", true);
    assert!(stored.iter().all(|one| one[4] == "true"), "{stored:?}");
    let id = [
        ("0", "{float64=4.0}"),
        ("1", "{float64=2.0}"),
        ("2", "{float64=4.0}"),
        ("3", "{int64=2}"),
        ("4", "{int64=1}"),
        ("5", "{float64=0.0}"),
    ];
    assert_eq!(of_column(&stored, "id"), pairs(&id));
    assert_eq!(
        of_column(&stored, "day")[3].1,
        format!("{{binary={}}}", hex("2026-02-01"))
    );
    assert_eq!(of_column(&stored, "na`me").len(), 4, "text has no smallest");
    assert_eq!(of_column(&stored, "list"), []);

    let computed = statistics(&connection, "t", false);
    assert!(computed.iter().all(|one| one[4] == "false"), "{computed:?}");
    let id = [
        ("1", "{int64=3}"),
        ("3", "{int64=9}"),
        ("4", "{int64=1}"),
        ("5", "{int64=0}"),
    ];
    assert_eq!(of_column(&computed, "id"), pairs(&id));
    let name = [
        ("0", "{float64=2.5}"),
        ("1", "{int64=2}"),
        ("2", "{int64=4}"),
        ("5", "{int64=1}"),
    ];
    assert_eq!(of_column(&computed, "na`me"), pairs(&name));
    assert_eq!(
        of_column(&computed, "day")[1].1,
        format!("{{binary={}}}", hex("2027-01-01"))
    );
    assert_eq!(
        of_column(&computed, "x")[1..3],
        pairs(&[("3", "{float64=2.5}"), ("4", "{float64=1.25}")])
    );
    assert_eq!(of_column(&computed, "money")[1].1, format!("{{binary={}}}", hex("7.5")));
    assert_eq!(of_column(&computed, "list"), pairs(&[("5", "{int64=2}")]));
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_wide_table_is_computed_by_one_statement_per_16_columns() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let columns: Vec<String> = (0..40).map(|column| format!("{column} AS c{column}")).collect();
    query(
        &mut connection,
        &format!("CREATE TABLE wide AS SELECT {}", columns.join(", ")),
    )
    .unwrap();
    let before = submissions(&workspace);
    let found = statistics(&connection, "wide", false);
    // Three to list the tables, one for their columns, and three for 40 columns.
    assert_eq!(submissions(&workspace) - before, 3 + 1 + 3);
    assert_eq!(found.len(), 1 + 40 * 4);
    for column in 0..40 {
        let value = format!("{{int64={column}}}");
        assert_eq!(of_column(&found, &format!("c{column}"))[1], ("3".to_owned(), value));
    }
    query(&mut connection, "ANALYZE TABLE wide COMPUTE STATISTICS FOR ALL COLUMNS").unwrap();
    let before = submissions(&workspace);
    assert_eq!(statistics(&connection, "wide", true).len(), 2 + 40 * 6);
    assert_eq!(submissions(&workspace) - before, 3 + 1 + 1 + 40);
}

fn submissions(workspace: &Workspace) -> usize {
    answers(workspace, "POST", |path| path == "/api/2.0/sql/statements").len()
}

#[test]
fn a_tables_schema_is_what_selecting_from_it_returns() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let odd = "CREATE TABLE `it``s odd` (a DECIMAL(5,1), b ARRAY<INT>, c TIMESTAMP_NTZ)";
    query(&mut connection, odd).unwrap();
    let schema = connection
        .get_table_schema(Some("main"), Some("default"), "it`s odd")
        .unwrap();
    let selected = query(&mut connection, "SELECT * FROM `it``s odd`").unwrap().schema();
    assert_eq!(types(&schema), types(&selected));
    assert_eq!(schema.field(0).metadata()["DATABRICKS:type"], "DECIMAL(5,1)");
    assert_eq!(schema, connection.get_table_schema(None, None, "it`s odd").unwrap());
    for (catalog, schema, table, status) in [
        (None, None, "missing", Status::NotFound),
        (None, Some("missing"), "t", Status::NotFound),
        (Some("missing"), Some("default"), "t", Status::NotFound),
        (Some("main"), None, "t", Status::InvalidArguments),
        (None, None, "", Status::InvalidArguments),
    ] {
        let error = connection.get_table_schema(catalog, schema, table).unwrap_err();
        assert_eq!(error.status, status, "{error}");
    }
}

#[test]
fn a_tables_schema_says_what_can_be_null_with_one_statement() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let table = "CREATE TABLE t (a BIGINT NOT NULL COMMENT 'which', b DECIMAL(5,1), s STRUCT<`x y`: INT, z: ARRAY<DATE>>, \
                 m MAP<STRING, TIMESTAMP>, c TIMESTAMP_NTZ NOT NULL, d BINARY)";
    query(&mut connection, table).unwrap();
    query(&mut connection, "CREATE VIEW v AS SELECT a, b FROM t").unwrap();
    query(&mut connection, "CREATE TEMPORARY TABLE own (e STRING NOT NULL)").unwrap();
    let before = submissions(&workspace);
    let schema = connection.get_table_schema(None, None, "t").unwrap();
    assert_eq!(submissions(&workspace), before + 1);
    let nullable = |schema: &Schema| {
        schema
            .fields()
            .iter()
            .map(|field| field.is_nullable())
            .collect::<Vec<_>>()
    };
    assert_eq!(nullable(&schema), [false, true, true, true, false, true]);
    assert_eq!(schema.field(0).metadata()["comment"], "which");
    let selected = query(&mut connection, "SELECT * FROM t").unwrap().schema();
    // A result's type text quotes no names of fields.
    let flat = |(told, _): &(&FieldRef, &FieldRef)| told.name() != "s";
    for (told, selected) in schema.fields().iter().zip(selected.fields()).filter(flat) {
        for key in ["DATABRICKS:type", "Spark:DataType:SqlName"] {
            assert_eq!(told.metadata()[key], selected.metadata()[key], "{}", told.name());
        }
    }
    assert_eq!(
        nullable(&connection.get_table_schema(None, None, "own").unwrap()),
        [false]
    );
    let view = connection.get_table_schema(Some("main"), Some("default"), "v").unwrap();
    assert_eq!(view.fields().len(), 2);
}

/// Names and types, of lists without the item's name, which servers choose.
fn types(schema: &Schema) -> Vec<(String, DataType)> {
    let plain = |data_type: &DataType| match data_type {
        DataType::List(item) => DataType::new_list(item.data_type().clone(), true),
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        other => other.clone(),
    };
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().clone(), plain(field.data_type())))
        .collect()
}

#[test]
fn what_a_statement_would_return_is_known_without_executing_it() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(&mut connection, "CREATE TABLE t (a INT, b STRING)").unwrap();
    query(&mut connection, "INSERT INTO t VALUES (1, 'x')").unwrap();
    for sql in [
        "INSERT INTO t VALUES (2, 'y')",
        "UPDATE t SET a = 3",
        "MERGE INTO t USING (SELECT 1 AS k) AS s ON t.a = s.k WHEN MATCHED THEN DELETE",
        "DELETE FROM t",
        "SELECT a + 1 AS n, 'x' FROM t",
        "WITH c AS (SELECT * FROM t) SELECT b FROM c",
        "SHOW TABLES",
        "DROP TABLE t",
    ] {
        let mut statement = statement(&mut connection, sql);
        let expected = statement.execute_schema().unwrap();
        assert_eq!(
            scalar(&mut connection, "SELECT concat_ws(',', sum(a), count(*)) FROM t"),
            "1,1",
            "{sql}"
        );
        if !["UPDATE", "MERGE", "DELETE", "INSERT", "DROP"]
            .iter()
            .any(|verb| sql.starts_with(verb))
        {
            assert_eq!(types(&expected), types(&statement.execute().unwrap().schema()), "{sql}");
        }
    }
    let refused = statement(&mut connection, "CREATE TABLE u AS SELECT 1 AS a").execute_schema();
    assert_eq!(refused.unwrap_err().status, Status::NotImplemented);
    assert_eq!(
        connection.get_table_schema(None, None, "u").unwrap_err().status,
        Status::NotFound
    );
    // And afterwards: what was promised is what comes.
    for sql in [
        "INSERT INTO t VALUES (2, 'y')",
        "UPDATE t SET a = 3",
        "MERGE INTO t USING (SELECT 1 AS k) AS s ON t.a = s.k WHEN MATCHED THEN DELETE",
        "DELETE FROM t",
        "DROP TABLE t",
    ] {
        let mut statement = statement(&mut connection, sql);
        let expected = statement.execute_schema().unwrap();
        assert_eq!(types(&expected), types(&statement.execute().unwrap().schema()), "{sql}");
    }
}

#[test]
fn markers_are_described_with_and_without_bound_rows() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let mut positional = statement(&mut connection, "SELECT ? AS x, ':no' AS y");
    let parameters = positional.get_parameter_schema().unwrap();
    assert_eq!(types(&parameters), [(String::new(), DataType::Null)]);
    assert_eq!(positional.execute_schema().unwrap().fields().len(), 2);
    let row = RecordBatch::try_from_iter([("p", std::sync::Arc::new(Int32Array::from(vec![1, 2])) as _)]).unwrap();
    positional.bind(row).unwrap();
    assert_eq!(
        positional.execute_schema().unwrap().field(0).data_type(),
        &DataType::Int32
    );
    let mut named = statement(&mut connection, "SELECT :a AS x, :b AS y WHERE :a IS NULL");
    let names: Vec<_> = named
        .get_parameter_schema()
        .unwrap()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(named.execute_schema().unwrap().fields().len(), 2);
}

#[test]
fn the_current_catalog_and_schema_can_be_asked_and_changed() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    let read = |connection: &Connection| {
        let keys = [OptionConnection::CurrentCatalog, OptionConnection::CurrentSchema];
        keys.map(|key| connection.get_option_string(key).unwrap())
    };
    assert_eq!(read(&connection), ["main", "default"]);
    connection
        .set_option(OptionConnection::CurrentCatalog, "samples".into())
        .unwrap();
    connection
        .set_option(OptionConnection::CurrentSchema, "tpch".into())
        .unwrap();
    assert_eq!(read(&connection), ["samples", "tpch"]);
    assert_eq!(scalar(&mut connection, "SELECT count(*) FROM nation"), "25");
    let error = connection
        .set_option(OptionConnection::CurrentCatalog, "missing".into())
        .unwrap_err();
    assert_eq!(error.status, Status::NotFound);
    assert_eq!(read(&connection), ["samples", "tpch"]);
}

#[test]
fn table_types_are_those_that_listings_use() {
    let workspace = workspace();
    let connection = connect(&workspace);
    let types = one(connection.get_table_types().unwrap());
    let types: HashMap<_, _> = types
        .column(0)
        .as_string::<i32>()
        .iter()
        .map(|name| (name.unwrap().to_owned(), ()))
        .collect();
    for kind in ["TABLE", "VIEW", "SYSTEM TABLE"] {
        assert!(types.contains_key(kind));
    }
}
