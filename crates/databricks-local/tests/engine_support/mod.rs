//! What the engine's tests share: a session, and its answers as text.

#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use databricks_local::engine::{Engine, EngineConfig, EngineSession, SqlError};
use databricks_wire::sea::Parameter;
use futures::TryStreamExt;

/// An engine with little sample data.
pub fn engine() -> Arc<Engine> {
    Engine::new(EngineConfig {
        scale_factor: 0.01,
        ..EngineConfig::default()
    })
    .unwrap()
}

/// A session of an engine of its own.
pub fn session() -> Arc<EngineSession> {
    engine().session(None, None, &BTreeMap::new()).unwrap()
}

/// An answer: columns as `name TYPE`, rows as text, `NULL` for NULL.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Executes a statement and reads its result to the end.
pub async fn try_run(session: &EngineSession, sql: &str, parameters: &[Parameter]) -> Result<Answer, SqlError> {
    let execution = session.execute(sql, parameters).await?;
    let columns = execution
        .columns
        .iter()
        .map(|column| format!("{} {}", column.name, column.type_text))
        .collect();
    let schema = Arc::clone(&execution.schema);
    let batches: Vec<RecordBatch> = execution
        .batches
        .try_collect()
        .await
        .map_err(|error| SqlError::from_datafusion(&error))?;
    assert!(
        batches.iter().all(|batch| batch.schema() == schema),
        "a batch differs from the schema: {sql}"
    );
    Ok(Answer {
        columns,
        rows: batches.iter().flat_map(rows).collect(),
    })
}

/// Executes a statement that succeeds.
pub async fn run(session: &EngineSession, sql: &str) -> Answer {
    try_run(session, sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The error of a statement that fails, wherever it does.
pub async fn error(session: &EngineSession, sql: &str) -> SqlError {
    match try_run(session, sql, &[]).await {
        Ok(answer) => panic!("{sql} succeeded: {answer:?}"),
        Err(error) => error,
    }
}

/// Rows of text.
pub fn text(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter()
        .map(|row| row.iter().map(|&cell| cell.to_owned()).collect())
        .collect()
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect())
        .collect()
}
