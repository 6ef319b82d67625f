//! The telemetry that drivers posted: kept, checked, and shown as a table.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::state::locked;

mod check;
mod schema;
pub(crate) mod table;

/// How many entries are kept; the oldest make room, and are counted.
const CAPACITY: usize = 100_000;

/// How many bytes of text the kept entries may have together.
const CAPACITY_BYTES: usize = 256 << 20;

/// One entry that a driver posted.
#[derive(Clone, PartialEq)]
pub struct InboxRecord {
    /// When it came in, in milliseconds since the Unix epoch.
    pub received_at_ms: i64,
    /// Whether it came to the endpoint that asks for credentials.
    pub authenticated: bool,
    /// The `User-Agent` header of the request; empty when there was none.
    pub user_agent: String,
    /// What is wrong with it, each as `path.to.member: what`; `request.` starts the path when the request around it is
    /// wrong.
    pub violations: Vec<String>,
    /// The entry itself; a string when it is not JSON, null when a request had none to keep a violation with.
    pub log: Value,
}

impl fmt::Debug for InboxRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The log is whatever a foreign client chose to send; tests print violations, which name members but hold no
        // values.
        f.debug_struct("InboxRecord")
            .field("received_at_ms", &self.received_at_ms)
            .field("authenticated", &self.authenticated)
            .field("user_agent", &self.user_agent)
            .field("violations", &self.violations)
            .finish_non_exhaustive()
    }
}

/// The last entries, oldest first.
#[derive(Default)]
pub(crate) struct Inbox {
    kept: Mutex<Kept>,
    arrived: Condvar,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    received: u64,
    dropped: u64,
}

/// An entry as it is kept: as text, which is a fraction of the size of the value.
pub(crate) struct Entry {
    received_at_ms: i64,
    authenticated: bool,
    user_agent: Arc<str>,
    violations: Vec<String>,
    text: String,
}

impl Entry {
    fn log(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| Value::String(self.text.clone()))
    }

    fn bytes(&self) -> usize {
        let violations: usize = self
            .violations
            .iter()
            .map(|text| text.len() + size_of::<String>())
            .sum();
        size_of::<Self>() + self.user_agent.len() + self.text.len() + violations
    }
}

impl Inbox {
    /// Keeps what a client posted, and returns how many of its entries are without violations.
    pub(crate) fn take(&self, envelope: &Value, authenticated: bool, user_agent: &str) -> usize {
        let around = check::envelope(envelope);
        let received_at_ms = Timestamp::now().as_millisecond();
        let user_agent: Arc<str> = user_agent.into();
        let entry = |mut violations: Vec<String>, text: String| {
            violations.extend_from_slice(&around);
            Entry {
                received_at_ms,
                authenticated,
                user_agent: Arc::clone(&user_agent),
                violations,
                text,
            }
        };
        let logs = envelope.get("protoLogs").and_then(Value::as_array).map(Vec::as_slice);
        let logs = logs.unwrap_or_default();
        let mut valid = 0;
        // One by one, so that a request with millions of entries meets the bound while it is read and not after.
        for (place, log) in logs.iter().enumerate() {
            let (violations, text) = match log {
                Value::String(text) => match serde_json::from_str(text) {
                    Ok(value) => (check::entry(&value, authenticated), text.clone()),
                    Err(_) => (vec![format!("request.protoLogs[{place}]: not JSON")], text.clone()),
                },
                other => (
                    vec![format!("request.protoLogs[{place}]: not a string")],
                    other.to_string(),
                ),
            };
            let entry = entry(violations, text);
            valid += usize::from(entry.violations.is_empty());
            self.push(entry);
        }
        if logs.is_empty() && !around.is_empty() {
            self.push(entry(Vec::new(), Value::Null.to_string()));
        }
        self.arrived.notify_all();
        valid
    }

    fn push(&self, entry: Entry) {
        let mut kept = locked(&self.kept);
        kept.received += 1;
        kept.bytes += entry.bytes();
        kept.entries.push_back(Arc::new(entry));
        while kept.entries.len() > CAPACITY || kept.bytes > CAPACITY_BYTES {
            let Some(oldest) = kept.entries.pop_front() else {
                break;
            };
            kept.bytes -= oldest.bytes();
            kept.dropped += 1;
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<InboxRecord> {
        self.entries()
            .iter()
            .map(|entry| InboxRecord {
                received_at_ms: entry.received_at_ms,
                authenticated: entry.authenticated,
                user_agent: entry.user_agent.as_ref().to_owned(),
                violations: entry.violations.clone(),
                log: entry.log(),
            })
            .collect()
    }

    pub(crate) fn dropped(&self) -> u64 {
        locked(&self.kept).dropped
    }

    /// Blocks until `count` entries have come in since the start; whether they have before `timeout`.
    pub(crate) fn wait_for(&self, count: u64, timeout: Duration) -> bool {
        let kept = locked(&self.kept);
        let (kept, _) = self
            .arrived
            .wait_timeout_while(kept, timeout, |kept| kept.received < count)
            .unwrap_or_else(PoisonError::into_inner);
        kept.received >= count
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        locked(&self.kept).entries.iter().map(Arc::clone).collect()
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = locked(&self.kept);
        f.debug_struct("Inbox")
            .field("entries", &kept.entries.len())
            .field("dropped", &kept.dropped)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_are_kept_up_to_the_capacity_and_the_rest_is_counted() {
        let inbox = Inbox::default();
        let logs = vec!["{}"; CAPACITY / 4];
        for _ in 0..5 {
            assert_eq!(
                inbox.take(&json!({ "uploadTime": 1, "items": [], "protoLogs": logs }), true, "t"),
                0
            );
        }
        assert_eq!(inbox.entries().len(), CAPACITY);
        assert_eq!(inbox.dropped(), CAPACITY as u64 / 4);
        assert!(inbox.wait_for(5 * CAPACITY as u64 / 4, Duration::ZERO));
        assert!(!inbox.wait_for(5 * CAPACITY as u64 / 4 + 1, Duration::ZERO));
    }

    #[test]
    fn entries_that_are_not_json_are_kept_as_text() {
        let inbox = Inbox::default();
        inbox.take(
            &json!({ "uploadTime": 1, "items": [], "protoLogs": ["{", 7] }),
            true,
            "t",
        );
        let records = inbox.to_vec();
        assert_eq!(records[0].violations, ["request.protoLogs[0]: not JSON"]);
        assert_eq!(records[0].log, json!("{"));
        assert_eq!(records[1].violations, ["request.protoLogs[1]: not a string"]);
        inbox.take(&json!({}), true, "t");
        assert_eq!(inbox.to_vec()[2].log, Value::Null);
    }
}
