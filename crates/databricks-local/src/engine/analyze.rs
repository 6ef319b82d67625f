//! `ANALYZE TABLE … COMPUTE STATISTICS`, and `DESCRIBE TABLE EXTENDED t c`, which tells what it found about a column.
//!
//! Statistics stay as they were computed, whatever becomes of the rows, until they are computed again or the table is replaced.
//! See <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-syntax-aux-analyze-compute-statistics> and
//! <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-syntax-aux-describe-table>.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use datafusion::sql::sqlparser::ast;

use super::ddl::stored;
use super::error::{Class, SqlError, quoted};
use super::information_schema::COMMENT;
use super::metadata::texts;
use super::plan::{Context, Parsed};
use super::session::Execution;
use super::statement::{self, Analyze, AnalyzedColumns, Command};
use super::types::{type_text, wire_type};

/// What is known of a column, in the order and under the names that a description has; `None` is NULL.
pub(crate) type ColumnStatistics = [Option<String>; NAMES.len()];

const NAMES: [&str; 6] = [
    "min",
    "max",
    "num_nulls",
    "distinct_count",
    "avg_col_len",
    "max_col_len",
];

/// # Errors
/// When there is no such table or column, or the table is a view or the workspace's own.
pub(crate) async fn analyze(context: &Context, analyze: Analyze) -> Result<Execution, SqlError> {
    let place = context.place(&analyze.table)?;
    let table = stored(&place, &place.table().await?)?;
    let schema = TableProvider::schema(table.as_ref());
    let columns: Vec<Field> = match analyze.columns {
        // The size and the number of rows are known without being computed.
        AnalyzedColumns::None => Vec::new(),
        AnalyzedColumns::All => {
            let fields = schema
                .fields()
                .iter()
                .filter(|field| sizes(field.data_type()).is_some());
            fields.map(|field| field.as_ref().clone()).collect()
        }
        AnalyzedColumns::Named(names) => {
            let found = names.iter().map(|name| field(schema.fields(), name));
            found.collect::<Result<_, _>>()?
        }
    };
    let mut found = Vec::with_capacity(columns.len());
    for column in &columns {
        found.push((
            column.name().to_lowercase(),
            computed(context, &place.quoted(), column).await?,
        ));
    }
    table.remember_statistics(found);
    Ok(Execution::without_rows())
}

/// How statistics tell the smallest and the largest value and the lengths of a type; `None` for types that have none.
fn sizes(data_type: &DataType) -> Option<Sizes> {
    Some(match data_type {
        DataType::Utf8 | DataType::Binary => Sizes::Varying,
        DataType::Boolean | DataType::Int8 => Sizes::Fixed(1),
        DataType::Int16 => Sizes::Fixed(2),
        DataType::Int32 | DataType::Float32 | DataType::Date32 => Sizes::Fixed(4),
        DataType::Int64 | DataType::Float64 | DataType::Timestamp(..) => Sizes::Fixed(8),
        DataType::Decimal128(precision, _) if *precision <= 18 => Sizes::Fixed(8),
        DataType::Decimal128(..) => Sizes::Fixed(16),
        _ => return None,
    })
}

enum Sizes {
    Fixed(usize),
    /// Such a type has no smallest and no largest value.
    Varying,
}

async fn computed(context: &Context, table: &str, column: &Field) -> Result<ColumnStatistics, SqlError> {
    let name = quoted(&[column.name().as_str()]);
    let Some(sizes) = sizes(column.data_type()) else {
        return Err(SqlError::new(
            Class::UNSUPPORTED_FEATURE,
            format!("ANALYZE TABLE has no statistics for column {name}: its type has none."),
        ));
    };
    let (smallest, largest, average, longest) = match sizes {
        Sizes::Fixed(bytes) => (
            format!("min({name})"),
            format!("max({name})"),
            bytes.to_string(),
            bytes.to_string(),
        ),
        Sizes::Varying => (
            "NULL".to_owned(),
            "NULL".to_owned(),
            format!("CAST(ceil(avg(octet_length({name}))) AS BIGINT)"),
            format!("max(octet_length({name}))"),
        ),
    };
    let values = [
        smallest,
        largest,
        format!("count(*) - count({name})"),
        format!("count(DISTINCT {name})"),
        average,
        longest,
    ];
    let values = values.map(|value| format!("CAST({value} AS STRING)")).join(", ");
    let rows = query(context, &format!("SELECT {values} FROM {table}")).await?;
    rows.try_into().map_err(|_| {
        SqlError::new(
            Class::INTERNAL_ERROR,
            "The statistics of a column could not be computed.",
        )
    })
}

/// The one row of a query of the engine's own.
async fn query(context: &Context, sql: &str) -> Result<Vec<Option<String>>, SqlError> {
    let broken = || SqlError::new(Class::INTERNAL_ERROR, "The engine's own query is none.");
    let Command::Sql(tokens) = statement::parse(sql, &[])? else {
        return Err(broken());
    };
    let parsed = context.parse(tokens, &[]).await?;
    let Parsed {
        statement: ast::Statement::Query(query),
        bound,
        ..
    } = parsed
    else {
        return Err(broken());
    };
    let plan = context.plan_rows(*query, &bound).await?;
    let batches = context.collect(&plan).await?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0).ok_or_else(broken)?;
    let cell = |column: &ArrayRef| {
        let column = cast(column, &DataType::Utf8)?;
        let column = column.as_string::<i32>();
        Ok(column.is_valid(0).then(|| column.value(0).to_owned()))
    };
    row.columns().iter().map(cell).collect()
}

fn field(fields: &arrow::datatypes::Fields, name: &str) -> Result<Field, SqlError> {
    let found = fields.iter().find(|field| field.name().eq_ignore_ascii_case(name));
    found.map(|field| field.as_ref().clone()).ok_or_else(|| {
        let text = format!("A column with name {} cannot be resolved.", quoted(&[name]));
        SqlError::new(Class::UNRESOLVED_COLUMN, text)
    })
}

/// # Errors
/// When there is no such table or column.
pub(crate) async fn describe_column(
    context: &Context,
    table: &[String],
    column: &str,
    extended: bool,
) -> Result<Execution, SqlError> {
    let place = context.place(table)?;
    let table = place.table().await?;
    let field = field(table.provider.schema().fields(), column)?;
    let data_type = wire_type(field.data_type(), &context.settings.time_zone);
    let mut rows = Vec::new();
    // What there is not is the word.
    let mut tell = |name: &str, value: Option<String>| {
        rows.push(vec![name.into(), value.unwrap_or_else(|| "NULL".to_owned()).into()]);
    };
    tell("col_name", Some(field.name().clone()));
    tell("data_type", Some(type_text(&data_type).to_lowercase()));
    tell("comment", field.metadata().get(COMMENT).cloned());
    if extended {
        let known = stored(&place, &table)
            .ok()
            .and_then(|stored| stored.statistics(field.name()));
        for (name, value) in NAMES.into_iter().zip(known.unwrap_or_default()) {
            tell(name, value);
        }
        tell("histogram", None);
    }
    texts(&["info_name", "info_value"], rows)
}
