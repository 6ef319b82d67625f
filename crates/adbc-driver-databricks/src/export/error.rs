//! Errors as C structures, and Arrow's errors as ADBC's.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, addr_of, addr_of_mut};

use adbc_core::constants::ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA;
use adbc_core::error::{AdbcStatusCode, Error, Status};
use adbc_ffi::{FFI_AdbcError, FFI_AdbcErrorDetail};
use arrow_schema::ArrowError;

use super::guard;

/// What `private_data` of an error points to.
struct Details(Vec<(CString, Vec<u8>)>);

/// The one address that `release` of this crate's errors has, so that they can be told from others'.
static RELEASE: unsafe extern "C" fn(*mut FFI_AdbcError) = release;

/// Writes `error` to `out` and gives its status.
///
/// A caller of ADBC 1.1 says so by the vendor code; the structure of 1.0 is shorter, and what follows it is not touched.
///
/// # Safety
/// `out` is null or points to an error structure that was zeroed, initialised with `ADBC_ERROR_INIT`, or written before.
pub(super) unsafe fn export(out: *mut FFI_AdbcError, error: Error) -> AdbcStatusCode {
    let status = AdbcStatusCode::from(error.status);
    if out.is_null() {
        return status;
    }
    // SAFETY: the structure is valid for the members that its version has; the others are reached only when the version has them.
    unsafe {
        if let Some(release) = addr_of!((*out).release).read() {
            release(out);
        }
        addr_of_mut!((*out).message).write(c_string(error.message).into_raw());
        addr_of_mut!((*out).sqlstate).write(error.sqlstate);
        addr_of_mut!((*out).release).write(Some(RELEASE));
        if addr_of!((*out).vendor_code).read() == ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA {
            addr_of_mut!((*out).private_data).write(private_data(error.details.unwrap_or_default()));
        } else {
            // That code means 1.1 and private data.
            let code = match error.vendor_code {
                ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA => 0,
                code => code,
            };
            addr_of_mut!((*out).vendor_code).write(code);
        }
    }
    status
}

/// An error of ADBC 1.1 that is the driver's own, for `ErrorFromArrayStream`.
pub(super) fn owned(error: Error) -> FFI_AdbcError {
    let mut owned = FFI_AdbcError {
        message: ptr::null_mut(),
        vendor_code: ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA,
        sqlstate: [0; 5],
        release: None,
        private_data: ptr::null_mut(),
        private_driver: ptr::null(),
    };
    // SAFETY: `owned` is a fresh structure of 1.1.
    unsafe { export(&raw mut owned, error) };
    owned
}

/// The text up to the end, with NULs replaced: C would take the first for the end.
pub(super) fn c_string(text: String) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let text = String::from_utf8_lossy(&error.into_vec()).replace('\0', "\u{fffd}");
        CString::new(text).unwrap_or_default()
    })
}

fn private_data(details: Vec<(String, Vec<u8>)>) -> *mut c_void {
    if details.is_empty() {
        return ptr::null_mut();
    }
    let details = details.into_iter().map(|(key, value)| (c_string(key), value)).collect();
    Box::into_raw(Box::new(Details(details))).cast()
}

unsafe extern "C" fn release(error: *mut FFI_AdbcError) {
    if error.is_null() {
        return;
    }
    // SAFETY: only errors that `export` wrote have this function; it made the message and the private data.
    unsafe {
        let message = addr_of!((*error).message).read();
        if !message.is_null() {
            guard::discard(CString::from_raw(message));
            addr_of_mut!((*error).message).write(ptr::null_mut());
        }
        if addr_of!((*error).vendor_code).read() == ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA {
            let details = addr_of!((*error).private_data).read();
            if !details.is_null() {
                guard::discard(Box::from_raw(details.cast::<Details>()));
                addr_of_mut!((*error).private_data).write(ptr::null_mut());
            }
        }
        addr_of_mut!((*error).release).write(None);
    }
}

/// The details of an error of this driver; none of anybody else's.
///
/// # Safety
/// `error` is null or an error structure as `adbc.h` has it.
unsafe fn details<'a>(error: *const FFI_AdbcError) -> Option<&'a Details> {
    if error.is_null() {
        return None;
    }
    // SAFETY: members of 1.0 are always there; the private data is when the vendor code says so, and is ours when `release` is.
    unsafe {
        let ours = addr_of!((*error).release)
            .read()
            .is_some_and(|release| ptr::fn_addr_eq(release, RELEASE));
        if !ours || addr_of!((*error).vendor_code).read() != ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA {
            return None;
        }
        addr_of!((*error).private_data).read().cast::<Details>().as_ref()
    }
}

pub(super) unsafe extern "C" fn detail_count(error: *const FFI_AdbcError) -> c_int {
    // SAFETY: the contract of `adbc.h`.
    let details = unsafe { details(error) };
    details.map_or(0, |details| c_int::try_from(details.0.len()).unwrap_or(c_int::MAX))
}

pub(super) unsafe extern "C" fn detail(error: *const FFI_AdbcError, index: c_int) -> FFI_AdbcErrorDetail {
    // SAFETY: the contract of `adbc.h`.
    let details = unsafe { details(error) };
    let found = usize::try_from(index)
        .ok()
        .and_then(|index| details.and_then(|details| details.0.get(index)));
    match found {
        Some((key, value)) => FFI_AdbcErrorDetail {
            key: key.as_ptr(),
            value: value.as_ptr(),
            value_length: value.len(),
        },
        None => FFI_AdbcErrorDetail {
            key: ptr::null::<c_char>(),
            value: ptr::null(),
            value_length: 0,
        },
    }
}

/// The driver's own error out of what Arrow carries it in.
pub(super) fn of_arrow(error: ArrowError) -> Error {
    let status = match &error {
        ArrowError::NotYetImplemented(_) => Status::NotImplemented,
        ArrowError::IoError(..) => Status::IO,
        _ => Status::Internal,
    };
    match error {
        ArrowError::ExternalError(source) => match source.downcast::<adbc_databricks::Error>() {
            Ok(error) => Error::from(*error),
            Err(source) => match source.downcast::<Error>() {
                Ok(error) => *error,
                Err(source) => Error::with_message_and_status(source.to_string(), status),
            },
        },
        other => Error::with_message_and_status(other.to_string(), status),
    }
}

/// The error for those who get a text and nothing else.
pub(super) fn plain(error: &Error) -> String {
    let state: String = error.sqlstate.iter().map(|&byte| char::from(byte as u8)).collect();
    match state.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => format!("{} (SQLSTATE {state})", error.message),
        false => error.message.clone(),
    }
}

/// What a stream's callback returns for an error of this status, as the C drivers have it.
pub(super) fn errno(status: Status) -> c_int {
    match status {
        Status::NotImplemented => libc::ENOTSUP,
        Status::NotFound => libc::ENOENT,
        Status::AlreadyExists => libc::EEXIST,
        Status::InvalidArguments | Status::InvalidState => libc::EINVAL,
        Status::Cancelled => libc::ECANCELED,
        Status::Timeout => libc::ETIMEDOUT,
        Status::Unauthenticated | Status::Unauthorized => libc::EACCES,
        _ => libc::EIO,
    }
}
