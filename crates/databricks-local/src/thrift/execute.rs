//! `ExecuteStatement`, and what every call that starts an operation does after it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use databricks_wire::sea::{Disposition, ExecuteStatementRequest, Format, Parameter};

use super::read::{Fields, Malformed};
use super::session::session_of;
use super::status::{Failed, success};
use super::write::Struct;
use super::{Answer, Call, operation, rows};
use crate::engine::EngineSession;
use crate::result::native::Natives;
use crate::statement::reading::{Form, Most, Reading, Start};
use crate::statement::request::Limits;
use crate::statement::run::{self, Origin, Sent};
use crate::statement::{Phase, Plan, Shape, Statement};

/// How long a call waits for a result that could go with its answer.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The type of an operation that `ExecuteStatement` starts.
const EXECUTE_STATEMENT: i32 = 0;

/// An operation that a client asks for.
pub(super) struct Ask {
    /// `TOperationType`
    pub(super) operation: i32,
    pub(super) sql: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) confs: BTreeMap<String, String>,
    pub(super) limits: Limits,
    pub(super) timeout: Option<Duration>,
    pub(super) form: Form,
    pub(super) links: bool,
    pub(super) delivery: Delivery,
}

/// What comes with the answer.
pub(super) enum Delivery {
    /// The first rows, if the operation is done soon.
    Direct(Most),
    /// The handle, when the operation is done.
    WhenDone,
    /// The handle, at once.
    AtOnce,
}

impl Delivery {
    /// What a request says in `getDirectResults` and `runAsync`.
    pub(super) fn of(request: &Fields<'_>, run_async: i16) -> Result<Self, Malformed> {
        Ok(match request.optional_structure(1281)? {
            Some(direct) => Self::Direct(rows::most(direct.limit(1), direct.limit(2))),
            None if request.bool(run_async) => Self::AtOnce,
            None => Self::WhenDone,
        })
    }
}

/// `ExecuteStatement`
pub(super) async fn statement(call: &Call<'_>, request: &Fields<'_>) -> Answer {
    let (session_id, session) = session_of(call, request)?;
    let sql = request.text(2)?.ok_or(Malformed("the request has no statement"))?;
    let reads_arrow = request.bool(1282);
    let natives = request.structure(1286)?;
    let form = match reads_arrow {
        true => Form::Arrow {
            natives: Natives {
                timestamps: natives.bool(1),
                decimals: natives.bool(2),
                complex: natives.bool(3),
                intervals: natives.bool(4),
                nulls: natives.bool(5),
            },
            lz4: request.bool(1284),
        },
        false => Form::Columns,
    };
    let ask = Ask {
        operation: EXECUTE_STATEMENT,
        sql: sql.to_owned(),
        parameters: parameters(request)?,
        confs: request.text_map(3)?,
        limits: Limits {
            rows: request.limit(1287),
            bytes: None,
        },
        timeout: request.limit(5).map(Duration::from_secs),
        form,
        links: reads_arrow && request.bool(1283),
        delivery: Delivery::of(request, 4)?,
    };
    submit(call, session_id, session, ask).await
}

/// `TSparkParameter`s. Those without a name stand for the `?` of their place: what a client writes into `ordinal` may be a flag.
fn parameters(request: &Fields<'_>) -> Result<Vec<Parameter>, Malformed> {
    let mut parameters = Vec::new();
    for parameter in request.structures(1288)? {
        let value = parameter.structure(4)?;
        let text = match (value.text(1)?, value.double(2)) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(number)) => Some(number.to_string()),
            (None, None) => value.optional_bool(3).map(|truth| truth.to_string()),
        };
        parameters.push(Parameter {
            name: parameter.text(2)?.map(str::to_owned),
            ordinal: None,
            type_text: parameter.text(3)?.map(str::to_owned),
            value: text.map(Into::into),
        });
    }
    Ok(parameters)
}

/// Starts an operation, and answers with its handle and what can go with it.
pub(super) async fn submit(call: &Call<'_>, session_id: String, session: Arc<EngineSession>, ask: Ask) -> Answer {
    let shape = shape(ask.form, ask.links);
    let statement = Arc::new(Statement::new(shape, Some(Reading::new(session_id, ask.form))));
    call.state.statements.insert(Arc::clone(&statement))?;
    let plan = Plan {
        shape,
        limits: ask.limits,
        timeout: ask.timeout,
        wait: FIRST_WAIT,
        cancel_after_wait: false,
    };
    let request = ExecuteStatementRequest {
        statement: ask.sql.into(),
        parameters: ask.parameters,
        ..ExecuteStatementRequest::default()
    };
    let sent = Sent {
        request,
        confs: ask.confs,
        base_url: Arc::clone(&call.base_url.0),
    };
    run::start(call.state, &statement, Origin::Session(session), sent, &plan);
    match ask.delivery {
        // When it takes longer, the client asks again.
        Delivery::Direct(_) => drop(tokio::time::timeout(FIRST_WAIT, statement.ended()).await),
        Delivery::WhenDone => statement.ended().await,
        Delivery::AtOnce => {}
    }
    let phase = statement.phase();
    let handle = operation::handle(&statement.id, &phase, ask.operation);
    let direct = match ask.delivery {
        Delivery::Direct(most) => direct_results(call, &statement, phase, most).await?,
        Delivery::WhenDone | Delivery::AtOnce => None,
    };
    Ok(success()
        .structure(2, handle)
        .when(direct, |response, direct| response.structure(1281, direct)))
}

/// Where the result is, and how it is kept. Rows that are fetched are compressed when they are sent.
fn shape(form: Form, links: bool) -> Shape {
    let lz4 = matches!(form, Form::Arrow { lz4: true, .. });
    Shape {
        disposition: if links {
            Disposition::InlineOrExternalLinks
        } else {
            Disposition::Inline
        },
        format: Format::ArrowStream,
        lz4: lz4 && links,
    }
}

/// `TSparkDirectResults`: all that a client would ask for next. `None` while the operation goes on.
async fn direct_results(
    call: &Call<'_>,
    statement: &Arc<Statement>,
    phase: Phase,
    most: Most,
) -> Result<Option<Struct>, Failed> {
    let direct = Struct::default().structure(1, operation::status_of(&phase));
    let outcome = match phase {
        Phase::Pending | Phase::Running => return Ok(None),
        Phase::Succeeded(outcome) => outcome,
        Phase::Failed(_) | Phase::Canceled | Phase::Closed => return Ok(Some(direct)),
    };
    let (answer, has_more) = rows::turn(call, statement, &outcome, Start::Next, most).await?;
    let direct = direct
        .structure(2, rows::metadata_of(statement, &outcome)?)
        .structure(3, answer);
    if has_more || !outcome.is_inline {
        // What is behind links lives as long as the operation.
        return Ok(Some(direct));
    }
    statement.advance(Phase::Closed);
    Ok(Some(direct.structure(4, success())))
}
