//! Nothing unwinds into C.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use adbc_core::constants::ADBC_STATUS_OK;
use adbc_core::error::{AdbcStatusCode, Error, Result, Status};
use adbc_ffi::FFI_AdbcError;

use super::error;

/// Carries out one call of the C interface.
///
/// # Safety
/// `out` is null or an error structure as `adbc.h` has it.
pub(super) unsafe fn call(out: *mut FFI_AdbcError, body: impl FnOnce() -> Result<()>) -> AdbcStatusCode {
    match caught(body).and_then(|outcome| outcome) {
        Ok(()) => ADBC_STATUS_OK,
        // SAFETY: the caller's promise.
        Err(error) => unsafe { error::export(out, error) },
    }
}

/// Runs `body`; its panic is an error.
///
/// What `body` was working on may be half-done. It is memory-safe all the same, and every lock of this crate ignores poison, so that one
/// panic does not take the other objects of the process with it.
pub(super) fn caught<T>(body: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let text = text(&*payload);
        let error = Error::with_message_and_status(
            format!("the driver panicked: {text} (a bug of the driver; it can be used on)"),
            Status::Internal,
        );
        discard(payload);
        error
    })
}

fn text(payload: &(dyn Any + Send)) -> String {
    let words = payload.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let text = words.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}

/// Drops something whose drop may panic.
pub(super) fn discard<T>(thing: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(thing))) {
        // A payload that panics when it is dropped, in a panic while dropping: leaking it is the end of this.
        mem::forget(payload);
    }
}
