//! Who may use the workspace: holders of its token, and of tokens that it gave to its OAuth client.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::{HeaderMap, header};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::state::locked;

/// How long an OAuth access token works.
pub(crate) const ACCESS_TTL: Duration = Duration::from_secs(3600);

/// How many OAuth tokens are remembered; when there are more, the first to expire goes.
const CAPACITY: usize = 10_000;

/// Tokens and clients that are accepted.
pub(crate) struct Credentials {
    /// Compares secrets without telling by its time how much of them matches.
    key: hmac::Key,
    token: String,
    oauth_client: Option<(String, String)>,
    issued: Mutex<HashMap<String, Issued>>,
}

struct Issued {
    expires: Instant,
    kind: Kind,
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
            issued: Mutex::default(),
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
        self.is_same(token, &self.token) || self.is_issued(token, Kind::Access)
    }

    /// Whether this is the OAuth client.
    pub(crate) fn is_client(&self, id: &str, secret: &str) -> bool {
        self.oauth_client
            .as_ref()
            .is_some_and(|(known_id, known_secret)| self.is_same(id, known_id) & self.is_same(secret, known_secret))
    }

    pub(crate) fn is_refresh_token(&self, token: &str) -> bool {
        self.is_issued(token, Kind::Refresh)
    }

    /// A new access token.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn issue_access(&self) -> Result<String, ring::error::Unspecified> {
        self.issue(Kind::Access, ACCESS_TTL)
    }

    /// A new refresh token.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn issue_refresh(&self) -> Result<String, ring::error::Unspecified> {
        self.issue(Kind::Refresh, 24 * ACCESS_TTL)
    }

    fn issue(&self, kind: Kind, ttl: Duration) -> Result<String, ring::error::Unspecified> {
        let token = random_hex()?;
        let now = Instant::now();
        let mut issued = locked(&self.issued);
        issued.retain(|_, issued| issued.expires > now);
        if issued.len() >= CAPACITY
            && let Some(first) = issued
                .iter()
                .min_by_key(|(_, issued)| issued.expires)
                .map(|(token, _)| token.clone())
        {
            issued.remove(&first);
        }
        let expires = now + ttl;
        issued.insert(token.clone(), Issued { expires, kind });
        Ok(token)
    }

    fn is_issued(&self, token: &str, kind: Kind) -> bool {
        locked(&self.issued)
            .get(token)
            .is_some_and(|issued| issued.kind == kind && issued.expires > Instant::now())
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

fn random_hex() -> Result<String, ring::error::Unspecified> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
