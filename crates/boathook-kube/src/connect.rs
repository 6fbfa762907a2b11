//! From kubectl's rules (flag, `KUBECONFIG`, `~/.kube/config`, in-cluster) to a client. Talks to no server: the first
//! request does. A kubeconfig's exec plugin may run.

mod proxy;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// How long opening a connection may take before the server counts as unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Set in every Pod; without it nobody can mean the cluster that we run in.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// What a user may say about the connection; the rest comes from the kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// This file only, instead of `KUBECONFIG` and `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// This context instead of the current one.
    pub context: Option<String>,
    /// Act as this user.
    pub as_user: Option<String>,
    /// Act as a member of these groups; only together with `as_user`.
    pub as_groups: Vec<String>,
}

/// A connection that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a Pod's service account.
    #[error("no kubeconfig found")]
    NoKubeconfig {
        /// Where one was looked for.
        looked_at: Vec<PathBuf>,
    },
    /// A kubeconfig that cannot be read or understood.
    #[error("cannot read kubeconfig {}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The kubeconfig names no current context and none was asked for.
    #[error("the kubeconfig has no current context")]
    NoContext {
        /// The contexts it has.
        known: Vec<String>,
    },
    /// A context that the kubeconfig does not have.
    #[error("the kubeconfig has no context {name:?}")]
    UnknownContext {
        /// The name asked for, or `current-context`.
        name: String,
        /// The contexts it has.
        known: Vec<String>,
    },
    /// A context whose cluster or credentials cannot be used.
    #[error("context {context:?} cannot be used: {reason}")]
    BadContext {
        /// Its name.
        context: String,
        /// What is wrong with it.
        reason: String,
    },
    /// We run in a Pod, but its service account cannot be used.
    #[error("the service account of this Pod cannot be used")]
    InCluster(#[source] InClusterError),
    /// `--as-group` alone.
    #[error("groups can only be impersonated together with a user")]
    GroupsWithoutUser,
}

impl ConnectError {
    /// The way out, in a sentence.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NoKubeconfig { looked_at } => {
                let places = list(looked_at.iter().map(|path| path.display().to_string()));
                Some(format!(
                    "looked at {places}; name one with --kubeconfig FILE or KUBECONFIG, or use --cluster embedded for a cluster in memory",
                ))
            }
            Self::NoContext { known } | Self::UnknownContext { known, .. } if known.is_empty() => {
                Some("the kubeconfig has no contexts at all".to_owned())
            }
            Self::NoContext { known } => Some(format!("choose one with --context: {}", list(known))),
            Self::UnknownContext { known, .. } => Some(format!("its contexts are {}", list(known))),
            Self::GroupsWithoutUser => Some("add --as USER".to_owned()),
            Self::BadFile { .. } | Self::BadContext { .. } | Self::InCluster(_) => None,
        }
    }
}

fn list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<T> = texts.into_iter().collect();
    texts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// A client, and what is known about where it leads.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// The server's URL without credentials, if it has one.
    pub(crate) server: Option<String>,
    /// The context's name, if it came from a kubeconfig.
    pub(crate) context: Option<String>,
}

/// Sets up the client that the options and the environment name.
pub(crate) async fn open(options: &ConnectOptions) -> Result<Connection, ConnectError> {
    let (mut config, context) = configuration(options).await?;
    if options.as_user.is_none() && !options.as_groups.is_empty() {
        return Err(ConnectError::GroupsWithoutUser);
    }
    if let Some(user) = &options.as_user {
        config.auth_info.impersonate = Some(user.clone());
        config.auth_info.impersonate_groups =
            (!options.as_groups.is_empty()).then(|| options.as_groups.clone());
    }
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Its retries send writes again whatever became of the first one (retry.rs has ours).
    config.default_retry = false;
    let server = server_url(&config.cluster_url);
    let name = context.clone().unwrap_or_else(|| "in-cluster".to_owned());
    // Running an exec plugin blocks the thread.
    let built =
        tokio::task::spawn_blocking(move || kube::client::ClientBuilder::try_from(config).map(|b| b.build()));
    let client = match built.await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Err(ConnectError::BadContext { context: name, reason: error.to_string() }),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    Ok(Connection { client, server: Some(server), context })
}

async fn configuration(options: &ConnectOptions) -> Result<(Config, Option<String>), ConnectError> {
    let explicit = options.kubeconfig.is_some();
    let paths = match &options.kubeconfig {
        Some(path) => vec![path.clone()],
        None => default_paths(),
    };
    let kubeconfig = load(&paths, explicit)?;
    if kubeconfig.contexts.is_empty()
        && kubeconfig.current_context.is_none()
        && options.context.is_none()
        && !explicit
    {
        if std::env::var_os(IN_CLUSTER).is_none() {
            return Err(ConnectError::NoKubeconfig { looked_at: paths });
        }
        return Ok((Config::incluster().map_err(ConnectError::InCluster)?, None));
    }
    let name = choose(&kubeconfig, options.context.as_deref())?;
    let named = proxy_of(&kubeconfig, &name);
    let choice = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let bad = |reason: String| ConnectError::BadContext { context: name.clone(), reason };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &choice).await.map_err(|error| {
        bad(match error {
            KubeconfigError::ParseNoProxy(inner) => format!("cannot read NO_PROXY: {inner}"),
            other => other.to_string(),
        })
    })?;
    config.proxy_url = proxy::choose(&config.cluster_url, named.as_deref(), |name| std::env::var(name).ok())
        // The URL may hold a password.
        .map(|url| url.parse().map_err(|error| bad(format!("the URL of its proxy is wrong: {error}"))))
        .transpose()?;
    Ok((config, Some(name)))
}

/// The proxy that a context's cluster names.
fn proxy_of(kubeconfig: &Kubeconfig, context: &str) -> Option<String> {
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?;
    cluster.cluster.as_ref()?.proxy_url.clone()
}

/// The files that kubectl reads when it is told none.
fn default_paths() -> Vec<PathBuf> {
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .iter()
        .flat_map(std::env::split_paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if listed.is_empty() {
        std::env::home_dir().into_iter().map(|home| home.join(".kube/config")).collect()
    } else {
        listed
    }
}

/// Reads and merges files: the first to name something wins. As with kubectl, a file of the list may be missing, one
/// that was named by hand may not.
fn load(paths: &[PathBuf], explicit: bool) -> Result<Kubeconfig, ConnectError> {
    let bad = |path: &Path, error: KubeconfigError| ConnectError::BadFile {
        path: path.to_owned(),
        reason: match error {
            KubeconfigError::ReadConfig(error, _) => error.to_string(),
            // What is shown of the file may hold a token or a key.
            KubeconfigError::Parse(error) => error.without_snippet().to_string(),
            other => other.to_string(),
        },
    };
    let mut merged = Kubeconfig::default();
    for path in paths {
        let read = match Kubeconfig::read_from(path) {
            Err(KubeconfigError::ReadConfig(error, _))
                if !explicit && error.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            other => other,
        };
        merged = read.and_then(|next| merged.merge(next)).map_err(|error| bad(path, error))?;
    }
    Ok(merged)
}

fn choose(kubeconfig: &Kubeconfig, asked: Option<&str>) -> Result<String, ConnectError> {
    let known = || kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let current = kubeconfig.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = asked.or(current) else {
        return Err(ConnectError::NoContext { known: known() });
    };
    if kubeconfig.contexts.iter().any(|context| context.name == name) {
        Ok(name.to_owned())
    } else {
        Err(ConnectError::UnknownContext { name: name.to_owned(), known: known() })
    }
}

/// Scheme, host and port; a name and password before the host are left out.
fn server_url(url: &http::Uri) -> String {
    let host = url.host().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme_str().unwrap_or("https"))
}

#[cfg(test)]
mod tests;
