//! Submitting a statement and waiting for it.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use activity::{Id, Parent, SpanContext};
use databricks_telemetry::{ErrorCategory, operations, tags as telemetry_tags};
use databricks_wire::Sensitive;
use databricks_wire::sea::{
    self, Compression, Disposition, ExecuteStatementRequest, Format, Parameter, StatementResponse, StatementState,
};
use futures::FutureExt as _;
use reqwest::Method;

use super::background::Lasting;
use super::run::Run;
use super::tags;
use crate::error::{self, Error, ErrorKind, Result};
use crate::http::Call;
use crate::observe;
use crate::options::{self, Settings};
use crate::progress::Progress;

const FIRST_POLL_AFTER: Duration = Duration::from_millis(25);
const POLL_GROWTH: f64 = 1.5;

/// What to execute, and how its result shall come.
#[derive(Clone)]
pub(crate) struct Submission {
    sql: Sensitive<String>,
    parameters: Vec<Parameter>,
    form: ResultForm,
    row_limit: Option<i64>,
    query_tags: Option<String>,
    wait_timeout: Option<String>,
    timeout: Option<Duration>,
    poll_interval_max: Duration,
    progress: Option<Arc<Progress>>,
}

/// The form in which the result of a statement is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResultForm {
    pub(crate) disposition: Disposition,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
}

impl ResultForm {
    pub(crate) fn of(settings: &Settings) -> Self {
        let json = settings.text(options::FORMAT).as_deref() == Some("JSON_ARRAY");
        let disposition = match settings.text(options::DISPOSITION).as_deref() {
            // Documented for JSON, unlike the hybrid one.
            _ if json && !settings.has(options::DISPOSITION) => Disposition::Inline,
            Some("INLINE") => Disposition::Inline,
            Some("EXTERNAL_LINKS") => Disposition::ExternalLinks,
            _ => Disposition::InlineOrExternalLinks,
        };
        let json = json || disposition == Disposition::Inline;
        let plain = json || settings.text(options::COMPRESSION).as_deref() == Some("NONE");
        Self {
            disposition,
            format: if json { Format::JsonArray } else { Format::ArrowStream },
            compression: if plain {
                Compression::None
            } else {
                Compression::Lz4Frame
            },
        }
    }
}

impl Submission {
    pub(crate) fn new(sql: Sensitive<String>, settings: &Settings) -> Self {
        let timeout = settings.seconds(options::STATEMENT_TIMEOUT_S);
        Self {
            sql,
            parameters: Vec::new(),
            form: ResultForm::of(settings),
            row_limit: i64::try_from(settings.integer(options::ROW_LIMIT))
                .ok()
                .filter(|limit| *limit > 0),
            query_tags: settings.text(options::QUERY_TAGS),
            wait_timeout: settings.text(options::WAIT_TIMEOUT).filter(|wait| wait == "0s"),
            timeout: (!timeout.is_zero()).then_some(timeout),
            poll_interval_max: settings.millis(options::POLL_INTERVAL_MAX_MS),
            progress: None,
        }
    }

    pub(crate) fn sql(&self) -> &str {
        self.sql.expose()
    }

    /// For the driver's own questions, whose answers must be whole whatever the caller wants of its queries.
    pub(crate) fn without_row_limit(self) -> Self {
        Self {
            row_limit: None,
            ..self
        }
    }

    /// With a result that stays on the server, to be fetched chunk by chunk from anywhere.
    pub(crate) fn behind_links(self) -> Self {
        Self {
            form: ResultForm {
                disposition: Disposition::ExternalLinks,
                ..self.form
            },
            ..self
        }
    }

    pub(crate) fn with_parameters(self, parameters: Vec<Parameter>) -> Self {
        Self { parameters, ..self }
    }

    /// For a statement of the caller's, who may want to know how far it is.
    pub(crate) fn reporting_to(self, progress: &Arc<Progress>) -> Self {
        Self {
            progress: Some(Arc::clone(progress)),
            ..self
        }
    }

    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        self.progress.clone()
    }

    fn request(&self, run: &Run, disposition: Disposition) -> ExecuteStatementRequest {
        let mut request = ExecuteStatementRequest {
            statement: self.sql.clone(),
            parameters: self.parameters.clone(),
            disposition: Some(disposition),
            format: Some(self.form.format),
            result_compression: (self.form.compression == Compression::Lz4Frame).then_some(self.form.compression),
            // Usually none: a positive one makes hybrid results lose chunks, and "0s" costs a small query one more round trip.
            // The server then waits up to 10 s; a cancel in the meantime is remembered by the run.
            wait_timeout: self.wait_timeout.clone(),
            row_limit: self.row_limit,
            ..ExecuteStatementRequest::default()
        };
        run.session().address(&mut request);
        if let Some(tags) = self.query_tags.as_deref().filter(|tags| !run.session().has_tags(tags)) {
            // They were checked when they were set.
            request.query_tags = tags::parse(tags).unwrap_or_default();
        }
        request
    }
}

/// Submits the statement and waits until the server has its result.
///
/// The answer has state `SUCCEEDED`, or `CLOSED` with the result in it.
///
/// # Errors
/// The server's failure, `Cancelled`, `Timeout`, or that the server could not be reached. In the last case the statement may
/// have run; the message says so.
///
/// # Cancellation
/// When the run is stopped the caller is answered at once. A submission in flight goes on in the background, so that the
/// server can be told to cancel as soon as it says what.
///
/// # Panics
/// Never: what panics in here is an `Internal` error, so that whoever executes gives the run up and ends its record as after any other.
pub(crate) async fn execute(run: &Arc<Run>, submission: Submission, parent: &Parent) -> Result<StatementResponse> {
    let executed = AssertUnwindSafe(executed(run, submission, parent)).catch_unwind().await;
    executed.unwrap_or_else(|_| {
        let error = Error::internal("the execution ended without an answer (it panicked)");
        Err(error.with_statement_id(run.statement_id()))
    })
}

async fn executed(run: &Arc<Run>, submission: Submission, parent: &Parent) -> Result<StatementResponse> {
    let timeout = submission.timeout;
    let poll_interval_max = submission.poll_interval_max;
    let submitting = Lasting::new({
        // Closing the session waits for it: only its answer says what a cancel has to name.
        let permit = run.session().background().permit();
        let run = Arc::clone(run);
        let parent = parent.clone();
        let given_up = run.session().background().given_up();
        async move {
            let child = parent.child(&operations::STATEMENT_SUBMIT);
            let mut answering = pin!(submit(&run, &submission, child.context()));
            tokio::select! {
                answer = &mut answering => {
                    if let Ok(answer) = &answer {
                        if parent.is_recording()
                            && let Ok(id) = Id::new(&answer.statement_id)
                        {
                            parent.merge_set(telemetry_tags::STATEMENT_ID, id);
                        }
                        run.identify(&answer.statement_id);
                    }
                    observe::end(child, &answer);
                    drop((parent, permit));
                    answer
                }
                () = given_up => {
                    // The connection closes. The execution's record leaves with it, without the id; a cancel still finds the server.
                    observe::end(child, &Err::<(), _>(run.stopped().unwrap_or_else(Error::not_heard)));
                    drop((parent, permit));
                    let answer = answering.await;
                    if let Ok(answer) = &answer {
                        run.identify(&answer.statement_id);
                    }
                    answer
                }
            }
        }
    });
    let work = async {
        let answer = submitting.await?;
        if answer.status.state.is_terminal() {
            return Ok(answer);
        }
        // Apart, so that small queries do not carry its state about.
        Box::pin(poll(run, answer, poll_interval_max, parent)).await
    };
    let overdue = async {
        match timeout {
            Some(limit) => {
                tokio::time::sleep(limit).await;
                run.time_out(limit);
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        answer = work => answer.and_then(|answer| accept(run, answer)).map_err(|error| error.with_statement_id(run.statement_id())),
        error = run.stop_requested() => Err(error),
        () = overdue => Err(run.stopped().unwrap_or_else(Error::cancelled)),
    }
}

async fn submit(run: &Run, submission: &Submission, trace: Option<SpanContext>) -> Result<StatementResponse> {
    let hybrid = submission.form.disposition == Disposition::InlineOrExternalLinks;
    let first = if hybrid && run.session().hybrid_refused() {
        Disposition::ExternalLinks
    } else {
        submission.form.disposition
    };
    let refusal = match post(run, &submission.request(run, first), trace).await {
        Err(error) if hybrid && first == submission.form.disposition && error.http_status() == Some(400) => error,
        answer => return answer,
    };
    // A 400 ran nothing, so asking again is safe. If the disposition was not the reason, the second answer is as bad.
    let answer = post(run, &submission.request(run, Disposition::ExternalLinks), trace)
        .await
        // Any other failure speaks for the second request, which may have run.
        .map_err(|second| {
            if second.http_status() == Some(400) {
                refusal
            } else {
                second
            }
        })?;
    run.session().remember_hybrid_refused();
    Ok(answer)
}

async fn post(run: &Run, request: &ExecuteStatementRequest, trace: Option<SpanContext>) -> Result<StatementResponse> {
    if let Some(stopped) = run.stopped() {
        return Err(stopped);
    }
    let (session, trace) = (run.session(), trace.or(run.trace()));
    match submit_once(run, request, trace).await {
        // The server looks for the session before it begins, so nothing was executed yet.
        Err(error) if session.is_lost(&error) => {
            session.reopen(request.session_id.as_deref(), trace).await?;
            if let Some(stopped) = run.stopped() {
                return Err(stopped);
            }
            let mut again = request.clone();
            session.address(&mut again);
            run.move_to(again.session_id.as_deref());
            submit_once(run, &again, trace).await
        }
        answer => answer,
    }
}

async fn submit_once(
    run: &Run,
    request: &ExecuteStatementRequest,
    trace: Option<SpanContext>,
) -> Result<StatementResponse> {
    let call = Call::harmful(&Method::POST, sea::STATEMENTS_PATH).traced(trace);
    let expected = run.session().expect(request.statement.expose());
    // Whoever was told that the statement is cancelled must not find its rows changed by a later attempt.
    let answer = run
        .client()
        .call_unless(call, Some(request), &run.retries, run.stop_requested())
        .await;
    if answer.as_ref().is_err_and(Error::had_no_effect) {
        expected.forget();
    }
    answer
}

async fn poll(
    run: &Run,
    mut answer: StatementResponse,
    interval_max: Duration,
    parent: &Parent,
) -> Result<StatementResponse> {
    let path = sea::statement_path(&answer.statement_id);
    let mut interval = FIRST_POLL_AFTER.min(interval_max);
    while !answer.status.state.is_terminal() {
        if answer.status.state == StatementState::Unknown {
            return Err(Error::internal(
                "the server reports a statement state that this driver does not know",
            ));
        }
        if answer.statement_id.is_empty() {
            return Err(Error::internal(
                "the server accepted the statement without giving it an id",
            ));
        }
        tokio::time::sleep(interval).await;
        interval = interval.mul_f64(POLL_GROWTH).min(interval_max);
        let mut child = parent.child(&operations::STATEMENT_POLL);
        let call = Call::harmless(&Method::GET, &path).traced(child.context().or(run.trace()));
        let next: Result<StatementResponse> = run.client().call(call, None::<&()>, &run.retries).await;
        child.set(telemetry_tags::POLL_COUNT, 1);
        child.set(telemetry_tags::POLL_LATENCY, child.elapsed());
        observe::end(child, &next);
        let next = next?;
        answer = StatementResponse {
            statement_id: answer.statement_id,
            ..next
        };
    }
    Ok(answer)
}

fn accept(run: &Run, answer: StatementResponse) -> Result<StatementResponse> {
    let status = &answer.status;
    match status.state {
        StatementState::Succeeded => Ok(answer),
        StatementState::Closed if answer.manifest.is_some() => {
            run.leave_alone();
            Ok(answer)
        }
        StatementState::Closed => {
            run.fail();
            Err(Error::new(
                ErrorKind::InvalidState,
                ErrorCategory::StatementClosed,
                "the server closed the statement before its result was read",
            ))
        }
        StatementState::Canceled => {
            run.fail();
            Err(Error::new(
                ErrorKind::Cancelled,
                ErrorCategory::ExecuteStatementCancelled,
                "the server cancelled the statement",
            )
            .with_sqlstate("57014"))
        }
        _ => {
            run.fail();
            let error = status.error.as_ref();
            Err(error::from_statement_failure(
                error.and_then(|error| error.error_code.as_deref()),
                error.and_then(|error| error.message.as_deref()),
                status.sql_state.as_deref().or_else(|| error?.sql_state.as_deref()),
            ))
        }
    }
}
