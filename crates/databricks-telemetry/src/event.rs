//! A completed record as an entry of the wire.
//!
//! [`Event::read`] is the only place where records are read for export, and [`Record::remote`] is the only view it has:
//! what is present and on the allow-list of the event's kind. It runs on the thread that let go of the record last, so
//! it copies a few values and does no I/O; the worker makes JSON of them.

use std::ptr;
use std::time::{Duration, UNIX_EPOCH};

use activity::{Id, Record, Remote, Status};
use databricks_wire::telemetry::{
    ChunkDetails, ClientContext, ConnectionParameters, DriverLog, DriverMode, ErrorInfo, FrontendLog,
    FrontendLogContext, FrontendLogEntry, OperationDetail, ResultLatency, SqlOperation, SystemConfiguration,
    VolumeOperation,
};

use crate::export::Route;
use crate::values::{ErrorCategory, OperationType, ResultFormat};
use crate::{kinds, operations, system, tags};

/// What a completed record says to the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// When it began, in milliseconds since the Unix epoch.
    timestamp_millis: i64,
    workspace_id: Option<i64>,
    session: Option<Id>,
    statement: Option<Id>,
    /// The rest. Its ids are empty: the worker makes text of them.
    log: Box<DriverLog<'static>>,
    /// Sent at once, and dropped last: connections and errors.
    pub(crate) urgent: bool,
    /// Sent without credentials and without anything that identifies anybody.
    pub(crate) anonymous: bool,
    /// Whether something is missing that a complete event of its kind has.
    pub(crate) incomplete: bool,
}

impl Event {
    /// Reads a root's record; `None` for one that is nobody's event.
    ///
    /// The root of a connection's opening began before there was a session: it gets the `session` that came of it.
    ///
    /// # Cost
    /// One allocation, for the entry.
    pub(crate) fn read(record: &Record<'_>, session: impl FnOnce() -> Option<Id>) -> Option<Self> {
        let kind = record.operation().kind();
        let failed = record.status() != Status::Ok;
        let (kind, anonymous) = match kind {
            kinds::CONNECTION_OPEN if failed => (kinds::ERROR, true),
            kinds::CONNECTION_OPEN
            | kinds::CONNECTION_CLOSE
            | kinds::STATEMENT
            | kinds::METADATA
            | kinds::STATEMENT_CALL => (kind, false),
            _ => return None,
        };
        let remote = record.remote(kind);
        let error = error_category(record.status(), &remote);
        let session = match remote.get(tags::SESSION_ID) {
            None if kind == kinds::CONNECTION_OPEN => session(),
            known => known,
        };
        let mut missing = remote
            .missing()
            .filter(|tag| tag.name() != tags::SESSION_ID.name() || session.is_none());
        let log = DriverLog {
            session_id: None,
            sql_statement_id: None,
            system_configuration: (kind == kinds::CONNECTION_OPEN).then(|| system_configuration(&remote)),
            driver_connection_params: (kind == kinds::CONNECTION_OPEN).then(|| connection_parameters(&remote)),
            auth_type: remote.get(tags::AUTH_TYPE).map(|auth| auth.as_str().into()),
            vol_operation: remote.get(tags::VOLUME_OPERATION).map(|operation| VolumeOperation {
                volume_operation_type: Some(operation.into()),
            }),
            sql_operation: Some(sql_operation(record, &remote, error.is_some())),
            error_info: error.map(|category| ErrorInfo {
                error_name: Some(category.as_str().into()),
            }),
            operation_latency_ms: latency(record, &remote).map(millis),
        };
        Some(Self {
            timestamp_millis: record.started_at().duration_since(UNIX_EPOCH).map_or(0, millis),
            workspace_id: remote.get(tags::WORKSPACE_ID),
            session,
            statement: remote.get(tags::STATEMENT_ID),
            log: Box::new(log),
            urgent: error.is_some() || matches!(kind, kinds::CONNECTION_OPEN | kinds::CONNECTION_CLOSE | kinds::ERROR),
            anonymous,
            incomplete: !failed && missing.next().is_some(),
        })
    }

    /// The entry of a request body, under an id of its own. On the unauthenticated endpoint it is what was done, how long
    /// it took and what kind of error came of it, whatever the record says.
    pub(crate) fn frontend_log<'a>(&'a self, route: Route, entry_id: &'a str) -> FrontendLog<'a> {
        let (workspace_id, mut log) = match route {
            Route::Authenticated => (self.workspace_id, self.identified()),
            Route::Unauthenticated => (None, self.without_identity()),
        };
        if let Some(said) = log.system_configuration.take() {
            // Read from files the first time, which is why it is done here, on the worker's thread.
            let facts = system::configuration().clone();
            log.system_configuration = Some(SystemConfiguration {
                driver_version: said.driver_version.or(facts.driver_version),
                client_app_name: said.client_app_name,
                ..facts
            });
        }
        FrontendLog {
            workspace_id,
            frontend_log_event_id: entry_id.into(),
            context: FrontendLogContext {
                client_context: ClientContext {
                    timestamp_millis: self.timestamp_millis,
                    user_agent: system::USER_AGENT.into(),
                },
            },
            entry: FrontendLogEntry { sql_driver_log: log },
        }
    }

    fn identified(&self) -> DriverLog<'_> {
        DriverLog {
            session_id: self.session.as_ref().map(|id| id.as_str().into()),
            sql_statement_id: self.statement.as_ref().map(|id| id.as_str().into()),
            ..(*self.log).clone()
        }
    }

    fn without_identity(&self) -> DriverLog<'static> {
        let detail = self
            .log
            .sql_operation
            .as_ref()
            .and_then(|operation| operation.operation_detail.as_ref());
        DriverLog {
            sql_operation: detail.map(|detail| SqlOperation {
                operation_detail: Some(OperationDetail {
                    operation_type: detail.operation_type,
                    is_internal_call: detail.is_internal_call,
                    ..OperationDetail::default()
                }),
                ..SqlOperation::default()
            }),
            error_info: self.log.error_info.clone(),
            operation_latency_ms: self.log.operation_latency_ms,
            ..DriverLog::default()
        }
    }

    /// The bytes it holds while it waits, and those that it will take of a request body. An upper bound.
    pub(crate) fn cost(&self) -> usize {
        const WAITING: usize = size_of::<crate::queue::Entry>() + size_of::<DriverLog<'_>>() + LONGEST_TEXTS;
        WAITING + self.body_share()
    }

    /// The most that it takes of a request body.
    pub(crate) fn body_share(&self) -> usize {
        if self.log.system_configuration.is_some() {
            2560
        } else {
            1536
        }
    }
}

/// The texts of an event: two ids, the authentication's type, the error's category, and what describes the system.
const LONGEST_TEXTS: usize = 512;

/// The error's category: what the driver said, else what the status is called, if that is a category at all.
fn error_category(status: Status, remote: &Remote<'_>) -> Option<ErrorCategory> {
    let said = remote.get(tags::ERROR_TYPE);
    match status {
        Status::Ok => None,
        Status::Error(name) => Some(
            said.or_else(|| ErrorCategory::parse(name))
                .unwrap_or(ErrorCategory::Error),
        ),
        Status::Cancelled => Some(said.unwrap_or(ErrorCategory::Cancelled)),
        Status::Abandoned => Some(said.unwrap_or(ErrorCategory::Error)),
    }
}

/// How long the user's call took.
///
/// A statement's record lasts until its result is read, so its latency is the one that was noted when the call
/// returned; a statement that failed in the call never had a result, and lasted as long as the call. The other
/// operations are calls.
fn latency(record: &Record<'_>, remote: &Remote<'_>) -> Option<Duration> {
    let noted = remote.get(tags::OPERATION_LATENCY);
    let is_call = record.operation().kind() != kinds::STATEMENT
        || (record.status() != Status::Ok && remote.get(tags::RESULT_READY_LATENCY).is_none());
    noted.or_else(|| is_call.then(|| record.duration()))
}

fn sql_operation(record: &Record<'_>, remote: &Remote<'_>, failed: bool) -> SqlOperation {
    let format = remote.get(tags::RESULT_FORMAT);
    let ready = remote.get(tags::RESULT_READY_LATENCY).map(millis);
    let consumption = remote.get(tags::RESULT_CONSUMPTION_LATENCY).map(millis);
    SqlOperation {
        statement_type: remote.get(tags::STATEMENT_TYPE).map(Into::into),
        is_compressed: remote.get(tags::RESULT_COMPRESSED),
        execution_result: format.map(Into::into),
        chunk_id: remote.get(tags::CHUNK_FAILED).filter(|_| failed),
        retry_count: remote.get(tags::RETRY_COUNT).map(count),
        chunk_details: (format == Some(ResultFormat::ExternalLinks)).then(|| chunk_details(remote)),
        result_latency: (ready.is_some() || consumption.is_some()).then_some(ResultLatency {
            result_set_ready_latency_millis: ready,
            result_set_consumption_latency_millis: consumption,
        }),
        operation_detail: Some(operation_detail(record, remote)),
    }
}

/// Measured times and counts come from several threads, and a reader may let go in the middle; what leaves is
/// consistent all the same: `initial ≤ slowest ≤ sum` and `iterated ≤ present`.
fn chunk_details(remote: &Remote<'_>) -> ChunkDetails {
    let initial = remote.get(tags::CHUNK_INITIAL_LATENCY);
    let slowest = remote.get(tags::CHUNK_SLOWEST_LATENCY).max(initial);
    let sum = remote.get(tags::CHUNK_DOWNLOAD_TIME).max(slowest);
    let present = remote.get(tags::RESULT_CHUNK_COUNT);
    let iterated = remote
        .get(tags::RESULT_CHUNKS_ITERATED)
        .map(|iterated| iterated.min(present.unwrap_or(u64::MAX)));
    ChunkDetails {
        initial_chunk_latency_millis: initial.map(millis),
        slowest_chunk_latency_millis: slowest.map(millis),
        total_chunks_present: present.map(count),
        total_chunks_iterated: iterated.map(count),
        sum_chunks_download_time_millis: sum.map(millis),
    }
}

fn operation_detail(record: &Record<'_>, remote: &Remote<'_>) -> OperationDetail {
    let polls = remote.get(tags::POLL_COUNT);
    let by_operation = || match record.operation().kind() {
        kinds::STATEMENT if ptr::eq(record.operation(), &operations::PARTITION_READ) => None,
        kinds::STATEMENT if polls.is_some_and(|polls| polls > 0) => Some(OperationType::ExecuteStatementAsync),
        kinds::STATEMENT => Some(OperationType::ExecuteStatement),
        _ => operations::operation_type(record.operation()),
    };
    OperationDetail {
        n_operation_status_calls: polls.map(count),
        operation_status_latency_millis: remote.get(tags::POLL_LATENCY).map(millis),
        operation_type: remote.get(tags::OPERATION_TYPE).or_else(by_operation).map(Into::into),
        is_internal_call: Some(remote.get(tags::OPERATION_INTERNAL).unwrap_or(false)),
    }
}

/// What the record says of it; the machine's own facts are added when it is sent.
fn system_configuration(remote: &Remote<'_>) -> SystemConfiguration<'static> {
    SystemConfiguration {
        driver_version: remote
            .get(tags::DRIVER_VERSION)
            .map(|version| version.as_str().to_owned().into()),
        client_app_name: remote
            .get(tags::CLIENT_APP_NAME)
            .map(|name| name.as_str().to_owned().into()),
        ..SystemConfiguration::default()
    }
}

fn connection_parameters(remote: &Remote<'_>) -> ConnectionParameters {
    let auth = remote.get(tags::AUTH_TYPE);
    ConnectionParameters {
        mode: Some(DriverMode::Sea),
        use_proxy: remote.get(tags::PROXY_USED),
        use_system_proxy: remote.get(tags::PROXY_FROM_SYSTEM),
        use_cf_proxy: remote.get(tags::PROXY_FOR_DOWNLOADS),
        auth_mech: auth.map(|auth| auth.mech()),
        auth_flow: auth.and_then(|auth| auth.flow()),
        enable_arrow: remote.get(tags::FEATURE_ARROW),
        enable_direct_results: remote.get(tags::FEATURE_DIRECT_RESULTS),
        enable_sea_hybrid_results: remote.get(tags::FEATURE_CLOUDFETCH),
        enable_complex_datatype_support: remote.get(tags::FEATURE_COMPLEX_TYPES),
        allow_self_signed_support: remote.get(tags::TLS_SELF_SIGNED),
        use_system_trust_store: remote.get(tags::TLS_SYSTEM_STORE),
        socket_timeout: remote.get(tags::SOCKET_TIMEOUT).map(|timeout| count(timeout.as_secs())),
        async_poll_interval_millis: remote.get(tags::POLL_INTERVAL).map(millis),
        auto_commit: remote.get(tags::AUTO_COMMIT),
        http_connection_pool_size: remote.get(tags::POOL_SIZE).map(count),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A count in the wire's integer, or the largest that it can hold.
fn count<T: TryFrom<u64> + Bounded>(count: u64) -> T {
    T::try_from(count).unwrap_or(T::LARGEST)
}

trait Bounded {
    const LARGEST: Self;
}

impl Bounded for i32 {
    const LARGEST: Self = Self::MAX;
}

impl Bounded for i64 {
    const LARGEST: Self = Self::MAX;
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use activity::{Level, Listener};

    use super::*;
    use crate::source::SOURCE;

    /// Reads roots as the telemetry listener does.
    #[derive(Default)]
    struct Reader(Mutex<Vec<Event>>);

    impl Listener for Reader {
        fn level(&self) -> Level {
            Level::Metrics
        }
        fn completed(&self, record: &Record<'_>) {
            self.0.lock().unwrap().extend(Event::read(record, || None));
        }
    }

    #[test]
    fn an_event_is_charged_for_more_than_it_ever_holds() {
        let reader = Arc::new(Reader::default());
        let registration = SOURCE.register(Arc::clone(&reader) as _);
        let longest = Id::new(&"x".repeat(64)).unwrap();
        let ages = Duration::from_secs(u64::MAX / 1_000_000_000);
        for operation in [&operations::CONNECTION_OPEN, &operations::STATEMENT_EXECUTE] {
            let mut root = SOURCE.start(operation);
            for tag in [tags::SESSION_ID, tags::STATEMENT_ID, tags::CLIENT_APP_NAME] {
                root.set(tag, longest);
            }
            root.set(tags::WORKSPACE_ID, i64::MIN);
            root.set(tags::CHUNK_FAILED, i64::MIN);
            for tag in [
                tags::OPERATION_LATENCY,
                tags::SOCKET_TIMEOUT,
                tags::POLL_INTERVAL,
                tags::RESULT_READY_LATENCY,
                tags::RESULT_CONSUMPTION_LATENCY,
                tags::CHUNK_INITIAL_LATENCY,
                tags::CHUNK_SLOWEST_LATENCY,
                tags::CHUNK_DOWNLOAD_TIME,
                tags::POLL_LATENCY,
            ] {
                root.set(tag, ages);
            }
            for tag in [
                tags::POOL_SIZE,
                tags::RESULT_CHUNK_COUNT,
                tags::RESULT_CHUNKS_ITERATED,
                tags::POLL_COUNT,
                tags::RETRY_COUNT,
            ] {
                root.set(tag, u64::MAX);
            }
            for tag in [
                tags::PROXY_USED,
                tags::PROXY_FROM_SYSTEM,
                tags::PROXY_FOR_DOWNLOADS,
                tags::TLS_SELF_SIGNED,
                tags::TLS_SYSTEM_STORE,
                tags::FEATURE_ARROW,
                tags::FEATURE_CLOUDFETCH,
                tags::FEATURE_DIRECT_RESULTS,
                tags::FEATURE_COMPLEX_TYPES,
                tags::AUTO_COMMIT,
                tags::RESULT_COMPRESSED,
                tags::OPERATION_INTERNAL,
            ] {
                root.set(tag, false);
            }
            root.set(tags::OPERATION_TYPE, OperationType::ExecuteStatementAsync);
            root.set(tags::AUTH_TYPE, crate::values::Auth::ClientCredentials);
            root.set(tags::STATEMENT_TYPE, crate::values::StatementKind::Metadata);
            root.set(tags::VOLUME_OPERATION, crate::values::VolumeOperation::Delete);
            root.set(tags::RESULT_FORMAT, ResultFormat::ExternalLinks);
            if operation.kind() == kinds::STATEMENT {
                root.set(tags::ERROR_TYPE, ErrorCategory::ExecuteStatementCancelled);
                root.fail("error");
            }
        }
        drop(registration);
        let events = reader.0.lock().unwrap();
        let entry_id = uuid::Uuid::new_v4().to_string();
        assert_eq!(events.len(), 2);
        for event in events.iter() {
            let entry = serde_json::to_string(&event.frontend_log(Route::Authenticated, &entry_id)).unwrap();
            let in_body = serde_json::to_string(&entry).unwrap().len() + ",".len();
            // The facts of this machine may be shorter than those of another.
            let facts = 2 * 64 + 32;
            assert!(in_body + facts <= event.body_share(), "{in_body} bytes: {entry}");
        }
    }
}
