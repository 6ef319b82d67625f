//! `get_info` knows most facts by itself. The vendor's version is the server's to tell: it is asked for when somebody wants it, once per
//! connection, and an answer that does not come costs nobody the other facts.

use std::collections::HashSet;

use adbc_core::Connection as _;
use adbc_core::options::InfoCode;
use adbc_databricks::Connection;
use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::UInt32Type;
use conformance::{answers, connect, fault, scalar, start};
use databricks_local::Workspace;

/// The vendor's version as `get_info` gives it; the outer `None` when it is not among the facts.
fn version(connection: &Connection, codes: Option<HashSet<InfoCode>>) -> Option<Option<String>> {
    let batch = connection.get_info(codes).unwrap().next().unwrap().unwrap();
    let wanted = u32::from(&InfoCode::VendorVersion);
    let names = batch.column(0).as_primitive::<UInt32Type>().values();
    let row = names.iter().position(|name| *name == wanted)?;
    let value = batch.column(1).as_union().value(row);
    Some(value.is_valid(0).then(|| value.as_string::<i32>().value(0).to_owned()))
}

fn statements(workspace: &Workspace) -> usize {
    answers(workspace, "POST", |path| path.ends_with("/statements")).len()
}

#[test]
fn it_is_what_the_server_says_and_asked_for_once() {
    let workspace = start(|builder| builder);
    let mut connection = connect(&workspace);
    let others = HashSet::from([InfoCode::VendorName, InfoCode::DriverVersion]);
    assert_eq!(version(&connection, Some(others)), None);
    assert_eq!(statements(&workspace), 0);
    let said = version(&connection, Some(HashSet::from([InfoCode::VendorVersion])));
    assert_eq!(version(&connection, None), said);
    assert_eq!(statements(&workspace), 1);
    let sql = "SELECT current_version().dbsql_version";
    assert_eq!(said, Some(Some(scalar(&mut connection, sql))));
    assert!(said.flatten().is_some_and(|version| version.starts_with("20")));
}

#[test]
fn an_answer_that_does_not_come_is_null_and_asked_for_again() {
    let workspace = start(|builder| builder);
    let connection = connect(&workspace);
    fault(&workspace, "POST /api/2.0/sql/statements=status:403*1");
    assert_eq!(version(&connection, None), Some(None));
    assert!(version(&connection, None).flatten().is_some());
}
