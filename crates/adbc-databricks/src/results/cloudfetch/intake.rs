//! Taking a file in: piece by piece, decompressed as it comes if that is its turn, and continued where a connection broke.

use std::time::Duration;

use databricks_telemetry::ErrorCategory;
use reqwest::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};

use super::beginning::Beginning;
use super::download::{Trouble, Wanted};
use super::links::Link;
use super::stragglers::Progress;
use super::unpack::Unpacking;
use super::{Context, Turn, USUAL_CHUNK_BYTES};
use crate::error::Error;
use crate::http::Download;
use crate::results::budget::Reservation;

/// One file as far as it is here.
#[derive(Default)]
pub(super) struct Intake {
    unpacking: Unpacking,
    /// Memory for the file, as long as it may be held.
    claim: Option<Reservation>,
    /// Where the beginning came from. Only the same file can be continued.
    source: Option<Source>,
    pub(super) received_bytes: u64,
    /// Whether a second try brought it while the first one lagged.
    pub(super) is_overtaking: bool,
}

struct Source {
    link: u64,
    /// Strong, so that it stands for the bytes themselves.
    etag: Option<HeaderValue>,
}

impl Intake {
    pub(super) fn new(claim: Option<Reservation>) -> Self {
        Self {
            claim,
            ..Self::default()
        }
    }

    /// Nothing, with the claim of what was here. The time is spent, whatever became of what it was spent on.
    pub(super) fn start_again(&mut self) {
        let spent = self.unpacking.took;
        *self = Self::new(self.claim.take());
        self.unpacking.took = spent;
    }

    /// What a second try has brought, with the claim of the first.
    pub(super) fn replace(&mut self, second: Self) {
        *self = Self {
            claim: self.claim.take(),
            ..second
        };
    }

    /// Receives the file, or the rest of it, and notes in `progress` how far it is, and how it began.
    pub(super) async fn receive(
        &mut self,
        context: &Context,
        wanted: &Wanted,
        link: Link,
        progress: &Progress,
        beginning: &mut Beginning<'_>,
    ) -> Result<(), Trouble> {
        let mut headers = link.headers;
        let continues = self.ask_for_the_rest(link.generation, &mut headers);
        beginning.asked();
        let opened = context.run.client().download(link.url, headers).await;
        let mut download = match opened {
            // The rest cannot be had: the next try asks for all of it.
            Err(attempt) if continues && attempt.error.http_status() == Some(416) => {
                self.start_again();
                return Err(Trouble::Broken(attempt.error));
            }
            opened => opened.map_err(Trouble::Http)?,
        };
        if !continues || download.begins_at() != Some(self.received_bytes) || self.is_another(&download) {
            self.begin(context, wanted, &download, link.generation)?;
        }
        progress.begin(self.received_bytes, download.announced_bytes());
        beginning.answered();
        while let Some(piece) = download.next().await.map_err(Trouble::Http)? {
            self.received_bytes += piece.len() as u64;
            progress.reach(self.received_bytes);
            beginning.reached(self.received_bytes);
            if wanted.turn.has_come() {
                let all_is_unpacked = self.unpacking.unpack(&piece, &context.buffers);
                if all_is_unpacked.map_err(Trouble::Broken)? {
                    // What comes from now on is not held.
                    self.claim = None;
                }
            } else {
                self.unpacking.hold(&piece, &context.buffers);
            }
        }
        if self.received_bytes == 0 {
            let error = Error::result_set("the file is empty").with_category(ErrorCategory::ChunkDownloadError);
            return Err(Trouble::Broken(error));
        }
        self.unpacking.check().map_err(Trouble::Broken)
    }

    /// Whether what was received may take the place of another try.
    pub(super) fn is_as_good_as_any(&self) -> bool {
        self.unpacking.is_as_good_as_any()
    }

    /// The time that went into decompressing so far.
    pub(super) fn decompression(&self) -> Duration {
        self.unpacking.took
    }

    /// Waits with the whole file until it may be decoded.
    pub(super) async fn wait(&mut self, turn: &Turn) {
        turn.wait(self.claim.as_mut(), self.received_bytes).await;
    }

    /// The whole file, and its claim.
    pub(super) fn take(&mut self) -> (Unpacking, Option<Reservation>) {
        (std::mem::take(&mut self.unpacking), self.claim.take())
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
    fn begin(&mut self, context: &Context, wanted: &Wanted, download: &Download, link: u64) -> Result<(), Trouble> {
        if download.begins_at() != Some(0) {
            return Err(Trouble::Broken(Error::result_set(
                "storage sent another part of the file",
            )));
        }
        self.start_again();
        let spent = self.unpacking.took;
        self.source = Some(Source {
            link,
            etag: download.etag(),
        });
        let announced = download.announced_bytes();
        if let Some(bytes) = announced {
            context.budget.learn_file(wanted.bytes, bytes);
        }
        self.unpacking = Unpacking::new(context.compressed, announced.unwrap_or(USUAL_CHUNK_BYTES));
        self.unpacking.took = spent;
        Ok(())
    }
}
