//! Statements of the driver's own, and their answers as text.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, RecordBatchReader as _};
use arrow_schema::{DataType, Schema};
use databricks_wire::Sensitive;
use databricks_wire::sea::Parameter;

use crate::cancel::CancelHandle;
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Purpose;
use crate::options::{self, Settings};
use crate::results::reader::ResultReader;
use crate::sea::execute::Submission;
use crate::sea::session::OpenSession;
use crate::sea::statement::{perform, query_each};

/// The most rows that one question may be answered with. A listing lies in memory whole, and must end.
const MAX_ROWS: usize = 4_000_000;
/// How many questions are asked at a time, where there are many.
const TOGETHER: usize = 8;

/// What it takes to ask the server.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) session: &'a Arc<OpenSession>,
    pub(crate) settings: &'a Settings,
    pub(crate) cancel: &'a CancelHandle,
}

impl Asker<'_> {
    /// Executes a statement and reads its result.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn ask(&self, sql: String, parameters: Vec<Parameter>, purpose: Purpose) -> Result<Answer> {
        self.open(sql, parameters, purpose).and_then(Answer::of)
    }

    /// Executes a statement of the driver's own.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn open(&self, sql: String, parameters: Vec<Parameter>, purpose: Purpose) -> Result<ResultReader> {
        // A cancel between two questions of one call is for the next one.
        self.cancel.check()?;
        let submission = self.submission(sql).with_parameters(parameters);
        perform(self.session, self.settings, submission, purpose, self.cancel)?.open()
    }

    /// Executes statements of the driver's own, several at a time, and reads their results. The answers come in the order of the
    /// questions, and each may be an error.
    ///
    /// # Errors
    /// `Cancelled`; then the rest is not asked.
    pub(super) fn ask_each(&self, questions: Vec<String>) -> Result<Vec<Result<Answer>>> {
        let mut answers = Vec::with_capacity(questions.len());
        let mut questions = questions.into_iter();
        loop {
            self.cancel.check()?;
            let together: Vec<_> = questions
                .by_ref()
                .take(TOGETHER)
                .map(|sql| self.submission(sql))
                .collect();
            if together.is_empty() {
                return Ok(answers);
            }
            let readers = query_each(self.session, self.settings, together, Purpose::INTERNAL, self.cancel)?;
            answers.extend(readers.into_iter().map(|reader| reader.and_then(Answer::of)));
        }
    }

    fn submission(&self, sql: String) -> Submission {
        // How the caller wants its results is nothing to the driver's own questions.
        let settings = self.settings.without(&[options::DISPOSITION, options::FORMAT]);
        Submission::new(Sensitive::new(sql), &settings).without_row_limit()
    }
}

/// Rows of text.
pub(crate) struct Answer {
    /// In lower case.
    columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) type Row = Vec<Option<String>>;

impl Answer {
    /// Reads a result to its end.
    fn of(reader: ResultReader) -> Result<Self> {
        let mut answer = Self::new(&reader.schema());
        for batch in reader {
            answer.read(&batch.map_err(Error::out_of)?)?;
        }
        Ok(answer)
    }

    fn new(schema: &Schema) -> Self {
        Self {
            columns: schema
                .fields()
                .iter()
                .map(|field| field.name().to_lowercase())
                .collect(),
            rows: Vec::new(),
        }
    }

    fn read(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.rows.len() + batch.num_rows() > MAX_ROWS {
            return Err(Error::invalid_argument(format!(
                "the answer has more than {MAX_ROWS} rows; narrow the filters"
            )));
        }
        let columns = batch
            .columns()
            .iter()
            .map(|column| arrow_cast::cast(column, &DataType::Utf8));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(Error::out_of)?;
        self.rows.extend((0..batch.num_rows()).map(|row| {
            let cell = |column: &Arc<dyn Array>| {
                column
                    .is_valid(row)
                    .then(|| column.as_string::<i32>().value(row).to_owned())
            };
            columns.iter().map(cell).collect()
        }));
        Ok(())
    }

    /// The place of a column that has one of these names (in lower case): servers differ.
    pub(crate) fn place(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.columns.iter().position(|column| column == name))
    }

    /// As [`Answer::place`].
    ///
    /// # Errors
    /// The answer has no such column.
    pub(crate) fn need(&self, names: &[&str]) -> Result<usize> {
        self.place(names).ok_or_else(|| {
            Error::result_set(format!(
                "the server's answer has no column '{}'",
                names.first().copied().unwrap_or_default()
            ))
        })
    }
}

/// Whether the server understood and refused: the thing does not exist, may not be seen, or is not known here.
pub(super) fn is_refusal(error: &Error) -> bool {
    let ended = matches!(
        error.kind(),
        ErrorKind::Cancelled | ErrorKind::Timeout | ErrorKind::Unauthenticated
    );
    // Without an HTTP status it was the statement that failed, not a request about it.
    !ended && error.http_status().is_none() && (error.sqlstate().is_some() || error.error_code().is_some())
}

/// A name in backticks, with those inside doubled.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Named parameters of type STRING.
pub(super) fn named(values: impl IntoIterator<Item = (String, String)>) -> Vec<Parameter> {
    let parameter = |(name, value)| Parameter {
        name: Some(name),
        ordinal: None,
        type_text: Some("STRING".to_owned()),
        value: Some(Sensitive::new(value)),
    };
    values.into_iter().map(parameter).collect()
}
