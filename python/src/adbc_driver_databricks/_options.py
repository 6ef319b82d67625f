# Generated from the driver's tables by
#   cargo run -p adbc-driver-databricks --example python_options > python/src/adbc_driver_databricks/_options.py
# and compared with them by a test.
"""The driver's options, by where they can be set."""

from __future__ import annotations

import enum


class _Option(str, enum.Enum):
    """A key that can be used wherever its text can."""

    def __str__(self) -> str:
        return str(self.value)


class DatabaseOptions(_Option):
    """Options of a database. Those that connections and statements have too are defaults for them."""

    URI = "uri"
    """Where to connect to:
    `databricks://token:TOKEN@HOST[:PORT]/sql/1.0/warehouses/ID[?key=value&…]`, or the same
    with `https://` or `http://`. Other options win over what the URI says. Never readable,
    because it may hold a token."""

    HOST = "databricks.host"
    """The workspace's host name. A scheme (`http://127.0.0.1:8080`) and a port are understood."""

    PORT = "databricks.port"
    """The port. 443 with TLS and 80 without, unless given."""

    HTTP_PATH = "databricks.http_path"
    """The path of the warehouse: `/sql/1.0/warehouses/ID`, optionally with `?o=ORGANISATION`."""

    WAREHOUSE_ID = "databricks.warehouse_id"
    """The warehouse's id, instead of a path."""

    CONFIG_PROFILE = "databricks.config_profile"
    """The profile of `~/.databrickscfg` to take host, warehouse and credentials from, as far as
    they are not given. The environment is then not read. Without this option, the file's and a
    host, the environment (`DATABRICKS_HOST` and its companions) is read, and then the profile
    that `DATABRICKS_CONFIG_PROFILE` names, or `DEFAULT`. Cannot be set by a URI."""

    CONFIG_FILE = "databricks.config_file"
    """The file with profiles, instead of `~/.databrickscfg`. Cannot be set by a URI."""

    TLS = "databricks.tls"
    """Whether to use TLS. Without it the URI's scheme decides; `databricks://` and a bare host
    mean TLS, except to a loopback host."""

    TLS_CA_FILE = "databricks.tls.ca_file"
    """A file of certificates (PEM) to trust beside the system's."""

    TLS_ALLOW_SELF_SIGNED = "databricks.tls.allow_self_signed"
    """Whether a certificate is accepted that nobody who is trusted signed. Its name is still
    checked, its dates and signature cannot be. Default: `false`."""

    TLS_ALLOW_HOSTNAME_MISMATCH = "databricks.tls.allow_hostname_mismatch"
    """Whether a certificate is accepted that is for another host. Everything else about it is
    still checked. Default: `false`."""

    TLS_DISABLE_CERTIFICATE_VALIDATION = "databricks.tls.disable_certificate_validation"
    """Whether any certificate is accepted. Whoever is between here and the workspace can then
    read and change everything, the credentials first. Default: `false`."""

    SSL_MODE = "databricks.ssl_mode"
    """`insecure` accepts any certificate, as `databricks.tls.disable_certificate_validation`
    does. Default: `require`."""

    HTTP_PROXY_ENABLED = "databricks.http.proxy.enabled"
    """Whether a proxy is used at all. `false` ignores the environment's too."""

    HTTP_PROXY_URL = "databricks.http.proxy.url"
    """The proxy that requests and downloads go through, `http://HOST:PORT` or
    `https://HOST:PORT`. Unless set, requests over TLS follow the environment (`HTTPS_PROXY`,
    `ALL_PROXY`, `NO_PROXY`), and those without TLS use no proxy."""

    HTTP_PROXY_HOST = "databricks.http.proxy.host"
    """The proxy's host, instead of a URL."""

    HTTP_PROXY_PORT = "databricks.http.proxy.port"
    """The proxy's port."""

    HTTP_PROXY_USERNAME = "databricks.http.proxy.username"
    """The user's name at the proxy (HTTP Basic)."""

    HTTP_PROXY_PASSWORD = "databricks.http.proxy.password"
    """The user's password at the proxy."""

    HTTP_PROXY_BYPASS_HOSTS = "databricks.http.proxy.bypass_hosts"
    """Hosts that are reached without the proxy, separated by commas: names with all names below
    them, addresses, or networks such as `10.0.0.0/8`."""

    USERNAME = "username"
    """The user's name. With a personal access token it is always `token`."""

    ACCESS_TOKEN = "databricks.access_token"
    """A personal access token, or an OAuth token that you renew yourself."""

    ACCESS_TOKEN_EXPIRES_AT = "databricks.access_token_expires_at"
    """When the access token ends, as a timestamp (RFC 3339) or in seconds since 1970. It is then
    not sent any more, and the error says why."""

    AUTH_TYPE = "databricks.auth.type"
    """How to authenticate: `pat` (a token), `oauth-m2m` (a service principal's client id and
    secret), `oauth-u2m` (a person in a browser), `token-exchange` (another identity provider's
    token); the other words are other programs' names for these. Unless set it follows from the
    credentials that are given."""

    OAUTH_CLIENT_ID = "databricks.oauth.client_id"
    """The OAuth client: a service principal's id, or a registered application's. A browser uses
    `databricks-cli`, which every workspace knows, unless set."""

    OAUTH_CLIENT_SECRET = "databricks.oauth.client_secret"
    """The OAuth secret of the service principal."""

    OAUTH_SCOPES = "databricks.oauth.scopes"
    """The OAuth scopes, separated by blanks. Unless set `all-apis` for a service principal,
    `all-apis offline_access` for a browser, `sql` for an exchange."""

    OAUTH_TOKEN_ENDPOINT = "databricks.oauth.token_endpoint"
    """Where tokens are asked for. Unless set, the workspace tells."""

    OAUTH_REDIRECT_PORT = "databricks.oauth.redirect_port"
    """The port on this machine that the browser comes back to; 0 takes any free one, which not
    every client is registered for. Unless set, the first free port from 8020 to 8039."""

    OAUTH_OPEN_BROWSER = "databricks.oauth.open_browser"
    """Whether a browser is opened to sign in. Otherwise, or where there is none, connecting fails
    with the address to visit, and connecting again waits for the visit. Default: `true`."""

    OAUTH_SIGN_IN_TIMEOUT_S = "databricks.oauth.sign_in_timeout_s"
    """How long a person may take to sign in, in seconds. Default: `120`."""

    OAUTH_TOKEN_CACHE = "databricks.oauth.token_cache"
    """Whether the tokens of a browser sign-in are kept on disk for the next process, readable by
    you alone. Default: `true`."""

    OAUTH_TOKEN_CACHE_DIR = "databricks.oauth.token_cache_dir"
    """The directory they are kept in. `~/.config/adbc-databricks/oauth` unless set. Cannot be set
    by a URI."""

    OAUTH_SUBJECT_TOKEN = "databricks.oauth.subject_token"
    """Another identity provider's token (a JWT), which the workspace exchanges for one of its
    own."""

    OAUTH_SUBJECT_TOKEN_FILE = "databricks.oauth.subject_token_file"
    """A file with such a token, read before every exchange. Cannot be set by a URI."""

    USER_AGENT_ENTRY = "databricks.user_agent_entry"
    """Text added to the `User-Agent` of every request, such as `my-app/1.2`."""

    CATALOG = "adbc.connection.catalog"
    """The current catalog. Set on an open connection it runs `USE CATALOG`."""

    DB_SCHEMA = "adbc.connection.db_schema"
    """The current schema. Set on an open connection it runs `USE SCHEMA`."""

    QUERY_TAGS = "databricks.query_tags"
    """Tags that the query history shows with statements: `key:value,key:value`. A connection's
    travel with its session (the conf `QUERY_TAGS`), those set on an open connection or on a
    statement with each statement. Never part of telemetry."""

    HTTP_CONNECT_TIMEOUT_MS = "databricks.http.connect_timeout_ms"
    """How long a connection may take to be made, in milliseconds. Default: `30000`."""

    HTTP_READ_TIMEOUT_MS = "databricks.http.read_timeout_ms"
    """How long a response may be silent, in milliseconds. A download that moves never times out.
    Default: `60000`."""

    RETRY_MAX_RETRIES = "databricks.retry.max_retries"
    """How often one request is made again at most; after connections that were refused, 3 times.
    Default: `10`."""

    RETRY_MIN_WAIT_MS = "databricks.retry.min_wait_ms"
    """The first wait before a request is made again, in milliseconds; it doubles each time.
    Default: `500`."""

    RETRY_MAX_WAIT_MS = "databricks.retry.max_wait_ms"
    """The longest wait before a request is made again, in milliseconds. `Retry-After` is cut to
    it. Default: `60000`."""

    RETRY_OVERALL_TIMEOUT_MS = "databricks.retry.overall_timeout_ms"
    """For how long one request is made again at most, in milliseconds. Default: `900000`."""

    CLOSE_TIMEOUT_MS = "databricks.close_timeout_ms"
    """How long closing a connection waits for the server to hear of it, in milliseconds. Default:
    `5000`."""

    RESULT_DISPOSITION = "databricks.result.disposition"
    """Where results are put. `INLINE_OR_EXTERNAL_LINKS` falls back to `EXTERNAL_LINKS` where a
    workspace refuses it. Unless set, it is `INLINE` with the format `JSON_ARRAY`. The driver's
    own questions (current names, schemas) always use the default. Default:
    `INLINE_OR_EXTERNAL_LINKS`."""

    RESULT_FORMAT = "databricks.result.format"
    """What results are. `INLINE` results are always `JSON_ARRAY`, and `JSON_ARRAY` results are
    asked for as `INLINE` unless a disposition is set; the server limits their size, and large
    ones need `EXTERNAL_LINKS`. The driver's own questions always use the default. Default:
    `ARROW_STREAM`."""

    RESULT_COMPRESSION = "databricks.result.compression"
    """How Arrow results are compressed. Default: `LZ4_FRAME`."""

    RESULT_ROW_LIMIT = "databricks.result.row_limit"
    """At most this many rows are returned; 0 means all. Default: `0`."""

    RESULT_BATCH_ROWS = "databricks.result.batch_rows"
    """Small batches are joined with their neighbours as long as they have no more rows than this
    together; 0 leaves all as the server made them. Larger ones are never copied, rows that are
    here never wait for others, and what is joined takes at most a quarter of the memory
    budget. Default: `0`."""

    STATEMENT_TIMEOUT_S = "databricks.statement.timeout_s"
    """How long a statement may run, in seconds; 0 means for ever. It is then cancelled on the
    server. Default: `0`."""

    STATEMENT_WAIT_TIMEOUT = "databricks.statement.wait_timeout"
    """How long the server may wait before it answers a submit: `server` leaves it to the server
    (10 s), `0s` makes it answer at once. A cancel can reach the server only when it has
    answered; a small query costs one more request with `0s`. Other waits are not offered: they
    make servers lose chunks of hybrid results. Default: `server`."""

    STATEMENT_POLL_INTERVAL_MAX_MS = "databricks.statement.poll_interval_max_ms"
    """The longest wait between two status requests, in milliseconds. The first comes after 25 ms.
    Default: `1000`."""

    CLOUDFETCH_PARALLEL_DOWNLOADS = "databricks.cloudfetch.parallel_downloads"
    """The most chunks that are downloaded at the same time. How many really are follows what
    pays: 4 at first, more while the throughput grows with them, fewer when storage is too busy
    (429, 503, no answer). Default: `16`."""

    CLOUDFETCH_MEMORY_BUDGET_BYTES = "databricks.cloudfetch.memory_budget_bytes"
    """How many bytes the chunks of one result that are being fetched and decoded, or wait to be
    read, may occupy, whichever way they come; 128 MiB. One chunk is always allowed. Default:
    `134217728`."""

    CLOUDFETCH_URL_EXPIRATION_BUFFER_S = "databricks.cloudfetch.url_expiration_buffer_s"
    """A link is renewed when it expires within this many seconds. Default: `60`."""

    CLOUDFETCH_MAX_URL_REFRESH_ATTEMPTS = "databricks.cloudfetch.max_url_refresh_attempts"
    """How often the link of one chunk is renewed before the download fails. Default: `3`."""

    CLOUDFETCH_STRAGGLER_MITIGATION = "databricks.cloudfetch.straggler_mitigation"
    """Whether a chunk whose download falls far behind its neighbours' is asked for a second time,
    over a new link; what is here first is taken. It has fallen behind when it takes longer
    than its neighbours' median (for its size) times the multiplier plus the padding, the
    quantile of its neighbours has finished, and a new download would probably be done before
    it. One second try runs at a time, beside the parallel downloads and beyond the memory
    budget. Default: `true`."""

    CLOUDFETCH_STRAGGLER_MULTIPLIER = "databricks.cloudfetch.straggler_multiplier"
    """How many times as long as its neighbours a download may take before it has fallen behind.
    Default: `1.5`."""

    CLOUDFETCH_STRAGGLER_QUANTILE = "databricks.cloudfetch.straggler_quantile"
    """The part of the downloads that run beside a download or begin after it that must have
    finished before it can have fallen behind. Default: `0.6`."""

    CLOUDFETCH_STRAGGLER_PADDING_S = "databricks.cloudfetch.straggler_padding_s"
    """How many seconds longer than that a download may take in any case. Default: `5`."""

    CLOUDFETCH_MAX_STRAGGLERS_PER_QUERY = "databricks.cloudfetch.max_stragglers_per_query"
    """How many second tries the chunks of one result have at most. Default: `10`."""

    VOLUME_ALLOWED_LOCAL_PATHS = "databricks.volume.allowed_local_paths"
    """The local directories, separated by commas, that `PUT` may read files from and `GET` may
    write files to. Unless it is set neither is allowed: otherwise whoever writes the SQL text
    would read and write this machine's files. Cannot be set by a URI."""

    INGEST_METHOD = "databricks.ingest.method"
    """How rows are put into a table: as Parquet files by way of a volume, as the text of `INSERT`
    statements, or (`auto`) by way of the volume if there is one and the rows are more than 64
    KiB. Default: `auto`."""

    INGEST_STAGING_VOLUME = "databricks.ingest.staging_volume"
    """Where rows are staged on their way into a table: `/Volumes/CATALOG/SCHEMA/VOLUME` or a
    directory in it. The files are removed afterwards."""

    INGEST_FILE_BYTES = "databricks.ingest.file_bytes"
    """About how many bytes a staged Parquet file has; 16 MiB. Default: `16777216`."""

    INGEST_PARALLEL_UPLOADS = "databricks.ingest.parallel_uploads"
    """How many staged files are uploaded at the same time. That many and one more are in memory.
    Default: `4`."""

    INGEST_INSERT_BYTES = "databricks.ingest.insert_bytes"
    """About how many bytes the text of one `INSERT` has; 1 MiB. The service takes statements of
    up to 16 MiB. Default: `1048576`."""

    TELEMETRY_TRACE_PARENT = "adbc.telemetry.trace_parent"
    """The W3C `traceparent` of the span that the driver's activities belong to. Unless set, it is
    the OpenTelemetry span that is current where the driver is called, in a Rust application
    with the feature `otlp`."""

    TELEMETRY_TRACES_EXPORTER = "adbc.telemetry.traces_exporter"
    """Where the activities of this database's connections are shown, on this machine only
    (docs/tracing.md): nowhere; as JSON lines in files; as outlines on standard error; or as
    OpenTelemetry spans, sent as the `OTEL_EXPORTER_OTLP_*` variables say, by a driver that was
    built with the feature `otlp`. The variable `OTEL_TRACES_EXPORTER` is the application's and
    is not read. Default: `none`."""

    TELEMETRY_TRACES_FOLDER_PATH = "adbc.telemetry.traces_folder_path"
    r"""The folder for the files of `adbcfile`; made if it is missing, for its owner alone. Unless
    set, it is `$XDG_STATE_HOME/adbc/traces` or `~/.local/state/adbc/traces`; on macOS
    `~/Library/Application Support/ADBC/Traces`, on Windows `%LOCALAPPDATA%\ADBC\Traces`.
    Cannot be set by a URI."""

    TRACES_FILE_SIZE_KB = "databricks.traces.file_size_kb"
    """The size at which `adbcfile` begins a new file, in KiB. Default: `1024`."""

    TRACES_FILES = "databricks.traces.files"
    """How many files `adbcfile` keeps in its folder, whichever process wrote them; the oldest go.
    Default: `100`."""

    TRACES_TEXT = "databricks.traces.text"
    """Whether traces hold free text: the text of SQL statements and the server's address.
    Default: `false`."""

    TELEMETRY_ENABLED = "adbc.databricks.telemetry.enabled"
    """false: no telemetry, nor any request about it. true: telemetry if the workspace's feature
    flag agrees. Unset: the feature flag decides. Beats DATABRICKS_TELEMETRY_ENABLED;
    DO_NOT_TRACK=1 and DATABRICKS_TELEMETRY_DISABLED=1 beat it."""

    TELEMETRY_FORCE_ENABLED = "adbc.databricks.telemetry.force_enabled"
    """Telemetry on whatever the workspace's feature flag says, which is then not fetched. For
    tests."""

    TELEMETRY_BATCH_SIZE = "adbc.databricks.telemetry.batch_size"
    """Records in a request."""

    TELEMETRY_FLUSH_INTERVAL_MS = "adbc.databricks.telemetry.flush_interval_ms"
    """The longest wait of a record for others to travel with, in milliseconds. Connections and
    errors do not wait."""

    TELEMETRY_MAX_RETRIES = "adbc.databricks.telemetry.max_retries"
    """Requests made again for one batch after failures that may pass."""

    TELEMETRY_RETRY_DELAY_MS = "adbc.databricks.telemetry.retry_delay_ms"
    """The wait before the first of them, in milliseconds; doubles each time, with jitter."""

    TELEMETRY_CIRCUIT_BREAKER_ENABLED = "adbc.databricks.telemetry.circuit_breaker_enabled"
    """Whether a failing endpoint is left alone for a while."""

    TELEMETRY_CIRCUIT_BREAKER_THRESHOLD = "adbc.databricks.telemetry.circuit_breaker_threshold"
    """Consecutive failures after which it is."""

    TELEMETRY_CIRCUIT_BREAKER_TIMEOUT_MS = "adbc.databricks.telemetry.circuit_breaker_timeout_ms"
    """For how long it is, in milliseconds; doubles with each failed probe, up to 15 minutes."""

    TELEMETRY_CLOSE_TIMEOUT_MS = "adbc.databricks.telemetry.close_timeout_ms"
    """The longest time that closing a connection may spend on delivering the last records, in
    milliseconds. An endpoint that has not answered yet is given one second of it, one that
    failed nothing."""

    TELEMETRY_AUDIT_FILE = "adbc.databricks.telemetry.audit_file"
    """A file to which every request body is appended before it leaves, one a line. What cannot be
    written there is not sent. Cannot be set by a URI."""

    TELEMETRY_CLIENT_APP_NAME = "adbc.databricks.telemetry.client_app_name"
    """The application's name. Sent with the record of a new connection if it consists of at most
    64 letters, digits and characters of "._:-", and not at all otherwise."""


class ConnectionOptions(_Option):
    """Options of a connection. Those that statements have too are defaults for them."""

    CATALOG = "adbc.connection.catalog"
    """The current catalog. Set on an open connection it runs `USE CATALOG`."""

    DB_SCHEMA = "adbc.connection.db_schema"
    """The current schema. Set on an open connection it runs `USE SCHEMA`."""

    QUERY_TAGS = "databricks.query_tags"
    """Tags that the query history shows with statements: `key:value,key:value`. A connection's
    travel with its session (the conf `QUERY_TAGS`), those set on an open connection or on a
    statement with each statement. Never part of telemetry."""

    AUTOCOMMIT = "adbc.connection.autocommit"
    """Whether each statement commits by itself. Only `true` can be set: the driver has no
    transactions yet. Default: `true`."""

    READONLY = "adbc.connection.readonly"
    """Whether the connection may only read. Only `false` can be set. Default: `false`."""

    SESSION_ID = "databricks.session_id"
    """The id that the server gave to the session. Can only be read, and is not there on a server
    without sessions."""

    TRANSACTION_ISOLATION_LEVEL = "adbc.connection.transaction.isolation_level"
    """The isolation level. Only the server's own can be set. Default:
    `adbc.connection.transaction.isolation.default`."""

    CLOSE_TIMEOUT_MS = "databricks.close_timeout_ms"
    """How long closing a connection waits for the server to hear of it, in milliseconds. Default:
    `5000`."""

    RESULT_DISPOSITION = "databricks.result.disposition"
    """Where results are put. `INLINE_OR_EXTERNAL_LINKS` falls back to `EXTERNAL_LINKS` where a
    workspace refuses it. Unless set, it is `INLINE` with the format `JSON_ARRAY`. The driver's
    own questions (current names, schemas) always use the default. Default:
    `INLINE_OR_EXTERNAL_LINKS`."""

    RESULT_FORMAT = "databricks.result.format"
    """What results are. `INLINE` results are always `JSON_ARRAY`, and `JSON_ARRAY` results are
    asked for as `INLINE` unless a disposition is set; the server limits their size, and large
    ones need `EXTERNAL_LINKS`. The driver's own questions always use the default. Default:
    `ARROW_STREAM`."""

    RESULT_COMPRESSION = "databricks.result.compression"
    """How Arrow results are compressed. Default: `LZ4_FRAME`."""

    RESULT_ROW_LIMIT = "databricks.result.row_limit"
    """At most this many rows are returned; 0 means all. Default: `0`."""

    RESULT_BATCH_ROWS = "databricks.result.batch_rows"
    """Small batches are joined with their neighbours as long as they have no more rows than this
    together; 0 leaves all as the server made them. Larger ones are never copied, rows that are
    here never wait for others, and what is joined takes at most a quarter of the memory
    budget. Default: `0`."""

    STATEMENT_TIMEOUT_S = "databricks.statement.timeout_s"
    """How long a statement may run, in seconds; 0 means for ever. It is then cancelled on the
    server. Default: `0`."""

    STATEMENT_WAIT_TIMEOUT = "databricks.statement.wait_timeout"
    """How long the server may wait before it answers a submit: `server` leaves it to the server
    (10 s), `0s` makes it answer at once. A cancel can reach the server only when it has
    answered; a small query costs one more request with `0s`. Other waits are not offered: they
    make servers lose chunks of hybrid results. Default: `server`."""

    STATEMENT_POLL_INTERVAL_MAX_MS = "databricks.statement.poll_interval_max_ms"
    """The longest wait between two status requests, in milliseconds. The first comes after 25 ms.
    Default: `1000`."""

    CLOUDFETCH_PARALLEL_DOWNLOADS = "databricks.cloudfetch.parallel_downloads"
    """The most chunks that are downloaded at the same time. How many really are follows what
    pays: 4 at first, more while the throughput grows with them, fewer when storage is too busy
    (429, 503, no answer). Default: `16`."""

    CLOUDFETCH_MEMORY_BUDGET_BYTES = "databricks.cloudfetch.memory_budget_bytes"
    """How many bytes the chunks of one result that are being fetched and decoded, or wait to be
    read, may occupy, whichever way they come; 128 MiB. One chunk is always allowed. Default:
    `134217728`."""

    CLOUDFETCH_URL_EXPIRATION_BUFFER_S = "databricks.cloudfetch.url_expiration_buffer_s"
    """A link is renewed when it expires within this many seconds. Default: `60`."""

    CLOUDFETCH_MAX_URL_REFRESH_ATTEMPTS = "databricks.cloudfetch.max_url_refresh_attempts"
    """How often the link of one chunk is renewed before the download fails. Default: `3`."""

    CLOUDFETCH_STRAGGLER_MITIGATION = "databricks.cloudfetch.straggler_mitigation"
    """Whether a chunk whose download falls far behind its neighbours' is asked for a second time,
    over a new link; what is here first is taken. It has fallen behind when it takes longer
    than its neighbours' median (for its size) times the multiplier plus the padding, the
    quantile of its neighbours has finished, and a new download would probably be done before
    it. One second try runs at a time, beside the parallel downloads and beyond the memory
    budget. Default: `true`."""

    CLOUDFETCH_STRAGGLER_MULTIPLIER = "databricks.cloudfetch.straggler_multiplier"
    """How many times as long as its neighbours a download may take before it has fallen behind.
    Default: `1.5`."""

    CLOUDFETCH_STRAGGLER_QUANTILE = "databricks.cloudfetch.straggler_quantile"
    """The part of the downloads that run beside a download or begin after it that must have
    finished before it can have fallen behind. Default: `0.6`."""

    CLOUDFETCH_STRAGGLER_PADDING_S = "databricks.cloudfetch.straggler_padding_s"
    """How many seconds longer than that a download may take in any case. Default: `5`."""

    CLOUDFETCH_MAX_STRAGGLERS_PER_QUERY = "databricks.cloudfetch.max_stragglers_per_query"
    """How many second tries the chunks of one result have at most. Default: `10`."""

    VOLUME_ALLOWED_LOCAL_PATHS = "databricks.volume.allowed_local_paths"
    """The local directories, separated by commas, that `PUT` may read files from and `GET` may
    write files to. Unless it is set neither is allowed: otherwise whoever writes the SQL text
    would read and write this machine's files. Cannot be set by a URI."""

    INGEST_METHOD = "databricks.ingest.method"
    """How rows are put into a table: as Parquet files by way of a volume, as the text of `INSERT`
    statements, or (`auto`) by way of the volume if there is one and the rows are more than 64
    KiB. Default: `auto`."""

    INGEST_STAGING_VOLUME = "databricks.ingest.staging_volume"
    """Where rows are staged on their way into a table: `/Volumes/CATALOG/SCHEMA/VOLUME` or a
    directory in it. The files are removed afterwards."""

    INGEST_FILE_BYTES = "databricks.ingest.file_bytes"
    """About how many bytes a staged Parquet file has; 16 MiB. Default: `16777216`."""

    INGEST_PARALLEL_UPLOADS = "databricks.ingest.parallel_uploads"
    """How many staged files are uploaded at the same time. That many and one more are in memory.
    Default: `4`."""

    INGEST_INSERT_BYTES = "databricks.ingest.insert_bytes"
    """About how many bytes the text of one `INSERT` has; 1 MiB. The service takes statements of
    up to 16 MiB. Default: `1048576`."""

    TELEMETRY_TRACE_PARENT = "adbc.telemetry.trace_parent"
    """The W3C `traceparent` of the span that the driver's activities belong to. Unless set, it is
    the OpenTelemetry span that is current where the driver is called, in a Rust application
    with the feature `otlp`."""

    TRACES_DROPPED = "databricks.traces.dropped"
    """How many activities are missing in this database's traces so far, because too many waited
    or could not be written. Can only be read, on a connection."""


class StatementOptions(_Option):
    """Options of a statement."""

    QUERY_TAGS = "databricks.query_tags"
    """Tags that the query history shows with statements: `key:value,key:value`. A connection's
    travel with its session (the conf `QUERY_TAGS`), those set on an open connection or on a
    statement with each statement. Never part of telemetry."""

    RESULT_DISPOSITION = "databricks.result.disposition"
    """Where results are put. `INLINE_OR_EXTERNAL_LINKS` falls back to `EXTERNAL_LINKS` where a
    workspace refuses it. Unless set, it is `INLINE` with the format `JSON_ARRAY`. The driver's
    own questions (current names, schemas) always use the default. Default:
    `INLINE_OR_EXTERNAL_LINKS`."""

    RESULT_FORMAT = "databricks.result.format"
    """What results are. `INLINE` results are always `JSON_ARRAY`, and `JSON_ARRAY` results are
    asked for as `INLINE` unless a disposition is set; the server limits their size, and large
    ones need `EXTERNAL_LINKS`. The driver's own questions always use the default. Default:
    `ARROW_STREAM`."""

    RESULT_COMPRESSION = "databricks.result.compression"
    """How Arrow results are compressed. Default: `LZ4_FRAME`."""

    RESULT_ROW_LIMIT = "databricks.result.row_limit"
    """At most this many rows are returned; 0 means all. Default: `0`."""

    RESULT_BATCH_ROWS = "databricks.result.batch_rows"
    """Small batches are joined with their neighbours as long as they have no more rows than this
    together; 0 leaves all as the server made them. Larger ones are never copied, rows that are
    here never wait for others, and what is joined takes at most a quarter of the memory
    budget. Default: `0`."""

    STATEMENT_TIMEOUT_S = "databricks.statement.timeout_s"
    """How long a statement may run, in seconds; 0 means for ever. It is then cancelled on the
    server. Default: `0`."""

    STATEMENT_WAIT_TIMEOUT = "databricks.statement.wait_timeout"
    """How long the server may wait before it answers a submit: `server` leaves it to the server
    (10 s), `0s` makes it answer at once. A cancel can reach the server only when it has
    answered; a small query costs one more request with `0s`. Other waits are not offered: they
    make servers lose chunks of hybrid results. Default: `server`."""

    STATEMENT_POLL_INTERVAL_MAX_MS = "databricks.statement.poll_interval_max_ms"
    """The longest wait between two status requests, in milliseconds. The first comes after 25 ms.
    Default: `1000`."""

    CLOUDFETCH_PARALLEL_DOWNLOADS = "databricks.cloudfetch.parallel_downloads"
    """The most chunks that are downloaded at the same time. How many really are follows what
    pays: 4 at first, more while the throughput grows with them, fewer when storage is too busy
    (429, 503, no answer). Default: `16`."""

    CLOUDFETCH_MEMORY_BUDGET_BYTES = "databricks.cloudfetch.memory_budget_bytes"
    """How many bytes the chunks of one result that are being fetched and decoded, or wait to be
    read, may occupy, whichever way they come; 128 MiB. One chunk is always allowed. Default:
    `134217728`."""

    CLOUDFETCH_URL_EXPIRATION_BUFFER_S = "databricks.cloudfetch.url_expiration_buffer_s"
    """A link is renewed when it expires within this many seconds. Default: `60`."""

    CLOUDFETCH_MAX_URL_REFRESH_ATTEMPTS = "databricks.cloudfetch.max_url_refresh_attempts"
    """How often the link of one chunk is renewed before the download fails. Default: `3`."""

    CLOUDFETCH_STRAGGLER_MITIGATION = "databricks.cloudfetch.straggler_mitigation"
    """Whether a chunk whose download falls far behind its neighbours' is asked for a second time,
    over a new link; what is here first is taken. It has fallen behind when it takes longer
    than its neighbours' median (for its size) times the multiplier plus the padding, the
    quantile of its neighbours has finished, and a new download would probably be done before
    it. One second try runs at a time, beside the parallel downloads and beyond the memory
    budget. Default: `true`."""

    CLOUDFETCH_STRAGGLER_MULTIPLIER = "databricks.cloudfetch.straggler_multiplier"
    """How many times as long as its neighbours a download may take before it has fallen behind.
    Default: `1.5`."""

    CLOUDFETCH_STRAGGLER_QUANTILE = "databricks.cloudfetch.straggler_quantile"
    """The part of the downloads that run beside a download or begin after it that must have
    finished before it can have fallen behind. Default: `0.6`."""

    CLOUDFETCH_STRAGGLER_PADDING_S = "databricks.cloudfetch.straggler_padding_s"
    """How many seconds longer than that a download may take in any case. Default: `5`."""

    CLOUDFETCH_MAX_STRAGGLERS_PER_QUERY = "databricks.cloudfetch.max_stragglers_per_query"
    """How many second tries the chunks of one result have at most. Default: `10`."""

    EXEC_PROGRESS = "adbc.statement.exec.progress"
    """How far the last execution is, in rows: those of its result that have arrived here (read or
    not), those that it changed, or those that it put into a table. Can only be read, from any
    thread, also while the statement executes."""

    EXEC_MAX_PROGRESS = "adbc.statement.exec.max_progress"
    """How many rows that will be; 0 while it is not known. Can only be read, as the progress."""

    EXEC_INCREMENTAL = "adbc.statement.exec.incremental"
    """Whether executing in partitions may be asked again for more of them, until an empty set
    says that there are no more. The server tells all of them at once, so the second time says
    so; the time after that executes again. Default: `false`."""

    BIND_BY_NAME = "adbc.statement.bind_by_name"
    """Whether bound columns are named parameters (`:name`) rather than positional ones (`?`).
    Default: `false`."""

    INGEST_TARGET_TABLE = "adbc.ingest.target_table"
    """The table that bound rows are put into by executing. Setting it takes the SQL text away,
    and the other way round."""

    INGEST_TARGET_CATALOG = "adbc.ingest.target_catalog"
    """The catalog of that table; the current one unless set."""

    INGEST_TARGET_DB_SCHEMA = "adbc.ingest.target_db_schema"
    """The schema of that table; the current one unless set."""

    INGEST_TEMPORARY = "adbc.ingest.temporary"
    """Whether that table is one of the session, and goes away with it. Such a table has no
    catalog and no schema. Default: `false`."""

    INGEST_MODE = "adbc.ingest.mode"
    """What happens to the table: `create` fails if it is there, `append` if it is not, `replace`
    puts a new one in its place once all rows have arrived, `create_append` takes it as it is.
    Default: `adbc.ingest.mode.create`."""

    INGEST_METHOD = "databricks.ingest.method"
    """How rows are put into a table: as Parquet files by way of a volume, as the text of `INSERT`
    statements, or (`auto`) by way of the volume if there is one and the rows are more than 64
    KiB. Default: `auto`."""

    INGEST_STAGING_VOLUME = "databricks.ingest.staging_volume"
    """Where rows are staged on their way into a table: `/Volumes/CATALOG/SCHEMA/VOLUME` or a
    directory in it. The files are removed afterwards."""

    INGEST_FILE_BYTES = "databricks.ingest.file_bytes"
    """About how many bytes a staged Parquet file has; 16 MiB. Default: `16777216`."""

    INGEST_PARALLEL_UPLOADS = "databricks.ingest.parallel_uploads"
    """How many staged files are uploaded at the same time. That many and one more are in memory.
    Default: `4`."""

    INGEST_INSERT_BYTES = "databricks.ingest.insert_bytes"
    """About how many bytes the text of one `INSERT` has; 1 MiB. The service takes statements of
    up to 16 MiB. Default: `1048576`."""

    TELEMETRY_TRACE_PARENT = "adbc.telemetry.trace_parent"
    """The W3C `traceparent` of the span that the driver's activities belong to. Unless set, it is
    the OpenTelemetry span that is current where the driver is called, in a Rust application
    with the feature `otlp`."""
