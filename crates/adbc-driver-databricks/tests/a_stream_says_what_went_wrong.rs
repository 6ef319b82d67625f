//! Status, SQLSTATE, details and error number of a failing stream reach the caller whole.

mod support;

use std::ffi::CStr;
use std::ptr;

use adbc_core::constants::{ADBC_STATUS_CANCELLED, ADBC_STATUS_IO, ADBC_STATUS_TIMEOUT};
use adbc_core::error::AdbcStatusCode;
use arrow_array::RecordBatchIterator;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use support::{Caller, batch, message, next};

fn failing(caller: &mut Caller, how: &str) -> FFI_ArrowArrayStream {
    let mut statement = caller.statement(&format!("then {how}"));
    let (mut stream, rows) = caller
        .execute(&mut statement)
        .map_err(|(status, _)| status)
        .expect("a stream");
    assert_eq!(rows, -1, "nobody said how many rows it has");
    // Results outlive their statement.
    caller.release(statement);
    assert_eq!(next(&mut stream), Ok(3));
    stream
}

#[test]
fn by_its_error_number_and_its_text() {
    let mut caller = Caller::new();
    for (how, errno) in [
        ("cancelled", libc::ECANCELED),
        ("timeout", libc::ETIMEDOUT),
        ("io", libc::EIO),
    ] {
        let mut stream = failing(&mut caller, how);
        assert_eq!(next(&mut stream), Err(errno));
        // SAFETY: after a failure the text is valid until the next call.
        let text = unsafe { CStr::from_ptr(stream.get_last_error.expect("there")(&raw mut stream)) };
        let text = text.to_str().expect("UTF-8");
        assert!(how == "io" || text == "it is\u{fffd}broken (SQLSTATE 57014)", "{text}");
    }
}

#[test]
fn by_its_adbc_error() {
    let mut caller = Caller::new();
    let error_of = caller.table.ErrorFromArrayStream.expect("there");
    let cases: [(&str, AdbcStatusCode); 3] = [
        ("cancelled", ADBC_STATUS_CANCELLED),
        ("timeout", ADBC_STATUS_TIMEOUT),
        ("io", ADBC_STATUS_IO),
    ];
    for (how, expected) in cases {
        let mut stream = failing(&mut caller, how);
        let mut status = AdbcStatusCode::MAX;
        // SAFETY: a stream of this driver.
        unsafe {
            assert!(
                error_of(&raw mut stream, &raw mut status).is_null(),
                "nothing has failed yet"
            );
            assert!(next(&mut stream).is_err());
            let error = error_of(&raw mut stream, &raw mut status);
            assert_eq!(status, expected);
            let error = error.as_ref().expect("an error");
            if how == "io" {
                continue;
            }
            assert_eq!(message(error), "it is\u{fffd}broken");
            assert_eq!(error.sqlstate.map(|byte| byte as u8), *b"57014");
            assert_eq!(caller.table.ErrorGetDetailCount.expect("there")(error), 1);
            let detail = caller.table.ErrorGetDetail.expect("there")(error, 0);
            assert_eq!(CStr::from_ptr(detail.key).to_bytes(), b"which");
            let value = std::slice::from_raw_parts(detail.value, detail.value_length);
            assert_eq!(value, b"detail\0with NUL");
            assert!(caller.table.ErrorGetDetail.expect("there")(error, 1).key.is_null());
        }
    }
}

#[test]
fn and_other_peoples_streams_are_left_alone() {
    let caller = Caller::new();
    let rows = batch(&[1]);
    let reader = RecordBatchIterator::new([Ok(rows.clone())], rows.schema());
    let mut foreign = FFI_ArrowArrayStream::new(Box::new(reader));
    let mut status = AdbcStatusCode::MAX;
    let error_of = caller.table.ErrorFromArrayStream.expect("there");
    // SAFETY: a valid stream of somebody else, and a null pointer.
    unsafe {
        assert!(error_of(&raw mut foreign, &raw mut status).is_null());
        assert!(error_of(ptr::null_mut(), &raw mut status).is_null());
    }
    assert_eq!(status, AdbcStatusCode::MAX);
}
