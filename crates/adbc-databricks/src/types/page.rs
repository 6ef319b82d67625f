//! The page about types, from the code that maps them.

use std::fmt::Write as _;

use arrow_schema::DataType;
use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use databricks_wire::sea::ColumnInfo;

use super::{SqlType, Xdbc, describe};

/// Every type that Databricks documents, as SQL writes it.
/// See <https://docs.databricks.com/sql/language-manual/sql-ref-datatypes.html>.
const DOCUMENTED: [&str; 28] = [
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL(10,2)",
    "STRING",
    "VARCHAR(10)",
    "CHAR(3)",
    "BINARY",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_NTZ",
    "INTERVAL YEAR TO MONTH",
    "INTERVAL DAY TO SECOND",
    "ARRAY<INT>",
    "MAP<STRING, INT>",
    "STRUCT<a: INT, b: STRING NOT NULL>",
    "VOID",
    "VARIANT",
    "OBJECT",
    "GEOGRAPHY(4326)",
    "GEOGRAPHY(ANY)",
    "GEOMETRY(0)",
    "GEOMETRY(3857)",
    "GEOMETRY(ANY)",
];

const HEAD: &str = "# Types

What a result's column of each Databricks type is in Arrow, and the number by which `get_objects` and applications written for ODBC and
JDBC know it. It is the same whether results come as Arrow or as JSON, and whether there are rows or none. This page is generated from
the code: `cargo run -p adbc-databricks --example types_catalogue > docs/types.md`.

| Databricks | Arrow | extension type | XDBC | size | digits |
|---|---|---|---|---|---|
";

const FOOT: &str = "
Timestamps have the zone of the session; where no data says which one that is, the zone is `Etc/UTC`. They are instants all the same.
Names of the items of lists are the server's.

## Field metadata

| key | value |
|---|---|
| `DATABRICKS:type` | the type as SQL writes it, `DECIMAL(10,2)` |
| `databricks.type_text`, `Spark:DataType:SqlName` | the same, under the names that the vendor's drivers use |
| `databricks.type_name` | its family: `DECIMAL`, `LONG` |
| `databricks.type_precision`, `databricks.type_scale`, `databricks.type_interval_type` | what belongs to it, if anything does |
| `comment` | the column's comment, in table schemas |
| `ARROW:extension:name`, `ARROW:extension:metadata` | the extension type |

`VARIANT` is delivered as JSON text, hence `arrow.json`. `GEOGRAPHY` and `GEOMETRY` are delivered as well-known text; the spatial reference
system of the type is in the extension's metadata, and `SRID=…;` before a value is taken off. With `ANY` each value has a system of its
own, keeps its prefix, and is plain text.
";

/// The page `docs/types.md`.
pub fn types_page_markdown() -> String {
    let mut page = HEAD.to_owned();
    for text in DOCUMENTED {
        let sql_type = SqlType::parse(text);
        let data_type = sql_type.to_arrow();
        let metadata = describe(&ColumnInfo::default(), &sql_type, &data_type);
        let extension = metadata.get(EXTENSION_TYPE_NAME_KEY).map(|name| format!("`{name}`"));
        let xdbc = Xdbc::of(&sql_type);
        let number = |number: Option<i32>| match number {
            Some(i32::MAX) => "2³¹−1".to_owned(),
            Some(number) => number.to_string(),
            None => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{text}` | `{}` | {} | {} | {} | {} |",
            arrow(&data_type),
            extension.unwrap_or_default(),
            xdbc.data_type,
            number(xdbc.column_size),
            number(xdbc.decimal_digits.map(i32::from)),
        );
    }
    page + FOOT
}

/// An Arrow type in short.
fn arrow(data_type: &DataType) -> String {
    match data_type {
        DataType::List(item) => format!("List<{}>", arrow(item.data_type())),
        DataType::Map(entries, _) => arrow(entries.data_type()).replacen("Struct", "Map", 1),
        DataType::Struct(fields) => {
            let types: Vec<String> = fields
                .iter()
                .map(|field| {
                    let not_null = if field.is_nullable() { "" } else { " not null" };
                    format!("{}: {}{not_null}", field.name(), arrow(field.data_type()))
                })
                .collect();
            format!("Struct<{}>", types.join(", "))
        }
        DataType::Timestamp(_, zone) => match zone {
            Some(_) => "Timestamp(µs, session's zone)".to_owned(),
            None => "Timestamp(µs)".to_owned(),
        },
        other => other.to_string(),
    }
}
