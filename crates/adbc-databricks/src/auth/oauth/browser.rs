//! Signing in with a browser: the authorization code flow with PKCE, redirected to this machine (RFC 8252, RFC 7636).

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use databricks_telemetry::ErrorCategory;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::super::Secret;
use super::provider::{Grant, Provider};
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::options;
use crate::runtime;

/// The ports that the public client may be redirected to.
const PORTS: std::ops::Range<u16> = 8020..8040;
/// A request of the browser is one line of interest and some headers.
const MAX_REQUEST_BYTES: usize = 32 << 10;
/// Browsers open connections that they then do not use.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);
/// A browser with a window of its own opens sooner.
const OPENING_PATIENCE: Duration = Duration::from_secs(5);
/// Connections answered at one time.
const MAX_CONNECTIONS: usize = 32;

/// How a person is asked.
#[derive(Debug)]
pub(super) struct Settings {
    open_browser: bool,
    timeout: Duration,
    port: Option<u16>,
}

impl Settings {
    pub(super) fn new(settings: &options::Settings) -> Self {
        let has_port = settings.has(options::REDIRECT_PORT);
        Self {
            open_browser: settings.flag(options::OPEN_BROWSER).unwrap_or(true),
            timeout: settings.seconds(options::SIGN_IN_TIMEOUT_S),
            port: has_port.then(|| u16::try_from(settings.integer(options::REDIRECT_PORT)).unwrap_or_default()),
        }
    }
}

/// A sign-in under way. Dropping it closes its port.
pub(super) struct SignIn {
    listeners: Vec<TcpListener>,
    url: Url,
    client_id: String,
    redirect_uri: String,
    state: Secret,
    verifier: Secret,
    deadline: Instant,
    timeout: Duration,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

impl SignIn {
    /// Listens for the browser's return and writes down where it has to go.
    ///
    /// # Errors
    /// `Io` when no port is free; the provider's when it does not tell its endpoints.
    pub(super) async fn begin(provider: &Provider, client_id: &str, scopes: &str, how: &Settings) -> Result<Self> {
        let mut url = provider.endpoints().await?.authorization.clone();
        let (listeners, port) = listen(how.port).await?;
        let redirect_uri = format!("http://localhost:{port}");
        let (state, verifier) = (random()?, random()?);
        let challenge = ring::digest::digest(&ring::digest::SHA256, verifier.expose().as_bytes());
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", &redirect_uri)
            .append_pair("scope", scopes)
            .append_pair("state", state.expose())
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        Ok(Self {
            listeners,
            url,
            client_id: client_id.to_owned(),
            redirect_uri,
            state,
            verifier,
            deadline: runtime::deadline(how.timeout),
            timeout: how.timeout,
        })
    }

    /// Shows the page to the person; whether there is a browser that could.
    pub(super) async fn open(&self, how: &Settings) -> bool {
        if !how.open_browser {
            return false;
        }
        let url = self.url.to_string();
        let opening = tokio::task::spawn_blocking(move || {
            webbrowser::open_browser_with_options(
                webbrowser::Browser::Default,
                &url,
                webbrowser::BrowserOptions::new().with_suppress_output(true),
            )
        });
        match tokio::time::timeout(OPENING_PATIENCE, opening).await {
            Ok(opened) => matches!(opened, Ok(Ok(()))),
            // A browser that runs in a terminal opens for as long as the person uses it.
            Err(_) => true,
        }
    }

    /// The error that gives the address to a person whom no browser can show it.
    pub(super) fn please_visit(&self) -> Error {
        failure(
            ErrorKind::Unauthenticated,
            format!(
                "no browser was opened to sign in with: visit {} on this machine within {} s and connect again",
                self.url,
                self.timeout.as_secs()
            ),
        )
    }

    /// Waits for the browser to come back, and gets the token.
    ///
    /// # Errors
    /// `Unauthenticated` when the person or the provider refuses, `Timeout` when nobody comes.
    pub(super) async fn finish(self, provider: &Provider) -> Result<Token> {
        let returned = tokio::time::timeout_at(self.deadline, self.returned()).await;
        let code = returned.map_err(|_| {
            failure(
                ErrorKind::Timeout,
                format!(
                    "nobody signed in within {} s (option '{}')",
                    self.timeout.as_secs(),
                    options::SIGN_IN_TIMEOUT_S
                ),
            )
        })??;
        let grant = Grant::Code {
            code: &code,
            verifier: &self.verifier,
            client_id: &self.client_id,
            redirect_uri: &self.redirect_uri,
        };
        provider.token(&grant).await
    }

    /// Answers requests until one brings what this sign-in waits for.
    async fn returned(&self) -> Result<Secret> {
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                stream = accept_any(&self.listeners), if visits.len() < MAX_CONNECTIONS => {
                    let state = self.state.clone();
                    visits.spawn(async move {
                        tokio::time::timeout(IDLE_CONNECTION, visit(stream, &state)).await.ok().flatten()
                    });
                }
                Some(visited) = visits.join_next() => {
                    if let Ok(Some(outcome)) = visited {
                        return outcome;
                    }
                }
            }
        }
    }
}

/// The next connection of whichever listener.
async fn accept_any(listeners: &[TcpListener]) -> TcpStream {
    std::future::poll_fn(|context| {
        for listener in listeners {
            // A connection that failed while it was made is none.
            if let std::task::Poll::Ready(Ok((stream, _))) = listener.poll_accept(context) {
                return std::task::Poll::Ready(stream);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// Serves one request; what it brings, if it is the one waited for.
async fn visit(mut stream: TcpStream, state: &Secret) -> Option<Result<Secret>> {
    let target = read_target(&mut stream).await?;
    let outcome = returned_with(&target, state);
    let (status, text) = match &outcome {
        Some(Ok(_)) => ("200 OK", "Signed in. You may close this window."),
        Some(Err(_)) => (
            "200 OK",
            "Not signed in. The application has the reason; you may close this window.",
        ),
        None => ("404 Not Found", "This is not the page that the application waits for."),
    };
    let page = format!("<!doctype html><meta charset=\"utf-8\"><title>Databricks</title><p>{text}</p>");
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    // A browser that does not wait for the page has brought what it had to bring.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    outcome
}

/// The target of a GET request.
async fn read_target(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    // The whole head is read: closing a socket with unread bytes resets it under the answer.
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if bytes.len() > MAX_REQUEST_BYTES || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    (words.next()? == "GET").then_some(())?;
    words.next().map(str::to_owned)
}

/// The code, or the refusal, that a redirection carries. `None` for a request that does not know the state of this sign-in:
/// somebody else's, who must not be able to end it either.
fn returned_with(target: &str, state: &Secret) -> Option<Result<Secret>> {
    let (path, query) = target.split_once('?')?;
    if path != "/" {
        return None;
    }
    let member = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if member("state")? != state.expose() {
        return None;
    }
    if let Some(error) = member("error") {
        let description = member("error_description")
            .map(|text| format!(": {text}"))
            .unwrap_or_default();
        let message = format!("the sign-in was refused: {error}{description}");
        return Some(Err(failure(ErrorKind::Unauthenticated, message)));
    }
    member("code")
        .filter(|code| !code.is_empty())
        .map(|code| Ok(Secret::new(code)))
}

async fn listen(wanted: Option<u16>) -> Result<(Vec<TcpListener>, u16)> {
    let ports = match wanted {
        Some(port) => port..port.saturating_add(1),
        None => PORTS,
    };
    for port in ports.clone() {
        if let Ok((listeners, port)) = bind(port).await {
            return Ok((listeners, port));
        }
    }
    Err(failure(
        ErrorKind::Io,
        format!(
            "no port of {}..{} is free for the browser to come back to (option '{}')",
            ports.start,
            ports.end.saturating_sub(1),
            options::REDIRECT_PORT
        ),
    ))
}

/// Both loopback addresses where there are both, because `localhost` may mean either.
async fn bind(port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    let four = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let port = four.local_addr()?.port();
    let mut listeners = vec![four];
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Ok(six) => listeners.push(six),
        // Another program's: the browser might go there with our code.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
        Err(_) => {}
    }
    Ok((listeners, port))
}

/// 32 random bytes as 43 characters that need no escaping: a state, or a code verifier.
fn random() -> Result<Secret> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::internal("the system has no randomness to give"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

fn failure(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, ErrorCategory::AuthError, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_state_ends_a_sign_in() {
        let state = Secret::new("s".to_owned());
        for stranger in [
            "/",
            "/favicon.ico",
            "/?code=c",
            "/?code=c&state=other",
            "/?error=access_denied&state=other",
            "/elsewhere?code=c&state=s",
            "/?state=s",
        ] {
            assert!(returned_with(stranger, &state).is_none(), "{stranger}");
        }
        assert_eq!(
            returned_with("/?code=c%2F1&state=s", &state).unwrap().unwrap().expose(),
            "c/1"
        );
        let refused = returned_with("/?error=access_denied&error_description=no+way&state=s", &state);
        let error = refused.unwrap().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert!(error.message().contains("access_denied: no way"));
    }

    #[test]
    fn states_and_verifiers_have_the_length_of_rfc_7636_and_differ() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.expose(), other.expose());
    }
}
