//! `main.data`: Parquet, CSV and JSON files, and directories of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use databricks_local::engine::{Engine, EngineConfig};
use datafusion::parquet::arrow::ArrowWriter;

use crate::engine_support::{error, run, text};

fn parquet(path: &std::path::Path, ids: &[i64]) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("Id", DataType::Int64, true),
        Field::new("Name", DataType::Utf8, true),
    ]));
    let names: Vec<String> = ids.iter().map(|id| format!("name {id}")).collect();
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int64Array::from(ids.to_vec())),
            Arc::new(StringArray::from(names)),
        ],
    )
    .unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[tokio::test]
async fn files_of_a_directory_are_tables() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(
        path.join("Cities 2024.csv"),
        "city,people\nBerlin,3700000\nBonn,330000\n",
    )
    .unwrap();
    fs::write(
        path.join("events.json"),
        "{\"kind\":\"a\",\"n\":1}\n{\"kind\":\"b\",\"n\":2}\n",
    )
    .unwrap();
    fs::write(path.join("notes.txt"), "no table").unwrap();
    parquet(&path.join("people.parquet"), &[1, 2, 3]);
    fs::create_dir(path.join("parts")).unwrap();
    parquet(&path.join("parts/0.parquet"), &[1, 2]);
    parquet(&path.join("parts/1.parquet"), &[3]);

    let config = EngineConfig {
        data_dir: Some(path.to_owned()),
        scale_factor: 0.01,
        ..EngineConfig::default()
    };
    let engine = Engine::new(config).unwrap();
    let session = engine.session(None, None, &BTreeMap::new()).unwrap();
    let tables = run(&session, "SHOW TABLES IN main.data").await;
    let names: Vec<&str> = tables.rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(names, ["cities_2024", "events", "parts", "people"]);

    let cities = run(&session, "SELECT * FROM main.data.cities_2024 ORDER BY people").await;
    assert_eq!(cities.columns, ["city STRING", "people BIGINT"]);
    assert_eq!(cities.rows, text(&[&["Bonn", "330000"], &["Berlin", "3700000"]]));
    assert_eq!(
        run(&session, "SELECT sum(n) FROM main.data.events").await.rows,
        text(&[&["3"]])
    );
    let people = run(
        &session,
        "SELECT ID, name FROM main.data.people WHERE Id > 1 ORDER BY id",
    )
    .await;
    assert_eq!(people.columns, ["ID BIGINT", "name STRING"]);
    assert_eq!(people.rows, text(&[&["2", "name 2"], &["3", "name 3"]]));
    assert_eq!(
        run(&session, "SELECT count(*) FROM main.data.parts").await.rows,
        text(&[&["3"]])
    );
    assert_eq!(error(&session, "DROP TABLE main.data.people").await.sql_state, "0A000");

    // To read a pipe would be to wait for whoever writes into it.
    #[cfg(unix)]
    {
        let made = std::process::Command::new("mkfifo")
            .arg(path.join("pipe.csv"))
            .status()
            .unwrap();
        assert!(made.success());
        assert_eq!(error(&session, "SELECT * FROM main.data.pipe").await.sql_state, "42P01");
    }

    // A file that comes later is a table at once, and one that cannot be read is an error of its own.
    fs::write(path.join("late.csv"), "a\n1\n").unwrap();
    assert_eq!(
        run(&session, "SELECT * FROM main.data.late").await.rows,
        text(&[&["1"]])
    );
    fs::write(path.join("broken.parquet"), "no parquet").unwrap();
    let broken = error(&session, "SELECT * FROM main.data.broken").await;
    assert_eq!(broken.sql_state, "KD001");
    assert!(
        broken.message.contains(&*path.join("broken.parquet").to_string_lossy()),
        "{}",
        broken.message
    );
    assert_eq!(
        engine
            .unreadable_files()
            .await
            .iter()
            .map(|file| &file.message)
            .collect::<Vec<_>>(),
        [&broken.message]
    );
    // It costs nobody the others.
    for list in [
        "SHOW TABLES IN main.data",
        "SHOW TABLES IN CATALOG main SCHEMA LIKE 'data'",
        "SELECT table_name FROM main.information_schema.tables WHERE table_schema = 'data'",
    ] {
        assert_eq!(run(&session, list).await.rows.len(), 5, "{list}");
    }
    run(&session, "SHOW COLUMNS IN CATALOG main").await;
}

#[test]
fn a_data_directory_must_be_there() {
    let config = EngineConfig {
        data_dir: Some("/nowhere/at/all".into()),
        ..EngineConfig::default()
    };
    assert_eq!(Engine::new(config).unwrap_err().class, "INVALID_PARAMETER_VALUE");
}

#[tokio::test]
async fn what_is_no_table_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for (file, text) in [
        ("t.csv", "a\n1\n"),
        ("t.json", "{\"a\":1}\n"),
        ("my-table.csv", "a\n1\n"),
        ("my_table.csv", "a\n1\n"),
        ("nothing.csv", ""),
        ("bare.parquet", ""),
        ("broken.parquet", "no parquet"),
    ] {
        fs::write(path.join(file), text).unwrap();
    }
    fs::create_dir(path.join("parts")).unwrap();
    fs::write(path.join("parts/0.csv"), "").unwrap();
    let config = EngineConfig {
        data_dir: Some(path.to_owned()),
        scale_factor: 0.01,
        ..EngineConfig::default()
    };
    let engine = Engine::new(config).unwrap();
    let told = || async {
        let files = engine.unreadable_files().await;
        let here = format!("{}/", path.display());
        let messages: Vec<String> = files.iter().map(|file| file.message.replace(&here, "")).collect();
        messages
    };
    assert_eq!(
        told().await,
        [
            "The file my_table.csv is no table, because my-table.csv is the table `my_table`.",
            "The file t.json is no table, because t.csv is the table `t`.",
            "The file bare.parquet of table `bare` cannot be read: it has no columns.",
            "The file broken.parquet of table `broken` cannot be read: Parquet error: Invalid Parquet file. Corrupt footer",
            "The file nothing.csv of table `nothing` cannot be read: it has no columns.",
            "The directory parts of table `parts` cannot be read: it has no columns.",
        ]
    );
    let session = engine.session(None, None, &BTreeMap::new()).unwrap();
    let empty = error(&session, "SELECT * FROM main.data.nothing").await;
    assert_eq!(empty.class, "FAILED_READ_FILE.NO_HINT", "{empty}");
    assert_eq!(run(&session, "SELECT * FROM main.data.t").await.columns, ["a BIGINT"]);

    fs::remove_dir_all(path).unwrap();
    let gone = told().await;
    let start = format!("The directory {} cannot be read: ", path.display());
    assert!(
        matches!(gone.as_slice(), [gone] if gone.starts_with(&start)),
        "{gone:?}"
    );
}
