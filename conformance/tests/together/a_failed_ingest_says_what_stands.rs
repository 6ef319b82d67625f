//! Whatever fails in the middle of an ingest, what stands afterwards is what the error says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use adbc_core::error::Status;
use adbc_core::{Connection as _, Optionable as _, Statement as _};
use adbc_databricks::Connection;
use arrow::array::*;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use conformance::{connect_with, ingest, query, reader, scalar, start, was_staged_and_cleared};
use databricks_local::{Fault, Workspace};

const VOLUME: &str = "/Volumes/main/default/staging";
const METHODS: [&str; 2] = ["volume", "insert"];
const MODE: &str = "adbc.ingest.mode";

fn with_volume(method: &str) -> (Workspace, Connection) {
    let workspace = start(|builder| builder);
    let options = [
        ("databricks.ingest.staging_volume", VOLUME),
        ("databricks.ingest.method", method),
        ("databricks.ingest.file_bytes", "2000"),
        ("databricks.ingest.insert_bytes", "2000"),
        ("databricks.retry.max_retries", "0"),
    ];
    let mut connection = connect_with(&workspace, &options).unwrap();
    query(&mut connection, "CREATE VOLUME main.default.staging").unwrap();
    query(&mut connection, "CREATE TABLE old AS SELECT 'kept' AS n").unwrap();
    (workspace, connection)
}

/// Numbers as text.
fn batch(from: i64, rows: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(
        (from..from + rows).map(|n| n.to_string()),
    ));
    RecordBatch::try_from_iter_with_nullable([("n", column, true)]).unwrap()
}

fn failing_source(batches: i64) -> impl RecordBatchReader + Send + 'static {
    let schema = batch(0, 1).schema();
    let good = (0..batches).map(|index| Ok(batch(500 * index, 500)));
    let bad = std::iter::once(Err(ArrowError::ComputeError("the disk is on fire".to_owned())));
    RecordBatchIterator::new(good.chain(bad), schema)
}

fn tables(connection: &mut Connection) -> Vec<String> {
    let batch = query(connection, "SHOW TABLES").unwrap();
    let names = batch.column_by_name("tableName").unwrap().as_string::<i32>();
    names.iter().flatten().map(str::to_owned).collect()
}

#[test]
fn a_source_that_fails_leaves_no_new_table_and_the_old_one_as_it_was() {
    for method in METHODS {
        let (workspace, mut connection) = with_volume(method);
        for (mode, table) in [("create", "new"), ("replace", "old")] {
            let mode = format!("adbc.ingest.mode.{mode}");
            let error = ingest(&mut connection, table, &[(MODE, &mode)], failing_source(50)).unwrap_err();
            assert!(error.message.contains("the disk is on fire"), "{error}");
            let standing = if table == "old" {
                "stands as it was"
            } else {
                "was dropped"
            };
            assert!(error.message.contains(standing), "{method} {mode}: {error}");
        }
        assert_eq!(tables(&mut connection), ["old"], "{method}");
        assert_eq!(scalar(&mut connection, "SELECT n FROM old"), "kept");
        drop(connection);
        if method == "volume" {
            assert!(was_staged_and_cleared(&workspace, VOLUME));
        }
    }
}

/// A source that fails after others have put a row into the table that was made for it.
fn failing_late(workspace: &Workspace, table: &'static str) -> impl RecordBatchReader + Send + 'static {
    let mut other = connect_with(workspace, &[]).unwrap();
    let schema = batch(0, 1).schema();
    let good = (0..50).map(move |index| {
        if index == 40 {
            query(&mut other, &format!("INSERT INTO {table} VALUES ('another''s')")).unwrap();
        }
        Ok(batch(500 * index, 500))
    });
    let bad = std::iter::once(Err(ArrowError::ComputeError("the disk is on fire".to_owned())));
    RecordBatchIterator::new(good.chain(bad), schema)
}

#[test]
fn rows_that_others_put_into_a_table_made_for_appending_stay() {
    for method in METHODS {
        let (workspace, mut connection) = with_volume(method);
        let mode = [(MODE, "adbc.ingest.mode.create_append")];
        let error = ingest(&mut connection, "shared", &mode, failing_late(&workspace, "shared")).unwrap_err();
        let others = "SELECT count(*) FROM shared WHERE n = 'another''s'";
        assert_eq!(scalar(&mut connection, others), "1", "{method}: {error}");
        let added = scalar(&mut connection, "SELECT count(*) - 1 FROM shared");
        let said = match method {
            "volume" => "is left, and none of them were added".to_owned(),
            _ => format!("the first {added} rows are in the table"),
        };
        assert!(error.message.contains(&said), "{method}: {error}");
        assert_eq!(added == "0", method == "volume", "{added}");
        // What was left takes the rows when they are put again.
        ingest(&mut connection, "shared", &mode, reader(vec![batch(0, 10)])).unwrap();
    }
}

#[test]
fn appending_is_whole_or_nothing_by_the_volume_and_counted_without() {
    for method in METHODS {
        let (_workspace, mut connection) = with_volume(method);
        let append = [(MODE, "adbc.ingest.mode.append")];
        let error = ingest(&mut connection, "old", &append, failing_source(50)).unwrap_err();
        let added: u64 = scalar(&mut connection, "SELECT count(*) - 1 FROM old").parse().unwrap();
        if method == "volume" {
            assert_eq!(added, 0, "{error}");
        } else {
            assert!(added > 0);
            let said = format!("the first {added} rows are in the table");
            assert!(error.message.contains(&said), "{error}");
        }
        // They are the first rows in the order of the source, and no others.
        let beyond = format!("SELECT count(*) FROM old WHERE n <> 'kept' AND CAST(n AS BIGINT) >= {added}");
        if added > 0 {
            query(&mut connection, "DELETE FROM old WHERE n = 'kept'").unwrap();
            assert_eq!(scalar(&mut connection, &beyond.replace("n <> 'kept' AND ", "")), "0");
        }
    }
}

#[test]
fn what_the_server_refuses_is_its_own_error_and_what_stands() {
    let (workspace, mut connection) = with_volume("volume");
    query(&mut connection, "CREATE TABLE typed (n INT NOT NULL)").unwrap();
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(i64::MAX)]));
    let rows = RecordBatch::try_from_iter([("n", values)]).unwrap();
    let append = [(MODE, "adbc.ingest.mode.append")];
    let error = ingest(&mut connection, "typed", &append, reader(vec![rows])).unwrap_err();
    assert_eq!(error.status, Status::InvalidData, "{error}");
    assert_eq!(scalar(&mut connection, "SELECT count(*) FROM typed"), "0");
    // A volume that is not there, and some that cannot be.
    for (volume, status) in [
        ("/Volumes/main/default/none", Status::NotFound),
        ("/Volumes/main", Status::InvalidArguments),
        ("/Volumes/main/default/staging/../x", Status::InvalidArguments),
        ("s3://bucket/x", Status::InvalidArguments),
    ] {
        let options = [("databricks.ingest.staging_volume", volume)];
        let error = ingest(&mut connection, "new", &options, reader(vec![batch(0, 10)])).unwrap_err();
        assert_eq!(error.status, status, "{volume}: {error}");
        assert!(error.message.contains("was dropped"), "{error}");
    }
    // An upload that fails for good.
    workspace.fault(Fault::Status {
        path_prefix: "PUT /api/2.0/fs/files".to_owned(),
        status: 500,
        retry_after: None,
        times: 1000,
    });
    let error = ingest(&mut connection, "new", &[], reader(vec![batch(0, 50_000)])).unwrap_err();
    assert!(error.message.contains("a staged file could not be uploaded"), "{error}");
    assert!(error.message.contains("was dropped"), "{error}");
    assert_eq!(tables(&mut connection), ["old", "typed"]);
}

#[test]
fn a_cancel_in_the_middle_ends_it_and_leaves_nothing() {
    for method in METHODS {
        let (workspace, mut connection) = with_volume(method);
        let mut statement = connection.new_statement().unwrap();
        statement
            .set_option("adbc.ingest.target_table".into(), "new".into())
            .unwrap();
        let handle = statement.get_cancel_handle();
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let endless = (0_i64..).map(move |index| {
            if counter.fetch_add(1, Ordering::Relaxed) == 20 {
                handle.try_cancel().unwrap();
            }
            Ok(batch(500 * index, 500))
        });
        let schema = batch(0, 1).schema();
        statement
            .bind_stream(Box::new(RecordBatchIterator::new(endless, schema)))
            .unwrap();
        let error = statement.execute_update().unwrap_err();
        assert_eq!(error.status, Status::Cancelled, "{method}: {error}");
        assert!(
            taken.load(Ordering::Relaxed) < 25,
            "{method}: no more is read of what nobody wants"
        );
        drop(statement);
        assert_eq!(tables(&mut connection), ["old"], "{method}");
        drop(connection);
        if method == "volume" {
            assert!(was_staged_and_cleared(&workspace, VOLUME));
        }
    }
}

#[test]
fn a_cancel_or_a_timeout_while_uploads_hang_is_answered_without_them() {
    let hang = Duration::from_secs(60);
    for timeout in ["0", "0.2"] {
        let (workspace, mut connection) = with_volume("volume");
        workspace.fault(Fault::Latency {
            path_prefix: "PUT /api/2.0/fs/files".to_owned(),
            delay: hang,
            times: 1000,
        });
        let mut statement = connection.new_statement().unwrap();
        statement
            .set_option("adbc.ingest.target_table".into(), "new".into())
            .unwrap();
        statement
            .set_option("databricks.statement.timeout_s".into(), timeout.into())
            .unwrap();
        statement.bind(batch(0, 5000)).unwrap();
        let handle = statement.get_cancel_handle();
        let began = Instant::now();
        let error = std::thread::scope(|scope| {
            let execution = scope.spawn(|| statement.execute_update().unwrap_err());
            if timeout == "0" {
                let staging = |path: &str| path.starts_with("/api/2.0/fs/directories");
                while conformance::answers(&workspace, "PUT", staging).is_empty() {
                    std::thread::sleep(Duration::from_millis(2));
                }
                handle.try_cancel().unwrap();
            }
            execution.join().unwrap()
        });
        let expected = if timeout == "0" {
            Status::Cancelled
        } else {
            Status::Timeout
        };
        assert_eq!(error.status, expected, "{error}");
        assert!(began.elapsed() < hang, "it waited for the upload");
        workspace.clear_faults();
        assert_eq!(tables(&mut connection), ["old"]);
    }
}

#[test]
fn rows_arrive_by_many_files_at_a_time() {
    let (workspace, mut connection) = with_volume("volume");
    let batches: Vec<RecordBatch> = (0..30).map(|index| batch(1000 * index, 1000)).collect();
    assert_eq!(
        ingest(&mut connection, "new", &[], reader(batches)).unwrap(),
        Some(30_000)
    );
    let sql = "SELECT concat(count(DISTINCT n), '/', min(CAST(n AS INT)), '/', max(CAST(n AS INT))) FROM new";
    assert_eq!(scalar(&mut connection, sql), "30000/0/29999");
    let files = conformance::answers(&workspace, "PUT", |path| path.ends_with(".parquet"));
    assert!(files.len() >= 10, "{} files", files.len());
    assert!(was_staged_and_cleared(&workspace, VOLUME));
    let nothing = RecordBatchIterator::new([], Arc::new(Schema::empty()));
    let error = ingest(&mut connection, "newer", &[], nothing).unwrap_err();
    assert_eq!(error.status, Status::InvalidArguments);
}
