//! A telemetry entry against the schema: every member, every value.

use serde_json::Value;

use super::schema::{FRONTEND_LOG, Field, Kind, Message, Presence};

/// How many violations of one entry are reported; one entry must not fill the inbox.
const LIMIT: usize = 100;

/// What is wrong with the request around the entries, each as `request.MEMBER: what`.
pub(super) fn envelope(envelope: &Value) -> Vec<String> {
    let Value::Object(members) = envelope else {
        return vec!["request: not an object".to_owned()];
    };
    let mut found = Vec::new();
    match members.get("uploadTime") {
        None => found.push("request.uploadTime: missing".to_owned()),
        Some(value) if !is_int64(value) => found.push("request.uploadTime: not a 64-bit integer".to_owned()),
        Some(_) => {}
    }
    match members.get("items") {
        // Some clients leave it out, and the service takes that.
        None => {}
        Some(Value::Array(items)) if items.is_empty() => {}
        Some(_) => found.push("request.items: not an empty array".to_owned()),
    }
    match members.get("protoLogs") {
        None => found.push("request.protoLogs: missing".to_owned()),
        Some(Value::Array(_)) => {}
        Some(_) => found.push("request.protoLogs: not an array".to_owned()),
    }
    for name in members.keys() {
        if !matches!(name.as_str(), "uploadTime" | "items" | "protoLogs") {
            found.push(format!("request.{name}: unknown member"));
        }
    }
    found.truncate(LIMIT);
    found
}

/// What is wrong with an entry, each as `path.to.member: what`.
pub(super) fn entry(log: &Value, is_authenticated: bool) -> Vec<String> {
    let mut check = Check {
        is_authenticated,
        path: String::new(),
        found: Vec::new(),
    };
    check.message(&FRONTEND_LOG, log);
    check.found.truncate(LIMIT);
    check.found
}

struct Check {
    is_authenticated: bool,
    path: String,
    found: Vec<String>,
}

impl Check {
    fn report(&mut self, what: &str) {
        let path = if self.path.is_empty() { "entry" } else { &self.path };
        self.found.push(format!("{path}: {what}"));
    }

    /// Runs `work` with `name` at the end of the path.
    fn within(&mut self, name: &str, work: impl FnOnce(&mut Self)) {
        let len = self.path.len();
        if len > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        work(self);
        self.path.truncate(len);
    }

    fn message(&mut self, message: &Message, value: &Value) {
        let Value::Object(members) = value else {
            self.report("not an object");
            return;
        };
        for field in message.0 {
            self.within(field.name, |check| match members.get(field.name) {
                None if field.presence == Presence::Required => check.report("missing"),
                None => {}
                Some(_) if field.presence == Presence::Identifying && !check.is_authenticated => {
                    check.report("not allowed without authentication");
                }
                Some(value) => check.field(field, value),
            });
        }
        for name in members.keys() {
            if !message.0.iter().any(|field| field.name == name) {
                self.within(name, |check| check.report("unknown member"));
            }
        }
    }

    fn field(&mut self, field: &Field, value: &Value) {
        if value.is_null() {
            self.report("null: an unset member must be left out");
            return;
        }
        match field.kind {
            Kind::Text if !value.is_string() => self.report("not a string"),
            Kind::Bool if !value.is_boolean() => self.report("not a boolean"),
            Kind::Int32 if !is_int32(value) => self.report("not a 32-bit integer"),
            Kind::Int64 if !is_int64(value) => self.report("not a 64-bit integer"),
            Kind::Enum(values) => match value.as_str() {
                None => self.report("not a string"),
                Some(text) if !values.contains(&text) => self.report("unknown value"),
                Some(_) => {}
            },
            Kind::Message(message) => self.message(message, value),
            Kind::Texts if !value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)) => {
                self.report("not an array of strings");
            }
            Kind::Text | Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Texts => {}
        }
        if field.presence == Presence::Required && value.as_str() == Some("") {
            self.report("empty");
        }
    }
}

/// A JSON integer within 64 bits, or its decimal digits as a string.
pub(super) fn int64(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) if !digits.starts_with('+') => digits.parse().ok(),
        _ => None,
    }
}

fn is_int32(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
}

fn is_int64(value: &Value) -> bool {
    int64(value).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(sql_driver_log: Value) -> Value {
        json!({
            "frontend_log_event_id": "3f1c",
            "context": { "client_context": { "timestamp_millis": 1, "user_agent": "test/1.0" } },
            "entry": { "sql_driver_log": sql_driver_log },
        })
    }

    #[test]
    fn a_full_entry_has_no_violations() {
        let log = with(json!({
            "session_id": "s", "sql_statement_id": "t", "auth_type": "pat", "operation_latency_ms": "12",
            "system_configuration": { "driver_name": "d" },
            "driver_connection_params": {
                "mode": "SEA", "host_info": { "host_url": "h", "port": 443, "proxy_auth_type": "NONE" },
                "non_proxy_hosts": ["a"], "string_column_length": 255,
            },
            "sql_operation": {
                "statement_type": "QUERY", "is_compressed": true, "execution_result": "EXTERNAL_LINKS", "chunk_id": 1,
                "chunk_details": { "total_chunks_present": 2, "sum_chunks_download_time_millis": 3 },
                "operation_detail": { "operation_type": "EXECUTE_STATEMENT", "is_internal_call": false },
            },
            "error_info": { "error_name": "timeout" },
        }));
        assert_eq!(entry(&log, true), Vec::<String>::new());
    }

    #[test]
    fn violations_have_their_path() {
        let log = with(json!({
            "session_id": null,
            "operation_latency_ms": 1.5,
            "sql_operation": {
                "statement_type": "NONE", "is_compressed": "true", "extra": 1, "chunk_id": "0x1",
                "chunk_details": { "total_chunks_present": 3_000_000_000_u32 },
            },
        }));
        let operation = "entry.sql_driver_log.sql_operation";
        let mut expected = vec![
            "entry.sql_driver_log.session_id: null: an unset member must be left out".to_owned(),
            "entry.sql_driver_log.operation_latency_ms: not a 64-bit integer".to_owned(),
            format!("{operation}.statement_type: unknown value"),
            format!("{operation}.is_compressed: not a boolean"),
            format!("{operation}.extra: unknown member"),
            format!("{operation}.chunk_id: not a 64-bit integer"),
            format!("{operation}.chunk_details.total_chunks_present: not a 32-bit integer"),
        ];
        let mut found = entry(&log, true);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(entry(&json!(7), true), ["entry: not an object"]);
    }

    #[test]
    fn what_is_required_must_be_there() {
        assert_eq!(
            entry(
                &json!({ "context": { "client_context": { "timestamp_millis": 1, "user_agent": "" } } }),
                true
            ),
            [
                "frontend_log_event_id: missing",
                "context.client_context.user_agent: empty",
                "entry: missing"
            ]
        );
    }

    #[test]
    fn nobody_can_be_named_without_authentication() {
        let mut log = with(json!({ "session_id": "s", "sql_statement_id": "t", "driver_connection_params": {} }));
        log["workspace_id"] = json!(1);
        assert_eq!(entry(&log, true), Vec::<String>::new());
        assert_eq!(
            entry(&log, false),
            [
                "workspace_id",
                "entry.sql_driver_log.session_id",
                "entry.sql_driver_log.sql_statement_id",
                "entry.sql_driver_log.driver_connection_params"
            ]
            .map(|path| format!("{path}: not allowed without authentication"))
        );
    }

    #[test]
    fn envelopes_are_checked_too() {
        assert_eq!(
            envelope(&json!({ "uploadTime": 1, "items": [], "protoLogs": [] })),
            Vec::<String>::new()
        );
        assert_eq!(
            envelope(&json!({ "uploadTime": 1, "protoLogs": [] })),
            Vec::<String>::new()
        );
        assert_eq!(
            envelope(&json!({ "uploadTime": "x", "items": [1], "workspace_id": 1 })),
            [
                "request.uploadTime: not a 64-bit integer",
                "request.items: not an empty array",
                "request.protoLogs: missing",
                "request.workspace_id: unknown member",
            ]
        );
        assert_eq!(envelope(&json!([])), ["request: not an object"]);
    }
}
