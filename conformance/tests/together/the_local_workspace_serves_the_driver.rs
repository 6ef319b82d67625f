//! The driver against a real SQL engine over the real wire.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use adbc_core::error::{Error, Status};
use adbc_core::sync::{Connection as _, Database as _, Driver as _, Optionable as _, Statement as _};
use adbc_databricks::{Connection, Driver, Statement};
use arrow::array::AsArray;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchReader, StringArray};
use arrow::datatypes::DataType;
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use databricks_local::Workspace;

fn workspace() -> Workspace {
    Workspace::builder()
        .scale_factor(0.01)
        .chunk_bytes(64 << 10)
        .multi_frame_lz4(true)
        .start()
        .unwrap()
}

fn connect(workspace: &Workspace, options: &[(&str, &str)]) -> Connection {
    let mut all = vec![("uri".into(), workspace.uri().as_str().into())];
    all.extend(options.iter().map(|(key, value)| ((*key).into(), (*value).into())));
    Driver.new_database_with_opts(all).unwrap().new_connection().unwrap()
}

fn statement(connection: &mut Connection, sql: &str) -> Statement {
    let mut statement = connection.new_statement().unwrap();
    statement.set_sql_query(sql).unwrap();
    statement
}

/// All rows as text.
fn rows(reader: impl RecordBatchReader) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        found.extend((0..batch.num_rows()).map(|row| {
            batch
                .columns()
                .iter()
                .map(|column| array_value_to_string(column, row).unwrap())
                .collect::<Vec<_>>()
        }));
    }
    found
}

fn ask(connection: &mut Connection, sql: &str) -> Vec<Vec<String>> {
    rows(statement(connection, sql).execute().unwrap())
}

fn refused(connection: &mut Connection, sql: &str) -> Error {
    statement(connection, sql).execute().map(drop).unwrap_err()
}

#[test]
fn queries_types_and_failures() {
    let workspace = workspace();
    let mut connection = connect(&workspace, &[("enableTelemetry", "false")]);
    assert_eq!(ask(&mut connection, "SELECT 1 AS one, 'x' AS two"), [["1", "x"]]);

    let sql = "SELECT CAST(1 AS TINYINT) AS a, CAST(1.5 AS DECIMAL(10,2)) AS b, DATE'2026-11-21' AS c, true AS d";
    let data_types = |reader: &dyn RecordBatchReader| -> Vec<DataType> {
        reader
            .schema()
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect()
    };
    let expected = [
        DataType::Int8,
        DataType::Decimal128(10, 2),
        DataType::Date32,
        DataType::Boolean,
    ];
    let reader = statement(&mut connection, sql).execute().unwrap();
    assert_eq!(data_types(&*reader), expected);
    drop(reader);
    // An empty result has the same types, although no data says so.
    let reader = statement(&mut connection, &format!("{sql} WHERE false"))
        .execute()
        .unwrap();
    assert_eq!(data_types(&*reader), expected);
    assert!(rows(reader).is_empty());
    let described = statement(&mut connection, sql).execute_schema().unwrap();
    let described: Vec<_> = described
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    assert_eq!(described, expected);

    let error = refused(&mut connection, "SELECT * FROM no_such_table");
    assert_eq!(error.status, Status::NotFound);
    assert_eq!(error.sqlstate.map(|byte| byte as u8), *b"42P01");
    assert_eq!(refused(&mut connection, "SELEC 1").status, Status::InvalidArguments);
    assert_eq!(
        connection.get_table_schema(None, None, "no`such").unwrap_err().status,
        Status::NotFound
    );
}

#[test]
fn a_big_result_comes_whole_in_every_form() {
    let workspace = workspace();
    for options in [
        &[][..],
        &[
            ("databricks.result.disposition", "EXTERNAL_LINKS"),
            ("databricks.result.compression", "NONE"),
        ],
        &[
            ("databricks.cloudfetch.memory_budget_bytes", "100000"),
            ("databricks.cloudfetch.parallel_downloads", "2"),
        ],
        &[("databricks.result.disposition", "INLINE")],
    ] {
        let mut connection = connect(&workspace, options);
        let reader = statement(&mut connection, "SELECT id, id * 2 AS twice FROM range(100000)")
            .execute()
            .unwrap();
        assert_eq!(reader.schema().field(1).name(), "twice");
        let (mut count, mut sum) = (0, 0);
        for batch in reader {
            let batch = batch.unwrap();
            count += batch.num_rows();
            sum += batch.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
        }
        assert_eq!((count, sum), (100_000, 4_999_950_000), "{options:?}");
    }
}

#[test]
fn tables_parameters_names_and_counts() {
    let workspace = workspace();
    let mut connection = connect(&workspace, &[("enableTelemetry", "false")]);
    statement(&mut connection, "CREATE SCHEMA IF NOT EXISTS driver_test")
        .execute_update()
        .unwrap();
    connection
        .set_option("adbc.connection.db_schema".into(), "driver_test".into())
        .unwrap();
    assert_eq!(
        connection
            .get_option_string("adbc.connection.db_schema".into())
            .unwrap(),
        "driver_test"
    );
    let missing = connection.set_option("adbc.connection.db_schema".into(), "no_such_schema".into());
    assert_eq!(missing.unwrap_err().status, Status::NotFound);

    statement(&mut connection, "CREATE TABLE t (id BIGINT, name STRING)")
        .execute_update()
        .unwrap();
    let mut insert = statement(&mut connection, "INSERT INTO t VALUES (?, ?)");
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None]));
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("it's"), None, Some("z")]));
    insert
        .bind(RecordBatch::try_from_iter_with_nullable([("i", ids, true), ("n", names, true)]).unwrap())
        .unwrap();
    assert_eq!(insert.execute_update().unwrap(), Some(3));
    let found = ask(&mut connection, "SELECT name FROM t WHERE id = 1");
    assert_eq!(found, [["it's"]]);
    let schema = connection.get_table_schema(None, Some("driver_test"), "t").unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Int64);
    assert_eq!(schema.field(1).name(), "name");
}

#[test]
fn a_cancel_stops_a_long_query() {
    let workspace = workspace();
    // So that the server answers the submit at once; else it waits for 10 s before it can be told.
    let options = [
        ("enableTelemetry", "false"),
        ("databricks.statement.wait_timeout", "0s"),
    ];
    let mut connection = connect(&workspace, &options);
    let mut statement = statement(
        &mut connection,
        "SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b WHERE (a.id + b.id) % 7 = 3",
    );
    let cancel = statement.get_cancel_handle();
    let worker = thread::spawn(move || statement.execute().map(drop));
    let was_asked = |path: &str| workspace.requests().iter().any(|request| request.path.ends_with(path));
    // What is cancelled before it was sent is nothing to tell the server.
    while !was_asked("/statements") {
        thread::sleep(Duration::from_millis(5));
    }
    cancel.try_cancel().unwrap();
    assert_eq!(worker.join().unwrap().unwrap_err().status, Status::Cancelled);
    drop(connection);
    assert!(was_asked("/cancel"), "the server was not told");
}

#[test]
fn over_tls_only_with_a_certificate_that_somebody_vouches_for() {
    let workspace = Workspace::builder().scale_factor(0.01).tls(true).start().unwrap();
    let uri = format!(
        "{}{}",
        workspace
            .https_url()
            .unwrap()
            .replace("https://", &format!("https://token:{}@", workspace.token())),
        workspace.http_path()
    );
    let authority = workspace.ca_pem_path().unwrap().to_str().unwrap();
    let options = [
        ("uri", uri.as_str()),
        ("enableTelemetry", "false"),
        ("databricks.retry.max_retries", "0"),
    ];
    let open = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        Driver.new_database_with_opts(options).unwrap().new_connection()
    };
    let error = open(&options).map(drop).unwrap_err();
    assert_eq!(error.status, Status::IO);
    assert!(error.message.contains("certificate"), "{error}");
    let mut connection = open(&[&options[..], &[("databricks.tls.ca_file", authority)]].concat()).unwrap();
    assert_eq!(ask(&mut connection, "SELECT 1"), [["1"]]);
}

#[test]
fn its_telemetry_is_what_the_schema_asks_for() {
    let workspace = workspace();
    let mut connection = connect(&workspace, &[("forceEnableTelemetry", "true")]);
    assert_eq!(ask(&mut connection, "SELECT count(*) FROM range(10)"), [["10"]]);
    let links = "SELECT id FROM range(200000)";
    assert_eq!(ask(&mut connection, links).len(), 200_000);
    refused(&mut connection, "SELECT * FROM no_such_table");
    drop(connection);
    assert!(workspace.wait_for_telemetry(5, Duration::from_secs(30)));
    let telemetry = workspace.telemetry();
    for record in &telemetry {
        assert!(record.violations.is_empty(), "{:?}: {}", record.violations, record.log);
    }
    assert!(telemetry.iter().all(|record| record.authenticated));
}
