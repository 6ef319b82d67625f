//! Certificates of our own: an authority, and a server certificate that it signed.
//!
//! Two certificates and not one, because strict clients reject an authority that is used as a server certificate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

use crate::builder::Tls;
use crate::error::{Error, ErrorKind};

/// What https needs, and where the authority's certificate is.
pub(crate) struct Certificates {
    pub(crate) server_config: Arc<ServerConfig>,
    pub(crate) ca_pem_path: PathBuf,
    /// Removes the files at the end, when nobody named a directory.
    _temporary: Option<TempDir>,
}

/// Makes and writes the certificates; `None` when https is off.
pub(crate) fn certificates(tls: &Tls) -> Result<Option<Certificates>, Error> {
    let temporary = match tls {
        Tls::Off => return Ok(None),
        Tls::Temporary => Some(TempDir::with_prefix("databricks-local-tls-").map_err(tls_error)?),
        Tls::Directory(_) => None,
    };
    let directory = match (tls, &temporary) {
        (Tls::Directory(directory), _) => {
            fs::create_dir_all(directory).map_err(tls_error)?;
            directory.clone()
        }
        (_, Some(temporary)) => temporary.path().to_owned(),
        (_, None) => return Ok(None),
    };

    let issuer =
        CertifiedIssuer::self_signed(authority()?, KeyPair::generate().map_err(tls_error)?).map_err(tls_error)?;
    let key = KeyPair::generate().map_err(tls_error)?;
    let leaf = server()?.signed_by(&key, &issuer).map_err(tls_error)?;

    let ca_pem_path = directory.join("ca.pem");
    fs::write(&ca_pem_path, issuer.pem()).map_err(tls_error)?;
    fs::write(directory.join("server.pem"), leaf.pem()).map_err(tls_error)?;
    write_private(&directory.join("server.key"), &key.serialize_pem()).map_err(tls_error)?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server_config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls_error)?
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .map_err(tls_error)?;
    server_config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Certificates {
        server_config: Arc::new(server_config),
        ca_pem_path,
        _temporary: temporary,
    }))
}

fn authority() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new()).map_err(tls_error)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = name("databricks-local authority");
    Ok(params)
}

fn server() -> Result<CertificateParams, Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).map_err(tls_error)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name = name("localhost");
    Ok(params)
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Writes a file that only its owner may read, from the first byte on.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;

    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn tls_error(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Tls, source)
}
