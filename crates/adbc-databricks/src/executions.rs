use std::sync::Arc;

use databricks_wire::sea::Parameter;

use crate::cancel::{Calling, CancelHandle};
use crate::error::Result;
use crate::observe::Purpose;
use crate::options::Settings;
use crate::sea::execute::Submission;
use crate::sea::session::OpenSession;
use crate::sea::statement::{Outcome, perform};

/// The parameters of each execution.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Vec<Parameter>>> + Send>;

/// The executions of a statement, each made when it is asked for. Owns what it needs, as readers do.
pub(crate) struct Executions {
    rows: Rows,
    settings: Settings,
    session: Arc<OpenSession>,
    submission: Submission,
    purpose: Purpose,
    cancel: CancelHandle,
    /// A cancel between two executions is for the next one.
    _calling: Calling,
}

impl Executions {
    /// Executions that a cancel acts on one after the other.
    pub(crate) fn new(
        rows: Rows,
        session: &Arc<OpenSession>,
        settings: &Settings,
        submission: Submission,
        purpose: Purpose,
        cancel: &CancelHandle,
    ) -> Self {
        let (cancel, calling) = cancel.series();
        Self {
            rows,
            settings: settings.clone(),
            session: Arc::clone(session),
            submission,
            purpose,
            cancel,
            _calling: calling,
        }
    }
}

impl Iterator for Executions {
    type Item = Result<Outcome>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(row) = self.rows.next() else {
            // The last result was read to its end.
            if let Some(progress) = self.submission.progress() {
                progress.complete();
            }
            return None;
        };
        Some(row.and_then(|parameters| {
            // What is known to be unwanted is not submitted at all.
            self.cancel.check()?;
            let submission = self.submission.clone().with_parameters(parameters);
            perform(&self.session, &self.settings, submission, self.purpose, &self.cancel)
        }))
    }
}
