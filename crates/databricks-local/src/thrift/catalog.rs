//! Metadata calls. Each is a query over the information schema whose columns have the names and types of JDBC's metadata, and runs as
//! every statement does; what the client wrote reaches it as parameters.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use databricks_wire::sea::Parameter;

use super::execute::{Ask, Delivery, submit};
use super::read::{Fields, Malformed};
use super::session::session_of;
use super::{Answer, Call};
use crate::statement::reading::Form;
use crate::statement::request::Limits;

/// `TOperationType`
const TYPE_INFO: i32 = 1;
const CATALOGS: i32 = 2;
const SCHEMAS: i32 = 3;
const TABLES: i32 = 4;
const TABLE_TYPES: i32 = 5;
const COLUMNS: i32 = 6;
const FUNCTIONS: i32 = 7;
const UNKNOWN: i32 = 8;

/// A type: as SQL writes it, as the information schema names its family, `java.sql.Types`' number, and its digits or length.
struct Type(&'static str, &'static str, i32, Option<i32>);

const TYPES: [Type; 18] = [
    Type("VOID", "NULL", 0, None),
    Type("BOOLEAN", "BOOLEAN", 16, Some(1)),
    Type("STRING", "STRING", 12, Some(i32::MAX)),
    Type("BINARY", "BINARY", -2, Some(i32::MAX)),
    Type("TINYINT", "BYTE", -6, Some(3)),
    Type("SMALLINT", "SHORT", 5, Some(5)),
    Type("INT", "INT", 4, Some(10)),
    Type("BIGINT", "LONG", -5, Some(19)),
    Type("FLOAT", "FLOAT", 6, Some(7)),
    Type("DOUBLE", "DOUBLE", 8, Some(15)),
    Type("DECIMAL", "DECIMAL", 3, Some(38)),
    Type("DATE", "DATE", 91, Some(10)),
    Type("TIMESTAMP", "TIMESTAMP", 93, Some(29)),
    Type("TIMESTAMP_NTZ", "TIMESTAMP_NTZ", 93, Some(29)),
    Type("ARRAY", "ARRAY", 2003, None),
    Type("MAP", "MAP", 2000, None),
    Type("STRUCT", "STRUCT", 2002, None),
    Type("INTERVAL", "INTERVAL", 1111, None),
];

/// A query in the making, with what the client asked for as its parameters.
struct Query {
    operation: i32,
    sql: String,
    parameters: Vec<Parameter>,
}

impl Query {
    fn new(operation: i32, sql: impl Into<String>) -> Self {
        Self {
            operation,
            sql: sql.into(),
            parameters: Vec::new(),
        }
    }

    /// Asks that the column is this name, in any case. No name, and a pattern for all, ask nothing.
    fn named(mut self, column: &str, name: Option<&str>) -> Self {
        if let Some(name) = name.filter(|name| !matches!(*name, "" | "%" | "*")) {
            let marker = self.bind(name);
            let _ = write!(self.sql, " AND lower({column}) = {marker}");
        }
        self
    }

    /// Asks that the column is like this pattern of SQL, in any case.
    fn like(mut self, column: &str, pattern: Option<&str>) -> Self {
        if let Some(pattern) = pattern.filter(|pattern| !matches!(*pattern, "" | "%" | "*")) {
            let marker = self.bind(pattern);
            let _ = write!(self.sql, " AND lower({column}) LIKE {marker}");
        }
        self
    }

    /// Asks that the column is one of these, if there are any.
    fn one_of(mut self, column: &str, values: &[&str]) -> Self {
        if !values.is_empty() {
            let markers: Vec<String> = values.iter().map(|value| self.bind(value)).collect();
            let _ = write!(self.sql, " AND lower({column}) IN ({})", markers.join(", "));
        }
        self
    }

    fn ordered(mut self, by: &str) -> Self {
        let _ = write!(self.sql, " ORDER BY {by}");
        self
    }

    fn bind(&mut self, value: &str) -> String {
        let name = format!("p{}", self.parameters.len());
        let marker = format!(":{name}");
        self.parameters.push(Parameter {
            name: Some(name),
            value: Some(value.to_lowercase().into()),
            ..Parameter::default()
        });
        marker
    }
}

/// Answers a metadata call; `None` when the method is none.
pub(super) async fn answer(call: &Call<'_>, method: &str, request: &Fields<'_>) -> Option<Answer> {
    let query = match query(method, request) {
        Ok(query) => query?,
        Err(malformed) => return Some(Err(malformed.into())),
    };
    Some(run(call, request, query).await)
}

async fn run(call: &Call<'_>, request: &Fields<'_>, query: Query) -> Answer {
    let (session_id, session) = session_of(call, request)?;
    let ask = Ask {
        operation: query.operation,
        sql: query.sql,
        parameters: query.parameters,
        confs: BTreeMap::new(),
        limits: Limits::default(),
        timeout: None,
        // The requests do not say whether the client reads Arrow; all clients read columns.
        form: Form::Columns,
        links: false,
        delivery: Delivery::of(request, 1282)?,
    };
    submit(call, session_id, session, ask).await
}

fn query(method: &str, request: &Fields<'_>) -> Result<Option<Query>, Malformed> {
    Ok(Some(match method {
        "GetTypeInfo" => Query::new(TYPE_INFO, type_info()),
        "GetCatalogs" => Query::new(
            CATALOGS,
            "SELECT catalog_name AS TABLE_CAT FROM system.information_schema.catalogs WHERE TRUE",
        )
        .ordered("1"),
        "GetSchemas" => Query::new(
            SCHEMAS,
            "SELECT schema_name AS TABLE_SCHEM, catalog_name AS TABLE_CATALOG FROM system.information_schema.schemata \
             WHERE TRUE",
        )
        .named("catalog_name", request.text(2)?)
        .like("schema_name", request.text(3)?)
        .ordered("2, 1"),
        "GetTables" => Query::new(TABLES, TABLES_SQL)
            .named("table_catalog", request.text(2)?)
            .like("table_schema", request.text(3)?)
            .like("table_name", request.text(4)?)
            .one_of("driver_type", &request.texts(5)?)
            .ordered("4, 1, 2, 3"),
        "GetTableTypes" => Query::new(
            TABLE_TYPES,
            "SELECT name AS TABLE_TYPE FROM VALUES ('SYSTEM TABLE'), ('TABLE'), ('VIEW') AS t(name)",
        ),
        "GetColumns" => Query::new(COLUMNS, columns())
            .named("table_catalog", request.text(2)?)
            .like("table_schema", request.text(3)?)
            .like("table_name", request.text(4)?)
            .like("column_name", request.text(5)?)
            .ordered("1, 2, 3, 17"),
        "GetFunctions" => Query::new(FUNCTIONS, FUNCTIONS_SQL)
            .named("routine_catalog", request.text(2)?)
            .like("routine_schema", request.text(3)?)
            .like("routine_name", request.text(4)?)
            .ordered("1, 2, 3"),
        "GetPrimaryKeys" => Query::new(UNKNOWN, PRIMARY_KEYS_SQL)
            .named("k.table_catalog", request.text(2)?)
            .named("k.table_schema", request.text(3)?)
            .named("k.table_name", request.text(4)?)
            .ordered("1, 2, 3, 5"),
        "GetCrossReference" => Query::new(UNKNOWN, CROSS_REFERENCE_SQL)
            .named("pk.table_catalog", request.text(2)?)
            .named("pk.table_schema", request.text(3)?)
            .named("pk.table_name", request.text(4)?)
            .named("fk.table_catalog", request.text(5)?)
            .named("fk.table_schema", request.text(6)?)
            .named("fk.table_name", request.text(7)?)
            .ordered("5, 6, 7, 9"),
        _ => return Ok(None),
    }))
}

const TABLES_SQL: &str = "\
    SELECT table_catalog AS TABLE_CAT, table_schema AS TABLE_SCHEM, table_name AS TABLE_NAME, driver_type AS TABLE_TYPE, \
    coalesce(comment, '') AS REMARKS, CAST(NULL AS STRING) AS TYPE_CAT, CAST(NULL AS STRING) AS TYPE_SCHEM, \
    CAST(NULL AS STRING) AS TYPE_NAME, CAST(NULL AS STRING) AS SELF_REFERENCING_COL_NAME, \
    CAST(NULL AS STRING) AS REF_GENERATION \
    FROM (SELECT *, CASE table_type WHEN 'VIEW' THEN 'VIEW' WHEN 'SYSTEM' THEN 'SYSTEM TABLE' ELSE 'TABLE' END AS driver_type \
    FROM system.information_schema.tables) AS t WHERE TRUE";

const FUNCTIONS_SQL: &str = "\
    SELECT routine_catalog AS FUNCTION_CAT, routine_schema AS FUNCTION_SCHEM, routine_name AS FUNCTION_NAME, \
    comment AS REMARKS, CAST(1 AS SMALLINT) AS FUNCTION_TYPE, specific_name AS SPECIFIC_NAME \
    FROM system.information_schema.routines WHERE routine_type = 'FUNCTION'";

const PRIMARY_KEYS_SQL: &str = "\
    SELECT k.table_catalog AS TABLE_CAT, k.table_schema AS TABLE_SCHEM, k.table_name AS TABLE_NAME, \
    k.column_name AS COLUMN_NAME, CAST(k.ordinal_position AS SMALLINT) AS KEY_SEQ, k.constraint_name AS PK_NAME \
    FROM system.information_schema.key_column_usage AS k JOIN system.information_schema.table_constraints AS c \
    ON c.constraint_name = k.constraint_name AND c.table_catalog = k.table_catalog AND c.table_schema = k.table_schema \
    AND c.table_name = k.table_name WHERE c.constraint_type = 'PRIMARY KEY'";

/// 3 and 7 are JDBC's `importedKeyNoAction` and `importedKeyNotDeferrable`: keys are not enforced.
const CROSS_REFERENCE_SQL: &str = "\
    SELECT pk.table_catalog AS PKTABLE_CAT, pk.table_schema AS PKTABLE_SCHEM, pk.table_name AS PKTABLE_NAME, \
    pk.column_name AS PKCOLUMN_NAME, fk.table_catalog AS FKTABLE_CAT, fk.table_schema AS FKTABLE_SCHEM, \
    fk.table_name AS FKTABLE_NAME, fk.column_name AS FKCOLUMN_NAME, CAST(fk.ordinal_position AS SMALLINT) AS KEY_SEQ, \
    CAST(3 AS SMALLINT) AS UPDATE_RULE, CAST(3 AS SMALLINT) AS DELETE_RULE, fk.constraint_name AS FK_NAME, \
    pk.constraint_name AS PK_NAME, CAST(7 AS SMALLINT) AS DEFERRABILITY \
    FROM system.information_schema.referential_constraints AS r \
    JOIN system.information_schema.key_column_usage AS fk ON fk.constraint_catalog = r.constraint_catalog \
    AND fk.constraint_schema = r.constraint_schema AND fk.constraint_name = r.constraint_name \
    JOIN system.information_schema.key_column_usage AS pk ON pk.constraint_catalog = r.unique_constraint_catalog \
    AND pk.constraint_schema = r.unique_constraint_schema AND pk.constraint_name = r.unique_constraint_name \
    AND pk.ordinal_position = fk.position_in_unique_constraint WHERE TRUE";

fn columns() -> String {
    let mut codes = String::new();
    let mut sizes = String::new();
    for Type(_, family, code, size) in TYPES {
        let _ = write!(codes, " WHEN '{family}' THEN {code}");
        if let (Some(size), true) = (size, family != "DECIMAL") {
            let _ = write!(sizes, " WHEN '{family}' THEN {size}");
        }
    }
    format!(
        "SELECT table_catalog AS TABLE_CAT, table_schema AS TABLE_SCHEM, table_name AS TABLE_NAME, \
         column_name AS COLUMN_NAME, CASE data_type{codes} ELSE 1111 END AS DATA_TYPE, upper(full_data_type) AS TYPE_NAME, \
         CASE data_type{sizes} ELSE numeric_precision END AS COLUMN_SIZE, CAST(NULL AS TINYINT) AS BUFFER_LENGTH, \
         CASE data_type WHEN 'FLOAT' THEN 7 WHEN 'DOUBLE' THEN 15 WHEN 'TIMESTAMP' THEN 6 WHEN 'TIMESTAMP_NTZ' THEN 6 \
         ELSE numeric_scale END AS DECIMAL_DIGITS, \
         CASE WHEN numeric_precision IS NULL THEN CAST(NULL AS INT) ELSE 10 END AS NUM_PREC_RADIX, \
         CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END AS NULLABLE, coalesce(comment, '') AS REMARKS, \
         column_default AS COLUMN_DEF, CAST(NULL AS INT) AS SQL_DATA_TYPE, CAST(NULL AS INT) AS SQL_DATETIME_SUB, \
         CAST(NULL AS INT) AS CHAR_OCTET_LENGTH, ordinal_position AS ORDINAL_POSITION, is_nullable AS IS_NULLABLE, \
         CAST(NULL AS STRING) AS SCOPE_CATALOG, CAST(NULL AS STRING) AS SCOPE_SCHEMA, CAST(NULL AS STRING) AS SCOPE_TABLE, \
         CAST(NULL AS SMALLINT) AS SOURCE_DATA_TYPE, 'NO' AS IS_AUTO_INCREMENT \
         FROM system.information_schema.columns WHERE TRUE"
    )
}

fn type_info() -> String {
    let rows: Vec<String> = TYPES
        .iter()
        .map(|Type(name, family, code, size)| {
            let size = size.map_or_else(|| "CAST(NULL AS INT)".to_owned(), |size| size.to_string());
            // JDBC's `typePredNone` and `typeSearchable`.
            let searchable = if matches!(*family, "ARRAY" | "MAP" | "STRUCT") {
                0
            } else {
                3
            };
            let is_number = matches!(
                *family,
                "BYTE" | "SHORT" | "INT" | "LONG" | "FLOAT" | "DOUBLE" | "DECIMAL"
            );
            format!("('{name}', {code}, {size}, {searchable}, {is_number})")
        })
        .collect();
    format!(
        "SELECT name AS TYPE_NAME, code AS DATA_TYPE, size AS PRECISION, CAST(NULL AS STRING) AS LITERAL_PREFIX, \
         CAST(NULL AS STRING) AS LITERAL_SUFFIX, CAST(NULL AS STRING) AS CREATE_PARAMS, CAST(1 AS SMALLINT) AS NULLABLE, \
         name = 'STRING' AS CASE_SENSITIVE, CAST(searchable AS SMALLINT) AS SEARCHABLE, NOT is_number AS UNSIGNED_ATTRIBUTE, \
         FALSE AS FIXED_PREC_SCALE, FALSE AS AUTO_INCREMENT, CAST(NULL AS STRING) AS LOCAL_TYPE_NAME, \
         CAST(0 AS SMALLINT) AS MINIMUM_SCALE, CAST(CASE WHEN name = 'DECIMAL' THEN 38 ELSE 0 END AS SMALLINT) AS MAXIMUM_SCALE, \
         CAST(NULL AS INT) AS SQL_DATA_TYPE, CAST(NULL AS INT) AS SQL_DATETIME_SUB, \
         CASE WHEN is_number THEN 10 ELSE CAST(NULL AS INT) END AS NUM_PREC_RADIX \
         FROM VALUES {} AS t(name, code, size, searchable, is_number)",
        rows.join(", ")
    )
}
