//! Statistics that are computed, by aggregate queries over the tables.

use adbc_core::constants::{
    ADBC_STATISTIC_AVERAGE_BYTE_WIDTH_KEY, ADBC_STATISTIC_DISTINCT_COUNT_KEY, ADBC_STATISTIC_MAX_BYTE_WIDTH_KEY,
    ADBC_STATISTIC_MAX_VALUE_KEY, ADBC_STATISTIC_MIN_VALUE_KEY, ADBC_STATISTIC_NULL_COUNT_KEY,
    ADBC_STATISTIC_ROW_COUNT_KEY,
};

use super::{Statistic, Subject, Value, type_of};
use crate::error::{Error, Result};
use crate::metadata::ask::{Asker, quoted};
use crate::types::SqlType;

/// How many columns one query is about. Each distinct count makes a warehouse read the rows once more.
const COLUMNS_TOGETHER: usize = 16;

/// One aggregate of a query.
struct Aggregate {
    column: Option<String>,
    key: i16,
    sql: String,
    read: Reading,
}

/// How the cell of an aggregate is read.
enum Reading {
    Count,
    Average,
    Value(SqlType),
}

impl Aggregate {
    /// `None` for NULL: of no rows there is no largest.
    fn statistic(self, cell: Option<&str>) -> Result<Option<Statistic>> {
        let Some(text) = cell else { return Ok(None) };
        let value = match &self.read {
            Reading::Count => text.parse().ok().map(Value::Integer),
            Reading::Average => text.parse().ok().map(Value::Float),
            Reading::Value(sql_type) => Value::of_column(sql_type, text),
        };
        let value = value.ok_or_else(|| Error::result_set("a statistic that the server computed is no number"))?;
        Ok(Some(Statistic {
            column: self.column,
            key: self.key,
            value,
            is_approximate: false,
        }))
    }
}

/// Computes the statistics of each table.
///
/// # Errors
/// The server's; a table that cannot be read is one.
///
/// # Blocking
/// For one statement per table, and one more for each further 16 columns of it; several at a time.
pub(super) fn computed(asker: &Asker<'_>, subjects: &[Subject<'_>]) -> Result<Vec<Vec<Statistic>>> {
    let mut questions: Vec<(usize, Vec<Aggregate>)> = Vec::new();
    for (place, subject) in subjects.iter().enumerate() {
        let mut first = vec![rows()];
        let mut together = subject.columns.chunks(COLUMNS_TOGETHER).map(|columns| {
            let aggregates = columns
                .iter()
                .flat_map(|column| aggregates(&column.name, &type_of(column)));
            aggregates.collect::<Vec<_>>()
        });
        first.extend(together.next().unwrap_or_default());
        questions.push((place, first));
        questions.extend(together.map(|aggregates| (place, aggregates)));
    }
    let select = |(place, aggregates): &(usize, Vec<Aggregate>)| {
        let aliased = aggregates.iter().enumerate();
        let aliased: Vec<_> = aliased
            .map(|(index, aggregate)| format!("{} AS s{index}", aggregate.sql))
            .collect();
        format!("SELECT {} FROM {}", aliased.join(", "), subjects[*place].full_name())
    };
    let answers = asker.ask_each(questions.iter().map(select).collect())?;
    let mut all: Vec<Vec<Statistic>> = subjects.iter().map(|_| Vec::new()).collect();
    for ((place, aggregates), answer) in questions.into_iter().zip(answers) {
        let answer = answer?;
        let [row] = answer.rows.as_slice() else {
            return Err(Error::result_set(
                "the server did not answer an aggregate query with one row",
            ));
        };
        for (index, aggregate) in aggregates.into_iter().enumerate() {
            let place_in_row = answer.need(&[&format!("s{index}")])?;
            let is_count = matches!(aggregate.read, Reading::Count) && aggregate.column.is_none();
            let found = aggregate.statistic(cell(row, place_in_row))?;
            if is_count && found.is_none() {
                return Err(Error::result_set("the server did not count the rows of a table"));
            }
            all[place].extend(found);
        }
    }
    Ok(all)
}

fn cell(row: &[Option<String>], place: usize) -> Option<&str> {
    row.get(place)?.as_deref()
}

fn rows() -> Aggregate {
    Aggregate {
        column: None,
        key: ADBC_STATISTIC_ROW_COUNT_KEY,
        sql: "count(*)".to_owned(),
        read: Reading::Count,
    }
}

/// What can be computed of a column of this type.
fn aggregates(name: &str, sql_type: &SqlType) -> Vec<Aggregate> {
    let quoted = quoted(name);
    let mut all = Vec::new();
    let mut add = |key, sql: String, read| {
        all.push(Aggregate {
            column: Some(name.to_owned()),
            key,
            sql,
            read,
        });
    };
    add(
        ADBC_STATISTIC_NULL_COUNT_KEY,
        format!("count(*) - count({quoted})"),
        Reading::Count,
    );
    if !is_flat(sql_type) {
        return all;
    }
    add(
        ADBC_STATISTIC_DISTINCT_COUNT_KEY,
        format!("count(DISTINCT {quoted})"),
        Reading::Count,
    );
    if has_lengths(sql_type) {
        let length = format!("octet_length({quoted})");
        add(
            ADBC_STATISTIC_AVERAGE_BYTE_WIDTH_KEY,
            format!("avg({length})"),
            Reading::Average,
        );
        add(
            ADBC_STATISTIC_MAX_BYTE_WIDTH_KEY,
            format!("max({length})"),
            Reading::Count,
        );
    } else {
        for (key, aggregate) in [
            (ADBC_STATISTIC_MIN_VALUE_KEY, "min"),
            (ADBC_STATISTIC_MAX_VALUE_KEY, "max"),
        ] {
            // As text, so that it reads as what the server has at hand does.
            add(
                key,
                format!("CAST({aggregate}({quoted}) AS STRING)"),
                Reading::Value(sql_type.clone()),
            );
        }
    }
    all
}

/// Whether values of the type can be told apart.
fn is_flat(sql_type: &SqlType) -> bool {
    has_lengths(sql_type)
        || matches!(
            sql_type,
            SqlType::Boolean
                | SqlType::TinyInt
                | SqlType::SmallInt
                | SqlType::Int
                | SqlType::BigInt
                | SqlType::Float
                | SqlType::Double
                | SqlType::Decimal { .. }
                | SqlType::Date
                | SqlType::Timestamp
                | SqlType::TimestampNtz
        )
}

/// Whether values of the type differ in length. Their smallest and largest can be long and say little, so that they are not told.
fn has_lengths(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::String | SqlType::Varchar(_) | SqlType::Char(_) | SqlType::Binary
    )
}
