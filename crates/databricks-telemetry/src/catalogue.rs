//! The catalogue of tags and operations as a document, made from the tables themselves.

use std::fmt::Write;

use activity::{EventKind, Merge, Scope, TagDef};

use crate::config::OPTIONS;
use crate::stats::{DropReason, MEANINGS};
use crate::{kinds, operations, tags};

/// The text of `docs/tags.md`.
pub fn catalogue_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    operations_table(&mut page);
    for (kind, name, meaning) in kinds::ALL {
        event_table(&mut page, kind, name, meaning);
    }
    page.push_str(BESIDE);
    local_table(&mut page);
    value_table(&mut page);
    page
}

/// The tables of `docs/telemetry.md`, by the names under which the page has them: its options, and what its counters
/// mean.
pub fn page_tables() -> [(&'static str, String); 3] {
    let mut options = String::from("| option | also | values | default | meaning |\n|---|---|---|---|---|\n");
    for option in OPTIONS {
        let also: Vec<_> = option.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let default = match option.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(
            options,
            "| `{}` | {} | {} | {default} | {} |",
            option.key,
            also.join(", "),
            option.takes,
            option.description
        );
    }
    let mut counters = String::from("| counter | meaning |\n|---|---|\n");
    for (name, meaning) in MEANINGS {
        let _ = writeln!(counters, "| `{name}` | {meaning} |");
    }
    let mut reasons = String::from("| dropped because | meaning |\n|---|---|\n");
    for reason in DropReason::ALL {
        let _ = writeln!(reasons, "| `{}` | {} |", reason.as_str(), reason.meaning());
    }
    [("options", options), ("counters", counters), ("reasons", reasons)]
}

const INTRODUCTION: &str = "\
# Operations and tags

This page is generated from the tables in `crates/databricks-telemetry/src/{operations,kinds,tags,values}.rs` with
`cargo run -p databricks-telemetry --example tags_catalogue`; a test compares the two.

Every operation of the driver is an activity with typed tags. A tag leaves the machine, as Databricks usage
telemetry, only with the events under which it is listed below. Everything else stays with listeners on this
machine.

A child's values roll up into its root by the rule in the last column: *keep* means that they do not.
";

const BESIDE: &str = "
## Beside the tags

Every entry also says which product and version sent it (`adbc-databricks-rust/…`), when the operation began,
and a random id of its own. *Connection open* also describes the system: the driver's name and version, the
runtime's name, version and vendor, the operating system's name and release, the architecture, the locale as
language and country, and the character set.

On the unauthenticated endpoint (a connection that fails, or a client without credentials) an entry says what
was done, how long it took and the category of the error; it has no ids, and nothing about the connection or the
system.
";

fn operations_table(page: &mut String) {
    section(
        page,
        "Operations",
        "Roots become one event each, when the last of their children is done.",
    );
    line(page, "| operation | becomes |");
    line(page, "|---|---|");
    for operation in operations::OPERATIONS {
        let kind = kinds::ALL.iter().find(|(kind, ..)| *kind == operation.kind());
        let becomes = kind.map_or("part of its root".to_owned(), |(_, name, _)| format!("event: {name}"));
        line(page, &format!("| `{}` | {becomes} |", operation.name()));
    }
    line(page, "");
    line(
        page,
        "A `Connection.Open` that fails becomes the event *error* instead.",
    );
}

fn event_table(page: &mut String, kind: EventKind, name: &str, meaning: &str) {
    section(page, &format!("Event: {name}"), &format!("Sent when {meaning}."));
    line(page, "| tag | type | always | meaning | rolls up |");
    line(page, "|---|---|---|---|---|");
    for tag in tags::TABLE.iter().filter(|tag| tag.is_exported(kind)) {
        let always = if tag.is_required(kind) { "yes" } else { "" };
        let (name, kind_of_value, meaning, merge) = columns(tag);
        line(
            page,
            &format!("| `{name}` | {kind_of_value} | {always} | {meaning} | {merge} |"),
        );
    }
}

fn local_table(page: &mut String) {
    section(page, "Never sent", "For listeners on this machine only.");
    line(page, "| tag | type | meaning | rolls up |");
    line(page, "|---|---|---|---|");
    for tag in tags::TABLE
        .iter()
        .filter(|tag| matches!(tag.scope(), Scope::Local | Scope::None))
    {
        let (name, kind_of_value, meaning, merge) = columns(tag);
        line(page, &format!("| `{name}` | {kind_of_value} | {meaning} | {merge} |"));
    }
}

fn value_table(page: &mut String) {
    section(page, "Values", "The types with a closed set of values.");
    line(page, "| type | values |");
    line(page, "|---|---|");
    let mut seen = Vec::new();
    for tag in tags::TABLE.iter().filter(|tag| !tag.variants().is_empty()) {
        if !seen.contains(&tag.type_name()) {
            seen.push(tag.type_name());
            let values: Vec<_> = tag.variants().iter().map(|value| format!("`{value}`")).collect();
            line(page, &format!("| {} | {} |", tag.type_name(), values.join(", ")));
        }
    }
}

fn columns(tag: &TagDef) -> (&'static str, &'static str, String, &'static str) {
    let merge = match tag.merge() {
        Merge::Keep => "keep",
        Merge::Sum => "sum",
        Merge::Max => "max",
        Merge::Min => "min",
        Merge::First => "first",
        Merge::Last => "last",
    };
    let meaning = tag
        .description()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|");
    (tag.name(), tag.type_name(), meaning, merge)
}

fn section(page: &mut String, title: &str, sentence: &str) {
    // Writing into a string does not fail.
    let _ = write!(page, "\n## {title}\n\n{sentence}\n\n");
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}
