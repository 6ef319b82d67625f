//! The same query as an Arrow stream, as JSON inline and as JSON behind links: the same types and the same values.

use adbc_core::options::{OptionStatement, OptionValue};
use adbc_core::sync::{Connection as _, Optionable as _, Statement as _};
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use conformance::{connect, start};

fn fetch(sql: &str, options: &[(&str, &str)], chunk_bytes: usize) -> RecordBatch {
    let workspace = start(|builder| builder.chunk_bytes(chunk_bytes));
    let mut connection = connect(&workspace);
    let mut statement = connection.new_statement().unwrap();
    for (key, value) in options {
        let value = OptionValue::String((*value).to_owned());
        statement.set_option(OptionStatement::from(*key), value).unwrap();
    }
    statement.set_sql_query(sql).unwrap();
    let reader = statement.execute().unwrap();
    let schema = reader.schema();
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cells = |row| {
        batch
            .columns()
            .iter()
            .map(move |column| array_value_to_string(column, row).unwrap())
    };
    (0..batch.num_rows()).map(|row| cells(row).collect()).collect()
}

const JSON: (&str, &str) = ("databricks.result.format", "JSON_ARRAY");
const LINKS: (&str, &str) = ("databricks.result.disposition", "EXTERNAL_LINKS");

fn same(sql: &str, chunk_bytes: usize) {
    let arrow = fetch(sql, &[], chunk_bytes);
    for options in [&[JSON][..], &[JSON, LINKS]] {
        let json = fetch(sql, options, chunk_bytes);
        for (left, right) in arrow.schema().fields().iter().zip(json.schema().fields()) {
            assert!(left.data_type().equals_datatype(right.data_type()), "{left} {right}");
            assert_eq!(left.name(), right.name());
            assert_eq!(left.metadata(), right.metadata());
        }
        assert_eq!(rows(&arrow), rows(&json));
    }
}

#[test]
fn every_type() {
    same(
        "SELECT true AS b, 1Y AS i8, 2S AS i16, 3 AS i32, 4L AS i64, CAST(1.5 AS FLOAT) AS f32, double('-Infinity') AS f64, \
         CAST('12345678901234567890.1234567890' AS DECIMAL(38,10)) AS d, 'it''s \"x\" \\\\' AS s, X'00FF' AS bin, \
         DATE'2026-11-21' AS day, TIMESTAMP'2026-11-21 12:00:00.123456' AS at, TIMESTAMP_NTZ'2026-11-21 12:00:00' AS ntz, \
         INTERVAL '2-6' YEAR TO MONTH AS ym, INTERVAL '3 12:30:15.5' DAY TO SECOND AS dt, NULL AS nothing, \
         array(1, NULL, 3) AS list, map('k', 1.5, 'j', NULL) AS pairs, \
         named_struct('a', 1, 'b', array('x', NULL), 'c', DATE'2026-01-01') AS record",
        1 << 20,
    );
}

#[test]
fn many_rows_in_many_chunks() {
    same(
        "SELECT l_orderkey, l_linenumber, l_extendedprice, l_shipdate, l_comment, array(l_quantity) AS q \
         FROM samples.tpch.lineitem WHERE l_orderkey < 2000 ORDER BY 1, 2",
        32 << 10,
    );
}

#[test]
fn no_rows() {
    same(
        "SELECT 1 AS a, array(1) AS b, INTERVAL '1' DAY AS c WHERE false",
        1 << 20,
    );
}
