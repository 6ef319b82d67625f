//! The tables of `samples.tpch`, generated row by row while they are read.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs};
use futures::stream;
use tpchgen::distribution::Distributions;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen::text::TextPool;
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

use super::tpch_cache::{Collector, ColumnCache};

/// Rows of a generated batch.
const BATCH_ROWS: usize = 8192;
/// A partition smaller than this is not worth a task of its own.
const MIN_PARTITION_ROWS: i64 = 10_000;
/// Money has two decimals in 18 digits in `samples.tpch`; the generator makes it in 15.
const MONEY: DataType = DataType::Decimal128(18, 2);

/// One table of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tpch {
    Customer,
    Lineitem,
    Nation,
    Orders,
    Part,
    Partsupp,
    Region,
    Supplier,
}

type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>;

impl Tpch {
    pub(crate) const ALL: [Self; 8] = [
        Self::Customer,
        Self::Lineitem,
        Self::Nation,
        Self::Orders,
        Self::Part,
        Self::Partsupp,
        Self::Region,
        Self::Supplier,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Lineitem => "lineitem",
            Self::Nation => "nation",
            Self::Orders => "orders",
            Self::Part => "part",
            Self::Partsupp => "partsupp",
            Self::Region => "region",
            Self::Supplier => "supplier",
        }
    }

    /// Rows at this scale factor; for `lineitem`, whose orders have one to seven lines, a close estimate.
    fn rows(self, scale_factor: f64) -> Precision<usize> {
        let count = |rows: i64| usize::try_from(rows).unwrap_or(0);
        match self {
            Self::Customer => Precision::Exact(count(CustomerGenerator::calculate_row_count(scale_factor, 1, 1))),
            Self::Lineitem => Precision::Inexact(4 * count(OrderGenerator::calculate_row_count(scale_factor, 1, 1))),
            Self::Nation => Precision::Exact(25),
            Self::Orders => Precision::Exact(count(OrderGenerator::calculate_row_count(scale_factor, 1, 1))),
            Self::Part => Precision::Exact(count(PartGenerator::calculate_row_count(scale_factor, 1, 1))),
            Self::Partsupp => Precision::Exact(4 * count(PartGenerator::calculate_row_count(scale_factor, 1, 1))),
            Self::Region => Precision::Exact(5),
            Self::Supplier => Precision::Exact(count(SupplierGenerator::calculate_row_count(scale_factor, 1, 1))),
        }
    }

    /// At least so many rows there are.
    fn fewest_rows(self, scale_factor: f64) -> usize {
        match (self, self.rows(scale_factor)) {
            (_, Precision::Exact(rows)) => rows,
            // Every order has a line.
            (Self::Lineitem, Precision::Inexact(rows)) => rows / 4,
            _ => 0,
        }
    }

    fn generated_schema(self) -> SchemaRef {
        match self {
            Self::Customer => CustomerArrow::schema_ref(),
            Self::Lineitem => LineItemArrow::schema_ref(),
            Self::Nation => NationArrow::schema_ref(),
            Self::Orders => OrderArrow::schema_ref(),
            Self::Part => PartArrow::schema_ref(),
            Self::Partsupp => PartSuppArrow::schema_ref(),
            Self::Region => RegionArrow::schema_ref(),
            Self::Supplier => SupplierArrow::schema_ref(),
        }
    }

    /// The schema of the sample catalog: the generator's, with money in 18 digits and every column nullable.
    fn schema(self) -> SchemaRef {
        let fields: Vec<Field> = self
            .generated_schema()
            .fields()
            .iter()
            .map(|field| {
                let data_type = match field.data_type() {
                    DataType::Decimal128(_, 2) => MONEY,
                    other => other.clone(),
                };
                Field::new(field.name(), data_type, true)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    fn batches(self, scale_factor: f64, part: i32, parts: i32, pool: &'static TextPool) -> Batches {
        let dist = Distributions::static_default();
        match self {
            Self::Customer => {
                let rows =
                    CustomerGenerator::new_with_distributions_and_text_pool(scale_factor, part, parts, dist, pool);
                Box::new(CustomerArrow::new(rows).with_batch_size(BATCH_ROWS))
            }
            Self::Lineitem => {
                let rows =
                    LineItemGenerator::new_with_distributions_and_text_pool(scale_factor, part, parts, dist, pool);
                Box::new(LineItemArrow::new(rows).with_batch_size(BATCH_ROWS))
            }
            Self::Nation => Box::new(NationArrow::new(NationGenerator::new_with_distributions_and_text_pool(
                dist, pool,
            ))),
            Self::Orders => {
                let rows = OrderGenerator::new_with_distributions_and_text_pool(scale_factor, part, parts, dist, pool);
                Box::new(OrderArrow::new(rows).with_batch_size(BATCH_ROWS))
            }
            Self::Part => {
                let rows = PartGenerator::new_with_distributions_and_text_pool(scale_factor, part, parts, dist, pool);
                Box::new(PartArrow::new(rows).with_batch_size(BATCH_ROWS))
            }
            Self::Partsupp => {
                let rows = PartSuppGenerator::new_with_text_pool(scale_factor, part, parts, pool);
                Box::new(PartSuppArrow::new(rows).with_batch_size(BATCH_ROWS))
            }
            Self::Region => Box::new(RegionArrow::new(RegionGenerator::new_with_distributions_and_text_pool(
                dist, pool,
            ))),
            Self::Supplier => {
                let rows =
                    SupplierGenerator::new_with_distributions_and_text_pool(scale_factor, part, parts, dist, pool);
                Box::new(SupplierArrow::new(rows).with_batch_size(BATCH_ROWS))
            }
        }
    }
}

/// The text that comments are cut from.
///
/// The benchmark prescribes 300 MiB of it, which takes seconds to make and stays in memory. Only comments are cut from it, so a scan
/// without a comment column gets a small one instead: every other value is the same.
fn text_pool(with_comments: bool) -> &'static TextPool {
    const SMALL_BYTES: i32 = 64 * 1024;
    static SMALL: OnceLock<TextPool> = OnceLock::new();
    if with_comments {
        TextPool::get_or_init_default()
    } else {
        SMALL.get_or_init(|| TextPool::new(SMALL_BYTES, Distributions::static_default()))
    }
}

/// A table of `samples.tpch`.
#[derive(Debug)]
pub(crate) struct TpchTable {
    table: Tpch,
    scale_factor: f64,
    schema: SchemaRef,
    parts: i32,
    cache: Arc<ColumnCache>,
}

impl TpchTable {
    /// `cores` is how many partitions a large table has.
    pub(crate) fn new(table: Tpch, scale_factor: f64, cores: usize, cache: Arc<ColumnCache>) -> Self {
        let rows = table.rows(scale_factor).get_value().copied().unwrap_or(0) as i64;
        let cores = i32::try_from(cores).unwrap_or(i32::MAX);
        let parts = i32::try_from(rows / MIN_PARTITION_ROWS)
            .unwrap_or(i32::MAX)
            .clamp(1, cores.max(1));
        Self {
            table,
            scale_factor,
            schema: table.schema(),
            parts,
            cache,
        }
    }
}

#[async_trait]
impl TableProvider for TpchTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(Statistics {
            num_rows: self.table.rows(self.scale_factor),
            ..Statistics::new_unknown(&self.schema)
        })
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection
            .cloned()
            .unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        // A few rows come from one partition, always the same ones.
        let fewest_rows_here = self.table.fewest_rows(self.scale_factor) / self.parts as usize;
        let partitions = if limit.is_some_and(|limit| limit <= fewest_rows_here) {
            1
        } else {
            self.parts as usize
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(TpchExec {
            table: self.table,
            scale_factor: self.scale_factor,
            parts: self.parts,
            partitions,
            columns,
            limit,
            schema,
            cache: Arc::clone(&self.cache),
            properties: Arc::new(properties),
        }))
    }
}

#[derive(Debug)]
struct TpchExec {
    table: Tpch,
    scale_factor: f64,
    /// How many parts the table is generated in.
    parts: i32,
    /// How many of them are read.
    partitions: usize,
    columns: Vec<usize>,
    limit: Option<usize>,
    schema: SchemaRef,
    cache: Arc<ColumnCache>,
    properties: Arc<PlanProperties>,
}

impl TpchExec {
    /// One partition's batches, from the cache or from the generator.
    fn partition_batches(&self, partition: usize) -> impl Iterator<Item = Result<RecordBatch>> + Send + use<> {
        let schema = Arc::clone(&self.schema);
        let limit = self.limit.unwrap_or(usize::MAX);
        let batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send> =
            match self.cache.batches((self.table, partition), &self.columns) {
                Some(cached) => Box::new(cached.into_iter().map(Ok)),
                None => {
                    let generated = self.table.generated_schema();
                    let with_comments = self
                        .columns
                        .iter()
                        .any(|&column| generated.field(column).name().ends_with("_comment"));
                    let pool = text_pool(with_comments);
                    let rows = self
                        .table
                        .batches(self.scale_factor, partition as i32 + 1, self.parts, pool);
                    let columns = self.columns.clone();
                    let batches = rows.map(move |batch| Ok(batch?.project(&columns)?));
                    let rows_here =
                        self.table.rows(self.scale_factor).get_value().copied().unwrap_or(0) / self.parts as usize;
                    // A limited scan stops early, so it has no whole columns to keep.
                    let collector = match self.limit {
                        None => self.cache.collector((self.table, partition), &self.columns, rows_here),
                        Some(_) => None,
                    };
                    match collector {
                        Some(collector) => Box::new(Collecting {
                            batches: Box::new(batches),
                            collector: Some(collector),
                        }),
                        None => Box::new(batches),
                    }
                }
            };
        let mut left = limit;
        batches
            .map(move |batch| {
                let batch = batch?;
                let batch = if batch.num_rows() > left {
                    batch.slice(0, left)
                } else {
                    batch
                };
                left -= batch.num_rows();
                with_schema(&batch, &schema)
            })
            .take_while({
                // The batch that reaches the limit still passes; the next one does not, and is not generated.
                let mut done = false;
                let mut seen = 0_usize;
                move |batch| {
                    let pass = !done;
                    if let Ok(batch) = batch {
                        seen = seen.saturating_add(batch.num_rows());
                        done = seen >= limit;
                    }
                    pass
                }
            })
    }
}

/// Passes batches through, and hands their columns to the cache when all have passed.
struct Collecting {
    batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
    collector: Option<Collector>,
}

impl Iterator for Collecting {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.batches.next() {
            Some(Ok(batch)) => {
                if let Some(collector) = &mut self.collector {
                    collector.push(&batch);
                }
                Some(Ok(batch))
            }
            Some(Err(error)) => {
                self.collector = None;
                Some(Err(error))
            }
            None => {
                if let Some(collector) = self.collector.take() {
                    collector.finish();
                }
                None
            }
        }
    }
}

/// Gives money its 18 digits. The numbers themselves stay where they are.
fn with_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns: std::result::Result<Vec<ArrayRef>, ArrowError> = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Decimal128(15, 2) => {
                let money = column
                    .as_primitive::<Decimal128Type>()
                    .clone()
                    .with_precision_and_scale(18, 2)?;
                Ok(Arc::new(money) as ArrayRef)
            }
            _ => Ok(Arc::clone(column)),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns?,
        &options,
    )?)
}

impl DisplayAs for TpchExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(
            f,
            "TpchExec: table={}, partitions={}, projection=[{}]",
            self.table.name(),
            self.partitions,
            names.join(", ")
        )?;
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for TpchExec {
    fn name(&self) -> &'static str {
        "TpchExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition >= self.partitions {
            return Err(DataFusionError::Internal(format!("no partition {partition}")));
        }
        let batches = stream::iter(self.partition_batches(partition));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        )))
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut num_rows = self.table.rows(self.scale_factor);
        if args.partition().is_some() {
            num_rows = num_rows.map(|rows| rows / self.parts as usize).to_inexact();
        }
        if let Some(limit) = self.limit {
            num_rows = num_rows.map(|rows| rows.min(limit)).to_inexact();
        }
        Ok(Arc::new(Statistics {
            num_rows,
            total_byte_size: Precision::Absent,
            column_statistics: vec![ColumnStatistics::new_unknown(); self.columns.len()],
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }
}
