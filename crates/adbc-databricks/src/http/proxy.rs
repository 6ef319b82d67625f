//! Which proxy requests go through.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

use crate::error::{Error, Result};
use crate::options::{
    PROXY_BYPASS, PROXY_ENABLED, PROXY_HOST, PROXY_PASSWORD, PROXY_PORT, PROXY_URL, PROXY_USERNAME, Settings,
};
use crate::uri::Endpoint;

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
        match (settings.text(PROXY_USERNAME), settings.secret(PROXY_PASSWORD)) {
            (Some(name), password) => {
                proxy = proxy.basic_auth(&name, password.as_ref().map_or("", |password| password.expose()));
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
        })))
    }

    /// Whether a request for `url` goes through a proxy: by the rules that reqwest asks, too.
    pub(crate) fn has_proxy_for(&self, url: &Url) -> bool {
        let rules = match self {
            Self::Direct => return false,
            Self::Environment => Matcher::from_system(),
            Self::Proxy(named) => Matcher::builder()
                .all(named.address.to_string())
                .no(named.bypass.as_str())
                .build(),
        };
        let Ok(target) = url.as_str().parse() else { return false };
        rules.intercept(&target).is_some()
    }

    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        match self {
            Self::Direct => builder.no_proxy(),
            Self::Environment => builder,
            Self::Proxy(named) => builder.proxy(named.proxy.clone()),
        }
    }
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
