//! What a field says of its SQL type: the names under which other Databricks drivers keep it, and Arrow's extension types.
//!
//! `DATABRICKS:type` is the type as SQL writes it. The `databricks.*` keys hold what the manifest says besides, and
//! `Spark:DataType:SqlName` is the key of the vendor's older drivers. Extension types are those of the Arrow and GeoArrow
//! specifications.

use std::collections::HashMap;

use arrow_schema::DataType;
use arrow_schema::extension::{EXTENSION_TYPE_METADATA_KEY, EXTENSION_TYPE_NAME_KEY};
use databricks_wire::sea::ColumnInfo;

use super::SqlType;

/// The metadata of a column's field, whose data came or comes as `data_type`.
pub(crate) fn describe(column: &ColumnInfo, sql_type: &SqlType, data_type: &DataType) -> HashMap<String, String> {
    let text = |key: &str, value: String| (key.to_owned(), value);
    // A server may give the family only.
    let type_text = match column.type_text.as_str() {
        "" => sql_type.to_string(),
        given => given.to_owned(),
    };
    let mut found = HashMap::from([
        text("DATABRICKS:type", type_text.clone()),
        text("databricks.type_text", type_text.clone()),
        text("Spark:DataType:SqlName", type_text),
    ]);
    let given = [
        ("databricks.type_name", column.type_name.clone()),
        (
            "databricks.type_precision",
            column.type_precision.map(|digits| digits.to_string()),
        ),
        (
            "databricks.type_scale",
            column.type_scale.map(|digits| digits.to_string()),
        ),
        ("databricks.type_interval_type", column.type_interval_type.clone()),
    ];
    found.extend(given.into_iter().filter_map(|(key, value)| Some(text(key, value?))));
    if let Some((name, metadata)) = extension(sql_type, data_type) {
        found.insert(EXTENSION_TYPE_NAME_KEY.to_owned(), name.to_owned());
        found.insert(EXTENSION_TYPE_METADATA_KEY.to_owned(), metadata);
    }
    found
}

/// The extension type's name and metadata.
fn extension(sql_type: &SqlType, data_type: &DataType) -> Option<(&'static str, String)> {
    let shape = match data_type {
        DataType::Utf8 => "geoarrow.wkt",
        DataType::Binary => "geoarrow.wkb",
        _ => return None,
    };
    match (sql_type, data_type) {
        (SqlType::Variant, DataType::Utf8) => Some(("arrow.json", String::new())),
        // With one system per value the text keeps its `SRID=…;`, which is not well-known text.
        (SqlType::Geography(Some(srid)), _) => Some((shape, crs(*srid, true))),
        (SqlType::Geometry(Some(srid)), _) => Some((shape, crs(*srid, false))),
        _ => None,
    }
}

fn crs(srid: u32, on_the_globe: bool) -> String {
    let system = match srid {
        // 0 is the plane without a place on Earth.
        0 => None,
        srid => Some(format!(r#""crs":"EPSG:{srid}","crs_type":"authority_code""#)),
    };
    let edges = on_the_globe.then(|| r#""edges":"spherical""#.to_owned());
    let members: Vec<_> = system.into_iter().chain(edges).collect();
    format!("{{{}}}", members.join(","))
}
