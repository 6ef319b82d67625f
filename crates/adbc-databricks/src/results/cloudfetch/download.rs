//! One chunk: link, download, its turn to be decoded, and every further try.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use activity::{Activity, ByteCount};
use databricks_telemetry::{ErrorCategory, operations, tags};
use futures::future::{Either, select};
use reqwest::StatusCode;

use super::beginning::Beginning;
use super::intake::Intake;
use super::links::Link;
use super::stragglers::{Progress, Running};
use super::unpack::Unpacked;
use super::{Context, Turn};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Attempt;
use crate::http::retry::{Failure, Repeat, jitter};
use crate::observe;
use crate::results::budget::Reservation;

/// How often a chunk that arrived broken is downloaded again.
const MAX_BROKEN_ARRIVALS: u32 = 2;

/// A chunk that is here.
pub(super) struct Downloaded {
    pub(super) index: u64,
    pub(super) unpacked: Unpacked,
}

/// A chunk that is to be got.
pub(super) struct Wanted {
    pub(super) index: u64,
    /// What the manifest says; the link may say it too.
    pub(super) rows: Option<u64>,
    /// As announced.
    pub(super) bytes: u64,
    pub(super) turn: Arc<Turn>,
}

/// Gets one chunk. `claim` is for its file; it is decompressed when its turn has come, and decoded.
///
/// # Errors
/// What the last try ended with, when links, retries or patience are used up.
pub(super) async fn chunk(context: &Context, wanted: &Wanted, claim: Reservation) -> Result<Downloaded> {
    let outcome = get(context, wanted, claim).await;
    if outcome.is_err() {
        context.parent.merge_set(tags::CHUNK_FAILED, wanted.index as i64);
    }
    outcome
}

async fn get(context: &Context, wanted: &Wanted, claim: Reservation) -> Result<Downloaded> {
    let index = wanted.index;
    let mut intake = Intake::new(Some(claim));
    // The link is got before there is a slot for the download: that is the prefetching.
    context.links.link(index, None).await?;
    let mut entered = Some(context.gate.enter().await?);
    let mut started = Instant::now();
    let mut refused = None;
    let (mut refreshes, mut retries, mut broken) = (0, 0, 0);
    loop {
        let slot = match entered.take() {
            Some(slot) => slot,
            None => context.gate.enter().await?,
        };
        let link = context.links.link(index, refused).await?;
        let generation = link.generation;
        let rows = Some(link.row_count).filter(|rows| *rows > 0).or(wanted.rows);
        let is_first_try = retries + refreshes + broken == 0;
        let beginning = match is_first_try {
            true => Beginning::watched(&slot, context),
            false => Beginning::default(),
        };
        let outcome = match download(context, wanted, link, &mut intake, beginning).await {
            Ok(()) => {
                // The time of others says what went wrong, and nothing about how many downloads pay.
                if is_first_try && !intake.is_overtaking {
                    slot.finished(intake.received_bytes);
                    context.haste.downloaded(started.elapsed());
                    context.budget.look_again();
                }
                drop(slot);
                let waiting = Instant::now();
                intake.wait(&wanted.turn).await;
                // The reader's time is no time of tries.
                started += waiting.elapsed();
                unpack(context, index, rows, &mut intake).await.map_err(Trouble::Broken)
            }
            Err(trouble) => {
                if matches!(&trouble, Trouble::Http(attempt) if is_too_busy(attempt)) {
                    slot.refused();
                }
                entered = Some(slot);
                Err(trouble)
            }
        };
        let (failure, error, retry_after) = match outcome {
            Ok(unpacked) => return Ok(Downloaded { index, unpacked }),
            Err(Trouble::Http(attempt)) => (attempt.failure, attempt.error, attempt.retry_after),
            Err(Trouble::Broken(error)) => {
                // What is broken must not be continued.
                intake.start_again();
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

/// What went wrong with one try.
pub(super) enum Trouble {
    Http(Attempt),
    /// What came is not what it should be.
    Broken(Error),
}

/// Whether fewer downloads at a time may help.
fn is_too_busy(attempt: &Attempt) -> bool {
    match attempt.failure {
        Failure::Status(status) => {
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        }
        Failure::NotSent | Failure::Interrupted => attempt.error.category() == ErrorCategory::Timeout,
    }
}

/// Decompresses what is left to decompress of a file that is here, and decodes it.
async fn unpack(context: &Context, index: u64, rows: Option<u64>, intake: &mut Intake) -> Result<Unpacked> {
    let (unpacking, claim) = intake.take();
    let (buffers, cells) = (Arc::clone(&context.buffers), context.cells.clone());
    let mut child = context.parent.child(&operations::RESULTS_DECODE);
    child.set(tags::CHUNK_INDEX, index as i64);
    let permit = context.run.session().background().permit();
    let unpacking = tokio::task::spawn_blocking(move || {
        // The activity keeps no time where nobody listens.
        let (began, before) = (Instant::now(), unpacking.took);
        let unpacked = unpacking.finish(&buffers, cells.as_ref(), index, rows);
        drop(claim);
        let took = before + began.elapsed();
        child.set(tags::RESULT_DECODE_TIME, took);
        observe::end(child, &unpacked);
        // A decoding cannot be aborted: closing the session waits for it, so that its record is complete.
        drop(permit);
        (unpacked, took)
    });
    let ended = unpacking.await;
    let (unpacked, took) = ended.map_err(|_| Error::internal("the decoder ended without an answer"))?;
    context.haste.decoded(took);
    // Who waits for memory waits for this as well.
    context.budget.look_again();
    unpacked
}

/// Downloads a file, with a second try beside the first if that falls behind. What is here first is taken.
async fn download(
    context: &Context,
    wanted: &Wanted,
    link: Link,
    intake: &mut Intake,
    mut beginning: Beginning<'_>,
) -> Result<(), Trouble> {
    let generation = link.generation;
    let running = context.stragglers.begin(wanted.bytes);
    let progress = Progress::default();
    let second_intake = {
        let first = pin!(receive(
            context,
            wanted,
            link,
            intake,
            &running,
            &progress,
            &mut beginning
        ));
        let second = pin!(second_try(context, wanted, generation, &running, &progress));
        match select(first, second).await {
            Either::Left((Ok(()), _)) => None,
            // What the second try brings makes good what the first one did not.
            Either::Left((Err(trouble), second)) if running.has_second_try() => Some(second.await.ok_or(trouble)?),
            Either::Left((Err(trouble), _)) => return Err(trouble),
            Either::Right((Some(intake), _)) => Some(intake),
            Either::Right((None, first)) => first.await.map(|()| None)?,
        }
    };
    if let Some(second_intake) = second_intake {
        intake.replace(second_intake);
    }
    Ok(())
}

/// Waits until a download has fallen behind, and tries it from the beginning, over a new link and another connection. `None` when that
/// did not work, which is no reason to give up the first try.
async fn second_try(
    context: &Context,
    wanted: &Wanted,
    generation: u64,
    running: &Running<'_>,
    progress: &Progress,
) -> Option<Intake> {
    let _turn = running.turn(progress).await;
    let _claim = context.budget.beyond(wanted.bytes);
    let link = context.links.link(wanted.index, Some(generation)).await.ok()?;
    running.begin_second_try();
    context.run.retries.fetch_add(1, Ordering::Relaxed);
    let mut intake = Intake::default();
    let (progress, mut beginning) = (Progress::default(), Beginning::default());
    let received = receive(context, wanted, link, &mut intake, running, &progress, &mut beginning).await;
    intake.is_overtaking = true;
    (received.is_ok() && intake.is_as_good_as_any()).then_some(intake)
}

async fn receive(
    context: &Context,
    wanted: &Wanted,
    link: Link,
    intake: &mut Intake,
    running: &Running<'_>,
    progress: &Progress,
    beginning: &mut Beginning<'_>,
) -> Result<(), Trouble> {
    let mut child = Overtaken(context.parent.child(&operations::CLOUDFETCH_DOWNLOAD));
    child.0.set(tags::CHUNK_INDEX, wanted.index as i64);
    let (began, before) = (Instant::now(), intake.decompression());
    let outcome = intake.receive(context, wanted, link, progress, beginning).await;
    let mut child = child.came_through();
    match &outcome {
        Ok(()) => {
            // The rest of a file says nothing about how long a whole one takes.
            if progress.is_of_the_whole() {
                running.finished(began.elapsed());
            }
            let decompression = intake.decompression().saturating_sub(before);
            let took = child.elapsed().saturating_sub(decompression);
            child.set(tags::RESULT_BYTES_DOWNLOADED, ByteCount(intake.received_bytes));
            child.set(tags::CHUNK_INITIAL_LATENCY, took);
            child.set(tags::CHUNK_SLOWEST_LATENCY, took);
            child.set(tags::CHUNK_DOWNLOAD_TIME, took);
        }
        Err(Trouble::Http(attempt)) => observe::fail(&mut child, &attempt.error),
        Err(Trouble::Broken(error)) => observe::fail(&mut child, error),
    }
    child.end();
    outcome
}

/// The activity of a download that may be dropped in its middle: because another try was faster, or the result is given up.
struct Overtaken(Activity);

impl Overtaken {
    fn came_through(mut self) -> Activity {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Overtaken {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn storage_error(index: u64, error: &Error, tries: &str) -> Error {
    let message = format!("chunk {index} of the result could not be downloaded, {tries}: {error}");
    let failed = Error::new(ErrorKind::Io, ErrorCategory::ChunkDownloadError, message);
    match error.http_status() {
        Some(status) => failed.with_http_status(status),
        None => failed,
    }
}
