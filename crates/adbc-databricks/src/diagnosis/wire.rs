//! The steps below HTTP: names, sockets, and the tunnel through a proxy.

use std::env;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

use super::Diagnosis;
use crate::http::proxy::Chosen;

/// The longest head of a proxy's answer that is read.
const MAX_HEAD_BYTES: usize = 16 << 10;

impl Diagnosis {
    /// The host and port that a connection is made to: the proxy's, where there is one.
    pub fn first_hop(&self) -> (String, u16) {
        match self.chosen_proxy() {
            Some(proxy) => proxy.host_and_port(),
            None => self.host_and_port(),
        }
    }

    /// Asks this machine for the addresses of [`first_hop`](Self::first_hop).
    ///
    /// # Errors
    /// The operating system's.
    ///
    /// # Blocking
    /// As long as the operating system's resolver takes.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = self.first_hop();
        Ok((host.as_str(), port).to_socket_addrs()?.collect())
    }

    /// Connects to the first of these addresses that answers, and closes again.
    ///
    /// # Errors
    /// The last address' refusal.
    ///
    /// # Blocking
    /// At most `databricks.http.connect_timeout_ms` for each address.
    pub fn connect(&self, addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
        self.open(addresses)?.peer_addr()
    }

    /// A connection to the workspace's port, through the proxy where there is one. `None` where only the driver's HTTP client
    /// knows the way: through a proxy that is not spoken to in plain HTTP.
    pub(super) fn through(&self, addresses: &[SocketAddr]) -> io::Result<Option<TcpStream>> {
        let mut stream = self.open(addresses)?;
        let Some(proxy) = self.chosen_proxy() else {
            return Ok(Some(stream));
        };
        if !proxy.is_plain_http() {
            return Ok(None);
        }
        let place = self.authority();
        let mut head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
        if let Some(credentials) = proxy.authorization() {
            head.extend_from_slice(b"Proxy-Authorization: ");
            head.extend_from_slice(credentials);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        stream.write_all(&head)?;
        match status(&answer_head(&mut stream)?) {
            Some(200..=299) => Ok(Some(stream)),
            Some(407) => Err(io::Error::other("the proxy wants a user and a password (HTTP 407)")),
            Some(status) => Err(io::Error::other(format!(
                "the proxy refused the tunnel with HTTP {status}"
            ))),
            None => Err(io::Error::other("the proxy's answer is not HTTP")),
        }
    }

    pub(super) fn host_and_port(&self) -> (String, u16) {
        let base = &self.client.endpoint().base;
        // Without the brackets of an IPv6 address, which is how the resolver and TLS know it.
        let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        (host.to_owned(), base.port_or_known_default().unwrap_or(443))
    }

    fn chosen_proxy(&self) -> Option<Chosen> {
        self.client.route().proxy_for(&self.client.endpoint().base)
    }

    fn open(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let timeout = self.connect_timeout();
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(address, timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    return Ok(stream);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The environment's variables that name a proxy, then those that name who goes without it.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const BYPASS_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

fn is_set(name: &&str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Who says in this process' surroundings whether there is a proxy.
pub(super) fn proxy_variables() -> String {
    let set: Vec<_> = PROXY_VARIABLES
        .into_iter()
        .chain(BYPASS_VARIABLES)
        .filter(is_set)
        .collect();
    match set.is_empty() {
        // On macOS and Windows the system has settings of its own.
        true => "the system's settings".to_owned(),
        false => set.join(", "),
    }
}

/// Whether the environment names a proxy.
pub(super) fn names_a_proxy() -> bool {
    PROXY_VARIABLES.iter().any(is_set)
}

/// The end that a JWT names. It is not verified: only the workspace can.
pub(super) fn jwt_end(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(exp).ok()
}

/// Reads byte by byte up to the empty line: what follows belongs to the tunnel.
fn answer_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if head.len() >= MAX_HEAD_BYTES || stream.read(&mut byte)? == 0 {
            break;
        }
        head.push(byte[0]);
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_jwt_is_read_and_of_anything_else_there_is_none() {
        let token = format!("eyJhIjoxfQ.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"exp":1764325144}"#));
        assert_eq!(jwt_end(&token), Timestamp::from_second(1_764_325_144).ok());
        for other in ["", "dapi0123", "a.b.c", "a..c", &token[..token.len() - 8]] {
            assert_eq!(jwt_end(other), None, "{other}");
        }
    }

    #[test]
    fn a_status_is_read_from_an_answer_of_http_and_nothing_else() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(status(b""), None);
    }
}
