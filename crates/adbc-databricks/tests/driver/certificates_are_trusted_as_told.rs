//! Each switch forgives what it says and nothing else, over a real handshake; and the handshake offers HTTP/2.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::thread;

use adbc_core::sync::{Database as _, Driver as _};
use adbc_databricks::Driver;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

/// How the one handshake of a connection attempt ended: the protocol that was chosen, or nothing.
fn handshake(certificate: &str, options: &[(&str, &str)]) -> (Option<Vec<u8>>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = server_config(certificate);
    let (told, ended) = mpsc::channel();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut done = true;
            while done && connection.is_handshaking() {
                done = connection.complete_io(&mut stream).is_ok();
            }
            let _ = stream.flush();
            let protocol = connection.alpn_protocol().map(<[u8]>::to_vec).unwrap_or_default();
            let _ = told.send(done.then_some(protocol));
        }
    });
    let uri = format!("https://token:t@localhost:{port}/sql/1.0/warehouses/w1");
    let mut all = vec![
        ("uri".into(), uri.as_str().into()),
        ("enableTelemetry".into(), "false".into()),
        ("databricks.retry.max_retries".into(), "0".into()),
    ];
    all.extend(options.iter().map(|(key, value)| ((*key).into(), (*value).into())));
    let database = Driver.new_database_with_opts(all).unwrap();
    let error = database.new_connection().map(drop).unwrap_err();
    (ended.recv().unwrap(), error.message)
}

/// A certificate that signed itself, as a server makes it (`leaf`) or as `openssl req -x509` does (`authority`).
fn server_config(certificate: &str) -> Arc<ServerConfig> {
    let name = if certificate == "elsewhere" {
        "other.example"
    } else {
        "localhost"
    };
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if certificate == "authority" {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

#[test]
fn without_a_switch_nothing_is_forgiven() {
    for certificate in ["leaf", "authority", "elsewhere"] {
        let (protocol, error) = handshake(certificate, &[]);
        // The server may have finished its part before the client refused; the client never spoke.
        drop(protocol);
        assert!(
            error.contains("could not connect") && error.contains("certificate"),
            "{certificate}: {error}"
        );
    }
}

#[test]
fn a_self_signed_certificate_may_be_allowed_and_its_name_still_counts() {
    let allowed = [("databricks.tls.allow_self_signed", "true")];
    for certificate in ["leaf", "authority"] {
        let (protocol, error) = handshake(certificate, &allowed);
        assert_eq!(protocol.as_deref(), Some(&b"h2"[..]), "{certificate}");
        assert!(!error.contains("certificate"), "{certificate}: {error}");
    }
    let (_, error) = handshake("elsewhere", &allowed);
    assert!(error.contains("certificate"), "{error}");
    let both = [allowed[0], ("adbc.http_options.tls.allow_hostname_mismatch", "true")];
    assert!(!handshake("elsewhere", &both).1.contains("certificate"));
}

#[test]
fn another_name_may_be_allowed_and_the_signature_still_counts() {
    let (_, error) = handshake("elsewhere", &[("databricks.tls.allow_hostname_mismatch", "true")]);
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn validation_may_be_turned_off() {
    for option in [
        ("databricks.tls.disable_certificate_validation", "true"),
        ("adbc.http_options.tls.disable_server_certificate_validation", "true"),
        ("databricks.ssl_mode", "insecure"),
    ] {
        for certificate in ["leaf", "authority", "elsewhere"] {
            let (protocol, error) = handshake(certificate, &[option]);
            assert_eq!(protocol.as_deref(), Some(&b"h2"[..]), "{option:?}");
            assert!(!error.contains("certificate"), "{option:?}, {certificate}: {error}");
        }
    }
}
