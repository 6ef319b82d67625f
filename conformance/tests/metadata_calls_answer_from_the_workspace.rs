//! Statistics, table schemas, and what statements would return, on a real engine.

use std::collections::HashMap;

use adbc_core::error::Status;
use adbc_core::options::OptionConnection;
use adbc_core::sync::{Connection as _, Optionable as _, Statement as _};
use adbc_databricks::Connection;
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, RecordBatchReader};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::array_value_to_string;
use conformance::{connect, query, scalar, statement, workspace};

fn one(reader: Box<dyn RecordBatchReader + Send>) -> RecordBatch {
    reader.into_iter().next().unwrap().unwrap()
}

fn statistics(connection: &Connection, table: &str, approximate: bool) -> Vec<Vec<String>> {
    let reader = connection
        .get_statistics(Some("main"), Some("default"), Some(table), approximate)
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
            ["u", "", "6", "{int64=0}", "false"]
        ]
    );
    let about = statistics(&connection, "t", true);
    assert_eq!(about[1], ["t", "", "6", "{float64=25.0}", "true"]);
    assert_eq!((about[0][2].as_str(), about[0][4].as_str()), ("1024", "true"));
    let names = one(connection.get_statistic_names().unwrap());
    assert_eq!(names.num_rows(), 1);
    assert_eq!(array_value_to_string(names.column(1), 0).unwrap(), "1024");
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
