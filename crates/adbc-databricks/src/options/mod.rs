//! Every option of the driver, in one table.
//!
//! [`CATALOGUE`] is the only place where an option exists: setting, reading, defaults, aliases, scopes and the generated
//! documentation all derive from it. Database options are inherited by its connections, connection options by their
//! statements; the value nearest to the statement wins.
//!
//! The options of telemetry (`adbc.databricks.telemetry.*`, `enableTelemetry`, `forceEnableTelemetry`) are the table
//! [`databricks_telemetry::config::OPTIONS`]; they are set on the database, or in its URI.
//!
//! An unknown key is `NOT_IMPLEMENTED` when set and `NOT_FOUND` when read, a bad value is `INVALID_ARGUMENT` and named,
//! and a secret can be set but never read.

mod settings;
mod value;

use crate::auth::AUTH_TYPES;
use databricks_telemetry::config::OptionSpec;
pub(crate) use settings::{Settings, conf_name};
pub use value::Kind;
pub(crate) use value::Value;

/// Where an option can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On the database, before it is connected to.
    Database,
    /// On a connection.
    Connection,
    /// On a statement.
    Statement,
}

impl Scope {
    /// The object's name in sentences.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Connection => "connection",
            Self::Statement => "statement",
        }
    }
}

/// One option.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Spec {
    /// The canonical key.
    pub key: &'static str,
    /// Other keys for the same option, most of them other drivers' names for it.
    pub aliases: &'static [&'static str],
    /// Where it can be set.
    pub scopes: &'static [Scope],
    /// What its values are.
    pub kind: Kind,
    /// The default as text; `None` means unset.
    pub default: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

impl Spec {
    /// Whether the value is a secret: it can be set and never read.
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// Whether it can only be read: the driver knows the value.
    pub fn is_read_only(&self) -> bool {
        [SESSION_ID, TRACES_DROPPED, PROGRESS, MAX_PROGRESS].contains(&self.key)
    }

    fn answers_to(&self, key: &str) -> bool {
        self.key == key || self.aliases.contains(&key)
    }
}

/// Whether a database can be given this key, be it the driver's or telemetry's.
pub(crate) fn is_known(key: &str) -> bool {
    find(key).is_some() || OptionSpec::find(key).is_some() || conf_name(key).is_some()
}

/// The key that an alias stands for; any other text as it is.
pub(crate) fn canonical(key: &str) -> &str {
    find(key).map_or(key, |spec| spec.key)
}

/// Finds the driver's option of this key or alias.
pub fn find(key: &str) -> Option<&'static Spec> {
    CATALOGUE.iter().find(|spec| spec.answers_to(key))
}

/// The page `docs/options.md`: what to know about options, and the table of all of them.
pub fn page_markdown() -> String {
    format!("{PAGE_HEAD}{}", catalogue_markdown())
}

const PAGE_HEAD: &str = "\
# Options

This page is generated from the tables in `crates/adbc-databricks/src/options/mod.rs` and
`crates/databricks-telemetry/src/config.rs` with `cargo run -p adbc-databricks --example options_catalogue`; a test compares the two.

Options are set on the database, on a connection or on a statement. What is set on a database holds for its connections, what is
set on a connection for its statements, and the value nearest to the statement wins. The query parameters of the URI are options too;
an option that is set beside the URI wins over it.

Values are taken as text and in their natural type. An unknown key is NOT_IMPLEMENTED when set and NOT_FOUND when read; a bad value is
INVALID_ARGUMENT and names the key. Secrets can be set and never read.

Session settings such as `TIMEZONE` or `ANSI_MODE` are set with `databricks.session_conf.KEY` (also `adbc.databricks.ssp_KEY`) on the
database, or on a connection while it is made; on an open connection the statement `SET KEY = value` changes them.

";

/// The table of all options as Markdown, for the documentation.
pub fn catalogue_markdown() -> String {
    let mut table = "| option | also | on | values | default | meaning |\n|---|---|---|---|---|---|\n".to_owned();
    for spec in CATALOGUE {
        let aliases: Vec<_> = spec.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let scopes: Vec<_> = spec.scopes.iter().map(|scope| scope.noun()).collect();
        let default = spec.default.map(|default| format!("`{default}`")).unwrap_or_default();
        let row = [
            &format!("`{}`", spec.key),
            &aliases.join(", "),
            &scopes.join(", "),
            &spec.kind.to_string(),
            &default,
            spec.doc,
        ];
        table.push_str(&format!(
            "| {} |\n",
            row.map(|cell| cell.replace('|', "\\|")).join(" | ")
        ));
    }
    for option in databricks_telemetry::config::OPTIONS {
        let aliases: Vec<_> = option.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let default = if option.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", option.default)
        };
        let row = [
            &format!("`{}`", option.key),
            &aliases.join(", "),
            "database",
            option.takes,
            &default,
            option.description,
        ];
        table.push_str(&format!(
            "| {} |\n",
            row.map(|cell| cell.replace('|', "\\|")).join(" | ")
        ));
    }
    table
}

const DATABASE: &[Scope] = &[Scope::Database];
const CONNECTION: &[Scope] = &[Scope::Database, Scope::Connection];
const CONNECTION_ONLY: &[Scope] = &[Scope::Connection];
const EVERYWHERE: &[Scope] = &[Scope::Database, Scope::Connection, Scope::Statement];
const STATEMENT: &[Scope] = &[Scope::Statement];

macro_rules! options {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = $key:literal $(| $alias:literal)*, $scopes:ident, $kind:expr $(, default $default:literal)?;
    )+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $key;)+

        /// Every option, in the order of the documentation.
        pub const CATALOGUE: &[Spec] = &[$(Spec {
            key: $key,
            aliases: &[$($alias),*],
            scopes: $scopes,
            kind: $kind,
            default: options!(@default $($default)?),
            doc: concat!($($doc),+).trim_ascii_start(),
        }),+];
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}

options! {
    /// Where to connect to: `databricks://token:TOKEN@HOST[:PORT]/sql/1.0/warehouses/ID[?key=value&…]`, or the same with
    /// `https://` or `http://`. Other options win over what the URI says. Never readable, because it may hold a token.
    URI = "uri", DATABASE, Kind::Secret;
    /// The workspace's host name. A scheme (`http://127.0.0.1:8080`) and a port are understood.
    HOST = "databricks.host" | "databricks.server_hostname" | "adbc.spark.host", DATABASE, Kind::Text;
    /// The port. 443 with TLS and 80 without, unless given.
    PORT = "databricks.port" | "adbc.spark.port", DATABASE, Kind::Integer { min: 1, max: 65_535 };
    /// The path of the warehouse: `/sql/1.0/warehouses/ID`, optionally with `?o=ORGANISATION`.
    HTTP_PATH = "databricks.http_path" | "adbc.spark.path", DATABASE, Kind::Text;
    /// The warehouse's id, instead of a path.
    WAREHOUSE_ID = "databricks.warehouse_id" | "adbc.databricks.warehouse_id", DATABASE, Kind::Text;
    /// The profile of `~/.databrickscfg` to take host, warehouse and credentials from, as far as they are not given. The
    /// environment is then not read. Without this option, the file's and a host, the environment (`DATABRICKS_HOST` and its
    /// companions) is read, and then the profile that `DATABRICKS_CONFIG_PROFILE` names, or `DEFAULT`.
    /// Cannot be set by a URI.
    CONFIG_PROFILE = "databricks.config_profile" | "databricks.profile", DATABASE, Kind::Text;
    /// The file with profiles, instead of `~/.databrickscfg`. Cannot be set by a URI.
    CONFIG_FILE = "databricks.config_file", DATABASE, Kind::Text;
    /// Whether to use TLS. Without it the URI's scheme decides; `databricks://` and a bare host mean TLS, except to a
    /// loopback host.
    TLS = "databricks.tls" | "adbc.http_options.tls.enabled" | "databricks.http.tls.enabled", DATABASE, Kind::Flag;
    /// A file of certificates (PEM) to trust beside the system's.
    TLS_CA_FILE = "databricks.tls.ca_file" | "databricks.http.tls.trusted_certificate_path"
        | "adbc.http_options.tls.trusted_certificate_path" | "databricks.ssl_root_cert", DATABASE, Kind::Text;
    /// Whether a certificate is accepted that nobody who is trusted signed. Its name is still checked, its dates and signature
    /// cannot be.
    TLS_ALLOW_SELF_SIGNED = "databricks.tls.allow_self_signed" | "databricks.http.tls.allow_self_signed"
        | "adbc.http_options.tls.allow_self_signed", DATABASE, Kind::Flag, default "false";
    /// Whether a certificate is accepted that is for another host. Everything else about it is still checked.
    TLS_ALLOW_HOSTNAME_MISMATCH = "databricks.tls.allow_hostname_mismatch"
        | "databricks.http.tls.allow_hostname_mismatch" | "adbc.http_options.tls.allow_hostname_mismatch",
        DATABASE, Kind::Flag, default "false";
    /// Whether any certificate is accepted. Whoever is between here and the workspace can then read and change everything, the
    /// credentials first.
    TLS_NO_VALIDATION = "databricks.tls.disable_certificate_validation"
        | "adbc.http_options.tls.disable_server_certificate_validation", DATABASE, Kind::Flag, default "false";
    /// `insecure` accepts any certificate, as `databricks.tls.disable_certificate_validation` does.
    SSL_MODE = "databricks.ssl_mode", DATABASE, Kind::Choice(&["require", "insecure"]), default "require";
    /// Whether a proxy is used at all. `false` ignores the environment's too.
    PROXY_ENABLED = "databricks.http.proxy.enabled" | "adbc.proxy_options.use_proxy", DATABASE, Kind::Flag;
    /// The proxy that requests and downloads go through, `http://HOST:PORT` or `https://HOST:PORT`. Unless set, requests over TLS
    /// follow the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), and those without TLS use no proxy.
    PROXY_URL = "databricks.http.proxy.url", DATABASE, Kind::Text;
    /// The proxy's host, instead of a URL.
    PROXY_HOST = "databricks.http.proxy.host" | "adbc.proxy_options.proxy_host", DATABASE, Kind::Text;
    /// The proxy's port.
    PROXY_PORT = "databricks.http.proxy.port" | "adbc.proxy_options.proxy_port",
        DATABASE, Kind::Integer { min: 1, max: 65_535 };
    /// The user's name at the proxy (HTTP Basic).
    PROXY_USERNAME = "databricks.http.proxy.username" | "adbc.proxy_options.proxy_uid", DATABASE, Kind::Text;
    /// The user's password at the proxy.
    PROXY_PASSWORD = "databricks.http.proxy.password" | "adbc.proxy_options.proxy_pwd", DATABASE, Kind::Secret;
    /// Hosts that are reached without the proxy, separated by commas: names with all names below them, addresses, or networks
    /// such as `10.0.0.0/8`.
    PROXY_BYPASS = "databricks.http.proxy.bypass_hosts" | "adbc.proxy_options.proxy_ignore_list", DATABASE, Kind::Text;
    /// The user's name. With a personal access token it is always `token`.
    USERNAME = "username", DATABASE, Kind::Choice(&["token"]);
    /// A personal access token, or an OAuth token that you renew yourself.
    ACCESS_TOKEN = "databricks.access_token" | "databricks.token" | "adbc.spark.token" | "password",
        DATABASE, Kind::Secret;
    /// When the access token ends, as a timestamp (RFC 3339) or in seconds since 1970. It is then not sent any more, and the
    /// error says why.
    ACCESS_TOKEN_EXPIRES_AT = "databricks.access_token_expires_at", DATABASE, Kind::Timestamp;
    /// How to authenticate: `pat` (a token), `oauth-m2m` (a service principal's client id and secret), `oauth-u2m` (a person in
    /// a browser), `token-exchange` (another identity provider's token); the other words are other programs' names for
    /// these. Unless set it follows from the credentials that are given.
    AUTH_TYPE = "databricks.auth.type" | "databricks.auth_type" | "adbc.databricks.oauth.grant_type" | "authType",
        DATABASE, Kind::Choice(AUTH_TYPES);
    /// The OAuth client: a service principal's id, or a registered application's. A browser uses `databricks-cli`, which every
    /// workspace knows, unless set.
    CLIENT_ID = "databricks.oauth.client_id" | "databricks.auth.client_id" | "adbc.databricks.oauth.client_id" | "clientID",
        DATABASE, Kind::Text;
    /// The OAuth secret of the service principal.
    CLIENT_SECRET = "databricks.oauth.client_secret" | "databricks.auth.client_secret"
        | "adbc.databricks.oauth.client_secret" | "clientSecret", DATABASE, Kind::Secret;
    /// The OAuth scopes, separated by blanks. Unless set `all-apis` for a service principal, `all-apis offline_access` for a
    /// browser, `sql` for an exchange.
    SCOPES = "databricks.oauth.scopes" | "databricks.auth.scopes" | "adbc.databricks.oauth.scope", DATABASE, Kind::Text;
    /// Where tokens are asked for. Unless set, the workspace tells.
    TOKEN_ENDPOINT = "databricks.oauth.token_endpoint" | "databricks.auth.token_endpoint", DATABASE, Kind::Text;
    /// The port on this machine that the browser comes back to; 0 takes any free one, which not every client is registered
    /// for. Unless set, the first free port from 8020 to 8039.
    REDIRECT_PORT = "databricks.oauth.redirect_port" | "databricks.auth.redirect_port",
        DATABASE, Kind::Integer { min: 0, max: 65_535 };
    /// Whether a browser is opened to sign in. Otherwise, or where there is none, connecting fails with the address to visit,
    /// and connecting again waits for the visit.
    OPEN_BROWSER = "databricks.oauth.open_browser", DATABASE, Kind::Flag, default "true";
    /// How long a person may take to sign in, in seconds.
    SIGN_IN_TIMEOUT_S = "databricks.oauth.sign_in_timeout_s", DATABASE, Kind::Seconds, default "120";
    /// Whether the tokens of a browser sign-in are kept on disk for the next process, readable by you alone.
    TOKEN_CACHE = "databricks.oauth.token_cache", DATABASE, Kind::Flag, default "true";
    /// The directory they are kept in. `~/.config/adbc-databricks/oauth` unless set. Cannot be set by a URI.
    TOKEN_CACHE_DIR = "databricks.oauth.token_cache_dir", DATABASE, Kind::Text;
    /// Another identity provider's token (a JWT), which the workspace exchanges for one of its own.
    SUBJECT_TOKEN = "databricks.oauth.subject_token", DATABASE, Kind::Secret;
    /// A file with such a token, read before every exchange. Cannot be set by a URI.
    SUBJECT_TOKEN_FILE = "databricks.oauth.subject_token_file", DATABASE, Kind::Text;
    /// Text added to the `User-Agent` of every request, such as `my-app/1.2`.
    USER_AGENT_ENTRY = "databricks.user_agent_entry" | "adbc.spark.user_agent_entry", DATABASE, Kind::Text;

    /// The current catalog. Set on an open connection it runs `USE CATALOG`.
    CATALOG = "adbc.connection.catalog" | "databricks.catalog", CONNECTION, Kind::Text;
    /// The current schema. Set on an open connection it runs `USE SCHEMA`.
    SCHEMA = "adbc.connection.db_schema" | "databricks.schema", CONNECTION, Kind::Text;
    /// Tags that the query history shows with statements: `key:value,key:value`. A connection's travel with its session (the conf
    /// `QUERY_TAGS`), those set on an open connection or on a statement with each statement. Never part of telemetry.
    QUERY_TAGS = "databricks.query_tags" | "adbc.databricks.query_tags", EVERYWHERE, Kind::Tags;
    /// Whether each statement commits by itself. Only `true` can be set: the driver has no transactions yet.
    AUTOCOMMIT = "adbc.connection.autocommit", CONNECTION_ONLY, Kind::Flag, default "true";
    /// Whether the connection may only read. Only `false` can be set.
    READ_ONLY = "adbc.connection.readonly", CONNECTION_ONLY, Kind::Flag, default "false";
    /// The id that the server gave to the session. Can only be read, and is not there on a server without sessions.
    SESSION_ID = "databricks.session_id", CONNECTION_ONLY, Kind::Text;
    /// The isolation level. Only the server's own can be set.
    ISOLATION_LEVEL = "adbc.connection.transaction.isolation_level", CONNECTION_ONLY,
        Kind::Choice(&["adbc.connection.transaction.isolation.default"]),
        default "adbc.connection.transaction.isolation.default";

    /// How long a connection may take to be made, in milliseconds.
    CONNECT_TIMEOUT_MS = "databricks.http.connect_timeout_ms" | "adbc.spark.connect_timeout_ms",
        DATABASE, Kind::Integer { min: 1, max: 3_600_000 }, default "30000";
    /// How long a response may be silent, in milliseconds. A download that moves never times out.
    READ_TIMEOUT_MS = "databricks.http.read_timeout_ms", DATABASE, Kind::Integer { min: 1, max: 3_600_000 },
        default "60000";
    /// How often one request is made again at most; after connections that were refused, 3 times.
    RETRY_MAX_RETRIES = "databricks.retry.max_retries" | "databricks.query.retry_count",
        DATABASE, Kind::Integer { min: 0, max: 1_000 }, default "10";
    /// The first wait before a request is made again, in milliseconds; it doubles each time.
    RETRY_MIN_WAIT_MS = "databricks.retry.min_wait_ms", DATABASE, Kind::Integer { min: 1, max: 3_600_000 },
        default "500";
    /// The longest wait before a request is made again, in milliseconds. `Retry-After` is cut to it.
    RETRY_MAX_WAIT_MS = "databricks.retry.max_wait_ms", DATABASE, Kind::Integer { min: 1, max: 3_600_000 },
        default "60000";
    /// For how long one request is made again at most, in milliseconds.
    RETRY_OVERALL_TIMEOUT_MS = "databricks.retry.overall_timeout_ms",
        DATABASE, Kind::Integer { min: 0, max: 86_400_000 }, default "900000";
    /// How long closing a connection waits for the server to hear of it, in milliseconds.
    CLOSE_TIMEOUT_MS = "databricks.close_timeout_ms", CONNECTION, Kind::Integer { min: 0, max: 600_000 },
        default "5000";

    /// Where results are put. `INLINE_OR_EXTERNAL_LINKS` falls back to `EXTERNAL_LINKS` where a workspace refuses it. Unless
    /// set, it is `INLINE` with the format `JSON_ARRAY`. The driver's own questions (current
    /// names, schemas) always use the default.
    DISPOSITION = "databricks.result.disposition" | "adbc.databricks.rest.result_disposition",
        EVERYWHERE, Kind::Choice(&["INLINE_OR_EXTERNAL_LINKS", "EXTERNAL_LINKS", "INLINE"]),
        default "INLINE_OR_EXTERNAL_LINKS";
    /// What results are. `INLINE` results are always `JSON_ARRAY`, and `JSON_ARRAY` results are asked for as `INLINE` unless
    /// a disposition is set; the server limits their size, and large ones need `EXTERNAL_LINKS`. The driver's own questions always use the default.
    FORMAT = "databricks.result.format" | "adbc.databricks.rest.result_format",
        EVERYWHERE, Kind::Choice(&["ARROW_STREAM", "JSON_ARRAY"]), default "ARROW_STREAM";
    /// How Arrow results are compressed.
    COMPRESSION = "databricks.result.compression" | "adbc.databricks.rest.result_compression",
        EVERYWHERE, Kind::Choice(&["LZ4_FRAME", "NONE"]), default "LZ4_FRAME";
    /// At most this many rows are returned; 0 means all.
    ROW_LIMIT = "databricks.result.row_limit" | "databricks.query.max_rows",
        EVERYWHERE, Kind::Integer { min: 0, max: i64::MAX }, default "0";
    /// Small batches are joined with their neighbours as long as they have no more rows than this together; 0 leaves all as the
    /// server made them. Larger ones are never copied, rows that are here never wait for others, and what is joined takes
    /// at most a quarter of the memory budget.
    BATCH_ROWS = "databricks.result.batch_rows" | "databricks.cloudfetch.batch_merge_target_rows",
        EVERYWHERE, Kind::Integer { min: 0, max: 2_147_483_647 }, default "0";
    /// How long a statement may run, in seconds; 0 means for ever. It is then cancelled on the server.
    STATEMENT_TIMEOUT_S = "databricks.statement.timeout_s" | "adbc.apache.statement.query_timeout_s",
        EVERYWHERE, Kind::Seconds, default "0";
    /// How long the server may wait before it answers a submit: `server` leaves it to the server (10 s), `0s` makes it answer
    /// at once. A cancel can reach the server only when it has answered; a small query costs one more request with `0s`.
    /// Other waits are not offered: they make servers lose chunks of hybrid results.
    WAIT_TIMEOUT = "databricks.statement.wait_timeout", EVERYWHERE, Kind::Choice(&["server", "0s"]), default "server";
    /// The longest wait between two status requests, in milliseconds. The first comes after 25 ms.
    POLL_INTERVAL_MAX_MS = "databricks.statement.poll_interval_max_ms" | "adbc.apache.statement.polltime_ms",
        EVERYWHERE, Kind::Integer { min: 1, max: 600_000 }, default "1000";
    /// The most chunks that are downloaded at the same time. How many really are follows what pays: 4 at first, more while the
    /// throughput grows with them, fewer when storage is too busy (429, 503, no answer).
    PARALLEL_DOWNLOADS = "databricks.cloudfetch.parallel_downloads"
        | "adbc.databricks.cloudfetch.parallel_downloads" | "databricks.download_thread_count",
        EVERYWHERE, Kind::Integer { min: 1, max: 256 }, default "16";
    /// How many bytes the chunks of one result that are being fetched and decoded, or wait to be read, may occupy, whichever way they
    /// come; 128 MiB. One chunk is always allowed.
    MEMORY_BUDGET_BYTES = "databricks.cloudfetch.memory_budget_bytes", EVERYWHERE,
        Kind::Integer { min: 1, max: i64::MAX }, default "134217728";
    /// A link is renewed when it expires within this many seconds.
    LINK_EXPIRATION_BUFFER_S = "databricks.cloudfetch.url_expiration_buffer_s"
        | "adbc.databricks.cloudfetch.url_expiration_buffer_seconds", EVERYWHERE, Kind::Seconds, default "60";
    /// How often the link of one chunk is renewed before the download fails.
    MAX_LINK_REFRESHES = "databricks.cloudfetch.max_url_refresh_attempts"
        | "adbc.databricks.cloudfetch.max_url_refresh_attempts", EVERYWHERE, Kind::Integer { min: 0, max: 100 },
        default "3";
    /// Whether a chunk whose download falls far behind its neighbours' is asked for a second time, over a new link; what is here
    /// first is taken. It has fallen behind when it takes longer than its neighbours' median (for its size) times the multiplier
    /// plus the padding, the quantile of its neighbours has finished, and a new download would probably be done before it.
    /// One second try runs at a time, beside the parallel downloads and beyond the memory budget.
    STRAGGLERS = "databricks.cloudfetch.straggler_mitigation" | "adbc.databricks.cloudfetch.straggler_mitigation_enabled",
        EVERYWHERE, Kind::Flag, default "true";
    /// How many times as long as its neighbours a download may take before it has fallen behind.
    STRAGGLER_MULTIPLIER = "databricks.cloudfetch.straggler_multiplier"
        | "adbc.databricks.cloudfetch.straggler_multiplier", EVERYWHERE, Kind::Number { min: 1, max: 1_000 }, default "1.5";
    /// The part of the downloads that run beside a download or begin after it that must have finished before it can have fallen behind.
    STRAGGLER_QUANTILE = "databricks.cloudfetch.straggler_quantile"
        | "adbc.databricks.cloudfetch.straggler_quantile", EVERYWHERE, Kind::Number { min: 0, max: 1 }, default "0.6";
    /// How many seconds longer than that a download may take in any case.
    STRAGGLER_PADDING_S = "databricks.cloudfetch.straggler_padding_s"
        | "adbc.databricks.cloudfetch.straggler_padding_seconds", EVERYWHERE, Kind::Seconds, default "5";
    /// How many second tries the chunks of one result have at most.
    MAX_STRAGGLERS = "databricks.cloudfetch.max_stragglers_per_query"
        | "adbc.databricks.cloudfetch.max_stragglers_per_query", EVERYWHERE, Kind::Integer { min: 0, max: 1_000 },
        default "10";

    /// The local directories, separated by commas, that `PUT` may read files from and `GET` may write files to. Unless it is set
    /// neither is allowed: otherwise whoever writes the SQL text would read and write this machine's files. Cannot be set by a URI.
    ALLOWED_LOCAL_PATHS = "databricks.volume.allowed_local_paths" | "staging_allowed_local_path"
        | "VolumeOperationAllowedLocalPaths", CONNECTION, Kind::Text;
    /// How far the last execution is, in rows: those of its result that have arrived here (read or not), those that it changed,
    /// or those that it put into a table. Can only be read, from any thread, also while the statement executes.
    PROGRESS = "adbc.statement.exec.progress", STATEMENT, Kind::Told;
    /// How many rows that will be; 0 while it is not known. Can only be read, as the progress.
    MAX_PROGRESS = "adbc.statement.exec.max_progress", STATEMENT, Kind::Told;
    /// Whether executing in partitions may be asked again for more of them, until an empty set says that there are no more. The
    /// server tells all of them at once, so the second time says so; the time after that executes again.
    INCREMENTAL = "adbc.statement.exec.incremental", STATEMENT, Kind::Flag, default "false";
    /// Whether bound columns are named parameters (`:name`) rather than positional ones (`?`).
    BIND_BY_NAME = "adbc.statement.bind_by_name", STATEMENT, Kind::Flag, default "false";
    /// The table that bound rows are put into by executing. Setting it takes the SQL text away, and the other way round.
    INGEST_TABLE = "adbc.ingest.target_table", STATEMENT, Kind::Text;
    /// The catalog of that table; the current one unless set.
    INGEST_CATALOG = "adbc.ingest.target_catalog", STATEMENT, Kind::Text;
    /// The schema of that table; the current one unless set.
    INGEST_SCHEMA = "adbc.ingest.target_db_schema", STATEMENT, Kind::Text;
    /// Whether that table is one of the session, and goes away with it. Such a table has no catalog and no schema.
    INGEST_TEMPORARY = "adbc.ingest.temporary", STATEMENT, Kind::Flag, default "false";
    /// What happens to the table: `create` fails if it is there, `append` if it is not, `replace` puts a new one in its place
    /// once all rows have arrived, `create_append` takes it as it is.
    INGEST_MODE = "adbc.ingest.mode", STATEMENT, Kind::Choice(&[
        "adbc.ingest.mode.create", "adbc.ingest.mode.append", "adbc.ingest.mode.replace", "adbc.ingest.mode.create_append",
    ]), default "adbc.ingest.mode.create";
    /// How rows are put into a table: as Parquet files by way of a volume, as the text of `INSERT` statements, or (`auto`) by way
    /// of the volume if there is one and the rows are more than 64 KiB.
    INGEST_METHOD = "databricks.ingest.method", EVERYWHERE, Kind::Choice(&["auto", "volume", "insert"]), default "auto";
    /// Where rows are staged on their way into a table: `/Volumes/CATALOG/SCHEMA/VOLUME` or a directory in it. The files are
    /// removed afterwards.
    INGEST_VOLUME = "databricks.ingest.staging_volume", EVERYWHERE, Kind::Text;
    /// About how many bytes a staged Parquet file has; 16 MiB.
    INGEST_FILE_BYTES = "databricks.ingest.file_bytes", EVERYWHERE, Kind::Integer { min: 1, max: 1_073_741_824 },
        default "16777216";
    /// How many staged files are uploaded at the same time. That many and one more are in memory.
    INGEST_UPLOADS = "databricks.ingest.parallel_uploads", EVERYWHERE, Kind::Integer { min: 1, max: 64 }, default "4";
    /// About how many bytes the text of one `INSERT` has; 1 MiB. The service takes statements of up to 16 MiB.
    INGEST_INSERT_BYTES = "databricks.ingest.insert_bytes" | "adbc.statement.ingest.max_query_size_bytes", EVERYWHERE,
        Kind::Integer { min: 1, max: 15_728_640 }, default "1048576";
    /// The W3C `traceparent` of the span that the driver's activities belong to. Unless set, it is the OpenTelemetry span that is
    /// current where the driver is called, in a Rust application with the feature `otlp`.
    TRACE_PARENT = "adbc.telemetry.trace_parent", EVERYWHERE, Kind::TraceParent;
    /// Where the activities of this database's connections are shown, on this machine only (docs/tracing.md): nowhere; as JSON
    /// lines in files; as outlines on standard error; or as OpenTelemetry spans, sent as the `OTEL_EXPORTER_OTLP_*` variables
    /// say, by a driver that was built with the feature `otlp`. The variable `OTEL_TRACES_EXPORTER` is the application's and is
    /// not read.
    TRACES_EXPORTER = "adbc.telemetry.traces_exporter" | "adbc.traces.exporter",
        DATABASE, Kind::Choice(&["none", "adbcfile", "console", "otlp"]), default "none";
    /// The folder for the files of `adbcfile`; made if it is missing, for its owner alone. Unless set, it is
    /// `$XDG_STATE_HOME/adbc/traces` or `~/.local/state/adbc/traces`; on macOS `~/Library/Application Support/ADBC/Traces`, on
    /// Windows `%LOCALAPPDATA%\ADBC\Traces`. Cannot be set by a URI.
    TRACES_FOLDER_PATH = "adbc.telemetry.traces_folder_path" | "adbc.traces.exporter.adbcfile.location",
        DATABASE, Kind::Text;
    /// The size at which `adbcfile` begins a new file, in KiB.
    TRACES_FILE_SIZE_KB = "databricks.traces.file_size_kb" | "adbc.traces.exporter.adbcfile.maxtracesizekb",
        DATABASE, Kind::Integer { min: 1, max: 4_194_304 }, default "1024";
    /// How many files `adbcfile` keeps in its folder, whichever process wrote them; the oldest go.
    TRACES_FILES = "databricks.traces.files" | "adbc.traces.exporter.adbcfile.maxtracefiles",
        DATABASE, Kind::Integer { min: 1, max: 100_000 }, default "100";
    /// Whether traces hold free text: the text of SQL statements and the server's address.
    TRACES_TEXT = "databricks.traces.text", DATABASE, Kind::Flag, default "false";
    /// How many activities are missing in this database's traces so far, because too many waited or could not be written.
    /// Can only be read, on a connection.
    TRACES_DROPPED = "databricks.traces.dropped", CONNECTION_ONLY, Kind::Integer { min: 0, max: i64::MAX };
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_options_share_a_key() {
        let mut seen = HashSet::new();
        for spec in CATALOGUE {
            for key in std::iter::once(&spec.key).chain(spec.aliases) {
                assert!(seen.insert(*key), "{key} is there twice");
            }
        }
    }

    #[test]
    fn every_option_is_in_the_documentation() {
        let table = catalogue_markdown();
        let telemetry = databricks_telemetry::config::OPTIONS;
        assert_eq!(table.lines().count(), 2 + CATALOGUE.len() + telemetry.len());
        assert!(
            table
                .lines()
                .all(|line| line.replace("\\|", "").matches('|').count() == 7),
            "{table}"
        );
    }

    #[test]
    fn every_default_is_a_value_of_its_option() {
        for spec in CATALOGUE {
            if let Some(default) = spec.default {
                assert!(Value::parse(spec, &default.into()).is_ok(), "{}", spec.key);
            }
            assert!(!spec.doc.is_empty() && !spec.scopes.is_empty());
        }
    }
}
