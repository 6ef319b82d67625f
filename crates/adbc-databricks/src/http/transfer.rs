//! Files to and from cloud storage with signed links, streamed: what is in memory does not depend on the file.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use databricks_telemetry::ErrorCategory;
use futures::stream;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Body, Method};
use url::Url;

use super::{Attempt, Client, accepted, accepted_body, authority, interrupted, status_error, transport_failure};
use crate::error::{Error, ErrorKind};

/// How much of a file is read at once.
const PIECE_BYTES: u64 = 1 << 20;
/// The longest answer to an upload or a removal that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

impl Client {
    /// Writes a file of `len` bytes to storage, with the link's headers and none of the workspace's.
    pub(crate) async fn put_file(&self, url: Url, headers: HeaderMap, file: File, len: u64) -> Result<(), Attempt> {
        let pieces = stream::try_unfold((file, len), async |(mut file, left)| {
            if left == 0 {
                return Ok::<_, io::Error>(None);
            }
            let read = tokio::task::spawn_blocking(move || {
                let wanted = left.min(PIECE_BYTES);
                let mut piece = vec![0; usize::try_from(wanted).map_err(io::Error::other)?];
                file.read_exact(&mut piece)?;
                Ok((Bytes::from(piece), (file, left - wanted)))
            });
            read.await.map_err(io::Error::other)?.map(Some)
        });
        // Storage takes no upload of unknown length.
        let request = self.http.put(url.clone()).headers(headers).header(CONTENT_LENGTH, len);
        let request = request.body(if len == 0 {
            Body::from(Vec::new())
        } else {
            Body::wrap_stream(pieces)
        });
        let place = authority(&url);
        let response = request
            .send()
            .await
            .map_err(|error| transport_failure(&error, &place))?;
        accepted_body(response, &place, MAX_ANSWER_BYTES, status_error)
            .await
            .map(drop)
    }

    /// Reads a file from storage into `file` and tells how many bytes it has.
    pub(crate) async fn get_file(&self, url: Url, headers: HeaderMap, mut file: File) -> Result<u64, Attempt> {
        let place = authority(&url);
        let request = self.http.get(url).headers(headers);
        let response = request
            .send()
            .await
            .map_err(|error| transport_failure(&error, &place))?;
        let mut response = accepted(response, &place, status_error).await?;
        let mut written = 0;
        loop {
            let piece = response.chunk().await.map_err(|error| interrupted(&error, &place))?;
            let Some(piece) = piece else { return Ok(written) };
            written += piece.len() as u64;
            let wrote = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file));
            file = wrote
                .await
                .map_err(io::Error::other)
                .flatten()
                .map_err(|error| Attempt::fatal(local(&error)))?;
        }
    }

    /// Removes a file from storage.
    pub(crate) async fn delete_file(&self, url: Url, headers: HeaderMap) -> Result<(), Attempt> {
        let place = authority(&url);
        let request = self.http.request(Method::DELETE, url).headers(headers);
        let response = request
            .send()
            .await
            .map_err(|error| transport_failure(&error, &place))?;
        accepted_body(response, &place, MAX_ANSWER_BYTES, status_error)
            .await
            .map(drop)
    }
}

/// A file of this machine that cannot be read or written.
pub(crate) fn local(error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Unauthorized,
        _ => ErrorKind::Io,
    };
    Error::new(
        kind,
        ErrorCategory::Error,
        format!("the local file cannot be used: {error}"),
    )
}
