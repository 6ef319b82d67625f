//! What can be typed.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use databricks_local::Fault;

const EXIT_CODES: &str = "\
Exit codes: 0 success · 1 the workspace refused or failed the statement · 2 wrong usage or option · \
3 not authenticated or not allowed · 4 network, transfer, a timeout or a file of this machine · 130 interrupted";

const DOCTOR_EXIT_CODES: &str = "\
Exit codes: 0 nothing failed (warnings may be there) · 1 a check failed · 2 wrong usage · 130 interrupted";

/// Query Databricks SQL, or a workspace on this machine.
///
/// Without a URL and without DATABRICKS_HOST in the environment, a local workspace is started inside this process: catalogs
/// `samples` (TPC-H, generated on first use), `main` (writable) and `system` (telemetry).
#[derive(Debug, Parser)]
#[command(name = "dbsql", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one statement and print its result.
    Query(QueryArgs),
    /// Start a local workspace and keep it running until Ctrl-C.
    Serve(ServeArgs),
    /// Show what a local workspace's telemetry inbox holds, or explain what would be sent.
    Telemetry(TelemetryArgs),
    /// Check the way from this machine to a warehouse step by step, and say what to do where it fails.
    ///
    /// Without a URL a workspace inside this process is checked, over TLS.
    #[command(after_help = DOCTOR_EXIT_CODES)]
    Doctor(DoctorArgs),
    /// Make the driver known to ADBC driver managers (Python, R, Go, C++ and others).
    Driver(DriverArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DriverArgs {
    #[command(subcommand)]
    pub(crate) command: DriverCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DriverCommand {
    /// Write a driver manifest for this user, so that managers find the driver by its name and by its URIs.
    Install {
        /// The shared library; the one beside this program when not given.
        #[arg(long, value_name = "FILE")]
        library: Option<PathBuf>,

        /// Copy the library to a place of this user, so that it stays when the build is cleaned.
        #[arg(long)]
        copy: bool,
    },
    /// Remove the manifest, and the copy of the library.
    Uninstall,
    /// Show where driver managers look, in their order, and what they find.
    Status,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The SQL text; `-` reads it from standard input.
    pub(crate) sql: String,

    #[command(flatten)]
    pub(crate) connect: ConnectArgs,

    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,

    /// How to print the result.
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Write the result to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Rows that a table shows; all rows are read and counted. 0 shows every row.
    #[arg(long, value_name = "ROWS", default_value_t = 40)]
    pub(crate) show: usize,

    /// Afterwards show the telemetry records of this run, as the workspace's inbox received them.
    #[arg(long)]
    pub(crate) telemetry: bool,

    #[command(flatten)]
    pub(crate) trace: TraceArgs,
}

/// Local diagnostics: what the driver did, seen through its activities. Nothing of it leaves this machine.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// Show each operation of the driver as a tree on standard error.
    #[arg(long)]
    pub(crate) trace: bool,

    /// Append each operation as a line of JSON to files in this directory, readable by you alone.
    #[arg(long, value_name = "DIR")]
    pub(crate) trace_dir: Option<String>,

    /// Let traces contain free text such as the SQL and the server's address.
    #[arg(long)]
    pub(crate) trace_text: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Where the warehouse is: `databricks://token:TOKEN@HOST/sql/1.0/warehouses/ID` or `https://HOST/sql/1.0/warehouses/ID`.
    #[arg(long, short, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The profile of `~/.databrickscfg` that says what the URL does not: host, warehouse, credentials.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// The personal access token, when the URL has none. Better set DATABRICKS_TOKEN than type it here.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<Token>,

    /// A driver option; may be given several times. `docs/options.md` lists them.
    #[arg(long = "option", short = 'O', value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) options: Vec<KeyValue>,
}

/// Settings of the workspace that this process starts.
#[derive(Debug, Args)]
pub(crate) struct WorkspaceArgs {
    /// TPC-H scale factor of `samples.tpch` in the local workspace; 1 makes 6,001,215 line items. [default: 0.1]
    #[arg(long, value_name = "FACTOR")]
    pub(crate) scale_factor: Option<f64>,

    /// A directory whose Parquet, CSV and JSON files become tables of the local workspace's schema `main.data`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

impl WorkspaceArgs {
    pub(crate) fn scale_factor(&self) -> f64 {
        self.scale_factor.unwrap_or(0.1)
    }

    /// What was typed that makes sense for a local workspace only.
    pub(crate) fn typed(&self) -> Option<&'static str> {
        match (&self.data, self.scale_factor) {
            (Some(_), _) => Some("--data"),
            (None, Some(_)) => Some("--scale-factor"),
            (None, None) => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,

    /// The address to listen on.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    pub(crate) host: Ipv4Addr,

    /// The port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 8123)]
    pub(crate) port: u16,

    /// The token that clients must present; a random one when it is empty or not given.
    #[arg(long, env = "DATABRICKS_LOCAL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<Token>,

    /// Serve https too, on a second port, with a certificate authority made for the occasion.
    #[arg(long)]
    pub(crate) tls: bool,

    /// Set a feature flag; may be given several times.
    #[arg(long = "flag", value_name = "NAME=VALUE", value_parser = key_value)]
    pub(crate) flags: Vec<KeyValue>,

    /// Make requests fail, to see what a client does: `telemetry=hang`, `telemetry=status:429:30`, `flags=garbage`,
    /// `GET /results/=delay:200ms*3`. WHERE is `telemetry`, `flags` or a path prefix; WHAT is `status:CODE[:RETRY_AFTER]`,
    /// `delay:DURATION`, `drop`, `hang`, `garbage`, `huge:CODE:BYTES`, `cut:BYTES`, `corrupt` or `drip:BYTES:DURATION`;
    /// `*TIMES` ends it. May be given several times.
    #[arg(long = "fault", value_name = "WHERE=WHAT")]
    pub(crate) faults: Vec<Fault>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TelemetryArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TelemetryCommand>,

    #[command(flatten)]
    pub(crate) connect: ConnectArgs,

    /// Keep the summary up to date on a terminal, or else print a line for each new record, until Ctrl-C.
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TelemetryCommand {
    /// Say whether telemetry is on, which rule decided, and what exactly one SELECT 1 would send.
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,

    /// Print the request bodies as they travel, a line each, and nothing else.
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,

    /// The shared library to check, instead of the one that driver managers find.
    #[arg(long, value_name = "FILE")]
    pub(crate) library: Option<PathBuf>,

    /// Print one JSON document at the end.
    #[arg(long)]
    pub(crate) json: bool,

    /// How long everything together may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    pub(crate) timeout: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An aligned table for reading.
    Table,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    Json,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl Format {
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::Arrow | Self::Parquet)
    }
}

/// A credential given on the command line or in the environment: never shown.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Token {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// `KEY=VALUE`. Values may be secrets, so only the key is ever shown.
#[derive(Clone)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl std::fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}=…", self.key)
    }
}

fn key_value(text: &str) -> Result<KeyValue, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(KeyValue {
            key: key.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn secrets_on_the_command_line_are_not_shown() {
        let cli = Cli::parse_from([
            "dbsql",
            "query",
            "SELECT 1",
            "--token",
            "canary",
            "-O",
            "password=canary",
        ]);
        assert!(!format!("{cli:?}").contains("canary"));
    }
}
