//! A server's certificate, as far as a person wants to know it.

use std::time::{SystemTime, UNIX_EPOCH};

use x509_cert::Certificate as X509;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{DateTime, Decode as _};
use x509_cert::name::Name;

/// The options that accept certificates which would otherwise be refused.
pub(super) const TRUSTS_MORE: [&str; 4] = [
    "databricks.tls.allow_self_signed",
    "databricks.tls.allow_hostname_mismatch",
    "databricks.tls.disable_certificate_validation",
    "databricks.ssl_mode",
];

/// Who it is for, who signed it, and when it ends.
pub(super) struct Certificate {
    subject: String,
    issuer: String,
    until: DateTime,
    pub(super) ends: SystemTime,
}

impl Certificate {
    /// `None` for bytes that are no certificate.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let certificate = X509::from_der(der).ok()?.tbs_certificate;
        let end = certificate.validity.not_after.to_date_time();
        Some(Self {
            subject: short(&certificate.subject),
            issuer: short(&certificate.issuer),
            ends: UNIX_EPOCH + end.unix_duration(),
            until: end,
        })
    }

    pub(super) fn to_text(&self) -> String {
        format!(
            "certificate of {} by {}, until {}",
            self.subject, self.issuer, self.until
        )
    }
}

/// The common name, else the whole name. Whoever made the certificate wrote it, so what could move a terminal's cursor is left out.
fn short(name: &Name) -> String {
    let attributes = name.0.iter().flat_map(|part| part.0.iter());
    let mut common = attributes
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .map(|attribute| {
            let value = &attribute.value;
            let utf8 = Utf8StringRef::try_from(value).map(|text| text.as_str().to_owned());
            utf8.or_else(|_| PrintableStringRef::try_from(value).map(|text| text.as_str().to_owned()))
        });
    let text = match common.next() {
        Some(Ok(text)) => text,
        _ => name.to_string(),
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
    if text.is_empty() {
        "nobody".to_owned()
    } else {
        format!("\"{text}\"")
    }
}
