//! `get_objects` at every depth and with every filter, on a real engine.

use adbc_core::options::ObjectDepth;
use adbc_core::sync::Connection as _;
use adbc_databricks::Connection;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{Int16Type, Int32Type};
use arrow::util::display::array_value_to_string;
use conformance::{connect, logs, of_type, query, start, workspace};

type Filters<'a> = [Option<&'a str>; 4];

fn list(connection: &Connection, depth: ObjectDepth, filters: Filters<'_>, kinds: Option<Vec<&str>>) -> RecordBatch {
    let [catalog, schema, table, column] = filters;
    let reader = connection
        .get_objects(depth, catalog, schema, table, kinds, column)
        .unwrap();
    assert_eq!(reader.schema(), *adbc_core::schemas::GET_OBJECTS_SCHEMA);
    let mut batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

/// The list in a cell, as the array of its items; `None` for a null list.
fn items(lists: &ArrayRef, row: usize) -> Option<StructArray> {
    lists
        .is_valid(row)
        .then(|| lists.as_list::<i32>().value(row).as_struct().clone())
}

fn text(of: &StructArray, column: &str, row: usize) -> String {
    array_value_to_string(of.column_by_name(column).unwrap(), row).unwrap()
}

/// `catalog`, `catalog.schema`, `catalog.schema.table (TYPE)`, one line for each that has no list or an empty one below it.
fn paths(batch: &RecordBatch) -> Vec<String> {
    let mut found = Vec::new();
    for catalog in 0..batch.num_rows() {
        let name = batch.column(0).as_string::<i32>().value(catalog).to_owned();
        let Some(schemas) = items(batch.column(1), catalog).filter(|schemas| !schemas.is_empty()) else {
            found.push(name);
            continue;
        };
        for schema in 0..schemas.len() {
            let name = format!("{name}.{}", text(&schemas, "db_schema_name", schema));
            let Some(tables) = items(schemas.column(1), schema).filter(|tables| !tables.is_empty()) else {
                found.push(name);
                continue;
            };
            for table in 0..tables.len() {
                found.push(format!(
                    "{name}.{} ({})",
                    text(&tables, "table_name", table),
                    text(&tables, "table_type", table)
                ));
            }
        }
    }
    found
}

/// The only table in a listing.
fn only_table(batch: &RecordBatch) -> StructArray {
    let schemas = items(batch.column(1), 0).unwrap();
    let tables = items(schemas.column(1), 0).unwrap();
    assert_eq!((batch.num_rows(), schemas.len(), tables.len()), (1, 1, 1));
    tables
}

#[test]
fn lists_are_null_below_the_depth_and_present_at_it() {
    let workspace = workspace();
    let connection = connect(&workspace);
    let of = |depth| {
        list(
            &connection,
            depth,
            [Some("samples"), Some("tpch"), Some("nation"), None],
            None,
        )
    };
    assert!(items(of(ObjectDepth::Catalogs).column(1), 0).is_none());
    let schemas = items(of(ObjectDepth::Schemas).column(1), 0).unwrap();
    assert!(items(schemas.column(1), 0).is_none());
    let tables = only_table(&of(ObjectDepth::Tables));
    assert!(items(tables.column(2), 0).is_none() && items(tables.column(3), 0).is_none());
    for depth in [ObjectDepth::Columns, ObjectDepth::All] {
        let tables = only_table(&of(depth));
        assert_eq!(items(tables.column(2), 0).unwrap().len(), 4);
        assert_eq!(items(tables.column(3), 0).unwrap().len(), 0);
    }
}

#[test]
fn filters_are_patterns_in_any_case_and_keep_what_is_above() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    for sql in [
        "CREATE SCHEMA s_1",
        "CREATE SCHEMA s21",
        "CREATE TABLE s_1.a_b (x INT)",
        "CREATE TABLE s21.axb (x INT)",
        "CREATE VIEW s21.v AS SELECT * FROM s21.axb",
    ] {
        query(&mut connection, sql).unwrap();
    }
    let found = |filters, kinds| paths(&list(&connection, ObjectDepth::Tables, filters, kinds));
    let tables = || Some(vec!["TABLE"]);
    assert_eq!(
        found([Some("MAIN"), Some("S_1"), None, None], None),
        ["main.s21.axb (TABLE)", "main.s21.v (VIEW)", "main.s_1.a_b (TABLE)"]
    );
    assert_eq!(
        found([Some("m%n"), Some("s%"), Some("A_b"), None], None),
        ["main.s21.axb (TABLE)", "main.s_1.a_b (TABLE)"]
    );
    assert_eq!(
        found([Some("main"), Some("s%"), Some("axb"), None], None),
        ["main.s21.axb (TABLE)", "main.s_1"]
    );
    assert_eq!(
        found([Some("main"), Some("s21"), None, None], Some(vec!["view"])),
        ["main.s21.v (VIEW)"]
    );
    assert_eq!(
        found([Some("main"), Some("s21"), None, None], Some(vec![])),
        ["main.s21"]
    );
    assert_eq!(found([Some("main"), Some("s21"), Some(""), None], None), ["main.s21"]);
    assert_eq!(found([None, Some("s21"), None, None], tables()).len(), 3);
    assert_eq!(found([Some("main"), Some(""), None, None], None), ["main"]);
    assert_eq!(
        found([Some("main"), Some("no\\_such' OR 1=1"), None, None], None),
        ["main"]
    );
    assert!(found([Some(""), None, None, None], None).is_empty());
    assert!(found([Some("no such"), None, None, None], None).is_empty());
    assert_eq!(
        found([Some("%"), Some("tpch"), Some("%item"), None], None),
        ["main", "samples.tpch.lineitem (TABLE)", "system"]
    );
}

#[test]
fn columns_and_keys_are_told_in_full() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(&mut connection, "CREATE TABLE p (a INT, B STRING, PRIMARY KEY (b, a))").unwrap();
    query(
        &mut connection,
        "CREATE TABLE c (Id BIGINT NOT NULL COMMENT 'the key', price DECIMAL(10,2), at TIMESTAMP, tags ARRAY<STRING>, \
         pa INT, pb STRING, CONSTRAINT c_key PRIMARY KEY (id), CONSTRAINT of_p FOREIGN KEY (pa, pb) REFERENCES p (a, b))",
    )
    .unwrap();
    let all = list(
        &connection,
        ObjectDepth::All,
        [Some("main"), Some("default"), Some("c"), None],
        None,
    );
    let table = only_table(&all);
    let columns = items(table.column(2), 0).unwrap();
    let of = |name: &str| -> Vec<String> { (0..columns.len()).map(|row| text(&columns, name, row)).collect() };
    assert_eq!(of("column_name"), ["Id", "price", "at", "tags", "pa", "pb"]);
    assert_eq!(of("ordinal_position"), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(of("remarks"), ["the key", "", "", "", "", ""]);
    assert_eq!(
        of("xdbc_type_name"),
        ["BIGINT", "DECIMAL(10,2)", "TIMESTAMP", "ARRAY<STRING>", "INT", "STRING"]
    );
    assert_eq!(of("xdbc_data_type"), ["-5", "3", "93", "2003", "4", "12"]);
    assert_eq!(of("xdbc_sql_data_type"), ["-5", "3", "9", "2003", "4", "12"]);
    assert_eq!(of("xdbc_column_size"), ["19", "10", "29", "", "10", "2147483647"]);
    assert_eq!(of("xdbc_decimal_digits"), ["0", "2", "6", "", "0", ""]);
    assert_eq!(of("xdbc_is_nullable"), ["NO", "YES", "YES", "YES", "YES", "YES"]);
    let nullable = columns
        .column_by_name("xdbc_nullable")
        .unwrap()
        .as_primitive::<Int16Type>();
    assert_eq!(nullable.values(), &[0, 1, 1, 1, 1, 1]);

    let keys = items(table.column(3), 0).unwrap();
    let key = |row| {
        [
            "constraint_name",
            "constraint_type",
            "constraint_column_names",
            "constraint_column_usage",
        ]
        .map(|name| text(&keys, name, row))
    };
    assert_eq!(keys.len(), 2);
    assert_eq!(key(0), ["c_key", "PRIMARY KEY", "[Id]", ""]);
    assert_eq!(key(1)[..3], ["of_p", "FOREIGN KEY", "[pa, pb]"]);
    let usage = items(keys.column(3), 1).unwrap();
    let used = |row| ["fk_catalog", "fk_db_schema", "fk_table", "fk_column_name"].map(|name| text(&usage, name, row));
    assert_eq!(usage.len(), 2);
    assert_eq!(used(0), ["main", "default", "p", "a"]);
    assert_eq!(used(1), ["main", "default", "p", "B"]);

    // A filter on columns leaves their positions alone.
    let some = list(
        &connection,
        ObjectDepth::All,
        [Some("main"), Some("default"), Some("c"), Some("P%")],
        None,
    );
    let columns = items(only_table(&some).column(2), 0).unwrap();
    let positions = columns.column_by_name("ordinal_position").unwrap();
    assert_eq!(positions.as_primitive::<Int32Type>().values(), &[2, 5, 6]);
}

#[test]
fn one_call_is_one_record_and_its_statements_are_internal() {
    let workspace = start(|builder| builder);
    let mut connection = connect(&workspace);
    query(&mut connection, "SELECT 1").unwrap();
    for (depth, statements) in [
        (ObjectDepth::Catalogs, 1),
        (ObjectDepth::Schemas, 2),
        (ObjectDepth::Tables, 3),
        (ObjectDepth::All, 5),
    ] {
        let before = posts(&workspace);
        list(&connection, depth, [None; 4], None);
        assert_eq!(posts(&workspace) - before, statements, "{depth:?}");
    }
    drop(connection);
    // The session's begin and end, the query, 4 listings with 11 statements, and the close of each statement.
    let all = logs(&workspace, 2 + 1 + 4 + 11 + 12);
    for kind in ["LIST_CATALOGS", "LIST_SCHEMAS", "LIST_TABLES", "LIST_COLUMNS"] {
        let records = of_type(&all, kind);
        assert_eq!(records.len(), 1, "{kind}");
        assert_eq!(
            records[0]["sql_operation"]["operation_detail"]["is_internal_call"],
            false
        );
    }
    let executions = of_type(&all, "EXECUTE_STATEMENT");
    let internal = executions
        .iter()
        .filter(|log| log["sql_operation"]["operation_detail"]["is_internal_call"] == true);
    assert_eq!((executions.len(), internal.count()), (12, 11));
}

/// How many statements were executed.
fn posts(workspace: &databricks_local::Workspace) -> usize {
    let requests = workspace.requests();
    let executed = requests
        .iter()
        .filter(|request| request.method == "POST" && request.path == "/api/2.0/sql/statements");
    executed.count()
}
