//! The sixteen functions that set and the twelve that read options, as eight.

use std::ffi::c_char;
use std::ptr;

use adbc_core::error::{AdbcStatusCode, Result};
use adbc_core::options::OptionValue;
use adbc_ffi::FFI_AdbcError;

use super::handle::{self, Object};
use super::{error, guard};

/// An object with options, behind its handle.
pub(super) trait Optioned {
    fn set(&self, key: &str, value: OptionValue) -> Result<()>;
    fn text(&self, key: &str) -> Result<String>;
    fn bytes(&self, key: &str) -> Result<Vec<u8>>;
    fn integer(&self, key: &str) -> Result<i64>;
    fn double(&self, key: &str) -> Result<f64>;
}

pub(super) unsafe extern "C" fn set_text<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: *const c_char,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            let (key, value) = (handle::text(key, "key")?, handle::text(value, "value")?);
            target.set(key, OptionValue::String(value.to_owned()))
        })
    }
}

pub(super) unsafe extern "C" fn set_bytes<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: *const u8,
    length: usize,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            let (key, value) = (handle::text(key, "key")?, handle::bytes(value, length, "value")?);
            target.set(key, OptionValue::Bytes(value.to_owned()))
        })
    }
}

pub(super) unsafe extern "C" fn set_integer<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: i64,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            target.set(handle::text(key, "key")?, OptionValue::Int(value))
        })
    }
}

pub(super) unsafe extern "C" fn set_double<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: f64,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            target.set(handle::text(key, "key")?, OptionValue::Double(value))
        })
    }
}

pub(super) unsafe extern "C" fn text<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: *mut c_char,
    length: *mut usize,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            let text = error::c_string(target.text(handle::text(key, "key")?)?);
            copy(text.as_bytes_with_nul(), value.cast(), length)
        })
    }
}

pub(super) unsafe extern "C" fn bytes<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: *mut u8,
    length: *mut usize,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            copy(&target.bytes(handle::text(key, "key")?)?, value, length)
        })
    }
}

pub(super) unsafe extern "C" fn integer<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: *mut i64,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            let number = target.integer(handle::text(key, "key")?)?;
            handle::given(value, "value")?.write(number);
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn double<O: Object, T: Optioned>(
    object: *mut O,
    key: *const c_char,
    value: *mut f64,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let target = handle::borrow::<O, T>(object)?;
            let number = target.double(handle::text(key, "key")?)?;
            handle::given(value, "value")?.write(number);
            Ok(())
        })
    }
}

/// The caller's buffer is filled if it is long enough, and told how long it must be either way.
///
/// # Safety
/// `length` is null or valid, and `value` is null or valid for `*length` bytes.
unsafe fn copy(source: &[u8], value: *mut u8, length: *mut usize) -> Result<()> {
    let length = handle::given(length, "length")?;
    // SAFETY: the caller's promise.
    unsafe {
        if source.len() <= length.read() && !source.is_empty() {
            ptr::copy_nonoverlapping(source.as_ptr(), handle::given(value, "value")?, source.len());
        }
        length.write(source.len());
    }
    Ok(())
}
