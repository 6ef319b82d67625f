//! Where result rows go: one sink per format.

mod table;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::cli::{Format, QueryArgs};
use crate::failure::Failure;

pub(crate) use table::{Cells, print as print_cells};

/// Takes the batches of one result, in order.
pub(crate) trait Sink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure>;
    fn finish(self: Box<Self>) -> Result<(), Failure>;
}

/// The sink that the command line asks for.
pub(crate) fn open(args: &QueryArgs, schema: &SchemaRef) -> Result<Box<dyn Sink>, Failure> {
    let reader_left = Arc::new(AtomicBool::new(false));
    let file: Box<dyn Write + Send> = match &args.output {
        Some(path) => {
            let file = File::create(path).map_err(|error| Failure::Local(format!("{}: {error}", path.display())))?;
            Box::new(file)
        }
        None => Box::new(io::stdout()),
    };
    let out = BufWriter::new(Pipe {
        out: file,
        reader_left: Arc::clone(&reader_left),
    });
    let sink: Box<dyn Sink> = match args.format {
        Format::Table => Box::new(table::Table::new(out, schema, args.show)),
        Format::Csv => Box::new(csv::WriterBuilder::new().with_header(true).build(out)),
        Format::Json => Box::new(Json(LineDelimitedWriter::new(out))),
        Format::Arrow => Box::new(StreamWriter::try_new(out, schema)?),
        Format::Parquet => {
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            Box::new(ArrowWriter::try_new(out, Arc::clone(schema), Some(properties))?)
        }
    };
    Ok(Box::new(Piped { sink, reader_left }))
}

/// Notices that whoever read our output went away: some writers turn that error into text.
struct Pipe {
    out: Box<dyn Write + Send>,
    reader_left: Arc<AtomicBool>,
}

impl Pipe {
    fn noticing<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        {
            self.reader_left.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.noticing(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.noticing(result)
    }
}

/// A sink behind a [`Pipe`].
struct Piped {
    sink: Box<dyn Sink>,
    reader_left: Arc<AtomicBool>,
}

impl Sink for Piped {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let result = self.sink.write(batch);
        result.map_err(|failure| {
            if self.reader_left.load(Ordering::Relaxed) {
                Failure::OutputClosed
            } else {
                failure
            }
        })
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        let result = self.sink.finish();
        result.map_err(|failure| {
            if self.reader_left.load(Ordering::Relaxed) {
                Failure::OutputClosed
            } else {
                failure
            }
        })
    }
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => (*error).into(),
                Err(source) => Self::Local(source.to_string()),
            },
            other => Self::Local(other.to_string()),
        }
    }
}

impl<W: Write> Sink for csv::Writer<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        Ok(Self::write(self, batch)?)
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.into_inner().flush()?)
    }
}

struct Json<W: Write>(LineDelimitedWriter<W>);

impl<W: Write> Sink for Json<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        Ok(self.0.write(batch)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        self.0.finish()?;
        Ok(self.0.into_inner().flush()?)
    }
}

impl<W: Write> Sink for StreamWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        Ok(Self::write(self, batch)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        Self::finish(&mut self)?;
        Ok(self.get_mut().flush()?)
    }
}

impl<W: Write + Send> Sink for ArrowWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        Ok(Self::write(self, batch)?)
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.into_inner()?.flush()?)
    }
}
