//! The Databricks driver behind the ADBC C interface: `libadbc_driver_databricks`, for every language that has a driver manager.
//!
//! Two symbols are exported, [`AdbcDriverDatabricksInit`] and the fallback `AdbcDriverInit`. They fill a table of C functions; behind it
//! is [`adbc_databricks`]. What this crate adds is what the boundary needs:
//!
//! - No panic crosses it. A panic in a call, in a stream's callback or while something is dropped becomes an error of status
//!   `INTERNAL`, and the process and the driver go on.
//! - A result stream says what went wrong: status, SQLSTATE and details through `AdbcErrorFromArrayStream`, and `ECANCELED`,
//!   `ETIMEDOUT` and others as its `errno`.
//! - Options can be read and executions cancelled while another thread executes; no lock is held across a call that waits.
//! - A forked child can open connections of its own. What it inherited refuses to work and is never closed in its parent's name.
//! - The library stays loaded, and installs nothing global: no subscriber, no panic hook, no signal handler.
//!
//! # Safety
//! Every C function here has the contract of `adbc.h`: pointers are null or valid, structures were zeroed or initialised by this
//! driver, text ends with NUL, and an object is not released while it is used. Null pointers are errors, not crashes.

#[cfg(not(panic = "unwind"))]
compile_error!("the driver must be built with panic = \"unwind\": an abort would end the host's process");

pub mod export;

use std::ffi::{c_int, c_void};

use adbc_core::error::AdbcStatusCode;
use adbc_ffi::FFI_AdbcError;

/// Fills `driver`, a `struct AdbcDriver` of the version that is asked for: 1.0.0 or 1.1.0.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub unsafe extern "C" fn AdbcDriverDatabricksInit(
    version: c_int,
    driver: *mut c_void,
    error: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the caller keeps the contract of `adbc.h`, which is `init`'s.
    unsafe { export::init::<adbc_databricks::Driver>(version, driver, error) }
}

/// The name that driver managers try when they cannot derive one from the file's.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub unsafe extern "C" fn AdbcDriverInit(
    version: c_int,
    driver: *mut c_void,
    error: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: as above.
    unsafe { export::init::<adbc_databricks::Driver>(version, driver, error) }
}
