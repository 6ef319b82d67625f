//! Primary and foreign keys. As in a workspace they are told, not enforced.

use datafusion::sql::sqlparser::ast::{
    self, ColumnOption, Expr, ForeignKeyConstraint, Ident, PrimaryKeyConstraint, TableConstraint,
};

use super::error::{Class, SqlError, quoted};
use super::plan::{Context, Place, parts};

/// A key of a table.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    pub(crate) name: String,
    /// In the order of the key.
    pub(crate) columns: Vec<String>,
    /// What a foreign key refers to; a primary key refers to nothing.
    pub(crate) parent: Option<Parent>,
}

/// The primary key that a foreign key refers to.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) constraint: String,
    /// In the order of the foreign key's columns.
    pub(crate) columns: Vec<String>,
    /// The places of these columns in the primary key, from 1.
    pub(crate) positions: Vec<i32>,
}

impl Constraint {
    /// As the information schema names it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.parent {
            Some(_) => "FOREIGN KEY",
            None => "PRIMARY KEY",
        }
    }
}

/// The keys that a `CREATE TABLE` declares, in its columns and after them.
///
/// # Errors
/// Other constraints; a key of columns that are not there; a foreign key whose parent has no such primary key.
pub(crate) async fn declared(
    context: &Context,
    place: &Place,
    create: &ast::CreateTable,
) -> Result<Vec<Constraint>, SqlError> {
    let mut found: Vec<Constraint> = Vec::new();
    for column in &create.columns {
        for option in &column.options {
            let own = || vec![column.name.clone()];
            match &option.option {
                ColumnOption::PrimaryKey(key) => {
                    found.push(primary(
                        place,
                        create,
                        option.name.as_ref().or(key.name.as_ref()),
                        &own(),
                    )?);
                }
                ColumnOption::ForeignKey(key) => {
                    let name = option.name.as_ref().or(key.name.as_ref());
                    let key = foreign(context, place, create, name, &own(), key, &found).await?;
                    found.push(key);
                }
                _ => {}
            }
        }
    }
    // A foreign key may refer to the table's own primary key, wherever that stands.
    for constraint in &create.constraints {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                found.push(primary(place, create, key.name.as_ref(), &key_columns(key)?)?);
            }
            TableConstraint::ForeignKey(_) => {}
            other => {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    format!("The constraint {other} is not supported here."),
                ));
            }
        }
    }
    for constraint in &create.constraints {
        if let TableConstraint::ForeignKey(key) = constraint {
            let key = foreign(context, place, create, key.name.as_ref(), &key.columns, key, &found).await?;
            found.push(key);
        }
    }
    if found.iter().filter(|constraint| constraint.parent.is_none()).count() > 1 {
        return Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            format!("The table {} has more than one primary key.", place.quoted()),
        ));
    }
    Ok(found)
}

/// Whether a column belongs to the primary key, and so takes no NULL.
pub(crate) fn is_primary(constraints: &[Constraint], column: &str) -> bool {
    let mut keys = constraints.iter().filter(|constraint| constraint.parent.is_none());
    keys.any(|key| key.columns.iter().any(|name| name.eq_ignore_ascii_case(column)))
}

fn key_columns(key: &PrimaryKeyConstraint) -> Result<Vec<Ident>, SqlError> {
    let column = |expr: &Expr| match expr {
        Expr::Identifier(name) => Ok(name.clone()),
        other => Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            format!("Syntax error at or near '{other}': a key is made of columns."),
        )),
    };
    key.columns.iter().map(|part| column(&part.column.expr)).collect()
}

fn primary(
    place: &Place,
    create: &ast::CreateTable,
    name: Option<&Ident>,
    columns: &[Ident],
) -> Result<Constraint, SqlError> {
    let generated = || format!("{}_pk", place.name);
    Ok(Constraint {
        name: name.map_or_else(generated, |name| name.value.to_lowercase()),
        columns: own_columns(create, columns)?,
        parent: None,
    })
}

async fn foreign(
    context: &Context,
    place: &Place,
    create: &ast::CreateTable,
    name: Option<&Ident>,
    columns: &[Ident],
    key: &ForeignKeyConstraint,
    found: &[Constraint],
) -> Result<Constraint, SqlError> {
    let parent_place = context.place(&parts(&key.foreign_table)?)?;
    let same = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
    let is_self = same(&parent_place.catalog, &place.catalog)
        && same(&parent_place.schema.name, &place.schema.name)
        && same(&parent_place.name, &place.name);
    let (table, constraints) = if is_self {
        (place.name.clone(), found.to_vec())
    } else {
        let table = parent_place.table().await?;
        (table.name, table.constraints)
    };
    let columns = own_columns(create, columns)?;
    let parent = constraints.into_iter().find(|constraint| constraint.parent.is_none());
    let referred = parent.and_then(|primary| {
        let wanted: Vec<String> = match key.referred_columns.is_empty() {
            true => primary.columns.clone(),
            false => key.referred_columns.iter().map(|column| column.value.clone()).collect(),
        };
        let position = |name: &String| primary.columns.iter().position(|column| same(column, name));
        let positions = wanted.iter().map(position).collect::<Option<Vec<_>>>()?;
        let whole = wanted.len() == primary.columns.len() && wanted.len() == columns.len();
        whole.then(|| Parent {
            catalog: parent_place.catalog.clone(),
            schema: parent_place.schema.name.clone(),
            table: table.clone(),
            constraint: primary.name.clone(),
            columns: positions.iter().map(|at| primary.columns[*at].clone()).collect(),
            positions: positions
                .iter()
                .map(|at| i32::try_from(at + 1).unwrap_or(i32::MAX))
                .collect(),
        })
    });
    let Some(parent) = referred else {
        return Err(SqlError::new(
            Class::PARSE_SYNTAX_ERROR,
            format!(
                "A foreign key refers to a primary key: {} has none of these columns.",
                parent_place.quoted()
            ),
        ));
    };
    let count = found.iter().filter(|constraint| constraint.parent.is_some()).count();
    let generated = || match count {
        0 => format!("{}_{table}_fk", place.name),
        count => format!("{}_{table}_fk_{count}", place.name),
    };
    Ok(Constraint {
        name: name.map_or_else(generated, |name| name.value.to_lowercase()),
        columns,
        parent: Some(parent),
    })
}

/// The columns as the table's definition writes them.
fn own_columns(create: &ast::CreateTable, names: &[Ident]) -> Result<Vec<String>, SqlError> {
    let find = |name: &Ident| {
        let mut columns = create.columns.iter().map(|column| &column.name.value);
        let found = columns.find(|column| column.eq_ignore_ascii_case(&name.value));
        found.cloned().ok_or_else(|| {
            SqlError::new(
                Class::UNRESOLVED_COLUMN,
                format!(
                    "A column with the name {} cannot be resolved.",
                    quoted(&[name.value.as_str()])
                ),
            )
        })
    };
    names.iter().map(find).collect()
}
