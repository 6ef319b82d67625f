//! Results are streams: nothing is computed that nobody reads, and memory stays bounded.

use std::collections::BTreeMap;

use databricks_local::engine::{Engine, EngineConfig};
use futures::StreamExt;

use crate::engine_support::{self, run, session, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_can_be_read_a_little_with_little_memory() {
    // 600 million rows, of which two batches are ever made.
    let config = EngineConfig {
        scale_factor: 100.0,
        memory_limit: Some(16 << 20),
        ..EngineConfig::default()
    };
    let session = Engine::new(config)
        .unwrap()
        .session(None, None, &BTreeMap::new())
        .unwrap();
    let mut execution = session
        .execute("SELECT l_orderkey, l_quantity FROM samples.tpch.lineitem", &[])
        .await
        .unwrap();
    for _ in 0..2 {
        assert!(execution.batches.next().await.unwrap().unwrap().num_rows() > 0);
    }
    drop(execution);
    assert_eq!(
        run(&session, "SELECT n_name FROM samples.tpch.nation WHERE n_nationkey = 7")
            .await
            .rows,
        text(&[&["GERMANY"]])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_the_same_whether_it_is_generated_or_kept() {
    let session = session();
    let sql = "SELECT l_returnflag, count(*), sum(l_quantity), min(l_shipdate), max(l_shipmode) \
               FROM samples.tpch.lineitem GROUP BY ALL ORDER BY 1";
    let generated = run(&session, sql).await;
    assert_eq!(generated.rows.len(), 3);
    assert_eq!(run(&session, sql).await, generated, "from the kept columns");
    let more = run(
        &session,
        "SELECT count(*), sum(l_quantity), sum(l_linenumber) FROM samples.tpch.lineitem",
    )
    .await;
    assert_eq!(
        run(
            &session,
            "SELECT count(*), sum(l_quantity), sum(l_linenumber) FROM samples.tpch.lineitem"
        )
        .await,
        more
    );
    let uncached = EngineConfig {
        scale_factor: 0.01,
        sample_cache_bytes: 0,
        ..EngineConfig::default()
    };
    let session = Engine::new(uncached)
        .unwrap()
        .session(None, None, &BTreeMap::new())
        .unwrap();
    assert_eq!(run(&session, sql).await, generated);
}

#[tokio::test]
async fn a_limit_is_kept_to_the_row() {
    let session = session();
    for limit in [0, 1, 10, 8193, 20_000] {
        let answer = run(
            &session,
            &format!("SELECT l_orderkey FROM samples.tpch.lineitem LIMIT {limit}"),
        )
        .await;
        assert_eq!(answer.rows.len(), limit);
    }
}

#[tokio::test]
async fn a_system_table_can_be_registered_and_replaced() {
    use arrow::array::{Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::MemTable;
    use std::sync::Arc;

    let engine = engine_support::engine();
    let session = engine.session(None, None, &BTreeMap::new()).unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    for n in [1, 2] {
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(vec![n]))]).unwrap();
        let table = MemTable::try_new(Arc::clone(&schema), vec![vec![batch]]).unwrap();
        engine.register_system_table("telemetry", "events", Arc::new(table));
        let answer = run(&session, "SELECT n FROM system.telemetry.events").await;
        assert_eq!(answer.rows, vec![vec![n.to_string()]]);
    }
}
