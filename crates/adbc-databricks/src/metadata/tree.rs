//! What there is in a workspace, and its form in Arrow: the nested schema of ADBC's `get_objects`.

use std::collections::BTreeMap;
use std::sync::Arc;

use adbc_core::options::ObjectDepth;
use adbc_core::schemas;
use arrow_array::{
    ArrayRef, BooleanArray, Int16Array, Int32Array, ListArray, RecordBatch, StringArray, StructArray, new_null_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::types::{SqlType, Xdbc};

/// Names in lower case to what has them: names are found in any case, and listed in order.
pub(super) type Named<T> = BTreeMap<String, T>;

#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) name: String,
    pub(super) schemas: Named<Schema>,
}

#[derive(Debug, Default)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) tables: Named<Table>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) name: String,
    /// As in `get_table_types`.
    pub(super) kind: &'static str,
    /// In order.
    pub(super) columns: Vec<Column>,
    pub(super) constraints: Vec<Constraint>,
}

#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) name: String,
    /// From 1.
    pub(super) position: Option<i32>,
    pub(super) remarks: Option<String>,
    /// As SQL writes it.
    pub(super) type_text: Option<String>,
    pub(super) default: Option<String>,
    pub(super) nullable: Option<bool>,
    pub(super) autoincrement: Option<bool>,
    pub(super) generated: Option<bool>,
}

#[derive(Debug, Default)]
pub(super) struct Constraint {
    pub(super) name: String,
    /// `PRIMARY KEY`, `FOREIGN KEY`, `CHECK` or `UNIQUE`.
    pub(super) kind: String,
    /// In the order of the key.
    pub(super) columns: Vec<String>,
    /// The parent's columns of a foreign key, in the same order; `None` when it has none or they may not be seen.
    pub(super) usage: Option<Vec<Usage>>,
}

#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) catalog: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) table: String,
    pub(super) column: String,
}

/// The tree as a batch of `GET_OBJECTS_SCHEMA`: lists below `depth` are null, those at `depth` are not.
///
/// # Errors
/// `Internal` if the arrays do not fit ADBC's schema, which tests exclude.
pub(super) fn batch(catalogs: &Named<Catalog>, depth: ObjectDepth) -> Result<RecordBatch> {
    let level = level(depth);
    let catalogs: Vec<&Catalog> = catalogs.values().collect();
    let schemas: Vec<&Schema> = catalogs.iter().flat_map(|catalog| catalog.schemas.values()).collect();
    let schema = Arc::clone(&schemas::GET_OBJECTS_SCHEMA);
    let lists = match level {
        0 => new_null_array(schema.field(1).data_type(), catalogs.len()),
        _ => list(
            schema.field(1).data_type(),
            catalogs.iter().map(|catalog| catalog.schemas.len()),
            schemas_array(&schemas, level)?,
        )?,
    };
    let names = strings(catalogs.iter().map(|catalog| Some(catalog.name.as_str())));
    RecordBatch::try_new(schema, vec![names, lists]).map_err(Error::unfit)
}

fn level(depth: ObjectDepth) -> usize {
    match depth {
        ObjectDepth::Catalogs => 0,
        ObjectDepth::Schemas => 1,
        ObjectDepth::Tables => 2,
        ObjectDepth::All | ObjectDepth::Columns => 3,
    }
}

fn schemas_array(all: &[&Schema], level: usize) -> Result<ArrayRef> {
    let tables: Vec<&Table> = all.iter().flat_map(|schema| schema.tables.values()).collect();
    let list_type = DataType::new_list(schemas::TABLE_SCHEMA.clone(), true);
    let lists = match level {
        0 | 1 => new_null_array(&list_type, all.len()),
        _ => list(
            &list_type,
            all.iter().map(|schema| schema.tables.len()),
            tables_array(&tables, level)?,
        )?,
    };
    let names = strings(all.iter().map(|schema| Some(schema.name.as_str())));
    structs(&schemas::OBJECTS_DB_SCHEMA_SCHEMA, vec![names, lists])
}

fn tables_array(all: &[&Table], level: usize) -> Result<ArrayRef> {
    let columns_type = DataType::new_list(schemas::COLUMN_SCHEMA.clone(), true);
    let constraints_type = DataType::new_list(schemas::CONSTRAINT_SCHEMA.clone(), true);
    let (columns, constraints) = if level < 3 {
        (
            new_null_array(&columns_type, all.len()),
            new_null_array(&constraints_type, all.len()),
        )
    } else {
        let columns: Vec<&Column> = all.iter().flat_map(|table| &table.columns).collect();
        let constraints: Vec<&Constraint> = all.iter().flat_map(|table| &table.constraints).collect();
        (
            list(
                &columns_type,
                all.iter().map(|table| table.columns.len()),
                columns_array(&columns)?,
            )?,
            list(
                &constraints_type,
                all.iter().map(|table| table.constraints.len()),
                constraints_array(&constraints)?,
            )?,
        )
    };
    let names = strings(all.iter().map(|table| Some(table.name.as_str())));
    let kinds = strings(all.iter().map(|table| Some(table.kind)));
    structs(&schemas::TABLE_SCHEMA, vec![names, kinds, columns, constraints])
}

fn columns_array(all: &[&Column]) -> Result<ArrayRef> {
    let types: Vec<Option<SqlType>> = all
        .iter()
        .map(|column| column.type_text.as_deref().map(SqlType::parse))
        .collect();
    let numbers: Vec<Option<Xdbc>> = types.iter().map(|known| known.as_ref().map(Xdbc::of)).collect();
    let small = |of: fn(&Xdbc) -> Option<i16>| -> ArrayRef {
        let cells = numbers.iter().map(|numbers| numbers.as_ref().and_then(of));
        Arc::new(Int16Array::from_iter(cells))
    };
    let large = |of: fn(&Xdbc) -> Option<i32>| -> ArrayRef {
        let cells = numbers.iter().map(|numbers| numbers.as_ref().and_then(of));
        Arc::new(Int32Array::from_iter(cells))
    };
    let texts = |of: fn(&Column) -> Option<&str>| strings(all.iter().map(|column| of(column)));
    let flags = |of: fn(&Column) -> Option<bool>| -> ArrayRef {
        Arc::new(all.iter().map(|column| of(column)).collect::<BooleanArray>())
    };
    // JDBC's columnNoNulls and columnNullable.
    let nullable = all.iter().map(|column| column.nullable.map(i16::from));
    let nobody = || new_null_array(&DataType::Utf8, all.len());
    let arrays: Vec<ArrayRef> = vec![
        texts(|column| Some(&column.name)),
        Arc::new(all.iter().map(|column| column.position).collect::<Int32Array>()),
        texts(|column| column.remarks.as_deref()),
        small(|numbers| Some(numbers.data_type)),
        texts(|column| column.type_text.as_deref()),
        large(|numbers| numbers.column_size),
        small(|numbers| numbers.decimal_digits),
        small(|numbers| numbers.num_prec_radix),
        Arc::new(nullable.collect::<Int16Array>()),
        texts(|column| column.default.as_deref()),
        small(|numbers| Some(numbers.sql_data_type)),
        small(|numbers| numbers.datetime_sub),
        large(|numbers| numbers.char_octet_length),
        texts(|column| column.nullable.map(|nullable| if nullable { "YES" } else { "NO" })),
        nobody(),
        nobody(),
        nobody(),
        flags(|column| column.autoincrement),
        flags(|column| column.generated),
    ];
    structs(&schemas::COLUMN_SCHEMA, arrays)
}

fn constraints_array(all: &[&Constraint]) -> Result<ArrayRef> {
    let names = strings(all.iter().map(|constraint| Some(constraint.name.as_str())));
    let kinds = strings(all.iter().map(|constraint| Some(constraint.kind.as_str())));
    let columns = strings(
        all.iter()
            .flat_map(|constraint| constraint.columns.iter().map(|column| Some(column.as_str()))),
    );
    let columns = list(
        &DataType::new_list(DataType::Utf8, true),
        all.iter().map(|constraint| constraint.columns.len()),
        columns,
    )?;
    let usages: Vec<&Usage> = all
        .iter()
        .flat_map(|constraint| constraint.usage.iter().flatten())
        .collect();
    let usage = structs(
        &schemas::USAGE_SCHEMA,
        vec![
            strings(usages.iter().map(|usage| usage.catalog.as_deref())),
            strings(usages.iter().map(|usage| usage.schema.as_deref())),
            strings(usages.iter().map(|usage| Some(usage.table.as_str()))),
            strings(usages.iter().map(|usage| Some(usage.column.as_str()))),
        ],
    )?;
    let DataType::List(item) = DataType::new_list(schemas::USAGE_SCHEMA.clone(), true) else {
        return Err(Error::internal("a list type is not a list"));
    };
    let lengths = all
        .iter()
        .map(|constraint| constraint.usage.as_ref().map_or(0, Vec::len));
    let present = all.iter().map(|constraint| constraint.usage.is_some()).collect();
    let usage = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), usage, Some(present));
    let usage = Arc::new(usage.map_err(Error::unfit)?);
    structs(&schemas::CONSTRAINT_SCHEMA, vec![names, kinds, columns, usage])
}

fn strings<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}

/// # Errors
/// As [`batch`].
pub(super) fn structs(data_type: &DataType, arrays: Vec<ArrayRef>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = data_type else {
        return Err(Error::internal("one of ADBC's struct types is not a struct"));
    };
    Ok(Arc::new(
        StructArray::try_new(fields.clone(), arrays, None).map_err(Error::unfit)?,
    ))
}

/// # Errors
/// As [`batch`].
pub(super) fn list(data_type: &DataType, lengths: impl Iterator<Item = usize>, values: ArrayRef) -> Result<ArrayRef> {
    let DataType::List(item) = data_type else {
        return Err(Error::internal("one of ADBC's list types is not a list"));
    };
    let offsets = OffsetBuffer::from_lengths(lengths);
    let array = ListArray::try_new(Arc::clone(item), offsets, values, None).map_err(Error::unfit)?;
    Ok(Arc::new(array))
}
