//! The table of functions that a driver manager asks for.

use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, offset_of};
use std::ptr;

use adbc_core::constants::{ADBC_VERSION_1_0_0, ADBC_VERSION_1_1_0};
use adbc_core::error::{AdbcStatusCode, Error, Result, Status};
use adbc_ffi::{FFI_AdbcDriver, FFI_AdbcError};

use super::connection::Connection;
use super::database::Database;
use super::driver::Exported;
use super::statement::Statement;
use super::{connection, database, error, guard, handle, option, statement, stream};

/// The size of the table of ADBC 1.0: what came later follows it.
const SIZE_1_0: usize = offset_of!(FFI_AdbcDriver, ErrorGetDetailCount);

/// Fills `driver` with the functions of `D`: the body of a driver's entry point.
///
/// # Errors
/// `NOT_IMPLEMENTED` for versions other than 1.0.0 and 1.1.0, which makes a manager ask for an older one.
///
/// # Safety
/// `driver` is null or points to a `struct AdbcDriver` of `version`, and `error` is null or an error structure of `adbc.h`.
pub unsafe fn init<D: Exported>(version: c_int, driver: *mut c_void, error: *mut FFI_AdbcError) -> AdbcStatusCode {
    // SAFETY: the caller's promise.
    unsafe {
        guard::call(error, || {
            let size = size(version)?;
            let target = handle::given(driver, "driver")?;
            let table = MaybeUninit::new(table::<D>());
            ptr::copy_nonoverlapping(table.as_ptr().cast::<u8>(), target.cast(), size);
            Ok(())
        })
    }
}

fn size(version: c_int) -> Result<usize> {
    match version {
        ADBC_VERSION_1_0_0 => Ok(SIZE_1_0),
        ADBC_VERSION_1_1_0 => Ok(size_of::<FFI_AdbcDriver>()),
        other => Err(Error::with_message_and_status(
            format!("the driver has versions 1.0.0 and 1.1.0 of ADBC, not {other}"),
            Status::NotImplemented,
        )),
    }
}

/// Nothing is kept for a driver: its runtime belongs to the process.
unsafe extern "C" fn release(driver: *mut FFI_AdbcDriver, out: *mut FFI_AdbcError) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`. Only members of 1.0 are touched.
    unsafe {
        guard::call(out, || {
            let driver = handle::given(driver, "driver")?;
            let released = ptr::addr_of_mut!((*driver).release).replace(None);
            released
                .map(|_| ())
                .ok_or_else(|| handle::state("the driver was released before"))
        })
    }
}

fn table<D: Exported>() -> FFI_AdbcDriver {
    FFI_AdbcDriver {
        private_data: ptr::null_mut(),
        private_manager: ptr::null(),
        release: Some(release),
        DatabaseInit: Some(database::init::<D>),
        DatabaseNew: Some(database::new::<D>),
        DatabaseSetOption: Some(option::set_text::<_, Database<D>>),
        DatabaseRelease: Some(database::release::<D>),
        ConnectionCommit: Some(connection::commit::<D>),
        ConnectionGetInfo: Some(connection::info::<D>),
        ConnectionGetObjects: Some(connection::objects::<D>),
        ConnectionGetTableSchema: Some(connection::table_schema::<D>),
        ConnectionGetTableTypes: Some(connection::table_types::<D>),
        ConnectionInit: Some(connection::init::<D>),
        ConnectionNew: Some(connection::new::<D>),
        ConnectionSetOption: Some(option::set_text::<_, Connection<D>>),
        ConnectionReadPartition: Some(connection::read_partition::<D>),
        ConnectionRelease: Some(connection::release::<D>),
        ConnectionRollback: Some(connection::rollback::<D>),
        StatementBind: Some(statement::bind::<D>),
        StatementBindStream: Some(statement::bind_stream::<D>),
        StatementExecuteQuery: Some(statement::execute::<D>),
        StatementExecutePartitions: Some(statement::execute_partitions::<D>),
        StatementGetParameterSchema: Some(statement::parameter_schema::<D>),
        StatementNew: Some(statement::new::<D>),
        StatementPrepare: Some(statement::prepare::<D>),
        StatementRelease: Some(statement::release::<D>),
        StatementSetOption: Some(option::set_text::<_, Statement<D>>),
        StatementSetSqlQuery: Some(statement::set_sql_query::<D>),
        StatementSetSubstraitPlan: Some(statement::set_substrait_plan::<D>),
        // ADBC 1.1 from here on.
        ErrorGetDetailCount: Some(error::detail_count),
        ErrorGetDetail: Some(error::detail),
        ErrorFromArrayStream: Some(stream::error_of),
        DatabaseGetOption: Some(option::text::<_, Database<D>>),
        DatabaseGetOptionBytes: Some(option::bytes::<_, Database<D>>),
        DatabaseGetOptionDouble: Some(option::double::<_, Database<D>>),
        DatabaseGetOptionInt: Some(option::integer::<_, Database<D>>),
        DatabaseSetOptionBytes: Some(option::set_bytes::<_, Database<D>>),
        DatabaseSetOptionDouble: Some(option::set_double::<_, Database<D>>),
        DatabaseSetOptionInt: Some(option::set_integer::<_, Database<D>>),
        ConnectionCancel: Some(connection::cancel::<D>),
        ConnectionGetOption: Some(option::text::<_, Connection<D>>),
        ConnectionGetOptionBytes: Some(option::bytes::<_, Connection<D>>),
        ConnectionGetOptionDouble: Some(option::double::<_, Connection<D>>),
        ConnectionGetOptionInt: Some(option::integer::<_, Connection<D>>),
        ConnectionGetStatistics: Some(connection::statistics::<D>),
        ConnectionGetStatisticNames: Some(connection::statistic_names::<D>),
        ConnectionSetOptionBytes: Some(option::set_bytes::<_, Connection<D>>),
        ConnectionSetOptionDouble: Some(option::set_double::<_, Connection<D>>),
        ConnectionSetOptionInt: Some(option::set_integer::<_, Connection<D>>),
        StatementCancel: Some(statement::cancel::<D>),
        StatementExecuteSchema: Some(statement::execute_schema::<D>),
        StatementGetOption: Some(option::text::<_, Statement<D>>),
        StatementGetOptionBytes: Some(option::bytes::<_, Statement<D>>),
        StatementGetOptionDouble: Some(option::double::<_, Statement<D>>),
        StatementGetOptionInt: Some(option::integer::<_, Statement<D>>),
        StatementSetOptionBytes: Some(option::set_bytes::<_, Statement<D>>),
        StatementSetOptionDouble: Some(option::set_double::<_, Statement<D>>),
        StatementSetOptionInt: Some(option::set_integer::<_, Statement<D>>),
    }
}
