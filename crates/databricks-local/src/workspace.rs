//! The workspace as a value: started, asked, stopped.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::engine::{Engine, EngineConfig};
use crate::error::{Error, ErrorKind};
use crate::faults::{Fault, Faults};
use crate::http::credentials::Credentials;
use crate::http::{accept, router};
use crate::inbox::{Inbox, InboxRecord};
use crate::requests::{RequestLog, RequestRecord};
use crate::result::depot::Depot;
use crate::result::links::Links;
use crate::sessions::Sessions;
use crate::state::{Settings, State, locked};
use crate::statement::Statements;
use crate::tls::{Certificates, certificates};
use crate::{WorkspaceBuilder, inbox};

/// The threads that answer requests. They never run a query, nor encode a result, so a few are enough.
const DOOR_THREADS: usize = 2;

/// The stack of a query thread: planning recurses along with the nesting of a statement.
const QUERY_STACK_BYTES: usize = 8 << 20;

/// How long the end waits for work on blocking threads (a file being written) before it lets go of it.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A Databricks SQL workspace on loopback, running on threads of its own until it is stopped or dropped.
pub struct Workspace {
    state: Arc<State>,
    address: SocketAddr,
    url: String,
    https_url: Option<String>,
    certificates: Option<Certificates>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workspace {
    /// The settings of a workspace, each with its default.
    pub fn builder() -> WorkspaceBuilder {
        WorkspaceBuilder::default()
    }

    pub(crate) fn start(builder: WorkspaceBuilder) -> Result<Self, Error> {
        let certificates = certificates(&builder.tls)?;
        let tls = certificates
            .as_ref()
            .map(|c| TlsAcceptor::from(Arc::clone(&c.server_config)));
        let (ready_sender, ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        // Runtimes must not be dropped where an async runtime is entered, so they live and end on a thread of their
        // own.
        let thread = std::thread::Builder::new()
            .name("databricks-local".to_owned())
            .spawn(move || run(builder, tls, &ready_sender, stopped))
            .map_err(|error| Error::new(ErrorKind::Runtime, error))?;
        let started = ready
            .recv()
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Runtime, "the workspace's thread ended early")));
        let Started { state, http, https } = match started {
            Ok(started) => started,
            Err(error) => {
                // The thread has said its last word; its end is near.
                let _ = thread.join();
                return Err(error);
            }
        };
        Ok(Self {
            state,
            address: reachable(http),
            url: format!("http://{}", reachable(http)),
            https_url: https.map(|address| format!("https://{}", reachable(address))),
            certificates,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it answers plain http: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it answers https, when that is on.
    pub fn https_url(&self) -> Option<&str> {
        self.https_url.as_deref()
    }

    /// The certificate of the authority that https clients have to trust, as a PEM file; when https is on.
    pub fn ca_pem_path(&self) -> Option<&Path> {
        self.certificates.as_ref().map(|c| c.ca_pem_path.as_path())
    }

    /// The token that clients must present.
    pub fn token(&self) -> &str {
        self.state.credentials.token()
    }

    /// The id of the one warehouse.
    pub fn warehouse_id(&self) -> &str {
        &self.state.settings.warehouse_id
    }

    /// The path that drivers call "HTTP path": `/sql/1.0/warehouses/ID`.
    pub fn http_path(&self) -> String {
        format!("/sql/1.0/warehouses/{}", self.warehouse_id())
    }

    /// All of it in one URI: `databricks://token:TOKEN@127.0.0.1:PORT/sql/1.0/warehouses/ID`.
    ///
    /// It holds the token. With a loopback host a driver takes it as plain http.
    pub fn uri(&self) -> String {
        let token = utf8_percent_encode(self.token(), NON_ALPHANUMERIC);
        format!("databricks://token:{token}@{}{}", self.address, self.http_path())
    }

    /// Looks, on the workspace's threads, for files of the data directory that should be tables and are none. The receiver gets why, file
    /// by file, and its end when all were looked at, or when the workspace stops.
    pub fn unreadable_files(&self) -> mpsc::Receiver<String> {
        let (tell, told) = mpsc::channel();
        let engine = Arc::clone(&self.state.engine);
        self.state.queries.spawn(async move {
            for error in engine.unreadable_files().await {
                // Nobody may want to know any longer.
                let _ = tell.send(error.message);
            }
        });
        told
    }

    /// The SQL engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.state.engine
    }

    /// The telemetry that is kept, oldest first.
    pub fn telemetry(&self) -> Vec<InboxRecord> {
        self.state.inbox.to_vec()
    }

    /// How many telemetry records made room for newer ones.
    pub fn telemetry_dropped(&self) -> u64 {
        self.state.inbox.dropped()
    }

    /// Waits until `count` telemetry records have come in since the start; whether they have before `timeout`.
    ///
    /// # Blocking
    /// The calling thread, for up to `timeout`.
    pub fn wait_for_telemetry(&self, count: usize, timeout: Duration) -> bool {
        self.state.inbox.wait_for(count as u64, timeout)
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state.requests.to_vec()
    }

    /// How many requests made room for newer ones.
    pub fn requests_dropped(&self) -> u64 {
        self.state.requests.dropped()
    }

    /// Sets a feature flag, by its full dotted name.
    pub fn set_flag(&self, name: impl Into<String>, value: impl Into<String>) {
        locked(&self.state.flags).insert(name.into(), value.into());
    }

    /// Makes the next matching requests meet a failure.
    pub fn fault(&self, fault: Fault) {
        self.state.faults.add(fault);
    }

    /// Takes back all faults that have not been met.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Stops it: connections are closed, statements cancelled, temporary files removed.
    ///
    /// # Blocking
    /// Until its threads have ended; a file being written at that moment may take up to two seconds.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("url", &self.url)
            .field("https_url", &self.https_url)
            .finish_non_exhaustive()
    }
}

/// Where a client on this machine finds a listener: one on all addresses is found on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

struct Started {
    state: Arc<State>,
    http: SocketAddr,
    https: Option<SocketAddr>,
}

/// The workspace's own thread, from start to end.
fn run(
    builder: WorkspaceBuilder,
    tls: Option<TlsAcceptor>,
    ready: &mpsc::Sender<Result<Started, Error>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtimes = runtime("databricks-local-http", Some(DOOR_THREADS))
        .and_then(|door| Ok((door, runtime("databricks-local-sql", None)?)));
    let (door, queries) = match runtimes {
        Ok(runtimes) => runtimes,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let state = match set_up(&builder, &queries) {
        Ok(state) => Arc::new(state),
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    door.block_on(async {
        let listeners = match listen(&builder, tls.is_some()).await {
            Ok(listeners) => listeners,
            Err(error) => {
                let _ = ready.send(Err(Error::new(ErrorKind::Listen, error)));
                return;
            }
        };
        let router = router(Arc::clone(&state));
        let started = Started {
            state: Arc::clone(&state),
            http: listeners.http.1,
            https: listeners.https.as_ref().map(|(_, address)| *address),
        };
        tokio::spawn(accept::accept(
            listeners.http.0,
            None,
            router.clone(),
            Arc::clone(&state),
        ));
        if let Some((listener, _)) = listeners.https {
            tokio::spawn(accept::accept(listener, tls, router, Arc::clone(&state)));
        }
        tokio::spawn(sweep(Arc::clone(&state)));
        if ready.send(Ok(started)).is_ok() {
            // Told to stop, or the handle is gone: both are the end.
            let _ = stopped.await;
        }
    });
    state.statements.cancel_all();
    door.shutdown_timeout(STOP_TIMEOUT);
    queries.shutdown_timeout(STOP_TIMEOUT);
}

fn runtime(name: &str, threads: Option<usize>) -> Result<Runtime, Error> {
    let mut builder = Builder::new_multi_thread();
    builder
        .enable_all()
        .thread_name(name)
        .thread_stack_size(QUERY_STACK_BYTES);
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.build().map_err(|error| Error::new(ErrorKind::Runtime, error))
}

fn set_up(builder: &WorkspaceBuilder, queries: &Runtime) -> Result<State, Error> {
    let no_randomness = |_| Error::new(ErrorKind::Runtime, "the system has no randomness to give");
    let config = EngineConfig {
        scale_factor: builder.scale_factor,
        data_dir: builder.data_dir.clone(),
        ..EngineConfig::default()
    };
    let engine = {
        // The engine may look for the runtime that it will run on.
        let _entered = queries.enter();
        Engine::new(config).map_err(|error| Error::new(ErrorKind::Engine, error))?
    };
    let inbox = Arc::new(Inbox::default());
    let table = inbox::table::driver_log(&inbox).map_err(|error| Error::new(ErrorKind::Engine, error))?;
    engine.register_system_table("telemetry", "driver_log", table);
    Ok(State {
        settings: Settings {
            warehouse_id: builder.warehouse_id.clone(),
            chunk_bytes: builder.chunk_bytes,
            result_ttl: builder.result_ttl,
            multi_frame_lz4: builder.multi_frame_lz4,
            is_loopback: builder.listen.ip().is_loopback() && builder.https_listen.ip().is_loopback(),
        },
        engine,
        queries: queries.handle().clone(),
        credentials: Credentials::new(builder.token.clone(), builder.oauth_client.clone()).map_err(no_randomness)?,
        sessions: Sessions::new(builder.session_ttl),
        statements: Statements::new(),
        depot: Arc::new(Depot::new(builder.memory_budget).map_err(|error| Error::new(ErrorKind::Storage, error))?),
        links: Links::new(builder.link_ttl).map_err(no_randomness)?,
        flags: Mutex::new(builder.flags.clone()),
        inbox,
        requests: RequestLog::default(),
        faults: Faults::default(),
        is_stopped: AtomicBool::new(false),
    })
}

struct Listeners {
    http: (TcpListener, SocketAddr),
    https: Option<(TcpListener, SocketAddr)>,
}

async fn listen(builder: &WorkspaceBuilder, https: bool) -> std::io::Result<Listeners> {
    let bound = async |address| {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    Ok(Listeners {
        http: bound(builder.listen).await?,
        https: match https {
            true => Some(bound(builder.https_listen).await?),
            false => None,
        },
    })
}

/// Forgets sessions and statements whose time is over, a few times within each time to live.
async fn sweep(state: Arc<State>) {
    let pause = (state.settings.result_ttl / 4).clamp(Duration::from_millis(50), Duration::from_secs(30));
    loop {
        tokio::time::sleep(pause).await;
        state.sessions.sweep();
        state.statements.sweep(state.settings.result_ttl);
    }
}
