//! From the options to an answer over HTTP: configuration, proxy, name, port, certificates, clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use adbc_core::Driver as _;
use adbc_core::options::{OptionDatabase, OptionValue};
use adbc_databricks::Database;
use adbc_databricks::diagnosis::{Diagnosis, Handshake, Proxy, TlsProblem};

use super::certificate::{self, Certificate};
use super::report::{Finding, Outcome};

/// A clock that is off by more makes signed links and tokens fail.
const SKEW: Duration = Duration::from_secs(60);
/// A certificate that ends within this is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What options, URI, environment and profile add up to.
pub(super) fn configuration(options: Vec<(OptionDatabase, OptionValue)>) -> Outcome<(Database, Diagnosis)> {
    let refused = |error: adbc_core::error::Error| {
        Finding::failed(
            error.message,
            "docs/connecting.md has every way to say where to connect and as whom",
        )
    };
    let database = adbc_databricks::Driver
        .new_database_with_opts(options)
        .map_err(refused)?;
    let diagnosis = database.diagnose().map_err(refused)?;
    let mut places = BTreeMap::<&str, Vec<&str>>::new();
    for origin in diagnosis.origins().iter().filter(|origin| !is_own(origin.key)) {
        places.entry(origin.place.as_str()).or_default().push(origin.key);
    }
    let places = places
        .into_iter()
        .map(|(place, keys)| match place.starts_with("variable ") {
            true => place.to_owned(),
            false => format!("{place} ({})", keys.join(", ")),
        });
    let fact = format!(
        "{}, warehouse {}; from {}",
        diagnosis.authority(),
        diagnosis.warehouse_id(),
        places.collect::<Vec<_>>().join("; ")
    );
    Ok((Finding::ok(fact), (database, diagnosis)))
}

/// Whether the option is one that this command sets by itself.
fn is_own(key: &str) -> bool {
    key == "uri" || super::LIMITS.iter().any(|(limit, _)| *limit == key)
}

pub(super) fn proxy(way: &Diagnosis) -> Outcome<()> {
    let fact = match way.proxy() {
        Proxy::Used { address, by } => format!("{address}, because of {by}"),
        Proxy::Bypassed { by } => format!("none for this host, because of {by}"),
        _ => "none".to_owned(),
    };
    Ok((Finding::ok(fact), ()))
}

pub(super) fn name(way: &Diagnosis) -> Outcome<Vec<SocketAddr>> {
    let (host, _) = way.first_hop();
    let whose = match way.proxy() {
        Proxy::Used { .. } => "the proxy's host",
        _ => "the host",
    };
    let unknown = |reason: String| {
        Finding::failed(
            format!("{host}: {reason}"),
            format!("check the spelling of {whose}, and that this machine's DNS (or VPN) knows it"),
        )
    };
    let addresses = way.resolve().map_err(|error| unknown(error.to_string()))?;
    let Some(first) = addresses.first() else {
        return Err(unknown("the name has no address".to_owned()));
    };
    if host.parse() == Ok(first.ip()) {
        return Ok((Finding::ok(format!("{host}, an address already")), addresses));
    }
    let more = match addresses.len() {
        1 => String::new(),
        number => format!(" and {} more", number - 1),
    };
    Ok((Finding::ok(format!("{host} is {}{more}", first.ip())), addresses))
}

pub(super) fn port(way: &Diagnosis, addresses: Vec<SocketAddr>) -> Outcome<Vec<SocketAddr>> {
    match way.connect(&addresses) {
        Ok(address) => Ok((Finding::ok(format!("{address} answers")), addresses)),
        Err(error) => {
            let (host, port) = way.first_hop();
            let advice = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => {
                    "nobody listens there: check the host and the port (the proxy's, if there is one), and that the server runs"
                }
                _ => {
                    "a firewall may be in between: it must let this machine connect to that host and port, or name a proxy"
                }
            };
            Err(Finding::failed(format!("{host}:{port}: {error}"), advice))
        }
    }
}

pub(super) fn tls(way: &Diagnosis, addresses: &[SocketAddr]) -> Outcome<()> {
    let handshake = way.handshake(addresses).map_err(|error| {
        Finding::failed(
            error.message,
            "what answers does not shake hands: check the port, the proxy, and databricks.tls.ca_file",
        )
    })?;
    let Some(Handshake {
        version,
        certificates,
        problem,
        ..
    }) = handshake
    else {
        if way.is_tls() {
            let fact = "by way of a proxy that only the driver's own requests can pass; the next check goes through it";
            return Ok((Finding::ok(fact), ()));
        }
        if addresses.iter().all(|address| address.ip().is_loopback()) {
            return Ok((Finding::ok("not used, and nothing leaves this machine"), ()));
        }
        let finding = Finding::warning(
            "not used: everybody on the way can read the token and the data",
            "begin the URL with databricks:// or https://",
        );
        return Ok((finding, ()));
    };
    let shown = certificates.first().and_then(|der| Certificate::of(der));
    let facts = shown.as_ref().map(Certificate::to_text);
    if let Some(problem) = problem {
        let (words, advice) = words(&problem, way);
        let fact = [Some(words), facts].into_iter().flatten().collect::<Vec<_>>();
        return Err(Finding::failed(fact.join("; "), advice));
    }
    let fact = [version.map(str::to_owned), facts]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let fact = fact.join(", ");
    let switches = way
        .origins()
        .iter()
        .find(|origin| certificate::TRUSTS_MORE.contains(&origin.key));
    if let Some(switch) = switches {
        return Ok((
            Finding::warning(
                fact,
                format!("certificates are not fully checked: '{}' is set", switch.key),
            ),
            (),
        ));
    }
    let left = shown.and_then(|certificate| certificate.ends.duration_since(SystemTime::now()).ok());
    Ok(match left {
        Some(left) if left < SOON => (
            Finding::warning(
                fact,
                format!(
                    "the certificate ends in {} days: its owner has to renew it",
                    left.as_secs() / 86_400
                ),
            ),
            (),
        ),
        _ => (Finding::ok(fact), ()),
    })
}

fn words(problem: &TlsProblem, way: &Diagnosis) -> (String, String) {
    let host = way.authority();
    match problem {
        TlsProblem::UnknownIssuer => (
            "nobody who is trusted here signed the certificate".to_owned(),
            "behind a proxy that inspects TLS, or with an authority of your own, name its certificate (PEM) with \
             -O databricks.tls.ca_file=FILE; otherwise somebody may be pretending to be the workspace"
                .to_owned(),
        ),
        TlsProblem::Expired => (
            "the certificate has ended".to_owned(),
            "its owner has to renew it; or this machine's clock is wrong".to_owned(),
        ),
        TlsProblem::NotYetValid => (
            "the certificate is not valid yet".to_owned(),
            "this machine's clock is probably behind: set it".to_owned(),
        ),
        TlsProblem::OtherName => (
            format!("the certificate is not for {host}"),
            "connect by a name that the certificate is for; or something between here and the workspace answers in its place".to_owned(),
        ),
        TlsProblem::NotTls => (
            "what answers does not speak TLS".to_owned(),
            "check the port; a workspace without TLS is reached with http:// in front of the host".to_owned(),
        ),
        TlsProblem::Other(reason) => (
            reason.clone(),
            "the server and this driver do not agree on TLS 1.2 or 1.3; something in between may be the reason".to_owned(),
        ),
        _ => ("the handshake failed".to_owned(), "see docs/connecting.md".to_owned()),
    }
}

/// Whether anybody answers over HTTP, and what time it is there.
pub(super) fn clock(way: &Diagnosis) -> Outcome<()> {
    let greeting = way.greet().map_err(|error| {
        Finding::failed(
            error.message,
            "the port is open, and no HTTP answer comes: check the proxy, and that the host is a Databricks workspace",
        )
    })?;
    let Some(date) = greeting.date else {
        return Ok((Finding::ok(format!("HTTP {}, without a date", greeting.status)), ()));
    };
    let (off, side) = match greeting.here.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    // The header has whole seconds.
    if off < Duration::from_secs(2) {
        return Ok((Finding::ok(format!("HTTP {}, clocks agree", greeting.status)), ()));
    }
    let fact = format!("this machine is {} s {side} the workspace", off.as_secs());
    Ok(match off > SKEW {
        true => (
            Finding::warning(
                fact,
                "set this machine's clock (NTP): tokens and signed links are judged by the time",
            ),
            (),
        ),
        false => (Finding::ok(fact), ()),
    })
}
