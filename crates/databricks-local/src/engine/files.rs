//! Files of a directory as tables: Parquet, CSV, JSON, and directories of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

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
        self.sources().into_iter().map(|source| source.name).collect()
    }

    /// The tables whose files can be read. One that cannot is missing here, so that it costs nobody the others.
    pub(crate) async fn all(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        for source in self.sources() {
            tables.extend(self.table(source).await.ok());
        }
        tables
    }

    /// Why there are files that cannot be read, one by one.
    pub(crate) async fn unreadable(&self) -> Vec<SqlError> {
        let mut errors = Vec::new();
        for source in self.sources() {
            errors.extend(self.table(source).await.err());
        }
        errors
    }

    /// # Errors
    /// When the file cannot be read.
    pub(crate) async fn named(&self, name: &str) -> Result<Option<Table>, SqlError> {
        match self
            .sources()
            .into_iter()
            .find(|source| source.name.eq_ignore_ascii_case(name))
        {
            Some(source) => Ok(Some(self.table(source).await?)),
            None => Ok(None),
        }
    }

    /// What there is, by name. Of two files with one name the first in the order of paths is the table.
    fn sources(&self) -> Vec<Source> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let mut sources: Vec<Source> = Vec::new();
        for source in paths.iter().filter_map(|path| source(path)) {
            if !sources.iter().any(|there| there.name == source.name) {
                sources.push(source);
            }
        }
        sources.sort_by(|left, right| left.name.cmp(&right.name));
        sources
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
        let schema = options.infer_schema(self.state.as_ref(), &url).await.map_err(|error| {
            let error = SqlError::from_datafusion(&error);
            SqlError::new(
                Class::FAILED_READ_FILE,
                format!(
                    "The file {} of table {} cannot be read: {}",
                    source.path.display(),
                    quoted(&[&source.name]),
                    error.message
                ),
            )
        })?;
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

fn source(path: &Path) -> Option<Source> {
    if path.is_dir() {
        let mut files: Vec<PathBuf> = std::fs::read_dir(path)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| file.is_file())
            .collect();
        files.sort();
        let (format, extension) = files.iter().find_map(|file| format_of(file))?;
        let name = table_name(path.file_name()?.to_str()?);
        return Some(Source {
            name,
            path: path.to_owned(),
            format,
            is_directory: true,
            extension,
        });
    }
    if !path.is_file() {
        // To open a named pipe is to wait for whoever writes into it.
        return None;
    }
    let (format, extension) = format_of(path)?;
    let name = table_name(path.file_stem()?.to_str()?);
    Some(Source {
        name,
        path: path.to_owned(),
        format,
        is_directory: false,
        extension,
    })
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
