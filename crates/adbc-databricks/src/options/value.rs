//! Option values: what a kind accepts, and how a value reads back.

use std::fmt;
use std::time::Duration;

use activity::SpanContext;
use adbc_core::options::OptionValue;
use jiff::Timestamp;

use super::Spec;
use crate::auth::Secret;
use crate::error::{Error, Result};
use crate::sea::tags;

/// What the values of an option are. Each kind takes its natural type and text alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that can be set and never read.
    Secret,
    /// `true` or `false`; `1` and `0` are understood.
    Flag,
    /// A whole number within bounds.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A number, with fractions, within bounds.
    Number {
        /// The least value.
        min: u32,
        /// The greatest value.
        max: u32,
    },
    /// A length of time in seconds, with fractions.
    Seconds,
    /// A number that the driver tells. Nobody can set it.
    Told,
    /// A W3C `traceparent`.
    TraceParent,
    /// Query tags: `key:value,key:value`, with a backslash before a `,` or `:` that belongs to the text.
    Tags,
    /// A point in time: RFC 3339, or seconds since 1970.
    Timestamp,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A checked value.
#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    Secret(Secret),
    Flag(bool),
    Integer(i64),
    Number(f64),
    Seconds(Duration),
}

impl Value {
    /// Checks `value` against what `spec` accepts.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the key and (unless it is a secret) the value.
    pub(crate) fn parse(spec: &Spec, value: &OptionValue) -> Result<Self> {
        Self::read(spec, value).ok_or_else(|| refusal(spec, value))
    }

    fn read(spec: &Spec, value: &OptionValue) -> Option<Self> {
        Some(match spec.kind {
            Kind::Text => Self::Text(text(value)?),
            Kind::TraceParent => Self::Text(text(value).filter(|text| SpanContext::parse_traceparent(text).is_ok())?),
            Kind::Tags => Self::Text(text(value).filter(|text| tags::parse(text).is_some())?),
            Kind::Timestamp => Self::Text(text(value).filter(|text| timestamp(text).is_some())?),
            Kind::Secret => Self::Secret(Secret::new(text(value)?)),
            Kind::Flag => Self::Flag(flag(value)?),
            Kind::Integer { min, max } => Self::Integer(integer(value).filter(|number| (min..=max).contains(number))?),
            Kind::Number { min, max } => {
                let bounds = f64::from(min)..=f64::from(max);
                Self::Number(number(value).filter(|number| bounds.contains(number))?)
            }
            Kind::Seconds => Self::Seconds(Duration::try_from_secs_f64(number(value)?).ok()?),
            Kind::Told => return None,
            Kind::Choice(words) => {
                let given = text(value)?;
                Self::Text((*words.iter().find(|word| word.eq_ignore_ascii_case(&given))?).to_owned())
            }
        })
    }

    /// The value as text; `None` for a secret.
    pub(crate) fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Secret(_) => None,
            Self::Flag(flag) => Some(flag.to_string()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Number(number) => Some(number.to_string()),
            Self::Seconds(length) => Some(length.as_secs_f64().to_string()),
        }
    }

    /// The value as a whole number, if it is one.
    pub(crate) fn to_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Flag(flag) => Some(i64::from(*flag)),
            Self::Seconds(length) => i64::try_from(length.as_secs()).ok(),
            Self::Number(number) => integer(&OptionValue::Double(*number)),
            Self::Text(text) => text.parse().ok(),
            Self::Secret(_) => None,
        }
    }

    /// The value as a number, if it is one.
    pub(crate) fn to_double(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Seconds(length) => Some(length.as_secs_f64()),
            Self::Text(text) => text.parse().ok(),
            Self::Flag(_) | Self::Secret(_) => None,
        }
    }
}

pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => text.parse().ok(),
    }
}

pub(super) fn text(value: &OptionValue) -> Option<String> {
    match value {
        OptionValue::String(text) => Some(text.clone()),
        OptionValue::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
        OptionValue::Int(number) => Some(number.to_string()),
        OptionValue::Double(number) => Some(number.to_string()),
        _ => None,
    }
}

fn flag(value: &OptionValue) -> Option<bool> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn integer(value: &OptionValue) -> Option<i64> {
    match value {
        OptionValue::Int(number) => Some(*number),
        OptionValue::Double(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => Some(*number as i64),
        OptionValue::Double(_) => None,
        other => text(other)?.trim().parse().ok(),
    }
}

fn number(value: &OptionValue) -> Option<f64> {
    match value {
        OptionValue::Int(number) => Some(*number as f64),
        OptionValue::Double(number) => Some(*number),
        other => text(other)?.trim().parse().ok(),
    }
}

fn refusal(spec: &Spec, value: &OptionValue) -> Error {
    let given = if spec.is_secret() { None } else { text(value) };
    let given = given.map_or_else(|| "this value".to_owned(), |given| format!("'{given}'"));
    Error::invalid_argument(format!(
        "option '{}' does not accept {given}: expected {}",
        spec.key, spec.kind
    ))
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Kind::Text | Kind::Secret => f.write_str("text"),
            Kind::Tags => f.write_str("tags as in 'key:value,key:value'"),
            Kind::Timestamp => f.write_str("a timestamp (RFC 3339), or seconds since 1970"),
            Kind::TraceParent => f.write_str("a W3C traceparent"),
            Kind::Flag => f.write_str("'true' or 'false'"),
            Kind::Integer { min, max: i64::MAX } => write!(f, "a whole number of at least {min}"),
            Kind::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Kind::Seconds => f.write_str("a number of seconds, 0 or more"),
            Kind::Told => f.write_str("a number"),
            Kind::Choice(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}
