//! What `SHOW CREATE TABLE` and the longer forms of `DESCRIBE` say.

use arrow::datatypes::{DataType, Field};
use serde_json::{Value, json};

use super::catalog::{Kind, Table};
use super::error::{Class, SqlError, quoted};
use super::information_schema::{COMMENT, Cell, OWNER};
use super::metadata::texts;
use super::plan::{Context, Place};
use super::session::Execution;
use super::types::{type_text, wire_type};

/// `SHOW CREATE TABLE`.
///
/// # Errors
/// When the table is not found, or is temporary.
pub(crate) async fn create_statement(context: &Context, name: &[String]) -> Result<Execution, SqlError> {
    let place = context.place(name)?;
    let table = place.table().await?;
    if place.is_temporary() && table.kind == Kind::View {
        return Err(SqlError::new(
            Class::SHOW_CREATE_TEMPORARY_VIEW,
            format!(
                "SHOW CREATE TABLE is not supported on the temporary view {}.",
                place.quoted()
            ),
        ));
    }
    let text = match table.kind {
        Kind::View => view_statement(&place, &table),
        Kind::Managed | Kind::External | Kind::System => table_statement(context, &place, &table),
    };
    texts(&["createtab_stmt"], vec![vec![text.into()]])
}

fn view_statement(place: &Place, table: &Table) -> String {
    let columns: Vec<String> = table
        .provider
        .schema()
        .fields()
        .iter()
        .map(|field| format!("  {}", quoted(&[field.name()])))
        .collect();
    let comment = comment_clause(table.comment.as_deref());
    let definition = table.provider.get_table_definition().unwrap_or_default();
    format!(
        "CREATE VIEW {} (\n{})\n{comment}AS {definition}\n",
        place.quoted(),
        columns.join(",\n")
    )
}

fn table_statement(context: &Context, place: &Place, table: &Table) -> String {
    let schema = table.provider.schema();
    let mut lines: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
            let comment = field.metadata().get(COMMENT);
            let comment = comment.map(|comment| format!(" COMMENT {}", literal(comment)));
            format!(
                "  {} {}{not_null}{}",
                quoted(&[field.name()]),
                type_text(&wire_type(field.data_type(), &context.settings.time_zone)),
                comment.unwrap_or_default()
            )
        })
        .collect();
    for key in &table.constraints {
        let name = quoted(&[key.name.as_str()]);
        let columns = names(&key.columns);
        lines.push(match &key.parent {
            None => format!("  CONSTRAINT {name} PRIMARY KEY ({columns})"),
            Some(parent) => format!(
                "  CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {} ({})",
                quoted(&[parent.catalog.as_str(), parent.schema.as_str(), parent.table.as_str()]),
                names(&parent.columns)
            ),
        });
    }
    let kind = if place.is_temporary() {
        "TEMPORARY TABLE"
    } else {
        "TABLE"
    };
    format!(
        "CREATE {kind} {} (\n{})\nUSING delta\n{}",
        place.quoted(),
        lines.join(",\n"),
        comment_clause(table.comment.as_deref())
    )
}

fn names(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| quoted(&[column])).collect();
    columns.join(", ")
}

fn comment_clause(comment: Option<&str>) -> String {
    comment
        .map(|comment| format!("COMMENT {}\n", literal(comment)))
        .unwrap_or_default()
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// `DESCRIBE SCHEMA`.
///
/// # Errors
/// `SCHEMA_NOT_FOUND`.
pub(crate) fn schema(context: &Context, name: &[String]) -> Result<Execution, SqlError> {
    let (catalog, schema) = match name {
        [catalog, schema] => (catalog, schema),
        [schema] => (&context.settings.catalog, schema),
        _ => {
            return Err(SqlError::new(
                Class::PARSE_SYNTAX_ERROR,
                "A schema has a name of one or two parts.",
            ));
        }
    };
    let catalog = context.catalogs.named(catalog)?;
    let schema = catalog.named(schema)?;
    pairs(
        ["database_description_item", "database_description_value"],
        &[
            ("Catalog Name", &catalog.name),
            ("Namespace Name", &schema.name),
            ("Comment", &schema.comment),
            ("Location", ""),
            ("Owner", OWNER),
        ],
    )
}

/// `DESCRIBE CATALOG`.
///
/// # Errors
/// `NO_SUCH_CATALOG_EXCEPTION`.
pub(crate) fn catalog(context: &Context, name: &str) -> Result<Execution, SqlError> {
    let catalog = context.catalogs.named(name)?;
    pairs(
        ["info_name", "info_value"],
        &[
            ("Catalog Name", &catalog.name),
            ("Comment", catalog.comment),
            ("Owner", OWNER),
        ],
    )
}

fn pairs(columns: [&str; 2], rows: &[(&str, &str)]) -> Result<Execution, SqlError> {
    let rows = rows.iter().map(|&(name, value)| vec![name.into(), value.into()]);
    texts(&columns, rows.collect::<Vec<Vec<Cell>>>())
}

/// `DESCRIBE TABLE EXTENDED … AS JSON`.
///
/// # Errors
/// When the table is not found.
pub(crate) async fn as_json(context: &Context, name: &[String]) -> Result<Execution, SqlError> {
    let place = context.place(name)?;
    let table = place.table().await?;
    let zone = &context.settings.time_zone;
    let columns: Vec<Value> = table
        .provider
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let mut column = json!({
                "name": field.name(),
                "type": type_json(&wire_type(field.data_type(), zone)),
                "nullable": field.is_nullable(),
            });
            if let Some(comment) = field.metadata().get(COMMENT) {
                column["comment"] = comment.as_str().into();
            }
            column
        })
        .collect();
    let mut description = json!({
        "table_name": table.name,
        "catalog_name": place.catalog,
        "namespace": [place.schema.name],
        "schema_name": place.schema.name,
        "columns": columns,
        "owner": OWNER,
        "type": table.kind.information_name(),
    });
    if let Some(comment) = &table.comment {
        description["comment"] = comment.as_str().into();
    }
    if let Some(definition) = table.provider.get_table_definition() {
        description["view_text"] = definition.into();
    }
    if table.kind == Kind::Managed {
        description["provider"] = "delta".into();
    }
    texts(&["json_metadata"], vec![vec![description.to_string().into()]])
}

/// A type as an object: its name in lower case, and what it is made of.
fn type_json(data_type: &DataType) -> Value {
    let field = |field: &Field| json!({ "name": field.name(), "type": type_json(field.data_type()), "nullable": field.is_nullable() });
    match data_type {
        DataType::Decimal128(precision, scale) => {
            json!({ "name": "decimal", "precision": precision, "scale": scale })
        }
        DataType::List(element) => json!({
            "name": "array",
            "element_type": type_json(element.data_type()),
            "element_nullable": element.is_nullable(),
        }),
        DataType::Struct(fields) => {
            let fields: Vec<Value> = fields.iter().map(|inner| field(inner)).collect();
            json!({ "name": "struct", "fields": fields })
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => json!({
                "name": "map",
                "key_type": type_json(fields[0].data_type()),
                "value_type": type_json(fields[1].data_type()),
                "value_nullable": fields[1].is_nullable(),
            }),
            _ => json!({ "name": "map" }),
        },
        DataType::Timestamp(_, Some(_)) => json!({ "name": "timestamp_ltz" }),
        other => {
            let text = type_text(other).to_lowercase();
            match text.strip_prefix("interval ") {
                Some(units) => {
                    let (start, end) = units.split_once(" to ").unwrap_or((units, units));
                    json!({ "name": "interval", "start_unit": start, "end_unit": end })
                }
                None => json!({ "name": text }),
            }
        }
    }
}
