use databricks_telemetry::{Auth, ErrorCategory, Identity};
use jiff::Timestamp;

use super::Secret;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{
    self, ACCESS_TOKEN, ACCESS_TOKEN_EXPIRES_AT, AUTH_TYPE, CLIENT_ID, CLIENT_SECRET, SUBJECT_TOKEN,
    SUBJECT_TOKEN_FILE, Settings,
};

/// The public client that every workspace knows and that needs no secret.
const PUBLIC_CLIENT: &str = "databricks-cli";

/// How the driver proves who it is. The one place that decides it; telemetry's view derives from it.
#[derive(Clone, Debug)]
pub(crate) enum Method {
    /// A token that the caller has and renews.
    Token {
        token: Secret,
        /// When it ends, if the caller said.
        expires: Option<Timestamp>,
    },
    /// OAuth client credentials of a service principal (machine to machine).
    Machine { client_id: String, client_secret: Secret },
    /// OAuth in a browser (user to machine).
    Browser { client_id: String },
    /// A token of another identity provider, exchanged for one of the workspace (RFC 8693).
    Exchange {
        subject: Subject,
        client_id: Option<String>,
    },
}

/// Where the token to be exchanged comes from.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// The caller gave it.
    Token(Secret),
    /// A file that is read before every exchange, because whoever runs the machine renews it.
    File(String),
}

/// What `databricks.auth.type` may say, beside the words of other drivers and of `~/.databrickscfg`.
pub(crate) const AUTH_TYPES: &[&str] = &[
    "pat",
    "oauth-m2m",
    "oauth-u2m",
    "token-exchange",
    "access_token",
    "client_credentials",
    "oauth_m2m",
    "oauth_u2m",
    "OauthM2M",
    "OauthU2M",
    "databricks-oauth",
    "databricks-cli",
    "external-browser",
];

/// The options that hold credentials, each with the methods that use it.
const CREDENTIALS: [(&str, &[Kind]); 5] = [
    (ACCESS_TOKEN, &[Kind::Token]),
    (CLIENT_SECRET, &[Kind::Machine]),
    (SUBJECT_TOKEN, &[Kind::Exchange]),
    (SUBJECT_TOKEN_FILE, &[Kind::Exchange]),
    (CLIENT_ID, &[Kind::Machine, Kind::Browser, Kind::Exchange]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Token,
    Machine,
    Browser,
    Exchange,
}

impl Kind {
    fn of_word(word: &str) -> Self {
        match word {
            "oauth-m2m" | "oauth_m2m" | "OauthM2M" | "client_credentials" => Self::Machine,
            "token-exchange" => Self::Exchange,
            "pat" | "access_token" => Self::Token,
            _ => Self::Browser,
        }
    }
}

impl Method {
    /// What the options ask for: what `databricks.auth.type` says, else what follows from the credentials.
    ///
    /// # Errors
    /// `InvalidArgument` when credentials contradict each other or the type, naming both keys; `Unauthenticated` when there
    /// are none, or one is missing.
    pub(crate) fn of(settings: &Settings) -> Result<Self> {
        let given = |key| settings.has(key);
        let kind = match settings.text(AUTH_TYPE) {
            Some(word) => {
                let kind = Kind::of_word(&word);
                let other = CREDENTIALS
                    .iter()
                    .find(|(key, users)| given(key) && !users.contains(&kind));
                if let Some((key, _)) = other {
                    return Err(Error::invalid_argument(format!(
                        "'{AUTH_TYPE}' = {word} does not go with '{key}'; leave one of them out"
                    )));
                }
                kind
            }
            None => implied(settings)?,
        };
        let missing =
            |key: &str, what: &str| refusal(format!("no {what}: set '{key}', which the chosen authentication needs"));
        Ok(match kind {
            Kind::Token => Self::Token {
                token: settings
                    .secret(ACCESS_TOKEN)
                    .ok_or_else(|| missing(ACCESS_TOKEN, "access token"))?,
                expires: settings.instant(ACCESS_TOKEN_EXPIRES_AT),
            },
            Kind::Machine => Self::Machine {
                client_id: settings
                    .text(CLIENT_ID)
                    .ok_or_else(|| missing(CLIENT_ID, "client id"))?,
                client_secret: settings
                    .secret(CLIENT_SECRET)
                    .ok_or_else(|| missing(CLIENT_SECRET, "client secret"))?,
            },
            Kind::Browser => Self::Browser {
                client_id: settings.text(CLIENT_ID).unwrap_or_else(|| PUBLIC_CLIENT.to_owned()),
            },
            Kind::Exchange => Self::Exchange {
                subject: match (settings.secret(SUBJECT_TOKEN), settings.text(SUBJECT_TOKEN_FILE)) {
                    (Some(_), Some(_)) => return Err(both(SUBJECT_TOKEN, SUBJECT_TOKEN_FILE)),
                    (Some(token), None) => Subject::Token(token),
                    (None, Some(file)) => Subject::File(file),
                    (None, None) => {
                        return Err(missing(
                            SUBJECT_TOKEN,
                            &format!("token to exchange (or '{SUBJECT_TOKEN_FILE}')"),
                        ));
                    }
                },
                client_id: settings.text(CLIENT_ID),
            },
        })
    }

    /// Whether an option is one that says who the driver is.
    pub(crate) fn is_credential(key: &str) -> bool {
        CREDENTIALS.iter().any(|(credential, _)| *credential == key) || key == ACCESS_TOKEN_EXPIRES_AT
    }

    /// Whether there are credentials already.
    pub(crate) fn has_credentials(settings: &Settings) -> bool {
        CREDENTIALS.iter().any(|(key, _)| settings.has(key))
    }

    /// Whether `databricks.auth.type`, if it is set, has a use for the credential in `key`.
    pub(crate) fn is_wanted(settings: &Settings, key: &str) -> bool {
        let Some(word) = settings.text(AUTH_TYPE) else {
            return true;
        };
        let kind = Kind::of_word(&word);
        CREDENTIALS
            .iter()
            .all(|(credential, users)| *credential != key || users.contains(&kind))
    }

    /// The method in telemetry's closed vocabulary.
    pub(crate) fn kind(&self) -> Auth {
        match self {
            // A JWT is what an OAuth provider gives; the workspace's own personal tokens are opaque.
            Self::Token { token, .. } if token.is_jwt() => Auth::SuppliedToken,
            Self::Token { .. } => Auth::PersonalAccessToken,
            Self::Machine { .. } => Auth::ClientCredentials,
            Self::Browser { .. } => Auth::Browser,
            Self::Exchange { .. } => Auth::SuppliedToken,
        }
    }

    /// Whose credentials these are, without revealing them.
    pub(crate) fn identity(&self, scopes: &str) -> Identity {
        let id = |id: &Option<String>| id.clone().unwrap_or_default().into_bytes();
        match self {
            Self::Token { token, .. } => Identity::of(&[b"token", token.expose().as_bytes()]),
            Self::Machine {
                client_id,
                client_secret,
            } => Identity::of(&[
                b"machine",
                client_id.as_bytes(),
                client_secret.expose().as_bytes(),
                scopes.as_bytes(),
            ]),
            Self::Browser { client_id } => Identity::of(&[b"browser", client_id.as_bytes(), scopes.as_bytes()]),
            Self::Exchange { subject, client_id } => match subject {
                Subject::Token(token) => Identity::of(&[
                    b"exchange",
                    token.expose().as_bytes(),
                    &id(client_id),
                    scopes.as_bytes(),
                ]),
                Subject::File(path) => {
                    Identity::of(&[b"exchange-file", path.as_bytes(), &id(client_id), scopes.as_bytes()])
                }
            },
        }
    }
}

/// Which method the credentials imply when no type is given.
fn implied(settings: &Settings) -> Result<Kind> {
    let telling = [
        (ACCESS_TOKEN, Kind::Token),
        (CLIENT_SECRET, Kind::Machine),
        (SUBJECT_TOKEN, Kind::Exchange),
        (SUBJECT_TOKEN_FILE, Kind::Exchange),
    ];
    let mut given = telling.into_iter().filter(|(key, _)| settings.has(key));
    let Some((key, kind)) = given.next() else {
        return Err(refusal(if settings.has(CLIENT_ID) {
            format!("no client secret: set '{CLIENT_SECRET}', or '{AUTH_TYPE}' = oauth-u2m to sign in with a browser")
        } else {
            format!(
                "no credentials: set '{ACCESS_TOKEN}', or put the token into the URI; or '{CLIENT_ID}' and \
                 '{CLIENT_SECRET}'; or '{AUTH_TYPE}' = oauth-u2m to sign in with a browser"
            )
        }));
    };
    if let Some((other, _)) = given.next() {
        return Err(both(key, other));
    }
    if kind == Kind::Token && settings.has(CLIENT_ID) {
        return Err(both(key, CLIENT_ID));
    }
    Ok(kind)
}

fn both(one: &str, other: &str) -> Error {
    Error::invalid_argument(format!("'{one}' and '{other}' are both given; leave one of them out"))
        .with_category(ErrorCategory::AuthError)
}

fn refusal(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, ErrorCategory::AuthError, message)
}

/// The scopes to ask for when none are set.
pub(crate) fn scopes(settings: &Settings, method: &Method) -> String {
    settings.text(options::SCOPES).unwrap_or_else(|| {
        match method {
            Method::Browser { .. } => "all-apis offline_access",
            Method::Exchange { .. } => "sql",
            Method::Token { .. } | Method::Machine { .. } => "all-apis",
        }
        .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Scope;

    fn method(given: &[(&str, &str)]) -> Result<Method> {
        let mut settings = Settings::new(Scope::Database);
        for (key, value) in given {
            settings.set(key, &(*value).into())?;
        }
        Method::of(&settings)
    }

    #[test]
    fn the_method_follows_from_what_is_given() {
        let cases: [(&[(&str, &str)], Auth); 9] = [
            (&[("password", "dapi-x")], Auth::PersonalAccessToken),
            (
                &[("databricks.token", "eyJhIjoxfQ.eyJiIjoyfQ.c2ln")],
                Auth::SuppliedToken,
            ),
            (
                &[
                    ("databricks.oauth.client_id", "a"),
                    ("databricks.oauth.client_secret", "b"),
                ],
                Auth::ClientCredentials,
            ),
            (
                &[
                    ("databricks.auth.client_id", "a"),
                    ("adbc.databricks.oauth.client_secret", "b"),
                ],
                Auth::ClientCredentials,
            ),
            (&[("databricks.auth.type", "oauth_u2m")], Auth::Browser),
            (&[("databricks.auth_type", "external-browser")], Auth::Browser),
            (&[("authType", "oauthu2m"), ("clientID", "mine")], Auth::Browser),
            (&[("databricks.oauth.subject_token", "a.b.c")], Auth::SuppliedToken),
            (
                &[
                    ("databricks.oauth.subject_token_file", "/f"),
                    ("databricks.oauth.client_id", "a"),
                ],
                Auth::SuppliedToken,
            ),
        ];
        for (given, kind) in cases {
            assert_eq!(method(given).unwrap().kind(), kind, "{given:?}");
        }
    }

    #[test]
    fn contradictions_name_both_keys() {
        let cases: [&[(&str, &str)]; 5] = [
            &[(ACCESS_TOKEN, "canary"), (CLIENT_SECRET, "canary")],
            &[(ACCESS_TOKEN, "canary"), (CLIENT_ID, "canary")],
            &[(SUBJECT_TOKEN, "canary"), (SUBJECT_TOKEN_FILE, "canary")],
            &[(AUTH_TYPE, "oauth-u2m"), (ACCESS_TOKEN, "canary")],
            &[(AUTH_TYPE, "pat"), (CLIENT_SECRET, "canary")],
        ];
        for given in cases {
            let error = method(given).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            for (key, _) in given {
                assert!(error.message().contains(&format!("'{key}'")), "{error}");
            }
            assert!(!error.message().contains("canary"), "{error}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (given, missing) in [
            (&[][..], ACCESS_TOKEN),
            (&[(CLIENT_ID, "a")], CLIENT_SECRET),
            (&[(AUTH_TYPE, "oauth-m2m"), (CLIENT_SECRET, "a")], CLIENT_ID),
            (&[(AUTH_TYPE, "pat")], ACCESS_TOKEN),
            (&[(AUTH_TYPE, "token-exchange")], SUBJECT_TOKEN_FILE),
        ] {
            let error = method(given).unwrap_err();
            assert!(error.message().contains(missing), "{error}");
        }
    }
}
