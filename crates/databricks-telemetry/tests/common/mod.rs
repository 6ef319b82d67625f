//! A workspace for tests: takes what the worker posts, answers as told, and lets the test wait for it.

#![allow(dead_code, unreachable_pub)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use databricks_telemetry::enable::Environment;
use databricks_telemetry::{
    Auth, Config, ConnectionFacts, FlagOutcome, FlagRequest, Identity, Lease, Outcome, Telemetry, TelemetryPost,
    Transport,
};
use databricks_wire::telemetry::{DriverLog, FrontendLog, TelemetryRequest};

/// Longer than anything takes; a test that waits as long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One request that reached the workspace.
#[derive(Clone, Debug)]
pub struct Post {
    pub path: &'static str,
    pub authenticated: bool,
    pub body: String,
}

impl Post {
    pub fn logs(&self) -> Vec<FrontendLog<'static>> {
        let request: TelemetryRequest = serde_json::from_str(&self.body).expect("a telemetry request");
        request
            .proto_logs
            .iter()
            .map(|log| serde_json::from_str(log).expect("a frontend log"))
            .collect()
    }
}

/// A workspace.
#[derive(Default)]
pub struct Workspace {
    posts: Mutex<Vec<Post>>,
    arrived: Condvar,
    /// The answers to the next requests; then everything is delivered.
    answers: Mutex<VecDeque<Outcome>>,
    /// The answer once there are no more `answers`.
    always: Mutex<Option<Outcome>>,
    /// What the flag request is answered with; unanswered without.
    flags: Mutex<Option<FlagOutcome>>,
    pub flag_requests: AtomicUsize,
    anonymous: AtomicBool,
    /// While it is shut, requests hang; see [`Gate`].
    pub gate: Gate,
    panics: AtomicBool,
}

impl Workspace {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn answer(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.answers.lock().unwrap().extend(outcomes);
    }

    pub fn always(&self, outcome: Outcome) {
        *self.always.lock().unwrap() = Some(outcome);
    }

    pub fn flag(&self, outcome: FlagOutcome) {
        *self.flags.lock().unwrap() = Some(outcome);
    }

    pub fn without_credentials(&self) {
        self.anonymous.store(true, Ordering::SeqCst);
    }

    pub fn panic(&self, panics: bool) {
        self.panics.store(panics, Ordering::SeqCst);
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// Waits until `count` requests have come.
    pub fn wait_for_posts(&self, count: usize) -> Vec<Post> {
        let posts = self.posts.lock().unwrap();
        let (posts, timeout) = self
            .arrived
            .wait_timeout_while(posts, PATIENCE, |posts| posts.len() < count)
            .unwrap();
        assert!(!timeout.timed_out(), "{} requests came, not {count}", posts.len());
        posts.clone()
    }

    /// All entries that came so far.
    pub fn logs(&self) -> Vec<FrontendLog<'static>> {
        self.posts().iter().flat_map(Post::logs).collect()
    }

    pub fn driver_logs(&self) -> Vec<DriverLog<'static>> {
        self.logs().into_iter().map(|log| log.entry.sql_driver_log).collect()
    }
}

impl Transport for Workspace {
    fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
        assert!(activity::is_suppressed(), "telemetry's own requests are not recorded");
        self.posts.lock().unwrap().push(Post {
            path: post.path,
            authenticated: post.authenticated,
            body: post.body.to_owned(),
        });
        self.arrived.notify_all();
        if self.panics.load(Ordering::SeqCst) {
            // Unwinds without the message that a panic would print.
            std::panic::resume_unwind(Box::new("the transport panics"));
        }
        self.gate.pass();
        let scripted = self.answers.lock().unwrap().pop_front();
        scripted
            .or_else(|| self.always.lock().unwrap().clone())
            .unwrap_or(delivered(post.entries))
    }

    fn feature_flags(&self, request: &FlagRequest<'_>) -> FlagOutcome {
        assert!(
            request
                .path
                .starts_with("/api/2.0/connector-service/feature-flags/ADBC/"),
            "{}",
            request.path
        );
        self.flag_requests.fetch_add(1, Ordering::SeqCst);
        self.gate.pass();
        self.flags.lock().unwrap().clone().unwrap_or(FlagOutcome::Unavailable)
    }

    fn is_authenticated(&self) -> bool {
        !self.anonymous.load(Ordering::SeqCst)
    }
}

/// A gate at which requests wait while it is shut.
#[derive(Default)]
pub struct Gate {
    /// Whether it is shut, and how many wait.
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Gate {
    pub fn shut(&self) {
        self.state.lock().unwrap().0 = true;
    }

    pub fn open(&self) {
        self.state.lock().unwrap().0 = false;
        self.changed.notify_all();
    }

    /// Waits until `count` requests hang.
    pub fn wait_for(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE, |(_, waiting)| *waiting < count)
            .unwrap();
        assert!(!waited.1.timed_out(), "nobody came to the gate");
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |(shut, _)| *shut).unwrap();
        state.1 -= 1;
    }
}

pub fn delivered(entries: usize) -> Outcome {
    let body = format!(r#"{{"errors":[],"numSuccess":0,"numProtoSuccess":{entries},"numRealtimeSuccess":0}}"#);
    Outcome::Delivered {
        body: body.into_bytes(),
    }
}

pub fn refused(status: u16) -> Outcome {
    Outcome::Refused {
        status,
        retry_after: None,
    }
}

pub fn flag_answer(on: bool, ttl_seconds: Option<u64>) -> FlagOutcome {
    let ttl = ttl_seconds.map_or(String::new(), |ttl| format!(r#","ttl_seconds":{ttl}"#));
    let name = databricks_telemetry::flags::FLAG_NAME;
    FlagOutcome::Answered {
        body: format!(r#"{{"flags":[{{"name":"{name}","value":"{on}"}}]{ttl}}}"#).into_bytes(),
    }
}

/// Facts of a connection to a host that no other test knows.
pub fn facts() -> ConnectionFacts {
    static HOSTS: AtomicUsize = AtomicUsize::new(0);
    let host = format!("workspace-{}.example.com", HOSTS.fetch_add(1, Ordering::SeqCst));
    ConnectionFacts::new(host, Identity::of(&[b"pat", b"a token"]), Auth::PersonalAccessToken)
}

/// Telemetry on, whatever the flag says; no tick comes unless the test asks for it, and retries do not wait.
pub fn forced() -> Config {
    Config {
        force_enabled: true,
        ..patient()
    }
}

/// Telemetry up to the flag.
pub fn patient() -> Config {
    Config {
        flush_interval: Duration::from_secs(3600),
        retry_delay: Duration::ZERO,
        close_timeout: PATIENCE,
        ..Config::default()
    }
}

/// Attaches in an empty environment.
pub fn attach(facts: &ConnectionFacts, config: &Config, workspace: &Arc<Workspace>) -> Lease {
    let transport: Arc<dyn Transport> = Arc::clone(workspace) as _;
    Telemetry::attach_in(Environment::default(), facts.clone(), config.clone(), transport)
}

/// Waits until something is so that nobody signals.
pub fn until(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "{what}: did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}
