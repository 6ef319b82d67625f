//! Arrays, maps and structs: JSON inside a cell.
//!
//! Leaves are strings like cells of their own, and numbers and booleans where a server writes them so; the digits are taken as
//! they stand. Members may come in any order. A map is an object, or a list of objects with `key` and `value`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, FieldRef, Fields};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{column, mismatch};
use crate::error::Result;

/// A value of one row: JSON, or text that is not in JSON's quotes.
#[derive(Clone, Debug)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Json(&'a RawValue),
}

impl Cell<'_> {
    /// What a cell of its own would hold.
    fn text(&self) -> Option<Cow<'_, str>> {
        let json = match self {
            Self::Text(text) => return Some(Cow::Borrowed(text.as_ref())),
            Self::Json(json) => json.get(),
        };
        match json.as_bytes().first() {
            Some(b'"') => serde_json::from_str(json).ok().map(Cow::Owned),
            Some(b'n') => None,
            // A number or boolean; or, where text is wanted, JSON (a VARIANT).
            _ => Some(Cow::Borrowed(json)),
        }
    }
}

/// The values of one column, or of one part of a nested column.
///
/// # Errors
/// A value is not of the type.
pub(super) fn array(cells: &[Option<Cell<'_>>], data_type: &DataType) -> Result<ArrayRef> {
    let texts: Vec<Option<Cow<'_, str>>> = cells.iter().map(|cell| cell.as_ref().and_then(Cell::text)).collect();
    let array: ArrayRef = match data_type {
        DataType::List(item) => {
            let rows = parsed::<Vec<&RawValue>>(&texts, data_type)?;
            let (lengths, nulls) = (lengths(&rows, Vec::len), nulls(&rows));
            let items: Vec<_> = rows.into_iter().flatten().flatten().map(json).collect();
            let values = array(&items, item.data_type())?;
            Arc::new(ListArray::try_new(Arc::clone(item), lengths, values, nulls).map_err(|_| mismatch(data_type))?)
        }
        DataType::Struct(fields) => structs(&parsed::<Members<'_>>(&texts, data_type)?, fields, data_type)?,
        DataType::Map(entries, _) => map(&texts, entries, data_type)?,
        leaf => column(texts.iter().map(Option::as_deref), leaf)?,
    };
    Ok(array)
}

fn structs(rows: &[Option<Members<'_>>], fields: &Fields, data_type: &DataType) -> Result<ArrayRef> {
    let nulls = nulls(rows);
    if fields.is_empty() {
        return Ok(Arc::new(StructArray::new_empty_fields(rows.len(), nulls)));
    }
    let children = fields.iter().map(|field| {
        let cells = rows
            .iter()
            .map(|row| row.as_ref().and_then(|row| row.get(field.name())));
        let cells: Vec<_> = cells.collect();
        array(&cells, field.data_type())
    });
    let children = children.collect::<Result<Vec<_>>>()?;
    let array = StructArray::try_new(fields.clone(), children, nulls).map_err(|_| mismatch(data_type))?;
    Ok(Arc::new(array))
}

fn map(texts: &[Option<Cow<'_, str>>], entries: &FieldRef, data_type: &DataType) -> Result<ArrayRef> {
    let wrong = || mismatch(data_type);
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(wrong());
    };
    let [key, value] = fields.iter().as_slice() else {
        return Err(wrong());
    };
    let rows = texts.iter().map(|text| match text.as_deref().map(str::trim_start) {
        Some(text) if text.starts_with('[') => {
            let pairs: Vec<Pair<'_>> = serde_json::from_str(text).map_err(|_| wrong())?;
            Ok(Some(
                pairs
                    .into_iter()
                    .map(|pair| (json(pair.key), json(pair.value)))
                    .collect(),
            ))
        }
        Some(text) => {
            let members: Members<'_> = serde_json::from_str(text).map_err(|_| wrong())?;
            let pair = |(name, value)| (Some(Cell::Text(Cow::Owned(name))), json(value));
            Ok(Some(members.0.into_iter().map(pair).collect::<Vec<_>>()))
        }
        None => Ok(None),
    });
    let rows = rows.collect::<Result<Vec<_>>>()?;
    let (lengths, nulls) = (lengths(&rows, Vec::len), nulls(&rows));
    let (keys, values): (Vec<_>, Vec<_>) = rows.into_iter().flatten().flatten().unzip();
    let children = vec![array(&keys, key.data_type())?, array(&values, value.data_type())?];
    let pairs = StructArray::try_new(fields.clone(), children, None).map_err(|_| wrong())?;
    let array = MapArray::try_new(Arc::clone(entries), lengths, pairs, nulls, false).map_err(|_| wrong())?;
    Ok(Arc::new(array))
}

/// A member's or element's value; JSON's `null` is none.
fn json(value: &RawValue) -> Option<Cell<'_>> {
    (value.get() != "null").then_some(Cell::Json(value))
}

fn parsed<'a, T: Deserialize<'a>>(texts: &'a [Option<Cow<'_, str>>], data_type: &DataType) -> Result<Vec<Option<T>>> {
    let rows = texts
        .iter()
        .map(|text| text.as_deref().map(serde_json::from_str).transpose());
    rows.collect::<std::result::Result<_, _>>()
        .map_err(|_| mismatch(data_type))
}

fn lengths<T>(rows: &[Option<T>], length: impl Fn(&T) -> usize) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(rows.iter().map(|row| row.as_ref().map_or(0, &length)))
}

fn nulls<T>(rows: &[Option<T>]) -> Option<NullBuffer> {
    Some(rows.iter().map(Option::is_some).collect::<NullBuffer>()).filter(|nulls| nulls.null_count() > 0)
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow)]
    key: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// The members of an object, in the order in which they come.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<Cell<'a>> {
        let (_, value) = self.0.iter().find(|(member, _)| member == name)?;
        json(value)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
