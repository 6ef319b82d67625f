//! What a user writes, names, owns or is told stays on the machine: marked texts go through everything that a connection
//! can do, and nothing that telemetry sends, nor what `Debug` shows, has a mark in it.
//!
//! Marks are also looked for where they belong: one that never was anywhere proves nothing by its absence.

use std::fmt::Debug;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use adbc_core::options::OptionStatement;
use adbc_core::{Connection as _, Database as _, Optionable as _, Statement as _};
use adbc_databricks::{Connection, Driver};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::error::ArrowError;
use conformance::{DELIVERY, answers, connect_with, database, logs_of_closed, query, records_of_closed, scalar, start};
use conformance::{statement, statements};
use databricks_local::{Fault, InboxRecord, Workspace};
use serde_json::Value;

/// What every mark has in it.
const MARK: &str = "canary";
const TOKEN: &str = "dapi-canary-token";
const WRONG_TOKEN: &str = "dapi-canary-wrong-token";
const WAREHOUSE: &str = "canary0warehouse";
const USER_AGENT_ENTRY: &str = "canary-app/1.0";
/// The mark of a trace is in hexadecimal digits.
const TRACE_ID: &str = "cafebabecafebabecafebabecafebabe";
const TRACE_PARENT: &str = "00-cafebabecafebabecafebabecafebabe-decafbaddecafbad-01";
const TRACE_PARENT_SPAN: &str = "decafbaddecafbad";

fn assert_clean(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for mark in [MARK, TRACE_ID, TRACE_PARENT_SPAN] {
        assert!(!lower.contains(mark), "{mark} is in {what}: {text}");
    }
}

fn assert_debug_is_clean(what: &str, value: &impl Debug) {
    assert_clean(what, &format!("{value:?}"));
    assert_clean(what, &format!("{value:#?}"));
}

/// A directory of this test's own, with marks in all its names; removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("canary-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn marked_workspace(directory: &Directory) -> Workspace {
    fs::write(
        directory.file("canary_file.csv"),
        "canary_csv_column\ncanary_csv_cell\n",
    )
    .expect("a file");
    start(|builder| {
        builder
            .token(TOKEN)
            .warehouse_id(WAREHOUSE)
            .data_dir(directory.0.clone())
    })
}

fn connect_marked(workspace: &Workspace, more: &[(&str, &str)]) -> Connection {
    let options = [
        ("databricks.user_agent_entry", USER_AGENT_ENTRY),
        ("adbc.telemetry.trace_parent", TRACE_PARENT),
        // It does not fit the grammar of a name, so it must not be sent.
        ("adbc.databricks.telemetry.client_app_name", "canary app name!"),
        ("databricks.retry.max_retries", "0"),
    ];
    connect_with(workspace, &[&options[..], more].concat()).expect("a connection")
}

fn texts(name: &str, values: &[&str]) -> RecordBatch {
    let values: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    RecordBatch::try_from_iter([(name, values)]).expect("a batch")
}

fn update(connection: &mut Connection, sql: &str) {
    statement(connection, sql).execute_update().expect(sql);
}

/// Nothing in a record has a mark, and nothing around it but the one that the user put into the `User-Agent`.
fn assert_records_are_clean(workspace: &Workspace, records: &[InboxRecord]) {
    let address = workspace.url().trim_start_matches("http://");
    for record in records {
        let text = record.log.to_string();
        assert_clean("a record", &text);
        assert!(!text.contains(address), "the server's address is in {text}");
        let user_agent = record.log["context"]["client_context"]["user_agent"]
            .as_str()
            .expect("a user agent");
        assert!(user_agent.starts_with("adbc-databricks-rust/"), "{user_agent}");
        assert!(!user_agent.contains(' '), "{user_agent}");
        let header = match record.authenticated {
            true => record
                .user_agent
                .strip_suffix(&format!(" {USER_AGENT_ENTRY}"))
                .unwrap_or(&record.user_agent),
            // Nobody says who he is there.
            false => &record.user_agent,
        };
        assert_eq!(header, user_agent);
        assert!(record.violations.is_empty(), "{:?} in {text}", record.violations);
    }
}

#[test]
fn of_statements_that_succeed() {
    let directory = Directory::new("success");
    let workspace = marked_workspace(&directory);
    let audit = directory.file("canary-audit.jsonl");
    let mut connection = connect_marked(&workspace, &[("adbc.databricks.telemetry.audit_file", &audit)]);

    let inline = "SELECT 'canary_literal' AS canary_alias /* canary comment */ -- canary remark";
    let rows = query(&mut connection, inline).expect("a row");
    assert_eq!(rows.schema().field(0).name(), "canary_alias");
    assert_eq!(scalar(&mut connection, inline), "canary_literal");
    let links = "SELECT *, 'canary_literal' AS canary_alias FROM samples.tpch.lineitem AS canary_table_alias";
    assert_eq!(query(&mut connection, links).expect("rows").num_rows(), 60_175);
    assert_eq!(
        scalar(&mut connection, "SELECT * FROM main.data.canary_file"),
        "canary_csv_cell"
    );

    update(&mut connection, "CREATE SCHEMA main.canary_schema");
    connection
        .set_option("adbc.connection.db_schema".into(), "canary_schema".into())
        .expect("a schema");
    update(&mut connection, "CREATE TABLE canary_table (canary_column STRING)");
    let mut insert = statement(&mut connection, "INSERT INTO canary_table VALUES (?)");
    insert
        .bind(texts("canary_bound_column", &["canary bound value"]))
        .expect("a row");
    assert_eq!(insert.execute_update().expect("an insert"), Some(1));
    update(
        &mut connection,
        "UPDATE canary_table SET canary_column = concat(canary_column, ' and canary') WHERE canary_column IS NOT NULL",
    );
    let found = scalar(&mut connection, "SELECT canary_column FROM canary_table");
    assert_eq!(found, "canary bound value and canary");
    let schema = connection
        .get_table_schema(Some("main"), Some("canary_schema"), "canary_table")
        .expect("a schema");
    assert_eq!(schema.field(0).name(), "canary_column");

    let mut named = statement(&mut connection, "SELECT :canary_parameter AS x");
    named
        .set_option(OptionStatement::from("adbc.statement.bind_by_name"), "true".into())
        .expect("an option");
    named
        .bind(texts("canary_parameter", &["canary named value"]))
        .expect("a row");
    assert_debug_is_clean("a statement", &named);
    assert_debug_is_clean("a connection", &connection);
    assert_eq!(named.execute().expect("a reader").count(), 1);
    drop((insert, named));

    // Dropped before the end, and before the beginning.
    for batches in [1, 0] {
        let mut reader = statement(&mut connection, links).execute().expect("a reader");
        for _ in 0..batches {
            reader.next().expect("a batch").expect("rows");
        }
    }
    drop(connection);

    let records = records_of_closed(&workspace, 1);
    assert_records_are_clean(&workspace, &records);
    assert!(records.iter().all(|record| record.authenticated));
    let logs = logs_of_closed(&workspace, 1);
    // Those above, and the driver's own `USE SCHEMA`; the table's schema is metadata and counts elsewhere.
    assert_eq!(statements(&logs).len(), 13, "{logs:#?}");

    let audited = fs::read_to_string(&audit).expect("an audit");
    assert_clean("the audit file", &audited);
    for record in &records {
        let id = record.log["frontend_log_event_id"].as_str().expect("an id");
        assert!(audited.contains(id), "a record came that was not audited");
    }

    // The marks were where they belong.
    let requests = workspace.requests();
    let own = |request: &&databricks_local::RequestRecord| request.path.starts_with("/api/2.0/sql/");
    assert!(requests.iter().filter(own).all(|request| request.authorised));
    assert!(requests.iter().filter(own).all(|request| {
        let user_agent = request.user_agent.as_deref().unwrap_or_default();
        user_agent.ends_with(USER_AGENT_ENTRY)
    }));
    assert!(requests.iter().any(|request| {
        let trace = request.traceparent.as_deref().unwrap_or_default();
        trace.contains(TRACE_ID)
    }));
}

/// Everything that can be put into tables and volumes, and everything around it that has a name, with local traces that show
/// texts.
#[test]
fn of_ingests_and_transfers() {
    let directory = Directory::new("transfer");
    let workspace = marked_workspace(&directory);
    let traces = directory.file("canary_traces");
    let options = [
        (
            "databricks.ingest.staging_volume",
            "/Volumes/main/default/canary_volume/canary_folder",
        ),
        (
            "databricks.volume.allowed_local_paths",
            directory.0.to_str().expect("UTF-8"),
        ),
        ("databricks.query_tags", "canary_key:canary_value"),
        ("adbc.telemetry.traces_exporter", "adbcfile"),
        ("adbc.telemetry.traces_folder_path", &traces),
        ("databricks.traces.text", "true"),
    ];
    let mut connection = connect_marked(&workspace, &options);
    update(&mut connection, "CREATE VOLUME main.default.canary_volume");
    let rows = || conformance::reader(vec![texts("canary_ingest_column", &["canary ingested value"; 3])]);
    for (method, table) in [("volume", "canary_staged"), ("insert", "canary_inserted")] {
        let by = [("databricks.ingest.method", method)];
        assert_eq!(conformance::ingest(&mut connection, table, &by, rows()), Ok(Some(3)));
        conformance::ingest(&mut connection, table, &by, rows()).expect_err("it is there already");
        let failing = [Err(ArrowError::ComputeError("canary source failure".into()))];
        let schema = texts("canary_ingest_column", &[]).schema();
        let failing = arrow::array::RecordBatchIterator::new(failing, schema);
        conformance::ingest(&mut connection, "canary_never", &by, failing).expect_err("a failing source");
    }
    workspace.fault(Fault::Status {
        path_prefix: "PUT /api/2.0/fs/files/".to_owned(),
        status: 403,
        retry_after: None,
        times: 1,
    });
    let by = [("databricks.ingest.method", "volume")];
    conformance::ingest(&mut connection, "canary_refused", &by, rows()).expect_err("a refused upload");

    let (file, remote) = (
        directory.file("canary_file.csv"),
        "/Volumes/main/default/canary_volume/canary.csv",
    );
    for (sql, succeeds) in [
        (format!("PUT '{file}' INTO '{remote}'"), true),
        (format!("PUT '{file}' INTO '{remote}'"), false),
        (format!("GET '{remote}' TO '{file}'"), true),
        (format!("GET '{remote}' TO '/canary_elsewhere/canary'"), false),
        (format!("REMOVE '{remote}'"), true),
        (format!("GET '{remote}' TO '{file}'"), false),
    ] {
        assert_eq!(query(&mut connection, &sql).is_ok(), succeeds, "{sql}");
    }
    let objects = connection.get_objects(
        adbc_core::options::ObjectDepth::All,
        Some("main"),
        None,
        Some("canary%"),
        None,
        None,
    );
    assert!(objects.expect("objects").count() > 0);
    connection
        .get_statistics(Some("main"), Some("default"), Some("canary_staged"), false)
        .map(drop)
        .expect("statistics");
    assert_debug_is_clean("a connection", &connection);
    drop(connection);

    let records = records_of_closed(&workspace, 1);
    assert_records_are_clean(&workspace, &records);
    let logs = logs_of_closed(&workspace, 1);
    let of_volumes = logs.iter().filter(|log| log["vol_operation"].is_object());
    assert!(of_volumes.count() >= 5, "{logs:#?}");
    let requests = workspace.requests();
    assert!(requests.iter().any(|request| request.path.contains("canary_volume")));
    // The traces that the user asked for have what the user asked for.
    let shown: String = fs::read_dir(&traces)
        .expect("traces")
        .map(|file| fs::read_to_string(file.expect("a file").path()).expect("text"))
        .collect();
    assert!(shown.contains("canary_staged"), "{shown}");
    assert!(!shown.contains(TOKEN), "a token is in a trace");
}

/// Who signs in, with what, and where that was written down.
#[test]
fn of_a_service_principal_in_a_profile() {
    let directory = Directory::new("profile");
    let workspace = start(|builder| {
        builder
            .token(TOKEN)
            .warehouse_id(WAREHOUSE)
            .oauth_client("canary-client", "canary-secret")
    });
    let profiles = directory.file("canary_profiles");
    for (secret, works) in [("canary-secret", true), ("canary-other-secret", false)] {
        let text = format!(
            "[canary_profile]\nhost = {}\nwarehouse_id = {WAREHOUSE}\nclient_id = canary-client\nclient_secret = {secret}\n",
            workspace.url()
        );
        fs::write(&profiles, text).expect("a file");
        let options = [
            ("databricks.config_profile", "canary_profile"),
            ("databricks.config_file", &profiles),
            ("adbc.databricks.telemetry.force_enabled", "true"),
            ("databricks.retry.max_retries", "0"),
        ];
        let options = options.map(|(key, value): (&str, &str)| (key.into(), value.into()));
        let database = adbc_core::Driver::new_database_with_opts(&mut Driver, options).expect("a profile");
        assert_debug_is_clean("a database", &database);
        let connection = database.new_connection();
        assert_eq!(connection.is_ok(), works);
        if let Ok(mut connection) = connection {
            query(&mut connection, "SELECT 'canary_literal'").expect("a row");
        }
    }
    let records = records_of_closed(&workspace, 1);
    assert_records_are_clean(&workspace, &records);
    let logs = logs_of_closed(&workspace, 1);
    let opened = &conformance::of_type(&logs, "CREATE_SESSION")[0];
    let parameters = &opened["driver_connection_params"];
    assert_eq!(
        [&opened["auth_type"], &parameters["auth_mech"], &parameters["auth_flow"]],
        ["oauth-client_credentials", "OAUTH", "CLIENT_CREDENTIALS"]
    );
}

#[test]
fn of_statements_that_fail() {
    let directory = Directory::new("failure");
    let workspace = marked_workspace(&directory);
    let mut connection = connect_marked(&workspace, &[]);
    update(
        &mut connection,
        "CREATE TABLE main.default.canary_table (canary_column INT)",
    );
    for sql in [
        "SELECT * FROM canary_no_such_table",
        "SELECT canary_no_such_column FROM main.default.canary_table",
        "SELECT canary_no_such_function(1)",
        "SELECT CAST('canary text' AS INT) AS canary_alias",
        "SELECT 1 FROM canary_table canary_alias canary_excess",
        "CREATE TABLE main.default.canary_table (canary_column INT)",
        "USE SCHEMA canary_no_such_schema",
    ] {
        let error = query(&mut connection, sql).expect_err(sql);
        assert!(error.message.to_lowercase().contains(MARK), "{sql}: {error}");
    }
    query(&mut connection, "SELECT 1 / 0 AS canary_alias").expect_err("a division by zero");
    connection
        .get_table_schema(None, None, "canary_no_such_table")
        .expect_err("no such table");

    // Errors that the client makes itself.
    let mut bound = statement(&mut connection, "SELECT ? AS canary_alias");
    let failing = [Err(ArrowError::ComputeError("canary stream failure".into()))];
    let schema = texts("canary_bound_column", &[]).schema();
    bound
        .bind_stream(Box::new(arrow::array::RecordBatchIterator::new(failing, schema)))
        .expect("a stream");
    let error = bound.execute().map(drop).expect_err("a failing stream");
    assert!(error.message.contains("canary stream failure"), "{error}");
    assert_debug_is_clean("a statement", &bound);
    drop(bound);

    // Refusals of the front door, whose text the driver shows.
    for status in [400, 403, 404, 429, 500, 503] {
        let paths = ["POST /api/2.0/sql/statements"; 2];
        for path_prefix in &paths[..if status == 400 { 2 } else { 1 }] {
            workspace.fault(Fault::Status {
                path_prefix: (*path_prefix).to_owned(),
                status,
                retry_after: None,
                times: 1,
            });
        }
        query(&mut connection, "SELECT 'canary_literal' AS canary_alias").expect_err("a refusal");
        workspace.clear_faults();
    }
    drop(connection);

    let records = records_of_closed(&workspace, 1);
    assert_records_are_clean(&workspace, &records);
    let logs = logs_of_closed(&workspace, 1);
    let failed = logs
        .iter()
        .filter(|log| log["error_info"]["error_name"].is_string())
        .count();
    // Eight by the engine, the table's schema, six at the door. A stream that fails before its first row executes
    // nothing.
    assert_eq!(failed, 8 + 1 + 6, "{logs:#?}");
}

#[test]
fn of_a_download_that_fails_while_it_is_read() {
    let directory = Directory::new("download");
    let workspace = marked_workspace(&directory);
    let one_by_one = [
        ("databricks.cloudfetch.memory_budget_bytes", "1"),
        ("databricks.cloudfetch.parallel_downloads", "1"),
    ];
    let mut connection = connect_marked(&workspace, &one_by_one);
    let sql = "SELECT *, 'canary_literal' AS canary_alias FROM samples.tpch.lineitem";
    let mut reader = statement(&mut connection, sql).execute().expect("a reader");
    workspace.fault(Fault::Status {
        path_prefix: "GET /results/".to_owned(),
        status: 500,
        retry_after: None,
        times: 1,
    });
    let error = reader.find_map(Result::err).expect("a failed download");
    let ArrowError::ExternalError(source) = &error else {
        panic!("not the driver's: {error}");
    };
    let source = source
        .downcast_ref::<adbc_databricks::Error>()
        .expect("the driver's error");
    // The user may see where it failed; a log that prints `Debug` may not.
    let address = workspace.url().trim_start_matches("http://");
    assert!(source.message().contains(address), "{source}");
    for text in [format!("{source:?}"), format!("{error:?}")] {
        assert_clean("an error", &text);
        assert!(!text.contains(address) && !text.contains("/results/"), "{text}");
        assert!(text.contains("chunk_download_error"), "{text}");
    }
    drop((reader, connection));
    let records = records_of_closed(&workspace, 1);
    assert_records_are_clean(&workspace, &records);
    assert_eq!(statements(&logs_of_closed(&workspace, 1)).len(), 1);
}

#[test]
fn of_a_statement_that_is_cancelled() {
    let directory = Directory::new("cancel");
    let workspace = marked_workspace(&directory);
    let mut connection = connect_marked(&workspace, &[("databricks.statement.wait_timeout", "0s")]);
    let mut running = statement(
        &mut connection,
        "SELECT count(*) AS canary_alias, 'canary_literal' FROM range(1000000) a CROSS JOIN range(1000000) b \
         WHERE (a.id + b.id) % 7 = 3",
    );
    let cancel = running.get_cancel_handle();
    let worker = thread::spawn(move || running.execute().map(drop));
    let submitted = || answers(&workspace, "POST", |path| path == "/api/2.0/sql/statements");
    while submitted().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    cancel.try_cancel().expect("something to cancel");
    let error = worker.join().expect("no panic").expect_err("a cancelled statement");
    assert_eq!(error.status, adbc_core::error::Status::Cancelled);
    drop(connection);
    let records = records_of_closed(&workspace, 1);
    assert_records_are_clean(&workspace, &records);
    let logs = logs_of_closed(&workspace, 1);
    assert_eq!(statements(&logs)[0]["error_info"]["error_name"], "cancelled");
}

#[test]
fn of_a_token_that_is_refused() {
    let directory = Directory::new("token");
    let workspace = marked_workspace(&directory);
    let options = [
        ("databricks.access_token", WRONG_TOKEN),
        ("databricks.user_agent_entry", USER_AGENT_ENTRY),
        ("adbc.telemetry.trace_parent", TRACE_PARENT),
        ("adbc.connection.catalog", "canary_catalog"),
        ("adbc.databricks.telemetry.force_enabled", "true"),
    ];
    let database = database(&workspace, &options).expect("options");
    assert_debug_is_clean("a database before its first connection", &database);
    let error = database.new_connection().map(drop).expect_err("a wrong token");
    assert_debug_is_clean("a database", &database);
    assert!(!error.to_string().contains(WRONG_TOKEN), "{error}");
    assert!(workspace.wait_for_telemetry(1, DELIVERY));
    let records = workspace.telemetry();
    assert_records_are_clean(&workspace, &records);
    assert!(records.iter().all(|record| !record.authenticated));
    assert!(!answers(&workspace, "POST", |path| path == "/telemetry-unauth").is_empty());
    for request in answers(&workspace, "POST", |path| path.starts_with("/telemetry")) {
        assert!(!request.carried_authorization, "a credential went to {}", request.path);
        assert_eq!(request.traceparent, None);
        assert_clean("a header", request.user_agent.as_deref().unwrap_or_default());
    }
}

/// Nobody receives it, but the audit file says what would have left.
#[test]
fn of_a_host_that_does_not_answer() {
    let directory = Directory::new("host");
    let audit = directory.file("canary-audit.jsonl");
    let dead = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port");
    let uri = format!("databricks://token:{TOKEN}@{dead}/sql/1.0/warehouses/{WAREHOUSE}");
    let options = [
        ("uri", uri.as_str()),
        ("databricks.user_agent_entry", USER_AGENT_ENTRY),
        ("databricks.retry.max_retries", "0"),
        ("adbc.databricks.telemetry.force_enabled", "true"),
        ("adbc.databricks.telemetry.audit_file", &audit),
    ];
    let options = options.map(|(key, value)| (key.into(), value.into()));
    let database = adbc_core::Driver::new_database_with_opts(&mut Driver, options).expect("options");
    database.new_connection().map(drop).expect_err("nobody is there");
    assert_debug_is_clean("a database", &database);

    let audited = fs::read_to_string(&audit).expect("an audit");
    assert_clean("the audit file", &audited);
    assert!(!audited.contains(&dead.to_string()), "{audited}");
    let body: Value = serde_json::from_str(audited.lines().next().expect("a body")).expect("JSON");
    let log: Value = serde_json::from_str(body["protoLogs"][0].as_str().expect("a record")).expect("JSON");
    assert_eq!(
        log["entry"]["sql_driver_log"]["error_info"]["error_name"],
        "connection_error"
    );
}

/// The counterpart: a name that the user gives for this very purpose is seen by the same search, once.
#[test]
fn but_the_name_that_the_user_chose_to_send() {
    let directory = Directory::new("name");
    let workspace = marked_workspace(&directory);
    let mut connection = connect_marked(
        &workspace,
        &[("adbc.databricks.telemetry.client_app_name", "canary-app_1.0")],
    );
    query(&mut connection, "SELECT 'canary_literal'").expect("a row");
    drop(connection);
    let logs = logs_of_closed(&workspace, 1);
    let named: Vec<_> = logs.iter().filter(|log| log.to_string().contains(MARK)).collect();
    assert_eq!(named.len(), 1, "{named:#?}");
    assert_eq!(named[0]["system_configuration"]["client_app_name"], "canary-app_1.0");
    let without = named[0].to_string().replace("canary-app_1.0", "");
    assert_clean("the rest of the record", &without);
}
