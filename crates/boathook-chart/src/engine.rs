//! The chart engine as a command of the plugin host: what it may use, and what its end means.

use std::sync::Arc;
use std::time::Duration;

use boathook_core::plan::{ChartInfo, ReleaseRef};
use boathook_core::plugin::{Capability, Declaration, PluginForm, PluginInfo, PluginOrigin};
use boathook_core::run_event::LogLevel;
use boathook_core::wasm_hook::Limits;
use boathook_engine::plugin_host::{
    CommandExtras, PluginCall, PluginError, PluginHost, PluginSignal, RunInfo,
};
use serde_json::{Map, Value};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::render::RenderOptions;

/// Memory of the engine: a chart with megabytes of output takes a hundred.
const MEMORY: u64 = 256 << 20;
/// When the engine begins to collect garbage: collecting earlier takes longer than most charts.
const COLLECT_AT: &str = "160MiB";
/// How long rendering may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What Helm's code may say while it renders.
const LOG_BYTES: u64 = 64 << 10;
/// The most that a chart may become.
const REPORT_BYTES: usize = 64 << 20;

/// The engine, and what runs it.
#[derive(Clone)]
pub struct Engine {
    host: Arc<dyn PluginHost>,
    plugin: PluginInfo,
    timeout: Duration,
}

/// What the engine gave.
pub(crate) struct Ran {
    pub(crate) report: Value,
    pub(crate) log: Vec<String>,
}

/// Why a chart was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Helm's own error, with file and line where it has them.
    #[error("{message}")]
    Chart {
        /// Helm's text.
        message: String,
        /// What Helm logged before.
        log: Vec<String>,
    },
    /// A template looked into the cluster without a grant.
    #[error("{message}")]
    Denied {
        /// Helm's text: which template, which line, which object.
        message: String,
        /// The lines that grant it.
        hint: String,
    },
    /// A template took more than it may: time, memory, depth.
    #[error("rendering was stopped: {reason}")]
    Stopped {
        /// What it took.
        reason: String,
    },
    /// The engine is broken, or this program.
    #[error("the chart engine failed: {reason}")]
    Internal {
        /// How.
        reason: String,
    },
}

impl Engine {
    /// The engine with this digest and size, which `host` holds.
    pub fn new(host: Arc<dyn PluginHost>, version: &str, digest: &str, size: u64) -> Self {
        let name = "chart-engine".to_owned();
        let declaration =
            Declaration { name: name.clone(), version: version.to_owned(), ..Declaration::default() };
        let plugin = PluginInfo {
            name,
            origin: PluginOrigin::BuiltIn,
            digest: digest.to_owned(),
            size,
            form: PluginForm::Command,
            declaration,
            imports: [Capability::Context, Capability::Kubernetes, Capability::Log].into(),
        };
        Self { host, plugin, timeout: TIMEOUT }
    }

    /// The same with this time for each render.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Makes it ready to run, which takes seconds the first time: for while charts are fetched and clusters are asked.
    /// `progress` is told if it takes long.
    pub async fn prepare(&self, progress: &(dyn Fn(&str) + Send + Sync)) {
        let (signals, received) = unbounded_channel();
        let prepare = async move { self.host.prepare(&self.plugin, &signals).await };
        tokio::join!(prepare, listen(received, progress));
    }

    /// Runs it once. `progress` is told what takes long.
    pub(crate) async fn run(
        &self,
        release: &ReleaseRef,
        config: Map<String, Value>,
        input: Vec<Arc<Vec<u8>>>,
        options: &RenderOptions,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Ran, RenderError> {
        let (signals, received) = unbounded_channel();
        let environment = [("GOGC", "off"), ("GOMEMLIMIT", COLLECT_AT)].into_iter();
        let environment = environment.chain(options.time_zone.as_deref().map(|zone| ("TZ", zone)));
        let call = PluginCall {
            plugin: self.plugin.clone(),
            release: release.clone(),
            chart: ChartInfo::default(),
            run: RunInfo {
                id: format!("render/{}/{}", release.namespace, release.name),
                hook_name: String::new(),
                event: String::new(),
                attempt: 1,
                dry_run: true,
            },
            config,
            permissions: options.lookup.permissions(),
            credentials: std::collections::BTreeMap::new(),
            limits: Limits { memory: MEMORY, log_bytes: LOG_BYTES },
            timeout: self.timeout,
            cluster: options.lookup.cluster(),
            signals,
            extras: CommandExtras {
                input,
                environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                ahead: options.ahead,
                report_bytes: Some(REPORT_BYTES),
            },
        };
        let (ended, log) = tokio::join!(self.host.run(call), listen(received, progress));
        match ended {
            Ok(report) => {
                let report = report.data.ok_or_else(|| internal("it reported nothing"))?;
                Ok(Ran { report, log })
            }
            Err(error) => Err(explain(error, log)),
        }
    }
}

/// Collects what the engine says, until it has ended.
async fn listen(
    mut signals: UnboundedReceiver<PluginSignal>,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Vec<String> {
    let mut log = Vec::new();
    while let Some(signal) = signals.recv().await {
        match signal {
            PluginSignal::Log { line, level: LogLevel::Info | LogLevel::Warn | LogLevel::Error } => {
                log.push(line);
            }
            PluginSignal::Progress { message, .. } => progress(&message),
            PluginSignal::Log { .. } | PluginSignal::Output { .. } | PluginSignal::Withheld(_) => {}
        }
    }
    log
}

fn explain(error: PluginError, log: Vec<String>) -> RenderError {
    match error {
        PluginError::Failed { message, .. } => match fatal(&log) {
            // Go gave up; the rest of what it says is about itself.
            Some(line) => RenderError::Stopped { reason: line.to_owned() },
            None => RenderError::Chart { message, log },
        },
        PluginError::Denied { said, hint, .. } => RenderError::Denied { message: said, hint },
        PluginError::LimitReached { what } => RenderError::Stopped { reason: what },
        PluginError::Trap { reason, .. } if reason.contains("stack overflowed") => {
            RenderError::Stopped { reason: "template recursion too deep".to_owned() }
        }
        PluginError::Trap { reason, .. } => RenderError::Stopped { reason },
        timeout @ PluginError::Timeout { .. } => RenderError::Stopped { reason: format!("it {timeout}") },
        PluginError::NotFound { .. } | PluginError::Invalid { .. } | PluginError::Internal { .. } => {
            internal(&error.to_string())
        }
    }
}

/// The line with which a Go program says that it cannot go on.
fn fatal(log: &[String]) -> Option<&str> {
    log.iter()
        .map(String::as_str)
        .find(|line| line.starts_with("fatal error: ") || line.starts_with("panic: "))
}

pub(crate) fn internal(reason: &str) -> RenderError {
    RenderError::Internal { reason: reason.to_owned() }
}
