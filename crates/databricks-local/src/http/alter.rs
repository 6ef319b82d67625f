//! Answers that a fault spoils on their way.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use http::{HeaderValue, header};

use crate::faults::Alteration;

/// How many bytes at the beginning are damaged.
const DAMAGED_BYTES: usize = 16;

/// How long the part before a cut has to leave.
const FLUSHING: Duration = Duration::from_millis(20);

/// The same answer with its body spoiled. Its `Content-Length` stays that of the whole body.
pub(super) async fn alter(response: Response, alteration: Alteration) -> Response {
    let (mut head, body) = response.into_parts();
    // Bodies are made here, and are in memory or in files of bounded chunks.
    let Ok(whole) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(head, Body::empty());
    };
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let body = match alteration {
        Alteration::Corrupt => Body::from(damaged(&whole)),
        Alteration::Cut { after_bytes } => {
            let end = usize::try_from(after_bytes).unwrap_or(usize::MAX).min(whole.len());
            let beginning = whole.slice(..end);
            Body::from_stream(stream::once(async { Ok(beginning) }).chain(stream::once(async {
                // What is to arrive must have left before the connection ends.
                tokio::time::sleep(FLUSHING).await;
                Err(io::Error::other("the connection is closed on purpose"))
            })))
        }
        Alteration::Drip { piece_bytes, pause } => {
            Body::from_stream(stream::unfold(whole, move |mut left| async move {
                if left.is_empty() {
                    return None;
                }
                tokio::time::sleep(pause).await;
                let piece = left.split_to(piece_bytes.max(1).min(left.len()));
                Some((Ok::<_, io::Error>(piece), left))
            }))
        }
    };
    Response::from_parts(head, body)
}

fn damaged(whole: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(&whole[..]);
    bytes.iter_mut().take(DAMAGED_BYTES).for_each(|byte| *byte ^= 0xA5);
    bytes.freeze()
}
