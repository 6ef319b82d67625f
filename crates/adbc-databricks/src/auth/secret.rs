use std::fmt;

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself. Every use is a place where it may leave the process: easy to find by name.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it has the shape of a JWT: three parts in base64 of which the first is a JSON object.
    pub(crate) fn is_jwt(&self) -> bool {
        // `{"` in base64.
        let text = self.0.trim();
        text.starts_with("eyJ") && text.split('.').count() == 3
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
