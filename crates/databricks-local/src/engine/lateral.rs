//! How `(t CROSS JOIN UNNEST(t.a) AS view (element))` is planned: the elements of each row's array, beside the row.
//!
//! The planner by itself reads the array of an `UNNEST` without the relations before it.

use arrow::datatypes::DataType;
use datafusion::common::{Column, DataFusionError, TableReference, UnnestOptions};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{Join, JoinOperator, TableFactor};

/// The name of the elements' column until it has its own: a line break keeps it apart from the columns of tables.
const ELEMENT: &str = "element\n";

/// Plans cross joins with the elements of an array of the relations before them.
#[derive(Debug)]
pub(crate) struct LateralElements;

impl RelationPlanner for LateralElements {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning, DataFusionError> {
        let TableFactor::NestedJoin {
            mut table_with_joins,
            alias: None,
        } = relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let (array, view, element) = match table_with_joins.joins.pop() {
            Some(Join {
                relation:
                    TableFactor::UNNEST {
                        alias: Some(alias),
                        mut array_exprs,
                        with_offset: false,
                        with_ordinality: false,
                        ..
                    },
                join_operator: JoinOperator::CrossJoin(_),
                ..
            }) if array_exprs.len() == 1 && alias.columns.len() == 1 => {
                let mut columns = alias.columns;
                (array_exprs.remove(0), alias.name, columns.remove(0).name)
            }
            other => {
                table_with_joins.joins.extend(other);
                return Ok(RelationPlanning::Original(Box::new(TableFactor::NestedJoin {
                    table_with_joins,
                    alias: None,
                })));
            }
        };
        let before = context.plan(TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        })?;
        let array = context.sql_to_expr(array, before.schema())?;
        if !matches!(
            array.get_type(before.schema())?,
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Null
        ) {
            return Err(DataFusionError::Plan("explode takes an array".to_owned()));
        }
        let columns: Vec<Expr> = before.schema().columns().into_iter().map(Expr::Column).collect();
        let view = TableReference::bare(context.normalize_ident(view));
        let name = context.normalize_ident(element);
        let with = |element: Expr| columns.iter().cloned().chain([element]).collect::<Vec<_>>();
        let element = Column::from_name(ELEMENT);
        let plan = LogicalPlanBuilder::new(before)
            .project(with(array.alias(ELEMENT)))?
            .unnest_column_with_options(element.clone(), UnnestOptions::new().with_preserve_nulls(false))?
            .project(with(Expr::Column(element).alias_qualified(Some(view), name)))?
            .build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}
