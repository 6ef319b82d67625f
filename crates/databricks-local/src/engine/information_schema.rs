//! The `information_schema` that every catalog has.

use std::sync::{Arc, Weak};

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::catalog::{Catalog, Catalogs, Kind, Table};
use super::constraint::Constraint;
use super::error::SqlError;
use super::types::{type_name, type_text};

/// The schema's name.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";
/// Everything here belongs to the same made-up owner.
pub(crate) const OWNER: &str = "local";

#[derive(Clone, Copy, Debug)]
enum View {
    Catalogs,
    Columns,
    KeyColumnUsage,
    Parameters,
    ReferentialConstraints,
    Routines,
    Schemata,
    TableConstraints,
    Tables,
    Views,
}

const STRING: DataType = DataType::Utf8;
const INT: DataType = DataType::Int32;

impl View {
    const ALL: [Self; 10] = [
        Self::Catalogs,
        Self::Columns,
        Self::KeyColumnUsage,
        Self::Parameters,
        Self::ReferentialConstraints,
        Self::Routines,
        Self::Schemata,
        Self::TableConstraints,
        Self::Tables,
        Self::Views,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Catalogs => "catalogs",
            Self::Columns => "columns",
            Self::KeyColumnUsage => "key_column_usage",
            Self::Parameters => "parameters",
            Self::ReferentialConstraints => "referential_constraints",
            Self::Routines => "routines",
            Self::Schemata => "schemata",
            Self::TableConstraints => "table_constraints",
            Self::Tables => "tables",
            Self::Views => "views",
        }
    }

    fn schema(self) -> SchemaRef {
        let columns: &[(&str, DataType)] = match self {
            Self::Catalogs => &[("catalog_name", STRING), ("catalog_owner", STRING), ("comment", STRING)],
            Self::Columns => &[
                ("table_catalog", STRING),
                ("table_schema", STRING),
                ("table_name", STRING),
                ("column_name", STRING),
                ("ordinal_position", INT),
                ("column_default", STRING),
                ("is_nullable", STRING),
                ("full_data_type", STRING),
                ("data_type", STRING),
                ("character_maximum_length", INT),
                ("numeric_precision", INT),
                ("numeric_precision_radix", INT),
                ("numeric_scale", INT),
                ("datetime_precision", INT),
                ("comment", STRING),
            ],
            Self::KeyColumnUsage => &[
                ("constraint_catalog", STRING),
                ("constraint_schema", STRING),
                ("constraint_name", STRING),
                ("table_catalog", STRING),
                ("table_schema", STRING),
                ("table_name", STRING),
                ("column_name", STRING),
                ("ordinal_position", INT),
                ("position_in_unique_constraint", INT),
            ],
            Self::ReferentialConstraints => &[
                ("constraint_catalog", STRING),
                ("constraint_schema", STRING),
                ("constraint_name", STRING),
                ("unique_constraint_catalog", STRING),
                ("unique_constraint_schema", STRING),
                ("unique_constraint_name", STRING),
                ("match_option", STRING),
                ("update_rule", STRING),
                ("delete_rule", STRING),
            ],
            Self::TableConstraints => &[
                ("constraint_catalog", STRING),
                ("constraint_schema", STRING),
                ("constraint_name", STRING),
                ("table_catalog", STRING),
                ("table_schema", STRING),
                ("table_name", STRING),
                ("constraint_type", STRING),
                ("is_deferrable", STRING),
                ("initially_deferred", STRING),
                ("enforced", STRING),
                ("comment", STRING),
            ],
            Self::Parameters => &[
                ("specific_catalog", STRING),
                ("specific_schema", STRING),
                ("specific_name", STRING),
                ("ordinal_position", INT),
                ("parameter_mode", STRING),
                ("parameter_name", STRING),
                ("data_type", STRING),
                ("full_data_type", STRING),
                ("comment", STRING),
            ],
            Self::Routines => &[
                ("specific_catalog", STRING),
                ("specific_schema", STRING),
                ("specific_name", STRING),
                ("routine_catalog", STRING),
                ("routine_schema", STRING),
                ("routine_name", STRING),
                ("routine_type", STRING),
                ("data_type", STRING),
                ("comment", STRING),
            ],
            Self::Schemata => &[
                ("catalog_name", STRING),
                ("schema_name", STRING),
                ("schema_owner", STRING),
                ("comment", STRING),
            ],
            Self::Tables => &[
                ("table_catalog", STRING),
                ("table_schema", STRING),
                ("table_name", STRING),
                ("table_type", STRING),
                ("is_insertable_into", STRING),
                ("table_owner", STRING),
                ("comment", STRING),
                ("data_source_format", STRING),
            ],
            Self::Views => &[
                ("table_catalog", STRING),
                ("table_schema", STRING),
                ("table_name", STRING),
                ("view_definition", STRING),
                ("check_option", STRING),
                ("is_updatable", STRING),
            ],
        };
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, data_type)| Field::new(*name, data_type.clone(), true))
            .collect();
        Arc::new(ArrowSchema::new(fields))
    }
}

/// The tables of one catalog's information schema. The one of `system` looks at all catalogs.
pub(crate) fn tables(catalog: &str, list: &Weak<Catalogs>) -> Vec<Table> {
    View::ALL
        .into_iter()
        .map(|view| Table {
            name: view.name().to_owned(),
            kind: Kind::System,
            comment: None,
            constraints: Vec::new(),
            provider: Arc::new(InformationTable {
                view,
                schema: view.schema(),
                catalog: catalog.to_owned(),
                list: Weak::clone(list),
            }),
        })
        .collect()
}

#[derive(Debug)]
struct InformationTable {
    view: View,
    schema: SchemaRef,
    catalog: String,
    list: Weak<Catalogs>,
}

#[async_trait]
impl TableProvider for InformationTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.rows().await?;
        let batch = batch(&self.schema, &rows)?;
        let source = MemorySourceConfig::try_new(&[vec![batch]], Arc::clone(&self.schema), projection.cloned())?;
        Ok(DataSourceExec::from_data_source(source))
    }
}

/// One cell: text, a number, or NULL.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    Int(i32),
    Null,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl From<Option<i32>> for Cell {
    fn from(number: Option<i32>) -> Self {
        number.map_or(Self::Null, Self::Int)
    }
}

/// Rows of cells as a batch: `INT` columns take the numbers, all others the text.
pub(crate) fn batch(schema: &SchemaRef, rows: &[Vec<Cell>]) -> std::result::Result<RecordBatch, SqlError> {
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| -> ArrayRef {
            let cells = rows.iter().map(|row| row.get(index).unwrap_or(&Cell::Null));
            if *field.data_type() == DataType::Int32 {
                Arc::new(Int32Array::from_iter(cells.map(|cell| {
                    if let Cell::Int(number) = cell {
                        Some(*number)
                    } else {
                        None
                    }
                })))
            } else {
                Arc::new(StringArray::from_iter(
                    cells.map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None }),
                ))
            }
        })
        .collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

impl InformationTable {
    async fn rows(&self) -> std::result::Result<Vec<Vec<Cell>>, SqlError> {
        let Some(list) = self.list.upgrade() else {
            return Ok(Vec::new());
        };
        let mut rows = Vec::new();
        for catalog in list
            .all()
            .filter(|catalog| self.catalog == "system" || catalog.name == self.catalog)
        {
            self.rows_of(catalog, &mut rows).await?;
        }
        Ok(rows)
    }

    async fn rows_of(&self, catalog: &Catalog, rows: &mut Vec<Vec<Cell>>) -> std::result::Result<(), SqlError> {
        match self.view {
            View::Catalogs => rows.push(vec![catalog.name.as_str().into(), OWNER.into(), catalog.comment.into()]),
            View::Parameters | View::Routines => {}
            View::Schemata => {
                for schema in catalog.all() {
                    rows.push(vec![
                        catalog.name.as_str().into(),
                        schema.name.as_str().into(),
                        OWNER.into(),
                        schema.comment.as_str().into(),
                    ]);
                }
            }
            View::Columns
            | View::KeyColumnUsage
            | View::ReferentialConstraints
            | View::TableConstraints
            | View::Tables
            | View::Views => {
                for schema in catalog.all() {
                    for table in schema.all().await {
                        let place = [catalog.name.as_str(), schema.name.as_str(), table.name.as_str()];
                        match self.view {
                            View::Columns => rows.extend(column_rows(place, &table)),
                            View::Views if table.kind == Kind::View => rows.push(view_row(place, &table)),
                            View::Tables => rows.push(table_row(place, &table)),
                            View::KeyColumnUsage => rows.extend(key_rows(place, &table)),
                            View::ReferentialConstraints => rows.extend(reference_rows(place, &table)),
                            View::TableConstraints => rows.extend(constraint_rows(place, &table)),
                            _ => {}
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn placed(place: [&str; 3]) -> Vec<Cell> {
    place.into_iter().map(Cell::from).collect()
}

fn table_row(place: [&str; 3], table: &Table) -> Vec<Cell> {
    let mut row = placed(place);
    let insertable = if table.kind == Kind::Managed { "YES" } else { "NO" };
    let format: Cell = match table.kind {
        Kind::Managed => "DELTA".into(),
        _ => Cell::Null,
    };
    row.extend([
        table.kind.information_name().into(),
        insertable.into(),
        OWNER.into(),
        table.comment.clone().into(),
        format,
    ]);
    row
}

fn constraint_rows([catalog, schema, name]: [&str; 3], table: &Table) -> Vec<Vec<Cell>> {
    let row = |constraint: &Constraint| {
        let mut row = placed([catalog, schema, &constraint.name]);
        row.extend(placed([catalog, schema, name]));
        row.push(constraint.kind().into());
        row.extend(["NO", "NO", "NO"].map(Cell::from));
        row
    };
    table.constraints.iter().map(row).collect()
}

fn key_rows([catalog, schema, name]: [&str; 3], table: &Table) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for constraint in &table.constraints {
        for (at, column) in constraint.columns.iter().enumerate() {
            let in_parent = constraint
                .parent
                .as_ref()
                .and_then(|parent| parent.positions.get(at).copied());
            let mut row = placed([catalog, schema, &constraint.name]);
            row.extend(placed([catalog, schema, name]));
            row.extend([
                column.as_str().into(),
                i32::try_from(at + 1).unwrap_or(i32::MAX).into(),
                in_parent.into(),
            ]);
            rows.push(row);
        }
    }
    rows
}

fn reference_rows([catalog, schema, _]: [&str; 3], table: &Table) -> Vec<Vec<Cell>> {
    let row = |constraint: &Constraint| {
        let parent = constraint.parent.as_ref()?;
        let mut row = placed([catalog, schema, &constraint.name]);
        row.extend(placed([&parent.catalog, &parent.schema, &parent.constraint]));
        row.extend(["FULL", "NO ACTION", "NO ACTION"].map(Cell::from));
        Some(row)
    };
    table.constraints.iter().filter_map(row).collect()
}

fn view_row(place: [&str; 3], table: &Table) -> Vec<Cell> {
    let mut row = placed(place);
    let definition = table.provider.get_table_definition().map(str::to_owned);
    row.extend([definition.into(), "NONE".into(), "NO".into()]);
    row
}

fn column_rows(place: [&str; 3], table: &Table) -> Vec<Vec<Cell>> {
    let schema = table.provider.schema();
    let rows = schema.fields().iter().enumerate().map(|(position, field)| {
        let mut row = placed(place);
        let size = NumericSize::of(field.data_type());
        row.extend([
            field.name().as_str().into(),
            i32::try_from(position).unwrap_or(i32::MAX).into(),
            Cell::Null,
            if field.is_nullable() { "YES" } else { "NO" }.into(),
            type_text(field.data_type()).to_lowercase().into(),
            type_name(field.data_type()).into(),
            Cell::Null,
            size.precision.into(),
            size.radix.into(),
            size.scale.into(),
            size.datetime_precision.into(),
            field.metadata().get(COMMENT).cloned().into(),
        ]);
        row
    });
    rows.collect()
}

/// The field metadata that holds a column's comment.
pub(crate) const COMMENT: &str = "comment";

/// Digits of a type, where it has digits.
#[derive(Default)]
pub(crate) struct NumericSize {
    pub(crate) precision: Option<i32>,
    pub(crate) radix: Option<i32>,
    pub(crate) scale: Option<i32>,
    pub(crate) datetime_precision: Option<i32>,
}

impl NumericSize {
    pub(crate) fn of(data_type: &DataType) -> Self {
        let digits = |precision, scale| Self {
            precision: Some(precision),
            radix: Some(10),
            scale: Some(scale),
            ..Self::default()
        };
        match data_type {
            DataType::Int8 => digits(3, 0),
            DataType::Int16 => digits(5, 0),
            DataType::Int32 => digits(10, 0),
            DataType::Int64 => digits(19, 0),
            DataType::Float32 => Self {
                precision: Some(24),
                radix: Some(2),
                ..Self::default()
            },
            DataType::Float64 => Self {
                precision: Some(53),
                radix: Some(2),
                ..Self::default()
            },
            DataType::Decimal128(precision, scale) => digits(i32::from(*precision), i32::from(*scale)),
            DataType::Timestamp(..) => Self {
                datetime_precision: Some(6),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}
