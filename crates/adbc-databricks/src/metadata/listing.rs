//! One level after the other, each with as few statements as the server allows.

use std::collections::BTreeSet;

use super::ask::{Answer, Asker, Row, is_refusal, named, quoted};
use super::objects::Filters;
use super::pattern::Pattern;
use super::tree::{Catalog, Column, Constraint, Named, Schema, Table, Usage};
use crate::error::Result;
use crate::observe::Purpose;
use crate::types::SqlType;

/// What is being listed, and how far the listing is.
pub(super) struct Listing<'a> {
    asker: &'a Asker<'a>,
    filters: &'a Filters,
    pub(super) found: Named<Catalog>,
    /// Catalogs (in lower case) whose information schema answers.
    informed: BTreeSet<String>,
    /// Catalogs that have to be asked with `SHOW`.
    shown: BTreeSet<String>,
}

/// A relation of the information schema, and what is asked of it.
struct Question<'a> {
    select: &'a str,
    from: String,
    /// Columns with the names of catalog, schema, table.
    names: [&'a str; 3],
    /// How many of them the filters apply to.
    depth: usize,
    /// A schema that is wanted whatever the filter says.
    always: &'a str,
}

impl<'a> Listing<'a> {
    pub(super) fn new(asker: &'a Asker<'a>, filters: &'a Filters) -> Self {
        Self {
            asker,
            filters,
            found: Named::new(),
            informed: BTreeSet::new(),
            shown: BTreeSet::new(),
        }
    }

    /// # Errors
    /// The server's.
    pub(super) fn catalogs(&mut self) -> Result<()> {
        if self.filters.catalog.wants_nameless() {
            return Ok(());
        }
        let answer = self.ask("SHOW CATALOGS".to_owned())?;
        let place = answer.need(&["catalog", "catalog_name", "table_cat"])?;
        for name in answer
            .rows
            .into_iter()
            .filter_map(|mut row| take(&mut row, Some(place)))
        {
            if self.filters.catalog.matches(&name) {
                let schemas = Named::new();
                self.found.insert(name.to_lowercase(), Catalog { name, schemas });
            }
        }
        Ok(())
    }

    /// # Errors
    /// As [`super::objects::objects`].
    pub(super) fn schemas(&mut self) -> Result<()> {
        if self.filters.schema.wants_nameless() || self.found.is_empty() {
            return Ok(());
        }
        // Every catalog that has an information schema lists it there: so the answer says which have one.
        let question = Question {
            select: "catalog_name, schema_name",
            from: self.relation("schemata"),
            names: ["catalog_name", "schema_name", ""],
            depth: 2,
            always: " OR schema_name = 'information_schema'",
        };
        match self.information(&question) {
            Ok(answer) => self.take_schemas(answer)?,
            Err(error) if is_refusal(&error) => {}
            Err(error) => return Err(error),
        }
        let rest: Vec<String> = self
            .found
            .keys()
            .filter(|key| !self.informed.contains(*key))
            .cloned()
            .collect();
        for key in rest {
            let sql = match self.filters.schema.hive() {
                Some(like) => format!("SHOW SCHEMAS IN {} LIKE {like}", self.quoted(&key)),
                None => format!("SHOW SCHEMAS IN {}", self.quoted(&key)),
            };
            let Some(answer) = self.show(&key, sql)? else { continue };
            self.shown.insert(key.clone());
            let place = answer.need(&["databasename", "namespace", "schema_name", "table_schem"])?;
            for name in answer
                .rows
                .into_iter()
                .filter_map(|mut row| take(&mut row, Some(place)))
            {
                self.add_schema(&key, name);
            }
        }
        Ok(())
    }

    fn take_schemas(&mut self, answer: Answer) -> Result<()> {
        let [catalog, schema] = [answer.need(&["catalog_name"])?, answer.need(&["schema_name"])?];
        for mut row in answer.rows {
            let (Some(catalog), Some(name)) = (take(&mut row, Some(catalog)), take(&mut row, Some(schema))) else {
                continue;
            };
            let key = catalog.to_lowercase();
            if self.found.contains_key(&key) {
                self.add_schema(&key, name);
                self.informed.insert(key);
            }
        }
        Ok(())
    }

    fn add_schema(&mut self, catalog: &str, name: String) {
        if let Some(catalog) = self
            .found
            .get_mut(catalog)
            .filter(|_| self.filters.schema.matches(&name))
        {
            let tables = Named::new();
            catalog.schemas.insert(name.to_lowercase(), Schema { name, tables });
        }
    }

    /// # Errors
    /// As [`super::objects::objects`].
    pub(super) fn tables(&mut self) -> Result<()> {
        if self.filters.kinds.as_ref().is_some_and(Vec::is_empty) || !self.has_schemas() {
            return Ok(());
        }
        let question = Question {
            select: "table_catalog, table_schema, table_name, table_type",
            from: self.relation("tables"),
            names: ["table_catalog", "table_schema", "table_name"],
            depth: 3,
            always: "",
        };
        if let Some(answer) = self.informed_answer(&question)? {
            self.take_tables(answer, None)?;
        }
        for key in self.shown.clone() {
            let sql = format!(
                "SHOW TABLES IN CATALOG {}{}{}",
                self.quoted(&key),
                like(" SCHEMA LIKE ", &self.filters.schema),
                like(" LIKE ", &self.filters.table)
            );
            if let Some(answer) = self.show(&key, sql)? {
                self.take_tables(answer, Some(&key))?;
            }
        }
        Ok(())
    }

    fn take_tables(&mut self, answer: Answer, shown: Option<&str>) -> Result<()> {
        let catalog = answer.place(&["table_catalog", "catalogname", "table_cat"]);
        let schema = answer.need(&["table_schema", "namespace", "database", "table_schem"])?;
        let table = answer.need(&["table_name", "tablename"])?;
        let kind = answer.place(&["table_type", "tabletype"]);
        for mut row in answer.rows {
            let kind = kind_of(&take(&mut row, kind).unwrap_or_default());
            let catalog = take(&mut row, catalog).or_else(|| shown.map(str::to_owned));
            let (schema, name) = (take(&mut row, Some(schema)), take(&mut row, Some(table)));
            let (Some(catalog), Some(schema), Some(name)) = (catalog, schema, name) else {
                continue;
            };
            if !self.filters.table.matches(&name) || !self.filters.wants_kind(kind) {
                continue;
            }
            // What is in no schema (a temporary view) is in no list of a schema's tables.
            if let Some(schema) = self.schema_mut(&catalog, &schema) {
                let table = Table {
                    name: name.clone(),
                    kind,
                    ..Table::default()
                };
                schema.tables.insert(name.to_lowercase(), table);
            }
        }
        Ok(())
    }

    /// # Errors
    /// As [`super::objects::objects`].
    pub(super) fn columns(&mut self) -> Result<()> {
        if !self.has_tables(|_| true) {
            return Ok(());
        }
        let question = Question {
            select: "table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, \
                     full_data_type, comment",
            from: self.relation("columns"),
            names: ["table_catalog", "table_schema", "table_name"],
            depth: 3,
            always: "",
        };
        if self.has_tables(|key| self.informed.contains(key))
            && let Some(answer) = self.informed_answer(&question)?
        {
            self.take_columns(answer, None)?;
        }
        for key in self.shown.clone() {
            if !self.has_tables(|catalog| catalog == key) {
                continue;
            }
            let sql = format!(
                "SHOW COLUMNS IN CATALOG {}{}{}",
                self.quoted(&key),
                like(" SCHEMA LIKE ", &self.filters.schema),
                like(" TABLE LIKE ", &self.filters.table)
            );
            if let Some(answer) = self.show(&key, sql)? {
                self.take_columns(answer, Some(&key))?;
            }
        }
        let filters = self.filters;
        for table in self.all_tables() {
            table.columns.sort_by_key(|column| column.position);
            // Documented as numbered from 1, and numbered from 0 by servers that exist. Hence all columns are asked for,
            // whatever the filter on columns says.
            if table.columns.first().is_some_and(|column| column.position == Some(0)) {
                for column in &mut table.columns {
                    column.position = column.position.map(|position| position.saturating_add(1));
                }
            }
            table.columns.retain(|column| filters.column.matches(&column.name));
        }
        Ok(())
    }

    fn take_columns(&mut self, answer: Answer, shown: Option<&str>) -> Result<()> {
        let catalog = answer.place(&["table_catalog", "catalogname", "table_cat"]);
        let schema = answer.need(&["table_schema", "namespace", "table_schem"])?;
        let table = answer.need(&["table_name", "tablename"])?;
        let name = answer.need(&["column_name", "col_name"])?;
        let position = answer.place(&["ordinal_position", "ordinalposition"]);
        let type_text = answer.place(&["full_data_type", "columntype", "type_name"]);
        let remarks = answer.place(&["comment", "remarks"]);
        let default = answer.place(&["column_default", "column_def"]);
        let nullable = answer.place(&["is_nullable", "isnullable"]);
        let autoincrement = answer.place(&["isautoincrement", "is_auto_increment", "is_autoincrement"]);
        let generated = answer.place(&["isgenerated", "is_generatedcolumn"]);
        for mut row in answer.rows {
            let catalog = take(&mut row, catalog).or_else(|| shown.map(str::to_owned));
            let (schema, table) = (take(&mut row, Some(schema)), take(&mut row, Some(table)));
            let (Some(catalog), Some(schema), Some(table)) = (catalog, schema, table) else {
                continue;
            };
            let Some(name) = take(&mut row, Some(name)) else {
                continue;
            };
            let place = self.schema_mut(&catalog, &schema);
            if let Some(table) = place.and_then(|schema| schema.tables.get_mut(&table.to_lowercase())) {
                table.columns.push(Column {
                    name,
                    position: take(&mut row, position).and_then(|number| number.parse().ok()),
                    remarks: take(&mut row, remarks).filter(|text| !text.is_empty()),
                    type_text: take(&mut row, type_text).map(|text| upper(&text)),
                    default: take(&mut row, default),
                    nullable: take(&mut row, nullable).and_then(|word| flag(&word)),
                    autoincrement: take(&mut row, autoincrement).and_then(|word| flag(&word)),
                    generated: take(&mut row, generated).and_then(|word| flag(&word)),
                });
            }
        }
        Ok(())
    }

    /// Primary and foreign keys and checks, where there is an information schema. They are no reason to fail.
    ///
    /// # Errors
    /// The server could not be asked.
    pub(super) fn constraints(&mut self) -> Result<()> {
        if !self.has_tables(|key| self.informed.contains(key)) {
            return Ok(());
        }
        let same = |left: &str, right: &str, prefix: &str| {
            let equal = ["catalog", "schema", "name"]
                .map(|part| format!("{left}.constraint_{part} = {right}.{prefix}constraint_{part}"));
            equal.join(" AND ")
        };
        let from = format!(
            "{} tc LEFT JOIN {usage} k ON {} LEFT JOIN {} r ON {} LEFT JOIN {usage} p ON {} \
             AND p.ordinal_position = k.position_in_unique_constraint",
            self.relation("table_constraints"),
            same("k", "tc", ""),
            self.relation("referential_constraints"),
            same("r", "tc", ""),
            same("p", "r", "unique_"),
            usage = self.relation("key_column_usage"),
        );
        let question = Question {
            select: "tc.table_catalog, tc.table_schema, tc.table_name, tc.constraint_name, tc.constraint_type, \
                     k.column_name, k.ordinal_position, p.table_catalog AS fk_catalog, p.table_schema AS fk_schema, \
                     p.table_name AS fk_table, p.column_name AS fk_column",
            from,
            names: ["tc.table_catalog", "tc.table_schema", "tc.table_name"],
            depth: 3,
            always: "",
        };
        match self.information(&question) {
            Ok(answer) => self.take_constraints(answer),
            Err(error) if is_refusal(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn take_constraints(&mut self, answer: Answer) -> Result<()> {
        let names = [
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_name",
            "constraint_type",
        ];
        let mut places = Vec::new();
        for name in names {
            places.push(answer.need(&[name])?);
        }
        let [column, position] = [answer.need(&["column_name"])?, answer.need(&["ordinal_position"])?];
        let parent = ["fk_catalog", "fk_schema", "fk_table", "fk_column"].map(|name| answer.place(&[name]));
        let mut rows: Vec<(i32, Row)> = answer
            .rows
            .into_iter()
            .map(|mut row| {
                let number = take(&mut row, Some(position)).and_then(|number| number.parse().ok());
                (number.unwrap_or(0), row)
            })
            .collect();
        rows.sort_by_key(|(position, _)| *position);
        for (_, mut row) in rows {
            let cells: Vec<_> = places.iter().filter_map(|place| take(&mut row, Some(*place))).collect();
            let Ok([catalog, schema, table, name, kind]) = <[String; 5]>::try_from(cells) else {
                continue;
            };
            let place = self.schema_mut(&catalog, &schema);
            let Some(table) = place.and_then(|schema| schema.tables.get_mut(&table.to_lowercase())) else {
                continue;
            };
            let at = table.constraints.iter().position(|known| known.name == name);
            let at = at.unwrap_or_else(|| {
                let usage = (kind == "FOREIGN KEY").then(Vec::new);
                table.constraints.push(Constraint {
                    name,
                    kind,
                    columns: Vec::new(),
                    usage,
                });
                table.constraints.len() - 1
            });
            let constraint = &mut table.constraints[at];
            constraint.columns.extend(take(&mut row, Some(column)));
            let [catalog, schema, table, column] = parent.map(|place| take(&mut row, place));
            constraint.usage = match (constraint.usage.take(), table, column) {
                (Some(mut usage), Some(table), Some(column)) => {
                    usage.push(Usage {
                        catalog,
                        schema,
                        table,
                        column,
                    });
                    Some(usage)
                }
                // A parent that may not be seen, or is in a catalog with an information schema of its own.
                _ => None,
            };
        }
        for table in self.all_tables() {
            table.constraints.sort_by(|left, right| left.name.cmp(&right.name));
        }
        Ok(())
    }

    /// Where the information schema is looked for: in the one catalog, or in `system` about several.
    fn relation(&self, name: &str) -> String {
        let mut catalogs = self.found.values();
        match (catalogs.next(), catalogs.next()) {
            (Some(only), None) => format!("{}.information_schema.{name}", quoted(&only.name)),
            _ => format!("system.information_schema.{name}"),
        }
    }

    /// Asks the information schema; when it refuses, its catalogs are asked with `SHOW` from here on.
    fn informed_answer(&mut self, question: &Question<'_>) -> Result<Option<Answer>> {
        if self.informed.is_empty() {
            return Ok(None);
        }
        match self.information(question) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_refusal(&error) => {
                self.shown.append(&mut self.informed);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn information(&self, question: &Question<'_>) -> Result<Answer> {
        let [catalog, schema, table] = question.names;
        let filters = [
            (catalog, "c", &self.filters.catalog, ""),
            (schema, "s", &self.filters.schema, question.always),
            (table, "t", &self.filters.table, ""),
        ];
        // A catalog's own information schema is about itself only.
        let skipped = usize::from(self.found.len() == 1);
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        for (column, parameter, pattern, always) in filters.into_iter().take(question.depth).skip(skipped) {
            if let Some((condition, more)) = pattern.condition(column, parameter) {
                conditions.push(format!("({condition}{always})"));
                values.extend(more);
            }
        }
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let sql = format!("SELECT {} FROM {}{filter}", question.select, question.from);
        self.asker.ask(sql, named(values), Purpose::INTERNAL)
    }

    /// Asks about one catalog; `None` when the server refuses and the catalog was not named.
    fn show(&self, key: &str, sql: String) -> Result<Option<Answer>> {
        match self.ask(sql) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_refusal(&error) && !self.filters.catalog.names(key) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn ask(&self, sql: String) -> Result<Answer> {
        self.asker.ask(sql, Vec::new(), Purpose::INTERNAL)
    }

    fn quoted(&self, key: &str) -> String {
        quoted(self.found.get(key).map_or(key, |catalog| &catalog.name))
    }

    fn has_schemas(&self) -> bool {
        self.found.values().any(|catalog| !catalog.schemas.is_empty())
    }

    fn has_tables(&self, of: impl Fn(&str) -> bool) -> bool {
        let wanted = self.found.iter().filter(|(key, _)| of(key));
        let mut schemas = wanted.flat_map(|(_, catalog)| catalog.schemas.values());
        schemas.any(|schema| !schema.tables.is_empty())
    }

    fn all_tables(&mut self) -> impl Iterator<Item = &mut Table> {
        let schemas = self.found.values_mut().flat_map(|catalog| catalog.schemas.values_mut());
        schemas.flat_map(|schema| schema.tables.values_mut())
    }

    fn schema_mut(&mut self, catalog: &str, schema: &str) -> Option<&mut Schema> {
        self.found
            .get_mut(&catalog.to_lowercase())?
            .schemas
            .get_mut(&schema.to_lowercase())
    }
}

/// The types of tables that applications know. What holds rows of its own is a `TABLE`, wherever its files lie.
pub(crate) const TABLE_TYPES: [&str; 6] = [
    "TABLE",
    "VIEW",
    "SYSTEM TABLE",
    "MATERIALIZED_VIEW",
    "STREAMING_TABLE",
    "METRIC_VIEW",
];

/// The table type behind the names that the information schema (`MANAGED`, `EXTERNAL_SHALLOW_CLONE`, …) and `SHOW` give it.
/// `SHOW` gives none in `hive_metastore`.
fn kind_of(text: &str) -> &'static str {
    let text = text.to_uppercase().replace(' ', "_");
    let known = TABLE_TYPES.iter().find(|kind| kind.replace(' ', "_") == text);
    match text.as_str() {
        "SYSTEM" | "SYSTEM_VIEW" => "SYSTEM TABLE",
        _ => known.copied().unwrap_or("TABLE"),
    }
}

fn take(row: &mut Row, place: Option<usize>) -> Option<String> {
    row.get_mut(place?)?.take()
}

fn like(clause: &str, pattern: &Pattern) -> String {
    pattern.hive().map(|text| format!("{clause}{text}")).unwrap_or_default()
}

fn flag(word: &str) -> Option<bool> {
    match word.to_ascii_uppercase().as_str() {
        "YES" | "TRUE" | "1" => Some(true),
        "NO" | "FALSE" | "0" => Some(false),
        _ => None,
    }
}

/// The type in capitals, as a result's manifest writes it; names of fields inside keep their case.
fn upper(type_text: &str) -> String {
    match SqlType::parse(type_text) {
        SqlType::Other(text) => text,
        known => known.to_string(),
    }
}
