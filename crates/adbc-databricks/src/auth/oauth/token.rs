use std::fmt;
use std::time::Duration;

use databricks_telemetry::ErrorCategory;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderValue;

use super::super::Secret;
use crate::error::{Error, ErrorKind, Result};

/// A token is renewed from this long before its end, or from half of its life if that is shorter.
const STALE_BEFORE: SignedDuration = SignedDuration::from_mins(20);
/// Nobody starts a request with a token that has less left than this, or than a quarter of its life.
const SPENT_BEFORE: SignedDuration = SignedDuration::from_secs(40);
/// A token whose end the provider does not tell lives this long.
const DEFAULT_TTL: Duration = Duration::from_secs(3600);

/// How old a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Nothing to do.
    Fresh,
    /// It works, and the next one should be asked for.
    Stale,
    /// It ends any moment, or has.
    Spent,
}

/// An access token and what renews it.
#[derive(Clone)]
pub(super) struct Token {
    header: HeaderValue,
    refresh: Option<Secret>,
    stale: Timestamp,
    spent: Timestamp,
    expires: Timestamp,
}

impl Token {
    /// # Errors
    /// `Unauthenticated` when the token cannot be a header.
    pub(super) fn new(access: Secret, refresh: Option<Secret>, ttl: Option<Duration>, now: Timestamp) -> Result<Self> {
        let ttl = SignedDuration::try_from(ttl.unwrap_or(DEFAULT_TTL)).unwrap_or(SignedDuration::MAX);
        // A provider that promises centuries is believed for a day.
        let ttl = ttl.min(SignedDuration::from_hours(24));
        let expires = now + ttl;
        Ok(Self {
            header: header(&access)?,
            refresh,
            stale: expires - STALE_BEFORE.min(ttl / 2),
            spent: expires - SPENT_BEFORE.min(ttl / 4),
            expires,
        })
    }

    /// A token of an unknown age that ends at `expires`.
    ///
    /// # Errors
    /// As [`Token::new`].
    pub(super) fn until(expires: Timestamp, access: &Secret, refresh: Option<Secret>) -> Result<Self> {
        let before = |margin| expires.checked_sub(margin).unwrap_or(Timestamp::MIN);
        Ok(Self {
            header: header(access)?,
            refresh,
            stale: before(STALE_BEFORE),
            spent: before(SPENT_BEFORE),
            expires,
        })
    }

    pub(super) fn age(&self, now: Timestamp) -> Age {
        if now >= self.spent {
            Age::Spent
        } else if now >= self.stale {
            Age::Stale
        } else {
            Age::Fresh
        }
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    pub(super) fn is(&self, used: &HeaderValue) -> bool {
        self.header == *used
    }

    pub(super) fn refresh(&self) -> Option<&Secret> {
        self.refresh.as_ref()
    }

    pub(super) fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The access token as it goes to disk.
    pub(super) fn access(&self) -> Option<&str> {
        self.header.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// No request shall use it any more.
    pub(super) fn spend(&mut self) {
        self.spent = Timestamp::MIN;
        self.stale = Timestamp::MIN;
    }

    /// Keeps the refresh token that a renewal did not replace.
    pub(super) fn or_refresh(mut self, known: &Secret) -> Self {
        self.refresh.get_or_insert_with(|| known.clone());
        self
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn header(access: &Secret) -> Result<HeaderValue> {
    super::super::bearer(access).map_err(|_| {
        Error::new(
            ErrorKind::Unauthenticated,
            ErrorCategory::AuthError,
            "the identity provider gave a token that an HTTP header cannot carry",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ages_by_its_life() {
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let age = |ttl: u64, after: i64| {
            let token = Token::new(Secret::new("t".into()), None, Some(Duration::from_secs(ttl)), now).unwrap();
            token.age(now + SignedDuration::from_secs(after))
        };
        assert_eq!(
            [age(3600, 0), age(3600, 2399), age(3600, 2400)],
            [Age::Fresh, Age::Fresh, Age::Stale]
        );
        assert_eq!([age(3600, 3559), age(3600, 3560)], [Age::Stale, Age::Spent]);
        assert_eq!([age(4, 1), age(4, 2), age(4, 3)], [Age::Fresh, Age::Stale, Age::Spent]);
        assert_eq!([age(0, 0), age(u64::MAX, 86_400)], [Age::Spent, Age::Spent]);
    }

    #[test]
    fn what_was_refused_is_not_used_again() {
        let mut token = Token::new(Secret::new("t".into()), None, None, Timestamp::now()).unwrap();
        token.spend();
        assert_eq!(token.age(Timestamp::now()), Age::Spent);
    }
}
