//! Functions of texts and regular expressions.
//!
//! Databricks' expressions are Java's. These are of the `regex` crate, which lacks look-around and back-references, and says so.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::ScalarUDF;
use regex::{Captures, Regex};

use super::plain::{Plain, ints, text, texts, udf};
use crate::engine::error::{Class, SqlError};

const TEXT: DataType = DataType::Utf8;
const INT: DataType = DataType::Int32;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [
        Plain {
            name: "split",
            arguments: &[TEXT, TEXT, INT],
            required: 2,
            returns: list_of_texts,
            call: split,
        },
        Plain {
            name: "regexp_extract",
            arguments: &[TEXT, TEXT, INT],
            required: 2,
            returns: || TEXT,
            call: extract,
        },
        Plain {
            name: "regexp_extract_all",
            arguments: &[TEXT, TEXT, INT],
            required: 2,
            returns: list_of_texts,
            call: extract_all,
        },
        Plain {
            name: "regexp_substr",
            arguments: &[TEXT, TEXT],
            required: 2,
            returns: || TEXT,
            call: substr,
        },
        Plain {
            name: "regexp_replace",
            arguments: &[TEXT, TEXT, TEXT],
            required: 3,
            returns: || TEXT,
            call: replace,
        },
    ]
    .into_iter()
    .map(udf)
    .collect()
}

fn list_of_texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(TEXT, true)))
}

/// The last expression that was compiled: nearly always the same for all rows.
#[derive(Default)]
struct Compiled(Option<(String, Regex)>);

impl Compiled {
    /// # Errors
    /// `INVALID_PARAMETER_VALUE.PATTERN`.
    fn get(&mut self, pattern: &str) -> Result<&Regex, SqlError> {
        if self.0.as_ref().is_none_or(|(there, _)| there != pattern) {
            let regex = Regex::new(pattern).map_err(|error| {
                let text = format!("The value of parameter(s) `regexp` is invalid: {error}");
                SqlError::new(Class::INVALID_PATTERN, text)
            })?;
            self.0 = Some((pattern.to_owned(), regex));
        }
        match &self.0 {
            Some((_, regex)) => Ok(regex),
            None => Err(SqlError::new(Class::INTERNAL_ERROR, "no expression was compiled")),
        }
    }
}

/// Calls `each` with the rows in which no argument is NULL.
fn rows<T>(
    columns: &[ArrayRef],
    mut each: impl FnMut(usize, &str, &Regex) -> Result<T, SqlError>,
) -> Result<Vec<Option<T>>, SqlError> {
    let (whole, pattern) = (texts(columns, 0)?, texts(columns, 1)?);
    let mut compiled = Compiled::default();
    let row = |row| match (text(whole, row), text(pattern, row)) {
        _ if columns.iter().any(|column| column.is_null(row)) => Ok(None),
        (Some(whole), Some(pattern)) => each(row, whole, compiled.get(pattern)?).map(Some),
        _ => Ok(None),
    };
    (0..whole.len()).map(row).collect()
}

fn lists(rows: Vec<Option<Vec<String>>>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            Some(parts) => lists.append_value(parts.into_iter().map(Some)),
            None => lists.append_null(),
        }
    }
    Arc::new(lists.finish())
}

fn column(rows: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from(rows))
}

/// With a limit above 0 there are that many parts at most, the last with all that is left. As in Java, an empty match at the beginning
/// makes no empty first part.
fn split(columns: &[ArrayRef]) -> Result<ArrayRef, SqlError> {
    let limits = columns.get(2).map(|_| ints(columns, 2)).transpose()?;
    let parts = rows(columns, |row, whole, regex| {
        let limit = limits.map_or(-1, |limits| limits.value(row));
        let most = usize::try_from(limit).ok().filter(|&limit| limit > 0);
        let (mut parts, mut from) = (Vec::new(), 0);
        for found in regex.find_iter(whole) {
            if most.is_some_and(|most| parts.len() + 1 >= most) {
                break;
            }
            if found.is_empty() && (found.start() == 0 || found.start() == whole.len()) {
                continue;
            }
            parts.push(whole[from..found.start()].to_owned());
            from = found.end();
        }
        parts.push(whole[from..].to_owned());
        Ok(parts)
    })?;
    Ok(lists(parts))
}

/// The group that an argument names, 1 where there is none.
fn group(columns: &[ArrayRef], row: usize, regex: &Regex) -> Result<usize, SqlError> {
    let group = if columns.len() > 2 {
        ints(columns, 2)?.value(row)
    } else {
        1
    };
    let most = regex.captures_len() - 1;
    usize::try_from(group).ok().filter(|&group| group <= most).ok_or_else(|| {
        SqlError::new(
            Class::INVALID_REGEX_GROUP,
            format!(
                "The value of parameter(s) `idx` is invalid: expects group index between 0 and {most}, but got {group}."
            ),
        )
    })
}

fn captured(captures: &Captures<'_>, group: usize) -> String {
    captures
        .get(group)
        .map(|found| found.as_str().to_owned())
        .unwrap_or_default()
}

fn extract(columns: &[ArrayRef]) -> Result<ArrayRef, SqlError> {
    let found = rows(columns, |row, whole, regex| {
        let group = group(columns, row, regex)?;
        Ok(regex
            .captures(whole)
            .map(|captures| captured(&captures, group))
            .unwrap_or_default())
    })?;
    Ok(column(found))
}

fn extract_all(columns: &[ArrayRef]) -> Result<ArrayRef, SqlError> {
    let found = rows(columns, |row, whole, regex| {
        let group = group(columns, row, regex)?;
        Ok(regex
            .captures_iter(whole)
            .map(|captures| captured(&captures, group))
            .collect())
    })?;
    Ok(lists(found))
}

fn substr(columns: &[ArrayRef]) -> Result<ArrayRef, SqlError> {
    let found = rows(columns, |_, whole, regex| {
        Ok(regex.find(whole).map(|found| found.as_str().to_owned()))
    })?;
    Ok(column(found.into_iter().map(Option::flatten).collect()))
}

/// Every match is replaced; `$1` stands for the first group.
fn replace(columns: &[ArrayRef]) -> Result<ArrayRef, SqlError> {
    let by = texts(columns, 2)?;
    let replaced = rows(columns, |row, whole, regex| {
        Ok(text(by, row).map(|by| {
            let with = |captures: &Captures<'_>| java_replacement(by, captures);
            regex.replace_all(whole, with).into_owned()
        }))
    })?;
    Ok(column(replaced.into_iter().map(Option::flatten).collect()))
}

/// Java's form of replacements: `$` and digits is a group, a backslash takes the next character as it is.
fn java_replacement(by: &str, captures: &Captures<'_>) -> String {
    let mut text = String::new();
    let mut letters = by.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next()),
            '$' => match letters
                .next_if(char::is_ascii_digit)
                .and_then(|digit| digit.to_digit(10))
            {
                Some(group) => text.push_str(&captured(captures, group as usize)),
                None => text.push('$'),
            },
            other => text.push(other),
        }
    }
    text
}
