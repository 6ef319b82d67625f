//! A manager that knows ADBC 1.0 has shorter structures. What follows them in its memory is not ours.

mod support;

use std::ffi::CStr;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::ptr;

use adbc_core::constants::{ADBC_STATUS_INVALID_STATE, ADBC_STATUS_NOT_IMPLEMENTED, ADBC_STATUS_OK};
use adbc_driver_databricks::export;
use adbc_ffi::{FFI_AdbcDatabase, FFI_AdbcDriver, FFI_AdbcError};
use support::Puppet;

const CANARY: u8 = 0xA5;
const DRIVER_1_0: usize = offset_of!(FFI_AdbcDriver, ErrorGetDetailCount);
const ERROR_1_0: usize = offset_of!(FFI_AdbcError, private_data);

/// A structure of 1.1's size, filled with canaries.
fn canaries<T>() -> MaybeUninit<T> {
    let mut memory = MaybeUninit::<T>::uninit();
    // SAFETY: `T`'s own bytes.
    unsafe { ptr::write_bytes(memory.as_mut_ptr().cast::<u8>(), CANARY, size_of::<T>()) };
    memory
}

fn tail<T>(memory: &MaybeUninit<T>, from: usize) -> &[u8] {
    // SAFETY: `canaries` initialised every byte.
    let bytes = unsafe { std::slice::from_raw_parts(memory.as_ptr().cast::<u8>(), size_of::<T>()) };
    &bytes[from..]
}

/// An error structure of 1.0, with canaries where 1.1 has more.
fn old_error() -> MaybeUninit<FFI_AdbcError> {
    let mut error = canaries::<FFI_AdbcError>();
    // SAFETY: the members of 1.0.
    unsafe { ptr::write_bytes(error.as_mut_ptr().cast::<u8>(), 0, ERROR_1_0) };
    error
}

#[test]
fn with_the_table_of_their_size() {
    let (mut table, mut error) = (canaries::<FFI_AdbcDriver>(), old_error());
    // SAFETY: structures of 1.0.
    let status = unsafe { export::init::<Puppet>(1_000_000, table.as_mut_ptr().cast(), error.as_mut_ptr()) };
    assert_eq!(status, ADBC_STATUS_OK);
    assert!(
        tail(&table, DRIVER_1_0).iter().all(|byte| *byte == CANARY),
        "1.1's members were written"
    );
    // SAFETY: every function of 1.0 was written.
    unsafe {
        let table = table.as_mut_ptr();
        let new = ptr::addr_of!((*table).DatabaseNew).read().expect("there");
        let release = ptr::addr_of!((*table).DatabaseRelease).read().expect("there");
        let substrait = ptr::addr_of!((*table).StatementSetSubstraitPlan).read();
        assert!(substrait.is_some(), "the last of them");
        let mut database = FFI_AdbcDatabase {
            private_data: ptr::null_mut(),
            private_driver: ptr::null(),
        };
        assert_eq!(new(&raw mut database, error.as_mut_ptr()), ADBC_STATUS_OK);
        assert_eq!(release(&raw mut database, error.as_mut_ptr()), ADBC_STATUS_OK);
        let driver = ptr::addr_of!((*table).release).read().expect("there");
        assert_eq!(driver(table, error.as_mut_ptr()), ADBC_STATUS_OK);
        assert_eq!(driver(table, error.as_mut_ptr()), ADBC_STATUS_INVALID_STATE);
    }
    assert!(tail(&table, DRIVER_1_0).iter().all(|byte| *byte == CANARY));
}

#[test]
fn with_errors_of_their_size() {
    let mut error = old_error();
    // SAFETY: structures of 1.0; the error is released as its contract says.
    unsafe {
        let status = export::init::<Puppet>(1_000_000, ptr::null_mut(), error.as_mut_ptr());
        assert_ne!(status, ADBC_STATUS_OK);
        // Again: the first error is released by the second.
        export::init::<Puppet>(1_000_000, ptr::null_mut(), error.as_mut_ptr());
        let message = ptr::addr_of!((*error.as_ptr()).message).read();
        assert!(
            CStr::from_ptr(message)
                .to_str()
                .expect("UTF-8")
                .contains("null pointer")
        );
        assert_eq!(ptr::addr_of!((*error.as_ptr()).vendor_code).read(), 0);
        ptr::addr_of!((*error.as_ptr()).release).read().expect("there")(error.as_mut_ptr());
    }
    assert!(
        tail(&error, ERROR_1_0).iter().all(|byte| *byte == CANARY),
        "1.1's members were written"
    );
}

#[test]
fn and_other_versions_are_refused() {
    let (mut table, mut error) = (canaries::<FFI_AdbcDriver>(), support::error());
    for version in [0, 1_002_000, 2_000_000, -1] {
        // SAFETY: the table is not touched.
        let status = unsafe { export::init::<Puppet>(version, table.as_mut_ptr().cast(), &raw mut error) };
        assert_eq!(status, ADBC_STATUS_NOT_IMPLEMENTED);
    }
    assert!(tail(&table, 0).iter().all(|byte| *byte == CANARY));
}
