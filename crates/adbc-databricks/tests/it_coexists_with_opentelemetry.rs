//! An application with an OpenTelemetry SDK and a `tracing` subscriber of its own uses the driver, with telemetry and traces on:
//! what is the application's stays as it was. If it asks, it sees the driver's spans in its own traces, sampled by its own sampler.

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use activity_bridge::{ActivityIds, OtelListener};
use adbc_core::sync::Statement as _;
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SamplingResult, SdkTracerProvider, ShouldSample, SpanData, SpanExporter};
use support::{Request, Server, cloud, is_storage, numbers, query, statement, telemetry_of, trace_lines};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};

/// The application's exporter: keeps what it is given.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Kept {
    fn take(&self) -> Vec<SpanData> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The application's sampler: keeps the names that it was asked about.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl ShouldSample for Asked {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        self.0.lock().unwrap().push(name.to_owned());
        let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// The application's subscriber: keeps the targets of what it is told.
#[derive(Clone, Default)]
struct Targets(Arc<Mutex<Vec<String>>>);

impl<S: tracing_subscriber::registry::LookupSpan<'static> + tracing_core::Subscriber> Layer<S> for Targets {
    fn on_new_span(
        &self,
        attributes: &tracing_core::span::Attributes<'_>,
        _: &tracing_core::span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        self.0.lock().unwrap().push(attributes.metadata().target().to_owned());
    }

    fn on_event(&self, event: &tracing_core::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.lock().unwrap().push(event.metadata().target().to_owned());
    }
}

struct Application {
    provider: SdkTracerProvider,
    kept: Kept,
    asked: Asked,
}

impl Application {
    fn new() -> Self {
        let (kept, asked) = (Kept::default(), Asked::default());
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(kept.clone())
            .with_sampler(asked.clone())
            .with_id_generator(ActivityIds::new())
            .build();
        Self { provider, kept, asked }
    }

    /// Works below a span of its own; gives back that span.
    fn work<R>(&self, work: impl FnOnce() -> R) -> (SpanContext, R) {
        let span = self.provider.tracer("application").start("work");
        let context = Context::current_with_span(span);
        let span = context.span().span_context().clone();
        let attached = context.attach();
        let result = work();
        assert_eq!(
            Context::current().span().span_context(),
            &span,
            "the current span is another one"
        );
        drop(attached);
        (span, result)
    }
}

fn executes(server: &Server) -> Vec<Request> {
    server.requests().into_iter().filter(Request::is_execute).collect()
}

/// One test, because it is about the state of the whole process.
#[test]
fn it_coexists_with_opentelemetry() {
    let application = Application::new();
    opentelemetry::global::set_tracer_provider(application.provider.clone());
    let targets = Targets::default();
    let subscriber = tracing_subscriber::registry().with(targets.clone());
    tracing_core::dispatcher::set_global_default(tracing_core::Dispatch::new(subscriber)).unwrap();

    let server = Server::start(|request, port| cloud(request, port, 3, 5));
    let folder = tempfile::tempdir().unwrap();
    let options = [
        ("forceEnableTelemetry", "true"),
        ("adbc.telemetry.traces_exporter", "adbcfile"),
        ("adbc.telemetry.traces_folder_path", folder.path().to_str().unwrap()),
    ];
    let (work, ()) = application.work(|| {
        let mut connection = server.connect_with(&options);
        assert_eq!(query(&mut connection).unwrap().len(), 15);
    });

    // The application's provider made, sampled and exported its own span and nothing else; it still is the global one.
    let spans = application.kept.take();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].name, "work");
    assert_eq!(*application.asked.0.lock().unwrap(), ["work"]);
    opentelemetry::global::tracer("application").in_span("more work", |_| {});
    assert_eq!(application.kept.take()[0].name, "more work");
    // Its subscriber heard of no span and no event of the driver's. (Libraries below may log, as they do for everybody.)
    for target in targets.0.lock().unwrap().iter() {
        assert!(
            !target.starts_with("activity") && !target.contains("databricks"),
            "{target}"
        );
    }
    // And both of the driver's own ways had all they should: one record of telemetry, and files.
    assert_eq!(telemetry_of(&server, "EXECUTE_STATEMENT").len(), 1);
    let lines = trace_lines(folder.path());
    let execution = lines.iter().find(|line| line["name"] == "Statement.Execute").unwrap();
    // The correlation id is the application's: in the files, and at the workspace.
    assert_eq!(execution["trace_id"], work.trace_id().to_string());
    assert_eq!(execution["parent_span_id"], work.span_id().to_string());
    assert_eq!(
        executes(&server)[0].headers["traceparent"][3..35],
        work.trace_id().to_string()
    );

    it_shows_the_drivers_spans_if_asked(&application);
    what_the_application_does_not_sample_stays_unsampled(&application);
}

fn it_shows_the_drivers_spans_if_asked(application: &Application) {
    let server = Server::start(|request, port| cloud(request, port, 3, 5));
    let listener = Arc::new(OtelListener::new(application.provider.tracer("adbc")));
    let registration = adbc_databricks::SOURCE.register(Arc::clone(&listener) as _);
    let (work, ()) = application.work(|| {
        let mut connection = server.connect();
        let reader = statement(&mut connection, "SELECT").execute().unwrap();
        // Read on another thread, where nothing is current.
        let rows = std::thread::spawn(move || numbers(reader).unwrap().len());
        assert_eq!(rows.join().unwrap(), 15);
    });
    drop(registration);
    assert_eq!(listener.dropped(), 0);

    let spans = application.kept.take();
    let by_id: HashMap<SpanId, &SpanData> = spans.iter().map(|span| (span.span_context.span_id(), span)).collect();
    assert_eq!(by_id.len(), spans.len());
    let execution = spans.iter().find(|span| span.name == "Statement.Execute").unwrap();
    assert_eq!(execution.parent_span_id, work.span_id());
    assert!(
        !execution.parent_span_is_remote,
        "the application's span is in this process"
    );
    assert_eq!(
        spans
            .iter()
            .find(|span| span.name == "Connection.Open")
            .unwrap()
            .parent_span_id,
        work.span_id()
    );
    let mut below = 0;
    for span in spans
        .iter()
        .filter(|span| span.span_kind == SpanKind::Internal && span.name != "work")
    {
        assert_eq!(span.span_context.trace_id(), work.trace_id(), "{}", span.name);
        assert!(by_id.contains_key(&span.parent_span_id), "{} has no parent", span.name);
        below += 1;
    }
    assert_eq!(below, 1 + 2 + 3 + 3, "submit, links, downloads, decodings");

    // With the ids of activities in the provider, the workspace was told ids that this trace has.
    for request in server.requests().iter().filter(|request| !is_storage(request)) {
        let sent = &request.headers["traceparent"];
        let span = SpanId::from_hex(&sent[36..52]).unwrap();
        assert!(by_id.contains_key(&span), "{} {}: {sent}", request.method, request.path);
        assert_eq!(by_id[&span].span_context.trace_id().to_string(), sent[3..35]);
    }
}

fn what_the_application_does_not_sample_stays_unsampled(application: &Application) {
    let server = Server::start(|request, port| cloud(request, port, 3, 5));
    let listener = Arc::new(OtelListener::new(application.provider.tracer("adbc")));
    let registration = adbc_databricks::SOURCE.register(listener as _);
    let unsampled = SpanContext::new(
        TraceId::from(7),
        SpanId::from(8),
        TraceFlags::NOT_SAMPLED,
        false,
        TraceState::default(),
    );
    let attached = Context::new().with_remote_span_context(unsampled).attach();
    let mut connection = server.connect();
    assert_eq!(query(&mut connection).unwrap().len(), 15);
    drop(attached);
    drop(registration);
    drop(connection);
    let of_the_trace = |span: &SpanData| span.span_context.trace_id() == TraceId::from(7);
    assert!(
        !application.kept.take().iter().any(of_the_trace),
        "the caller's decision was overruled"
    );
    for request in executes(&server) {
        assert!(request.headers["traceparent"].ends_with("-00"));
    }
}
