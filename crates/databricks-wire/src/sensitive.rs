use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that serialises as itself and is never printed.
///
/// SQL text, parameter values and signed URLs travel in it, so that a stray `{:?}` in a log line says only that there is one.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every use of it is a place where it may leave the process: easy to find by name.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, by move.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Sensitive<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let sql = Sensitive::new("SELECT 'canary'".to_owned());
        assert_eq!(format!("{sql:?}"), "[redacted]");
        assert_eq!(serde_json::to_string(&sql).unwrap(), r#""SELECT 'canary'""#);
    }
}
