//! Prints the catalogue of operations and tags: `cargo run -p databricks-telemetry --example tags_catalogue >
//! docs/tags.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(databricks_telemetry::catalogue_markdown().as_bytes())
}
