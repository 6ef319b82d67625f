//! The body of a request: an envelope around entries, each the text of a JSON document within a text.

use std::time::{SystemTime, UNIX_EPOCH};

use databricks_wire::push_quoted;
use databricks_wire::telemetry::TelemetryRequest;
use uuid::Uuid;

use crate::event::Event;
use crate::export::Route;

/// The end of a request body.
const END: &str = "]}";

/// The request body for some events, and a line break.
///
/// Each entry is written into its place, so that a batch takes no more memory than its events were charged for.
pub(crate) fn line(route: Route, events: &[&Event]) -> Option<String> {
    let upload_time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let envelope = TelemetryRequest {
        upload_time: i64::try_from(upload_time).unwrap_or(i64::MAX),
        items: Vec::new(),
        proto_logs: Vec::new(),
    };
    let mut line = serde_json::to_string(&envelope).ok()?;
    let end = line.split_off(line.len().checked_sub(END.len())?);
    debug_assert_eq!(end, END, "the entries are the envelope's last member");
    line.reserve_exact(events.iter().map(|event| event.body_share()).sum());
    for (at, event) in events.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        let mut entry_id = Uuid::encode_buffer();
        let entry_id = Uuid::new_v4().hyphenated().encode_lower(&mut entry_id);
        push_quoted(&mut line, &event.frontend_log(route, entry_id)).ok()?;
    }
    line.push_str(END);
    line.push('\n');
    Some(line)
}
