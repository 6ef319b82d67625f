//! Whatever panics, wherever: the caller is told, and neither the process nor the driver is harmed.

mod support;

use std::ffi::CString;
use std::ptr;

use adbc_core::constants::{ADBC_STATUS_INTERNAL, ADBC_STATUS_OK};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use support::{Caller, error, message, next};

#[test]
fn in_execute() {
    let mut caller = Caller::new();
    for text in ["panic", "panic with a treacherous payload"] {
        let mut statement = caller.statement(text);
        // The statement that panicked can be used again too.
        for _ in 0..2 {
            let (status, error) = caller.execute(&mut statement).map(|_| ()).expect_err("a panic");
            assert_eq!(status, ADBC_STATUS_INTERNAL);
            assert!(message(&error).contains("the driver panicked"), "{}", message(&error));
        }
        assert_eq!(caller.release(statement).0, ADBC_STATUS_OK);
        caller.assert_alive();
    }
}

#[test]
fn in_a_stream() {
    let mut caller = Caller::new();
    let mut statement = caller.statement("then panic");
    let (mut stream, _) = caller
        .execute(&mut statement)
        .map_err(|(status, _)| status)
        .expect("a stream");
    assert_eq!(next(&mut stream), Ok(3));
    assert_eq!(next(&mut stream), Err(libc::EIO));
    assert_eq!(next(&mut stream), Err(libc::EIO), "it stays what it was");
    let (mut status, error_of) = (0, caller.table.ErrorFromArrayStream.expect("there"));
    // SAFETY: a stream of this driver.
    let error = unsafe { error_of(&raw mut stream, &raw mut status).as_ref() }.expect("an error");
    assert_eq!(status, ADBC_STATUS_INTERNAL);
    assert!(message(error).contains("the reader panicked"), "{}", message(error));
    drop(stream);
    caller.release(statement);
    caller.assert_alive();
}

#[test]
fn while_something_is_dropped() {
    let mut caller = Caller::new();
    let mut statement = caller.statement("then panic when dropped");
    let (stream, _) = caller
        .execute(&mut statement)
        .map_err(|(status, _)| status)
        .expect("a stream");
    drop(stream);
    caller.release(statement);
    let statement = caller.statement("panic when dropped");
    let (status, error) = caller.release(statement);
    assert_eq!(status, ADBC_STATUS_INTERNAL);
    assert!(message(&error).contains("when it was dropped"), "{}", message(&error));
    caller.assert_alive();
}

#[test]
fn with_a_lock_held() {
    let mut caller = Caller::new();
    let (key, value) = (CString::new("panic").expect("text"), CString::new("x").expect("text"));
    let mut out = error();
    // SAFETY: objects of this driver and C texts.
    unsafe {
        let commit = caller.table.ConnectionCommit.expect("there");
        assert_eq!(commit(&raw mut caller.connection, &raw mut out), ADBC_STATUS_INTERNAL);
        let set = caller.table.ConnectionSetOption.expect("there");
        let status = set(&raw mut caller.connection, key.as_ptr(), value.as_ptr(), &raw mut out);
        assert_eq!(status, ADBC_STATUS_INTERNAL);
        let set = caller.table.DatabaseSetOption.expect("there");
        let status = set(&raw mut caller.database, key.as_ptr(), value.as_ptr(), &raw mut out);
        assert_eq!(status, ADBC_STATUS_INTERNAL);
    }
    caller.assert_alive();
}

#[test]
fn in_a_reading_and_in_metadata() {
    let mut caller = Caller::new();
    let mut statement = caller.statement("");
    let (key, mut out, mut length) = (CString::new("panic").expect("text"), error(), 0_usize);
    let mut stream = FFI_ArrowArrayStream::empty();
    // SAFETY: objects of this driver, a C text and out parameters.
    unsafe {
        let get = caller.table.StatementGetOption.expect("there");
        let status = get(
            &raw mut statement,
            key.as_ptr(),
            ptr::null_mut(),
            &raw mut length,
            &raw mut out,
        );
        assert_eq!(status, ADBC_STATUS_INTERNAL);
        let info = caller.table.ConnectionGetInfo.expect("there");
        let status = info(
            &raw mut caller.connection,
            ptr::null(),
            0,
            &raw mut stream,
            &raw mut out,
        );
        assert_eq!(status, ADBC_STATUS_INTERNAL);
    }
    assert!(
        message(&out).contains("get_info panicked"),
        "the newer error replaced the older"
    );
    caller.release(statement);
    caller.assert_alive();
}
