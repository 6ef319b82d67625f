//! Files of a directory as tables: Parquet, CSV, JSON, and directories of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::SessionState;

use super::catalog::{Kind, Table};
use super::error::{Class, SqlError, quoted};

/// The tables of one directory. The directory is looked at anew for every statement, so that a file put there is a table at once.
pub(crate) struct FileTables {
    directory: PathBuf,
    /// Reads schemas.
    state: Arc<SessionState>,
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Json,
    Parquet,
}

/// What a look at the directory finds.
#[derive(Default)]
struct Listing {
    tables: Vec<Source>,
    /// Why what looks like a table is none.
    errors: Vec<SqlError>,
}

struct Source {
    name: String,
    path: PathBuf,
    format: Format,
    is_directory: bool,
    extension: String,
}

impl FileTables {
    pub(crate) fn new(directory: PathBuf, state: Arc<SessionState>) -> Self {
        Self { directory, state }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.look().tables.into_iter().map(|source| source.name).collect()
    }

    /// The tables whose files can be read. One that cannot is missing here, so that it costs nobody the others.
    pub(crate) async fn all(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        for source in self.look().tables {
            tables.extend(self.table(source).await.ok());
        }
        tables
    }

    /// Why there are files and directories that are no tables, one by one.
    pub(crate) async fn unreadable(&self) -> Vec<SqlError> {
        let Listing { tables, mut errors } = self.look();
        for source in tables {
            errors.extend(self.table(source).await.err());
        }
        errors
    }

    /// # Errors
    /// When the file cannot be read.
    pub(crate) async fn named(&self, name: &str) -> Result<Option<Table>, SqlError> {
        match self
            .look()
            .tables
            .into_iter()
            .find(|source| source.name.eq_ignore_ascii_case(name))
        {
            Some(source) => Ok(Some(self.table(source).await?)),
            None => Ok(None),
        }
    }

    /// What there is, by name. Of two files with one name the first in the order of paths is the table.
    fn look(&self) -> Listing {
        let mut listing = Listing::default();
        let paths = match sorted_paths(&self.directory) {
            Ok(paths) => paths,
            Err(error) => {
                listing.errors.push(error);
                return listing;
            }
        };
        for path in paths {
            match source(&path) {
                Ok(Some(source)) => listing.add(source),
                Ok(None) => {}
                Err(error) => listing.errors.push(error),
            }
        }
        listing.tables.sort_by(|left, right| left.name.cmp(&right.name));
        listing
    }

    async fn table(&self, source: Source) -> Result<Table, SqlError> {
        let format: Arc<dyn FileFormat> = match source.format {
            Format::Csv => Arc::new(CsvFormat::default().with_has_header(true)),
            Format::Json => Arc::new(JsonFormat::default()),
            Format::Parquet => Arc::new(ParquetFormat::default()),
        };
        let mut location = source.path.to_string_lossy().into_owned();
        if source.is_directory {
            location.push('/');
        }
        let url = ListingTableUrl::parse(&location)?;
        let options = ListingOptions::new(format).with_file_extension(&source.extension);
        let schema = match options.infer_schema(self.state.as_ref(), &url).await {
            // Also of a file of no bytes, which is skipped.
            Ok(schema) if schema.fields().is_empty() => return Err(source.unreadable("it has no columns.")),
            Ok(schema) => schema,
            Err(error) => return Err(source.unreadable(&SqlError::from_datafusion(&error).message)),
        };
        let config = ListingTableConfig::new(url)
            .with_listing_options(options)
            .with_schema(schema);
        Ok(Table {
            name: source.name,
            kind: Kind::External,
            comment: None,
            constraints: Vec::new(),
            provider: Arc::new(ListingTable::try_new(config)?),
        })
    }
}

impl Listing {
    fn add(&mut self, source: Source) {
        match self.tables.iter().find(|table| table.name == source.name) {
            None => self.tables.push(source),
            Some(table) => self.errors.push(SqlError::new(
                Class::TABLE_OR_VIEW_ALREADY_EXISTS,
                format!(
                    "The {} {} is no table, because {} is the table {}.",
                    source.kind(),
                    source.path.display(),
                    table.path.display(),
                    quoted(&[&table.name])
                ),
            )),
        }
    }
}

impl Source {
    fn kind(&self) -> &'static str {
        if self.is_directory { "directory" } else { "file" }
    }

    fn unreadable(&self, why: &str) -> SqlError {
        let path = self.path.display().to_string();
        let table = quoted(&[&self.name]);
        let what = if why.contains(&path) {
            format!("table {table}")
        } else {
            format!("{} {path} of table {table}", self.kind())
        };
        SqlError::new(Class::FAILED_READ_FILE, format!("The {what} cannot be read: {why}"))
    }
}

/// # Errors
/// `FAILED_READ_FILE` when the directory cannot be read.
fn sorted_paths(directory: &Path) -> Result<Vec<PathBuf>, SqlError> {
    let paths = || -> io::Result<Vec<PathBuf>> { fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = paths().map_err(|error| {
        SqlError::new(
            Class::FAILED_READ_FILE,
            format!("The directory {} cannot be read: {error}.", directory.display()),
        )
    })?;
    paths.sort();
    Ok(paths)
}

/// # Errors
/// See [`sorted_paths`].
fn source(path: &Path) -> Result<Option<Source>, SqlError> {
    let is_directory = path.is_dir();
    let (format, stem) = if is_directory {
        let files = sorted_paths(path)?;
        let format = files
            .iter()
            .filter(|file| file.is_file())
            .find_map(|file| format_of(file));
        (format, path.file_name())
    } else if path.is_file() {
        (format_of(path), path.file_stem())
    } else {
        // To open a named pipe is to wait for whoever writes into it.
        return Ok(None);
    };
    let (Some((format, extension)), Some(stem)) = (format, stem) else {
        return Ok(None);
    };
    Ok(Some(Source {
        name: table_name(&stem.to_string_lossy()),
        path: path.to_owned(),
        format,
        is_directory,
        extension,
    }))
}

fn format_of(path: &Path) -> Option<(Format, String)> {
    let extension = path.extension()?.to_str()?;
    let format = match extension.to_ascii_lowercase().as_str() {
        "csv" => Format::Csv,
        "json" | "jsonl" | "ndjson" => Format::Json,
        "parquet" => Format::Parquet,
        _ => return None,
    };
    Some((format, format!(".{extension}")))
}

/// A file's stem as a name that needs no backticks: lower case, with `_` for whatever is no letter, digit or underscore.
fn table_name(stem: &str) -> String {
    let mut name: String = stem
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::table_name;

    #[test]
    fn a_table_name_needs_no_backticks() {
        assert_eq!(table_name("Sales 2024-Q1"), "sales_2024_q1");
        assert_eq!(table_name("2024"), "_2024");
    }
}
