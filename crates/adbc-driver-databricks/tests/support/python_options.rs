//! The driver's tables of options as a Python module.

use adbc_databricks::options::{CATALOGUE, Scope};
use databricks_telemetry::config::OPTIONS;

const HEAD: &str = r#"# Generated from the driver's tables by
#   cargo run -p adbc-driver-databricks --example python_options > python/src/adbc_driver_databricks/_options.py
# and compared with them by a test.
"""The driver's options, by where they can be set."""

from __future__ import annotations

import enum


class _Option(str, enum.Enum):
    """A key that can be used wherever its text can."""

    def __str__(self) -> str:
        return str(self.value)
"#;

/// The module's text.
pub(crate) fn module() -> String {
    let mut text = HEAD.to_owned();
    let classes = [
        (
            "DatabaseOptions",
            Scope::Database,
            "Options of a database. Those that connections and statements have too are defaults for them.",
        ),
        (
            "ConnectionOptions",
            Scope::Connection,
            "Options of a connection. Those that statements have too are defaults for them.",
        ),
        ("StatementOptions", Scope::Statement, "Options of a statement."),
    ];
    for (class, scope, meaning) in classes {
        text.push_str(&format!("\n\nclass {class}(_Option):\n    \"\"\"{meaning}\"\"\"\n"));
        for option in CATALOGUE.iter().filter(|option| option.scopes.contains(&scope)) {
            let default = option
                .default
                .map(|default| format!(" Default: `{default}`."))
                .unwrap_or_default();
            text.push_str(&member(option.key, &format!("{}{default}", option.doc)));
        }
        if scope == Scope::Database {
            for option in OPTIONS {
                text.push_str(&member(option.key, option.description));
            }
        }
    }
    text
}

fn member(key: &str, doc: &str) -> String {
    let raw = if doc.contains('\\') { "r" } else { "" };
    let lines = wrapped(doc).join("\n    ");
    format!("\n    {} = \"{key}\"\n    {raw}\"\"\"{lines}\"\"\"\n", name(key))
}

/// `databricks.http.read_timeout_ms` is `HTTP_READ_TIMEOUT_MS`; the prefixes that say only whose option it is are left out.
fn name(key: &str) -> String {
    let prefixes = [
        "adbc.databricks.",
        "databricks.",
        "adbc.connection.",
        "adbc.statement.",
        "adbc.",
    ];
    let rest = prefixes
        .iter()
        .find_map(|prefix| key.strip_prefix(prefix))
        .unwrap_or(key);
    let mut name = String::new();
    for letter in rest.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(if letter == '.' {
            '_'
        } else {
            letter.to_ascii_uppercase()
        });
    }
    name
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("one at least");
        if !line.is_empty() && line.len() + word.len() > 90 {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
