//! Prints `docs/types.md`.
//!
//! `cargo run -p adbc-databricks --example types_catalogue > docs/types.md`

#![allow(clippy::print_stdout, reason = "it is what this program is for")]

fn main() {
    print!("{}", adbc_databricks::types_page_markdown());
}
