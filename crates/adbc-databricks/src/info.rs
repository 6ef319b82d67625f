//! What the driver says about itself and the vendor. Only the vendor's version is the server's to tell.

use std::collections::HashSet;
use std::sync::Arc;

use adbc_core::options::InfoCode;
use adbc_core::{constants, schemas};
use arrow_array::builder::{BooleanBuilder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchIterator, StringArray, UInt32Array, UnionArray, new_empty_array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{ArrowError, DataType, SchemaRef};

use crate::error::{Error, Result};
use crate::metadata;

/// The Arrow implementation's version, as Cargo.lock pins it.
const ARROW_VERSION: &str = "v59.3.2";

pub(crate) type OneBatch = RecordBatchIterator<std::option::IntoIter<Result<RecordBatch, ArrowError>>>;

/// One value of the `info_value` union.
#[derive(Clone, Copy)]
enum Fact {
    Text(Option<&'static str>),
    VendorVersion,
    Flag(bool),
    Number(i64),
}

/// Every standard code. Facts that nobody knows are null rather than missing.
const FACTS: [(InfoCode, Fact); 11] = [
    (InfoCode::VendorName, Fact::Text(Some("Databricks"))),
    (InfoCode::VendorVersion, Fact::VendorVersion),
    (InfoCode::VendorArrowVersion, Fact::Text(None)),
    (InfoCode::VendorSql, Fact::Flag(true)),
    (InfoCode::VendorSubstrait, Fact::Flag(false)),
    (InfoCode::VendorSubstraitMinVersion, Fact::Text(None)),
    (InfoCode::VendorSubstraitMaxVersion, Fact::Text(None)),
    (InfoCode::DriverName, Fact::Text(Some("ADBC Databricks Driver (Rust)"))),
    (
        InfoCode::DriverVersion,
        Fact::Text(Some(concat!("v", env!("CARGO_PKG_VERSION")))),
    ),
    (InfoCode::DriverArrowVersion, Fact::Text(Some(ARROW_VERSION))),
    (
        InfoCode::DriverAdbcVersion,
        Fact::Number(constants::ADBC_VERSION_1_1_0 as i64),
    ),
];

/// The answer to `get_info`: the facts of these codes, or all. Unknown codes are left out. `vendor_version` is asked only if it is
/// one of the facts.
///
/// # Errors
/// What `vendor_version` says; `Internal` if the batch does not fit ADBC's schema, which a test excludes.
pub(crate) fn reader(
    codes: Option<&HashSet<InfoCode>>,
    vendor_version: impl Fn() -> Result<Option<String>>,
) -> Result<OneBatch> {
    let wanted = FACTS
        .iter()
        .filter(|(code, _)| codes.is_none_or(|codes| codes.contains(code)));
    let mut names = Vec::new();
    let (mut type_ids, mut offsets) = (Vec::<i8>::new(), Vec::<i32>::new());
    let (mut texts, mut flags, mut numbers) = (StringBuilder::new(), BooleanBuilder::new(), Int64Builder::new());
    let mut lengths = [0_i32; 3];
    for (code, fact) in wanted {
        names.push(u32::from(code));
        let kind = match fact {
            Fact::Text(text) => {
                texts.append_option(*text);
                0
            }
            Fact::VendorVersion => {
                texts.append_option(vendor_version()?);
                0
            }
            Fact::Flag(flag) => {
                flags.append_value(*flag);
                1
            }
            Fact::Number(number) => {
                numbers.append_value(*number);
                2
            }
        };
        type_ids.push(kind);
        offsets.push(lengths[kind as usize]);
        lengths[kind as usize] += 1;
    }
    let schema = Arc::clone(&schemas::GET_INFO_SCHEMA);
    let DataType::Union(fields, _) = schema.field(1).data_type() else {
        return Err(Error::internal("ADBC's info schema has no union"));
    };
    let children = fields.iter().map(|(id, field)| -> ArrayRef {
        match id {
            0 => Arc::new(texts.finish()),
            1 => Arc::new(flags.finish()),
            2 => Arc::new(numbers.finish()),
            _ => new_empty_array(field.data_type()),
        }
    });
    let children = children.collect();
    let values = UnionArray::try_new(
        fields.clone(),
        ScalarBuffer::from(type_ids),
        Some(ScalarBuffer::from(offsets)),
        children,
    )
    .map_err(|error| Error::internal(error.to_string()))?;
    one_batch(schema, vec![Arc::new(UInt32Array::from(names)), Arc::new(values)])
}

/// The answer to `get_table_types`.
///
/// # Errors
/// `Internal`, as [`reader`].
pub(crate) fn table_types() -> Result<OneBatch> {
    let types = StringArray::from_iter_values(metadata::TABLE_TYPES);
    one_batch(Arc::clone(&schemas::GET_TABLE_TYPES_SCHEMA), vec![Arc::new(types)])
}

/// A reader of one batch that is here already.
pub(crate) fn of_batch(batch: RecordBatch) -> OneBatch {
    let schema = batch.schema();
    RecordBatchIterator::new(Some(Ok(batch)).into_iter(), schema)
}

fn one_batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<OneBatch> {
    let batch = RecordBatch::try_new(schema, columns).map_err(|error| Error::internal(error.to_string()))?;
    Ok(of_batch(batch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(codes: Option<&HashSet<InfoCode>>) -> Vec<u32> {
        use arrow_array::cast::AsArray;
        let batch = reader(codes, || Ok(None)).unwrap().next().unwrap().unwrap();
        batch
            .column(0)
            .as_primitive::<arrow_array::types::UInt32Type>()
            .values()
            .to_vec()
    }

    #[test]
    fn every_standard_code_is_answered_and_unknown_ones_are_left_out() {
        assert_eq!(names(None), [0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 103]);
        let some = HashSet::from([
            InfoCode::DriverAdbcVersion,
            InfoCode::VendorSql,
            InfoCode::Other(12_345),
        ]);
        assert_eq!(names(Some(&some)), [3, 103]);
    }

    #[test]
    fn the_arrow_version_is_the_one_in_the_lockfile() {
        let lock = include_str!("../../../Cargo.lock");
        let version = ARROW_VERSION.trim_start_matches('v');
        assert!(lock.contains(&format!("name = \"arrow-array\"\nversion = \"{version}\"")));
    }
}
