//! `docs/tags.md` is what the tables say.

use std::path::Path;

use databricks_telemetry::{catalogue_markdown, operations, tags};

#[test]
fn the_catalogue_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tags.md");
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == catalogue_markdown(),
        "docs/tags.md is not what the tables say; write it with \
         `cargo run -p databricks-telemetry --example tags_catalogue > docs/tags.md`"
    );
}

#[test]
fn the_catalogue_lists_every_tag_and_every_operation() {
    let page = catalogue_markdown();
    for tag in tags::TABLE.iter() {
        assert!(
            page.contains(&format!("| `{}` | {} |", tag.name(), tag.type_name())),
            "{}",
            tag.name()
        );
        assert!(tag.description().ends_with('.'), "{}", tag.name());
    }
    for operation in operations::OPERATIONS {
        assert!(
            page.contains(&format!("| `{}` |", operation.name())),
            "{}",
            operation.name()
        );
    }
}
