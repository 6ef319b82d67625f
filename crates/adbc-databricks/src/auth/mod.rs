//! Who the driver is to the workspace.

mod method;
mod oauth;
mod secret;
mod token;

use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::header::HeaderValue;

pub(crate) use method::{AUTH_TYPES, Method};
pub(crate) use secret::Secret;
use token::GivenToken;

use databricks_telemetry::{Auth, ErrorCategory, Identity};

use crate::error::{Error, ErrorKind, Result};
use crate::options::Settings;
use crate::uri::Endpoint;

/// A future that an object-safe trait can return.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that can prove to the workspace who is asking.
pub(crate) trait Authenticator: fmt::Debug + Send + Sync {
    /// The value of the `Authorization` header for the next request, marked sensitive.
    ///
    /// # Errors
    /// `Unauthenticated` when there are no credentials to be had without asking a person.
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue>>;

    /// Asks a person for credentials, if it takes one and there are none. Only connecting does: a statement that runs at night
    /// must not open a browser.
    ///
    /// # Errors
    /// `Unauthenticated` when the person refuses or cannot be asked; `Timeout` when nobody answers.
    fn sign_in(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(future::ready(Ok(())))
    }

    /// Hears that the workspace refused `used` (401). Whether asking for an authorization again may give another one.
    fn refused(&self, used: &HeaderValue) -> bool {
        let _ = used;
        false
    }

    /// How it proves it.
    fn kind(&self) -> Auth;

    /// Whose credentials these are, without revealing them.
    fn identity(&self) -> Identity;
}

/// What the options ask for.
///
/// # Errors
/// `InvalidArgument` for options that contradict each other; `Unauthenticated` for a token that cannot be sent.
pub(crate) fn authenticator(
    settings: &Settings,
    endpoint: &Endpoint,
    http: &reqwest::Client,
) -> Result<Arc<dyn Authenticator>> {
    let method = Method::of(settings)?;
    if let Method::Token { token, expires } = &method {
        return Ok(Arc::new(GivenToken::new(
            token,
            *expires,
            method.kind(),
            method.identity(""),
        )?));
    }
    Ok(Arc::new(oauth::OAuth::new(method, settings, endpoint, http)?))
}

/// `Bearer TOKEN`, marked sensitive.
///
/// # Errors
/// `Unauthenticated` when the token is empty or holds characters that a header cannot carry.
fn bearer(token: &Secret) -> Result<HeaderValue> {
    let refusal = |message| Error::new(ErrorKind::Unauthenticated, ErrorCategory::AuthError, message);
    let token = token.expose().trim();
    if token.is_empty() {
        return Err(refusal("the access token is empty"));
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| refusal("the access token has characters that an HTTP header cannot carry"))?;
    header.set_sensitive(true);
    Ok(header)
}
