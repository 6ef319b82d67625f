//! One chunk: link, download, decompression, decoding, and every second try.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use activity::ByteCount;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use databricks_telemetry::{ErrorCategory, operations, tags};
use reqwest::StatusCode;

use super::Context;
use super::links::Link;
use super::window::Reservation;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Attempt;
use crate::http::retry::{Failure, Repeat, jitter};
use crate::observe;
use crate::results::{decode, json};

/// How often a chunk that arrived broken is downloaded again.
const MAX_BROKEN_ARRIVALS: u32 = 2;

/// A chunk that is here.
pub(super) struct Downloaded {
    pub(super) index: u64,
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) reservation: Reservation,
}

/// Gets one chunk. `rows` is what the manifest says; the link may say it too.
///
/// # Errors
/// What the last try ended with, when links, retries or patience are used up.
pub(super) async fn chunk(
    context: &Context,
    index: u64,
    rows: Option<u64>,
    reservation: Reservation,
) -> Result<Downloaded> {
    let outcome = get(context, index, rows, reservation).await;
    if outcome.is_err() {
        context.parent.merge_set(tags::CHUNK_FAILED, index as i64);
    }
    outcome
}

async fn get(context: &Context, index: u64, rows: Option<u64>, mut reservation: Reservation) -> Result<Downloaded> {
    // The link is got before there is a slot for the download: that is the prefetching.
    context.links.link(index, None).await?;
    let _slot = context.slots.acquire().await.map_err(|_| Error::cancelled())?;
    let started = Instant::now();
    let mut refused = None;
    let (mut refreshes, mut retries, mut broken) = (0, 0, 0);
    loop {
        let link = context.links.link(index, refused).await?;
        let generation = link.generation;
        let (failure, error, retry_after) = match attempt(context, index, link, rows, &mut reservation).await {
            Ok((schema, batches)) => {
                return Ok(Downloaded {
                    index,
                    schema,
                    batches,
                    reservation,
                });
            }
            Err(Trouble::Http(attempt)) => (attempt.failure, attempt.error, attempt.retry_after),
            Err(Trouble::Broken(error)) => {
                broken += 1;
                if broken > MAX_BROKEN_ARRIVALS {
                    return Err(error.context(format_args!("chunk {index} of the result")));
                }
                (Failure::Interrupted, error, None)
            }
        };
        if let Failure::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) = failure {
            if refreshes >= context.max_link_refreshes {
                return Err(storage_error(index, &error, &format!("after {refreshes} new links")));
            }
            refreshes += 1;
            refused = Some(generation);
        } else {
            let policy = context.run.client().policy();
            let wait = policy.next_wait(
                Repeat::Harmless,
                failure,
                retry_after,
                retries,
                started.elapsed(),
                jitter(),
            );
            let Some(wait) = wait else {
                return Err(storage_error(index, &error, &format!("after {retries} retries")));
            };
            retries += 1;
            tokio::time::sleep(wait).await;
        }
        context.run.retries.fetch_add(1, Ordering::Relaxed);
    }
}

enum Trouble {
    Http(Attempt),
    /// The download looked complete and is not what it should be.
    Broken(Error),
}

async fn attempt(
    context: &Context,
    index: u64,
    link: Link,
    rows: Option<u64>,
    reservation: &mut Reservation,
) -> Result<(SchemaRef, Vec<RecordBatch>), Trouble> {
    let rows = Some(link.row_count).filter(|rows| *rows > 0).or(rows);
    let bytes = download(context, index, link).await.map_err(Trouble::Http)?;
    let downloaded_bytes = bytes.len() as u64;
    let compressed = context.compressed;
    let cells = context.cells.clone();
    let mut child = context.parent.child(&operations::RESULTS_DECODE);
    child.set(tags::CHUNK_INDEX, index as i64);
    let permit = context.run.session().background().permit();
    let decoded = tokio::task::spawn_blocking(move || {
        let decoded = decode(index, bytes, compressed, cells.as_ref(), rows);
        child.set(tags::RESULT_DECODE_TIME, child.elapsed());
        observe::end(child, &decoded);
        // A decoding cannot be aborted: closing the session waits for it, so that its record is complete.
        drop(permit);
        decoded
    });
    let decoded = decoded.await;
    let decoded = decoded.unwrap_or_else(|_| Err(Error::internal("the decoder ended without an answer")));
    let (plain_bytes, schema, batches) = decoded.map_err(Trouble::Broken)?;
    let peak = if compressed {
        downloaded_bytes + plain_bytes
    } else {
        plain_bytes
    };
    reservation.settle(peak, plain_bytes);
    Ok((schema, batches))
}

async fn download(context: &Context, index: u64, link: Link) -> Result<Vec<u8>, Attempt> {
    let mut child = context.parent.child(&operations::CLOUDFETCH_DOWNLOAD);
    child.set(tags::CHUNK_INDEX, index as i64);
    let outcome = context.run.client().download(link.url, link.headers).await;
    match &outcome {
        Ok(bytes) => {
            let took = child.elapsed();
            child.set(tags::RESULT_BYTES_DOWNLOADED, ByteCount(bytes.len() as u64));
            child.set(tags::CHUNK_INITIAL_LATENCY, took);
            child.set(tags::CHUNK_SLOWEST_LATENCY, took);
            child.set(tags::CHUNK_DOWNLOAD_TIME, took);
        }
        Err(attempt) => observe::fail(&mut child, &attempt.error),
    }
    child.end();
    outcome
}

fn decode(
    index: u64,
    bytes: Vec<u8>,
    compressed: bool,
    cells: Option<&SchemaRef>,
    rows: Option<u64>,
) -> Result<(u64, SchemaRef, Vec<RecordBatch>)> {
    if bytes.is_empty() {
        return Err(Error::result_set("the file is empty").with_category(ErrorCategory::ChunkDownloadError));
    }
    let bytes = match compressed {
        true => decode::decompress(bytes)?,
        false => bytes,
    };
    let plain_bytes = bytes.len() as u64;
    let (schema, mut batches) = match cells {
        Some(schema) => (Arc::clone(schema), vec![json::decode_file(schema, &bytes)?]),
        None => decode::read_stream(bytes)?,
    };
    if let Some(promised) = rows {
        let found: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if found < promised {
            return Err(Error::result_set(format!(
                "the result is incomplete: chunk {index} has {found} of {promised} rows, {} rows are missing",
                promised - found
            )));
        }
        decode::truncate(&mut batches, promised);
    }
    Ok((plain_bytes, schema, batches))
}

fn storage_error(index: u64, error: &Error, tries: &str) -> Error {
    let message = format!("chunk {index} of the result could not be downloaded, {tries}: {error}");
    let failed = Error::new(ErrorKind::Io, ErrorCategory::ChunkDownloadError, message);
    match error.http_status() {
        Some(status) => failed.with_http_status(status),
        None => failed,
    }
}
