//! The port to plugins. Implementations find, check and run WebAssembly; which plugin runs with which grant was
//! decided by the plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boathook_core::effect::Effect;
use boathook_core::permissions::Permissions;
use boathook_core::plan::{ChartInfo, ReleaseRef};
use boathook_core::plugin::PluginInfo;
use boathook_core::run_event::{Calls, LogLevel};
use boathook_core::wasm_hook::Limits;
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;

use crate::cluster::Cluster;

/// Runs plugins.
#[async_trait]
pub trait PluginHost: Send + Sync {
    /// Every plugin that can be named without a path: installed and built-in, in look-up order; one that cannot be
    /// read comes with its error.
    async fn list(&self) -> Vec<(String, Result<PluginInfo, PluginError>)>;

    /// Finds, reads and checks one plugin, without running it.
    ///
    /// # Errors
    /// [`PluginError::NotFound`], [`PluginError::Invalid`].
    async fn inspect(&self, reference: &PluginReference) -> Result<PluginInfo, PluginError>;

    /// Does what has to be done once before the plugin can run, such as compiling it, while its caller does something else.
    /// What goes wrong goes wrong again when it runs.
    async fn prepare(&self, _plugin: &PluginInfo, _signals: &UnboundedSender<PluginSignal>) {}

    /// Runs one attempt. Cancel-safe: dropping the future ends the guest, and its store is thrown away. The call's
    /// `timeout` is enforced here.
    ///
    /// # Errors
    /// Every way in which an attempt can fail, each a variant of its own.
    async fn run(&self, call: PluginCall) -> Result<PluginReport, PluginError>;
}

/// How a hook names its plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginReference {
    /// Name, `./file.wasm`, or `oci://…`.
    pub text: String,
    /// Where paths start: the folder of the source, which they may not leave; `None` for a path given on the command
    /// line, which may be any.
    pub base: Option<PathBuf>,
}

/// One attempt at running one plugin.
#[derive(Clone)]
pub struct PluginCall {
    /// As `inspect` answered; found again by digest.
    pub plugin: PluginInfo,
    /// Of which release.
    pub release: ReleaseRef,
    /// Of which chart.
    pub chart: ChartInfo,
    /// Which run.
    pub run: RunInfo,
    /// Its settings, checked.
    pub config: Map<String, Value>,
    /// Its rights.
    pub permissions: Permissions,
    /// Values by credential name.
    pub credentials: BTreeMap<String, CredentialValue>,
    /// Caps.
    pub limits: Limits,
    /// Wall clock of the attempt.
    pub timeout: Duration,
    /// The cluster that its requests go to; one that cannot write when the run is a dry run.
    pub cluster: Arc<dyn Cluster>,
    /// Where its log lines, progress and outputs go, as they happen. Bounded by the caps of the run.
    pub signals: UnboundedSender<PluginSignal>,
    /// What a command of our own gets besides; a hook's plugin gets nothing.
    pub extras: CommandExtras,
}

/// What a WASI command of our own gets besides what every plugin gets. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct CommandExtras {
    /// Bytes that follow the first line on its stdin, one part behind the other.
    pub input: Vec<Arc<Vec<u8>>>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// How much its clock is ahead of ours.
    pub ahead: Duration,
    /// The most bytes of its last line, where that is more than a plugin may say.
    pub report_bytes: Option<usize>,
}

/// What the guest may know of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInfo {
    /// Unique for the operation and step: an idempotency key.
    pub id: String,
    /// The hook's name.
    pub hook_name: String,
    /// `pre-install`, …; empty where a plugin is run by hand without an event.
    pub event: String,
    /// From 1.
    pub attempt: u32,
    /// Writes are not kept, HTTP is not sent.
    pub dry_run: bool,
}

/// A secret value: never printed, not even by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialValue {
    /// The value.
    pub value: String,
    /// The guest may read it.
    pub reveal: bool,
}

impl std::fmt::Debug for CredentialValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialValue(…)")
    }
}

/// What a guest says while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum PluginSignal {
    /// A log line, cut and counted; the text is as the guest gave it, made valid UTF-8.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// One line.
        line: String,
    },
    /// How far it is.
    Progress {
        /// In a few words.
        message: String,
        /// 0 to 100.
        percent: Option<u8>,
    },
    /// A value for the report.
    Output {
        /// Its name.
        key: String,
        /// Its value.
        value: Value,
    },
    /// What a dry run left undone.
    Withheld(Effect),
}

/// What a guest that succeeded says at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginReport {
    /// What it did, in one line.
    pub message: String,
    /// Whether it changed anything, if it says.
    pub changed: Option<bool>,
    /// More, as data.
    pub data: Option<Value>,
    /// How many calls it made.
    pub calls: Calls,
}

/// Every way in which a plugin can fail.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PluginError {
    /// No plugin has this name.
    #[error("no plugin {name:?}")]
    NotFound {
        /// As asked for.
        name: String,
        /// Names that exist, and where was looked.
        help: String,
    },
    /// It is not WebAssembly of a form that we run.
    #[error("{message}")]
    Invalid {
        /// Why, naming the file and, for a component of another world, its imports.
        message: String,
        /// The way out.
        help: Option<String>,
    },
    /// The guest says that it failed.
    #[error("{message}")]
    Failed {
        /// The guest's words.
        message: String,
        /// The guest says that another attempt may help.
        retryable: bool,
        /// The guest says to wait this long before.
        retry_after: Option<Duration>,
        /// Calls it made.
        calls: Calls,
    },
    /// A call was denied and the guest failed because of it.
    #[error("not allowed to {action}")]
    Denied {
        /// `create secrets/my-app in prod`.
        action: String,
        /// The call, `kubernetes.create v1 Secret prod/my-app`.
        call: String,
        /// The YAML lines to add under `permissions`.
        hint: String,
        /// What the guest said when it gave up; empty if nothing.
        said: String,
        /// Calls it made.
        calls: Calls,
    },
    /// The guest trapped.
    #[error("{reason}")]
    Trap {
        /// What trapped, e.g. `out of bounds memory access`.
        reason: String,
        /// The guest's functions, innermost first.
        frames: Vec<String>,
    },
    /// A cap of the run was reached.
    #[error("{what}")]
    LimitReached {
        /// Which, with its value.
        what: String,
    },
    /// The wall clock of the attempt was over.
    #[error("did not end within {}", boathook_core::wasm_hook::format_duration(*.limit))]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// A fault of the host.
    #[error("internal error: {message}")]
    Internal {
        /// What.
        message: String,
    },
}
