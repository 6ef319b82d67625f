//! A table's columns as `DESCRIBE TABLE EXTENDED … AS JSON` tells them, which says of each whether it can be null.
//!
//! See <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-syntax-aux-describe-table>.

use std::fmt;

use serde::Deserialize;

use super::quoted;

/// What a description says of the columns; the rest is passed over.
#[derive(Deserialize)]
pub(super) struct Described {
    pub(super) columns: Vec<Column>,
}

/// A column, or a field of a struct.
#[derive(Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) described_type: Type,
    #[serde(default = "yes")]
    pub(super) nullable: bool,
    pub(super) comment: Option<String>,
}

fn yes() -> bool {
    true
}

/// A type as an object: its name, and what it is made of.
#[derive(Deserialize)]
pub(super) struct Type {
    name: String,
    precision: Option<u32>,
    scale: Option<u32>,
    length: Option<u32>,
    element_type: Option<Box<Self>>,
    key_type: Option<Box<Self>>,
    value_type: Option<Box<Self>>,
    fields: Option<Vec<Column>>,
    start_unit: Option<String>,
    end_unit: Option<String>,
}

impl Described {
    /// `None` for what is no such description.
    pub(super) fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

/// The type as SQL writes it.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if let Some(element) = &self.element_type {
            return write!(f, "{name}<{element}>");
        }
        if let (Some(key), Some(value)) = (&self.key_type, &self.value_type) {
            return write!(f, "{name}<{key}, {value}>");
        }
        if let Some(fields) = &self.fields {
            let field = |field: &Column| {
                let not_null = if field.nullable { "" } else { " NOT NULL" };
                format!("{}: {}{not_null}", quoted(&field.name), field.described_type)
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            return write!(f, "{name}<{}>", fields.join(", "));
        }
        match (self.precision, self.length, &self.start_unit) {
            (Some(precision), ..) => write!(f, "{name}({precision},{})", self.scale.unwrap_or_default()),
            (_, Some(length), _) => write!(f, "{name}({length})"),
            (.., Some(start)) => match self.end_unit.as_ref().filter(|end| *end != start) {
                Some(end) => write!(f, "{name} {start} TO {end}"),
                None => write!(f, "{name} {start}"),
            },
            _ => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SqlType;

    #[test]
    fn every_kind_of_type_reads_as_sql_writes_it() {
        for (json, expected) in [
            (r#"{"name":"bigint"}"#, "BIGINT"),
            (r#"{"name":"timestamp_ltz"}"#, "TIMESTAMP"),
            (r#"{"name":"string","collation":"UTF8_LCASE"}"#, "STRING"),
            (r#"{"name":"decimal","precision":5,"scale":1}"#, "DECIMAL(5,1)"),
            (r#"{"name":"varchar","length":7}"#, "VARCHAR(7)"),
            (
                r#"{"name":"interval","start_unit":"day","end_unit":"second"}"#,
                "INTERVAL DAY TO SECOND",
            ),
            (
                r#"{"name":"interval","start_unit":"month","end_unit":"month"}"#,
                "INTERVAL MONTH",
            ),
            (
                r#"{"name":"array","element_type":{"name":"date"},"element_nullable":true}"#,
                "ARRAY<DATE>",
            ),
            (
                r#"{"name":"map","key_type":{"name":"string"},"value_type":{"name":"int"},"value_nullable":true}"#,
                "MAP<STRING, INT>",
            ),
            (
                r#"{"name":"struct","fields":[{"name":"a`b: c","type":{"name":"int"},"nullable":false},{"name":"d","type":{"name":"void"}}]}"#,
                "STRUCT<`a``b: c`: INT NOT NULL, `d`: VOID>",
            ),
            (r#"{"name":"geography(4326)"}"#, "GEOGRAPHY(4326)"),
        ] {
            let read: Type = serde_json::from_str(json).unwrap();
            assert_eq!(SqlType::parse(&read.to_string()).to_string(), expected, "{json}");
        }
    }

    #[test]
    fn what_is_no_description_is_none() {
        for json in ["", "{}", r#"{"columns":[{"name":"a"}]}"#, &"[".repeat(100_000)] {
            assert!(Described::read(json).is_none());
        }
    }
}
