//! Questions to the server that the driver asks on its own: current names, schemas of queries and tables.

mod ask;
mod described;
mod listing;
pub(crate) mod objects;
mod pattern;
pub(crate) mod statistics;
mod tree;

use arrow_schema::{Field, Schema};
use databricks_wire::sea::{ColumnInfo, Parameter};

use crate::error::{Error, ErrorKind, Result};
use crate::observe::Purpose;
use crate::types::{self, SqlType};
use ask::is_refusal;
pub(crate) use ask::{Asker, quoted};
use described::Described;
pub(crate) use listing::TABLE_TYPES;
use pattern::Pattern;

/// The columns that a query would return.
///
/// # Errors
/// The server's, if the query is wrong.
pub(crate) fn describe(asker: &Asker<'_>, sql: &str, parameters: Vec<Parameter>, purpose: Purpose) -> Result<Schema> {
    let answer = asker.ask(format!("DESCRIBE QUERY {sql}"), parameters, purpose)?;
    let [name, type_text] = [answer.need(&["col_name"])?, answer.need(&["data_type"])?];
    let comment = answer.place(&["comment"]);
    let fields = answer.rows.into_iter().map(|mut row| {
        let mut take = |place: usize| row.get_mut(place).and_then(Option::take);
        let (Some(name), Some(type_text)) = (take(name), take(type_text)) else {
            return Err(Error::result_set("the server described a column without name or type"));
        };
        let comment = comment.and_then(take).filter(|comment| !comment.is_empty());
        // Of a query it is not told what can be null.
        Ok(field(&name, &type_text, comment, true))
    });
    Ok(Schema::new(fields.collect::<Result<Vec<_>>>()?))
}

/// The field of a column with this type.
fn field(name: &str, type_text: &str, comment: Option<String>, nullable: bool) -> Field {
    let sql_type = SqlType::parse(type_text);
    let data_type = sql_type.to_arrow();
    // `DESCRIBE` writes types in lower case, results in upper case.
    let column = ColumnInfo {
        type_text: sql_type.to_string(),
        ..ColumnInfo::default()
    };
    let mut metadata = types::describe(&column, &sql_type, &data_type);
    metadata.extend(comment.map(|comment| ("comment".to_owned(), comment)));
    Field::new(name, data_type, nullable).with_metadata(metadata)
}

/// The columns of a table, named by catalog, schema and table as far as given. A column that is NOT NULL is not nullable.
///
/// # Errors
/// `NotFound` when there is no such table; `InvalidArgument` for a catalog without a schema, which names no place.
///
/// # Blocking
/// For one statement. For a second one where the server does not describe the table as JSON (it is older, or the name is a temporary view's);
/// then every column is nullable.
pub(crate) fn table_schema(
    asker: &Asker<'_>,
    catalog: Option<&str>,
    schema: Option<&str>,
    table: &str,
) -> Result<Schema> {
    let given = |name: Option<&str>| name.filter(|name| !name.is_empty()).map(quoted);
    let (catalog, schema) = (given(catalog), given(schema));
    if catalog.is_some() && schema.is_none() {
        return Err(Error::invalid_argument(
            "a table is looked for in a schema: name the schema as well as the catalog, or neither",
        ));
    }
    if table.is_empty() {
        return Err(Error::invalid_argument("the table's name is empty"));
    }
    let name: Vec<String> = catalog.into_iter().chain(schema).chain([quoted(table)]).collect();
    let name = name.join(".");
    match described(asker, &name) {
        Ok(Some(schema)) => Ok(schema),
        Err(error) if error.kind() == ErrorKind::NotFound || !is_refusal(&error) => Err(error),
        _ => describe(asker, &format!("SELECT * FROM {name}"), Vec::new(), Purpose::COLUMNS),
    }
}

/// The columns of a table with what can be null in it, if the server tells.
fn described(asker: &Asker<'_>, name: &str) -> Result<Option<Schema>> {
    let sql = format!("DESCRIBE TABLE EXTENDED {name} AS JSON");
    let answer = asker.ask(sql, Vec::new(), Purpose::COLUMNS)?;
    let json = answer.place(&["json_metadata"]).and_then(|place| {
        let row = answer.rows.first()?;
        row.get(place)?.as_deref()
    });
    let Some(described) = json.and_then(Described::read) else {
        return Ok(None);
    };
    let fields = described.columns.into_iter().map(|column| {
        let comment = column.comment.filter(|comment| !comment.is_empty());
        field(
            &column.name,
            &column.described_type.to_string(),
            comment,
            column.nullable,
        )
    });
    Ok(Some(Schema::new(fields.collect::<Vec<_>>())))
}

/// Whether a name of one part that means something means a lasting table or view, and none of the session's own.
///
/// `SHOW TABLES` lists both. Of a name that it does not list, the thing is the session's: nothing else is out of the schema.
///
/// # Errors
/// The server's.
pub(crate) fn is_lasting(asker: &Asker<'_>, name: &str) -> Result<bool> {
    let like = Pattern::new(Some(name)).hive();
    let like = like.map(|pattern| format!(" LIKE {pattern}")).unwrap_or_default();
    let answer = asker.ask(format!("SHOW TABLES{like}"), Vec::new(), Purpose::INTERNAL)?;
    let [table, temporary] = [answer.need(&["tablename"])?, answer.need(&["istemporary"])?];
    let (mut lasting, name) = (false, name.to_lowercase());
    for row in answer.rows {
        let cell = |place: usize| row.get(place).and_then(Option::as_deref).unwrap_or_default();
        if cell(table).to_lowercase() == name {
            if cell(temporary).eq_ignore_ascii_case("true") {
                return Ok(false);
            }
            lasting = true;
        }
    }
    Ok(lasting)
}

/// The catalog and schema that names start in.
///
/// # Errors
/// The server's.
pub(crate) fn current_namespace(asker: &Asker<'_>) -> Result<(String, String)> {
    let sql = "SELECT current_catalog(), current_schema()".to_owned();
    let answer = asker.ask(sql, Vec::new(), Purpose::INTERNAL)?;
    let mut cells = answer.rows.into_iter().flatten();
    match (cells.next().flatten(), cells.next().flatten()) {
        (Some(catalog), Some(schema)) => Ok((catalog, schema)),
        _ => Err(Error::result_set(
            "the server did not name the current catalog and schema",
        )),
    }
}

/// The version of Databricks SQL, or of the runtime where the server is a cluster. `None` when it does not say.
///
/// See <https://docs.databricks.com/aws/en/sql/language-manual/functions/current_version>.
///
/// # Errors
/// The server could not be asked.
pub(crate) fn vendor_version(asker: &Asker<'_>) -> Result<Option<String>> {
    let sql = "SELECT coalesce(current_version().dbsql_version, current_version().dbr_version)".to_owned();
    match asker.ask(sql, Vec::new(), Purpose::INTERNAL) {
        Ok(answer) => Ok(answer.rows.into_iter().flatten().next().flatten()),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Moves the session to a catalog.
///
/// # Errors
/// `NotFound` when there is none of this name.
pub(crate) fn use_catalog(asker: &Asker<'_>, name: &str) -> Result<()> {
    let sql = format!("USE CATALOG {}", quoted(name));
    asker.ask(sql, Vec::new(), Purpose::INTERNAL).map(drop)
}

/// Moves the session to a schema of the current catalog.
///
/// # Errors
/// `NotFound` when there is none of this name.
pub(crate) fn use_schema(asker: &Asker<'_>, name: &str) -> Result<()> {
    let sql = format!("USE SCHEMA {}", quoted(name));
    asker.ask(sql, Vec::new(), Purpose::INTERNAL).map(drop)
}
