//! What was asked of the workspace, for tests that must prove what a client sent and what it did not.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::state::locked;

/// How many requests are remembered; the oldest make room, and are counted.
const CAPACITY: usize = 20_000;

/// How many characters of what the client wrote are kept of each part.
const TEXT_CHARS: usize = 1024;

/// One request, as it was answered. Neither the query (which may hold a signature) nor any body is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// When the answer was ready, in milliseconds since the Unix epoch.
    pub answered_at_ms: i64,
    /// The method, in capitals.
    pub method: String,
    /// The path as the client wrote it, without the query; its first 1024 characters.
    pub path: String,
    /// The status of the answer; 0 when the connection was dropped instead.
    pub status: u16,
    /// Whether the request carried credentials that this workspace accepts.
    pub authorised: bool,
    /// Whether the request carried an `Authorization` header at all. On a signed link it must not.
    pub carried_authorization: bool,
    /// The W3C `traceparent` header, if there was one.
    pub traceparent: Option<String>,
    /// The `User-Agent` header, if there was one.
    pub user_agent: Option<String>,
}

/// The start of a text that a client wrote.
pub(crate) fn start_of(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<RequestRecord>,
    dropped: u64,
}

impl RequestLog {
    pub(crate) fn push(&self, record: RequestRecord) {
        let mut entries = locked(&self.entries);
        if entries.kept.len() == CAPACITY {
            entries.kept.pop_front();
            entries.dropped += 1;
        }
        entries.kept.push_back(record);
    }

    pub(crate) fn to_vec(&self) -> Vec<RequestRecord> {
        locked(&self.entries).kept.iter().cloned().collect()
    }

    pub(crate) fn dropped(&self) -> u64 {
        locked(&self.entries).dropped
    }
}
