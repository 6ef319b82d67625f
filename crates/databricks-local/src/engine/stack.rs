//! Stack for statements: expressions are trees, and what walks them recurses.

use std::pin::Pin;
use std::task::{Context, Poll};

/// What reading and planning a statement may use.
const STATEMENT_STACK_BYTES: usize = 64 << 20;

/// A future that is polled on a stack of its own.
pub(crate) struct OnLargeStack<F>(Pin<Box<F>>);

impl<F: Future> OnLargeStack<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for OnLargeStack<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        stacker::grow(STATEMENT_STACK_BYTES, || self.0.as_mut().poll(context))
    }
}
