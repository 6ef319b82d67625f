//! Rows as the text of `INSERT` statements.

use std::collections::VecDeque;

use arrow_array::RecordBatch;

use crate::error::{Error, Result};
use crate::parameters::Column;

/// The rows of one statement: `('1', 'x'), ('2', NULL)`.
pub(super) struct Values {
    pub(super) text: String,
    pub(super) rows: u64,
}

/// Collects rows until there are enough for a statement.
pub(super) struct Literals {
    limit_bytes: usize,
    filling: Values,
    full: VecDeque<Values>,
}

/// The most rows of one statement: what a planner takes without effort.
const MAX_ROWS: u64 = 2000;
/// The longest row. The service takes statements of up to 16 MiB.
const MAX_ROW_BYTES: usize = 15 << 20;

impl Literals {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            filling: Values::empty(),
            full: VecDeque::new(),
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `InvalidData` for a value that its type cannot hold, `InvalidArgument` for a row that no statement can hold.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<Column> = batch.columns().iter().map(Column::new).collect::<Result<_>>()?;
        let of_column = |index: usize, error: Error| {
            let schema = batch.schema();
            error.context(format_args!(
                "column '{}' cannot be put into a table",
                schema.field(index).name()
            ))
        };
        for row in 0..batch.num_rows() {
            let mut text = String::from("(");
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                match column.text(row).map_err(|error| of_column(index, error))? {
                    Some(value) => quote(&value, &mut text),
                    None => text.push_str("NULL"),
                }
            }
            text.push(')');
            if text.len() > MAX_ROW_BYTES {
                return Err(Error::invalid_argument(format!(
                    "a row takes {} bytes as text, more than a statement can hold; set a staging volume",
                    text.len()
                )));
            }
            let is_full = self.filling.text.len() + text.len() > self.limit_bytes || self.filling.rows == MAX_ROWS;
            if is_full && self.filling.rows > 0 {
                self.full
                    .push_back(std::mem::replace(&mut self.filling, Values::empty()));
            }
            if self.filling.rows > 0 {
                self.filling.text.push_str(", ");
            }
            self.filling.text.push_str(&text);
            self.filling.rows += 1;
        }
        Ok(())
    }

    /// The rows of a statement, if there are enough.
    pub(super) fn pop(&mut self) -> Option<Values> {
        self.full.pop_front()
    }

    /// The last rows, if there are any.
    pub(super) fn finish(self) -> Option<Values> {
        Some(self.filling).filter(|values| values.rows > 0)
    }
}

impl Values {
    const fn empty() -> Self {
        Self {
            text: String::new(),
            rows: 0,
        }
    }
}

/// Appends a SQL string literal. See
/// <https://docs.databricks.com/aws/en/sql/language-manual/data-types/string-type#literals>.
pub(super) fn quote(value: &str, text: &mut String) {
    text.push('\'');
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\'' => text.push_str("\\'"),
            '\0' => text.push_str("\\0"),
            other => text.push(other),
        }
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, StringArray};

    use super::*;

    #[test]
    fn statements_end_where_the_limit_is_and_lose_no_row() {
        let numbers: ArrayRef = Arc::new(Int32Array::from((0..5000).collect::<Vec<_>>()));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        for limit in [1, 100, 1 << 20] {
            let mut literals = Literals::new(limit);
            literals.push(&batch).unwrap();
            let mut values = Vec::new();
            while let Some(full) = literals.pop() {
                values.push(full);
            }
            values.extend(literals.finish());
            assert_eq!(values.iter().map(|values| values.rows).sum::<u64>(), 5000);
            assert!(
                values
                    .iter()
                    .all(|values| values.rows == 1 || values.text.len() <= limit + 2)
            );
        }
    }

    #[test]
    fn no_value_ends_its_literal() {
        let value: ArrayRef = Arc::new(StringArray::from(vec![Some("a'b\\'); DROP TABLE t --\0"), None]));
        let mut literals = Literals::new(1 << 20);
        literals
            .push(&RecordBatch::try_from_iter_with_nullable([("s", value, true)]).unwrap())
            .unwrap();
        assert_eq!(
            literals.finish().unwrap().text,
            r"('a\'b\\\'); DROP TABLE t --\0'), (NULL)"
        );
    }
}
