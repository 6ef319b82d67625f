//! While one thread executes, others read options and cancel, at once.

mod support;

use std::ffi::CString;
use std::thread;

use adbc_core::constants::{ADBC_STATUS_CANCELLED, ADBC_STATUS_OK};
use adbc_ffi::FFI_AdbcStatement;
use support::{Caller, error};

/// The same statement for another thread.
struct Same(*mut FFI_AdbcStatement);

// SAFETY: what is called through it is callable from any thread at any time, as ADBC has it.
unsafe impl Send for Same {}

#[test]
fn by_another_thread() {
    let mut caller = Caller::new();
    let mut statement = caller.statement("wait");
    let same = Same(&raw mut statement);
    let (read, integer, double, cancel) = (
        caller.table.StatementGetOption.expect("there"),
        caller.table.StatementGetOptionInt.expect("there"),
        caller.table.StatementGetOptionDouble.expect("there"),
        caller.table.StatementCancel.expect("there"),
    );
    let other = thread::spawn(move || {
        let same = same;
        let key = CString::new("text").expect("text");
        let (mut error, mut buffer, mut number, mut fraction) = (error(), [0_u8; 16], 0_i64, 0.0);
        let mut length = buffer.len();
        // The execution ends only by the cancel below: whatever waited for it would wait for ever.
        // SAFETY: a statement of this driver that lives until this thread has been joined.
        unsafe {
            let status = read(
                same.0,
                key.as_ptr(),
                buffer.as_mut_ptr().cast(),
                &raw mut length,
                &raw mut error,
            );
            assert_eq!(status, ADBC_STATUS_OK);
            assert_eq!(&buffer[..length], b"wait\0");
            assert_eq!(
                integer(same.0, key.as_ptr(), &raw mut number, &raw mut error),
                ADBC_STATUS_OK
            );
            // How far it is, for one.
            assert_eq!(
                double(same.0, key.as_ptr(), &raw mut fraction, &raw mut error),
                ADBC_STATUS_OK
            );
            assert_eq!((number, fraction), (7, 0.5));
            assert_eq!(cancel(same.0, &raw mut error), ADBC_STATUS_OK);
        }
    });
    let (status, _) = caller.execute(&mut statement).map(|_| ()).expect_err("cancelled");
    assert_eq!(status, ADBC_STATUS_CANCELLED);
    other.join().expect("no panic");
    caller.release(statement);
}
