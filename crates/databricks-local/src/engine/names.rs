//! The names of columns: found in any case, and given to results as they were written.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::DFSchema;
use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, SelectItem, SetExpr, Value,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// How columns spell their names, by the name in lower case.
///
/// The planner lowers unquoted names and compares exactly. So every name of a statement is respelled the way its column is spelled, and a
/// name in backticks that no column has in lower case.
#[derive(Debug, Default)]
pub(crate) struct Spellings {
    by_lower: BTreeMap<String, BTreeSet<String>>,
}

impl Spellings {
    pub(crate) fn add<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            self.by_lower
                .entry(name.to_lowercase())
                .or_default()
                .insert(name.to_owned());
        }
    }

    /// The tokens with names respelled, or `None` when nothing changes.
    pub(crate) fn respelled(&self, mut tokens: Vec<TokenWithSpan>) -> Option<Vec<TokenWithSpan>> {
        let mut changed = false;
        let mut before: Option<Token> = None;
        for index in 0..tokens.len() {
            if matches!(tokens[index].token, Token::Whitespace(_)) {
                continue;
            }
            let current = tokens[index].token.clone();
            if let Token::Word(word) = &current
                && is_name(word, before.as_ref(), next_significant(&tokens, index))
                && let Some(word) = self.respelled_word(word)
            {
                tokens[index].token = Token::Word(word);
                changed = true;
            }
            before = Some(current);
        }
        changed.then_some(tokens)
    }

    fn respelled_word(&self, word: &Word) -> Option<Word> {
        let lower = word.value.to_lowercase();
        let spelling = self
            .by_lower
            .get(&lower)
            .filter(|spellings| spellings.len() == 1)
            .and_then(BTreeSet::first);
        let value = spelling.unwrap_or(&lower).clone();
        // The planner lowers what is not quoted.
        let seen = if word.quote_style.is_some() {
            &word.value
        } else {
            &lower
        };
        (value != *seen).then_some(Word {
            value,
            quote_style: Some('`'),
            keyword: Keyword::NoKeyword,
        })
    }
}

/// Whether a word is a name, as far as its neighbours tell. A word that is also a keyword is a name only where a value can begin, and
/// not before a parenthesis or a string: there it is a function or the type of a literal.
fn is_name(word: &Word, before: Option<&Token>, after: Option<&Token>) -> bool {
    if word.quote_style.is_some() {
        return true;
    }
    if matches!(after, Some(Token::LParen | Token::SingleQuotedString(_))) {
        return false;
    }
    if word.keyword == Keyword::NoKeyword {
        return true;
    }
    match before {
        Some(Token::Word(before)) => matches!(
            before.keyword,
            Keyword::AND
                | Keyword::BETWEEN
                | Keyword::BY
                | Keyword::CASE
                | Keyword::DISTINCT
                | Keyword::ELSE
                | Keyword::HAVING
                | Keyword::ON
                | Keyword::OR
                | Keyword::SELECT
                | Keyword::SET
                | Keyword::THEN
                | Keyword::WHEN
                | Keyword::WHERE
        ),
        Some(Token::DoubleColon | Token::RParen | Token::Number(..) | Token::SingleQuotedString(_)) | None => false,
        Some(_) => true,
    }
}

fn next_significant(tokens: &[TokenWithSpan], index: usize) -> Option<&Token> {
    tokens[index + 1..]
        .iter()
        .map(|token| &token.token)
        .find(|token| !matches!(token, Token::Whitespace(_)))
}

/// The spellings of all aliases (`AS name`) with an upper-case letter, by the name in lower case.
pub(crate) fn aliases(tokens: &[TokenWithSpan]) -> BTreeMap<String, String> {
    let mut aliases = BTreeMap::new();
    let significant: Vec<&Token> = tokens
        .iter()
        .map(|token| &token.token)
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .collect();
    for pair in significant.windows(2) {
        if let [Token::Word(keyword), Token::Word(alias)] = pair
            && keyword.keyword == Keyword::AS
            && alias.value.contains(char::is_uppercase)
        {
            aliases
                .entry(alias.value.to_lowercase())
                .or_insert_with(|| alias.value.clone());
        }
    }
    aliases
}

/// The names of a result's columns as the statement writes them.
#[derive(Debug, Default)]
pub(crate) struct ResultNames {
    outermost: Vec<Written>,
    /// For columns that come through a wildcard.
    aliases: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Written {
    /// One column of this name.
    Column(String),
    /// As many columns as it takes, named as they are.
    Wildcard,
}

impl ResultNames {
    /// The names that a query, or the query within a statement, gives.
    ///
    /// Two columns of one name, which the planner refuses, get different names inside the query and keep the same one in the result.
    pub(crate) fn of(statement: &mut ast::Statement, aliases: BTreeMap<String, String>) -> Self {
        let query = match statement {
            ast::Statement::CreateTable(create) => create.query.as_deref_mut(),
            ast::Statement::CreateView(create) => Some(create.query.as_mut()),
            ast::Statement::Insert(insert) => insert.source.as_deref_mut(),
            ast::Statement::Query(query) => Some(query.as_mut()),
            _ => None,
        };
        let outermost = query.map(written).unwrap_or_default();
        Self { outermost, aliases }
    }

    /// The names over a plan's columns.
    pub(crate) fn over(&self, schema: &DFSchema) -> Vec<String> {
        let through_wildcard = |name: &String| self.aliases.get(name).unwrap_or(name).clone();
        let mut names: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| through_wildcard(field.name()))
            .collect();
        let wildcards = self
            .outermost
            .iter()
            .filter(|written| matches!(written, Written::Wildcard))
            .count();
        if wildcards == 0 && self.outermost.len() != names.len() {
            return names;
        }
        let before = self.outermost.iter().map_while(Written::column);
        names
            .iter_mut()
            .zip(before)
            .for_each(|(name, written)| name.clone_from(written));
        if wildcards > 0 {
            let after = self.outermost.iter().rev().map_while(Written::column);
            names
                .iter_mut()
                .rev()
                .zip(after)
                .for_each(|(name, written)| name.clone_from(written));
        }
        names
    }
}

impl Written {
    fn column(&self) -> Option<&String> {
        match self {
            Self::Column(name) => Some(name),
            Self::Wildcard => None,
        }
    }
}

fn written(query: &mut ast::Query) -> Vec<Written> {
    let Some(select) = outermost(&mut query.body) else {
        return Vec::new();
    };
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut written = Vec::with_capacity(select.projection.len());
    for (index, item) in select.projection.iter_mut().enumerate() {
        let (expr, name, inner) = match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                (expr.clone(), alias.value.clone(), alias.value.to_lowercase())
            }
            SelectItem::UnnamedExpr(expr) => (
                expr.clone(),
                display_name(expr, Casts::Shown),
                display_name(expr, Casts::Hidden).to_lowercase(),
            ),
            SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                written.push(Written::Wildcard);
                continue;
            }
        };
        if !seen.insert(inner) {
            *item = SelectItem::ExprWithAlias {
                expr,
                alias: column_alias(index),
            };
        }
        written.push(Written::Column(name));
    }
    written
}

/// Gives every column of the outermost select list that has no name a name of its own.
pub(crate) fn name_all(query: &mut ast::Query) {
    let Some(select) = outermost(&mut query.body) else {
        return;
    };
    for (index, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::UnnamedExpr(expr) = item
            && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: column_alias(index),
            };
        }
    }
}

fn column_alias(index: usize) -> Ident {
    Ident::with_quote('`', format!("__column_{index}"))
}

/// Whether a name shows casts. The planner's names do not, so two columns that differ in a cast alone have one name to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Casts {
    Hidden,
    Shown,
}

fn outermost(body: &mut SetExpr) -> Option<&mut ast::Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => outermost(&mut query.body),
        // The left side names the columns. Its own names must stay what the right side is matched with, so only a plain select counts.
        SetExpr::SetOperation { left, .. } => outermost(left),
        _ => None,
    }
}

/// The name that Databricks gives to a column without an alias.
fn display_name(expr: &Expr, casts: Casts) -> String {
    let name = |expr: &Expr| display_name(expr, casts);
    match expr {
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()).unwrap_or_default(),
        Expr::Nested(inner) => name(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            Value::Number(digits, _) => digits.clone(),
            Value::Boolean(value) => value.to_string(),
            Value::Null => "NULL".to_owned(),
            other => other.to_string(),
        },
        Expr::UnaryOp {
            op: ast::UnaryOperator::Not,
            expr,
        } => format!("(NOT {})", name(expr)),
        Expr::UnaryOp { op, expr } if matches!(**expr, Expr::Value(_)) => format!("{op}{}", name(expr)),
        Expr::UnaryOp { op, expr } => format!("({op} {})", name(expr)),
        Expr::BinaryOp { left, op, right } => format!("({} {op} {})", name(left), name(right)),
        Expr::IsNull(inner) => format!("({} IS NULL)", name(inner)),
        Expr::IsNotNull(inner) => format!("({} IS NOT NULL)", name(inner)),
        // A cast column keeps the column's name.
        Expr::Cast { expr, .. } if casts == Casts::Hidden => name(expr),
        Expr::Cast { expr, .. } if matches!(**expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => name(expr),
        Expr::Cast { expr, data_type, .. } => format!("CAST({} AS {data_type})", name(expr)),
        Expr::Function(function) => function_name(function, casts),
        other => other.to_string(),
    }
}

fn function_name(function: &ast::Function, casts: Casts) -> String {
    let name = function.name.to_string().to_lowercase();
    let arguments = match &function.args {
        FunctionArguments::None | FunctionArguments::Subquery(_) => String::new(),
        FunctionArguments::List(list) => {
            let distinct = match list.duplicate_treatment {
                Some(ast::DuplicateTreatment::Distinct) => "DISTINCT ",
                _ => "",
            };
            let arguments: Vec<String> = list
                .args
                .iter()
                .map(|argument| argument_name(argument, casts))
                .collect();
            format!("{distinct}{}", arguments.join(", "))
        }
    };
    let over = function
        .over
        .as_ref()
        .map(|over| format!(" OVER {over}"))
        .unwrap_or_default();
    format!("{name}({arguments}){over}")
}

fn argument_name(argument: &FunctionArg, casts: Casts) -> String {
    match argument {
        // count(*) is count(1) there.
        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => "1".to_owned(),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => display_name(expr, casts),
        other => other.to_string(),
    }
}
