//! Writes the tables of `docs/telemetry.md` anew: `cargo run -p databricks-telemetry --example telemetry_page`.

use std::io;

fn main() -> io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/telemetry.md");
    let mut page = std::fs::read_to_string(path)?;
    for (name, table) in databricks_telemetry::page_tables() {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let from = page.find(&begin).map(|at| at + begin.len());
        let to = page.find(&end);
        let (Some(from), Some(to)) = (from, to) else {
            return Err(io::Error::other(format!("docs/telemetry.md has no place for {name}")));
        };
        page.replace_range(from..to, &table);
    }
    std::fs::write(path, page)
}
