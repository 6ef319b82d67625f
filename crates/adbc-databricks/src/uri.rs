//! Where to connect to: the `uri` option, the host and path options, and the endpoint they add up to.

use std::net::IpAddr;

use adbc_core::options::OptionValue;
use databricks_telemetry::config::AUDIT_FILE;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::auth::Secret;
use crate::error::{Error, Result};
use crate::options::{self, Settings};

/// A workspace and one of its warehouses.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Scheme, host and port; the path is `/`.
    pub(crate) base: Url,
    pub(crate) warehouse_id: String,
    /// The organisation that `?o=` names, for hosts that serve several.
    pub(crate) org_id: Option<String>,
}

impl Endpoint {
    /// What the options call the workspace: its host, the port unless it is the usual one, and the organisation of a host that
    /// serves several.
    pub(crate) fn workspace(&self) -> String {
        let mut name = self.base.host_str().unwrap_or_default().to_owned();
        if let Some(port) = self.base.port() {
            name.push_str(&format!(":{port}"));
        }
        if let Some(org) = &self.org_id {
            name.push_str("?o=");
            name.push_str(org);
        }
        name
    }

    /// Adds up what the options say. The URI's options must have been applied to `settings` before.
    ///
    /// # Errors
    /// `InvalidArgument` when the host or the warehouse is missing or malformed.
    pub(crate) fn resolve(settings: &Settings) -> Result<Self> {
        let host = settings.text(options::HOST).ok_or_else(|| {
            Error::invalid_argument(format!(
                "no host: set '{}', '{}' or '{}', or the environment's DATABRICKS_HOST",
                options::URI,
                options::HOST,
                options::CONFIG_PROFILE
            ))
        })?;
        let base = base_url(&host, settings)?;
        let path = settings
            .text(options::HTTP_PATH)
            .map(|path| HttpPath::parse(&path))
            .transpose()?;
        let (path_warehouse, org_id) = path.map_or((None, None), |path| (Some(path.warehouse_id), path.org_id));
        let warehouse_id = match settings.text(options::WAREHOUSE_ID) {
            Some(id) => checked_id(&id, options::WAREHOUSE_ID)?,
            None => path_warehouse.ok_or_else(|| {
                Error::invalid_argument(format!(
                    "no warehouse: set '{}' or '{}', or give the URI a path '/sql/1.0/warehouses/ID'",
                    options::HTTP_PATH,
                    options::WAREHOUSE_ID
                ))
            })?,
        };
        Ok(Self {
            base,
            warehouse_id,
            org_id,
        })
    }

    /// `HOST:PORT`, for error messages.
    pub(crate) fn authority(&self) -> String {
        authority(&self.base)
    }
}

/// `HOST:PORT` of a URL, without user, path and query.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port_or_known_default()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn base_url(host: &str, settings: &Settings) -> Result<Url> {
    let refusal = || Error::invalid_argument(format!("option '{}' is not a host name", options::HOST));
    let (scheme, rest) = match host.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, host),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '?', '#', '@', '\\']) {
        return Err(refusal());
    }
    // Parsed under a scheme without a default port, so that an explicit 443 or 80 is not forgotten.
    let given = Url::parse(&format!("x://{rest}/")).map_err(|_| refusal())?;
    let tls = match (settings.flag(options::TLS), scheme) {
        (Some(tls), _) => tls,
        (None, Some("https")) => true,
        (None, Some("http")) => false,
        (None, None | Some("databricks")) => !is_loopback(&given),
        (None, Some(_)) => return Err(refusal()),
    };
    let mut base = Url::parse(&format!("{}://{rest}/", if tls { "https" } else { "http" })).map_err(|_| refusal())?;
    let port = if settings.has(options::PORT) {
        u16::try_from(settings.integer(options::PORT)).ok()
    } else {
        given.port()
    };
    base.set_port(port).map_err(|()| refusal())?;
    Ok(base)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

struct HttpPath {
    warehouse_id: String,
    org_id: Option<String>,
}

impl HttpPath {
    fn parse(text: &str) -> Result<Self> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let mut segments = path.trim_matches('/').split('/');
        let warehouse_id = match (
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
        ) {
            (Some("sql"), Some("1.0"), Some("warehouses" | "endpoints"), Some(id), None) => {
                checked_id(id, options::HTTP_PATH)?
            }
            (Some("sql"), Some("protocolv1"), ..) => {
                return Err(Error::not_implemented(
                    "all-purpose clusters speak Thrift only; give the path of a SQL warehouse",
                ));
            }
            _ => {
                return Err(Error::invalid_argument(format!(
                    "option '{}' is not a warehouse's path: expected '/sql/1.0/warehouses/ID'",
                    options::HTTP_PATH
                )));
            }
        };
        let org_id = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("o="))
            .map(|id| checked_id(id, options::HTTP_PATH))
            .transpose()?;
        Ok(Self { warehouse_id, org_id })
    }
}

fn checked_id(id: &str, key: &str) -> Result<String> {
    let plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if id.is_empty() || id.len() > 128 || !plain {
        return Err(Error::invalid_argument(format!(
            "option '{key}' holds an id with unexpected characters"
        )));
    }
    Ok(id.to_owned())
}

/// A URI may come from somebody else than the machine's owner; it must not make the driver read files and send them away, or write
/// files where it says. The server says which file a transfer is about, and the URI says which server that is.
const NOT_IN_A_URI: [&str; 8] = [
    options::URI,
    options::SUBJECT_TOKEN_FILE,
    options::CONFIG_FILE,
    options::CONFIG_PROFILE,
    options::ALLOWED_LOCAL_PATHS,
    options::TOKEN_CACHE_DIR,
    options::TRACES_FOLDER_PATH,
    AUDIT_FILE,
];

/// What a URI says, as options in the catalogue's terms.
pub(crate) struct UriOptions(Vec<(String, OptionValue)>);

impl UriOptions {
    /// Reads `databricks://token:TOKEN@HOST[:PORT]/sql/1.0/warehouses/ID?key=value`, or the same with `https` or `http`.
    ///
    /// A query key is an option's key, the short `catalog`, `schema`, `tls`, or `o` (the organisation).
    ///
    /// # Errors
    /// `InvalidArgument`. The message never quotes the URI, which may hold a token.
    pub(crate) fn parse(uri: &Secret) -> Result<Self> {
        let url = Url::parse(uri.expose().trim()).map_err(|error| refusal(&error.to_string()))?;
        let scheme = url.scheme();
        if !matches!(scheme, "databricks" | "https" | "http") {
            return Err(refusal("its scheme is not databricks, https or http"));
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| refusal("it has no host"))?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let mut found = vec![(options::HOST.to_owned(), format!("{scheme}://{host}{port}").into())];
        if !matches!(decoded(url.username())?.as_str(), "" | "token") {
            return Err(refusal("its user name is not 'token'"));
        }
        if let Some(token) = url.password() {
            found.push((options::ACCESS_TOKEN.to_owned(), decoded(token)?.into()));
        }
        let mut path = decoded(url.path())?;
        for (key, value) in url.query_pairs() {
            match key.as_ref() {
                "catalog" => found.push((options::CATALOG.to_owned(), value.as_ref().into())),
                "schema" => found.push((options::SCHEMA.to_owned(), value.as_ref().into())),
                "tls" => found.push((options::TLS.to_owned(), value.as_ref().into())),
                "o" => path = format!("{path}?o={value}"),
                key if NOT_IN_A_URI.contains(&options::canonical(key)) => {
                    return Err(refusal(&format!("'{key}' can only be set as an option of its own")));
                }
                key if options::is_known(key) => {
                    found.push((key.to_owned(), value.as_ref().into()));
                }
                // A stray value could be a secret; a stray key is the user's typo and worth quoting.
                key => return Err(refusal(&format!("its parameter '{key}' is not an option"))),
            }
        }
        if !matches!(path.as_str(), "" | "/") {
            found.push((options::HTTP_PATH.to_owned(), path.into()));
        }
        Ok(Self(found))
    }

    /// Adds the URI's options to `settings`, where an option that was given by itself wins.
    ///
    /// # Errors
    /// As setting each option.
    pub(crate) fn apply(self, settings: &mut Settings) -> Result<()> {
        // A host option that names another place makes the URI's port meaningless; both live in one option, so it cannot happen.
        self.0
            .into_iter()
            .try_for_each(|(key, value)| settings.set_if_unset(&key, &value))
    }
}

fn decoded(text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| refusal("its percent-encoding is not UTF-8"))
}

fn refusal(reason: &str) -> Error {
    Error::invalid_argument(format!("option '{}' is malformed: {reason}", options::URI))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::options::Scope;

    fn endpoint(uri: &str, given: &[(&str, &str)]) -> Result<(Endpoint, Settings)> {
        let mut settings = Settings::new(Scope::Database);
        for (key, value) in given {
            settings.set(key, &(*value).into())?;
        }
        UriOptions::parse(&Secret::new(uri.to_owned()))?.apply(&mut settings)?;
        Ok((Endpoint::resolve(&settings)?, settings))
    }

    fn base(uri: &str) -> String {
        endpoint(uri, &[]).unwrap().0.base.to_string()
    }

    #[test]
    fn the_scheme_decides_and_loopback_is_plain_unless_told() {
        let path = "sql/1.0/warehouses/w1";
        assert_eq!(
            base(&format!("databricks://token:t@adb.example.net/{path}")),
            "https://adb.example.net/"
        );
        assert_eq!(
            base(&format!("databricks://token:t@127.0.0.1:8080/{path}")),
            "http://127.0.0.1:8080/"
        );
        assert_eq!(
            base(&format!("databricks://token:t@localhost:443/{path}")),
            "http://localhost:443/"
        );
        assert_eq!(
            base(&format!("databricks://token:t@[::1]:8080/{path}")),
            "http://[::1]:8080/"
        );
        assert_eq!(
            base(&format!("databricks://t.example.net:8443/{path}?tls=false")),
            "http://t.example.net:8443/"
        );
        assert_eq!(
            base(&format!("databricks://127.0.0.1:8443/{path}?tls=true")),
            "https://127.0.0.1:8443/"
        );
        assert_eq!(
            base(&format!("https://127.0.0.1:8443/{path}")),
            "https://127.0.0.1:8443/"
        );
        assert_eq!(
            base(&format!("http://adb.example.net/{path}")),
            "http://adb.example.net/"
        );
    }

    #[test]
    fn tokens_are_decoded_and_parameters_become_options() {
        let (endpoint, settings) = endpoint(
            "databricks://token:a%2Fb@h/sql/1.0/endpoints/w1?o=42&catalog=c&schema=s%20t",
            &[],
        )
        .unwrap();
        assert_eq!(settings.secret(options::ACCESS_TOKEN).unwrap().expose(), "a/b");
        assert_eq!(settings.text(options::CATALOG).unwrap(), "c");
        assert_eq!(settings.text(options::SCHEMA).unwrap(), "s t");
        assert_eq!(
            (endpoint.warehouse_id.as_str(), endpoint.org_id.as_deref()),
            ("w1", Some("42"))
        );
    }

    #[test]
    fn an_option_beats_the_uri() {
        let (endpoint, settings) = endpoint(
            "databricks://token:t@h/sql/1.0/warehouses/w1?catalog=c",
            &[("databricks.catalog", "mine"), ("databricks.warehouse_id", "w2")],
        )
        .unwrap();
        assert_eq!(settings.text(options::CATALOG).unwrap(), "mine");
        assert_eq!(endpoint.warehouse_id, "w2");
    }

    #[test]
    fn a_malformed_uri_is_refused_without_being_quoted() {
        for uri in [
            "",
            "canary",
            "ftp://token:canary@h/sql/1.0/warehouses/w",
            "databricks:///sql/1.0/warehouses/w",
            "databricks://bob:canary@h/sql/1.0/warehouses/w",
            "databricks://token:canary@h/",
            "databricks://token:canary@h/sql/1.0/warehouses/a/b",
            "databricks://token:canary@h/sql/protocolv1/o/1/2",
            "databricks://token:canary@h/sql/1.0/warehouses/w?nonsense=canary",
        ] {
            let error = endpoint(uri, &[]).unwrap_err();
            assert!(!error.message().contains("canary"), "{uri}: {error}");
        }
    }

    #[test]
    fn a_uri_opens_no_files_of_this_machine() {
        for key in [
            "databricks.volume.allowed_local_paths",
            "staging_allowed_local_path",
            "VolumeOperationAllowedLocalPaths",
            "databricks.oauth.subject_token_file",
            "databricks.oauth.token_cache_dir",
            "databricks.config_file",
            "adbc.telemetry.traces_folder_path",
            "adbc.traces.exporter.adbcfile.location",
            "adbc.databricks.telemetry.audit_file",
        ] {
            let uri = format!("databricks://token:t@h/sql/1.0/warehouses/w1?{key}=/");
            let error = endpoint(&uri, &[]).unwrap_err();
            assert!(error.message().contains(&format!("'{key}' can only be set")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_uri_makes_the_parser_panic(uri in "(databricks|https?|[a-z]{0,3})://[ -~é]{0,60}") {
            let _ = endpoint(&uri, &[]);
        }

        #[test]
        fn no_host_option_makes_the_resolver_panic(host in ".{0,40}", path in ".{0,40}") {
            let _ = endpoint("databricks://h", &[(options::HOST, &host), (options::HTTP_PATH, &path)]);
        }
    }
}
