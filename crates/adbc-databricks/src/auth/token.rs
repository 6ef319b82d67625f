use std::future;

use databricks_telemetry::{Auth, ErrorCategory, Identity};
use jiff::Timestamp;
use reqwest::header::HeaderValue;

use super::{Authenticator, BoxFuture, Secret, bearer};
use crate::error::{Error, ErrorKind, Result};
use crate::options;

/// A token that the caller has and renews: a personal access token, or another provider's work.
#[derive(Debug)]
pub(crate) struct GivenToken {
    header: HeaderValue,
    expires: Option<Timestamp>,
    kind: Auth,
    identity: Identity,
}

impl GivenToken {
    /// # Errors
    /// `Unauthenticated` when the token is empty or holds characters that a header cannot carry.
    pub(crate) fn new(token: &Secret, expires: Option<Timestamp>, kind: Auth, identity: Identity) -> Result<Self> {
        Ok(Self {
            header: bearer(token)?,
            expires,
            kind,
            identity,
        })
    }
}

impl Authenticator for GivenToken {
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue>> {
        let ended = self.expires.filter(|expires| *expires <= Timestamp::now());
        Box::pin(future::ready(match ended {
            Some(expires) => Err(Error::new(
                ErrorKind::Unauthenticated,
                ErrorCategory::AuthError,
                format!(
                    "the access token ended at {expires} (option '{}'); set a new one and connect again",
                    options::ACCESS_TOKEN_EXPIRES_AT
                ),
            )),
            None => Ok(self.header.clone()),
        }))
    }

    fn kind(&self) -> Auth {
        self.kind
    }

    fn identity(&self) -> Identity {
        self.identity
    }
}
