//! Values out of JSON texts: `get_json_object`, and the path operator `column:field`.
//!
//! See <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-json-path-expression>.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use serde_json::value::RawValue;

use super::plain::{Plain, text, texts, udf};
use crate::engine::error::{Class, SqlError};

/// What the operator `:` is rewritten to: fields after a point are found in any case.
pub(crate) const PATH_OPERATOR: &str = "json_path_of";

const TEXT: DataType = DataType::Utf8;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let plain = |name, call| {
        udf(Plain {
            name,
            arguments: &[TEXT, TEXT],
            required: 2,
            returns: || TEXT,
            call,
        })
    };
    vec![
        plain("get_json_object", |columns| found(columns, false)),
        plain(PATH_OPERATOR, |columns| found(columns, true)),
    ]
}

fn found(columns: &[ArrayRef], any_case: bool) -> Result<ArrayRef, SqlError> {
    let (json, paths) = (texts(columns, 0)?, texts(columns, 1)?);
    let row = |row| {
        let (Some(json), Some(path)) = (text(json, row), text(paths, row)) else {
            return Ok(None);
        };
        match Step::all(path) {
            Some(steps) if steps.contains(&Step::Every) => Err(SqlError::new(
                Class::UNSUPPORTED_FEATURE,
                "A JSON path with the wildcard `*` is not supported here.",
            )),
            Some(steps) => Ok(at(json, &steps, any_case)),
            None => Ok(None),
        }
    };
    let found: StringArray = (0..json.len()).map(row).collect::<Result<_, SqlError>>()?;
    Ok(Arc::new(found))
}

/// A step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// `.name`
    Field(String),
    /// `['name']`
    Exact(String),
    /// `[0]`
    Element(usize),
    /// `.*`, `[*]`
    Every,
}

impl Step {
    /// The steps of `$.a['b'][0]`, if it is a path.
    fn all(path: &str) -> Option<Vec<Self>> {
        let mut rest = path.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(field) = rest.strip_prefix('.') {
                let end = field.find(['.', '[']).unwrap_or(field.len());
                let (name, after) = field.split_at(end);
                if name.is_empty() {
                    return None;
                }
                steps.push(match name {
                    "*" => Self::Every,
                    name => Self::Field(name.to_owned()),
                });
                rest = after;
            } else if let Some(name) = rest.strip_prefix("['") {
                let (name, after) = name.split_once("']")?;
                steps.push(Self::Exact(name.to_owned()));
                rest = after;
            } else {
                let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(match index {
                    "*" => Self::Every,
                    index => Self::Element(index.parse().ok()?),
                });
                rest = after;
            }
        }
        Some(steps)
    }
}

/// A text loses its quotes; null is nothing; an object or array is text without blanks.
fn at(json: &str, steps: &[Step], any_case: bool) -> Option<String> {
    let mut value: &RawValue = serde_json::from_str(json).ok()?;
    for step in steps {
        value = match step {
            Step::Every => return None,
            Step::Element(index) => serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.get(*index)?,
            Step::Field(name) | Step::Exact(name) => {
                let object: BTreeMap<String, &RawValue> = serde_json::from_str(value.get()).ok()?;
                let any = || {
                    let same = |(key, _): &(&String, &&RawValue)| key.to_lowercase() == name.to_lowercase();
                    object.iter().find(same).map(|(_, value)| *value)
                };
                let exact = object.get(name.as_str()).copied();
                match step {
                    Step::Field(_) if any_case => exact.or_else(any)?,
                    _ => exact?,
                }
            }
        };
    }
    match value.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(without_blanks(text)),
    }
}

fn without_blanks(json: &str) -> String {
    let (mut text, mut quoted, mut escaped) = (String::with_capacity(json.len()), false, false);
    for letter in json.chars() {
        if !quoted && letter.is_ascii_whitespace() {
            continue;
        }
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && letter == '\\' && !escaped;
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_values_or_to_nothing() {
        let json = r#"{"a": {"b": [1, {"C": "x y"}]}, "n": null, "q": "\" {"}"#;
        let get = |path: &str, any_case| Step::all(path).and_then(|steps| at(json, &steps, any_case));
        assert_eq!(get("$.a.b[0]", false).as_deref(), Some("1"));
        assert_eq!(get("$.a.b[1].C", false).as_deref(), Some("x y"));
        assert_eq!(get("$.a['b'][1]", false).as_deref(), Some(r#"{"C":"x y"}"#));
        assert_eq!(get("$.A.B[1].c", true).as_deref(), Some("x y"));
        assert_eq!(get("$.A", false), None);
        assert_eq!(get("$.n", false), None);
        assert_eq!(get("$.q", false).as_deref(), Some("\" {"));
        for broken in ["a", "$.", "$[x]", "$['a", "$a"] {
            assert_eq!(Step::all(broken), None, "{broken}");
        }
    }
}
