//! The storage behind signed links. It asks for no credentials and speaks XML when it refuses, as cloud storage does.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State as Shared};
use axum::response::Response;
use databricks_wire::sea::Format;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;

use super::reply::with_type;
use crate::result::links::BadLink;
use crate::state::State;
use crate::statement::Phase;

/// `GET /results/{statement_id}/{chunk_index}?…`
pub(super) async fn download(
    Shared(state): Shared<Arc<State>>,
    Path((statement_id, chunk_index)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Ok(index) = chunk_index.parse::<u64>() else {
        return no_such_key();
    };
    let query = request.uri().query().unwrap_or_default();
    match state
        .links
        .check(&statement_id, index, query, Timestamp::now().as_millisecond())
    {
        Ok(()) => {}
        Err(BadLink::Expired) => return refuse(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired"),
        Err(BadLink::Forged) => {
            return refuse(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            );
        }
    }
    let Ok(statement) = state.statements.find(&statement_id) else {
        return no_such_key();
    };
    let Phase::Succeeded(outcome) = statement.phase() else {
        return no_such_key();
    };
    let Some(chunk) = usize::try_from(index).ok().and_then(|place| outcome.chunks.get(place)) else {
        return no_such_key();
    };

    let len = chunk.stored.len();
    let (status, range) = match requested_range(request.headers(), len) {
        Requested::Whole => (StatusCode::OK, 0..len),
        Requested::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Requested::Impossible => {
            let mut response = refuse(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "InvalidRange",
                "The requested range is not satisfiable",
            );
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{len}"));
            return response;
        }
    };
    let body = match chunk.stored.in_memory(&range) {
        Some(bytes) => Body::from(bytes),
        None => match chunk.stored.stream(range.clone()).await {
            Ok(stream) => Body::from_stream(stream),
            Err(_) => {
                return refuse(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalError",
                    "The object cannot be read.",
                );
            }
        },
    };
    let content_type = match statement.shape.format {
        Format::ArrowStream => "application/octet-stream",
        Format::JsonArray => "application/json",
        Format::Csv => "text/csv",
    };
    let mut response = with_type(status, content_type, body);
    set(
        &mut response,
        header::CONTENT_LENGTH,
        &(range.end - range.start).to_string(),
    );
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.end.saturating_sub(1);
        set(
            &mut response,
            header::CONTENT_RANGE,
            &format!("bytes {}-{last}/{len}", range.start),
        );
    }
    response
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Requested {
    Whole,
    Part(Range<u64>),
    Impossible,
}

/// What the `Range` header asks of an object of `len` bytes. A header that is not one range of bytes is ignored, as
/// HTTP allows (RFC 9110, section 14.2).
pub(super) fn requested_range(headers: &HeaderMap, len: u64) -> Requested {
    let Some((first, last)) = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Requested::Whole;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Ok(first), Err(_)) if last.is_empty() => first..len,
        (Err(_), Ok(suffix)) if first.is_empty() => len.saturating_sub(suffix)..len,
        _ => return Requested::Whole,
    };
    if range.start >= range.end {
        Requested::Impossible
    } else {
        Requested::Part(range)
    }
}

pub(super) fn no_such_key() -> Response {
    refuse(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
}

pub(super) fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    with_type(status, "application/xml", xml)
}

pub(super) fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str) -> Requested {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        requested_range(&headers, 100)
    }

    #[test]
    fn ranges_are_read_as_http_has_them() {
        assert_eq!(asked("bytes=0-9"), Requested::Part(0..10));
        assert_eq!(asked("bytes=90-"), Requested::Part(90..100));
        assert_eq!(asked("bytes=-10"), Requested::Part(90..100));
        assert_eq!(asked("bytes=-1000"), Requested::Part(0..100));
        assert_eq!(asked("bytes=50-18446744073709551615"), Requested::Part(50..100));
        assert_eq!(asked("bytes=100-"), Requested::Impossible);
        assert_eq!(asked("bytes=-0"), Requested::Impossible);
        for ignored in [
            "bytes=9-0",
            "bytes=-",
            "bytes=a-b",
            "bytes=0-1,5-6",
            "rows=0-1",
            "bytes 0-1",
        ] {
            assert_eq!(asked(ignored), Requested::Whole, "{ignored}");
        }
        assert_eq!(requested_range(&HeaderMap::new(), 0), Requested::Whole);
    }
}
