//! The telemetry that the driver sent can be queried through the driver.

use conformance::{connect, logs, query, scalar, workspace};

#[test]
fn system_telemetry_driver_log() {
    let workspace = workspace();
    let mut connection = connect(&workspace);
    query(&mut connection, "SELECT * FROM samples.tpch.lineitem").expect("rows");
    drop(connection);
    logs(&workspace, 4);

    let mut connection = connect(&workspace);
    let chunks = scalar(
        &mut connection,
        "SELECT max(chunks_iterated) FROM system.telemetry.driver_log WHERE execution_result = 'EXTERNAL_LINKS'",
    );
    assert!(chunks.parse::<u32>().expect("a count") > 1);
    let driver = scalar(
        &mut connection,
        "SELECT DISTINCT driver_name FROM system.telemetry.driver_log",
    );
    assert_eq!(driver, "adbc-databricks-rust");
}
