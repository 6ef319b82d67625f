//! Traces as OpenTelemetry spans, sent to a collector by OTLP over HTTP.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use activity::Listener;
use activity_bridge::OtelListener;
use activity_bridge::otlp::{Pipeline, Post, SdkTracer};
use databricks_telemetry::{DRIVER_NAME, ErrorCategory};
use opentelemetry::KeyValue;
use reqwest::redirect;

use super::FLUSH_DEADLINE;
use crate::error::{Error, ErrorKind, Result};
use crate::http::tls;
use crate::{options, runtime};

/// The longest answer of a collector that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The way to the collector.
pub(super) struct Spans {
    pipeline: Pipeline,
    listener: Arc<OtelListener<SdkTracer>>,
}

impl Spans {
    /// # Errors
    /// `InvalidArgument` when the `OTEL_EXPORTER_OTLP_*` variables ask for what cannot be had.
    pub(super) fn start(text: bool) -> Result<(Self, Arc<dyn Listener>)> {
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .tls_backend_preconfigured(tls::system()?)
            .build()
            .map_err(|_| Error::internal("the HTTP client for traces could not be built"))?;
        let pipeline = Pipeline::start(DRIVER_NAME, Collector { client }).map_err(|error| {
            let message = format!("option '{}' = otlp: {error}", options::TRACES_EXPORTER);
            Error::new(ErrorKind::InvalidArgument, ErrorCategory::InvalidRequest, message)
        })?;
        let listener = OtelListener::new(pipeline.tracer(DRIVER_NAME))
            .with_text(text)
            .with_attribute_names(attribute_name)
            .with_common_attributes([KeyValue::new("db.system.name", "databricks")]);
        let listener = Arc::new(listener);
        let spans = Self {
            pipeline,
            listener: Arc::clone(&listener),
        };
        Ok((spans, listener))
    }

    pub(super) fn flush(&self, deadline: Duration) -> bool {
        self.pipeline.flush(deadline)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.listener.dropped().saturating_add(self.pipeline.dropped())
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        // What is not sent by then is lost, like everything of a process that ends.
        self.pipeline.shut_down(FLUSH_DEADLINE);
    }
}

/// The name that OpenTelemetry's semantic conventions (1.36, database client and HTTP) have for a tag; else its own, in a
/// namespace of ours.
fn attribute_name(tag: &'static str) -> Cow<'static, str> {
    match tag {
        "db.statement" => Cow::Borrowed("db.query.text"),
        "result.rows" => Cow::Borrowed("db.response.returned_rows"),
        "http.retry_count" => Cow::Borrowed("http.request.resend_count"),
        "error.type" | "http.response.status_code" | "server.address" => Cow::Borrowed(tag),
        other => Cow::Owned(format!("databricks.{other}")),
    }
}

/// Requests to the collector, on the driver's runtime. They carry nothing of the workspace's.
struct Collector {
    client: reqwest::Client,
}

impl Post for Collector {
    fn post(
        &self,
        url: &str,
        headers: &[(&str, &[u8])],
        body: Vec<u8>,
        timeout: Duration,
    ) -> std::result::Result<(u16, Vec<u8>), Box<dyn StdError + Send + Sync>> {
        let mut request = self.client.post(url).timeout(timeout).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let exchange = async move {
            let lost = |_| {
                Error::new(
                    ErrorKind::Io,
                    ErrorCategory::ConnectionError,
                    "the collector did not answer",
                )
            };
            let mut answer = request.send().await.map_err(lost)?;
            let status = answer.status().as_u16();
            let mut body = Vec::new();
            while let Some(part) = answer.chunk().await.map_err(lost)? {
                if body.len() + part.len() > MAX_ANSWER_BYTES {
                    return Err(Error::internal("the collector's answer is too long"));
                }
                body.extend_from_slice(&part);
            }
            Ok((status, body))
        };
        Ok(runtime::wait(exchange)?)
    }
}

#[cfg(test)]
mod tests {
    use activity::Source;
    use databricks_telemetry::operations;

    use super::*;

    /// A source of this test's own: what others do at the driver's is not counted here.
    static MANY: Source = Source::new("many", &databricks_telemetry::tags::TABLE);

    #[test]
    fn activities_beyond_the_open_spans_are_counted() {
        let (spans, listener) = Spans::start(false).unwrap();
        let registration = MANY.register(listener);
        let shown: Vec<_> = (0..16_384)
            .map(|_| MANY.start(&operations::STATEMENT_EXECUTE))
            .collect();
        assert_eq!(spans.dropped(), 0);
        let hidden = MANY.start(&operations::STATEMENT_EXECUTE);
        hidden.parent_handle().child(&operations::STATEMENT_POLL).end();
        assert_eq!(spans.dropped(), 2, "one, and the one below it");
        drop((hidden, registration, shown));
    }

    #[test]
    fn tags_that_conventions_know_have_their_names() {
        assert_eq!(attribute_name("db.statement"), "db.query.text");
        assert_eq!(attribute_name("poll.count"), "databricks.poll.count");
    }
}
