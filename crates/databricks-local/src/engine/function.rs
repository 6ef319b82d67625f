//! Functions that DataFusion and its Spark library lack.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::scalar::ScalarStructBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::ansi;
use super::error::{Class, SqlError};
use super::temporary::schema_behind;

pub(crate) mod element;
pub(crate) mod json;
mod plain;
mod regex;
mod sequence;
mod total;

/// What this is, where Databricks names its builds.
const BUILD: &str = concat!("databricks-local ", env!("CARGO_PKG_VERSION"));
/// The version of Databricks SQL whose documentation the dialect follows.
const DBSQL_VERSION: &str = "2026.10";

/// The struct that `current_version` gives on a SQL warehouse. See
/// <https://docs.databricks.com/aws/en/sql/language-manual/functions/current_version>.
fn current_version() -> ScalarValue {
    let text = |name, text: Option<&str>| (Field::new(name, DataType::Utf8, true), ScalarValue::from(text));
    [
        text("dbr_version", None),
        text("dbsql_version", Some(DBSQL_VERSION)),
        text("u_build_hash", Some(BUILD)),
        text("r_build_hash", Some(BUILD)),
    ]
    .into_iter()
    .fold(ScalarStructBuilder::new(), |fields, (field, value)| {
        fields.with_scalar(field, value)
    })
    .build()
    .unwrap_or(ScalarValue::Null)
}

/// All functions of the engine's own.
pub(crate) fn all(user: &str) -> Vec<Arc<ScalarUDF>> {
    let user = |name, aliases: &[&str]| SessionFunction::new(name, aliases, Source::Constant(user.into()));
    let session = [
        SessionFunction::new("current_catalog", &[], Source::Catalog),
        SessionFunction::new("current_schema", &["current_database"], Source::Schema),
        SessionFunction::new("current_timezone", &[], Source::TimeZone),
        SessionFunction::new("version", &[], Source::Constant(BUILD.into())),
        SessionFunction::new("current_version", &[], Source::Constant(current_version())),
        user("current_user", &["user", "session_user"]),
    ];
    let mut functions: Vec<Arc<ScalarUDF>> = session
        .into_iter()
        .map(|function| Arc::new(ScalarUDF::new_from_impl(function)))
        .collect();
    functions.extend(ansi::functions());
    functions.extend(element::functions());
    functions.extend(json::functions());
    functions.extend(regex::functions());
    functions.push(sequence::function());
    let any = Signature::any(1, Volatility::Immutable);
    functions.push(Arc::new(ScalarUDF::new_from_impl(TypeOf(any))));
    functions
}

/// All aggregate functions of the engine's own.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    total::functions()
}

/// `typeof`, which is answered when the types of a plan are settled, and so never called.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf(Signature);

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        "typeof"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let error = SqlError::new(Class::INTERNAL_ERROR, "typeof was not answered by the planner");
        Err(error.into())
    }
}

/// A function without arguments that tells something of the session.
#[derive(Clone, PartialEq, Eq, Hash)]
struct SessionFunction {
    name: &'static str,
    aliases: Vec<String>,
    source: Source,
    signature: Signature,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Source {
    Catalog,
    Constant(ScalarValue),
    Schema,
    TimeZone,
}

impl SessionFunction {
    fn new(name: &'static str, aliases: &[&str], source: Source) -> Self {
        let aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
        Self {
            name,
            aliases,
            source,
            signature: Signature::nullary(Volatility::Stable),
        }
    }
}

impl fmt::Debug for SessionFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFunction")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl ScalarUDFImpl for SessionFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match &self.source {
            Source::Constant(value) => value.data_type(),
            Source::Catalog | Source::Schema | Source::TimeZone => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = &arguments.config_options;
        let text = match &self.source {
            Source::Catalog => options.catalog.default_catalog.clone(),
            Source::Constant(value) => return Ok(ColumnarValue::Scalar(value.clone())),
            Source::Schema => schema_behind(&options.catalog.default_schema).to_owned(),
            Source::TimeZone => options.execution.time_zone.clone().unwrap_or_default(),
        };
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))))
    }
}
