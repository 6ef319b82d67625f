//! The functions of `AdbcConnection`.

use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_int};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use adbc_core::error::{AdbcStatusCode, Error, Result, Status};
use adbc_core::options::{InfoCode, ObjectDepth, OptionConnection, OptionValue};
use adbc_core::sync::{CancelHandle, Connection as _, Database as _, Optionable as _};
use adbc_ffi::{FFI_AdbcConnection, FFI_AdbcDatabase, FFI_AdbcError};
use arrow_array::RecordBatchReader;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;

use super::database::Database;
use super::driver::{ConnectionOf, Exported};
use super::option::Optioned;
use super::{error, guard, handle, stream};

/// A connection from `ConnectionNew` on.
///
/// Its calls share the lock, so that metadata can be asked for while options are read and statements are made. Only setting an option and
/// the (refused) end of a transaction take it alone.
pub(super) struct Connection<D: Exported> {
    state: RwLock<State<D>>,
    cancel: OnceLock<Box<dyn CancelHandle>>,
}

enum State<D: Exported> {
    /// Options, in the order in which they were set.
    New(Vec<(String, OptionValue)>),
    Open(ConnectionOf<D>),
}

impl<D: Exported> Connection<D> {
    /// # Errors
    /// `INVALID_STATE` before `ConnectionInit`, else `work`'s.
    pub(super) fn open<T>(&self, work: impl FnOnce(&ConnectionOf<D>) -> Result<T>) -> Result<T> {
        match &*self.read() {
            State::Open(connection) => work(connection),
            State::New(_) => Err(not_open()),
        }
    }

    fn alone(&self, work: impl FnOnce(&mut ConnectionOf<D>) -> Result<()>) -> Result<()> {
        match &mut *self.write() {
            State::Open(connection) => work(connection),
            State::New(_) => Err(not_open()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State<D>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<D>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_open() -> Error {
    handle::state("the connection is not open: call AdbcConnectionInit first")
}

fn not_set(key: &str) -> Error {
    Error::with_message_and_status(format!("option '{key}' is not set"), Status::NotFound)
}

/// What was set under `key` before the connection was opened.
fn waiting<'a>(options: &'a [(String, OptionValue)], key: &str) -> Result<&'a OptionValue> {
    let found = options.iter().rev().find(|(set, _)| set == key);
    found.map(|(_, value)| value).ok_or_else(|| not_set(key))
}

impl<D: Exported> Optioned for Connection<D> {
    fn set(&self, key: &str, value: OptionValue) -> Result<()> {
        match &mut *self.write() {
            State::Open(connection) => connection.set_option(OptionConnection::from(key), value),
            State::New(options) => {
                options.push((key.to_owned(), value));
                Ok(())
            }
        }
    }

    fn text(&self, key: &str) -> Result<String> {
        match &*self.read() {
            State::Open(connection) => connection.get_option_string(OptionConnection::from(key)),
            State::New(options) => match waiting(options, key)? {
                OptionValue::String(text) => Ok(text.clone()),
                OptionValue::Int(number) => Ok(number.to_string()),
                OptionValue::Double(number) => Ok(number.to_string()),
                _ => Err(not_set(key)),
            },
        }
    }

    fn bytes(&self, key: &str) -> Result<Vec<u8>> {
        match &*self.read() {
            State::Open(connection) => connection.get_option_bytes(OptionConnection::from(key)),
            State::New(options) => match waiting(options, key)? {
                OptionValue::Bytes(bytes) => Ok(bytes.clone()),
                OptionValue::String(text) => Ok(text.clone().into_bytes()),
                _ => Err(not_set(key)),
            },
        }
    }

    fn integer(&self, key: &str) -> Result<i64> {
        match &*self.read() {
            State::Open(connection) => connection.get_option_int(OptionConnection::from(key)),
            State::New(options) => match waiting(options, key)? {
                OptionValue::Int(number) => Ok(*number),
                _ => Err(not_set(key)),
            },
        }
    }

    fn double(&self, key: &str) -> Result<f64> {
        match &*self.read() {
            State::Open(connection) => connection.get_option_double(OptionConnection::from(key)),
            State::New(options) => match waiting(options, key)? {
                OptionValue::Double(number) => Ok(*number),
                _ => Err(not_set(key)),
            },
        }
    }
}

pub(super) unsafe extern "C" fn new<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    let fresh = || Connection::<D> {
        state: RwLock::new(State::New(Vec::new())),
        cancel: OnceLock::new(),
    };
    // SAFETY: the contract of `adbc.h`.
    unsafe { guard::call(out, || handle::put(connection, fresh())) }
}

pub(super) unsafe extern "C" fn init<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    database: *mut FFI_AdbcDatabase,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let connection = handle::borrow::<_, Connection<D>>(connection)?;
            let database = handle::borrow::<_, Database<D>>(database)?.initialised()?;
            let mut state = connection.write();
            let State::New(options) = &mut *state else {
                return Err(handle::state("the connection was opened before"));
            };
            let options = options.iter().cloned();
            let options = options.map(|(key, value)| (OptionConnection::from(key.as_str()), value));
            let opened = database.new_connection_with_opts(options)?;
            // It is the first: `State::New` was there until now.
            let _ = connection.cancel.set(opened.get_cancel_handle());
            *state = State::Open(opened);
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn release<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe { guard::call(out, || handle::release::<_, Connection<D>>(connection)) }
}

pub(super) unsafe extern "C" fn cancel<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let connection = handle::borrow::<_, Connection<D>>(connection)?;
            connection.cancel.get().ok_or_else(not_open)?.try_cancel()
        })
    }
}

pub(super) unsafe extern "C" fn commit<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            handle::borrow::<_, Connection<D>>(connection)?.alone(ConnectionOf::<D>::commit)
        })
    }
}

pub(super) unsafe extern "C" fn rollback<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            handle::borrow::<_, Connection<D>>(connection)?.alone(ConnectionOf::<D>::rollback)
        })
    }
}

pub(super) unsafe extern "C" fn info<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    codes: *const u32,
    length: usize,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`: a null pointer means all codes, else `length` of them are there.
    unsafe {
        read::<D>(connection, stream, out, |connection| {
            let codes = (!codes.is_null()).then(|| {
                let codes = std::slice::from_raw_parts(codes, length);
                codes.iter().copied().map(InfoCode::from).collect::<HashSet<_>>()
            });
            connection.get_info(codes)
        })
    }
}

#[allow(clippy::too_many_arguments)]
pub(super) unsafe extern "C" fn objects<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    depth: c_int,
    catalog: *const c_char,
    db_schema: *const c_char,
    table_name: *const c_char,
    table_types: *const *const c_char,
    column_name: *const c_char,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`: patterns are null or text, and the list of types ends with a null pointer.
    unsafe {
        read::<D>(connection, stream, out, |connection| {
            let depth = ObjectDepth::try_from(depth)
                .map_err(|_| handle::argument(format!("argument 'depth' cannot be {depth}")))?;
            connection.get_objects(
                depth,
                handle::optional_text(catalog, "catalog")?,
                handle::optional_text(db_schema, "db_schema")?,
                handle::optional_text(table_name, "table_name")?,
                texts(table_types, "table_type")?,
                handle::optional_text(column_name, "column_name")?,
            )
        })
    }
}

/// # Safety
/// `list` is null or ends with a null pointer, and its texts with NUL.
unsafe fn texts<'a>(list: *const *const c_char, name: &str) -> Result<Option<Vec<&'a str>>> {
    if list.is_null() {
        return Ok(None);
    }
    let (mut texts, mut place) = (Vec::new(), list);
    // SAFETY: the caller's promise; the null pointer at the end is not passed.
    unsafe {
        while !(*place).is_null() {
            let text = CStr::from_ptr(*place).to_str();
            texts.push(text.map_err(|_| handle::argument(format!("argument '{name}' is not UTF-8")))?);
            place = place.add(1);
        }
    }
    Ok(Some(texts))
}

pub(super) unsafe extern "C" fn table_schema<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    catalog: *const c_char,
    db_schema: *const c_char,
    table_name: *const c_char,
    schema: *mut FFI_ArrowSchema,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let schema = handle::given(schema, "schema")?;
            let catalog = handle::optional_text(catalog, "catalog")?;
            let db_schema = handle::optional_text(db_schema, "db_schema")?;
            let table_name = handle::text(table_name, "table_name")?;
            let found = handle::borrow::<_, Connection<D>>(connection)?
                .open(|connection| connection.get_table_schema(catalog, db_schema, table_name))?;
            schema.write(FFI_ArrowSchema::try_from(&found).map_err(error::of_arrow)?);
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn table_types<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe { read::<D>(connection, stream, out, ConnectionOf::<D>::get_table_types) }
}

pub(super) unsafe extern "C" fn statistic_names<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe { read::<D>(connection, stream, out, ConnectionOf::<D>::get_statistic_names) }
}

pub(super) unsafe extern "C" fn statistics<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    catalog: *const c_char,
    db_schema: *const c_char,
    table_name: *const c_char,
    approximate: c_char,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        read::<D>(connection, stream, out, |connection| {
            connection.get_statistics(
                handle::optional_text(catalog, "catalog")?,
                handle::optional_text(db_schema, "db_schema")?,
                handle::optional_text(table_name, "table_name")?,
                approximate != 0,
            )
        })
    }
}

pub(super) unsafe extern "C" fn read_partition<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    partition: *const u8,
    length: usize,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        read::<D>(connection, stream, out, |connection| {
            connection.read_partition(handle::bytes(partition, length, "serialized_partition")?)
        })
    }
}

/// A call whose answer is a stream.
///
/// # Safety
/// The pointers are null or valid.
unsafe fn read<D: Exported>(
    connection: *mut FFI_AdbcConnection,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_AdbcError,
    ask: impl FnOnce(&ConnectionOf<D>) -> Result<Box<dyn RecordBatchReader + Send + 'static>>,
) -> AdbcStatusCode {
    // SAFETY: the caller's promise.
    unsafe {
        guard::call(out, || {
            let stream = handle::given(stream, "out")?;
            let reader = handle::borrow::<_, Connection<D>>(connection)?.open(ask)?;
            stream.write(stream::export(reader));
            Ok(())
        })
    }
}
