//! Which cluster and which plugin host a command works with: the only place that knows the implementations of the two
//! ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boathook_chart::{Capabilities, Engine};
use boathook_embedded::{Embedded, StateError};
use boathook_engine::cluster::Cluster;
use boathook_engine::plugin_host::PluginHost;
use boathook_kube::{ConnectError, ConnectOptions, KubeCluster};
use boathook_wasm::{BuiltInPlugin, PackedCommand, WasmHost, WasmHostOptions};
use clap::Args;

use crate::error::{BAD_INPUT, CLUSTER, CliError, LOCKED, USAGE};
use crate::global::{Authorization, GlobalArgs};

include!(concat!(env!("OUT_DIR"), "/built_in_plugins.rs"));

/// A cluster to work on.
pub(crate) struct Session {
    /// The port.
    pub(crate) cluster: Arc<dyn Cluster>,
    /// The same, asked for what is not in the port.
    kube: Arc<KubeCluster>,
    /// The namespace of the command: the flag, else the kubeconfig's, else `default`.
    pub(crate) namespace: String,
    /// Where the API listens: plugins must not go there by themselves.
    pub(crate) api_servers: Vec<SocketAddr>,
    embedded: Option<Embedded>,
}

impl Session {
    /// What the cluster says of itself, as templates see it.
    pub(crate) async fn capabilities(&self) -> Result<Capabilities, CliError> {
        let found = self.kube.capabilities().await?;
        Ok(Capabilities::Discovered {
            version: found.version,
            major: found.major,
            minor: found.minor,
            api_versions: found.api_versions.into_iter().collect(),
        })
    }

    /// Ends the work: the embedded cluster's state is saved.
    pub(crate) async fn close(self) -> Result<(), CliError> {
        match self.embedded {
            Some(embedded) => embedded.close().await.map_err(state_error),
            None => Ok(()),
        }
    }
}

/// Opens the cluster that the global flags name.
pub(crate) async fn session(global: &GlobalArgs) -> Result<Session, CliError> {
    let is_kube = global.cluster == "kube";
    if is_kube && global.authorization == Authorization::Rbac {
        return Err(CliError::new(USAGE, "--authorization rbac is for embedded clusters").hint(
            "a real cluster decides by itself; add --cluster embedded or embedded:FILE to try roles out",
        ));
    }
    match global.cluster.split_once(':') {
        Some(("embedded", "")) => Err(unknown_cluster(&global.cluster)),
        Some(("embedded", file)) => embedded(global, open(Path::new(file)).await?),
        None if global.cluster == "embedded" => embedded(global, Embedded::new()),
        None if is_kube => kube(global).await,
        _ => Err(unknown_cluster(&global.cluster)),
    }
}

fn unknown_cluster(value: &str) -> CliError {
    CliError::new(USAGE, format!("--cluster {value:?} is none of: kube, embedded, embedded:FILE"))
        .hint("embedded:FILE keeps the state in FILE between commands, e.g. embedded:state.json")
}

/// Opens (or makes) a state file.
pub(crate) async fn open(file: &Path) -> Result<Embedded, CliError> {
    let file = file.to_path_buf();
    // Waiting for another command's lock blocks the thread.
    let opened = tokio::task::spawn_blocking(move || Embedded::open(&file)).await;
    opened
        .map_err(|error| CliError::internal(format!("cannot open the state file: {error}")))?
        .map_err(state_error)
}

fn embedded(global: &GlobalArgs, embedded: Embedded) -> Result<Session, CliError> {
    let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let embedded = authorized(global, embedded);
    let client = match &global.as_user {
        Some(user) => embedded.client_as(user, &global.as_group, &namespace),
        None => embedded.client(&namespace),
    };
    let kube = Arc::new(KubeCluster::new(client));
    let cluster = kube.clone();
    Ok(Session { cluster, kube, namespace, api_servers: Vec::new(), embedded: Some(embedded) })
}

/// The embedded cluster as `--authorization` wants it.
pub(crate) fn authorized(global: &GlobalArgs, embedded: Embedded) -> Embedded {
    match global.authorization {
        Authorization::AlwaysAllow => embedded,
        Authorization::Rbac => embedded.with_rbac(),
    }
}

async fn kube(global: &GlobalArgs) -> Result<Session, CliError> {
    let options = ConnectOptions {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
        as_user: global.as_user.clone(),
        as_groups: global.as_group.clone(),
    };
    let kube = Arc::new(KubeCluster::connect(options).await.map_err(connect_error)?);
    let namespace = global.namespace.clone().unwrap_or_else(|| kube.default_namespace().to_owned());
    let api_servers = kube.addresses().await;
    Ok(Session { cluster: kube.clone(), kube, namespace, api_servers, embedded: None })
}

fn connect_error(error: ConnectError) -> CliError {
    let hint = error.help();
    let error = CliError::new(CLUSTER, error.to_string());
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn state_error(error: StateError) -> CliError {
    let locked = matches!(error, StateError::Locked { .. });
    let hint = if locked {
        "wait for the other command to end, or use another state file"
    } else if matches!(error, StateError::Unreadable { .. } | StateError::Unwritable { .. }) {
        "name a file in a folder that exists and that you may write to"
    } else {
        "the file was left as it is: repair it, or move it away to start with an empty cluster"
    };
    let reason = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    CliError::new(if locked { LOCKED } else { BAD_INPUT }, format!("{error}{reason}")).hint(hint)
}

/// Where plugins are looked for.
#[derive(Args, Clone, Default)]
pub(crate) struct PluginDirArgs {
    /// A folder of plugins, NAME.wasm, looked at before BOATHOOK_PLUGIN_PATH, installed and built-in ones (repeatable)
    #[arg(long, value_name = "DIR")]
    pub(crate) plugin_dir: Vec<PathBuf>,
}

/// The plugin host, with the look-up order of the contract: `--plugin-dir`, `BOATHOOK_PLUGIN_PATH`, the user's data folder,
/// built-in.
pub(crate) fn host(dirs: &PluginDirArgs, api_servers: &[SocketAddr]) -> Arc<dyn PluginHost> {
    let mut plugin_dirs = dirs.plugin_dir.clone();
    if let Some(path) = std::env::var_os("BOATHOOK_PLUGIN_PATH") {
        plugin_dirs.extend(std::env::split_paths(&path).filter(|dir| !dir.as_os_str().is_empty()));
    }
    plugin_dirs.extend(user_folder("XDG_DATA_HOME", ".local/share").map(|dir| dir.join("boathook/plugins")));
    let host = WasmHost::new(WasmHostOptions {
        built_in: BUILT_IN_PLUGINS.to_vec(),
        packed: CHART_ENGINE.iter().map(|(packed, _)| *packed).collect(),
        plugin_dirs,
        cache_dir: user_folder("XDG_CACHE_HOME", ".cache").map(|dir| dir.join("boathook/compiled")),
        pooling: false,
    });
    Arc::new(host.with_api_servers(api_servers.to_vec()))
}

/// What renders charts, if the program was built with it. `host` is one of [`host`].
pub(crate) fn chart_engine(host: &Arc<dyn PluginHost>) -> Option<Engine> {
    let (packed, size) = CHART_ENGINE?;
    Some(Engine::new(host.clone(), env!("CARGO_PKG_VERSION"), packed.digest, size))
}

/// A folder of the XDG base directory rules: the variable if it is absolute, else below the home folder.
fn user_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    given.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(below_home)))
}
