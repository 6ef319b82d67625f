//! The functions of `AdbcDatabase`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use adbc_core::error::{AdbcStatusCode, Result};
use adbc_core::options::{OptionDatabase, OptionValue};
use adbc_core::sync::Optionable as _;
use adbc_ffi::{FFI_AdbcDatabase, FFI_AdbcError};

use super::driver::{DatabaseOf, Exported};
use super::option::Optioned;
use super::{guard, handle};

/// A database from `DatabaseNew` on. The driver's own object takes options before `DatabaseInit` too, so that a bad one is refused by
/// the call that sets it.
pub(super) struct Database<D: Exported> {
    inner: RwLock<DatabaseOf<D>>,
    initialised: AtomicBool,
}

impl<D: Exported> Database<D> {
    /// The database, to be connected to.
    ///
    /// # Errors
    /// `INVALID_STATE` before `DatabaseInit`.
    pub(super) fn initialised(&self) -> Result<RwLockReadGuard<'_, DatabaseOf<D>>> {
        if self.initialised.load(Ordering::Acquire) {
            Ok(self.read())
        } else {
            Err(handle::state(
                "the database is not initialised: call AdbcDatabaseInit first",
            ))
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, DatabaseOf<D>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Exported> Optioned for Database<D> {
    fn set(&self, key: &str, value: OptionValue) -> Result<()> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.set_option(OptionDatabase::from(key), value)
    }

    fn text(&self, key: &str) -> Result<String> {
        self.read().get_option_string(OptionDatabase::from(key))
    }

    fn bytes(&self, key: &str) -> Result<Vec<u8>> {
        self.read().get_option_bytes(OptionDatabase::from(key))
    }

    fn integer(&self, key: &str) -> Result<i64> {
        self.read().get_option_int(OptionDatabase::from(key))
    }

    fn double(&self, key: &str) -> Result<f64> {
        self.read().get_option_double(OptionDatabase::from(key))
    }
}

pub(super) unsafe extern "C" fn new<D: Exported>(
    database: *mut FFI_AdbcDatabase,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let inner = RwLock::new(D::default().new_database()?);
            let initialised = AtomicBool::new(false);
            handle::put(database, Database::<D> { inner, initialised })
        })
    }
}

pub(super) unsafe extern "C" fn init<D: Exported>(
    database: *mut FFI_AdbcDatabase,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe {
        guard::call(out, || {
            let database = handle::borrow::<_, Database<D>>(database)?;
            if database.initialised.swap(true, Ordering::AcqRel) {
                return Err(handle::state("the database was initialised before"));
            }
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn release<D: Exported>(
    database: *mut FFI_AdbcDatabase,
    out: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // SAFETY: the contract of `adbc.h`.
    unsafe { guard::call(out, || handle::release::<_, Database<D>>(database)) }
}
