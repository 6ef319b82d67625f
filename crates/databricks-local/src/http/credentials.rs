//! Who may use the workspace: holders of its token, and of tokens that it gave to its OAuth client.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac};

use crate::state::locked;

/// How long an OAuth access token works.
pub(crate) const ACCESS_TTL: Duration = Duration::from_secs(3600);

/// How long an authorization code can be redeemed.
const CODE_TTL: Duration = Duration::from_secs(60);

/// How long a code verifier may be, in characters (RFC 7636, section 4.1).
const VERIFIER_LENGTHS: RangeInclusive<usize> = 43..=128;

/// How many OAuth tokens are remembered; when there are more, the first to expire goes.
const TOKEN_CAPACITY: usize = 10_000;

/// How many authorization codes are remembered; when there are more, the first to expire goes.
const CODE_CAPACITY: usize = 1_000;

/// Tokens and clients that are accepted.
pub(crate) struct Credentials {
    /// Compares secrets without telling by its time how much of them matches.
    key: hmac::Key,
    token: String,
    oauth_client: Option<(String, String)>,
    tokens: Expiring<Kind>,
    codes: Expiring<Authorization>,
}

/// What an authorization code stands for, and what must be shown again to redeem it.
pub(crate) struct Authorization {
    pub(crate) client_id: String,
    /// As the client wrote it.
    pub(crate) redirect_uri: String,
    /// The SHA-256 of the code verifier, in base64url without padding (PKCE's method `S256`).
    pub(crate) challenge: String,
    pub(crate) scope: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    Refresh,
}

impl Credentials {
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn new(
        token: Option<String>,
        oauth_client: Option<(String, String)>,
    ) -> Result<Self, ring::error::Unspecified> {
        let token = match token {
            Some(token) => token,
            None => format!("dapi{}", random_hex()?),
        };
        Ok(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            token,
            oauth_client,
            tokens: Expiring::new(TOKEN_CAPACITY),
            codes: Expiring::new(CODE_CAPACITY),
        })
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether the headers carry a bearer token that is accepted.
    pub(crate) fn accept(&self, headers: &HeaderMap) -> bool {
        let Some(token) = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
        else {
            return false;
        };
        self.is_same(token, &self.token) || self.tokens.any(token, |kind| *kind == Kind::Access)
    }

    /// Whether this is the OAuth client.
    pub(crate) fn is_client(&self, id: &str, secret: &str) -> bool {
        self.oauth_client
            .as_ref()
            .is_some_and(|(known_id, known_secret)| self.is_same(id, known_id) & self.is_same(secret, known_secret))
    }

    pub(crate) fn is_refresh_token(&self, token: &str) -> bool {
        self.tokens.any(token, |kind| *kind == Kind::Refresh)
    }

    /// A new access token.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn issue_access(&self) -> Result<String, ring::error::Unspecified> {
        self.tokens.insert(Kind::Access, ACCESS_TTL)
    }

    /// A new refresh token.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn issue_refresh(&self) -> Result<String, ring::error::Unspecified> {
        self.tokens.insert(Kind::Refresh, 24 * ACCESS_TTL)
    }

    /// A new authorization code, for one use within a minute.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn issue_code(&self, authorization: Authorization) -> Result<String, ring::error::Unspecified> {
        self.codes.insert(authorization, CODE_TTL)
    }

    /// The scope that an authorization code was given for, when everything else fits it.
    ///
    /// The code is used up in any case: whoever has it but not its verifier has stolen it.
    pub(crate) fn redeem(&self, code: &str, client_id: &str, redirect_uri: &str, verifier: &str) -> Option<String> {
        let authorization = self.codes.take(code)?;
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let fits = authorization.client_id == client_id
            && authorization.redirect_uri == redirect_uri
            && VERIFIER_LENGTHS.contains(&verifier.len())
            && self.is_same(&challenge, &authorization.challenge);
        fits.then_some(authorization.scope)
    }

    fn is_same(&self, given: &str, known: &str) -> bool {
        let tag = hmac::sign(&self.key, known.as_bytes());
        hmac::verify(&self.key, given.as_bytes(), tag.as_ref()).is_ok()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Values under random names, each for a time. There is never more than `capacity` of them.
struct Expiring<T> {
    capacity: usize,
    entries: Mutex<HashMap<String, Entry<T>>>,
}

struct Entry<T> {
    expires: Instant,
    value: T,
}

impl<T> Expiring<T> {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Mutex::default(),
        }
    }

    /// The new name of the value.
    fn insert(&self, value: T, ttl: Duration) -> Result<String, ring::error::Unspecified> {
        let name = random_hex()?;
        let now = Instant::now();
        let mut entries = locked(&self.entries);
        entries.retain(|_, entry| entry.expires > now);
        if entries.len() >= self.capacity
            && let Some(first) = entries
                .iter()
                .min_by_key(|(_, entry)| entry.expires)
                .map(|(name, _)| name.clone())
        {
            entries.remove(&first);
        }
        let expires = now + ttl;
        entries.insert(name.clone(), Entry { expires, value });
        Ok(name)
    }

    /// Whether there is a value with this name, and the predicate holds for it.
    fn any(&self, name: &str, predicate: impl FnOnce(&T) -> bool) -> bool {
        locked(&self.entries)
            .get(name)
            .is_some_and(|entry| entry.expires > Instant::now() && predicate(&entry.value))
    }

    /// Removes the value.
    fn take(&self, name: &str) -> Option<T> {
        let entry = locked(&self.entries).remove(name)?;
        (entry.expires > Instant::now()).then_some(entry.value)
    }
}

fn random_hex() -> Result<String, ring::error::Unspecified> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_expire_makes_room() {
        let table = Expiring::new(2);
        let long = table.insert("long", ACCESS_TTL).unwrap();
        let short = table.insert("short", CODE_TTL).unwrap();
        let other = table.insert("other", ACCESS_TTL).unwrap();
        assert_eq!(locked(&table.entries).len(), 2);
        assert_eq!(table.take(&short), None);
        assert_eq!((table.take(&long), table.take(&other)), (Some("long"), Some("other")));
    }

    #[test]
    fn what_has_expired_is_not_found() {
        let table = Expiring::new(2);
        let name = table.insert("late", Duration::ZERO).unwrap();
        assert!(!table.any(&name, |_| true));
        assert_eq!(table.take(&name), None);
    }
}
