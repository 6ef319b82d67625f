//! The TLS configuration: rustls on ring, the system's roots, a file of one's own, and the switches that trust more.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, ErrorKind, Result};
use crate::options::{self, Settings};
use databricks_telemetry::ErrorCategory;

/// Which certificates of a server are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Any at all.
    anything: bool,
    /// Those that nobody who is trusted signed.
    self_signed: bool,
    /// Those for another name.
    any_name: bool,
}

impl Trust {
    pub(crate) fn of(settings: &Settings) -> Self {
        let on = |key| settings.flag(key).unwrap_or_default();
        Self {
            anything: on(options::TLS_NO_VALIDATION) || settings.text(options::SSL_MODE).as_deref() == Some("insecure"),
            self_signed: on(options::TLS_ALLOW_SELF_SIGNED),
            any_name: on(options::TLS_ALLOW_HOSTNAME_MISMATCH),
        }
    }

    /// Whether a certificate is accepted that nobody who is trusted signed.
    pub(crate) fn allows_self_signed(self) -> bool {
        self.anything || self.self_signed
    }

    fn is_full(self) -> bool {
        !self.anything && !self.self_signed && !self.any_name
    }
}

/// Builds the configuration. The crypto provider is passed in by hand, so nothing is installed for the whole process.
///
/// # Errors
/// `InvalidArgument` when the certificate file cannot be read or holds no certificate.
///
/// # Blocking
/// Reads the system's certificates from disk.
pub(crate) fn config(settings: &Settings) -> Result<ClientConfig> {
    let ca_file = settings.text(options::TLS_CA_FILE).map(PathBuf::from);
    let mut roots = RootCertStore::empty();
    // A broken certificate in the system's store is not ours to complain about; the good ones count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &ca_file {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| refusal(path, &error))?;
        }
    }
    let internal = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Internal, ErrorCategory::SslHandshakeError, error.to_string())
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| internal(&error))?;
    let trust = Trust::of(settings);
    if trust.is_full() {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    // A store without roots is no verifier; with nothing to trust, every certificate is one that nobody signed.
    let inner = if roots.is_empty() {
        None
    } else {
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        Some(built.map_err(|error| internal(&error))?)
    };
    let verifier = Arc::new(Lenient { trust, inner, provider });
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// The configuration without any option: the system's roots, everything checked. For servers that are not the workspace.
///
/// # Errors
/// When the crypto provider offers no protocol version.
#[cfg(feature = "otlp")]
pub(crate) fn system() -> Result<ClientConfig> {
    config(&Settings::new(options::Scope::Database))
}

/// Forgives exactly what its [`Trust`] says, and nothing of the handshake's signatures: the server must own the key of the
/// certificate that it shows.
#[derive(Debug)]
struct Lenient {
    trust: Trust,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.trust.anything {
            return Ok(ServerCertVerified::assertion());
        }
        let verdict = match &self.inner {
            Some(inner) => inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        match verdict {
            // The name is looked at last, so everything else was in order.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.trust.any_name => Ok(ServerCertVerified::assertion()),
            Err(rustls::Error::InvalidCertificate(reason)) if self.trust.self_signed && is_unsigned(&reason) => {
                if !self.trust.any_name {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the reason is that nobody who is trusted signed it. A certificate that signed itself may also be an authority's own,
/// which is no server's.
fn is_unsigned(reason: &CertificateError) -> bool {
    match reason {
        CertificateError::UnknownIssuer => true,
        CertificateError::Other(other) => other.to_string().contains("CaUsedAsEndEntity"),
        _ => false,
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = fs::read(path).map_err(|error| refusal(path, &error))?;
    let found = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refusal(path, &error))?;
    if found.is_empty() {
        return Err(refusal(path, &"it holds no certificate"));
    }
    Ok(found)
}

fn refusal(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::invalid_argument(format!(
        "option '{}': {} cannot be used: {reason}",
        options::TLS_CA_FILE,
        path.display()
    ))
    .with_category(ErrorCategory::SslHandshakeError)
}
