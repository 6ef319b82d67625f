//! A caller that holds the C structures in its hands, and in [`puppet`] a driver that misbehaves on purpose.

#![allow(dead_code, unused_imports)] // each test file is a crate of its own and uses a part

pub(crate) mod puppet;

use std::ffi::{CStr, CString, c_int};
use std::mem::MaybeUninit;
use std::ptr;

use adbc_driver_databricks::export;
use adbc_ffi::{FFI_AdbcConnection, FFI_AdbcDatabase, FFI_AdbcDriver, FFI_AdbcError, FFI_AdbcStatement};
use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;

pub(crate) use puppet::{Puppet, batch};

/// The driver's table, as a manager of ADBC 1.1 has it.
pub(crate) fn table() -> FFI_AdbcDriver {
    let mut table = MaybeUninit::<FFI_AdbcDriver>::uninit();
    let mut error = error();
    // SAFETY: a structure of the version that is asked for.
    unsafe {
        let status = export::init::<Puppet>(1_001_000, table.as_mut_ptr().cast(), &raw mut error);
        assert_eq!(status, 0);
        table.assume_init()
    }
}

/// An empty error of ADBC 1.1.
pub(crate) fn error() -> FFI_AdbcError {
    FFI_AdbcError {
        message: ptr::null_mut(),
        vendor_code: i32::MIN,
        sqlstate: [0; 5],
        release: None,
        private_data: ptr::null_mut(),
        private_driver: ptr::null(),
    }
}

pub(crate) fn message(error: &FFI_AdbcError) -> String {
    assert!(!error.message.is_null(), "there is a message");
    // SAFETY: the driver's text, as long as the error lives.
    unsafe { CStr::from_ptr(error.message) }
        .to_str()
        .expect("UTF-8")
        .to_owned()
}

/// An open connection in C structures.
pub(crate) struct Caller {
    pub(crate) table: FFI_AdbcDriver,
    pub(crate) database: FFI_AdbcDatabase,
    pub(crate) connection: FFI_AdbcConnection,
}

impl Caller {
    pub(crate) fn new() -> Self {
        let mut caller = Self {
            table: table(),
            database: FFI_AdbcDatabase {
                private_data: ptr::null_mut(),
                private_driver: ptr::null(),
            },
            connection: FFI_AdbcConnection {
                private_data: ptr::null_mut(),
                private_driver: ptr::null(),
            },
        };
        let mut error = error();
        let out = &raw mut error;
        // SAFETY: zeroed structures of this driver.
        unsafe {
            assert_eq!(
                caller.table.DatabaseNew.expect("there")(&raw mut caller.database, out),
                0
            );
            assert_eq!(
                caller.table.DatabaseInit.expect("there")(&raw mut caller.database, out),
                0
            );
            assert_eq!(
                caller.table.ConnectionNew.expect("there")(&raw mut caller.connection, out),
                0
            );
            let init = caller.table.ConnectionInit.expect("there");
            assert_eq!(init(&raw mut caller.connection, &raw mut caller.database, out), 0);
        }
        caller
    }

    /// A statement with this text.
    pub(crate) fn statement(&mut self, text: &str) -> FFI_AdbcStatement {
        let mut statement = FFI_AdbcStatement {
            private_data: ptr::null_mut(),
            private_driver: ptr::null(),
        };
        let mut error = error();
        let text = CString::new(text).expect("no NUL");
        // SAFETY: an open connection and a zeroed statement of this driver.
        unsafe {
            let new = self.table.StatementNew.expect("there");
            assert_eq!(new(&raw mut self.connection, &raw mut statement, &raw mut error), 0);
            let set = self.table.StatementSetSqlQuery.expect("there");
            assert_eq!(set(&raw mut statement, text.as_ptr(), &raw mut error), 0);
        }
        statement
    }

    /// Executes it with a stream.
    pub(crate) fn execute(
        &self,
        statement: &mut FFI_AdbcStatement,
    ) -> Result<(FFI_ArrowArrayStream, i64), (u8, FFI_AdbcError)> {
        let (mut stream, mut rows, mut error) = (FFI_ArrowArrayStream::empty(), i64::MIN, error());
        let execute = self.table.StatementExecuteQuery.expect("there");
        // SAFETY: a statement of this driver and out parameters.
        match unsafe { execute(statement, &raw mut stream, &raw mut rows, &raw mut error) } {
            0 => Ok((stream, rows)),
            status => Err((status, error)),
        }
    }

    pub(crate) fn release(&self, mut statement: FFI_AdbcStatement) -> (u8, FFI_AdbcError) {
        let mut error = error();
        let release = self.table.StatementRelease.expect("there");
        // SAFETY: a statement of this driver.
        (unsafe { release(&raw mut statement, &raw mut error) }, error)
    }

    /// That everything still works.
    pub(crate) fn assert_alive(&mut self) {
        let mut statement = self.statement("three rows");
        let (mut stream, rows) = self
            .execute(&mut statement)
            .unwrap_or_else(|(_, error)| panic!("{}", message(&error)));
        assert_eq!(rows, 3);
        assert_eq!(next(&mut stream), Ok(3));
        assert_eq!(next(&mut stream), Ok(0));
        assert_eq!(self.release(statement).0, 0);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut error = error();
        // SAFETY: objects of this driver, released once.
        unsafe {
            let connection = self.table.ConnectionRelease.expect("there");
            assert_eq!(connection(&raw mut self.connection, &raw mut error), 0);
            assert_eq!(
                self.table.DatabaseRelease.expect("there")(&raw mut self.database, &raw mut error),
                0
            );
        }
    }
}

/// The number of rows of a stream's next batch, 0 at the end, or its error number.
pub(crate) fn next(stream: &mut FFI_ArrowArrayStream) -> Result<usize, c_int> {
    let mut array = FFI_ArrowArray::empty();
    let get_next = stream.get_next.expect("not released");
    // SAFETY: a stream that was not released, and an out parameter.
    match unsafe { get_next(stream, &raw mut array) } {
        0 if array.is_released() => Ok(0),
        0 => Ok(array.len()),
        errno => Err(errno),
    }
}
