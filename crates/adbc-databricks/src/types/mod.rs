//! SQL types as the manifest writes them (`DECIMAL(10,2)`, `STRUCT<a: BIGINT NOT NULL>`), and their Arrow types.

mod field;
mod page;
mod parse;
mod xdbc;

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use databricks_wire::sea::ColumnInfo;

pub(crate) use field::describe;
pub use page::types_page_markdown;
use parse::Parser;
pub(crate) use xdbc::Xdbc;

/// The zone of a `TIMESTAMP` when no data says which one the session has.
const DEFAULT_ZONE: &str = "Etc/UTC";

/// A SQL type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SqlType {
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: i8,
    },
    String,
    Binary,
    Date,
    Timestamp,
    TimestampNtz,
    YearMonthInterval(Units),
    DayTimeInterval(Units),
    Array(Box<Self>),
    Map(Box<Self>, Box<Self>),
    Struct(Vec<StructField>),
    Void,
    /// `VARCHAR(n)`: text of at most so many characters.
    Varchar(u32),
    /// `CHAR(n)`: text of exactly so many characters, padded with blanks.
    Char(u32),
    /// Semi-structured data, delivered as JSON text.
    Variant,
    /// A shape on the globe, delivered as (extended) well-known text.
    Geography(Srid),
    /// A shape in the plane, delivered as (extended) well-known text.
    Geometry(Srid),
    /// A type that is not known here, delivered as text: `OBJECT`, a user-defined type, whatever the future brings.
    Other(String),
}

/// The spatial reference system of a shape: its number, or `ANY` for one per value.
pub(crate) type Srid = Option<u32>;

/// The unit or units of an interval: `YEAR`, or `DAY TO SECOND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    from: &'static str,
    to: Option<&'static str>,
}

/// One field of a `STRUCT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StructField {
    pub(crate) name: String,
    pub(crate) sql_type: SqlType,
    pub(crate) not_null: bool,
}

impl SqlType {
    /// The type of a result's column.
    pub(crate) fn of_column(column: &ColumnInfo) -> Self {
        if !column.type_text.is_empty() {
            return Self::parse(&column.type_text);
        }
        // `type_name` has names of its own for the integers.
        match column.type_name.as_deref().unwrap_or_default() {
            "BYTE" => Self::TinyInt,
            "SHORT" => Self::SmallInt,
            "LONG" => Self::BigInt,
            "NULL" => Self::Void,
            "DECIMAL" => decimal(column.type_precision.unwrap_or(10), column.type_scale.unwrap_or(0)),
            "INTERVAL" => Self::parse(&format!(
                "INTERVAL {}",
                column.type_interval_type.as_deref().unwrap_or_default()
            )),
            name => Self::parse(name),
        }
    }

    /// Reads a type. Whatever is not understood becomes [`SqlType::Other`], which is text in Arrow.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parser = Parser { rest: text };
        parser
            .sql_type(0)
            .filter(|_| parser.rest.trim_start().is_empty())
            .unwrap_or_else(|| Self::Other(text.trim().to_owned()))
    }

    /// The Arrow type that the service delivers for it.
    pub(crate) fn to_arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::String
            | Self::Varchar(_)
            | Self::Char(_)
            | Self::Variant
            | Self::Geography(_)
            | Self::Geometry(_)
            | Self::Other(_) => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(DEFAULT_ZONE.into())),
            Self::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::YearMonthInterval(_) => DataType::Interval(IntervalUnit::YearMonth),
            Self::DayTimeInterval(_) => DataType::Duration(TimeUnit::Microsecond),
            Self::Array(element) => DataType::List(Arc::new(Field::new("element", element.to_arrow(), true))),
            Self::Map(key, value) => {
                let entries = Fields::from(vec![
                    Field::new("key", key.to_arrow(), false),
                    Field::new("value", value.to_arrow(), true),
                ]);
                DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
            }
            Self::Struct(fields) => {
                let field = |field: &StructField| Field::new(&field.name, field.sql_type.to_arrow(), !field.not_null);
                DataType::Struct(fields.iter().map(field).collect())
            }
            Self::Void => DataType::Null,
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::String => f.write_str("STRING"),
            Self::Binary => f.write_str("BINARY"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::TimestampNtz => f.write_str("TIMESTAMP_NTZ"),
            Self::YearMonthInterval(units) | Self::DayTimeInterval(units) => match units.to {
                Some(to) => write!(f, "INTERVAL {} TO {to}", units.from),
                None => write!(f, "INTERVAL {}", units.from),
            },
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    let not_null = if field.not_null { " NOT NULL" } else { "" };
                    write!(
                        f,
                        "{comma}`{}`: {}{not_null}",
                        field.name.replace('`', "``"),
                        field.sql_type
                    )?;
                }
                f.write_str(">")
            }
            Self::Void => f.write_str("VOID"),
            Self::Varchar(length) => write!(f, "VARCHAR({length})"),
            Self::Char(length) => write!(f, "CHAR({length})"),
            Self::Variant => f.write_str("VARIANT"),
            Self::Geography(Some(srid)) => write!(f, "GEOGRAPHY({srid})"),
            Self::Geography(None) => f.write_str("GEOGRAPHY(ANY)"),
            Self::Geometry(Some(srid)) => write!(f, "GEOMETRY({srid})"),
            Self::Geometry(None) => f.write_str("GEOMETRY(ANY)"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

fn decimal(precision: u32, scale: u32) -> SqlType {
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale as u8 <= precision => SqlType::Decimal { precision, scale },
        _ => SqlType::Other(format!("DECIMAL({precision},{scale})")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_types_of_the_documentation_are_known() {
        assert_eq!(
            SqlType::parse("decimal( 10 , 2 )"),
            SqlType::Decimal {
                precision: 10,
                scale: 2
            }
        );
        assert_eq!(
            SqlType::parse("DECIMAL"),
            SqlType::Decimal {
                precision: 10,
                scale: 0
            }
        );
        assert_eq!(SqlType::parse("STRING COLLATE UNICODE_CI"), SqlType::String);
        assert_eq!(SqlType::parse("VARCHAR(10)"), SqlType::Varchar(10));
        assert_eq!(SqlType::parse("geography(4326)"), SqlType::Geography(Some(4326)));
        assert_eq!(SqlType::parse("GEOMETRY(ANY)"), SqlType::Geometry(None));
        assert_eq!(SqlType::parse("OBJECT"), SqlType::Other("OBJECT".into()));
        assert_eq!(
            SqlType::parse("INTERVAL DAY TO SECOND").to_arrow(),
            DataType::Duration(TimeUnit::Microsecond)
        );
        assert_eq!(
            SqlType::parse("INTERVAL MONTH").to_arrow(),
            DataType::Interval(IntervalUnit::YearMonth)
        );
        let nested = SqlType::parse("STRUCT<a: BIGINT NOT NULL COMMENT 'it''s, a>b', b c: ARRAY<MAP<STRING,INT>>>");
        let SqlType::Struct(fields) = &nested else {
            panic!("{nested:?}")
        };
        assert_eq!(
            fields[0],
            StructField {
                name: "a".into(),
                sql_type: SqlType::BigInt,
                not_null: true
            }
        );
        assert_eq!(fields[1].name, "b c");
        assert_eq!(fields[1].sql_type.to_string(), "ARRAY<MAP<STRING, INT>>");
    }

    #[test]
    fn a_type_name_stands_in_for_a_missing_type_text() {
        let column = ColumnInfo {
            type_name: Some("LONG".into()),
            ..ColumnInfo::default()
        };
        assert_eq!(SqlType::of_column(&column), SqlType::BigInt);
    }

    #[test]
    fn nesting_without_end_is_text_and_not_a_stack_overflow() {
        let deep = "ARRAY<".repeat(100_000);
        assert!(matches!(SqlType::parse(&deep), SqlType::Other(_)));
    }

    fn any_type() -> impl Strategy<Value = SqlType> {
        let leaf = prop_oneof![
            Just(SqlType::Boolean),
            Just(SqlType::TinyInt),
            Just(SqlType::BigInt),
            Just(SqlType::Double),
            Just(SqlType::String),
            Just(SqlType::TimestampNtz),
            Just(SqlType::Void),
            Just(SqlType::Char(3)),
            Just(SqlType::Variant),
            Just(SqlType::Geography(Some(4326))),
            Just(SqlType::Geometry(None)),
            Just(SqlType::Other("OBJECT".into())),
            Just(SqlType::YearMonthInterval(Units {
                from: "YEAR",
                to: Some("MONTH")
            })),
            Just(SqlType::DayTimeInterval(Units { from: "HOUR", to: None })),
            (1_u8..=38).prop_map(|precision| SqlType::Decimal {
                precision,
                scale: (precision / 2) as i8
            }),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let field =
                ("[a-zA-Z0-9 _`:<>,'é]{1,8}", inner.clone(), any::<bool>()).prop_map(|(name, sql_type, not_null)| {
                    StructField {
                        name,
                        sql_type,
                        not_null,
                    }
                });
            prop_oneof![
                inner.clone().prop_map(|element| SqlType::Array(Box::new(element))),
                (inner.clone(), inner).prop_map(|(key, value)| SqlType::Map(Box::new(key), Box::new(value))),
                prop::collection::vec(field, 0..4).prop_map(SqlType::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(sql_type in any_type()) {
            prop_assert_eq!(SqlType::parse(&sql_type.to_string()), sql_type);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(STRUCT|ARRAY|MAP|DECIMAL|INTERVAL|[a-zé`'<>(),: 0-9]){0,12}") {
            let _ = SqlType::parse(&text).to_arrow();
        }
    }
}
