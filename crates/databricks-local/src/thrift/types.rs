//! What a result's columns are in Thrift: `TTableSchema`, made of what the statement API's manifest says.

use databricks_wire::sea::ColumnInfo;

use super::write::Struct;

/// `TTypeId`
const STRING: i32 = 7;
const DECIMAL: i32 = 15;

/// `TTableSchema`
pub(super) fn schema(columns: &[ColumnInfo]) -> Struct {
    let columns = columns.iter().zip(1..).map(|(column, position)| {
        Struct::default()
            .text(1, &column.name)
            .structure(2, type_of(column))
            .i32(3, position)
    });
    Struct::default().structures(1, columns.collect())
}

/// `TTypeDesc`: one entry, since Databricks says no more of complex types than that they are.
fn type_of(column: &ColumnInfo) -> Struct {
    let id = type_id(column);
    let mut entry = Struct::default().i32(1, id);
    if id == DECIMAL {
        let value = |value: Option<u32>| Struct::default().i32(1, value.unwrap_or(0) as i32);
        let qualifiers = [
            ("precision", value(column.type_precision)),
            ("scale", value(column.type_scale)),
        ];
        entry = entry.structure(2, Struct::default().structure_map(1, qualifiers));
    }
    Struct::default().structures(1, vec![Struct::default().structure(1, entry)])
}

/// `TTypeId`. There is none for `TIMESTAMP_NTZ`.
fn type_id(column: &ColumnInfo) -> i32 {
    match column.type_name.as_deref().unwrap_or_default() {
        "BOOLEAN" => 0,
        "BYTE" => 1,
        "SHORT" => 2,
        "INT" => 3,
        "LONG" => 4,
        "FLOAT" => 5,
        "DOUBLE" => 6,
        "TIMESTAMP" | "TIMESTAMP_NTZ" => 8,
        "BINARY" => 9,
        "ARRAY" => 10,
        "MAP" => 11,
        "STRUCT" => 12,
        "DECIMAL" => DECIMAL,
        "NULL" => 16,
        "DATE" => 17,
        "INTERVAL" if column.type_text.contains("MONTH") => 20,
        "INTERVAL" => 21,
        _ => STRING,
    }
}
