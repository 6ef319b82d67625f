//! `dbsql`: query Databricks SQL, or a workspace on this machine, and look at the telemetry that the driver sends.

// A command line talks to people: this is the one crate that prints.
#![allow(clippy::print_stderr, clippy::print_stdout)]

mod cli;
mod doctor;
mod driver;
mod failure;
mod interrupt;
mod output;
mod progress;
mod query;
mod serve;
mod session;
mod target;
mod telemetry;
mod trace;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Query(args) => query::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Telemetry(args) => telemetry::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Driver(args) => driver::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
