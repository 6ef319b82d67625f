//! What ODBC and JDBC say about a type: numbers that applications written for them look for in `get_objects`.

use super::SqlType;

/// The numbers of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Xdbc {
    /// The type's number in JDBC's `java.sql.Types`, which vendors' drivers agree on.
    pub(crate) data_type: i16,
    /// Digits of a number, characters of a text, bytes of binary data. Unbounded ones say the most that an INT can.
    pub(crate) column_size: Option<i32>,
    /// Digits after the point.
    pub(crate) decimal_digits: Option<i16>,
    /// The base that the size counts in; numbers only.
    pub(crate) num_prec_radix: Option<i16>,
    /// ODBC's number without the variant: 9 for dates and times, else as `data_type`.
    pub(crate) sql_data_type: i16,
    /// ODBC's number of the variant: 1 date, 3 timestamp.
    pub(crate) datetime_sub: Option<i16>,
    /// The most bytes of a text or binary value.
    pub(crate) char_octet_length: Option<i32>,
}

/// UTF-8 needs up to four bytes for a character.
const BYTES_PER_CHARACTER: u32 = 4;

/// ODBC's `SQL_DATETIME`.
const DATETIME: i16 = 9;

impl Xdbc {
    /// The numbers of a type.
    pub(crate) fn of(sql_type: &SqlType) -> Self {
        match sql_type {
            SqlType::Boolean => Self {
                column_size: Some(1),
                ..Self::plain(16)
            },
            SqlType::TinyInt => Self::number(-6, 3, 0),
            SqlType::SmallInt => Self::number(5, 5, 0),
            SqlType::Int => Self::number(4, 10, 0),
            SqlType::BigInt => Self::number(-5, 19, 0),
            SqlType::Float => Self::number(6, 7, 7),
            SqlType::Double => Self::number(8, 15, 15),
            SqlType::Decimal { precision, scale } => Self::number(3, (*precision).into(), (*scale).into()),
            SqlType::String => Self::text(12, None),
            SqlType::Varchar(length) => Self::text(12, Some(*length)),
            SqlType::Char(length) => Self::text(1, Some(*length)),
            SqlType::Binary => Self::text(-2, None),
            SqlType::Date => Self::datetime(91, 10, None, 1),
            SqlType::Timestamp | SqlType::TimestampNtz => Self::datetime(93, 29, Some(6), 3),
            SqlType::Array(_) => Self::plain(2003),
            SqlType::Map(..) => Self::plain(2000),
            SqlType::Struct(_) => Self::plain(2002),
            SqlType::Void => Self::plain(0),
            SqlType::YearMonthInterval(_)
            | SqlType::DayTimeInterval(_)
            | SqlType::Variant
            | SqlType::Geography(_)
            | SqlType::Geometry(_)
            | SqlType::Other(_) => Self::plain(1111),
        }
    }

    fn plain(data_type: i16) -> Self {
        Self {
            data_type,
            sql_data_type: data_type,
            ..Self::default()
        }
    }

    fn number(data_type: i16, digits: i32, after_the_point: i16) -> Self {
        Self {
            column_size: Some(digits),
            decimal_digits: Some(after_the_point),
            num_prec_radix: Some(10),
            ..Self::plain(data_type)
        }
    }

    fn text(data_type: i16, length: Option<u32>) -> Self {
        let at_most = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let bytes = length.map(|characters| characters.saturating_mul(BYTES_PER_CHARACTER));
        Self {
            column_size: Some(length.map_or(i32::MAX, at_most)),
            char_octet_length: Some(bytes.map_or(i32::MAX, at_most)),
            ..Self::plain(data_type)
        }
    }

    fn datetime(data_type: i16, characters: i32, fraction_digits: Option<i16>, sub: i16) -> Self {
        Self {
            data_type,
            column_size: Some(characters),
            decimal_digits: fraction_digits,
            sql_data_type: DATETIME,
            datetime_sub: Some(sub),
            ..Self::default()
        }
    }
}
