//! The places where input of others comes in, as functions of bytes. For `fuzz/` and the test that runs the same on every build.
//!
//! Each returns whether the input was accepted. What must hold is that it returns.

use adbc_core::options::OptionValue;
use databricks_wire::sea::{ResultData, StatementResponse};

use crate::auth::Secret;
use crate::options::{CATALOGUE, Scope, Settings};
use crate::results;
use crate::sea;
use crate::uri::{Endpoint, UriOptions};

/// What takes an input in.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name.
pub const TARGETS: [(&str, Target); 7] = [
    ("answer", answer),
    ("chunk", chunk),
    ("links", links),
    ("option", option),
    ("partition", partition),
    ("traceparent", traceparent),
    ("uri", uri),
];

/// A chunk from storage: the first byte says whether it is compressed, the rest is the file.
pub fn chunk(input: &[u8]) -> bool {
    input
        .split_first()
        .is_some_and(|(kind, file)| results::accepts_file(file, kind % 2 == 1))
}

/// The JSON answer to a statement, with an inline result or without.
pub fn answer(input: &[u8]) -> bool {
    serde_json::from_slice::<StatementResponse>(input).is_ok_and(|answer| results::accepts_answer(&answer))
}

/// The JSON answer to a request for links.
pub fn links(input: &[u8]) -> bool {
    serde_json::from_slice::<ResultData>(input).is_ok_and(results::accepts_links)
}

/// A partition's descriptor, which may come from anywhere.
pub fn partition(input: &[u8]) -> bool {
    sea::partition::accepts(input)
}

/// The `uri` option.
pub fn uri(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let mut settings = Settings::new(Scope::Database);
    let applied = UriOptions::parse(&Secret::new(text.to_owned())).and_then(|options| options.apply(&mut settings));
    applied.is_ok() && Endpoint::resolve(&settings).is_ok() && settings.telemetry().is_ok()
}

/// An option's value as text: the first byte says which option.
pub fn option(input: &[u8]) -> bool {
    let Some((which, text)) = input.split_first() else {
        return false;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let spec = &CATALOGUE[usize::from(*which) % CATALOGUE.len()];
    let mut settings = Settings::new(Scope::Database);
    let set = settings.set(spec.key, &OptionValue::String(text.to_owned()));
    set.is_ok() && settings.read_text(spec.key).is_ok()
}

/// The W3C trace context of the caller.
pub fn traceparent(input: &[u8]) -> bool {
    std::str::from_utf8(input).is_ok_and(|text| activity::SpanContext::parse_traceparent(text).is_ok())
}
