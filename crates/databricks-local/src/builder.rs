//! How a workspace is set up.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, Workspace};

/// The prefix of the flags that gate driver telemetry.
const FLAG_PREFIX: &str = "databricks.partnerplatform.clientConfigsFeatureFlags.";

/// Sets up a [`Workspace`]. Every setting has a default, so `Workspace::builder().start()` is enough.
#[derive(Clone)]
pub struct WorkspaceBuilder {
    pub(crate) listen: SocketAddr,
    pub(crate) https_listen: SocketAddr,
    pub(crate) tls: Tls,
    pub(crate) scale_factor: f64,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) token: Option<String>,
    pub(crate) oauth_client: Option<(String, String)>,
    pub(crate) warehouse_id: String,
    pub(crate) flags: BTreeMap<String, String>,
    pub(crate) chunk_bytes: usize,
    pub(crate) link_ttl: Duration,
    pub(crate) memory_budget: usize,
    pub(crate) result_ttl: Duration,
    pub(crate) session_ttl: Duration,
    pub(crate) multi_frame_lz4: bool,
}

/// Whether, and with certificates in which directory, a workspace also speaks https.
///
/// Made from a `bool` (the certificates go to a temporary directory) or from a path (they go there, and stay).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Plain http only. The default.
    #[default]
    Off,
    /// Certificates in a temporary directory that goes away with the workspace.
    Temporary,
    /// Certificates in this directory, which is made if need be. Existing ones are replaced.
    Directory(PathBuf),
}

impl From<bool> for Tls {
    fn from(on: bool) -> Self {
        if on { Self::Temporary } else { Self::Off }
    }
}

impl From<PathBuf> for Tls {
    fn from(directory: PathBuf) -> Self {
        Self::Directory(directory)
    }
}

impl From<&Path> for Tls {
    fn from(directory: &Path) -> Self {
        Self::Directory(directory.to_owned())
    }
}

impl Default for WorkspaceBuilder {
    fn default() -> Self {
        let flags = [
            "enableTelemetryForAdbc",
            "enableTelemetryForPythonDriver",
            "enableTelemetryForKernel",
        ];
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            https_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: Tls::Off,
            scale_factor: 0.1,
            data_dir: None,
            token: None,
            oauth_client: None,
            warehouse_id: "0123456789abcdef".to_owned(),
            flags: flags
                .map(|name| (format!("{FLAG_PREFIX}{name}"), "true".to_owned()))
                .into(),
            chunk_bytes: 20 << 20,
            link_ttl: Duration::from_secs(15 * 60),
            memory_budget: 256 << 20,
            result_ttl: Duration::from_secs(60 * 60),
            session_ttl: Duration::from_secs(30 * 60),
            multi_frame_lz4: false,
        }
    }
}

impl WorkspaceBuilder {
    /// Where to listen for plain http. Defaults to `127.0.0.1:0`, any free port.
    ///
    /// An address that is not loopback opens the workspace to the network, with nothing but the token in the way.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Where to listen for https, when it is on. Defaults to `127.0.0.1:0`, any free port.
    pub fn https_listen(mut self, address: SocketAddr) -> Self {
        self.https_listen = address;
        self
    }

    /// Whether to speak https as well, on a second port. Off by default.
    ///
    /// `true` puts the certificates into a temporary directory; a path puts them there. `ca.pem` is the authority that
    /// a client has to trust ([`Workspace::ca_pem_path`]), `server.pem` and `server.key` are the server's own.
    pub fn tls(mut self, tls: impl Into<Tls>) -> Self {
        self.tls = tls.into();
        self
    }

    /// The size of the sample data; 1 is 6 million orders' lines. Defaults to 0.1.
    pub fn scale_factor(mut self, scale_factor: f64) -> Self {
        self.scale_factor = scale_factor;
        self
    }

    /// A directory with data of your own. None by default.
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(directory.into());
        self
    }

    /// The token that clients must present. A random one that starts with `dapi` by default.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// A client that may get tokens from `/oidc/v1/token` by client credentials. None by default.
    pub fn oauth_client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.oauth_client = Some((id.into(), secret.into()));
        self
    }

    /// The id of the one warehouse. Defaults to `0123456789abcdef`.
    pub fn warehouse_id(mut self, id: impl Into<String>) -> Self {
        self.warehouse_id = id.into();
        self
    }

    /// A feature flag, by its full dotted name. By default those that allow telemetry of this project's driver, of the
    /// Python connector and of the kernel are `true`.
    pub fn flag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.flags.insert(name.into(), value.into());
        self
    }

    /// How many bytes of plain Arrow data a chunk of a result may have. Defaults to 20 MiB; at least one row is in
    /// each.
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes.max(1);
        self
    }

    /// How long a signed link works. Defaults to 15 minutes.
    pub fn link_ttl(mut self, ttl: Duration) -> Self {
        self.link_ttl = ttl;
        self
    }

    /// How many bytes of finished chunks all results together may have in memory; further ones go to temporary files.
    /// Defaults to 256 MiB.
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// How long the result of a statement that nobody closes is kept after its end. Defaults to one hour.
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.result_ttl = ttl;
        self
    }

    /// How long a session lives after its last statement. Defaults to 30 minutes.
    pub fn session_ttl(mut self, ttl: Duration) -> Self {
        self.session_ttl = ttl;
        self
    }

    /// Whether compressed chunks consist of several LZ4 frames, one of them empty, as chunks in the cloud can. Off by
    /// default; on, it finds readers that stop after the first frame.
    pub fn multi_frame_lz4(mut self, on: bool) -> Self {
        self.multi_frame_lz4 = on;
        self
    }

    /// Starts the workspace and returns when it listens.
    ///
    /// # Errors
    /// When an address cannot be bound, certificates or temporary files cannot be written, or the engine cannot start.
    ///
    /// # Blocking
    /// Until the sockets are bound and the engine is up. The workspace runs on threads of its own, so this can be
    /// called from synchronous code and from within any async runtime.
    pub fn start(self) -> Result<Workspace, Error> {
        Workspace::start(self)
    }
}

impl fmt::Debug for WorkspaceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceBuilder")
            .field("listen", &self.listen)
            .field("tls", &self.tls)
            .field("scale_factor", &self.scale_factor)
            .field("chunk_bytes", &self.chunk_bytes)
            .field("link_ttl", &self.link_ttl)
            .field("memory_budget", &self.memory_budget)
            .field("result_ttl", &self.result_ttl)
            .field("session_ttl", &self.session_ttl)
            .field("multi_frame_lz4", &self.multi_frame_lz4)
            .finish_non_exhaustive()
    }
}
