//! `PUT`, `GET` and `REMOVE`: transfers from and to volumes that the server leaves to the client, with a signed link.
//!
//! See <https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-syntax-aux-connector-put-into>. The paths come from the SQL
//! text, so the caller has to allow the local directories.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use activity::{ByteCount, Operation, Parent};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::DataType;
use databricks_telemetry::{ErrorCategory, VolumeOperation, operations, tags};
use databricks_wire::Sensitive;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::place::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Attempt;
use crate::http::retry::{Repeat, jitter};
use crate::http::transfer::local;
use crate::observe;
use crate::options;
use crate::runtime;
use crate::sea::run::Run;

/// What the server asks the client to do.
pub(super) struct Transfer {
    kind: VolumeOperation,
    url: Url,
    headers: HeaderMap,
    local_file: Option<PathBuf>,
}

impl Transfer {
    /// Reads the result's one row: `operation`, `presignedUrl`, `headers` (as JSON) and `localFile`.
    ///
    /// # Errors
    /// `Internal` when it is something else.
    pub(super) fn read(row: &RecordBatch) -> Result<Self> {
        let cell = |name: &str| -> Option<String> {
            let schema = row.schema();
            let place = schema
                .fields()
                .iter()
                .position(|field| field.name().eq_ignore_ascii_case(name))?;
            let column = arrow_cast::cast(row.column(place), &DataType::Utf8).ok()?;
            let column = column.as_string::<i32>();
            (!column.is_empty() && column.is_valid(0)).then(|| column.value(0).to_owned())
        };
        let broken = |what: &str| Error::result_set(format!("the server asked for a transfer with {what}"));
        let kind = match cell("operation").unwrap_or_default().to_ascii_uppercase().as_str() {
            "PUT" => VolumeOperation::Put,
            "GET" => VolumeOperation::Get,
            "REMOVE" => VolumeOperation::Delete,
            _ => return Err(broken("an operation that this driver does not know")),
        };
        let url = cell("presignedUrl").and_then(|url| Url::parse(&url).ok());
        let mut headers = HeaderMap::new();
        let given: BTreeMap<String, Sensitive<String>> = match cell("headers").filter(|text| !text.is_empty()) {
            Some(json) => serde_json::from_str(&json).map_err(|_| broken("malformed headers"))?,
            None => BTreeMap::new(),
        };
        for (name, value) in &given {
            let name = HeaderName::try_from(name).map_err(|_| broken("a malformed header"))?;
            let mut value = HeaderValue::try_from(value.expose()).map_err(|_| broken("a malformed header"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self {
            kind,
            url: url.ok_or_else(|| broken("no usable link"))?,
            headers,
            local_file: cell("localFile").filter(|path| !path.is_empty()).map(PathBuf::from),
        })
    }

    pub(super) fn kind(&self) -> VolumeOperation {
        self.kind
    }

    /// Carries it out.
    ///
    /// # Errors
    /// `InvalidState` when the local directory is not allowed; that the local file or storage fails; `Cancelled`.
    ///
    /// # Blocking
    /// Until it is done, or the run is stopped.
    pub(super) fn perform(self, run: &Arc<Run>, allowed_paths: Option<&str>, parent: Parent) -> Result<RecordBatch> {
        let local = match self.kind {
            VolumeOperation::Delete => None,
            _ => Some(self.place(allowed_paths)?),
        };
        let run = Arc::clone(run);
        let permit = run.session().background().permit();
        runtime::wait(async move {
            let outcome = tokio::select! {
                biased;
                error = run.stop_requested() => Err(error),
                done = self.carry_out(&run, local, &parent) => done,
            };
            drop((parent, permit));
            outcome
        })?;
        let status: ArrayRef = Arc::new(StringArray::from(vec!["SUCCEEDED"]));
        RecordBatch::try_from_iter([("operation_status", status)]).map_err(Error::out_of)
    }

    /// Where the local file is or will be, if that is in an allowed directory.
    fn place(&self, allowed_paths: Option<&str>) -> Result<Place> {
        let refused = |message: String| Error::new(ErrorKind::InvalidState, ErrorCategory::InvalidRequest, message);
        let key = options::ALLOWED_LOCAL_PATHS;
        let Some(allowed_paths) = allowed_paths else {
            return Err(refused(format!(
                "PUT and GET need the option '{key}': the local directories that files may be read from and written to"
            )));
        };
        let directories = allowed_paths.split(',').map(str::trim).filter(|path| !path.is_empty());
        let allowed: Vec<PathBuf> = directories.map(PathBuf::from).collect();
        let Some(path) = &self.local_file else {
            return Err(Error::result_set(
                "the server asked for a transfer without a local file",
            ));
        };
        let place = match self.kind {
            VolumeOperation::Put => Place::of_file(path, &allowed),
            _ => Place::of_new_file(path, &allowed),
        };
        place.map_err(|error| local(&error))?.ok_or_else(|| {
            refused(format!(
                "the local path is in none of the directories that option '{key}' allows"
            ))
        })
    }

    async fn carry_out(&self, run: &Run, place: Option<Place>, parent: &Parent) -> Result<()> {
        let started = Instant::now();
        let mut retries = 0;
        loop {
            let mut child = parent.child(self.operation());
            let outcome = self.attempt(run, place.as_ref()).await;
            let attempt = match outcome {
                Ok(bytes) => {
                    child.set(tags::VOLUME_BYTES, ByteCount(bytes));
                    child.end();
                    return Ok(());
                }
                Err(attempt) => attempt,
            };
            observe::fail(&mut child, &attempt.error);
            child.end();
            let wait = run.client().policy().next_wait(
                Repeat::Harmless,
                attempt.failure,
                attempt.retry_after,
                retries,
                started.elapsed(),
                jitter(),
            );
            let Some(wait) = wait else {
                return Err(attempt.error.context("the file could not be transferred"));
            };
            retries += 1;
            run.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(wait).await;
        }
    }

    fn operation(&self) -> &'static Operation {
        match self.kind {
            VolumeOperation::Put => &operations::VOLUME_PUT,
            VolumeOperation::Delete => &operations::VOLUME_REMOVE,
            _ => &operations::VOLUME_GET,
        }
    }

    /// One attempt; how many bytes were transferred.
    async fn attempt(&self, run: &Run, place: Option<&Place>) -> Result<u64, Attempt> {
        let (client, url, headers) = (run.client(), self.url.clone(), self.headers.clone());
        let unusable = |error: io::Error| Attempt::fatal(local(&error));
        match (self.kind, place) {
            (VolumeOperation::Put, Some(place)) => {
                let file = place.open().map_err(unusable)?;
                let about = file.metadata().map_err(unusable)?;
                if !about.is_file() {
                    return Err(unusable(io::Error::other("it is no file")));
                }
                client.put_file(url, headers, file, about.len()).await?;
                Ok(about.len())
            }
            (VolumeOperation::Get, Some(place)) => {
                let (draft, file) = place.draft().map_err(unusable)?;
                let bytes = client.get_file(url, headers, file).await?;
                draft.publish().map_err(unusable)?;
                Ok(bytes)
            }
            _ => client.delete_file(url, headers).await.map(|()| 0),
        }
    }
}
