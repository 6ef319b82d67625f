//! Rows that travelled (inline, by links, compressed, in JSON) equal the rows that the engine computed.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::pretty::pretty_format_batches;
use conformance::{connect_with, query, workspace};
use databricks_local::Workspace;
use futures::TryStreamExt as _;

const QUERIES: &[&str] = &[
    "SELECT 1 AS one, 'a' AS a, CAST(NULL AS STRING) AS nothing, true AS yes",
    "SELECT * FROM samples.tpch.region ORDER BY r_regionkey",
    "SELECT * FROM samples.tpch.orders ORDER BY o_orderkey",
    "SELECT * FROM samples.tpch.lineitem ORDER BY l_orderkey, l_linenumber",
    "SELECT * FROM samples.tpch.nation WHERE n_name = 'nowhere'",
    "SELECT l_returnflag, sum(l_quantity) q, avg(l_extendedprice) p FROM samples.tpch.lineitem GROUP BY ALL ORDER BY 1",
];

fn computed(workspace: &Workspace, sql: &str) -> RecordBatch {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let session = workspace
        .engine()
        .session(None, None, &BTreeMap::new())
        .expect("a session");
    runtime.block_on(async {
        let execution = session.execute(sql, &[]).await.expect("a statement");
        let batches: Vec<_> = execution.batches.try_collect().await.expect("rows");
        concat_batches(&execution.schema, &batches).expect("one batch")
    })
}

fn text(batch: &RecordBatch) -> String {
    pretty_format_batches(std::slice::from_ref(batch))
        .expect("a table")
        .to_string()
}

#[test]
fn in_every_disposition_and_compression() {
    let workspace = workspace();
    let variants: [&[(&str, &str)]; 3] = [
        &[],
        &[
            ("databricks.result.disposition", "EXTERNAL_LINKS"),
            ("databricks.result.compression", "NONE"),
        ],
        &[("databricks.result.disposition", "EXTERNAL_LINKS")],
    ];
    for options in variants {
        let mut connection = connect_with(&workspace, options).expect("a connection");
        for sql in QUERIES {
            let got = query(&mut connection, sql).expect("rows");
            let want = computed(&workspace, sql);
            assert_eq!(got.num_rows(), want.num_rows(), "{sql} with {options:?}");
            let types = |batch: &RecordBatch| {
                batch
                    .schema()
                    .fields()
                    .iter()
                    .map(|f| (f.name().clone(), f.data_type().clone()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(types(&got), types(&want), "{sql} with {options:?}");
            assert!(
                got.columns() == want.columns() || text(&got) == text(&want),
                "{sql} with {options:?}"
            );
        }
    }
}
