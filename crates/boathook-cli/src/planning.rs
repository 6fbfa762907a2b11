//! From arguments to a plan: the source is read, hooks are told from objects, plugins are looked up, and everything that is
//! wrong is collected and shown.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use boathook_core::plan::{
    self, HookOrder, Operation, Plan, PlanInput, PlanOptions, ReleaseRef, UnusablePlugin,
};
use boathook_core::plugin::PluginInfo;
use boathook_core::wasm_hook::parse_duration;
use boathook_core::{Diagnostic, HookEvent, Severity, Source, check, dialect, manifest};
use boathook_engine::plugin_host::{PluginError, PluginHost, PluginReference};
use clap::{Args, ValueEnum};

use crate::error::{CliError, USAGE, exit_code_of};
use crate::input::{self, Charts, Input, Recorded, Rendering, SourceArgs};

/// What a plan depends on besides the source.
#[derive(Args, Clone)]
pub(crate) struct PlanFlags {
    /// Time of each step that sets none of its own: an attempt of a plugin, a wait for a Job
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
    /// Run no hooks
    #[arg(long)]
    pub(crate) no_hooks: bool,
    /// Leave this hook out (repeatable)
    #[arg(long, value_name = "KIND/NAME")]
    pub(crate) skip_hook: Vec<String>,
    /// Run no hook but this one (repeatable)
    #[arg(long, value_name = "KIND/NAME")]
    pub(crate) only_hook: Vec<String>,
    /// Order of hooks of one weight
    #[arg(long, value_enum, default_value_t = Order::Helm, value_name = "ORDER")]
    pub(crate) hook_order: Order,
}

/// How hooks of one weight are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// By name, then kind: what Helm's code does
    Helm,
    /// By kind, then name: what Helm's documentation says
    Kind,
}

impl PlanFlags {
    fn options(&self) -> PlanOptions {
        PlanOptions {
            timeout: self.timeout,
            no_hooks: self.no_hooks,
            skip_hooks: self.skip_hook.clone(),
            only_hooks: self.only_hook.clone(),
            hook_order: match self.hook_order {
                Order::Helm => HookOrder::Helm,
                Order::Kind => HookOrder::Kind,
            },
        }
    }
}

/// Reads `5m`, `30s`, `1m30s`; zero is refused.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("expected a positive duration such as 30s, 5m or 1h30m".to_owned()),
    }
}

/// A plan with what it was made from.
pub(crate) struct Planned {
    /// The plan, with all diagnostics.
    pub(crate) plan: Plan,
    /// For excerpts.
    pub(crate) sources: Vec<Source>,
    /// What only the release record needs.
    pub(crate) recorded: Recorded,
}

impl Planned {
    /// The exit code of a command that may not go on, if the input has errors.
    pub(crate) fn refusal(&self) -> Option<u8> {
        let has_errors =
            self.plan.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        has_errors.then(|| exit_code_of(&self.plan.diagnostics))
    }
}

/// Names that no cluster takes are faults of the arguments: they are told before any cluster is asked.
pub(crate) fn check_names(release: &str, namespace: Option<&str>) -> Result<(), CliError> {
    let namespace = namespace.map_or(Ok(()), check::namespace);
    check::release_name(release).and(namespace).map_err(|diagnostic| CliError {
        exit_code: USAGE,
        message: diagnostic.message,
        hint: diagnostic.help,
    })
}

/// Makes the plan of one operation.
pub(crate) async fn plan(
    operation: Operation,
    release: ReleaseRef,
    source: &SourceArgs,
    flags: &PlanFlags,
    host: &dyn PluginHost,
    charts: &Charts<'_>,
) -> Result<Planned, CliError> {
    check_names(&release.name, Some(&release.namespace))?;
    let rendering = Rendering {
        release: &release,
        is_upgrade: is_upgrade(operation),
        recorded: operation == Operation::Install,
        lent: None,
    };
    let Input { sources, crds, base, chart, recorded, mut diagnostics } =
        input::read(source, &rendering, charts).await?;
    if !crds.is_empty() {
        diagnostics.push(crds_left_out(&source.source));
    }
    let parsed = manifest::parse(&sources);
    let read = dialect::read(parsed.documents);
    diagnostics.extend(parsed.diagnostics);
    diagnostics.extend(read.diagnostics);
    let mut plugins = BTreeMap::new();
    for name in plan::plugins_needed(operation, &read.hooks) {
        let found = look_up(host, &name, Some(base.clone())).await;
        plugins.insert(name, found);
    }
    let input = PlanInput {
        operation,
        release,
        chart,
        hooks: read.hooks,
        resources: read.resources,
        plugins,
        diagnostics,
    };
    Ok(Planned { plan: plan::build(input, &flags.options()), sources, recorded })
}

/// What the templates are told: `.Release.IsInstall` or `.Release.IsUpgrade`. Hooks that a real Helm renders at an install
/// serve deletions and tests, too.
fn is_upgrade(operation: Operation) -> bool {
    use HookEvent::{PostRollback, PostUpgrade, PreRollback, PreUpgrade};
    matches!(operation, Operation::Run(PreUpgrade | PostUpgrade | PreRollback | PostRollback))
}

/// `crds/` are no templates, and installing them is not built: who needs them must know.
fn crds_left_out(chart: &str) -> Diagnostic {
    let help = format!("install them first: helm show crds {chart} | kubectl apply --server-side -f -");
    Diagnostic::warning("crds-not-installed", "the chart's crds/ are not installed").help(help)
}

async fn look_up(
    host: &dyn PluginHost,
    name: &str,
    base: Option<PathBuf>,
) -> Result<PluginInfo, UnusablePlugin> {
    let reference = PluginReference { text: name.to_owned(), base };
    host.inspect(&reference).await.map_err(|error| match error {
        PluginError::NotFound { name, help } => {
            UnusablePlugin { message: format!("no plugin {name:?}"), help: Some(help) }
        }
        PluginError::Invalid { message, help } => UnusablePlugin { message, help },
        other => UnusablePlugin { message: other.to_string(), help: None },
    })
}
