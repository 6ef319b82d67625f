//! Results as C streams that can say what went wrong.

use std::ffi::{CString, c_char, c_int};
use std::process;
use std::ptr;

use adbc_core::error::{AdbcStatusCode, Error, Result};
use adbc_ffi::FFI_AdbcError;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array as _, RecordBatchReader, StructArray};

use super::{error, guard, handle};

/// What `private_data` of a stream points to.
struct Stream {
    pid: u32,
    /// `None` after an error: the stream goes on to say the same.
    reader: Option<Box<dyn RecordBatchReader + Send>>,
    failure: Option<Failure>,
}

/// Why a stream ended early.
struct Failure {
    errno: c_int,
    status: AdbcStatusCode,
    text: CString,
    /// The whole error, for `ErrorFromArrayStream`.
    error: FFI_AdbcError,
}

/// The one address that `release` of this crate's streams has, so that they can be told from others'.
static RELEASE: unsafe extern "C" fn(*mut FFI_ArrowArrayStream) = release;

/// A C stream of `reader`'s batches. Releasing it before the end drops the reader, which cancels the statement.
pub(super) fn export(reader: Box<dyn RecordBatchReader + Send>) -> FFI_ArrowArrayStream {
    let stream = Stream {
        pid: process::id(),
        reader: Some(reader),
        failure: None,
    };
    FFI_ArrowArrayStream {
        get_schema: Some(schema),
        get_next: Some(next),
        get_last_error: Some(last_error),
        release: Some(RELEASE),
        private_data: Box::into_raw(Box::new(stream)).cast(),
    }
}

impl Stream {
    fn reader(&mut self) -> Result<&mut Box<dyn RecordBatchReader + Send>> {
        if self.pid != process::id() {
            return Err(handle::state(
                "the result was opened before a fork; execute in this process",
            ));
        }
        self.reader
            .as_mut()
            .ok_or_else(|| handle::state("the result was released"))
    }

    fn schema(&mut self) -> Result<FFI_ArrowSchema> {
        let schema = self.reader()?.schema();
        FFI_ArrowSchema::try_from(schema.as_ref()).map_err(error::of_arrow)
    }

    /// The next batch; an array without a release callback is the end.
    fn next(&mut self) -> Result<FFI_ArrowArray> {
        match self.reader()?.next() {
            None => Ok(FFI_ArrowArray::empty()),
            Some(Ok(batch)) => Ok(FFI_ArrowArray::new(&StructArray::from(batch).to_data())),
            Some(Err(error)) => Err(error::of_arrow(error)),
        }
    }

    /// Answers a callback: `work`'s outcome is written to `out`, or remembered and returned as a number.
    ///
    /// # Safety
    /// `out` is null or valid to be written.
    unsafe fn answer<T>(&mut self, out: *mut T, work: impl FnOnce(&mut Self) -> Result<T>) -> c_int {
        if let Some(failure) = &self.failure {
            return failure.errno;
        }
        let outcome = guard::caught(|| {
            let out = handle::given(out, "out")?;
            // SAFETY: not null, and the caller's promise.
            unsafe { out.write(work(self)?) };
            Ok(())
        });
        match outcome.and_then(|outcome| outcome) {
            Ok(()) => 0,
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) -> c_int {
        // A child's copy is not dropped: see `release`.
        if self.pid == process::id() {
            guard::discard(self.reader.take());
        }
        let failure = Failure {
            errno: error::errno(error.status),
            status: error.status.into(),
            text: error::c_string(error::plain(&error)),
            error: error::owned(error),
        };
        self.failure.insert(failure).errno
    }
}

/// # Safety
/// `stream` is null or one of ours that was not released, and nobody else uses it.
unsafe fn borrow<'a>(stream: *mut FFI_ArrowArrayStream) -> Option<&'a mut Stream> {
    // SAFETY: the caller's promise.
    unsafe { stream.as_mut()?.private_data.cast::<Stream>().as_mut() }
}

unsafe extern "C" fn schema(stream: *mut FFI_ArrowArrayStream, out: *mut FFI_ArrowSchema) -> c_int {
    // SAFETY: the contract of the C stream interface.
    unsafe { borrow(stream).map_or(libc::EINVAL, |stream| stream.answer(out, Stream::schema)) }
}

unsafe extern "C" fn next(stream: *mut FFI_ArrowArrayStream, out: *mut FFI_ArrowArray) -> c_int {
    // SAFETY: the contract of the C stream interface.
    unsafe { borrow(stream).map_or(libc::EINVAL, |stream| stream.answer(out, Stream::next)) }
}

unsafe extern "C" fn last_error(stream: *mut FFI_ArrowArrayStream) -> *const c_char {
    // SAFETY: the contract of the C stream interface.
    let failure = unsafe { borrow(stream) }.and_then(|stream| stream.failure.as_ref());
    failure.map_or(ptr::null(), |failure| failure.text.as_ptr())
}

unsafe extern "C" fn release(stream: *mut FFI_ArrowArrayStream) {
    // SAFETY: the contract of the C stream interface.
    let Some(stream) = (unsafe { stream.as_mut() }) else {
        return;
    };
    if !stream.private_data.is_null() {
        // SAFETY: `export` made it with `Box::into_raw`, and released streams have none.
        let inner = unsafe { Box::from_raw(stream.private_data.cast::<Stream>()) };
        if inner.pid == process::id() {
            guard::discard(inner);
        } else {
            // A forked child's copy: dropping it would cancel the parent's statement.
            std::mem::forget(inner);
        }
    }
    stream.private_data = ptr::null_mut();
    stream.get_schema = None;
    stream.get_next = None;
    stream.get_last_error = None;
    stream.release = None;
}

/// The error behind a stream of this driver that failed; null for any other.
pub(super) unsafe extern "C" fn error_of(
    stream: *mut FFI_ArrowArrayStream,
    status: *mut AdbcStatusCode,
) -> *const FFI_AdbcError {
    // SAFETY: the contract of `adbc.h`; what is behind a stream is looked at only when its `release` says that it is ours.
    unsafe {
        let release = stream.as_ref().and_then(|stream| stream.release);
        if !release.is_some_and(|release| ptr::fn_addr_eq(release, RELEASE)) {
            return ptr::null();
        }
        // The driver manager notes itself in the error.
        let Some(failure) = borrow(stream).and_then(|stream| stream.failure.as_mut()) else {
            return ptr::null();
        };
        if !status.is_null() {
            status.write(failure.status);
        }
        &raw mut failure.error
    }
}
