//! The places where input of others comes in, as functions of bytes. For `fuzz/` and the test that runs the same on every build.
//!
//! Each returns whether the input was accepted. What must hold is that it returns.

use std::str;
use std::time::Instant;

use adbc_core::options::OptionValue;
use databricks_telemetry::enable::Flag;
use databricks_telemetry::flags::{FLAG_NAME, FlagCache};
use databricks_telemetry::{FlagOutcome, Identity};
use databricks_wire::error::ApiError;
use databricks_wire::sea::{ResultData, StatementResponse};

use crate::auth::Secret;
use crate::config;
use crate::error;
use crate::http;
use crate::options::{CATALOGUE, Scope, Settings};
use crate::results;
use crate::sea;
use crate::sql;
use crate::uri::{Endpoint, UriOptions};

/// What takes an input in.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name.
pub const TARGETS: [(&str, Target); 12] = [
    ("answer", answer),
    ("cell", cell),
    ("chunk", chunk),
    ("flags", flags),
    ("links", links),
    ("option", option),
    ("partition", partition),
    ("profile", profile),
    ("refusal", refusal),
    ("sql", sql),
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

/// A cell of a JSON result: its column's SQL type, a line break, the text of the cell.
pub fn cell(input: &[u8]) -> bool {
    let lines = str::from_utf8(input).ok().and_then(|text| text.split_once('\n'));
    lines.is_some_and(|(sql_type, text)| results::accepts_cell(sql_type, text))
}

/// The answer to telemetry's question for the feature flag.
pub fn flags(input: &[u8]) -> bool {
    let now = Instant::now();
    let answered = || FlagOutcome::Answered { body: input.to_vec() };
    let answer = FlagCache::default().resolve("host", Identity::of(&[]), FLAG_NAME, || now, now, answered);
    answer.flag != Flag::Failed
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
    let Ok(text) = str::from_utf8(input) else {
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
    let Ok(text) = str::from_utf8(text) else {
        return false;
    };
    let spec = &CATALOGUE[usize::from(*which) % CATALOGUE.len()];
    let mut settings = Settings::new(Scope::Database);
    let set = settings.set(spec.key, &OptionValue::String(text.to_owned()));
    set.is_ok() && settings.read_text(spec.key).is_ok()
}

/// The text of `~/.databrickscfg`.
pub fn profile(input: &[u8]) -> bool {
    str::from_utf8(input).is_ok_and(config::accepts)
}

/// A refusal of the server's: its `Retry-After`, a line break, its body. What is said about a failed statement has the form of
/// the body.
pub fn refusal(input: &[u8]) -> bool {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (after, body) = input.split_at(end);
    if let Ok(failure) = serde_json::from_slice::<ApiError>(body) {
        let _ = error::from_statement_failure(Some(&failure.error_code), Some(&failure.message), None).status();
    }
    http::accepts_refusal(&String::from_utf8_lossy(after), body)
}

/// A statement, as far as the driver reads it; accepted if it has parameters.
pub fn sql(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else {
        return false;
    };
    let _ = (sql::kind(text), sql::is_sorted(text));
    !sql::markers(text).is_empty()
}

/// The W3C trace context of the caller.
pub fn traceparent(input: &[u8]) -> bool {
    str::from_utf8(input).is_ok_and(|text| activity::SpanContext::parse_traceparent(text).is_ok())
}
