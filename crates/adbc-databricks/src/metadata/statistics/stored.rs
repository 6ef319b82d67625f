//! Statistics that the warehouse has at hand: `ANALYZE TABLE` puts them there, and so does predictive optimization.
//!
//! See <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-syntax-aux-describe-table>.

use adbc_core::constants::{
    ADBC_STATISTIC_AVERAGE_BYTE_WIDTH_KEY, ADBC_STATISTIC_DISTINCT_COUNT_KEY, ADBC_STATISTIC_MAX_BYTE_WIDTH_KEY,
    ADBC_STATISTIC_MAX_VALUE_KEY, ADBC_STATISTIC_MIN_VALUE_KEY, ADBC_STATISTIC_NULL_COUNT_KEY,
    ADBC_STATISTIC_ROW_COUNT_KEY,
};

use super::{SIZE_KEY, Statistic, Subject, Value, type_of};
use crate::error::Result;
use crate::metadata::ask::{Answer, Asker, is_refusal, quoted};
use crate::metadata::tree::Column;
use crate::types::SqlType;

/// What a description of a column calls its statistics.
const KEYS: [(&str, i16); 6] = [
    ("min", ADBC_STATISTIC_MIN_VALUE_KEY),
    ("max", ADBC_STATISTIC_MAX_VALUE_KEY),
    ("num_nulls", ADBC_STATISTIC_NULL_COUNT_KEY),
    ("distinct_count", ADBC_STATISTIC_DISTINCT_COUNT_KEY),
    ("avg_col_len", ADBC_STATISTIC_AVERAGE_BYTE_WIDTH_KEY),
    ("max_col_len", ADBC_STATISTIC_MAX_BYTE_WIDTH_KEY),
];

/// What the server has at hand about each table. One that may not be described has nothing.
///
/// # Errors
/// The server could not be asked.
///
/// # Blocking
/// For one statement per table, and one per column of the tables whose rows are known to have been counted; several at a time.
pub(super) fn described(asker: &Asker<'_>, subjects: &[Subject<'_>]) -> Result<Vec<Vec<Statistic>>> {
    let describe = |subject: &Subject<'_>| format!("DESCRIBE TABLE EXTENDED {}", subject.full_name());
    let answers = asker.ask_each(subjects.iter().map(describe).collect())?;
    let mut all = Vec::with_capacity(subjects.len());
    for answer in answers {
        all.push(match unless_refused(answer)? {
            Some(answer) => of_table(&answer)?,
            None => Vec::new(),
        });
    }
    // Whatever analyzes columns counts the rows as well.
    let is_counted = |statistics: &[Statistic]| statistics.iter().any(|one| one.key == ADBC_STATISTIC_ROW_COUNT_KEY);
    let mut columns = Vec::new();
    for (place, subject) in subjects
        .iter()
        .enumerate()
        .filter(|(place, _)| is_counted(&all[*place]))
    {
        columns.extend(subject.columns.iter().map(|column| (place, subject, column)));
    }
    let describe = |(_, subject, column): &(usize, &Subject<'_>, &Column)| {
        format!(
            "DESCRIBE TABLE EXTENDED {} {}",
            subject.full_name(),
            quoted(&column.name)
        )
    };
    let answers = asker.ask_each(columns.iter().map(describe).collect())?;
    for ((place, _, column), answer) in columns.into_iter().zip(answers) {
        if let Some(answer) = unless_refused(answer)? {
            all[place].extend(of_column(column, &answer)?);
        }
    }
    Ok(all)
}

fn unless_refused(answer: Result<Answer>) -> Result<Option<Answer>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `Statistics | 1234 bytes, 56 rows`.
fn of_table(answer: &Answer) -> Result<Vec<Statistic>> {
    let [name, text] = [answer.need(&["col_name"])?, answer.need(&["data_type"])?];
    let cell = |row: &[Option<String>], place: usize| row.get(place).cloned().flatten().unwrap_or_default();
    // After the columns, one of which may have this name too.
    let row = answer.rows.iter().rev().find(|row| cell(row, name) == "Statistics");
    let text = row.map(|row| cell(row, text)).unwrap_or_default();
    let parts = text.split(',').filter_map(|part| part.trim().split_once(' '));
    let known = parts.filter_map(|(number, unit)| {
        let key = match unit {
            "bytes" => SIZE_KEY,
            "rows" => ADBC_STATISTIC_ROW_COUNT_KEY,
            _ => return None,
        };
        Some(Statistic {
            column: None,
            key,
            value: Value::Float(number.parse().ok()?),
            is_approximate: true,
        })
    });
    Ok(known.collect())
}

/// Rows such as `max | 7`, with the word NULL for what is not known.
fn of_column(column: &Column, answer: &Answer) -> Result<Vec<Statistic>> {
    let [name, text] = [answer.need(&["info_name"])?, answer.need(&["info_value"])?];
    let sql_type = type_of(column);
    let known = answer.rows.iter().filter_map(|row| {
        let (name, text) = (row.get(name)?.as_deref()?, row.get(text)?.as_deref()?);
        let (_, key) = KEYS.iter().find(|(known, _)| *known == name)?;
        Some(Statistic {
            column: Some(column.name.clone()),
            key: *key,
            value: value(*key, &sql_type, text)?,
            is_approximate: true,
        })
    });
    Ok(known.collect())
}

fn value(key: i16, sql_type: &SqlType, text: &str) -> Option<Value> {
    match key {
        _ if text == "NULL" => None,
        ADBC_STATISTIC_MIN_VALUE_KEY | ADBC_STATISTIC_MAX_VALUE_KEY => Value::of_column(sql_type, text),
        _ => text.parse().ok().map(Value::Float),
    }
}
