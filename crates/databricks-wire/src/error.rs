//! The JSON body of a refused HTTP request.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the REST API answers with a 4xx or 5xx status: `{"error_code": "...", "message": "..."}`.
///
/// The message is the server's prose. It may quote SQL or names, so `Debug` shows only the code.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// A name such as `RESOURCE_DOES_NOT_EXIST`; empty when the body had none.
    #[serde(default)]
    pub error_code: String,
    /// The server's explanation, for the user's eyes only.
    #[serde(default)]
    pub message: String,
}

impl ApiError {
    /// An error body with this code and message.
    pub fn new(error_code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error_code: error_code.into(),
            message: message.into(),
        }
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}
