//! The page about types is generated from the code that maps them.

#[test]
fn docs_types_md() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/types.md");
    let page = std::fs::read_to_string(path).expect("docs/types.md exists");
    assert!(
        page == adbc_databricks::types_page_markdown(),
        "run: cargo run -p adbc-databricks --example types_catalogue > docs/types.md"
    );
}
