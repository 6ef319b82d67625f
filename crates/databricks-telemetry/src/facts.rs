//! What a connection says about itself.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::time::Duration;

use activity::{Activity, Id, Version};

use crate::config::Config;
use crate::values::Auth;
use crate::{system, tags};

/// What a connection says about itself: where it goes, as whom, and how.
///
/// Facts that are not known stay `None` and are not sent. Host and identity are never sent at all.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    /// The workspace's host, with or without scheme and port. Decides, with `org_id` and `identity`, which connections
    /// share a worker; stays on the machine.
    pub host: String,
    /// The workspace's number, where the client knows it: from the host's `?o=`, or configured.
    pub org_id: Option<i64>,
    /// Whose credential it is.
    pub identity: Identity,
    /// How the connection authenticates.
    pub auth: Auth,
    /// Whether API traffic goes through a proxy.
    pub use_proxy: Option<bool>,
    /// Whether the proxy was taken from the environment.
    pub use_system_proxy: Option<bool>,
    /// Whether downloads have a proxy of their own.
    pub use_download_proxy: Option<bool>,
    /// Whether certificates are accepted that nobody trusted signed.
    pub allow_self_signed: Option<bool>,
    /// Whether the system's trust store is used.
    pub use_system_trust_store: Option<bool>,
    /// Whether results may come as Arrow.
    pub arrow: Option<bool>,
    /// Whether results may come as links, or inline, as the server likes.
    pub cloudfetch: Option<bool>,
    /// Whether a fast statement is answered in the first response.
    pub direct_results: Option<bool>,
    /// Whether arrays, maps and structs come as Arrow types.
    pub complex_types: Option<bool>,
    /// Whether results may be compressed with LZ4.
    pub lz4: Option<bool>,
    /// Whether each statement commits by itself.
    pub auto_commit: Option<bool>,
    /// How long a read may take.
    pub socket_timeout: Option<Duration>,
    /// The longest wait between two status requests.
    pub poll_interval: Option<Duration>,
    /// Connections kept open per host.
    pub pool_size: Option<u64>,
}

impl ConnectionFacts {
    /// The facts that every connection has; the others are unknown.
    pub fn new(host: impl Into<String>, identity: Identity, auth: Auth) -> Self {
        Self {
            host: host.into(),
            org_id: None,
            identity,
            auth,
            use_proxy: None,
            use_system_proxy: None,
            use_download_proxy: None,
            allow_self_signed: None,
            use_system_trust_store: None,
            arrow: None,
            cloudfetch: None,
            direct_results: None,
            complex_types: None,
            lz4: None,
            auto_commit: None,
            socket_timeout: None,
            poll_interval: None,
            pool_size: None,
        }
    }

    /// Notes the facts at the opening of the connection; they are on the record of no other operation.
    pub(crate) fn describe(&self, config: &Config, opening: &mut Activity) {
        macro_rules! note {
            ($($tag:ident: $value:expr),* $(,)?) => {
                $(if let Some(value) = $value { opening.set(tags::$tag, value); })*
            };
        }
        note! {
            DRIVER_VERSION: Version::new(system::DRIVER_VERSION).ok(),
            CLIENT_APP_NAME: config.client_app_name.as_deref().and_then(|name| Id::new(name).ok()),
            AUTH_TYPE: Some(self.auth),
            PROXY_USED: self.use_proxy,
            PROXY_FROM_SYSTEM: self.use_system_proxy,
            PROXY_FOR_DOWNLOADS: self.use_download_proxy,
            TLS_SELF_SIGNED: self.allow_self_signed,
            TLS_SYSTEM_STORE: self.use_system_trust_store,
            FEATURE_ARROW: self.arrow,
            FEATURE_CLOUDFETCH: self.cloudfetch,
            FEATURE_DIRECT_RESULTS: self.direct_results,
            FEATURE_COMPLEX_TYPES: self.complex_types,
            FEATURE_LZ4: self.lz4,
            AUTO_COMMIT: self.auto_commit,
            SOCKET_TIMEOUT: self.socket_timeout,
            POLL_INTERVAL: self.poll_interval,
            POOL_SIZE: self.pool_size,
        }
        opening.set_text(tags::SERVER_ADDRESS, || self.host.clone());
    }
}

/// Tells credentials apart without holding them: a hash under a key that this process drew for itself.
///
/// Two connections whose identities differ never share credentials, workers or breakers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(u64, u64);

impl Identity {
    /// The identity of a credential, given as its parts: its kind, the client's id, the secret, …
    pub fn of(parts: &[&[u8]]) -> Self {
        static KEYS: OnceLock<(RandomState, RandomState)> = OnceLock::new();
        let (one, other) = KEYS.get_or_init(|| (RandomState::new(), RandomState::new()));
        let hash = |key: &RandomState| {
            let mut hasher = key.build_hasher();
            for part in parts {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
            hasher.finish()
        };
        Self(hash(one), hash(other))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Which connections share a worker and a breaker: the same workspace as the same user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    host: String,
    org_id: Option<i64>,
    pub(crate) identity: Identity,
}

impl Endpoint {
    pub(crate) fn of(facts: &ConnectionFacts) -> Self {
        Self {
            host: normal_host(&facts.host),
            org_id: facts.org_id,
            identity: facts.identity,
        }
    }

    /// The workspace alone, whoever asks.
    pub(crate) fn workspace(&self) -> String {
        match self.org_id {
            Some(org_id) => format!("{}?o={org_id}", self.host),
            None => self.host.clone(),
        }
    }
}

/// The host in lower case, without scheme, path, and the port that goes without saying.
fn normal_host(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    let (host, default_port) = match host.strip_prefix("http://") {
        Some(host) => (host, ":80"),
        None => (host.strip_prefix("https://").unwrap_or(&host), ":443"),
    };
    let host = host.split('/').next().unwrap_or_default();
    host.strip_suffix(default_port)
        .unwrap_or(host)
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_however_it_is_written() {
        for host in [
            "a.example.com",
            "https://A.Example.com/",
            " a.example.com:443 ",
            "https://a.example.com:443/sql/1.0",
            "a.example.com.",
        ] {
            assert_eq!(normal_host(host), "a.example.com", "{host}");
        }
        assert_eq!(normal_host("http://127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(normal_host("http://127.0.0.1:80"), "127.0.0.1");
    }

    #[test]
    fn an_identity_tells_credentials_apart_and_hides_them() {
        let identity = Identity::of(&[b"pat", b"dapi-secret"]);
        assert_eq!(identity, Identity::of(&[b"pat", b"dapi-secret"]));
        assert_ne!(identity, Identity::of(&[b"pat", b"dapi-other"]));
        assert_ne!(Identity::of(&[b"ab", b"c"]), Identity::of(&[b"a", b"bc"]));
        assert_eq!(format!("{identity:?}"), "Identity(..)");
    }
}
