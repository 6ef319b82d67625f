//! The feature flags a workspace gives to a driver.
//!
//! `GET /api/2.0/connector-service/feature-flags/{CLIENT_TYPE}/{MAJOR.MINOR.PATCH}`. The version must be the bare triplet: the
//! service answers 404 when anything is appended to it.

use serde::{Deserialize, Deserializer, Serialize};

/// The path of the flag request for a client type (`ADBC`) and a bare `MAJOR.MINOR.PATCH` version.
pub fn path(client_type: &str, version: &str) -> String {
    format!("/api/2.0/connector-service/feature-flags/{client_type}/{version}")
}

/// All flags that the workspace has for this client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureFlags {
    /// The flags; a flag that is not listed is off.
    #[serde(default, deserialize_with = "null_as_default")]
    pub flags: Vec<FeatureFlag>,
    /// For how long the answer holds, in seconds. The service usually says 900.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

impl FeatureFlags {
    /// Whether the flag `name` is present and true (`"true"` in any case).
    pub fn is_on(&self, name: &str) -> bool {
        self.flags
            .iter()
            .any(|flag| flag.name == name && flag.value.eq_ignore_ascii_case("true"))
    }
}

/// One flag. Values are strings on the wire; a JSON boolean or number is read as its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureFlag {
    /// The full dotted name; empty when the service sent none.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// The value as text.
    #[serde(default, deserialize_with = "text")]
    pub value: String,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    })
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_on_only_when_it_says_true() {
        let flags: FeatureFlags = serde_json::from_str(
            r#"{"flags":[{"name":"a","value":"TRUE"},{"name":"b","value":true},{"name":"c","value":"1"},{"name":"d"}],"ttl_seconds":900}"#,
        )
        .unwrap();
        assert!(flags.is_on("a") && flags.is_on("b"));
        assert!(!flags.is_on("c") && !flags.is_on("d") && !flags.is_on("missing"));
        assert_eq!(flags.ttl_seconds, Some(900));
    }
}
