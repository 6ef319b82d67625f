//! `COPY INTO`, `read_files`, and the statements about volumes.
//!
//! See <https://docs.databricks.com/aws/en/sql/language-manual/delta-copy-into> and
//! <https://docs.databricks.com/aws/en/sql/language-manual/functions/read_files>.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::Schema as ArrowSchema;
use datafusion::catalog::{Session, TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ddl::stored;
use super::dml::{counted, nullable_batch};
use super::error::{Class, SqlError, quoted};
use super::interval::cast_to_wire;
use super::plan::{Context, Parsed};
use super::session::Execution;
use super::statement::{CopyInto, VolumeStatement};
use super::temporary;
use super::volumes::Volumes;

/// Copies the rows of new files into a table. A file that was copied into it before, and has not changed since, is left out.
///
/// # Errors
/// When the table cannot be changed, a file cannot be read, or the rows do not fit; then nothing is copied.
pub(crate) async fn copy_into(context: &Context, copy: CopyInto) -> Result<Execution, SqlError> {
    let place = context.place(&copy.table)?;
    let table = stored(&place, &place.table().await?)?;
    let path = context.volumes.find(&copy.path)?;
    let files = path.files()?;
    let writer = table.writer().await;
    let new: Vec<PathBuf> = files
        .into_iter()
        .filter(|file| copy.force || !writer.has_loaded(file))
        .collect();
    let mut rows = 0;
    if !new.is_empty() {
        let schema = TableProvider::schema(table.as_ref());
        let mut batches = Vec::new();
        for file in &new {
            // Each file is read by itself, so that those which were copied before stay out.
            let relative = file.strip_prefix(&path.local).ok().and_then(|name| name.to_str());
            let file_path = match relative {
                Some(name) if !name.is_empty() => format!("{}/{name}", path.path),
                _ => path.path.clone(),
            };
            let parsed = context.parse(copy.query(&file_path), &[]).await?;
            let Parsed {
                statement: ast::Statement::Query(query),
                bound,
                ..
            } = parsed
            else {
                return Err(SqlError::new(
                    Class::PARSE_SYNTAX_ERROR,
                    "COPY INTO takes a path or a SELECT.",
                ));
            };
            let plan = context.plan_rows(*query, &bound).await?;
            for batch in context.collect(&plan).await? {
                batches.push(by_name(&batch, &schema, &place.quoted())?);
            }
        }
        rows = batches.iter().map(RecordBatch::num_rows).sum();
        writer.append(&batches)?;
        writer.remember_loaded(new);
    }
    counted(&[
        ("num_affected_rows", rows),
        ("num_inserted_rows", rows),
        ("num_skipped_corrupt_files", 0),
    ])
}

/// Columns go by their names; a column of the table that the files lack is NULL.
fn by_name(batch: &RecordBatch, schema: &ArrowSchema, table: &str) -> Result<RecordBatch, SqlError> {
    let given = batch.schema();
    let same = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
    let unknown = given
        .fields()
        .iter()
        .find(|field| !schema.fields().iter().any(|there| same(there.name(), field.name())));
    if let Some(unknown) = unknown {
        return Err(SqlError::new(
            Class::SCHEMA_MISMATCH,
            format!(
                "A schema mismatch was detected when writing to {table}: it has no column {}.",
                quoted(&[unknown.name()])
            ),
        ));
    }
    let columns: Result<Vec<ArrayRef>, SqlError> = schema
        .fields()
        .iter()
        .map(|field| {
            let place = given.fields().iter().position(|there| same(there.name(), field.name()));
            match place {
                Some(place) => cast_to_wire(batch.column(place), field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        })
        .collect();
    nullable_batch(schema, columns?)
}

/// `CREATE VOLUME`, `DROP VOLUME`, and the transfers that a client makes itself.
///
/// # Errors
/// When a catalog, a schema or the volume is missing, or is there already.
pub(crate) fn volume(context: &Context, statement: VolumeStatement) -> Result<Execution, SqlError> {
    let place = |name: &[String]| -> Result<(String, String, String), SqlError> {
        let place = context.lasting_place(name)?;
        Ok((place.catalog, place.schema.name.clone(), place.name.to_lowercase()))
    };
    match statement {
        VolumeStatement::Create { name, if_not_exists } => {
            let (catalog, schema, volume) = place(&name)?;
            if !context.volumes.create(&catalog, &schema, &volume)? && !if_not_exists {
                return Err(SqlError::new(
                    Class::VOLUME_ALREADY_EXISTS,
                    format!(
                        "Cannot create volume {} because it already exists.",
                        quoted(&[catalog, schema, volume])
                    ),
                ));
            }
            Ok(Execution::without_rows())
        }
        VolumeStatement::Drop { name, if_exists } => {
            let (catalog, schema, volume) = match place(&name) {
                Err(_) if if_exists => return Ok(Execution::without_rows()),
                place => place?,
            };
            if !context.volumes.remove(&catalog, &schema, &volume) && !if_exists {
                return Err(SqlError::new(
                    Class::VOLUME_NOT_FOUND,
                    format!("The volume {} does not exist.", quoted(&[catalog, schema, volume])),
                ));
            }
            Ok(Execution::without_rows())
        }
        VolumeStatement::Transfer(transfer) => {
            // A path that cannot be is refused before a client is sent there.
            context.volumes.find(&transfer.volume_path)?;
            Ok(Execution {
                transfer: Some(transfer),
                ..Execution::without_rows()
            })
        }
    }
}

/// `ALTER TABLE … ALTER COLUMN … SET NOT NULL` and `DROP NOT NULL`.
///
/// # Errors
/// When the table cannot be changed, has no such column, or has NULL in it.
pub(crate) async fn set_nullable(
    context: &Context,
    table: &[String],
    column: &str,
    nullable: bool,
) -> Result<Execution, SqlError> {
    let place = context.place(table)?;
    temporary::refuse(&place, Class::TEMP_TABLE_ALTER, "ALTER TABLE on the table")?;
    let table = stored(&place, &place.table().await?)?;
    let writer = table.writer().await;
    writer.set_nullable(column, nullable)?;
    Ok(Execution::without_rows())
}

/// The table function `read_files(path [, format => 'parquet'])`.
pub(crate) fn read_files(volumes: Arc<Volumes>) -> Arc<TableFunction> {
    Arc::new(TableFunction::new(
        "read_files".to_owned(),
        Arc::new(ReadFiles { volumes }),
    ))
}

/// Arguments by name as the planner takes them, `format => 'parquet'` as `'format', 'parquet'`; `read_files` sorts them out.
pub(crate) fn with_plain_arguments(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut called = false;
    let mut depth = 0_usize;
    let mut name: Option<usize> = None;
    for at in 0..tokens.len() {
        match &tokens[at].token {
            Token::Whitespace(_) => continue,
            Token::Word(word) if !called => called = word.value.eq_ignore_ascii_case("read_files"),
            Token::LParen if called => depth += 1,
            Token::RParen if called => {
                depth = depth.saturating_sub(1);
                called = depth > 0;
            }
            Token::RArrow if called => {
                if let Some(name) = name
                    && let Token::Word(word) = tokens[name].token.clone()
                {
                    tokens[name].token = Token::SingleQuotedString(word.value);
                    tokens[at].token = Token::Comma;
                }
            }
            _ if called && depth == 0 => called = false,
            _ => {}
        }
        name = Some(at);
    }
    tokens
}

/// The paths that the calls of `read_files` in these tokens name, with their formats.
pub(crate) fn paths_read(tokens: &[TokenWithSpan]) -> Vec<(String, String)> {
    let tokens: Vec<&Token> = tokens
        .iter()
        .map(|token| &token.token)
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .collect();
    let call = |at: usize| {
        let is_call = matches!(tokens[at], Token::Word(word) if word.value.eq_ignore_ascii_case("read_files"));
        let arguments = tokens.get(at + 1..).filter(|_| is_call)?;
        match arguments {
            [Token::LParen, Token::SingleQuotedString(path), Token::RParen, ..] => {
                Some((path.clone(), "parquet".to_owned()))
            }
            [
                Token::LParen,
                Token::SingleQuotedString(path),
                Token::Comma,
                Token::SingleQuotedString(_),
                Token::Comma,
                Token::SingleQuotedString(format),
                ..,
            ] => Some((path.clone(), format.clone())),
            _ => None,
        }
    };
    (0..tokens.len()).filter_map(call).collect()
}

/// The files at a path as a table.
///
/// # Errors
/// When there is nothing, or nothing that can be read.
pub(crate) fn table_of(
    volumes: &Volumes,
    path: &str,
    format: &str,
    session: &dyn Session,
) -> Result<Arc<dyn TableProvider>, SqlError> {
    let format: Arc<dyn FileFormat> = match format.to_ascii_lowercase().as_str() {
        // Views would save a copy that every result here makes up for.
        "parquet" => Arc::new(ParquetFormat::default().with_force_view_types(false)),
        "csv" => Arc::new(CsvFormat::default().with_has_header(true)),
        "json" => Arc::new(JsonFormat::default()),
        _ => return Err(wrong_arguments()),
    };
    let files = volumes.find(path)?.files()?;
    let mut urls = Vec::with_capacity(files.len());
    for file in &files {
        urls.push(ListingTableUrl::parse(file.to_string_lossy())?);
    }
    let Some(first) = urls.first() else {
        let text = format!("No file could be read in {path}, so its columns are not known.");
        return Err(SqlError::new(Class::PATH_NOT_FOUND, text));
    };
    let options = ListingOptions::new(format).with_file_extension("");
    // The planner asks for tables synchronously. Other threads read the files, so that waiting here is no deadlock.
    let schema = futures::executor::block_on(options.infer_schema(session, first))?;
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config)?))
}

fn wrong_arguments() -> SqlError {
    SqlError::new(
        Class::INVALID_PARAMETER_VALUE,
        "read_files takes a path, and here only format => 'parquet', 'csv' or 'json'.",
    )
}

struct ReadFiles {
    volumes: Arc<Volumes>,
}

impl TableFunctionImpl for ReadFiles {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> PlanResult<Arc<dyn TableProvider>> {
        let texts: Option<Vec<&str>> = args.exprs().iter().map(text).collect();
        let (path, format) = match texts.as_deref() {
            Some([path]) => (*path, "parquet"),
            Some([path, name, format]) if name.eq_ignore_ascii_case("format") => (*path, *format),
            _ => return Err(wrong_arguments().into()),
        };
        Ok(table_of(&self.volumes, path, format, args.session())?)
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}

impl fmt::Debug for ReadFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadFiles").finish_non_exhaustive()
    }
}
