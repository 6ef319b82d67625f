//! A driver that misbehaves on purpose.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, RwLock};

use adbc_core::PartitionedResult;
use adbc_core::error::{Error, Status};
use adbc_core::options::{InfoCode, ObjectDepth, OptionConnection, OptionDatabase, OptionStatement, OptionValue};
use adbc_core::sync::{CancelHandle, Connection, Database, Driver, Optionable, Statement};
use adbc_driver_databricks::export::{ExportedConnection, ExportedStatement, Readings};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) type Reader = Box<dyn RecordBatchReader + Send + 'static>;

/// A driver whose statements do what their text says.
#[derive(Default)]
pub(crate) struct Puppet;

pub(crate) struct PuppetDatabase;

pub(crate) struct PuppetConnection;

/// What a statement shares with its readings and its cancel handle.
#[derive(Default)]
pub(crate) struct Shared {
    text: RwLock<String>,
    cancelled: Mutex<bool>,
    changed: Condvar,
}

pub(crate) struct PuppetStatement {
    shared: Arc<Shared>,
    bound: Vec<RecordBatch>,
}

/// A reader that hands out one batch and then does what it is told.
struct Treacherous {
    schema: SchemaRef,
    given: bool,
    how: String,
}

pub(crate) fn batch(values: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("value", column)]).expect("a batch")
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("value", DataType::Int64, false)]))
}

fn unsupported() -> Error {
    Error::with_message_and_status("the puppet cannot do this", Status::NotImplemented)
}

/// An error with everything that an error can have.
pub(crate) fn rich_error(status: Status) -> Error {
    Error {
        message: "it is\0broken".to_owned(),
        status,
        vendor_code: 7,
        sqlstate: b"57014".map(|byte| byte as _),
        details: Some(vec![("which".to_owned(), b"detail\0with NUL".to_vec())]),
    }
}

impl Iterator for Treacherous {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.given {
            self.given = true;
            return Some(Ok(batch(&[1, 2, 3])));
        }
        match self.how.as_str() {
            "panic" => panic!("the reader panicked"),
            "cancelled" => Some(Err(ArrowError::ExternalError(Box::new(rich_error(Status::Cancelled))))),
            "timeout" => Some(Err(ArrowError::ExternalError(Box::new(rich_error(Status::Timeout))))),
            "io" => Some(Err(ArrowError::IoError("gone".into(), std::io::Error::other("gone")))),
            _ => None,
        }
    }
}

impl RecordBatchReader for Treacherous {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for Treacherous {
    fn drop(&mut self) {
        assert!(
            self.how != "panic when dropped",
            "the reader panicked when it was dropped"
        );
    }
}

impl Driver for Puppet {
    type DatabaseType = PuppetDatabase;

    fn new_database(&mut self) -> Result<PuppetDatabase> {
        Ok(PuppetDatabase)
    }

    fn new_database_with_opts(
        &mut self,
        _: impl IntoIterator<Item = (OptionDatabase, OptionValue)>,
    ) -> Result<PuppetDatabase> {
        Ok(PuppetDatabase)
    }
}

impl Database for PuppetDatabase {
    type ConnectionType = PuppetConnection;

    fn new_connection(&self) -> Result<PuppetConnection> {
        Ok(PuppetConnection)
    }

    fn new_connection_with_opts(
        &self,
        _: impl IntoIterator<Item = (OptionConnection, OptionValue)>,
    ) -> Result<PuppetConnection> {
        Ok(PuppetConnection)
    }
}

impl Connection for PuppetConnection {
    type StatementType = PuppetStatement;

    fn new_statement(&mut self) -> Result<PuppetStatement> {
        self.statement()
    }

    fn get_info(&self, _: Option<HashSet<InfoCode>>) -> Result<Reader> {
        panic!("get_info panicked")
    }

    fn get_objects(
        &self,
        _: ObjectDepth,
        _: Option<&str>,
        _: Option<&str>,
        _: Option<&str>,
        _: Option<Vec<&str>>,
        _: Option<&str>,
    ) -> Result<Reader> {
        Err(unsupported())
    }

    fn get_table_schema(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<Schema> {
        Ok(schema().as_ref().clone())
    }

    fn get_table_types(&self) -> Result<Reader> {
        Err(unsupported())
    }

    fn get_statistic_names(&self) -> Result<Reader> {
        Err(unsupported())
    }

    fn get_statistics(&self, _: Option<&str>, _: Option<&str>, _: Option<&str>, _: bool) -> Result<Reader> {
        Err(unsupported())
    }

    fn commit(&mut self) -> Result<()> {
        panic!("commit panicked while the connection was held alone")
    }

    fn rollback(&mut self) -> Result<()> {
        Err(unsupported())
    }

    fn read_partition(&self, partition: impl AsRef<[u8]>) -> Result<Reader> {
        let how = String::from_utf8_lossy(partition.as_ref()).into_owned();
        Ok(Box::new(Treacherous {
            schema: schema(),
            given: false,
            how,
        }))
    }
}

impl ExportedConnection for PuppetConnection {
    fn statement(&self) -> Result<PuppetStatement> {
        Ok(PuppetStatement {
            shared: Arc::default(),
            bound: Vec::new(),
        })
    }
}

impl PuppetStatement {
    fn text(&self) -> String {
        self.shared.text.read().expect("not poisoned").clone()
    }
}

impl Statement for PuppetStatement {
    fn bind(&mut self, batch: RecordBatch) -> Result<()> {
        self.bound = vec![batch];
        Ok(())
    }

    fn bind_stream(&mut self, reader: Box<dyn RecordBatchReader + Send>) -> Result<()> {
        self.bound = reader.collect::<Result<_, _>>()?;
        Ok(())
    }

    fn execute(&mut self) -> Result<Reader> {
        Ok(self.execute_counted()?.0)
    }

    fn execute_update(&mut self) -> Result<Option<i64>> {
        Ok(Some(42))
    }

    fn execute_schema(&mut self) -> Result<Schema> {
        Ok(schema().as_ref().clone())
    }

    fn execute_partitions(&mut self) -> Result<PartitionedResult> {
        Ok(PartitionedResult {
            partitions: vec![b"one".to_vec(), b"two".to_vec()],
            schema: schema().as_ref().clone(),
            rows_affected: -1,
        })
    }

    fn get_parameter_schema(&self) -> Result<Schema> {
        Err(unsupported())
    }

    fn prepare(&mut self) -> Result<()> {
        Err(rich_error(Status::InvalidState))
    }

    fn set_sql_query(&mut self, query: impl AsRef<str>) -> Result<()> {
        *self.shared.text.write().expect("not poisoned") = query.as_ref().to_owned();
        Ok(())
    }

    fn set_substrait_plan(&mut self, _: impl AsRef<[u8]>) -> Result<()> {
        Err(unsupported())
    }

    fn get_cancel_handle(&self) -> Box<dyn CancelHandle> {
        Box::new(PuppetCancel(Arc::clone(&self.shared)))
    }
}

impl ExportedStatement for PuppetStatement {
    type Readings = PuppetReadings;

    fn readings(&self) -> PuppetReadings {
        PuppetReadings(Arc::clone(&self.shared))
    }

    fn execute_counted(&mut self) -> Result<(Reader, Option<i64>)> {
        let text = self.text();
        if let Some(how) = text.strip_prefix("then ") {
            let how = how.to_owned();
            return Ok((
                Box::new(Treacherous {
                    schema: schema(),
                    given: false,
                    how,
                }),
                None,
            ));
        }
        match text.as_str() {
            "panic" => panic!("execute panicked"),
            "panic with a treacherous payload" => std::panic::panic_any(Payload),
            "fail" => Err(rich_error(Status::Timeout)),
            "wait" => {
                let mut cancelled = self.shared.cancelled.lock().expect("not poisoned");
                while !*cancelled {
                    cancelled = self.shared.changed.wait(cancelled).expect("not poisoned");
                }
                Err(rich_error(Status::Cancelled))
            }
            "bound" => {
                let batches = std::mem::take(&mut self.bound);
                let schema = batches.first().map_or_else(schema, RecordBatch::schema);
                let rows = batches.iter().map(|batch| batch.num_rows() as i64).sum();
                let reader = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
                Ok((Box::new(reader), Some(rows)))
            }
            _ => {
                let reader = RecordBatchIterator::new([Ok(batch(&[1, 2, 3]))], schema());
                Ok((Box::new(reader), Some(3)))
            }
        }
    }
}

impl Drop for PuppetStatement {
    fn drop(&mut self) {
        assert!(
            self.text() != "panic when dropped",
            "the statement panicked when it was dropped"
        );
    }
}

/// A panic's payload that panics when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("the payload panicked")
    }
}

pub(crate) struct PuppetReadings(Arc<Shared>);

impl Readings for PuppetReadings {
    fn text(&self, key: &str) -> Result<String> {
        match key {
            "panic" => panic!("reading an option panicked"),
            "text" => Ok(self.0.text.read().expect("not poisoned").clone()),
            _ => Err(Error::with_message_and_status("no such option", Status::NotFound)),
        }
    }

    fn integer(&self, _: &str) -> Result<i64> {
        Ok(7)
    }

    fn double(&self, _: &str) -> Result<f64> {
        Ok(0.5)
    }
}

struct PuppetCancel(Arc<Shared>);

impl CancelHandle for PuppetCancel {
    fn try_cancel(&self) -> Result<()> {
        *self.0.cancelled.lock().expect("not poisoned") = true;
        self.0.changed.notify_all();
        Ok(())
    }
}

macro_rules! no_options {
    ($type:ty, $option:ty) => {
        impl Optionable for $type {
            type Option = $option;

            fn set_option(&mut self, _: $option, _: OptionValue) -> Result<()> {
                panic!("setting an option panicked")
            }

            fn get_option_string(&self, _: $option) -> Result<String> {
                Ok("text".to_owned())
            }

            fn get_option_bytes(&self, _: $option) -> Result<Vec<u8>> {
                Ok(Vec::new())
            }

            fn get_option_int(&self, _: $option) -> Result<i64> {
                Err(unsupported())
            }

            fn get_option_double(&self, _: $option) -> Result<f64> {
                Err(unsupported())
            }
        }
    };
}

no_options!(PuppetDatabase, OptionDatabase);
no_options!(PuppetConnection, OptionConnection);
no_options!(PuppetStatement, OptionStatement);
