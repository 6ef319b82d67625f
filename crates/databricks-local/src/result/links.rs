//! Signed links: whoever has one may read one chunk until it expires, and needs nothing else.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;

/// Where signed links point.
pub(crate) const PATH_PREFIX: &str = "/results/";

/// Signs links and checks them.
pub(crate) struct Links {
    key: hmac::Key,
    ttl: Duration,
    /// The latest expiry ever given, so that each link expires later than all before it.
    last_expiry_ms: AtomicI64,
}

/// A link as it is handed out.
pub(crate) struct SignedLink {
    /// The absolute URL.
    pub(crate) url: String,
    /// When it stops working, RFC 3339 in UTC with milliseconds.
    pub(crate) expiration: String,
    /// The same in milliseconds since the Unix epoch.
    pub(crate) expiry_ms: i64,
}

/// Why a link is not honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadLink {
    /// Its time is over.
    Expired,
    /// It was not made here, or was changed since.
    Forged,
}

impl Links {
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn new(ttl: Duration) -> Result<Self, ring::error::Unspecified> {
        Ok(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            ttl,
            last_expiry_ms: AtomicI64::new(0),
        })
    }

    /// A new link to a chunk, different from every other and later to expire than all before it.
    pub(crate) fn sign(&self, base_url: &str, statement_id: &str, chunk_index: u64) -> SignedLink {
        self.sign_place(
            base_url,
            &format!("{PATH_PREFIX}{statement_id}/{chunk_index}"),
            &message(statement_id, chunk_index),
        )
    }

    /// A new link to a file of a volume, for one method only. `place` is its percent-encoded path.
    pub(crate) fn sign_file(&self, base_url: &str, method: &str, place: &str, path: &str) -> SignedLink {
        self.sign_place(base_url, place, &file_message(method, path))
    }

    fn sign_place(&self, base_url: &str, place: &str, message: &str) -> SignedLink {
        let ttl_ms = i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX);
        let wanted = Timestamp::now().as_millisecond().saturating_add(ttl_ms);
        let mut expiry_ms = wanted;
        // The closure always answers, so the update cannot fail; the loop inside is what orders concurrent links.
        let _ = self
            .last_expiry_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                expiry_ms = wanted.max(last.saturating_add(1));
                Some(expiry_ms)
            });
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let signature = hmac::sign(&self.key, dated(message, expiry_ms, &nonce).as_bytes());
        SignedLink {
            url: format!(
                "{base_url}{place}?expires={expiry_ms}&nonce={nonce}&signature={}",
                URL_SAFE_NO_PAD.encode(signature)
            ),
            expiration: rfc3339(expiry_ms),
            expiry_ms,
        }
    }

    /// Whether the query of a request gives the right to this chunk, at `now_ms`.
    pub(crate) fn check(&self, statement_id: &str, chunk_index: u64, query: &str, now_ms: i64) -> Result<(), BadLink> {
        self.check_message(&message(statement_id, chunk_index), query, now_ms)
    }

    /// Whether the query of a request gives the right to use this method on a file of a volume, at `now_ms`.
    pub(crate) fn check_file(&self, method: &str, path: &str, query: &str, now_ms: i64) -> Result<(), BadLink> {
        self.check_message(&file_message(method, path), query, now_ms)
    }

    fn check_message(&self, message: &str, query: &str, now_ms: i64) -> Result<(), BadLink> {
        let (mut expires, mut nonce, mut signature) = (None, None, None);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "expires" => expires = value.parse::<i64>().ok(),
                "nonce" => nonce = Some(value),
                "signature" => signature = URL_SAFE_NO_PAD.decode(value).ok(),
                _ => {}
            }
        }
        let (Some(expires), Some(nonce), Some(signature)) = (expires, nonce, signature) else {
            return Err(BadLink::Forged);
        };
        hmac::verify(&self.key, dated(message, expires, nonce).as_bytes(), &signature).map_err(|_| BadLink::Forged)?;
        if now_ms >= expires {
            return Err(BadLink::Expired);
        }
        Ok(())
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

fn message(statement_id: &str, chunk_index: u64) -> String {
    format!("{statement_id}\n{chunk_index}")
}

/// Begins with what no statement's id begins with.
fn file_message(method: &str, path: &str) -> String {
    format!("{method}\n{path}")
}

fn dated(message: &str, expiry_ms: i64, nonce: &str) -> String {
    format!("{message}\n{expiry_ms}\n{nonce}")
}

fn rfc3339(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(link: &SignedLink) -> &str {
        link.url.split_once('?').unwrap().1
    }

    #[test]
    fn a_link_opens_its_own_chunk_until_it_expires() {
        let links = Links::new(Duration::from_secs(60)).unwrap();
        let link = links.sign("http://h", "s", 3);
        let now = Timestamp::now().as_millisecond();
        assert_eq!(links.check("s", 3, query(&link), now), Ok(()));
        assert_eq!(links.check("s", 4, query(&link), now), Err(BadLink::Forged));
        assert_eq!(links.check("t", 3, query(&link), now), Err(BadLink::Forged));
        assert_eq!(links.check("s", 3, query(&link), now + 61_000), Err(BadLink::Expired));
        let later = query(&link).replacen("expires=1", "expires=2", 1);
        assert_eq!(links.check("s", 3, &later, now), Err(BadLink::Forged));
        assert_eq!(links.check("s", 3, "", now), Err(BadLink::Forged));
    }

    #[test]
    fn each_link_is_new_and_expires_later() {
        let links = Links::new(Duration::from_secs(60)).unwrap();
        let (first, second) = (links.sign("", "s", 0), links.sign("", "s", 0));
        assert_ne!(first.url, second.url);
        assert!(first.expiration < second.expiration);
    }

    #[test]
    fn expirations_are_utc_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_793_264_400_120), "2026-10-29T09:00:00.120Z");
    }
}
