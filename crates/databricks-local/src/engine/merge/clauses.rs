//! The `WHEN` clauses of a `MERGE`, sorted by which rows they act on.

use arrow::datatypes::Schema as ArrowSchema;
use datafusion::sql::sqlparser::ast::{
    self, AssignmentTarget, Expr, Ident, MergeAction, MergeClauseKind, MergeInsertKind, ObjectName,
};

use super::stars::STAR;
use super::{Sides, unsupported};
use crate::engine::dml::column;
use crate::engine::error::{Class, SqlError, quoted};
use crate::engine::plan::{Place, parts};

pub(super) struct Clauses {
    pub(super) matched: Vec<Clause>,
    pub(super) by_target: Vec<Clause>,
    pub(super) by_source: Vec<Clause>,
}

pub(super) struct Clause {
    pub(super) condition: Option<Expr>,
    pub(super) action: Action,
}

pub(super) enum Action {
    Delete,
    /// New values by column: of an update or of a row that is inserted.
    Put(Vec<(usize, Expr)>),
}

impl Action {
    pub(super) fn values(&self) -> &[(usize, Expr)] {
        match self {
            Self::Delete => &[],
            Self::Put(values) => values,
        }
    }
}

impl Clauses {
    /// All conditions and values.
    pub(super) fn expressions(&mut self) -> impl Iterator<Item = &mut Expr> {
        let clauses = [&mut self.matched, &mut self.by_target, &mut self.by_source];
        clauses.into_iter().flatten().flat_map(|clause| {
            let values = match &mut clause.action {
                Action::Delete => None,
                Action::Put(values) => Some(values.iter_mut().map(|(_, value)| value)),
            };
            clause.condition.iter_mut().chain(values.into_iter().flatten())
        })
    }

    pub(super) fn of(
        clauses: Vec<ast::MergeClause>,
        sides: &Sides,
        schema: &ArrowSchema,
        place: &Place,
    ) -> Result<Self, SqlError> {
        let mut sorted = Self {
            matched: Vec::new(),
            by_target: Vec::new(),
            by_source: Vec::new(),
        };
        if clauses.is_empty() {
            return Err(SqlError::new(
                Class::PARSE_SYNTAX_ERROR,
                "Syntax error: MERGE takes at least one WHEN clause.",
            ));
        }
        for clause in clauses {
            let (of_kind, class) = match clause.clause_kind {
                MergeClauseKind::Matched => (&mut sorted.matched, Class::NON_LAST_MATCHED),
                MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                    (&mut sorted.by_target, Class::NON_LAST_NOT_MATCHED_BY_TARGET)
                }
                MergeClauseKind::NotMatchedBySource => (&mut sorted.by_source, Class::NON_LAST_NOT_MATCHED_BY_SOURCE),
            };
            if of_kind.last().is_some_and(|before| before.condition.is_none()) {
                return Err(SqlError::new(
                    class,
                    "Of several WHEN clauses of one kind, only the last can omit the condition.",
                ));
            }
            let by_source = matches!(clause.clause_kind, MergeClauseKind::NotMatchedBySource);
            of_kind.push(Clause {
                condition: clause.predicate,
                action: action(clause.action, by_source, sides, schema, place)?,
            });
        }
        Ok(sorted)
    }
}

fn action(
    action: MergeAction,
    by_source: bool,
    sides: &Sides,
    schema: &ArrowSchema,
    place: &Place,
) -> Result<Action, SqlError> {
    let given: Vec<(ObjectName, Expr)> = match action {
        MergeAction::Delete { .. } => return Ok(Action::Delete),
        MergeAction::Update(update) => {
            if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                return Err(unsupported("A clause of MERGE has its condition before THEN."));
            }
            let assignments = update
                .assignments
                .into_iter()
                .map(|assignment| match assignment.target {
                    AssignmentTarget::ColumnName(name) => Ok((name, assignment.value)),
                    AssignmentTarget::Tuple(_) => Err(unsupported("One column is assigned at a time.")),
                });
            assignments.collect::<Result<_, _>>()?
        }
        MergeAction::Insert(insert) => {
            if insert.insert_predicate.is_some() {
                return Err(unsupported("A clause of MERGE has its condition before THEN."));
            }
            let MergeInsertKind::Values(values) = insert.kind else {
                return Err(unsupported("A clause of MERGE inserts VALUES or *."));
            };
            let [row] = <[_; 1]>::try_from(values.rows).map_err(|_| {
                SqlError::new(
                    Class::PARSE_SYNTAX_ERROR,
                    "Syntax error: a clause of MERGE inserts one row.",
                )
            })?;
            if insert.columns.is_empty() {
                return Err(SqlError::new(
                    Class::PARSE_SYNTAX_ERROR,
                    "Syntax error: INSERT in MERGE names its columns.",
                ));
            }
            if insert.columns.len() != row.content.len() {
                return Err(SqlError::new(
                    Class::INSERT_COLUMN_ARITY_MISMATCH,
                    format!(
                        "Cannot write to {}: {} columns are expected, the data has {}.",
                        place.quoted(),
                        insert.columns.len(),
                        row.content.len()
                    ),
                ));
            }
            insert.columns.into_iter().zip(row.content).collect()
        }
    };
    if let [(name, _)] = given.as_slice()
        && parts(name)? == [STAR]
    {
        if by_source {
            return Err(unsupported(
                "A row that no source row matches has no values to be set to.",
            ));
        }
        let of_source =
            |name: &String| Expr::CompoundIdentifier(vec![sides.source.clone(), Ident::with_quote('`', name.as_str())]);
        let fields = schema.fields().iter().enumerate();
        return Ok(Action::Put(
            fields.map(|(at, field)| (at, of_source(field.name()))).collect(),
        ));
    }
    let mut values: Vec<(usize, Expr)> = Vec::with_capacity(given.len());
    for (name, value) in given {
        let at = assigned(&name, sides, schema, place)?;
        if values.iter().any(|(before, _)| *before == at) {
            let name = quoted(&[schema.field(at).name()]);
            return Err(SqlError::new(
                Class::COLUMN_ALREADY_EXISTS,
                format!("The column {name} is given more than once."),
            ));
        }
        values.push((at, value));
    }
    Ok(Action::Put(values))
}

/// The column of the target that a name means, which may be qualified by the target's name.
fn assigned(name: &ObjectName, sides: &Sides, schema: &ArrowSchema, place: &Place) -> Result<usize, SqlError> {
    let qualified = parts(name)?;
    if let [.., table, _] = qualified.as_slice()
        && !table.eq_ignore_ascii_case(&sides.target.value)
    {
        return Err(SqlError::new(
            Class::UNRESOLVED_COLUMN,
            format!("{} is no column of {}.", quoted(&qualified), place.quoted()),
        ));
    }
    column(name, schema, place)
}
