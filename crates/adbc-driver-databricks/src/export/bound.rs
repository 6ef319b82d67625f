//! Parameters that come from C.

use std::ffi::CStr;
use std::sync::Arc;

use adbc_core::error::Result;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader, StructArray, make_array};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};

use super::{guard, handle};

type Arrow<T> = std::result::Result<T, ArrowError>;

/// The batch that `StatementBind` is given.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is not a struct array or contradicts itself.
///
/// # Safety
/// The structures are as the C data interface has them.
pub(super) unsafe fn batch(values: FFI_ArrowArray, schema: &FFI_ArrowSchema) -> Result<RecordBatch> {
    let refusal = |error: ArrowError| handle::argument(format!("the bound values cannot be read: {error}"));
    // SAFETY: the caller's promise.
    let data = unsafe { from_ffi(values, schema) }.map_err(refusal)?;
    if !matches!(data.data_type(), DataType::Struct(_)) {
        return Err(handle::argument("the bound values are not a struct array"));
    }
    let columns = Schema::try_from(schema).map_err(refusal)?;
    flat(StructArray::from(data), Arc::new(columns)).map_err(refusal)
}

/// The stream that `StatementBindStream` is given.
pub(super) struct Stream {
    inner: FFI_ArrowArrayStream,
    schema: SchemaRef,
    ended: bool,
}

impl Stream {
    /// # Errors
    /// `INVALID_ARGUMENT` when it was released before or cannot say what its columns are.
    ///
    /// # Safety
    /// The structure is as the C stream interface has it.
    pub(super) unsafe fn new(mut inner: FFI_ArrowArrayStream) -> Result<Self> {
        let released = || handle::argument("the bound stream was released before");
        let (Some(_), Some(get_schema)) = (inner.release, inner.get_schema) else {
            return Err(released());
        };
        let mut schema = FFI_ArrowSchema::empty();
        // SAFETY: a stream that was not released answers.
        let code = unsafe { get_schema(&raw mut inner, &raw mut schema) };
        if code != 0 {
            let why = failure_text(&mut inner, code);
            return Err(handle::argument(format!("the bound stream has no schema: {why}")));
        }
        let refusal =
            |error: ArrowError| handle::argument(format!("the bound stream's schema cannot be read: {error}"));
        let schema = Arc::new(Schema::try_from(&schema).map_err(refusal)?);
        let ended = false;
        Ok(Self { inner, schema, ended })
    }

    fn read(&mut self) -> Arrow<Option<RecordBatch>> {
        let Some(get_next) = self.inner.get_next else {
            return Ok(None);
        };
        let mut values = FFI_ArrowArray::empty();
        // SAFETY: a stream that was not released answers.
        let code = unsafe { get_next(&raw mut self.inner, &raw mut values) };
        if code != 0 {
            return Err(ArrowError::CDataInterface(failure_text(&mut self.inner, code)));
        }
        if values.is_released() {
            return Ok(None);
        }
        let whole = DataType::Struct(self.schema.fields().clone());
        // SAFETY: the stream's batches are of its schema.
        let data = unsafe { from_ffi_and_data_type(values, whole) }?;
        flat(StructArray::from(data), Arc::clone(&self.schema)).map(Some)
    }
}

/// What a stream says of its failure, or the number if it says nothing.
fn failure_text(stream: &mut FFI_ArrowArrayStream, code: i32) -> String {
    let Some(last_error) = stream.get_last_error else {
        return format!("error {code}");
    };
    // SAFETY: after a failure the text is null, or valid until the stream's next call.
    unsafe {
        let text = last_error(stream);
        if text.is_null() {
            format!("error {code}")
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

impl Iterator for Stream {
    type Item = Arrow<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        // Foreign data that contradicts itself makes Arrow panic; the driver may be reading on a thread of its own.
        let outcome =
            guard::caught(|| self.read()).unwrap_or_else(|error| Err(ArrowError::CDataInterface(error.message)));
        self.ended = !matches!(outcome, Ok(Some(_)));
        outcome.transpose()
    }
}

impl RecordBatchReader for Stream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The columns of a struct array. A row that is null as a whole is one whose values are all null.
fn flat(values: StructArray, schema: SchemaRef) -> Arrow<RecordBatch> {
    let rows = values.len();
    let (_, mut columns, nulls) = values.into_parts();
    let mut fields = schema.fields().to_vec();
    if let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) {
        for (column, field) in columns.iter_mut().zip(&mut fields) {
            *column = masked(column, &nulls)?;
            *field = Arc::new(field.as_ref().clone().with_nullable(true));
        }
    }
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
}

fn masked(column: &ArrayRef, nulls: &NullBuffer) -> Arrow<ArrayRef> {
    match column.data_type() {
        DataType::Null => Ok(Arc::clone(column)),
        DataType::Union(..) | DataType::RunEndEncoded(..) => Err(ArrowError::InvalidArgumentError(format!(
            "rows that are null as a whole, with a column of type {}",
            column.data_type()
        ))),
        _ => {
            let both = NullBuffer::union(Some(nulls), column.nulls());
            let data = column.to_data().into_builder().nulls(both).build()?;
            Ok(make_array(data))
        }
    }
}
