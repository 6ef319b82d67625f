//! The links of one result: got ahead, renewed in time, asked for once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use activity::Parent;
use databricks_telemetry::{ErrorCategory, operations};
use databricks_wire::sea::{ExternalLink, ResultData};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Notify;
use url::Url;

use crate::error::{Error, Result};
use crate::results::inline::request_chunk;
use crate::sea::run::Run;

/// A usable link.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) row_count: u64,
    /// Tells a renewed link from the one it replaces.
    pub(super) generation: u64,
    byte_count: Option<u64>,
    expires_at: Option<Timestamp>,
    next_chunk_index: Option<u64>,
}

impl Link {
    fn read(link: ExternalLink, generation: u64) -> Result<Self> {
        let broken = |what: &str| Error::result_set(format!("the link of chunk {} has {what}", link.chunk_index));
        let url = Url::parse(link.external_link.expose()).map_err(|_| broken("a malformed URL"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &link.http_headers {
            let name = HeaderName::try_from(name).map_err(|_| broken("a malformed header"))?;
            let mut value = HeaderValue::try_from(value.expose()).map_err(|_| broken("a malformed header"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self {
            url,
            headers,
            row_count: link.row_count,
            generation,
            byte_count: link.byte_count,
            // A date that cannot be read does not make the link useless; storage will say when it has expired.
            expires_at: link.expiration.as_deref().and_then(|text| text.parse().ok()),
            next_chunk_index: link.next_chunk_index,
        })
    }

    fn expires_within(&self, buffer: Duration, now: Timestamp) -> bool {
        self.expires_at
            .is_some_and(|at| Duration::try_from(at.duration_since(now)).map_or(true, |left| left <= buffer))
    }
}

/// All links of a result that are known.
pub(super) struct Links {
    parent: Parent,
    run: Arc<Run>,
    expiration_buffer: Duration,
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Default)]
struct Table {
    links: BTreeMap<u64, Link>,
    /// Chunks whose links are being asked for.
    asked: BTreeSet<u64>,
    /// How many links the last answer had: a request for chunk 3 probably answers for 4 as well.
    links_per_answer: u64,
    generation: u64,
}

impl Links {
    pub(super) fn new(run: Arc<Run>, first: ResultData, expiration_buffer: Duration, parent: Parent) -> Self {
        let mut table = Table {
            links_per_answer: 1,
            ..Table::default()
        };
        // A first link that cannot be read is asked for again, and then reported.
        let _ = table.insert(first);
        Self {
            parent,
            run,
            expiration_buffer,
            table: Mutex::new(table),
            changed: Notify::new(),
        }
    }

    /// The link of a chunk, other than the one of generation `refused`, and not about to expire.
    ///
    /// Links that were just got are handed out even if they seem to expire soon: the server gave the best it has, or the
    /// clocks differ, and storage has the last word.
    ///
    /// # Errors
    /// The server gives no link for the chunk.
    pub(super) async fn link(&self, index: u64, refused: Option<u64>) -> Result<Link> {
        let mut renewed = false;
        loop {
            let changed = self.changed.notified();
            let asking = {
                let mut table = self.lock();
                if let Some(link) = table.links.get(&index) {
                    let stale = !renewed && link.expires_within(self.expiration_buffer, Timestamp::now());
                    if !stale && refused != Some(link.generation) {
                        return Ok(link.clone());
                    }
                }
                if renewed {
                    return Err(
                        Error::result_set(format!("the server gave no link for chunk {index} of the result"))
                            .with_category(ErrorCategory::ChunkDownloadError),
                    );
                }
                let asking = !table.is_asked(index);
                if asking {
                    table.asked.insert(index);
                }
                asking
            };
            if asking {
                self.ask(index).await?;
                renewed = true;
            } else {
                changed.await;
            }
        }
    }

    /// Whether there is a chunk after `index`, going by the links alone.
    ///
    /// # Errors
    /// As [`Links::link`].
    pub(super) async fn leads_beyond(&self, index: u64) -> Result<bool> {
        let link = self.link(index, None).await?;
        Ok(link.next_chunk_index.is_some() || self.lock().links.contains_key(&(index + 1)))
    }

    /// The size of a chunk, if its link is known and says.
    pub(super) fn byte_count(&self, index: u64) -> Option<u64> {
        self.lock().links.get(&index)?.byte_count
    }

    async fn ask(&self, index: u64) -> Result<()> {
        let claim = Claim { links: self, index };
        let answer = request_chunk(&self.run, index, self.parent.child(&operations::CLOUDFETCH_LINKS))
            .await
            .map_err(|error| {
                error
                    .with_category(ErrorCategory::ChunkDownloadError)
                    .context(format_args!("the link of chunk {index} of the result could not be got"))
            });
        let outcome = answer.and_then(|answer| self.lock().insert(answer));
        drop(claim);
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn is_asked(&self, index: u64) -> bool {
        let first = index.saturating_sub(self.links_per_answer.saturating_sub(1));
        self.asked.range(first..=index).next().is_some()
    }

    /// Takes over all links of an answer: in any order, several or one per chunk, twice or once.
    fn insert(&mut self, answer: ResultData) -> Result<()> {
        let links = answer.external_links.unwrap_or_default();
        self.generation += 1;
        let mut indices = BTreeSet::new();
        for link in links {
            let index = link.chunk_index;
            let link = Link::read(link, self.generation)?;
            // Of two links for one chunk in the same answer the one that lives longer is better.
            let better = self
                .links
                .get(&index)
                .is_none_or(|known| known.generation < link.generation || known.expires_at <= link.expires_at);
            if better {
                self.links.insert(index, link);
            }
            indices.insert(index);
        }
        self.links_per_answer = (indices.len() as u64).max(1);
        Ok(())
    }
}

/// A request under way. Dropping it (also when its task is aborted) lets others ask.
struct Claim<'a> {
    links: &'a Links,
    index: u64,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.links.lock().asked.remove(&self.index);
        self.links.changed.notify_waiters();
    }
}

/// Whether all links of an answer can be read.
pub(super) fn accepts(answer: ResultData) -> bool {
    Table::default().insert(answer).is_ok()
}
