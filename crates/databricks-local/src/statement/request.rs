//! What a client asks for, checked before anything runs.

use std::time::Duration;

use databricks_wire::sea::{Compression, Disposition, ExecuteStatementRequest, Format, OnWaitTimeout, Parameter};

use crate::http::reply::Refusal;
use crate::result::encode::{Encoding, Lz4};

/// How long a call waits when the client does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// The form of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) disposition: Disposition,
    pub(crate) format: Format,
    /// Whether chunks are compressed; only Arrow ones are.
    pub(crate) lz4: bool,
}

impl Shape {
    /// What the chunks of this result are made of.
    pub(crate) const fn encoding(self, multi_frame_lz4: bool) -> Encoding {
        match (self.format, self.disposition) {
            (Format::ArrowStream, _) if !self.lz4 => Encoding::Arrow(Lz4::Off),
            (Format::ArrowStream, _) if multi_frame_lz4 => Encoding::Arrow(Lz4::ThreeFrames),
            (Format::ArrowStream, _) => Encoding::Arrow(Lz4::OneFrame),
            (Format::JsonArray, Disposition::Inline) => Encoding::JsonRows,
            (Format::JsonArray, _) => Encoding::Json,
            (Format::Csv, _) => Encoding::Csv,
        }
    }
}

/// What a checked request asks of the run and of the call.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) limits: Limits,
    /// How long the statement may take, if there is a limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait: Duration,
    pub(crate) cancel_after_wait: bool,
}

/// How much of a result the client wants at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) rows: Option<u64>,
    /// Bytes of plain Arrow data.
    pub(crate) bytes: Option<u64>,
}

impl Plan {
    /// Checks everything about a request that does not depend on the workspace's state.
    pub(crate) fn check(request: &ExecuteStatementRequest) -> Result<Self, Refusal> {
        if request.statement.expose().trim().is_empty() {
            return Err(Refusal::invalid("statement must not be empty"));
        }
        if request.session_id.is_some() && (request.catalog.is_some() || request.schema.is_some()) {
            return Err(Refusal::invalid(
                "catalog and schema cannot be combined with session_id: set them when the session is created",
            ));
        }
        check_parameters(&request.parameters)?;
        let wait = wait(request.wait_timeout.as_deref())?;
        let cancel_after_wait = request.on_wait_timeout == Some(OnWaitTimeout::Cancel);
        if cancel_after_wait && wait.is_zero() {
            return Err(Refusal::invalid(
                "on_wait_timeout=CANCEL needs a wait_timeout of at least 5s",
            ));
        }
        Ok(Self {
            shape: shape(request)?,
            limits: Limits {
                rows: limit("row_limit", request.row_limit)?,
                bytes: limit("byte_limit", request.byte_limit)?,
            },
            timeout: None,
            wait,
            cancel_after_wait,
        })
    }
}

fn shape(request: &ExecuteStatementRequest) -> Result<Shape, Refusal> {
    let disposition = request.disposition.unwrap_or(Disposition::Inline);
    let format = request.format.unwrap_or(Format::JsonArray);
    match (disposition, format) {
        (Disposition::Inline, Format::ArrowStream | Format::Csv) => Err(Refusal::invalid(
            "the INLINE disposition requires the format JSON_ARRAY",
        )),
        (Disposition::InlineOrExternalLinks, Format::Csv) => Err(Refusal::invalid(
            "the format CSV requires the disposition EXTERNAL_LINKS",
        )),
        _ => Ok(Shape {
            disposition,
            format,
            lz4: format == Format::ArrowStream && request.result_compression == Some(Compression::Lz4Frame),
        }),
    }
}

/// `0s`, or `5s` to `50s`.
fn wait(text: Option<&str>) -> Result<Duration, Refusal> {
    let Some(text) = text else {
        return Ok(DEFAULT_WAIT);
    };
    text.strip_suffix('s')
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|seconds| matches!(seconds, 0 | 5..=50))
        .map(Duration::from_secs)
        .ok_or_else(|| Refusal::invalid("wait_timeout must be 0s, or between 5s and 50s"))
}

fn limit(name: &str, value: Option<i64>) -> Result<Option<u64>, Refusal> {
    match value.map(u64::try_from) {
        None => Ok(None),
        Some(Ok(value)) if value > 0 => Ok(Some(value)),
        Some(_) => Err(Refusal::invalid(format!("{name} must be positive"))),
    }
}

/// Markers are named, or counted (with an ordinal, or by their place when a client sends neither).
fn check_parameters(parameters: &[Parameter]) -> Result<(), Refusal> {
    let named = parameters
        .iter()
        .filter(|p| p.name.as_deref().is_some_and(|name| !name.is_empty()))
        .count();
    if named != 0 && named != parameters.len() {
        return Err(Refusal::invalid("named and positional parameters cannot be mixed"));
    }
    if parameters.iter().any(|p| p.ordinal == Some(0)) {
        return Err(Refusal::invalid("the ordinals of parameters start at 1"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_zero_or_five_to_fifty_seconds() {
        assert_eq!(wait(None).ok(), Some(Duration::from_secs(10)));
        for (text, seconds) in [("0s", 0), ("5s", 5), ("50s", 50)] {
            assert_eq!(wait(Some(text)).ok(), Some(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "s",
            "4s",
            "51s",
            "10",
            "10.5s",
            "-5s",
            "+5s",
            "5m",
            "99999999999999999999s",
        ] {
            assert!(wait(Some(text)).is_err(), "{text}");
        }
    }
}
