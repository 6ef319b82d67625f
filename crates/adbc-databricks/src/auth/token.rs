use std::future;

use databricks_telemetry::{Auth, ErrorCategory, Identity};
use reqwest::header::HeaderValue;

use super::{Authenticator, BoxFuture, Secret};
use crate::error::{Error, ErrorKind, Result};

/// A personal access token, or any other bearer token that the caller renews.
#[derive(Debug)]
pub(crate) struct PersonalAccessToken {
    header: HeaderValue,
}

impl PersonalAccessToken {
    /// # Errors
    /// `Unauthenticated` when the token is empty or holds characters that a header cannot carry.
    pub(crate) fn new(token: &Secret) -> Result<Self> {
        let token = token.expose().trim();
        if token.is_empty() {
            return Err(refusal("the access token is empty"));
        }
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| refusal("the access token has characters that an HTTP header cannot carry"))?;
        header.set_sensitive(true);
        Ok(Self { header })
    }
}

impl Authenticator for PersonalAccessToken {
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue>> {
        Box::pin(future::ready(Ok(self.header.clone())))
    }

    fn kind(&self) -> Auth {
        Auth::PersonalAccessToken
    }

    fn identity(&self) -> Identity {
        Identity::of(&[b"pat", self.header.as_bytes()])
    }
}

fn refusal(message: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, ErrorCategory::AuthError, message)
}
