//! The columns that a `MERGE` names, spelled as its two tables spell them.

use std::ops::ControlFlow;

use arrow::datatypes::Schema;
use datafusion::sql::sqlparser::ast::{Expr, Ident, VisitMut, VisitorMut};

use super::Sides;

/// The two sides of a `MERGE`, each under its name.
pub(super) struct Spelling<'a> {
    sides: [(String, &'a Schema); 2],
}

impl<'a> Spelling<'a> {
    pub(super) fn new(sides: &Sides, target: &'a Schema, source: &'a Schema) -> Self {
        let sides = [
            (sides.target.value.clone(), target),
            (sides.source.value.clone(), source),
        ];
        Self { sides }
    }

    /// Respells names that are found in another case; the planner compares exactly.
    pub(super) fn respell(&self, expr: &mut Expr) {
        let _: ControlFlow<()> = expr.visit(&mut Respell(self));
    }

    /// The column's spelling, if all columns that it can mean have the same one.
    fn of(&self, side: Option<&Ident>, name: &Ident) -> Option<Ident> {
        let sides = self
            .sides
            .iter()
            .filter(|(there, _)| side.is_none_or(|side| side.value.to_lowercase() == there.to_lowercase()));
        let mut spellings = sides.flat_map(|(_, schema)| {
            let same = |there: &&String| there.to_lowercase() == name.value.to_lowercase();
            schema.fields().iter().map(|field| field.name()).filter(same)
        });
        let first = spellings.next()?;
        spellings
            .all(|other| other == first)
            .then(|| Ident::with_quote('`', first.as_str()))
    }
}

struct Respell<'a>(&'a Spelling<'a>);

impl VisitorMut for Respell<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => {
                if let Some(spelled) = self.0.of(None, name) {
                    *name = spelled;
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let [side, name, ..] = parts.as_mut_slice()
                    && let Some(spelled) = self.0.of(Some(side), name)
                {
                    *name = spelled;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
