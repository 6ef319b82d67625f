//! The functions of `AdbcStatement`.

use std::ffi::c_char;
use std::sync::{Mutex, MutexGuard, PoisonError};

use adbc_core::error::{AdbcStatusCode, Result};
use adbc_core::options::{OptionStatement, OptionValue};
use adbc_core::sync::{CancelHandle, Optionable as _, Statement as _};
use adbc_ffi::{FFI_AdbcConnection, FFI_AdbcError, FFI_AdbcPartitions, FFI_AdbcStatement};
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;

use super::connection::Connection;
use super::driver::{Exported, ExportedConnection as _, ExportedStatement, Readings as _, StatementOf};
use super::option::Optioned;
use super::{bound, error, guard, handle, stream};

/// A statement. Its calls take turns; reading options and cancelling need no turn.
pub(super) struct Statement<D: Exported> {
    inner: Mutex<StatementOf<D>>,
    readings: <StatementOf<D> as ExportedStatement>::Readings,
    cancel: Box<dyn CancelHandle>,
}

impl<D: Exported> Statement<D> {
    fn turn(&self) -> MutexGuard<'_, StatementOf<D>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Exported> Optioned for Statement<D> {
    fn set(&self, key: &str, value: OptionValue) -> Result<()> {
        self.turn().set_option(OptionStatement::from(key), value)
    }

    fn text(&self, key: &str) -> Result<String> {
        self.readings.text(key)
    }

    fn bytes(&self, key: &str) -> Result<Vec<u8>> {
        self.readings.text(key).map(String::into_bytes)
    }

    fn integer(&self, key: &str) -> Result<i64> {
        self.readings.integer(key)
    }

    fn double(&self, key: &str) -> Result<f64> {
        self.readings.double(key)
    }
}

pub(super) unsafe extern "C" fn new<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    statement: *mut FFI_AdbcStatement,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let connection = handle::borrow::<_, Connection<D>>(connection)?;
            let inner = connection.open(|connection| connection.statement())?;
            let new = Statement::<D> {
                readings: inner.readings(),
                cancel: inner.get_cancel_handle(),
                inner: Mutex::new(inner),
            };
            handle::put(statement, new)
        })
    }
}

pub(super) unsafe extern "C" fn release<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe { guard::call(out, || handle::release::<_, Statement<D>>(statement)) }
}

pub(super) unsafe extern "C" fn cancel<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            handle::borrow::<_, Statement<D>>(statement)?.cancel.try_cancel()
        })
    }
}

pub(super) unsafe extern "C" fn set_sql_query<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    query: *const c_char,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        turn::<D>(statement, out, |statement| {
            statement.set_sql_query(handle::text(query, "query")?)
        })
    }
}

pub(super) unsafe extern "C" fn set_substrait_plan<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    plan: *const u8,
    length: usize,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        turn::<D>(statement, out, |statement| {
            statement.set_substrait_plan(handle::bytes(plan, length, "plan")?)
        })
    }
}

pub(super) unsafe extern "C" fn prepare<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe { turn::<D>(statement, out, StatementOf::<D>::prepare) }
}

pub(super) unsafe extern "C" fn bind<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    values: *mut FFI_ArrowArray,
    schema: *mut FFI_ArrowSchema,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`: the driver owns the values and the schema from here on.
    unsafe {
        turn::<D>(statement, out, |statement| {
            let values = FFI_ArrowArray::from_raw(handle::given(values, "values")?);
            let schema = FFI_ArrowSchema::from_raw(handle::given(schema, "schema")?);
            statement.bind(bound::batch(values, &schema)?)
        })
    }
}

pub(super) unsafe extern "C" fn bind_stream<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`: the driver owns the stream from here on.
    unsafe {
        turn::<D>(statement, out, |statement| {
            let stream = FFI_ArrowArrayStream::from_raw(handle::given(stream, "stream")?);
            statement.bind_stream(Box::new(bound::Stream::new(stream)?))
        })
    }
}

pub(super) unsafe extern "C" fn execute<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    stream: *mut FFI_ArrowArrayStream,
    rows_affected: *mut i64,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`: both out parameters may be null.
    unsafe {
        turn::<D>(statement, out, |statement| {
            let rows = if stream.is_null() {
                statement.execute_update()?
            } else {
                let (reader, rows) = statement.execute_counted()?;
                stream.write(stream::export(reader));
                rows
            };
            if !rows_affected.is_null() {
                rows_affected.write(rows.unwrap_or(-1));
            }
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn execute_schema<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    schema: *mut FFI_ArrowSchema,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        turn::<D>(statement, out, |statement| {
            let schema = handle::given(schema, "schema")?;
            let found = statement.execute_schema()?;
            schema.write(FFI_ArrowSchema::try_from(&found).map_err(error::of_arrow)?);
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn parameter_schema<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    schema: *mut FFI_ArrowSchema,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        turn::<D>(statement, out, |statement| {
            let schema = handle::given(schema, "schema")?;
            let found = statement.get_parameter_schema()?;
            schema.write(FFI_ArrowSchema::try_from(&found).map_err(error::of_arrow)?);
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn execute_partitions<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    schema: *mut FFI_ArrowSchema,
    partitions: *mut FFI_AdbcPartitions,
    rows_affected: *mut i64,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`: the schema and the number of rows need not be wanted.
    unsafe {
        turn::<D>(statement, out, |statement| {
            let partitions = handle::given(partitions, "partitions")?;
            let result = statement.execute_partitions()?;
            if !schema.is_null() {
                schema.write(FFI_ArrowSchema::try_from(&result.schema).map_err(error::of_arrow)?);
            }
            if !rows_affected.is_null() {
                rows_affected.write(result.rows_affected);
            }
            partitions.write(FFI_AdbcPartitions::from(result.partitions));
            Ok(())
        })
    }
}

/// A call that needs the statement for itself.
///
/// # Safety
/// The pointers are null or valid.
unsafe fn turn<D: Exported>(
    statement: *mut FFI_AdbcStatement,
    out: *mut FFI_AdbcError,
    work: impl FnOnce(&mut StatementOf<D>) -> Result<()>,
) -> AdbcStatusCode {
    // SAFETY: the caller's promise.
    unsafe { guard::call(out, || work(&mut handle::borrow::<_, Statement<D>>(statement)?.turn())) }
}
