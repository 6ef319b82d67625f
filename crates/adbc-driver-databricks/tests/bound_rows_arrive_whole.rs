//! What a caller binds is what the driver gets: rows that are null as a whole too, and a failing stream's reason.

mod support;

use std::sync::Arc;

use adbc_core::constants::{ADBC_STATUS_INVALID_ARGUMENT, ADBC_STATUS_OK};
use arrow_array::cast::AsArray as _;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::ArrowError;
use support::{Caller, batch, error, message};

fn bind(caller: &mut Caller, values: &dyn Array) -> Result<RecordBatch, String> {
    let mut statement = caller.statement("bound");
    let data = values.to_data();
    let (mut array, mut schema) = (
        FFI_ArrowArray::new(&data),
        FFI_ArrowSchema::try_from(data.data_type()).expect("a type"),
    );
    let mut error = error();
    let bind = caller.table.StatementBind.expect("there");
    // SAFETY: structures as the C data interface has them, which the driver takes over.
    let status = unsafe { bind(&raw mut statement, &raw mut array, &raw mut schema, &raw mut error) };
    if status != ADBC_STATUS_OK {
        assert_eq!(status, ADBC_STATUS_INVALID_ARGUMENT);
        caller.release(statement);
        return Err(message(&error));
    }
    let (stream, rows) = caller.execute(&mut statement).map_err(|(_, error)| message(&error))?;
    let mut reader = ArrowArrayStreamReader::try_new(stream).expect("a stream");
    let batch = reader.next().expect("a batch").expect("rows");
    assert_eq!(rows, batch.num_rows() as i64);
    caller.release(statement);
    Ok(batch)
}

fn numbers(batch: &RecordBatch) -> Vec<Option<i64>> {
    batch.column(0).as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn with_and_without_nulls() {
    let mut caller = Caller::new();
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let columns = RecordBatch::try_from_iter([("value", values)]).expect("a batch");
    let plain = StructArray::from(columns);
    assert_eq!(
        numbers(&bind(&mut caller, &plain).expect("bound")),
        [Some(1), None, Some(3)]
    );

    let (fields, arrays, _) = plain.into_parts();
    let nulls = NullBuffer::from(vec![true, true, false]);
    let nullable = StructArray::new(fields, arrays, Some(nulls));
    assert_eq!(
        numbers(&bind(&mut caller, &nullable).expect("bound")),
        [Some(1), None, None]
    );
}

#[test]
fn and_nothing_but_rows() {
    let mut caller = Caller::new();
    let refusal = bind(&mut caller, &Int64Array::from(vec![1])).expect_err("no struct");
    assert!(refusal.contains("not a struct array"), "{refusal}");
    caller.assert_alive();
}

#[test]
fn from_a_stream_that_may_fail() {
    let mut caller = Caller::new();
    let bind = caller.table.StatementBindStream.expect("there");
    let rows = [Ok(batch(&[1, 2])), Err(ArrowError::ComputeError("no more".to_owned()))];
    for (take, expected) in [(1, Ok(())), (2, Err("no more"))] {
        let mut statement = caller.statement("bound");
        let reader = RecordBatchIterator::new(
            rows.iter()
                .take(take)
                .map(|row| match row {
                    Ok(batch) => Ok(batch.clone()),
                    Err(error) => Err(ArrowError::ComputeError(error.to_string())),
                })
                .collect::<Vec<_>>(),
            batch(&[]).schema(),
        );
        let (mut stream, mut error) = (FFI_ArrowArrayStream::new(Box::new(reader)), error());
        // SAFETY: a stream that the driver takes over.
        let status = unsafe { bind(&raw mut statement, &raw mut stream, &raw mut error) };
        assert!(stream.release.is_none(), "the driver owns it now");
        match expected {
            Ok(()) => assert_eq!(status, ADBC_STATUS_OK),
            Err(why) => assert!(message(&error).contains(why), "{}", message(&error)),
        }
        caller.release(statement);
    }
    // Released before: there is nothing to read.
    let (mut released, mut error) = (FFI_ArrowArrayStream::empty(), error());
    let mut statement = caller.statement("bound");
    // SAFETY: a stream whose callbacks are null.
    let status = unsafe { bind(&raw mut statement, &raw mut released, &raw mut error) };
    assert_eq!(status, ADBC_STATUS_INVALID_ARGUMENT);
    caller.release(statement);
}
