//! Prints `python/src/adbc_driver_databricks/_options.py`: the driver's tables of options as Python enums.

// An example prints.
#![allow(clippy::print_stdout)]

#[path = "../tests/support/python_options.rs"]
mod python_options;

fn main() {
    print!("{}", python_options::module());
}
