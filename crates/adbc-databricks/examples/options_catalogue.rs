//! Prints `docs/options.md`.

// An example prints.
#![allow(clippy::print_stdout)]

fn main() {
    print!("{}", adbc_databricks::options::page_markdown());
}
