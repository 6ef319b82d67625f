//! `docs/options.md` is what the tables say.

#[test]
fn docs_options_md() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/options.md");
    let page = std::fs::read_to_string(path).expect("docs/options.md exists");
    assert!(
        page == adbc_databricks::options::page_markdown(),
        "run: cargo run -p adbc-databricks --example options_catalogue > docs/options.md"
    );
}
