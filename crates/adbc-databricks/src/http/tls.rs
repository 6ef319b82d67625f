//! The TLS configuration: rustls on ring, the system's roots, and a file of one's own.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind, Result};
use databricks_telemetry::ErrorCategory;

/// Builds the configuration. The crypto provider is passed in by hand, so nothing is installed for the whole process.
///
/// # Errors
/// `InvalidArgument` when `ca_file` cannot be read or holds no certificate.
///
/// # Blocking
/// Reads the system's certificates from disk.
pub(crate) fn config(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // A broken certificate in the system's store is not ours to complain about; the good ones count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| refusal(path, &error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, ErrorCategory::SslHandshakeError, error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
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
        crate::options::TLS_CA_FILE,
        path.display()
    ))
    .with_category(ErrorCategory::SslHandshakeError)
}
