//! Who the driver is to the workspace.

mod secret;
mod token;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use reqwest::header::HeaderValue;

pub(crate) use secret::Secret;
pub(crate) use token::PersonalAccessToken;

use databricks_telemetry::{Auth, Identity};

use crate::error::Result;

/// A future that an object-safe trait can return.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that can prove to the workspace who is asking.
pub(crate) trait Authenticator: fmt::Debug + Send + Sync {
    /// The value of the `Authorization` header for the next request, marked sensitive.
    ///
    /// # Errors
    /// `Unauthenticated` when there are no credentials to be had.
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue>>;

    /// How it proves it.
    fn kind(&self) -> Auth;

    /// Whose credentials these are, without revealing them.
    fn identity(&self) -> Identity;
}
