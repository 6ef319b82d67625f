//! Opening and closing a session, and what belongs to a connection as long as anything of it lives.

use std::collections::BTreeMap;
use std::fmt;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use activity::{Activity, Id, SpanContext};
use databricks_telemetry::{Lease, operations, tags};
use databricks_wire::sea::{self, CreateSessionRequest, CreateSessionResponse, ExecuteStatementRequest};
use reqwest::Method;
use serde::de::IgnoredAny;

use super::background::Background;
use super::effect::changes_session;
use crate::error::{Error, Result};
use crate::http::{Call, Client};
use crate::traces::Traces;
use crate::{observe, runtime};

/// How long a session whose connection is gone waits for the cancels and closes of its statements before it is closed.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(10);

/// What a connection's statements and tasks share. It does not keep the session open; [`OpenSession`] does.
pub(crate) struct Session {
    client: Arc<Client>,
    /// Shared with whoever opens: closing a lease blocks, so the last share must not be dropped on a worker.
    lease: Arc<Lease>,
    /// The process that opened it. A forked child has the memory, and must not speak for its parent.
    pid: u32,
    /// The span that the caller named for the connection.
    trace: Option<SpanContext>,
    /// The server's present id. `None` on a server without sessions; catalog and schema then travel with each statement.
    id: Mutex<Option<String>>,
    namespace: Mutex<Namespace>,
    /// The settings that it is opened with.
    confs: BTreeMap<String, String>,
    /// How many statements left something behind that opening it again would lose, or may have.
    changes: AtomicU32,
    /// How many statements are on their way that may do so.
    expected: AtomicU32,
    /// Held by whoever opens it again.
    reopening: tokio::sync::Mutex<()>,
    background: Background,
    hybrid_refused: AtomicBool,
    closed: AtomicBool,
}

/// What the server says of a session that is not there.
const UNKNOWN_SESSION: &str = "RESOURCE_DOES_NOT_EXIST";

/// Where names start.
#[derive(Clone, Default)]
pub(crate) struct Namespace {
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// A statement on its way. When it is dropped, what it may have left in the session counts.
pub(crate) struct Expected<'a>(Option<&'a Session>);

impl Expected<'_> {
    /// It left nothing behind.
    pub(crate) fn forget(mut self) {
        if let Some(session) = self.0.take() {
            session.expected.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.changes.fetch_add(1, Ordering::Relaxed);
            session.expected.fetch_sub(1, Ordering::Release);
        }
    }
}

impl Session {
    /// Opens a session, or goes without where the server has none (404, 501). The attempt is recorded either way.
    ///
    /// # Errors
    /// The server's refusal, or that it could not be reached.
    pub(crate) fn open(
        client: Arc<Client>,
        lease: Arc<Lease>,
        namespace: Namespace,
        confs: BTreeMap<String, String>,
        trace: Option<SpanContext>,
    ) -> impl Future<Output = Result<Self>> + Send {
        // Started on the caller's thread, where the caller's own span is the current one.
        let root = lease.root(&operations::CONNECTION_OPEN, trace);
        Self::opening(root, client, lease, namespace, confs, trace)
    }

    async fn opening(
        root: Activity,
        client: Arc<Client>,
        lease: Arc<Lease>,
        namespace: Namespace,
        confs: BTreeMap<String, String>,
        trace: Option<SpanContext>,
    ) -> Result<Self> {
        let opened = create(&client, &lease, &namespace, &confs, root, trace).await?;
        Ok(Self {
            id: Mutex::new(opened),
            client,
            lease,
            pid: process::id(),
            trace,
            namespace: Mutex::new(namespace),
            confs,
            changes: AtomicU32::new(0),
            expected: AtomicU32::new(0),
            reopening: tokio::sync::Mutex::default(),
            background: Background::new(),
            hybrid_refused: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        })
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The server's id of the session; `None` on a server without sessions.
    pub(crate) fn id(&self) -> Option<String> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the server says that this session is not there any more. It has then not begun with the statement.
    pub(crate) fn is_lost(&self, error: &Error) -> bool {
        error.http_status() == Some(404) && error.error_code() == Some(UNKNOWN_SESSION) && self.id().is_some()
    }

    /// Remembers that a statement may leave something behind in the session. To be called before it is sent: the server can execute it
    /// although its answer is lost, or comes when nobody waits any longer.
    pub(crate) fn expect(&self, sql: &str) -> Expected<'_> {
        let changes = changes_session(sql);
        if changes {
            self.expected.fetch_add(1, Ordering::Relaxed);
        }
        Expected(changes.then_some(self))
    }

    /// Whether the session may have temporary tables or views: not before a statement was sent that may have left something in it.
    pub(crate) fn may_have_temporaries(&self) -> bool {
        // In this order: what is not expected any longer has been counted.
        self.expected.load(Ordering::Acquire) > 0 || self.changes.load(Ordering::Relaxed) > 0
    }

    /// Opens the session again with the settings and names that the driver was told, unless somebody did since `lost` was the id.
    ///
    /// # Errors
    /// `InvalidState` when statements have set something in it, or may have, which is lost; the server's when it opens none.
    pub(crate) async fn reopen(&self, lost: Option<&str>, trace: Option<SpanContext>) -> Result<()> {
        let _alone = self.reopening.lock().await;
        if self.id().as_deref() != lost {
            return Ok(());
        }
        if self.changes.load(Ordering::Relaxed) > 0 {
            return Err(Error::invalid_state(
                "the session has ended on the server, and what statements had set in it (USE, SET, variables, temporary views) is \
                 lost; open a new connection",
            )
            .with_error_code(UNKNOWN_SESSION)
            .with_http_status(404));
        }
        let namespace = self.namespace.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let root = self.lease.root(&operations::CONNECTION_OPEN, trace);
        let opened = create(&self.client, &self.lease, &namespace, &self.confs, root, trace)
            .await
            .map_err(|error| error.context("the session has ended on the server and could not be opened again"))?;
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(())
    }

    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    pub(crate) fn background(&self) -> &Background {
        &self.background
    }

    /// # Errors
    /// `InvalidState` in a forked child: the connection, its sockets and its tasks are the parent's.
    pub(crate) fn check_process(&self) -> Result<()> {
        if self.is_inherited() {
            return Err(Error::invalid_state(
                "the connection was opened before a fork; open a new one in this process",
            ));
        }
        Ok(())
    }

    /// Whether this is a forked child's copy of a session.
    pub(crate) fn is_inherited(&self) -> bool {
        self.pid != process::id()
    }

    /// Whether this workspace refused the hybrid disposition before.
    pub(crate) fn hybrid_refused(&self) -> bool {
        self.hybrid_refused.load(Ordering::Relaxed)
    }

    pub(crate) fn remember_hybrid_refused(&self) {
        self.hybrid_refused.store(true, Ordering::Relaxed);
    }

    /// Remembers where names start: for a server without sessions, and for a session that is opened again. To be called after the
    /// `USE` that brought it about, which then has left nothing behind that would be lost.
    pub(crate) fn set_namespace(&self, change: impl FnOnce(&mut Namespace)) {
        self.changes.fetch_sub(1, Ordering::Relaxed);
        change(&mut self.namespace.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Where names start as far as the driver was told, if the server does not keep it.
    pub(crate) fn own_namespace(&self) -> Option<Namespace> {
        let namespace = || self.namespace.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.id().is_none().then(namespace)
    }

    /// Whether statements carry these query tags already because their session does.
    pub(crate) fn has_tags(&self, tags: &str) -> bool {
        self.id().is_some() && self.confs.get("QUERY_TAGS").is_some_and(|known| known == tags)
    }

    /// Says in a request whose statement it is: a session and a namespace exclude one another.
    pub(crate) fn address(&self, request: &mut ExecuteStatementRequest) {
        request.warehouse_id.clone_from(&self.client.endpoint().warehouse_id);
        request.session_id = self.id();
        if let Some(namespace) = self.own_namespace() {
            request.catalog = namespace.catalog;
            request.schema = namespace.schema;
        }
    }

    /// Waits for the cancels and closes of this session's statements (they are what keeps the server busy), then closes the
    /// session on the server. Once, and best effort: the server closes idle sessions by itself.
    async fn close(&self, deadline: Duration) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        // What is left of the time, at least a fifth, is for the deletion. Who lets go when told to does so at once.
        let began = Instant::now();
        self.background.idle(deadline.mul_f64(0.75)).await;
        self.background.give_up();
        self.background.idle(deadline.mul_f64(0.05)).await;
        let left = deadline.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
        let root = self.lease.root(&operations::CONNECTION_CLOSE, self.trace);
        let Some(id) = self.id() else { return };
        let path = format!(
            "{}?warehouse_id={}",
            sea::session_path(&id),
            self.client.endpoint().warehouse_id
        );
        let retries = AtomicU32::new(0);
        let call = Call::harmless(&Method::DELETE, &path).traced(root.context().or(self.trace));
        let deletion = self.client.call::<(), IgnoredAny>(call, None, &retries);
        // A deletion that is cut off here may still arrive.
        let outcome = tokio::time::timeout(left, deletion).await;
        observe::end(root, &outcome.unwrap_or_else(|_| Err(Error::not_heard())));
    }
}

/// The server's id of the new session, which the lease learns too. The attempt is recorded.
async fn create(
    client: &Client,
    lease: &Lease,
    namespace: &Namespace,
    confs: &BTreeMap<String, String>,
    mut root: Activity,
    trace: Option<SpanContext>,
) -> Result<Option<String>> {
    let opened = ask_for_session(client, namespace, confs, root.context().or(trace)).await;
    if let Some(id) = opened.as_ref().ok().and_then(|id| Id::new(id.as_ref()?).ok()) {
        lease.session(id);
        root.set(tags::SESSION_ID, id);
    }
    observe::end(root, &opened);
    opened
}

async fn ask_for_session(
    client: &Client,
    namespace: &Namespace,
    confs: &BTreeMap<String, String>,
    trace: Option<SpanContext>,
) -> Result<Option<String>> {
    let request = CreateSessionRequest {
        warehouse_id: client.endpoint().warehouse_id.clone(),
        catalog: namespace.catalog.clone(),
        schema: namespace.schema.clone(),
        session_confs: confs.clone(),
    };
    // A second session by a repeated request would only idle away; a first one is worth it.
    let call = Call::harmless(&Method::POST, sea::SESSIONS_PATH).traced(trace);
    match client
        .call::<_, CreateSessionResponse>(call, Some(&request), &AtomicU32::new(0))
        .await
    {
        Ok(answer) => Ok(Some(answer.session_id).filter(|id| !id.is_empty())),
        Err(error) if means_no_sessions(&error) && confs.is_empty() => Ok(None),
        // Going without would run statements under other settings than were asked for.
        Err(error) if means_no_sessions(&error) => {
            Err(error.context("the server has no sessions, so settings and query tags of a session cannot be kept"))
        }
        Err(error) => Err(error),
    }
}

/// 501, or a 404 for the endpoint itself. A 404 that names a missing resource means a wrong warehouse.
fn means_no_sessions(error: &Error) -> bool {
    match error.http_status() {
        Some(501) => true,
        Some(404) => error.error_code() != Some("RESOURCE_DOES_NOT_EXIST"),
        _ => false,
    }
}

/// Keeps a session open: the connection, its statements and its readers hold one together, and the last of them closes it.
///
/// Tasks hold the [`Session`] only, so that one which is just ending does not delay the close.
#[derive(Debug)]
pub(crate) struct OpenSession {
    session: Arc<Session>,
    /// Where its activities are shown. The last share waits for the disk, so no task has one.
    traces: Option<Arc<Traces>>,
}

impl OpenSession {
    pub(crate) fn new(session: Session, traces: Option<Arc<Traces>>) -> Arc<Self> {
        Arc::new(Self {
            session: Arc::new(session),
            traces,
        })
    }

    pub(crate) fn traces(&self) -> Option<&Traces> {
        self.traces.as_deref()
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The connection's part in closing: waits until the server has heard of everything so far, and closes the session
    /// unless statements or readers still need it. Then delivers telemetry, and local traces.
    ///
    /// # Blocking
    /// At most `deadline`, and what closing the telemetry lease and flushing traces may take.
    pub(crate) fn leave(self: Arc<Self>, deadline: Duration) {
        let Some(last) = Arc::into_inner(self) else { return };
        if last.session.is_inherited() {
            return;
        }
        let session = Arc::clone(&last.session);
        // An error could only be shown to someone who is leaving.
        let _ = runtime::wait(async move {
            session.close(deadline).await;
            Ok(())
        });
        last.session.lease.close();
        if let Some(traces) = &last.traces {
            traces.flush();
        }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        if self.session.closed.load(Ordering::Acquire) || self.session.is_inherited() {
            return;
        }
        // Statements or readers outlived their connection. Nobody waits for them any more, and dropping must not block.
        let session = Arc::clone(&self.session);
        let traces = self.traces.take();
        runtime::spawn(async move {
            session.close(ORPHAN_PATIENCE).await;
            // Closing a lease blocks, and so does the end of traces: not on a worker.
            let closing = tokio::task::spawn_blocking(move || {
                session.lease.close();
                drop(traces);
            });
            let _ = closing.await;
        });
    }
}
