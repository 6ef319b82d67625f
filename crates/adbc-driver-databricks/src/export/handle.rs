//! From C's pointers to the driver's objects and back.

use std::ffi::{CStr, c_char, c_void};
use std::process;
use std::ptr;

use adbc_core::error::{Error, Result, Status};
use adbc_ffi::{FFI_AdbcConnection, FFI_AdbcDatabase, FFI_AdbcStatement};

use super::guard;

/// One of ADBC's three objects.
pub(super) trait Object {
    const NOUN: &'static str;
    /// Whether a forked child may use its copy. A connection's sockets and a statement's locks are the parent's.
    const SURVIVES_FORK: bool = false;

    fn slot(&mut self) -> &mut *mut c_void;
}

impl Object for FFI_AdbcDatabase {
    const NOUN: &'static str = "database";
    const SURVIVES_FORK: bool = true;

    fn slot(&mut self) -> &mut *mut c_void {
        &mut self.private_data
    }
}

impl Object for FFI_AdbcConnection {
    const NOUN: &'static str = "connection";

    fn slot(&mut self) -> &mut *mut c_void {
        &mut self.private_data
    }
}

impl Object for FFI_AdbcStatement {
    const NOUN: &'static str = "statement";

    fn slot(&mut self) -> &mut *mut c_void {
        &mut self.private_data
    }
}

/// What `private_data` points to.
struct Handle<T> {
    pid: u32,
    inner: T,
}

/// Puts `inner` behind a C object.
///
/// # Safety
/// `object` is null or valid.
pub(super) unsafe fn put<O: Object, T>(object: *mut O, inner: T) -> Result<()> {
    // SAFETY: the caller's promise.
    let slot = unsafe { slot(object) }?;
    let pid = process::id();
    *slot = Box::into_raw(Box::new(Handle { pid, inner })).cast();
    Ok(())
}

/// What is behind a C object.
///
/// # Errors
/// `INVALID_ARGUMENT` for a null pointer, `INVALID_STATE` when there is nothing behind it or it is another process's.
///
/// # Safety
/// `object` is null or valid, holds what `put` put there with the same `T`, and is not released during `'a`.
pub(super) unsafe fn borrow<'a, O: Object, T>(object: *mut O) -> Result<&'a T> {
    // SAFETY: the caller's promise.
    let handle = unsafe { slot(object)?.cast::<Handle<T>>().as_ref() };
    let handle = handle.ok_or_else(|| state(format!("the {} is not initialised", O::NOUN)))?;
    if !O::SURVIVES_FORK && handle.pid != process::id() {
        return Err(state(format!(
            "the {} was made before a fork; open a connection in this process",
            O::NOUN
        )));
    }
    Ok(&handle.inner)
}

/// Drops what is behind a C object. A forked child leaks its copy: dropping it would speak to the server in its parent's name and
/// could wait for locks that nobody in this process holds.
///
/// # Errors
/// As [`borrow`]; a second release is `INVALID_STATE`. A panic while dropping is `INTERNAL`, and the object is gone all the same.
///
/// # Safety
/// As [`borrow`].
pub(super) unsafe fn release<O: Object, T>(object: *mut O) -> Result<()> {
    // SAFETY: the caller's promise.
    let slot = unsafe { slot(object) }?;
    if slot.is_null() {
        return Err(state(format!("the {} was released before", O::NOUN)));
    }
    // SAFETY: `put` made it with `Box::into_raw`, and nobody uses it any more.
    let handle = unsafe { Box::from_raw(slot.cast::<Handle<T>>()) };
    *slot = ptr::null_mut();
    if handle.pid == process::id() {
        guard::caught(|| drop(handle))
    } else {
        std::mem::forget(handle);
        Ok(())
    }
}

/// # Safety
/// `object` is null or valid.
unsafe fn slot<'a, O: Object + 'a>(object: *mut O) -> Result<&'a mut *mut c_void> {
    // SAFETY: the caller's promise.
    let object = unsafe { object.as_mut() };
    Ok(object.ok_or_else(|| null(O::NOUN))?.slot())
}

/// An out parameter, or a pointer to be read.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is null.
pub(super) fn given<T>(pointer: *mut T, name: &str) -> Result<*mut T> {
    if pointer.is_null() {
        Err(null(name))
    } else {
        Ok(pointer)
    }
}

/// A text argument.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is null or not UTF-8.
///
/// # Safety
/// `text` is null or ends with NUL, and is not changed during `'a`.
pub(super) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(text, name) }?.ok_or_else(|| null(name))
}

/// A text argument that may be missing.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is not UTF-8.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn optional_text<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and the caller's promise.
    let text = unsafe { CStr::from_ptr(text) }.to_str();
    let refusal = |_| argument(format!("argument '{name}' is not UTF-8"));
    Ok(Some(text.map_err(refusal)?))
}

/// An argument of bytes.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is null and not empty.
///
/// # Safety
/// `bytes` is null or valid for `length`, and is not changed during `'a`.
pub(super) unsafe fn bytes<'a>(bytes: *const u8, length: usize, name: &str) -> Result<&'a [u8]> {
    match (bytes.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null(name)),
        // SAFETY: not null, and the caller's promise.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(bytes, length) }),
    }
}

pub(super) fn argument(message: impl Into<String>) -> Error {
    Error::with_message_and_status(message, Status::InvalidArguments)
}

pub(super) fn state(message: impl Into<String>) -> Error {
    Error::with_message_and_status(message, Status::InvalidState)
}

fn null(name: &str) -> Error {
    argument(format!("argument '{name}' is a null pointer"))
}
