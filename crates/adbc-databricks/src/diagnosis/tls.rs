//! What the server shows in a TLS handshake, and whether the driver's settings accept it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use databricks_telemetry::ErrorCategory;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, ProtocolVersion};

use super::Diagnosis;
use crate::error::{Error, ErrorKind, Result as DriverResult};
use crate::http::tls;
use crate::options;

/// A TLS handshake with the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshake {
    /// `TLS 1.3` or `TLS 1.2`; `None` when it ended before there was one.
    pub version: Option<&'static str>,
    /// The server's certificates as it sent them, its own first (DER). Empty when it sent none.
    pub certificates: Vec<Vec<u8>>,
    /// Why the driver does not accept them, if it does not.
    pub problem: Option<TlsProblem>,
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProblem {
    /// Nobody who is trusted signed the certificate.
    UnknownIssuer,
    /// The certificate, or one that it is signed with, has ended.
    Expired,
    /// It is not valid yet, by this machine's clock.
    NotYetValid,
    /// It is for another name.
    OtherName,
    /// What the server speaks is not TLS.
    NotTls,
    /// Anything else, in words.
    Other(String),
}

impl Diagnosis {
    /// Shakes hands with the workspace as the driver would, without sending a request. `None` without TLS, and behind a proxy that
    /// is not spoken to in plain HTTP.
    ///
    /// Where the certificates are not accepted a second handshake, which accepts them and sends nothing, asks what they are.
    ///
    /// # Errors
    /// `IO` when the connection cannot be made or breaks; `INVALID_ARGUMENT` for a certificate file that cannot be used.
    ///
    /// # Blocking
    /// At most `databricks.http.connect_timeout_ms` for each step.
    pub fn handshake(&self, addresses: &[SocketAddr]) -> adbc_core::error::Result<Option<Handshake>> {
        if !self.is_tls() {
            return Ok(None);
        }
        let Some(stream) = self.stream(addresses)? else {
            return Ok(None);
        };
        let first = self.shake(stream, tls::config(&self.settings)?)?;
        if !first.certificates.is_empty() || first.problem == Some(TlsProblem::NotTls) {
            return Ok(Some(first));
        }
        let mut lenient = self.settings.clone();
        lenient.set(options::TLS_NO_VALIDATION, &"true".into())?;
        let certificates = match self.stream(addresses)? {
            // What the second says is beside the point when it fails, too.
            Some(stream) => self.shake(stream, tls::config(&lenient)?)?.certificates,
            None => Vec::new(),
        };
        Ok(Some(Handshake { certificates, ..first }))
    }

    fn stream(&self, addresses: &[SocketAddr]) -> DriverResult<Option<TcpStream>> {
        self.through(addresses).map_err(|error| broken(&error))
    }

    fn shake(&self, mut stream: TcpStream, config: ClientConfig) -> DriverResult<Handshake> {
        let (host, _) = self.host_and_port();
        let name = ServerName::try_from(host)
            .map_err(|_| Error::invalid_argument("the host is neither a name nor an address that TLS knows"))?;
        let mut connection =
            ClientConnection::new(Arc::new(config), name).map_err(|error| Error::internal(error.to_string()))?;
        let problem = match connection.complete_io(&mut stream) {
            Ok(_) => None,
            Err(error) => Some(problem(&error).ok_or_else(|| broken(&error))?),
        };
        let certificates = connection.peer_certificates().unwrap_or_default();
        Ok(Handshake {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => Some("TLS 1.3"),
                Some(ProtocolVersion::TLSv1_2) => Some("TLS 1.2"),
                _ => None,
            },
            certificates: certificates.iter().map(|der| der.to_vec()).collect(),
            problem,
        })
    }
}

/// What TLS has against the other end; `None` when it is the connection that broke.
fn problem(error: &io::Error) -> Option<TlsProblem> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => TlsProblem::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsProblem::OtherName
            }
            other => TlsProblem::Other(other.to_string()),
        },
        rustls::Error::InvalidMessage(_) => TlsProblem::NotTls,
        other => TlsProblem::Other(other.to_string()),
    })
}

fn broken(error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, ErrorCategory::ConnectionError, error.to_string())
}
