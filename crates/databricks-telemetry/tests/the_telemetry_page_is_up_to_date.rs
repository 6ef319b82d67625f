//! `docs/telemetry.md` has the options and counters that the code has.

use databricks_telemetry::{Stats, page_tables};

#[test]
fn the_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/telemetry.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    for (name, table) in page_tables() {
        assert!(
            page.contains(&format!("<!-- {name} -->\n{table}<!-- end of {name} -->\n")),
            "the table of {name} is not what the code says; write it with \
             `cargo run -p databricks-telemetry --example telemetry_page`"
        );
    }
}

#[test]
fn every_counter_is_explained() {
    let stats = format!("{:?}", Stats::default());
    let [_, (_, counters), _] = page_tables();
    let names: Vec<_> = stats
        .split(['{', ','])
        .filter_map(|field| field.trim().split_once(": "))
        .collect();
    assert!(names.len() > 10, "{stats}");
    for (name, _) in names.iter().filter(|(name, _)| *name != "dropped") {
        assert!(counters.contains(&format!("| `{name}` | ")), "{name}");
    }
}
