//! Bulk ingest: bound rows into a table.
//!
//! By way of a volume the rows are staged as Parquet files ([`stage`]) and one statement puts all of them into the table, or
//! none. Without a volume they travel as the text of `INSERT` statements ([`literals`]), each of which stands for itself.
//! Whatever fails, the error says what stands afterwards.

mod columns;
mod literals;
mod stage;
mod target;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{RecordBatch, RecordBatchReader};
use databricks_wire::Sensitive;

use crate::cancel::CancelHandle;
use crate::error::{Error, ErrorKind, Result};
use crate::metadata::Asker;
use crate::observe::Purpose;
use crate::options::{self, Settings};
use crate::progress::Progress;
use crate::sea::execute::Submission;
use crate::sea::session::OpenSession;
use crate::sea::statement::{Begun, clear_away, perform};
use columns::Columns;
use literals::{Literals, Values, quote};
use stage::Stage;
use target::Target;

/// Up to this many bytes of Arrow data one `INSERT` is sooner there than a file and a statement that loads it.
const SMALL_BYTES: usize = 64 << 10;
/// How long a failed ingest waits for what it leaves to be cleared away; then that goes on in the background.
const CLEARING_PATIENCE: Duration = Duration::from_secs(10);

/// What happens to the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Create,
    Append,
    Replace,
    CreateAppend,
}

/// Whose the table is, should the ingest fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    /// This ingest's, which made it and shares it with nobody.
    Own,
    /// Everybody's who appends, although this ingest made it: others may have put rows into it by then.
    Opened,
    /// It was there.
    Found,
}

/// One ingest.
pub(crate) struct Ingest<'a> {
    session: &'a Arc<OpenSession>,
    settings: &'a Settings,
    cancel: &'a CancelHandle,
    /// Counts the rows that were sent.
    progress: &'a Progress,
    target: Target,
    mode: Mode,
}

impl<'a> Ingest<'a> {
    /// Reads the options.
    ///
    /// # Errors
    /// As [`Target::new`].
    pub(crate) fn new(
        session: &'a Arc<OpenSession>,
        settings: &'a Settings,
        cancel: &'a CancelHandle,
        progress: &'a Progress,
        table: &str,
    ) -> Result<Self> {
        let asker = Asker {
            session,
            settings,
            cancel,
        };
        Ok(Self {
            session,
            settings,
            cancel,
            progress,
            target: Target::new(&asker, table)?,
            mode: match settings.text(options::INGEST_MODE).as_deref() {
                Some("adbc.ingest.mode.append") => Mode::Append,
                Some("adbc.ingest.mode.replace") => Mode::Replace,
                Some("adbc.ingest.mode.create_append") => Mode::CreateAppend,
                _ => Mode::Create,
            },
        })
    }

    /// Puts the rows into the table and tells how many they were.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound` as the mode has it; `AlreadyExists` when the data does not fit the table's columns;
    /// `NotImplemented` for a type that no table can have; what the source of the rows says; the server's. The message says what
    /// stands.
    ///
    /// # Blocking
    /// Until all rows are in the table.
    pub(crate) fn run(&self, data: Box<dyn RecordBatchReader + Send>) -> Result<i64> {
        let columns = Columns::of(&data.schema())?;
        let mut rows = Rows::new(data);
        let volume = self
            .settings
            .text(options::INGEST_VOLUME)
            .filter(|path| !path.is_empty());
        let method = self.settings.text(options::INGEST_METHOD).unwrap_or_default();
        // Before anything is changed: a source that fails at once leaves nothing behind.
        let is_small = rows.look_ahead(SMALL_BYTES)?;
        let volume = match (method.as_str(), volume) {
            ("insert", _) => None,
            ("volume", None) => {
                return Err(Error::invalid_argument(format!(
                    "'{}' = volume needs '{}'",
                    options::INGEST_METHOD,
                    options::INGEST_VOLUME
                )));
            }
            ("volume", volume) => volume,
            (_, volume) => volume.filter(|_| !is_small || columns.first_nested().is_some()),
        };
        if let (None, Some(name)) = (&volume, columns.first_nested()) {
            return Err(Error::not_implemented(format!(
                "column '{name}' is an array, a struct or a map, which have no literals: set '{}'",
                options::INGEST_VOLUME
            )));
        }
        if rows.is_empty() {
            self.without_rows(&columns)?;
            return Ok(0);
        }
        let count = match volume {
            Some(volume) => self.by_volume(&columns, rows, volume)?,
            None => self.by_insert(&columns, rows)?,
        };
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn without_rows(&self, columns: &Columns) -> Result<()> {
        match self.mode {
            Mode::Create => self.update(&self.create("CREATE", columns)),
            Mode::Replace => self.update(&self.create("CREATE OR REPLACE", columns)),
            Mode::Append | Mode::CreateAppend => self.prepare(columns).map(drop),
        }
    }

    fn create(&self, verb: &str, columns: &Columns) -> String {
        format!(
            "{verb} {} {} {}",
            self.target.kind(),
            self.target.table,
            columns.definitions()
        )
    }

    /// Makes sure that there is a table which can take the data.
    fn prepare(&self, columns: &Columns) -> Result<Table> {
        match self.mode {
            Mode::Create => {
                self.tell(self.create("CREATE", columns))?;
                Ok(Table::Own)
            }
            Mode::Append => self.check(columns).map(|()| Table::Found),
            Mode::CreateAppend => match self.check(columns) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    match self.tell(self.create("CREATE", columns)) {
                        // Somebody else was faster.
                        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                            self.check(columns).map(|()| Table::Found)
                        }
                        created => created.map(|()| Table::Opened),
                    }
                }
                checked => checked.map(|()| Table::Found),
            },
            Mode::Replace => Ok(Table::Found),
        }
    }

    fn check(&self, columns: &Columns) -> Result<()> {
        let asker = Asker {
            session: self.session,
            settings: self.settings,
            cancel: self.cancel,
        };
        columns.check_against(&self.target.columns(&asker)?)
    }

    /// All rows with one statement, after they were staged in a volume.
    fn by_volume(&self, columns: &Columns, mut rows: Rows, volume: String) -> Result<u64> {
        let table = self.prepare(columns)?;
        let mut begun = Begun::new(self.session, self.settings, Purpose::UPDATE, self.cancel)?;
        let plan = stage::Plan {
            volume,
            file_bytes: self.size(options::INGEST_FILE_BYTES),
            parallel_uploads: u32::try_from(self.settings.integer(options::INGEST_UPLOADS)).unwrap_or(1),
            timeout: self.settings.seconds(options::STATEMENT_TIMEOUT_S),
        };
        let parent = begun.root().parent_handle();
        let staged = Stage::open(begun.run(), parent, plan, Arc::clone(columns.schema())).and_then(|mut stage| {
            let mut count = 0_u64;
            while let Some(batch) = rows.next()? {
                stage.push(&columns.fit(&batch)?)?;
                count += batch.num_rows() as u64;
                self.progress.add(batch.num_rows() as u64);
            }
            stage.finish()?;
            Ok((stage, count))
        });
        let (stage, count) = match staged {
            Ok(staged) => staged,
            Err(error) => {
                begun.fail(&error);
                return Err(self.undone(error, table, 0));
            }
        };
        let loaded = begun
            .submit(self.submission(self.load(columns, stage.directory())))
            .and_then(|outcome| outcome.affected_rows());
        match &loaded {
            Err(error) if error.kind() == ErrorKind::Cancelled => drop(stage),
            _ => stage.clear(),
        }
        match loaded {
            Ok(Some(changed)) if u64::try_from(changed).ok() != Some(count) => Err(Error::result_set(format!(
                "{count} rows were sent and the server says that it put {changed} into the table, which stands as it is"
            ))),
            Ok(_) => {
                if self.mode == Mode::Replace {
                    self.restrict(columns)?;
                }
                Ok(count)
            }
            Err(error) => Err(self.undone(error, table, 0)),
        }
    }

    /// The statement that puts staged files into the table.
    fn load(&self, columns: &Columns, directory: &str) -> String {
        let mut path = String::new();
        quote(directory, &mut path);
        let (table, names, casts) = (&self.target.table, columns.names(), columns.casts());
        let kind = self.target.kind();
        match self.mode {
            Mode::Replace => format!(
                "CREATE OR REPLACE {kind} {table} AS SELECT {casts} FROM read_files({path}, format => 'parquet')"
            ),
            // What is known of loaded files belongs to a table that lasts.
            _ if self.target.temporary => {
                format!("INSERT INTO {table} ({names}) SELECT {casts} FROM read_files({path}, format => 'parquet')")
            }
            _ => format!("COPY INTO {table} FROM (SELECT {casts} FROM {path}) FILEFORMAT = PARQUET"),
        }
    }

    /// A statement for so many rows at a time. To replace a table, they are gathered in one beside it.
    fn by_insert(&self, columns: &Columns, mut rows: Rows) -> Result<u64> {
        let replacing = self.mode == Mode::Replace;
        let table = if replacing {
            let (kind, columns) = (self.target.kind(), columns.definitions());
            self.tell(format!("CREATE {kind} {} {columns}", self.target.beside))?;
            Table::Own
        } else {
            self.prepare(columns)?
        };
        let into = if replacing {
            &self.target.beside
        } else {
            &self.target.table
        };
        let mut done = 0_u64;
        let mut literals = Literals::new(self.size(options::INGEST_INSERT_BYTES));
        let mut insert = |values: &Values| {
            self.insert(into, columns, values)?;
            done += values.rows;
            self.progress.add(values.rows);
            Ok::<_, Error>(())
        };
        let outcome = loop {
            let batch = match rows.next() {
                Ok(Some(batch)) => batch,
                Ok(None) => break literals.finish().as_ref().map_or(Ok(()), &mut insert),
                Err(error) => break Err(error),
            };
            let pushed = columns.fit(&batch).and_then(|batch| literals.push(&batch));
            let sent =
                pushed.and_then(|()| std::iter::from_fn(|| literals.pop()).try_for_each(|values| insert(&values)));
            if let Err(error) = sent {
                break Err(error);
            }
        };
        if replacing {
            let swapped = outcome.and_then(|()| {
                self.tell(format!(
                    "CREATE OR REPLACE {} {} AS SELECT * FROM {}",
                    self.target.kind(),
                    self.target.table,
                    self.target.beside
                ))
            });
            let dropped = self.clear(format!("DROP TABLE IF EXISTS {}", self.target.beside));
            return match (swapped, dropped) {
                (Ok(()), _) => self.restrict(columns).map(|()| done),
                (Err(error), Ok(())) => Err(stands(error, "the table stands as it was")),
                (Err(error), Err(_)) => Err(stands(
                    error,
                    &format!(
                        "the table stands as it was; {} may still be there and can be dropped",
                        self.target.beside
                    ),
                )),
            };
        }
        match outcome {
            Ok(()) => Ok(done),
            Err(error) => Err(self.undone(error, table, done)),
        }
    }

    fn insert(&self, table: &str, columns: &Columns, values: &Values) -> Result<()> {
        self.cancel.check()?;
        let aliases: Vec<String> = (0..columns.schema().fields().len())
            .map(|index| format!("c{index}"))
            .collect();
        let sql = format!(
            "INSERT INTO {table} ({}) SELECT {} FROM VALUES {} AS v({})",
            columns.names(),
            columns.casts_of_text(),
            values.text,
            aliases.join(", ")
        );
        let changed = perform(
            self.session,
            self.settings,
            self.submission(sql),
            Purpose::UPDATE,
            self.cancel,
        )?
        .affected_rows()?;
        match changed.map(u64::try_from) {
            Some(changed) if changed != Ok(values.rows) => Err(Error::result_set(format!(
                "{} rows were sent and the server says that it put another number into the table",
                values.rows
            ))),
            _ => Ok(()),
        }
    }

    /// A table made from a query has no constraints: they are added. A temporary table takes no change of that kind.
    fn restrict(&self, columns: &Columns) -> Result<()> {
        if self.target.temporary {
            return Ok(());
        }
        columns.not_null().try_for_each(|column| {
            self.tell(format!(
                "ALTER TABLE {} ALTER COLUMN {column} SET NOT NULL",
                self.target.table
            ))
            .map_err(|error| stands(error, "the table holds the new rows, not all columns are NOT NULL"))
        })
    }

    /// Takes a failed ingest back as far as it can be, and says what stands.
    fn undone(&self, error: Error, table: Table, done: u64) -> Error {
        match (table, self.mode, done) {
            (Table::Own, ..) => match self.clear(format!("DROP TABLE IF EXISTS {}", self.target.table)) {
                Ok(()) => stands(error, "the table that was created for the rows was dropped"),
                Err(_) => stands(
                    error,
                    "the table that was created for the rows may still be there, with some of them or none",
                ),
            },
            // No statement drops a table only if nobody else has put rows into it.
            (Table::Opened, _, 0) => stands(
                error,
                "the table that was created for the rows is left, and none of them were added, unless this says otherwise",
            ),
            (Table::Found, Mode::Replace, _) => stands(error, "the table stands as it was"),
            (Table::Found, _, 0) => stands(error, "no rows were added to the table, unless this says otherwise"),
            (Table::Opened | Table::Found, _, done) => stands(
                error,
                &format!("the first {done} rows are in the table, the others are not"),
            ),
        }
    }

    /// A statement of the driver's own.
    fn tell(&self, sql: String) -> Result<()> {
        self.cancel.check()?;
        perform(
            self.session,
            self.settings,
            self.submission(sql),
            Purpose::INTERNAL,
            self.cancel,
        )?
        .affected_rows()
        .map(drop)
    }

    /// The statement that the caller's execution consists in.
    fn update(&self, sql: &str) -> Result<()> {
        perform(
            self.session,
            self.settings,
            self.submission(sql.to_owned()),
            Purpose::UPDATE,
            self.cancel,
        )?
        .affected_rows()
        .map(drop)
    }

    fn clear(&self, sql: String) -> Result<()> {
        clear_away(self.session, self.submission(sql), CLEARING_PATIENCE)
    }

    fn submission(&self, sql: String) -> Submission {
        let settings = self.settings.without(&[options::DISPOSITION, options::FORMAT]);
        Submission::new(Sensitive::new(sql), &settings).without_row_limit()
    }

    fn size(&self, key: &'static str) -> usize {
        usize::try_from(self.settings.integer(key)).unwrap_or(usize::MAX)
    }
}

fn stands(error: Error, what: &str) -> Error {
    error.followed_by(what)
}

/// The caller's rows, some of which may have been looked at before.
struct Rows {
    ahead: VecDeque<RecordBatch>,
    source: Option<Box<dyn RecordBatchReader + Send>>,
}

impl Rows {
    fn new(source: Box<dyn RecordBatchReader + Send>) -> Self {
        Self {
            ahead: VecDeque::new(),
            source: Some(source),
        }
    }

    /// Reads on until there are more than `limit_bytes`, or no more rows; whether there are no more.
    fn look_ahead(&mut self, limit_bytes: usize) -> Result<bool> {
        let mut bytes = 0;
        while bytes <= limit_bytes {
            let Some(batch) = self.read()? else { return Ok(true) };
            bytes += batch.get_array_memory_size();
            self.ahead.push_back(batch);
        }
        Ok(false)
    }

    /// Whether there are no rows at all, once they were looked at.
    fn is_empty(&self) -> bool {
        self.ahead.is_empty()
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        match self.ahead.pop_front() {
            Some(batch) => Ok(Some(batch)),
            None => self.read(),
        }
    }

    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let Some(source) = &mut self.source else {
            return Ok(None);
        };
        for batch in source {
            let batch = batch
                .map_err(|error| Error::invalid_argument(format!("the source of the bound rows failed: {error}")))?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        self.source = None;
        Ok(None)
    }
}
