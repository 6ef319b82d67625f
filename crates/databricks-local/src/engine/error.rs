//! What went wrong with a statement, in the words of a Databricks workspace: an error class, an SQLSTATE, a message.

use std::error::Error;
use std::fmt;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use wording::with_sql_types;

mod wording;

/// An error class: its name, the SQLSTATE that belongs to it, and the coarse code of the statement API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    name: &'static str,
    sql_state: &'static str,
    error_code: &'static str,
}

impl Class {
    const fn new(name: &'static str, sql_state: &'static str) -> Self {
        Self {
            name,
            sql_state,
            error_code: "BAD_REQUEST",
        }
    }

    const fn with_code(name: &'static str, sql_state: &'static str, error_code: &'static str) -> Self {
        Self {
            name,
            sql_state,
            error_code,
        }
    }
}

macro_rules! classes {
    ($($constant:ident = $class:expr;)*) => {
        impl Class { $(pub(crate) const $constant: Class = $class;)* }
    };
}

classes! {
    AMBIGUOUS_REFERENCE = Class::new("AMBIGUOUS_REFERENCE", "42704");
    ARITHMETIC_OVERFLOW = Class::new("ARITHMETIC_OVERFLOW", "22003");
    CANNOT_MODIFY = Class::new("UNSUPPORTED_FEATURE.TABLE_OPERATION", "0A000");
    CAST_INVALID_INPUT = Class::new("CAST_INVALID_INPUT", "22018");
    CAST_OVERFLOW = Class::new("CAST_OVERFLOW", "22003");
    COLUMN_ALREADY_EXISTS = Class::new("COLUMN_ALREADY_EXISTS", "42711");
    DATATYPE_MISMATCH = Class::new("DATATYPE_MISMATCH", "42K09");
    DIVIDE_BY_ZERO = Class::new("DIVIDE_BY_ZERO", "22012");
    EXPECT_TABLE_NOT_VIEW = Class::new("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", "42809");
    EXPECT_VIEW_NOT_TABLE = Class::new("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE", "42809");
    FAILED_READ_FILE = Class::with_code("FAILED_READ_FILE.NO_HINT", "KD001", "IO_ERROR");
    INSERT_COLUMN_ARITY_MISMATCH = Class::new("INSERT_COLUMN_ARITY_MISMATCH", "21S01");
    INTERNAL_ERROR = Class::with_code("INTERNAL_ERROR", "XX000", "INTERNAL_ERROR");
    INVALID_TEMP_OBJ_REFERENCE = Class::new("INVALID_TEMP_OBJ_REFERENCE", "42K0F");
    INVALID_PARAMETER_VALUE = Class::new("INVALID_PARAMETER_VALUE", "22023");
    INVALID_ARRAY_INDEX = Class::new("INVALID_ARRAY_INDEX", "22003");
    INVALID_ARRAY_INDEX_IN_ELEMENT_AT = Class::new("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "22003");
    INVALID_INDEX_OF_ZERO = Class::new("INVALID_INDEX_OF_ZERO", "22003");
    INVALID_PATTERN = Class::new("INVALID_PARAMETER_VALUE.PATTERN", "22023");
    INVALID_REGEX_GROUP = Class::new("INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX", "22023");
    INVALID_TIMEZONE = Class::new("INVALID_TIMEZONE", "22009");
    MISSING_AGGREGATION = Class::new("MISSING_AGGREGATION", "42803");
    MULTIPLE_SOURCE_ROWS_MATCH =
        Class::new("DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "21506");
    NON_LAST_MATCHED = Class::new("NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION", "42613");
    NON_LAST_NOT_MATCHED_BY_SOURCE = Class::new("NON_LAST_NOT_MATCHED_BY_SOURCE_CLAUSE_OMIT_CONDITION", "42613");
    NON_LAST_NOT_MATCHED_BY_TARGET = Class::new("NON_LAST_NOT_MATCHED_BY_TARGET_CLAUSE_OMIT_CONDITION", "42613");
    NOT_NULL_VIOLATION = Class::new("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "23502");
    NO_SUCH_CATALOG = Class::new("NO_SUCH_CATALOG_EXCEPTION", "42704");
    OUT_OF_MEMORY = Class::with_code("QUERY_EXECUTION_FAILED_OUT_OF_MEMORY", "53200", "RESOURCE_EXHAUSTED");
    PATH_NOT_FOUND = Class::new("PATH_NOT_FOUND", "42K03");
    PARSE_EMPTY_STATEMENT = Class::new("PARSE_EMPTY_STATEMENT", "42617");
    PARSE_SYNTAX_ERROR = Class::new("PARSE_SYNTAX_ERROR", "42601");
    SCHEMA_ALREADY_EXISTS = Class::new("SCHEMA_ALREADY_EXISTS", "42P06");
    SCHEMA_MISMATCH = Class::new("DELTA_METADATA_MISMATCH", "42KDG");
    SCHEMA_NOT_EMPTY = Class::new("SCHEMA_NOT_EMPTY", "2BP01");
    SCHEMA_NOT_FOUND = Class::new("SCHEMA_NOT_FOUND", "42704");
    SHOW_CREATE_TEMPORARY_VIEW =
        Class::new("UNSUPPORTED_SHOW_CREATE_TABLE.ON_TEMPORARY_VIEW", "0A000");
    TABLE_OR_VIEW_ALREADY_EXISTS = Class::new("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07");
    TABLE_OR_VIEW_NOT_FOUND = Class::new("TABLE_OR_VIEW_NOT_FOUND", "42P01");
    TEMP_OBJECT_ALREADY_EXISTS = Class::new("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", "42P07");
    TEMP_TABLE_ALTER = Class::new("TEMP_TABLE_OPERATION_NOT_SUPPORTED.ALTER_TABLE", "0A000");
    TEMP_TABLE_TRUNCATE = Class::new("TEMP_TABLE_OPERATION_NOT_SUPPORTED.TRUNCATE_TABLE", "0A000");
    TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS = Class::new("TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS", "428EK");
    UNBOUND_SQL_PARAMETER = Class::new("UNBOUND_SQL_PARAMETER", "42P02");
    UNRESOLVED_COLUMN = Class::new("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703");
    UNRESOLVED_ROUTINE = Class::new("UNRESOLVED_ROUTINE", "42883");
    UNSUPPORTED_FEATURE = Class::new("UNSUPPORTED_FEATURE", "0A000");
    VOLUME_ALREADY_EXISTS = Class::new("VOLUME_ALREADY_EXISTS", "42710");
    VOLUME_NOT_FOUND = Class::new("VOLUME_DOES_NOT_EXIST", "42704");
}

/// Why a statement failed.
///
/// `Display` is what a workspace sends, `[CLASS] text SQLSTATE: 42P01`. The text may quote SQL and names, so `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The coarse code of the statement API: `BAD_REQUEST`, `INTERNAL_ERROR`, …
    pub error_code: &'static str,
    /// The error class: `TABLE_OR_VIEW_NOT_FOUND`, …
    pub class: &'static str,
    /// The SQLSTATE, five characters.
    pub sql_state: &'static str,
    /// The text, without class and SQLSTATE.
    pub message: String,
}

impl SqlError {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            error_code: class.error_code,
            class: class.name,
            sql_state: class.sql_state,
            message: message.into(),
        }
    }

    pub(crate) fn is(&self, class: Class) -> bool {
        self.class == class.name
    }

    /// The Databricks error that stands for an error of the query engine, wherever it arose: in planning or amid a result.
    ///
    /// The class follows from the error's variant. Text decides only where the engine has no variant of its own.
    pub fn from_datafusion(error: &DataFusionError) -> Self {
        match error {
            DataFusionError::ArrowError(error, _) => Self::from_arrow(error),
            DataFusionError::SQL(error, _) => Self::from_parser(error),
            DataFusionError::NotImplemented(text) => {
                Self::new(Class::UNSUPPORTED_FEATURE, wording::not_implemented(text))
            }
            DataFusionError::Plan(text) => Self::from_plan(text),
            DataFusionError::SchemaError(error, _) => Self::from_schema(error),
            DataFusionError::Execution(text) => Self::new(execution_class(text), with_sql_types(text)),
            DataFusionError::ResourcesExhausted(text) => Self::new(Class::OUT_OF_MEMORY, text),
            DataFusionError::IoError(error) => Self::new(Class::FAILED_READ_FILE, error.to_string()),
            DataFusionError::ParquetError(error) => Self::new(Class::FAILED_READ_FILE, error.to_string()),
            DataFusionError::ObjectStore(error) => Self::new(Class::FAILED_READ_FILE, error.to_string()),
            DataFusionError::External(error) => Self::from_dyn(error.as_ref()),
            DataFusionError::Context(context, error) => {
                let inner = Self::from_datafusion(error);
                // Coercion is where operand types are judged: what it rejects is a type error, however it words it.
                if context == "type_coercion" && inner.is(Class::INTERNAL_ERROR) {
                    return Self::new(Class::DATATYPE_MISMATCH, inner.message);
                }
                inner
            }
            DataFusionError::Diagnostic(_, error) => Self::from_datafusion(error),
            DataFusionError::Shared(error) => Self::from_datafusion(error),
            DataFusionError::Collection(errors) => match errors.first() {
                Some(first) => Self::from_datafusion(first),
                None => Self::new(Class::INTERNAL_ERROR, "several errors, none given"),
            },
            other => Self::new(Class::INTERNAL_ERROR, other.strip_backtrace()),
        }
    }

    pub(crate) fn from_parser(error: &ParserError) -> Self {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
            ParserError::RecursionLimitExceeded => "The statement is nested too deeply.".to_owned(),
        };
        Self::new(Class::PARSE_SYNTAX_ERROR, text)
    }

    /// The planner reports grouping mistakes and unknown routines as plain text.
    fn from_plan(text: &str) -> Self {
        if let Some(name) = wording::unknown_routine(text) {
            let parts: Vec<&str> = name.split('.').collect();
            // The planner's suggestions are left out: they vary from run to run.
            return Self::new(
                Class::UNRESOLVED_ROUTINE,
                format!(
                    "Cannot resolve routine {} on search path [`system`.`builtin`].",
                    quoted(&parts)
                ),
            );
        }
        if text.contains("must be in GROUP BY") || text.contains("must appear in the GROUP BY") {
            // It says so of every column, also where no wildcard is.
            return Self::new(
                Class::MISSING_AGGREGATION,
                text.replacen("While expanding wildcard, ", "", 1),
            );
        }
        let class = if text.starts_with("Inserting query must have")
            || text.contains("Column count doesn't match insert query")
        {
            Class::INSERT_COLUMN_ARITY_MISMATCH
        } else {
            Class::DATATYPE_MISMATCH
        };
        Self::new(class, with_sql_types(text))
    }

    fn from_arrow(error: &ArrowError) -> Self {
        match error {
            ArrowError::ArithmeticOverflow(text) => Self::new(Class::ARITHMETIC_OVERFLOW, text),
            // A number that its new type cannot hold is a cast error like a text that is no number.
            ArrowError::CastError(text) if text.starts_with("Can't cast value") => {
                Self::new(Class::CAST_OVERFLOW, with_sql_types(text))
            }
            ArrowError::CastError(text) | ArrowError::ParseError(text) => {
                Self::new(Class::CAST_INVALID_INPUT, with_sql_types(text))
            }
            ArrowError::DivideByZero => Self::new(
                Class::DIVIDE_BY_ZERO,
                "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.",
            ),
            ArrowError::ExternalError(error) => Self::from_dyn(error.as_ref()),
            ArrowError::IoError(text, _) => Self::new(Class::FAILED_READ_FILE, text),
            ArrowError::CsvError(text) | ArrowError::JsonError(text) | ArrowError::ParquetError(text) => {
                Self::new(Class::FAILED_READ_FILE, text)
            }
            ArrowError::MemoryError(text) => Self::new(Class::OUT_OF_MEMORY, text),
            ArrowError::NotYetImplemented(text) => Self::new(Class::UNSUPPORTED_FEATURE, text),
            // Arrow reports a decimal that does not fit its precision as an invalid argument.
            ArrowError::InvalidArgumentError(text) if text.contains("too large to store in a Decimal") => {
                Self::new(Class::ARITHMETIC_OVERFLOW, text)
            }
            other => Self::new(Class::INTERNAL_ERROR, other.to_string()),
        }
    }

    fn from_schema(error: &SchemaError) -> Self {
        match error {
            SchemaError::AmbiguousReference { field } => Self::new(
                Class::AMBIGUOUS_REFERENCE,
                format!("Reference {} is ambiguous.", quoted(&[&field.name])),
            ),
            SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
                Self::new(
                    Class::COLUMN_ALREADY_EXISTS,
                    format!(
                        "The column {} already exists. Choose another name or rename the existing column.",
                        quoted(&[name])
                    ),
                )
            }
            SchemaError::FieldNotFound { field, valid_fields } => {
                let mut text = format!(
                    "A column, variable, or function parameter with name {} cannot be resolved.",
                    quoted(&[&field.name])
                );
                if !valid_fields.is_empty() {
                    let names: Vec<String> = valid_fields
                        .iter()
                        .take(5)
                        .map(|field| quoted(&[&field.name]))
                        .collect();
                    text.push_str(&format!(" Did you mean one of the following? [{}].", names.join(", ")));
                }
                Self::new(Class::UNRESOLVED_COLUMN, text)
            }
        }
    }

    fn from_dyn(error: &(dyn Error + Send + Sync + 'static)) -> Self {
        if let Some(error) = error.downcast_ref::<Self>() {
            return error.clone();
        }
        if let Some(error) = error.downcast_ref::<DataFusionError>() {
            return Self::from_datafusion(error);
        }
        if let Some(error) = error.downcast_ref::<ArrowError>() {
            return Self::from_arrow(error);
        }
        Self::new(Class::INTERNAL_ERROR, error.to_string())
    }
}

/// Some kernels report overflow as plain text.
fn execution_class(text: &str) -> Class {
    if text.to_ascii_lowercase().contains("overflow") {
        Class::ARITHMETIC_OVERFLOW
    } else {
        Class::INVALID_PARAMETER_VALUE
    }
}

/// A dotted name in backticks: `` `main`.`default` ``.
pub(crate) fn quoted<S: AsRef<str>>(parts: &[S]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("`{}`", part.as_ref().replace('`', "``")))
        .collect();
    parts.join(".")
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} SQLSTATE: {}", self.class, self.message, self.sql_state)
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlError")
            .field("error_code", &self.error_code)
            .field("class", &self.class)
            .field("sql_state", &self.sql_state)
            .finish_non_exhaustive()
    }
}

impl Error for SqlError {}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        Self::from_datafusion(&error)
    }
}

impl From<ArrowError> for SqlError {
    fn from(error: ArrowError) -> Self {
        Self::from_arrow(&error)
    }
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        Self::External(Box::new(error))
    }
}
