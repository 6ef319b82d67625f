//! The types of a Databricks workspace: from SQL text to Arrow, and from Arrow to the wire.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit,
};
use databricks_wire::sea::ColumnInfo;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{self, ArrayElemTypeDef, ExactNumberInfo, IntervalFields, TimezoneInfo};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::dialect::LocalDialect;
use super::error::{Class, SqlError};

/// Values are never silently replaced by NULL: a value that does not fit its new type is an error.
pub(crate) const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: arrow::util::display::FormatOptions::new(),
};

/// Reads SQL types. `TIMESTAMP` takes the session's time zone.
#[derive(Debug)]
pub(crate) struct DatabricksTypes {
    pub(crate) time_zone: Arc<str>,
}

impl TypePlanner for DatabricksTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> datafusion::error::Result<Option<FieldRef>> {
        let data_type = self.arrow_type(sql_type)?;
        Ok(Some(Arc::new(Field::new("item", data_type, true))))
    }
}

impl DatabricksTypes {
    /// Parses a type's text, such as `DECIMAL(10,2)`.
    pub(crate) fn parse(text: &str) -> Result<ast::DataType, SqlError> {
        let unreadable = || {
            SqlError::new(
                Class::PARSE_SYNTAX_ERROR,
                format!("The data type {text:?} is not supported."),
            )
        };
        let mut parser = Parser::new(&LocalDialect)
            .try_with_sql(text)
            .map_err(|_| unreadable())?;
        let data_type = parser.parse_data_type().map_err(|_| unreadable())?;
        if parser.peek_token_ref().token != Token::EOF {
            return Err(unreadable());
        }
        Ok(data_type)
    }

    /// The Arrow type that values of `sql_type` have inside the engine.
    ///
    /// # Errors
    /// `UNSUPPORTED_FEATURE` for types that Arrow or the engine has no counterpart of (`VARIANT`, `GEOMETRY`, …).
    pub(crate) fn arrow_type(&self, sql_type: &ast::DataType) -> Result<DataType, SqlError> {
        use ast::DataType as Sql;
        Ok(match sql_type {
            Sql::Boolean | Sql::Bool => DataType::Boolean,
            Sql::TinyInt(_) => DataType::Int8,
            Sql::SmallInt(_) => DataType::Int16,
            Sql::Int(_) | Sql::Integer(_) => DataType::Int32,
            Sql::BigInt(_) => DataType::Int64,
            Sql::Float(ExactNumberInfo::None) | Sql::Real => DataType::Float32,
            Sql::Double(ExactNumberInfo::None) | Sql::DoublePrecision => DataType::Float64,
            Sql::Decimal(info) | Sql::Dec(info) | Sql::Numeric(info) => decimal(info)?,
            Sql::String(_)
            | Sql::Text
            | Sql::Varchar(_)
            | Sql::Char(_)
            | Sql::Character(_)
            | Sql::CharacterVarying(_) => DataType::Utf8,
            Sql::Binary(None) | Sql::Bytea => DataType::Binary,
            Sql::Date => DataType::Date32,
            Sql::Timestamp(None, TimezoneInfo::WithoutTimeZone) | Sql::TimestampNtz(None) => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            Sql::Timestamp(None, _) => self.timestamp(),
            Sql::Interval { fields, .. } => match fields {
                Some(IntervalFields::Year | IntervalFields::Month | IntervalFields::YearToMonth) => {
                    DataType::Interval(IntervalUnit::YearMonth)
                }
                Some(_) => DataType::Duration(TimeUnit::Microsecond),
                None => DataType::Interval(IntervalUnit::MonthDayNano),
            },
            Sql::Array(ArrayElemTypeDef::AngleBracket(element)) => {
                DataType::List(Arc::new(Field::new_list_field(self.arrow_type(element)?, true)))
            }
            Sql::Map(key, value) => map_type(self.arrow_type(key)?, self.arrow_type(value)?),
            Sql::Struct(fields, _) => {
                if let [key, value] = fields.as_slice()
                    && key.field_name.as_ref().is_some_and(|name| name.value == MAP_KEY)
                    && value.field_name.as_ref().is_some_and(|name| name.value == MAP_VALUE)
                {
                    return Ok(map_type(
                        self.arrow_type(&key.field_type)?,
                        self.arrow_type(&value.field_type)?,
                    ));
                }
                let mut arrow_fields = Vec::with_capacity(fields.len());
                for (index, field) in fields.iter().enumerate() {
                    let name = field
                        .field_name
                        .as_ref()
                        .map_or_else(|| format!("col{}", index + 1), |name| name.value.clone());
                    arrow_fields.push(Field::new(name, self.arrow_type(&field.field_type)?, true));
                }
                DataType::Struct(Fields::from(arrow_fields))
            }
            Sql::Custom(name, modifiers) if modifiers.is_empty() => {
                match name.to_string().to_ascii_uppercase().as_str() {
                    "BYTE" => DataType::Int8,
                    "SHORT" => DataType::Int16,
                    "LONG" => DataType::Int64,
                    "TIMESTAMP_LTZ" => self.timestamp(),
                    "TIMESTAMP_NTZ" => DataType::Timestamp(TimeUnit::Microsecond, None),
                    "VOID" | "NULL" => DataType::Null,
                    _ => return Err(unsupported(sql_type)),
                }
            }
            _ => return Err(unsupported(sql_type)),
        })
    }

    /// The type `TIMESTAMP`.
    pub(crate) fn timestamp(&self) -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.time_zone)))
    }
}

const MAP_KEY: &str = "__map_key";
const MAP_VALUE: &str = "__map_value";

/// Writes `MAP<K, V>`, which the parser does not know, as a struct of two fields, which [`DatabricksTypes`] knows again.
pub(crate) fn with_maps_as_structs(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_word =
        |token: &Token, text: &str| matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case(text));
    let mut rewritten: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // The nesting of `<`, with a mark for maps whose comma is still to come.
    let mut open: Vec<bool> = Vec::new();
    for (index, mut token) in tokens.iter().cloned().enumerate() {
        let span = token.span;
        let mut named = None;
        match &token.token {
            Token::Word(_)
                if is_word(&token.token, "MAP")
                    && tokens.get(index + 1).is_some_and(|next| next.token == Token::Lt) =>
            {
                token.token = Token::make_keyword("STRUCT");
            }
            Token::Lt => {
                let before = index.checked_sub(1).map(|before| &tokens[before].token);
                let is_map = before.is_some_and(|before| is_word(before, "MAP"));
                if is_map || before.is_some_and(|before| is_word(before, "ARRAY") || is_word(before, "STRUCT")) {
                    open.push(is_map);
                }
                named = is_map.then_some(MAP_KEY);
            }
            Token::Comma => {
                if let Some(awaiting) = open.last_mut().filter(|awaiting| **awaiting) {
                    *awaiting = false;
                    named = Some(MAP_VALUE);
                }
            }
            Token::Gt => {
                open.pop();
            }
            Token::ShiftRight => {
                open.pop();
                open.pop();
            }
            _ => {}
        }
        rewritten.push(token);
        if let Some(name) = named {
            rewritten.push(TokenWithSpan {
                token: Token::make_word(name, None),
                span,
            });
            rewritten.push(TokenWithSpan {
                token: Token::Colon,
                span,
            });
        }
    }
    rewritten
}

fn decimal(info: &ExactNumberInfo) -> Result<DataType, SqlError> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision), Ok(scale))
            if (1..=DECIMAL128_MAX_PRECISION).contains(&precision) && (0..=precision as i8).contains(&scale) =>
        {
            Ok(DataType::Decimal128(precision, scale))
        }
        _ => Err(SqlError::new(
            Class::DATATYPE_MISMATCH,
            format!(
                "DECIMAL({precision},{scale}) is not a decimal type: the precision is 1 to 38, the scale 0 to the precision."
            ),
        )),
    }
}

fn map_type(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

fn unsupported(sql_type: &ast::DataType) -> SqlError {
    SqlError::new(
        Class::UNSUPPORTED_FEATURE,
        format!("The data type {sql_type} is not supported here."),
    )
}

/// The Arrow type in which a workspace sends values that the engine holds as `data_type`.
///
/// `time_zone` is the session's; it replaces whatever zone a `TIMESTAMP` carries, because a zone is a matter of display.
pub(crate) fn wire_type(data_type: &DataType, time_zone: &Arc<str>) -> DataType {
    let field = |field: &Field| {
        Arc::new(Field::new(
            field.name(),
            wire_type(field.data_type(), time_zone),
            field.is_nullable(),
        ))
    };
    match data_type {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        // There is no TIME type: the text of a time is what remains.
        DataType::Time32(_) | DataType::Time64(_) => DataType::Utf8,
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(time_zone))),
        DataType::Duration(_) | DataType::Interval(IntervalUnit::DayTime | IntervalUnit::MonthDayNano) => {
            DataType::Duration(TimeUnit::Microsecond)
        }
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal256(precision, scale) => {
            // Digits that do not fit 38 are an error when they occur, not before.
            let excess = precision.saturating_sub(DECIMAL128_MAX_PRECISION) as i8;
            DataType::Decimal128(precision - excess as u8, (scale - excess).max(0))
        }
        DataType::Dictionary(_, value) => wire_type(value, time_zone),
        DataType::RunEndEncoded(_, values) => wire_type(values.data_type(), time_zone),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => DataType::List(Arc::new(Field::new_list_field(
            wire_type(element.data_type(), time_zone),
            element.is_nullable(),
        ))),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => map_type(
                wire_type(fields[0].data_type(), time_zone),
                wire_type(fields[1].data_type(), time_zone),
            ),
            other => other.clone(),
        },
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|child| field(child)).collect()),
        other => other.clone(),
    }
}

/// The schema that [`wire_batch`] brings batches to, with `names` for the columns where there are any.
pub(crate) fn wire_schema(schema: &Schema, names: &[String], time_zone: &Arc<str>) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let name = names.get(index).unwrap_or_else(|| field.name());
            Field::new(name, wire_type(field.data_type(), time_zone), field.is_nullable())
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// Brings a batch to a [`wire_schema`]. Columns that have the type already are not copied.
///
/// # Errors
/// `ARITHMETIC_OVERFLOW` or `CAST_INVALID_INPUT` when a value does not fit.
pub(crate) fn wire_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, SqlError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        if column.data_type() == field.data_type() {
            columns.push(Arc::clone(column));
        } else {
            columns.push(super::interval::cast_to_wire(column, field.data_type())?);
        }
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

/// An Arrow cast that fails rather than loses a value.
pub(crate) fn strict_cast(column: &dyn arrow::array::Array, to: &DataType) -> Result<arrow::array::ArrayRef, SqlError> {
    Ok(cast_with_options(column, to, &STRICT)?)
}

/// What a manifest says about the columns of a result with this (wire) schema.
pub(crate) fn column_infos(schema: &Schema) -> Vec<ColumnInfo> {
    let info = |(position, field): (usize, &FieldRef)| column_info(position, field);
    schema.fields().iter().enumerate().map(info).collect()
}

fn column_info(position: usize, field: &Field) -> ColumnInfo {
    let data_type = field.data_type();
    let (type_precision, type_scale) = match data_type {
        DataType::Decimal128(precision, scale) => (Some(u32::from(*precision)), u32::try_from(*scale).ok()),
        _ => (None, None),
    };
    let type_interval_type = match data_type {
        DataType::Interval(IntervalUnit::YearMonth) => Some("YEAR TO MONTH".to_owned()),
        DataType::Duration(_) => Some("DAY TO SECOND".to_owned()),
        _ => None,
    };
    ColumnInfo {
        name: field.name().clone(),
        type_text: type_text(data_type),
        type_name: Some(type_name(data_type).to_owned()),
        position: position as u64,
        type_precision,
        type_scale,
        type_interval_type,
    }
}

/// The type's family, as the statement API names it.
pub(crate) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "BYTE",
        DataType::Int16 | DataType::UInt8 => "SHORT",
        DataType::Int32 | DataType::UInt16 => "INT",
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "LONG",
        DataType::Float16 | DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            "DECIMAL"
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Time32(_) | DataType::Time64(_) => {
            "STRING"
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "BINARY",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP",
        DataType::Timestamp(_, None) => "TIMESTAMP_NTZ",
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL",
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(..) => "ARRAY",
        DataType::Map(..) => "MAP",
        DataType::Struct(_) => "STRUCT",
        DataType::Null => "NULL",
        DataType::Dictionary(_, value) => type_name(value),
        DataType::RunEndEncoded(_, values) => type_name(values.data_type()),
        DataType::Union(..) => "USER_DEFINED_TYPE",
    }
}

/// The type as SQL writes it.
pub(crate) fn type_text(data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 | DataType::UInt8 => "SMALLINT".to_owned(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "BIGINT".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Interval(IntervalUnit::YearMonth) => "INTERVAL YEAR TO MONTH".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL DAY TO SECOND".to_owned(),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => format!("ARRAY<{}>", type_text(element.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!(
                    "MAP<{}, {}>",
                    type_text(fields[0].data_type()),
                    type_text(fields[1].data_type())
                )
            }
            _ => "MAP<VOID, VOID>".to_owned(),
        },
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| {
                    let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
                    format!("{}: {}{not_null}", field.name(), type_text(field.data_type()))
                })
                .collect();
            format!("STRUCT<{}>", fields.join(", "))
        }
        DataType::Null => "VOID".to_owned(),
        DataType::Dictionary(_, value) => type_text(value),
        DataType::RunEndEncoded(_, values) => type_text(values.data_type()),
        other => type_name(other).to_owned(),
    }
}
