//! A tracer provider that sends to an OTLP endpoint, over HTTP and as protobuf.

use std::env;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
pub use opentelemetry_sdk::trace::SdkTracer;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanProcessor};

use crate::otel_ids::ActivityIds;

/// The most spans that wait to be sent.
const MAX_QUEUED: u64 = 2048;
/// How long one export may take unless the environment says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How spans get to the collector: one HTTP request, made on the pipeline's own thread.
pub trait Post: Send + Sync + 'static {
    /// Sends `body` to `url` with these headers; gives back the status and the body of the answer.
    ///
    /// # Errors
    /// There was no answer within `timeout`.
    ///
    /// # Blocking
    /// At most `timeout`.
    fn post(
        &self,
        url: &str,
        headers: &[(&str, &[u8])],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(u16, Vec<u8>), Box<dyn std::error::Error + Send + Sync>>;
}

/// A tracer provider of its own, which batches and sends; nothing global is installed.
///
/// Where to and what with say the variables of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT` and
/// `_PROTOCOL` (`http/protobuf` only) and the same with `OTEL_EXPORTER_OTLP_TRACES_`; `OTEL_SERVICE_NAME`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`. Spans have the ids of their activities.
///
/// At most 2,048 spans wait. Those beyond, and those that the collector did not take, are [counted](Pipeline::dropped).
pub struct Pipeline {
    provider: SdkTracerProvider,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicU64,
    dropped: AtomicU64,
}

impl Pipeline {
    /// Starts the thread that sends. The service is called `service_name` unless the environment names it.
    ///
    /// # Errors
    /// The environment asks for something that cannot be had, such as gRPC or a malformed endpoint.
    pub fn start(service_name: &'static str, post: impl Post) -> Result<Pipeline, OtlpError> {
        check_protocol()?;
        let client = Client {
            post: Arc::new(post),
            timeout: timeout(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(|error| OtlpError(error.to_string()))?;
        let counts = Arc::<Counts>::default();
        let config =
            BatchConfigBuilder::default().with_max_queue_size(usize::try_from(MAX_QUEUED).unwrap_or(usize::MAX));
        let counted = Counted {
            exporter,
            counts: Arc::clone(&counts),
        };
        let processor = Bounded {
            batch: BatchSpanProcessor::builder(counted)
                .with_batch_config(config.build())
                .build(),
            counts: Arc::clone(&counts),
        };
        let provider = SdkTracerProvider::builder()
            .with_id_generator(ActivityIds::new())
            .with_resource(resource(service_name))
            .with_span_processor(processor)
            .build();
        Ok(Pipeline { provider, counts })
    }

    /// A tracer for an [`OtelListener`](crate::OtelListener).
    pub fn tracer(&self, scope: &'static str) -> SdkTracer {
        self.provider.tracer(scope)
    }

    /// Waits until every span that has ended is sent; says whether that was so in time.
    pub fn flush(&self, deadline: Duration) -> bool {
        // The provider's own flush waits for as long as it likes.
        let (done, over) = mpsc::sync_channel(1);
        let provider = self.provider.clone();
        let flushing = thread::Builder::new()
            .name("activity-otlp-flush".into())
            .spawn(move || {
                // Nobody may be waiting any more.
                let _ = done.send(provider.force_flush().is_ok());
            });
        flushing.is_ok() && over.recv_timeout(deadline).unwrap_or(false)
    }

    /// Sends what waits and ends the thread; says whether that was so in time.
    pub fn shut_down(&self, deadline: Duration) -> bool {
        self.provider.shutdown_with_timeout(deadline).is_ok()
    }

    /// Spans that were not sent because too many waited, or that the collector did not take.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the provider: the exporter's headers hold credentials.
        f.debug_struct("Pipeline")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// Says what of the environment cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpError(String);

impl fmt::Display for OtlpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OtlpError {}

/// A variable for traces, else the one for all signals, with its name.
fn variable(name: &str) -> Option<(String, String)> {
    [
        format!("OTEL_EXPORTER_OTLP_TRACES_{name}"),
        format!("OTEL_EXPORTER_OTLP_{name}"),
    ]
    .into_iter()
    .find_map(|name| Some((env::var(&name).ok().filter(|value| !value.trim().is_empty())?, name)))
}

fn check_protocol() -> Result<(), OtlpError> {
    match variable("PROTOCOL") {
        Some((protocol, name)) if protocol.trim() != "http/protobuf" => Err(OtlpError(format!(
            "{name}={protocol} is not supported: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf, and \
             OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to the collector's address for it (port 4318 by default)"
        ))),
        _ => Ok(()),
    }
}

fn timeout() -> Duration {
    let millis = variable("TIMEOUT").and_then(|(millis, _)| millis.trim().parse().ok());
    millis.map_or(DEFAULT_TIMEOUT, Duration::from_millis)
}

fn resource(service_name: &'static str) -> Resource {
    let is_set = |name, has: fn(&str) -> bool| env::var(name).is_ok_and(|value| has(&value));
    let named = is_set("OTEL_SERVICE_NAME", |name| !name.is_empty())
        || is_set("OTEL_RESOURCE_ATTRIBUTES", |list| list.contains("service.name="));
    let resource = Resource::builder();
    if named {
        resource
    } else {
        resource.with_service_name(service_name)
    }
    .build()
}

/// The application's HTTP client as the exporter wants it. Called on the batch processor's own thread, which may wait.
struct Client {
    post: Arc<dyn Post>,
    timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let headers: Vec<_> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let answer = self
            .post
            .post(&parts.uri.to_string(), &headers, body.to_vec(), self.timeout);
        let (status, body) = answer?;
        Ok(Response::builder().status(status).body(body.into())?)
    }
}

/// Counts what the exporter is given, and what becomes of it.
#[derive(Debug)]
struct Counted {
    exporter: SpanExporter,
    counts: Arc<Counts>,
}

impl opentelemetry_sdk::trace::SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let outcome = self.exporter.export(batch).await;
        if outcome.is_err() {
            self.counts.dropped.fetch_add(spans, Ordering::Relaxed);
        }
        self.counts.waiting.fetch_sub(spans, Ordering::Relaxed);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Takes no more spans than the batch processor holds, and counts the others.
#[derive(Debug)]
struct Bounded {
    batch: BatchSpanProcessor,
    counts: Arc<Counts>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, context: &Context) {
        self.batch.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.counts.waiting.fetch_add(1, Ordering::Relaxed) < MAX_QUEUED {
            self.batch.on_end(span);
        } else {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batch.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batch.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batch.set_resource(resource);
    }
}
