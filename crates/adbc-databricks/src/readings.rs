use std::sync::{Arc, PoisonError, RwLock};

use adbc_core::error::Result;

use crate::options::{self, Settings};
use crate::progress::Progress;

/// What can be read of a statement from any thread, also while it executes: its options, and how far its last execution is.
#[derive(Clone, Debug)]
pub struct Readings {
    /// Held while a value is copied and never across a call.
    published: Arc<RwLock<Published>>,
}

#[derive(Debug)]
struct Published {
    settings: Settings,
    /// The last execution's.
    progress: Arc<Progress>,
}

impl Readings {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            published: Arc::new(RwLock::new(Published {
                settings,
                progress: Arc::default(),
            })),
        }
    }

    /// Makes new settings readable.
    pub(crate) fn publish(&self, settings: &Settings) {
        self.change(|published| published.settings.clone_from(settings));
    }

    /// Makes a new execution's progress readable, in the place of the last one's.
    pub(crate) fn follow(&self, progress: &Arc<Progress>) {
        self.change(|published| published.progress = Arc::clone(progress));
    }

    /// An option's value as text.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such option, or it has no value.
    pub fn text(&self, key: &str) -> Result<String> {
        Ok(self.read(|published| match published.told(key) {
            Some(number) => Ok(number.to_string()),
            None => published.settings.read_text(key),
        })?)
    }

    /// An option's value as a whole number.
    ///
    /// # Errors
    /// As [`Readings::text`], and when it is no whole number.
    pub fn integer(&self, key: &str) -> Result<i64> {
        Ok(self.read(|published| match published.told(key) {
            // It counts rows.
            Some(number) => Ok(number as i64),
            None => published.settings.read_integer(key),
        })?)
    }

    /// An option's value as a number.
    ///
    /// # Errors
    /// As [`Readings::text`], and when it is no number.
    pub fn double(&self, key: &str) -> Result<f64> {
        Ok(self.read(|published| match published.told(key) {
            Some(number) => Ok(number),
            None => published.settings.read_double(key),
        })?)
    }

    fn read<T>(&self, value: impl FnOnce(&Published) -> T) -> T {
        value(&self.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Published)) {
        change(&mut self.published.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Published {
    /// The value of an option that is not set but told.
    fn told(&self, key: &str) -> Option<f64> {
        match key {
            options::PROGRESS => Some(self.progress.rows()),
            options::MAX_PROGRESS => Some(self.progress.total()),
            _ => None,
        }
    }
}
