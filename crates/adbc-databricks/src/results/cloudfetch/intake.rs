//! Taking a file in: piece by piece, decompressed as it comes, and continued where a connection broke.

use std::time::{Duration, Instant};

use databricks_telemetry::ErrorCategory;
use reqwest::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};

use super::download::Trouble;
use super::links::Link;
use super::stragglers::Progress;
use super::{Context, USUAL_CHUNK_BYTES};
use crate::error::Error;
use crate::http::Download;
use crate::results::lz4::Frames;
use crate::results::plain::Plain;

/// How much larger than its file a chunk usually is.
const USUAL_COMPRESSION: u64 = 3;
/// The largest buffer that is made for a file before it is here. What is larger grows with what arrives.
const MAX_GUESS_BYTES: u64 = 64 << 20;

/// One file as far as it is here.
pub(super) struct Intake {
    frames: Option<Frames>,
    plain: Plain,
    /// Where the beginning came from. Only the same file can be continued.
    source: Option<Source>,
    pub(super) received_bytes: u64,
    /// How large the chunk is, decompressed; known at its end.
    pub(super) plain_bytes: u64,
    /// The part of the time that went into decompressing.
    pub(super) decompression: Duration,
    /// Whether a second try brought it while the first one lagged.
    pub(super) is_overtaking: bool,
}

struct Source {
    link: u64,
    /// Strong, so that it stands for the bytes themselves.
    etag: Option<HeaderValue>,
}

impl Intake {
    pub(super) fn new(is_compressed: bool) -> Self {
        Self {
            frames: is_compressed.then(Frames::default),
            plain: Plain::default(),
            source: None,
            received_bytes: 0,
            plain_bytes: 0,
            decompression: Duration::ZERO,
            is_overtaking: false,
        }
    }

    /// Receives the file, or the rest of it, and notes in `progress` how far it is.
    pub(super) async fn receive(&mut self, context: &Context, link: Link, progress: &Progress) -> Result<(), Trouble> {
        let mut headers = link.headers;
        let continues = self.ask_for_the_rest(link.generation, &mut headers);
        let opened = context.run.client().download(link.url, headers).await;
        let mut download = match opened {
            // The rest cannot be had: the next try asks for all of it.
            Err(attempt) if continues && attempt.error.http_status() == Some(416) => {
                *self = Self::new(context.compressed);
                return Err(Trouble::Broken(attempt.error));
            }
            opened => opened.map_err(Trouble::Http)?,
        };
        if !continues || download.begins_at() != Some(self.received_bytes) || self.is_another(&download) {
            self.begin(context, &download, link.generation)?;
        }
        progress.begin(self.received_bytes, download.announced_bytes());
        while let Some(piece) = download.next().await.map_err(Trouble::Http)? {
            self.received_bytes += piece.len() as u64;
            progress.reach(self.received_bytes);
            match &mut self.frames {
                Some(frames) => {
                    let began = Instant::now();
                    frames.push(&piece, &mut self.plain).map_err(Trouble::Broken)?;
                    self.decompression += began.elapsed();
                }
                None => self.plain.extend(&piece),
            }
        }
        if self.received_bytes == 0 {
            let error = Error::result_set("the file is empty").with_category(ErrorCategory::ChunkDownloadError);
            return Err(Trouble::Broken(error));
        }
        self.plain_bytes = self.plain.filled().len() as u64;
        self.frames
            .as_ref()
            .map_or(Ok(()), Frames::finish)
            .map_err(Trouble::Broken)
    }

    /// The whole file, decompressed.
    pub(super) fn take(&mut self) -> Plain {
        std::mem::take(&mut self.plain)
    }

    fn ask_for_the_rest(&self, link: u64, headers: &mut HeaderMap) -> bool {
        let Some(source) = self.source.as_ref().filter(|_| self.received_bytes > 0) else {
            return false;
        };
        let Ok(range) = HeaderValue::try_from(format!("bytes={}-", self.received_bytes)) else {
            return false;
        };
        match &source.etag {
            Some(etag) => headers.insert(IF_RANGE, etag.clone()),
            None if source.link == link => None,
            // A renewed link may lead to another copy, and nothing would tell.
            None => return false,
        };
        headers.insert(RANGE, range);
        true
    }

    /// Whether this is not the file whose beginning is here: not all storage looks at `If-Range`.
    fn is_another(&self, download: &Download) -> bool {
        let known = self.source.as_ref().and_then(|source| source.etag.as_ref());
        known.is_some_and(|known| download.etag().is_some_and(|tag| tag != known))
    }

    /// Begins with the first byte, whatever is here.
    fn begin(&mut self, context: &Context, download: &Download, link: u64) -> Result<(), Trouble> {
        if download.begins_at() != Some(0) {
            return Err(Trouble::Broken(Error::result_set(
                "storage sent another part of the file",
            )));
        }
        *self = Self {
            // The time is spent, whatever became of what it was spent on.
            decompression: self.decompression,
            ..Self::new(context.compressed)
        };
        self.source = Some(Source {
            link,
            etag: download.etag(),
        });
        let announced = download.announced_bytes().unwrap_or(USUAL_CHUNK_BYTES);
        let growth = if context.compressed { USUAL_COMPRESSION } else { 1 };
        let guess = announced.saturating_mul(growth).min(MAX_GUESS_BYTES);
        // Not before there is an answer: until then the memory can serve another chunk.
        self.plain = context.buffers.take(usize::try_from(guess).unwrap_or(0));
        Ok(())
    }
}
