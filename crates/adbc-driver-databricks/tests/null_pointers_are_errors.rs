//! A null pointer where there must be none is `INVALID_ARGUMENT`, and an object that is not there `INVALID_STATE`. Nothing crashes.

mod support;

use std::ffi::CString;
use std::ptr;

use adbc_core::constants::{ADBC_STATUS_INVALID_ARGUMENT, ADBC_STATUS_INVALID_STATE, ADBC_STATUS_OK};
use adbc_ffi::{FFI_AdbcConnection, FFI_AdbcDatabase, FFI_AdbcStatement};
use support::{Caller, error, message};

const NULL: u8 = ADBC_STATUS_INVALID_ARGUMENT;
const STATE: u8 = ADBC_STATUS_INVALID_STATE;

/// Calls functions of the table with these arguments and a fresh error.
macro_rules! statuses {
    ($table:expr, $($function:ident($($argument:expr),*)),+ $(,)?) => {
        [$({
            let mut error = error();
            // SAFETY: null pointers, and objects of this driver.
            let status = unsafe { $table.$function.expect("there")($($argument,)* &raw mut error) };
            assert!(status == ADBC_STATUS_OK || !message(&error).is_empty());
            (stringify!($function), status)
        }),+]
    };
}

#[test]
fn for_objects() {
    let caller = Caller::new();
    let answers = statuses!(
        caller.table,
        DatabaseNew(ptr::null_mut()),
        DatabaseInit(ptr::null_mut()),
        DatabaseRelease(ptr::null_mut()),
        ConnectionNew(ptr::null_mut()),
        ConnectionInit(ptr::null_mut(), ptr::null_mut()),
        ConnectionRelease(ptr::null_mut()),
        ConnectionCancel(ptr::null_mut()),
        ConnectionCommit(ptr::null_mut()),
        ConnectionRollback(ptr::null_mut()),
        StatementNew(ptr::null_mut(), ptr::null_mut()),
        StatementRelease(ptr::null_mut()),
        StatementCancel(ptr::null_mut()),
        StatementPrepare(ptr::null_mut()),
        StatementExecuteQuery(ptr::null_mut(), ptr::null_mut(), ptr::null_mut()),
        DatabaseSetOption(ptr::null_mut(), ptr::null(), ptr::null()),
        ConnectionSetOptionInt(ptr::null_mut(), ptr::null(), 1),
        StatementGetOptionDouble(ptr::null_mut(), ptr::null(), ptr::null_mut()),
    );
    for (function, status) in answers {
        assert_eq!(status, NULL, "{function}");
    }
}

#[test]
fn for_arguments() {
    let mut caller = Caller::new();
    let mut statement = caller.statement("three rows");
    let key = CString::new("text").expect("text");
    let (statement, connection, database) = (&raw mut statement, &raw mut caller.connection, &raw mut caller.database);
    let answers = statuses!(
        caller.table,
        DatabaseSetOption(database, ptr::null(), key.as_ptr()),
        DatabaseSetOption(database, key.as_ptr(), ptr::null()),
        DatabaseGetOption(database, key.as_ptr(), ptr::null_mut(), ptr::null_mut()),
        ConnectionInit(connection, ptr::null_mut()),
        ConnectionGetObjects(
            connection,
            0,
            ptr::null(),
            ptr::null(),
            ptr::null(),
            ptr::null(),
            ptr::null(),
            ptr::null_mut()
        ),
        ConnectionGetTableSchema(connection, ptr::null(), ptr::null(), ptr::null(), ptr::null_mut()),
        ConnectionReadPartition(connection, ptr::null(), 3, ptr::null_mut()),
        StatementSetSqlQuery(statement, ptr::null()),
        StatementSetSubstraitPlan(statement, ptr::null(), 3),
        StatementBind(statement, ptr::null_mut(), ptr::null_mut()),
        StatementBindStream(statement, ptr::null_mut()),
        StatementExecutePartitions(statement, ptr::null_mut(), ptr::null_mut(), ptr::null_mut()),
        StatementExecuteSchema(statement, ptr::null_mut()),
        StatementGetOptionInt(statement, key.as_ptr(), ptr::null_mut()),
    );
    for (function, status) in answers {
        assert_eq!(status, NULL, "{function}");
    }
    // What may be null.
    let answers = statuses!(
        caller.table,
        StatementExecuteQuery(statement, ptr::null_mut(), ptr::null_mut()),
        StatementRelease(statement)
    );
    assert_eq!(answers.map(|(_, status)| status), [ADBC_STATUS_OK; 2]);
}

#[test]
fn for_what_is_not_there_yet_or_any_more() {
    let mut caller = Caller::new();
    let statement = caller.statement("");
    let mut statement = {
        caller.release(statement);
        FFI_AdbcStatement {
            private_data: ptr::null_mut(),
            private_driver: ptr::null(),
        }
    };
    let mut database = FFI_AdbcDatabase {
        private_data: ptr::null_mut(),
        private_driver: ptr::null(),
    };
    let mut connection = FFI_AdbcConnection {
        private_data: ptr::null_mut(),
        private_driver: ptr::null(),
    };
    let (statement, connection, database) = (&raw mut statement, &raw mut connection, &raw mut database);
    let answers = statuses!(
        caller.table,
        StatementRelease(statement),
        StatementPrepare(statement),
        StatementCancel(statement),
        ConnectionRelease(connection),
        ConnectionCommit(connection),
        DatabaseRelease(database),
        DatabaseInit(database),
    );
    for (function, status) in answers {
        assert_eq!(status, STATE, "{function}");
    }
    let answers = statuses!(caller.table, DatabaseNew(database), ConnectionNew(connection));
    assert_eq!(answers.map(|(_, status)| status), [ADBC_STATUS_OK; 2]);
    // Made and not initialised; initialised twice.
    let answers = statuses!(
        caller.table,
        ConnectionInit(connection, database),
        StatementNew(connection, statement),
        ConnectionCancel(connection),
    );
    assert_eq!(answers.map(|(_, status)| status), [STATE; 3]);
    let answers = statuses!(
        caller.table,
        DatabaseInit(database),
        DatabaseInit(database),
        ConnectionInit(connection, database),
        ConnectionInit(connection, database),
        ConnectionRelease(connection),
        DatabaseRelease(database),
    );
    assert_eq!(answers.map(|(_, status)| status), [0, STATE, 0, STATE, 0, 0]);
}
