//! Which proxy requests go through.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::HeaderValue;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

use crate::error::{Error, Result};
use crate::options::{
    PROXY_BYPASS, PROXY_ENABLED, PROXY_HOST, PROXY_PASSWORD, PROXY_PORT, PROXY_URL, PROXY_USERNAME, Settings,
};
use crate::uri::{Endpoint, authority};

/// Where requests go first.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// Straight to where they are for.
    Direct,
    /// Through what the environment says (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).
    Environment,
    /// Through the proxy that the options name.
    Proxy(Box<Named>),
}

/// The proxy that the options name.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    proxy: Proxy,
    /// Without a user or a password.
    address: Url,
    /// The hosts that are reached without it, as `NO_PROXY` has them.
    bypass: String,
    /// What it is told about the user.
    authorization: Option<HeaderValue>,
}

/// The proxy that one request goes through.
pub(crate) struct Chosen {
    address: Url,
    authorization: Option<HeaderValue>,
}

impl Chosen {
    /// `SCHEME://HOST:PORT`, without a user.
    pub(crate) fn address(&self) -> String {
        format!("{}://{}", self.address.scheme(), authority(&self.address))
    }

    pub(crate) fn host_and_port(&self) -> (String, u16) {
        let host = self.address.host_str().unwrap_or_default().trim_matches(['[', ']']);
        // 1080 is the port of SOCKS, the one kind of proxy whose scheme has none.
        (host.to_owned(), self.address.port_or_known_default().unwrap_or(1080))
    }

    /// Whether it is asked for a tunnel in plain HTTP.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.address.scheme() == "http"
    }

    /// The value of `Proxy-Authorization`: a secret.
    pub(crate) fn authorization(&self) -> Option<&[u8]> {
        self.authorization.as_ref().map(HeaderValue::as_bytes)
    }
}

impl Route {
    /// What the options say.
    ///
    /// # Errors
    /// `InvalidArgument` for an address that is none, or options that make sense only together.
    pub(crate) fn of(settings: &Settings, endpoint: &Endpoint) -> Result<Self> {
        if settings.flag(PROXY_ENABLED) == Some(false) {
            return Ok(Self::Direct);
        }
        let Some(address) = address(settings)? else {
            if let Some(key) = [PROXY_USERNAME, PROXY_PASSWORD, PROXY_BYPASS, PROXY_PORT]
                .into_iter()
                .find(|key| settings.has(key))
            {
                return Err(Error::invalid_argument(format!(
                    "'{key}' is given without a proxy: set '{PROXY_URL}' or '{PROXY_HOST}'"
                )));
            }
            // Without TLS the workspace is on this desk: a proxy elsewhere could not reach it.
            let is_plain = endpoint.base.scheme() == "http";
            return Ok(if is_plain { Self::Direct } else { Self::Environment });
        };
        let mut proxy = Proxy::all(address.clone()).map_err(|_| malformed(PROXY_URL))?;
        let mut authorization = None;
        match (settings.text(PROXY_USERNAME), settings.secret(PROXY_PASSWORD)) {
            (Some(name), password) => {
                let password = password.as_ref().map_or("", |password| password.expose());
                proxy = proxy.basic_auth(&name, password);
                authorization = basic(&name, password);
            }
            (None, Some(_)) => {
                return Err(Error::invalid_argument(format!(
                    "'{PROXY_PASSWORD}' is given without '{PROXY_USERNAME}'"
                )));
            }
            (None, None) => {}
        }
        let bypass = settings.text(PROXY_BYPASS).map(|list| {
            let hosts = list
                .split([',', ';', '|'])
                .map(|host| host.trim().trim_start_matches("*."));
            hosts.filter(|host| !host.is_empty()).collect::<Vec<_>>().join(",")
        });
        let bypass = bypass.unwrap_or_default();
        Ok(Self::Proxy(Box::new(Named {
            proxy: proxy.no_proxy(NoProxy::from_string(&bypass)),
            address,
            bypass,
            authorization,
        })))
    }

    /// Whether a request for `url` goes through a proxy.
    pub(crate) fn has_proxy_for(&self, url: &Url) -> bool {
        self.proxy_for(url).is_some()
    }

    /// The proxy that a request for `url` goes through: by the rules that reqwest asks, too.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<Chosen> {
        let rules = match self {
            Self::Direct => return None,
            Self::Environment => Matcher::from_system(),
            Self::Proxy(named) => Matcher::builder()
                .all(named.address.to_string())
                .no(named.bypass.as_str())
                .build(),
        };
        let found = rules.intercept(&url.as_str().parse().ok()?)?;
        let authorization = match self {
            Self::Proxy(named) => named.authorization.clone(),
            _ => found.basic_auth().cloned(),
        };
        Some(Chosen {
            address: Url::parse(&found.uri().to_string()).ok()?,
            authorization,
        })
    }

    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        match self {
            Self::Direct => builder.no_proxy(),
            Self::Environment => builder,
            Self::Proxy(named) => builder.proxy(named.proxy.clone()),
        }
    }
}

/// HTTP Basic (RFC 7617), marked sensitive.
fn basic(name: &str, password: &str) -> Option<HeaderValue> {
    let text = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn address(settings: &Settings) -> Result<Option<Url>> {
    let text = match (settings.text(PROXY_URL), settings.text(PROXY_HOST)) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid_argument(format!(
                "'{PROXY_URL}' and '{PROXY_HOST}' are both given; leave one of them out"
            )));
        }
        (Some(url), None) => url,
        (None, Some(host)) => host,
        (None, None) => return Ok(None),
    };
    let text = if text.contains("://") {
        text
    } else {
        format!("http://{text}")
    };
    let key = if settings.has(PROXY_URL) { PROXY_URL } else { PROXY_HOST };
    let mut url = Url::parse(&text).map_err(|_| malformed(key))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(malformed(key));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // This option can be read back; a password belongs where it cannot.
        return Err(Error::invalid_argument(format!(
            "option '{key}' holds a user: set '{PROXY_USERNAME}' and '{PROXY_PASSWORD}' instead"
        )));
    }
    if settings.has(PROXY_PORT) {
        let port = u16::try_from(settings.integer(PROXY_PORT)).ok();
        url.set_port(port).map_err(|()| malformed(PROXY_PORT))?;
    }
    Ok(Some(url))
}

fn malformed(key: &str) -> Error {
    Error::invalid_argument(format!("option '{key}' is not the address of an http or https proxy"))
}
