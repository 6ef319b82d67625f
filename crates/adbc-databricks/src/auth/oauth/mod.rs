//! Tokens from an identity provider: obtained when needed, renewed ahead of their end, once for all who wait.
//!
//! A token is *fresh*; then *stale*, when it still works and is renewed beside the requests that use it; then *spent*, when
//! requests wait for the next one. However many threads ask, one of them asks the provider.

mod browser;
mod provider;
mod store;
mod token;

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use databricks_telemetry::{Auth, ErrorCategory, Identity};
use jiff::Timestamp;
use reqwest::header::HeaderValue;

use super::method::{Method, Subject, scopes};
use super::{Authenticator, BoxFuture, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{self, Settings};
use crate::runtime;
use crate::uri::Endpoint;
use browser::SignIn;
use provider::{Grant, Provider};
use store::Store;
use token::{Age, Token};

/// A provider that could not renew a token which still works is left alone for so long.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// Signs requests with tokens of the workspace's identity provider.
#[derive(Debug)]
pub(crate) struct OAuth {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    method: Method,
    scopes: String,
    identity: Identity,
    provider: Provider,
    browser: browser::Settings,
    /// Where tokens wait for the next process. Only for people: a machine asks again.
    store: Option<Store>,
    current: Mutex<Option<Token>>,
    /// Not before this is a token renewed that still works.
    paused: Mutex<Option<Instant>>,
    /// Held by whoever asks the provider.
    flight: Arc<tokio::sync::Mutex<Flight>>,
}

/// What the one who asks the provider knows.
#[derive(Debug, Default)]
struct Flight {
    /// A sign-in that a person was asked for by an error message, and that has not ended yet.
    pending: Option<tokio::sync::oneshot::Receiver<Result<Token>>>,
    looked_into_store: bool,
}

impl OAuth {
    /// # Errors
    /// `InvalidArgument` for an option that cannot be used.
    pub(crate) fn new(
        method: Method,
        settings: &Settings,
        endpoint: &Endpoint,
        http: &reqwest::Client,
    ) -> Result<Self> {
        let scopes = scopes(settings, &method);
        let store = match &method {
            Method::Browser { client_id } if settings.flag(options::TOKEN_CACHE).unwrap_or(true) => {
                Store::new(settings, &[endpoint.base.as_str(), client_id, &scopes])
            }
            _ => None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                identity: method.identity(&scopes),
                provider: Provider::new(settings, endpoint, http)?,
                browser: browser::Settings::new(settings),
                method,
                scopes,
                store,
                current: Mutex::new(None),
                paused: Mutex::new(None),
                flight: Arc::default(),
            }),
        })
    }
}

impl Authenticator for OAuth {
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue>> {
        Box::pin(async move {
            let shared = &self.shared;
            if let Some((header, age)) = shared.usable() {
                if age == Age::Stale {
                    self.renew_beside();
                }
                return Ok(header);
            }
            let mut flight = Arc::clone(&shared.flight).lock_owned().await;
            if let Some((header, _)) = shared.usable() {
                return Ok(header);
            }
            // A task of its own: a refresh token works once, and its successor must be kept even if the request that waits for it
            // is given up.
            let shared = Arc::clone(shared);
            let renewal = tokio::spawn(async move { Ok(shared.renew(&mut flight).await?.header()) });
            let lost = |_| Err(Error::internal("the renewal of the token ended without an answer"));
            renewal.await.unwrap_or_else(lost)
        })
    }

    fn sign_in(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if !matches!(self.shared.method, Method::Browser { .. }) {
                return Ok(());
            }
            let mut flight = self.shared.flight.lock().await;
            if self.shared.usable().is_some() {
                return Ok(());
            }
            match self.shared.renew(&mut flight).await {
                Ok(_) => Ok(()),
                // Whoever has no network is not helped by a browser.
                Err(error) if error.kind() != ErrorKind::Unauthenticated => Err(error),
                Err(_) => self.ask_person(&mut flight).await,
            }
        })
    }

    fn refused(&self, used: &HeaderValue) -> bool {
        let mut current = lock(&self.shared.current);
        match &mut *current {
            Some(token) if token.is(used) => {
                token.spend();
                !matches!(self.shared.method, Method::Browser { .. }) || token.refresh().is_some()
            }
            // Somebody renewed it in the meantime.
            _ => true,
        }
    }

    fn kind(&self) -> Auth {
        self.shared.method.kind()
    }

    fn identity(&self) -> Identity {
        self.shared.identity
    }
}

impl OAuth {
    /// Renews a token that still works, unless somebody is at it or the provider failed a moment ago.
    fn renew_beside(&self) {
        let shared = Arc::clone(&self.shared);
        {
            let paused = lock(&shared.paused);
            if paused.is_some_and(|until| Instant::now() < until) || shared.flight.try_lock().is_err() {
                return;
            }
        }
        runtime::spawn(async move {
            let Ok(mut flight) = shared.flight.try_lock() else {
                return;
            };
            if matches!(shared.usable(), Some((_, Age::Fresh))) {
                return;
            }
            // The requests go on with what they have; if it ends before the provider is back, they will wait and say so.
            let renewed = shared.renew(&mut flight).await;
            *lock(&shared.paused) = renewed.is_err().then(|| Instant::now() + RENEWAL_PAUSE);
        });
    }

    /// Has a person sign in, or waits for one who was asked before.
    async fn ask_person(&self, flight: &mut Flight) -> Result<()> {
        let shared = &self.shared;
        if let Some(pending) = flight.pending.take() {
            match pending.await {
                Ok(Ok(token)) => {
                    shared.keep(token);
                    return Ok(());
                }
                Ok(Err(error)) if error.kind() != ErrorKind::Timeout => return Err(error),
                // Too late; the person is asked anew.
                _ => {}
            }
        }
        let Method::Browser { client_id } = &shared.method else {
            return Ok(());
        };
        let sign_in = SignIn::begin(&shared.provider, client_id, &shared.scopes, &shared.browser).await?;
        if sign_in.open(&shared.browser).await {
            shared.keep(sign_in.finish(&shared.provider).await?);
            return Ok(());
        }
        let error = sign_in.please_visit();
        let (answer, pending) = tokio::sync::oneshot::channel();
        flight.pending = Some(pending);
        let shared = Arc::clone(shared);
        // Ends by the sign-in's own deadline.
        runtime::spawn(async move {
            let outcome = sign_in.finish(&shared.provider).await;
            if let (Ok(token), Some(store)) = (&outcome, &shared.store) {
                // The application may be gone when the person is done; the next one finds it.
                store.save(token);
            }
            let _ = answer.send(outcome);
        });
        Err(error)
    }
}

impl Shared {
    fn usable(&self) -> Option<(HeaderValue, Age)> {
        let now = Timestamp::now();
        let current = lock(&self.current);
        let token = current.as_ref()?;
        match token.age(now) {
            Age::Spent => None,
            age => Some((token.header(), age)),
        }
    }

    fn keep(&self, token: Token) -> Token {
        if let Some(store) = &self.store {
            store.save(&token);
        }
        *lock(&self.current) = Some(token.clone());
        token
    }

    /// Asks the provider for the next token, without asking a person.
    async fn renew(&self, flight: &mut Flight) -> Result<Token> {
        match &self.method {
            Method::Token { token, .. } => Token::new(token.clone(), None, None, Timestamp::now()),
            Method::Machine {
                client_id,
                client_secret,
            } => {
                let grant = Grant::ClientCredentials {
                    client_id,
                    client_secret,
                    scopes: &self.scopes,
                };
                Ok(self.keep(self.provider.token(&grant).await?))
            }
            Method::Exchange { subject, client_id } => {
                let subject = match subject {
                    Subject::Token(token) => token.clone(),
                    Subject::File(path) => read_token(path)?,
                };
                let grant = Grant::Exchange {
                    subject: &subject,
                    client_id: client_id.as_deref(),
                    scopes: &self.scopes,
                };
                Ok(self.keep(self.provider.token(&grant).await?))
            }
            Method::Browser { client_id } => self.renew_for_person(client_id, flight).await,
        }
    }

    async fn renew_for_person(&self, client_id: &str, flight: &mut Flight) -> Result<Token> {
        let known = lock(&self.current).clone();
        let known = match known {
            None if !flight.looked_into_store => {
                flight.looked_into_store = true;
                let stored = self.store.as_ref().and_then(Store::load);
                if let Some(token) = &stored {
                    *lock(&self.current) = stored.clone();
                    if token.age(Timestamp::now()) != Age::Spent {
                        return Ok(token.clone());
                    }
                }
                stored
            }
            known => known,
        };
        let refresh = known
            .as_ref()
            .and_then(Token::refresh)
            .cloned()
            .ok_or_else(nobody_signed_in)?;
        let grant = Grant::Refresh {
            refresh: &refresh,
            client_id,
            scopes: &self.scopes,
        };
        let error = match self.provider.token(&grant).await {
            Ok(token) => return Ok(self.keep(token.or_refresh(&refresh))),
            Err(error) => error,
        };
        // Another process may have used the refresh token up and left its successor.
        let stored = self.store.as_ref().and_then(Store::load);
        match stored.filter(|stored| stored.refresh() != Some(&refresh) && stored.age(Timestamp::now()) != Age::Spent) {
            Some(token) => {
                *lock(&self.current) = Some(token.clone());
                Ok(token)
            }
            None => {
                if error.kind() == ErrorKind::Unauthenticated {
                    *lock(&self.current) = None;
                }
                Err(error)
            }
        }
    }
}

fn read_token(path: &str) -> Result<Secret> {
    let refused = |reason: String| {
        let message = format!(
            "option '{}': {path} cannot be used: {reason}",
            options::SUBJECT_TOKEN_FILE
        );
        Error::new(ErrorKind::Unauthenticated, ErrorCategory::AuthError, message)
    };
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let token = Secret::new(text.trim().to_owned());
    if !token.is_jwt() {
        // Any other file must not be sent away because its path was mistyped.
        return Err(refused("it does not hold a JWT".to_owned()));
    }
    Ok(token)
}

fn nobody_signed_in() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        ErrorCategory::AuthError,
        "nobody is signed in any more; open a new connection to sign in again",
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
