//! One execution of a statement, from before its submission until its result is read or given up.
//!
//! A run is what a cancel acts on, at any moment and from any thread. The id that the server gives may come later than the
//! wish to cancel, so the wish is remembered and carried out when the id arrives.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use activity::{Id, Operation, SpanContext};
use databricks_telemetry::operations;
use databricks_wire::sea;
use reqwest::Method;
use serde::de::IgnoredAny;
use tokio::sync::watch;

use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Call, Client};
use crate::observe;
use crate::progress::Progress;
use databricks_telemetry::ErrorCategory;

/// How long the driver tries to tell the server of a cancel or a close that nobody waits for.
const TELLING_PATIENCE: Duration = Duration::from_secs(30);

/// Why a run shall stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It shall not.
    Not,
    /// The caller cancelled it.
    Cancelled,
    /// It took longer than this.
    TimedOut(Duration),
    /// Its reader was dropped before the end.
    Abandoned,
}

/// One execution. Shared by the statement's cancel handle, the tasks that fetch, and the reader.
pub(crate) struct Run {
    session: Arc<Session>,
    statement_id: OnceLock<String>,
    /// The session in which it ran, if the one that it began in was lost.
    moved_to: OnceLock<Id>,
    stop: watch::Sender<Stop>,
    /// Whether the server has been told to stop.
    told: AtomicBool,
    /// Whether the run came to any end: nothing is left to cancel.
    ended: AtomicBool,
    /// Whether the server has nothing to close or to cancel: it closed the statement when it delivered the result, or others still
    /// read the result.
    left_alone: AtomicBool,
    /// Where the rows that arrive are counted, if anybody asks for them.
    progress: OnceLock<Arc<Progress>>,
    /// Requests made again on behalf of this statement.
    pub(crate) retries: AtomicU32,
    /// The span of the execution, or the caller's.
    trace: Option<SpanContext>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("statement_id", &self.statement_id.get())
            .finish_non_exhaustive()
    }
}

impl Run {
    pub(crate) fn new(session: Arc<Session>, trace: Option<SpanContext>) -> Arc<Self> {
        Arc::new(Self {
            session,
            statement_id: OnceLock::new(),
            moved_to: OnceLock::new(),
            stop: watch::Sender::new(Stop::Not),
            told: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            left_alone: AtomicBool::new(false),
            progress: OnceLock::new(),
            retries: AtomicU32::new(0),
            trace,
        })
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        self.session.client()
    }

    /// How many requests were made again.
    pub(crate) fn retry_count(&self) -> u64 {
        self.retries.load(Ordering::Relaxed).into()
    }

    /// The span that requests belong to which have none of their own.
    pub(crate) fn trace(&self) -> Option<SpanContext> {
        self.trace
    }

    /// The server's id; empty before it is known.
    pub(crate) fn statement_id(&self) -> &str {
        self.statement_id.get().map_or("", String::as_str)
    }

    /// Remembers the server's id, and carries out a wish to stop that came earlier.
    pub(crate) fn identify(&self, statement_id: &str) {
        if statement_id.is_empty() || self.statement_id.set(statement_id.to_owned()).is_err() {
            return;
        }
        // Pairs with `request_stop`: whichever of id and wish comes second sees the first.
        if *self.stop.borrow() != Stop::Not {
            self.tell_server();
        }
    }

    /// Remembers that it runs in another session than it began in.
    pub(crate) fn move_to(&self, session_id: Option<&str>) {
        if let Some(id) = session_id.and_then(|id| Id::new(id).ok()) {
            // An execution is moved once: the second loss of a session is an error.
            let _ = self.moved_to.set(id);
        }
    }

    /// The session in which it runs, if that is another than it began in.
    pub(crate) fn moved_to(&self) -> Option<Id> {
        self.moved_to.get().copied()
    }

    /// Counts the rows of its result as they arrive.
    pub(crate) fn report_to(&self, progress: Arc<Progress>) {
        // A run has one result.
        let _ = self.progress.set(progress);
    }

    /// Where the rows that arrive are counted.
    pub(crate) fn progress(&self) -> Option<&Arc<Progress>> {
        self.progress.get()
    }

    /// Whatever becomes of this run, the server is told of no cancel and no close from now on.
    pub(crate) fn leave_alone(&self) {
        self.left_alone.store(true, Ordering::Release);
    }

    /// Whether the statement is none that this run could close.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.left_alone.load(Ordering::Acquire)
    }

    /// Whether it came to any end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Cancels the run: at once for the caller, in the background for the server.
    ///
    /// # Errors
    /// `InvalidState` when it has ended.
    pub(crate) fn cancel(&self) -> Result<()> {
        if self.has_ended() {
            return Err(Error::invalid_state("nothing is running that could be cancelled"));
        }
        self.request_stop(Stop::Cancelled);
        Ok(())
    }

    /// Ends the run because it took longer than `limit`.
    pub(crate) fn time_out(&self, limit: Duration) {
        self.request_stop(Stop::TimedOut(limit));
    }

    /// The result was read to its end: the server may forget it.
    pub(crate) fn complete(&self) {
        if self.end() && !self.is_left_alone() {
            let trace = self.trace;
            self.in_background(move |session, id| async move { close(&session, &id, trace).await });
        }
    }

    /// The result will not be read on: the server shall stop working on it and forget it.
    pub(crate) fn abandon(&self) {
        if self.end() {
            self.request_stop(Stop::Abandoned);
        }
    }

    /// The server ended the statement without a result: there is nothing to tell it.
    pub(crate) fn fail(&self) {
        self.end();
    }

    /// Why the run shall not go on, if it shall not.
    pub(crate) fn stopped(&self) -> Option<Error> {
        let error = match *self.stop.borrow() {
            Stop::Not => return None,
            Stop::Cancelled | Stop::Abandoned => Error::cancelled(),
            Stop::TimedOut(limit) => Error::new(
                ErrorKind::Timeout,
                ErrorCategory::StatementExecutionTimeout,
                format!(
                    "the statement took longer than {} s and was cancelled",
                    limit.as_secs_f64()
                ),
            )
            .with_sqlstate("57014"),
        };
        Some(error.with_statement_id(self.statement_id()))
    }

    /// Waits until the run shall stop, and says why.
    pub(crate) async fn stop_requested(&self) -> Error {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = stop.wait_for(|stop| *stop != Stop::Not).await;
        self.stopped().unwrap_or_else(Error::cancelled)
    }

    fn end(&self) -> bool {
        !self.ended.swap(true, Ordering::AcqRel)
    }

    fn request_stop(&self, why: Stop) {
        // The first reason is the one the caller is told.
        self.stop.send_if_modified(|stop| {
            let first = *stop == Stop::Not;
            if first {
                *stop = why;
            }
            first
        });
        if self.statement_id.get().is_some() {
            self.tell_server();
        }
    }

    fn tell_server(&self) {
        if self.told.swap(true, Ordering::AcqRel) || self.is_left_alone() {
            return;
        }
        let trace = self.trace;
        self.in_background(move |session, id| async move {
            cancel(&session, &id, trace).await;
            close(&session, &id, trace).await;
        });
    }

    fn in_background<F, W>(&self, work: F)
    where
        F: FnOnce(Arc<Session>, String) -> W,
        W: Future<Output = ()> + Send + 'static,
    {
        if let Some(id) = self.statement_id.get().filter(|_| !self.session.is_inherited()) {
            self.session
                .background()
                .spawn(work(Arc::clone(&self.session), id.clone()));
        }
    }
}

async fn cancel(session: &Session, id: &str, trace: Option<SpanContext>) {
    tell(
        session,
        &operations::STATEMENT_CANCEL,
        id,
        &Method::POST,
        &sea::cancel_path(id),
        trace,
    )
    .await;
}

async fn close(session: &Session, id: &str, trace: Option<SpanContext>) {
    tell(
        session,
        &operations::STATEMENT_CLOSE,
        id,
        &Method::DELETE,
        &sea::statement_path(id),
        trace,
    )
    .await;
}

/// Makes a request about a statement whose outcome changes nothing here: telemetry is told, the caller is not. It belongs to the
/// statement's trace.
async fn tell(
    session: &Session,
    operation: &'static Operation,
    id: &str,
    method: &Method,
    path: &str,
    trace: Option<SpanContext>,
) {
    let root = observe::call(session.lease(), operation, id, trace);
    let call = Call::harmless(method, path).traced(root.context().or(trace));
    let retries = AtomicU32::new(0);
    let telling = session.client().call::<(), IgnoredAny>(call, None, &retries);
    // The server ends idle statements by itself: not worth the patience that a caller's own request has.
    let outcome = tokio::time::timeout(TELLING_PATIENCE, telling)
        .await
        .unwrap_or_else(|_| Err(Error::not_heard()));
    observe::end(root, &outcome);
}
