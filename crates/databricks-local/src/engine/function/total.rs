//! `sum` and `avg` that lose nothing: a sum of integers that does not fit is an error, an average of decimals is rounded.
//!
//! Both stand on the engine's own accumulators, one type or one digit wider than the answer, and bring that to its type at the end.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, DecimalType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion::scalar::ScalarValue;

use crate::engine::error::{Class, SqlError};

pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    [(Kind::Sum, sum_udaf()), (Kind::Avg, avg_udaf())]
        .map(|(kind, inner)| Arc::new(AggregateUDF::new_from_impl(Total { kind, inner })))
        .into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    kind: Kind,
    /// The engine's own.
    inner: Arc<AggregateUDF>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Avg,
}

/// Holds every sum of BIGINT that there is memory for.
const WIDE: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

/// What makes the answer's type of the wider one.
#[derive(Clone, Copy, Debug)]
enum Narrowing {
    /// A decimal without digits after the point becomes BIGINT.
    BigInt,
    /// A decimal loses its last digit.
    Digit(u8, i8),
}

impl Total {
    /// The wider type that is computed with, and the way back; none where the engine's own answer is right.
    fn wider(&self, answer: &DataType, distinct: bool) -> Option<(DataType, Narrowing)> {
        match (self.kind, answer) {
            (Kind::Sum, DataType::Int64) if !distinct => Some((WIDE, Narrowing::BigInt)),
            (Kind::Avg, DataType::Decimal128(precision, scale)) if *scale < DECIMAL128_MAX_PRECISION as i8 => Some((
                DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale + 1),
                Narrowing::Digit(*precision, *scale),
            )),
            _ => None,
        }
    }

    fn inputs(&self, fields: &[FieldRef]) -> Vec<FieldRef> {
        match self.kind {
            Kind::Sum => vec![Arc::new(Field::new("wide", WIDE, true))],
            Kind::Avg => fields.to_vec(),
        }
    }
}

/// Calls `$make` with arguments of the wider type, and puts what it makes into a [`Narrowed`].
macro_rules! widened {
    ($self:ident, $args:ident, $make:ident) => {
        match $self.wider($args.return_field.data_type(), $args.is_distinct) {
            None => $self.inner.inner().$make($args),
            Some((wide, narrowing)) => {
                let fields = $self.inputs($args.expr_fields);
                let return_field = Arc::new($args.return_field.as_ref().clone().with_data_type(wide));
                let wide_args = AccumulatorArgs {
                    return_field,
                    expr_fields: &fields,
                    ..$args
                };
                let inner = $self.inner.inner().$make(wide_args)?;
                Ok(Box::new(Narrowed { inner, narrowing }))
            }
        }
    };
}

impl AggregateUDFImpl for Total {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        widened!(self, args, accumulator)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        widened!(self, args, create_sliding_accumulator)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        widened!(self, args, create_groups_accumulator)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match self.wider(args.return_field.data_type(), args.is_distinct) {
            None => self.inner.state_fields(args),
            Some((wide, _)) => {
                let fields = self.inputs(args.input_fields);
                self.inner.state_fields(StateFieldsArgs {
                    return_field: Arc::new(args.return_field.as_ref().clone().with_data_type(wide)),
                    input_fields: &fields,
                    ..args
                })
            }
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// An accumulator of the wider type, and the way back from it.
#[derive(Debug)]
struct Narrowed<A> {
    inner: A,
    narrowing: Narrowing,
}

impl Narrowing {
    /// A sum of integers is one of decimals; other values are taken as they are.
    fn widened(self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        match (self, values) {
            (Self::BigInt, [integers]) => Ok(vec![cast(integers, &WIDE)?]),
            _ => Ok(values.to_vec()),
        }
    }

    /// # Errors
    /// `ARITHMETIC_OVERFLOW` when the answer does not fit its type.
    fn array(self, wide: &ArrayRef) -> Result<ArrayRef> {
        let wide = wide.as_primitive::<Decimal128Type>();
        Ok(match self {
            Self::BigInt => {
                let narrow: Int64Array = wide.try_unary(|sum| i64::try_from(sum).map_err(|_| overflow("sum")))?;
                Arc::new(narrow)
            }
            Self::Digit(precision, scale) => {
                let narrow: Decimal128Array = wide.try_unary(|value| {
                    // Half away from zero: the digit that goes was cut, not rounded.
                    let rounded = (value + value.signum() * 5) / 10;
                    if Decimal128Type::is_valid_decimal_precision(rounded, precision) {
                        Ok(rounded)
                    } else {
                        Err(overflow("avg"))
                    }
                })?;
                Arc::new(narrow.with_precision_and_scale(precision, scale)?)
            }
        })
    }
}

fn overflow(function: &str) -> SqlError {
    SqlError::new(
        Class::ARITHMETIC_OVERFLOW,
        format!("Overflow in {function}. Use `try_{function}` to tolerate overflow and return NULL instead."),
    )
}

impl Accumulator for Narrowed<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&self.narrowing.widened(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let wide = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.narrowing.array(&wide)?, 0)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&self.narrowing.widened(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

impl GroupsAccumulator for Narrowed<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let values = self.narrowing.widened(values)?;
        self.inner.update_batch(&values, group_indices, filter, groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.narrowing.array(&self.inner.evaluate(emit_to)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], groups: usize) -> Result<()> {
        self.inner.merge_batch(values, group_indices, groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&self.narrowing.widened(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
