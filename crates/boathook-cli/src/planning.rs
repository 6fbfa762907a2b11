//! From arguments to a plan: the source is read or the release's records are, hooks are told from objects, plugins are looked
//! up, and everything that is wrong is collected. One function per operation.

pub(crate) mod file;
mod recorded;
mod sourced;

use std::path::PathBuf;
use std::time::Duration;

use boathook_core::operation::Unfinished;
use boathook_core::plan::{
    self, HookOrder, Operation, Plan, PlanInput, PlanOptions, Plugins, ReleaseRef, UnusablePlugin,
    WaitStrategy,
};
use boathook_core::plugin::PluginInfo;
use boathook_core::release::Revision;
use boathook_core::release::basis::{self, Basis, Wish};
use boathook_core::run_event::RunError;
use boathook_core::wasm_hook::parse_duration;
use boathook_core::{Diagnostic, Severity, Source, check};
use boathook_engine::plugin_host::{PluginError, PluginHost, PluginReference};
use boathook_engine::release_store::{Listing, ReleaseStore};
use boathook_engine::wait_for_lock;
use clap::{Args, ValueEnum};

pub(crate) use recorded::{rollback, test, uninstall};
pub(crate) use sourced::{InstallChoices, Material, UpgradeChoices, install, run, upgrade};

use crate::error::{CliError, USAGE, exit_code_of};
use crate::holder;
use crate::wiring::Session;

/// What a plan depends on besides its input.
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
    /// The choices of planning; nothing but hooks is waited for.
    pub(crate) fn options(&self) -> PlanOptions {
        PlanOptions {
            timeout: self.timeout,
            no_hooks: self.no_hooks,
            skip_hooks: self.skip_hook.clone(),
            only_hooks: self.only_hook.clone(),
            hook_order: match self.hook_order {
                Order::Helm => HookOrder::Helm,
                Order::Kind => HookOrder::Kind,
            },
            wait: WaitStrategy::HookOnly,
            wait_for_jobs: false,
        }
    }
}

/// Reads `5m`, `30s`, `1m30s`; zero is refused: for Helm 3 it means no limit and for Helm 4 half a minute (D20).
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
    /// For excerpts, and for plan files.
    pub(crate) texts: Texts,
}

/// The texts that a plan was made from; none where it was made from records.
#[derive(Default)]
pub(crate) struct Texts {
    /// The manifests.
    pub(crate) sources: Vec<Source>,
    /// The definitions of `crds/`.
    pub(crate) crds: Vec<Source>,
    /// The folder that plugin paths are relative to.
    pub(crate) base: PathBuf,
}

impl Planned {
    /// The exit code of a command that may not go on, if the input has errors.
    pub(crate) fn refusal(&self) -> Option<u8> {
        let has_errors =
            self.plan.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        has_errors.then(|| exit_code_of(&self.plan.diagnostics))
    }
}

/// Why there is no plan.
pub(crate) enum NotPlanned {
    /// The input cannot be read.
    Error(CliError),
    /// The release's history does not allow the operation.
    Refused(Box<Refusal>),
}

/// An operation that the history does not allow.
pub(crate) struct Refusal {
    pub(crate) operation: Operation,
    pub(crate) release: ReleaseRef,
    pub(crate) error: RunError,
}

impl<E: Into<CliError>> From<E> for NotPlanned {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Who makes plans: which release, with what.
pub(crate) struct Planner<'a> {
    /// The release and its namespace.
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    /// What the plan depends on besides.
    pub(crate) options: PlanOptions,
    /// Where plugins are looked up.
    pub(crate) host: &'a dyn PluginHost,
    /// How long somebody who is at work on the release is waited for, so that what they leave is what is planned for.
    pub(crate) patience: Duration,
}

impl Planner<'_> {
    fn release(&self, basis: &Basis) -> ReleaseRef {
        ReleaseRef {
            name: self.name.to_owned(),
            namespace: self.namespace.to_owned(),
            revision: basis.revision,
        }
    }

    /// Reads the history; what cannot be read of it becomes a diagnostic.
    pub(crate) async fn history(&self, session: &Session) -> Result<Listing, CliError> {
        if !self.patience.is_zero() {
            let (cluster, release) = (session.cluster.as_ref(), self.release(&Basis::default()));
            wait_for_lock(cluster, &holder::is_alive, &release, self.patience).await?;
        }
        Ok(ReleaseStore::new(session.cluster.as_ref()).history(self.namespace, self.name).await?)
    }

    fn basis(&self, operation: Operation, wish: Wish, history: &[Revision<'_>]) -> Result<Basis, NotPlanned> {
        basis::find(operation, wish, self.name, history).map_err(|error| {
            let revision = history.last().map_or(1, Revision::number);
            let release = self.release(&Basis { revision, ..Basis::default() });
            NotPlanned::Refused(Box::new(Refusal { operation, release, error: *error }))
        })
    }

    /// Looks up the plugins and builds the plan.
    async fn finish(&self, input: PlanInput, texts: Texts) -> Planned {
        let mut plugins = Plugins::new();
        for name in plan::plugins_needed(&input) {
            let found = look_up(self.host, &name, Some(texts.base.clone())).await;
            plugins.insert(name, found);
        }
        Planned { plan: plan::build(input, &plugins, &self.options), texts }
    }
}

/// Whether a plan goes on with a revision that was begun with another one: then it has to begin anew.
fn is_another(planned: &Planned, history: &[Revision<'_>]) -> bool {
    let plan = &planned.plan;
    plan.basis.resumes && history.last().and_then(Unfinished::left) != Some(Unfinished::of(plan))
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

/// Records that could not be read are said, and count for nothing: so it is with Helm.
fn unreadable(listing: &Listing) -> Vec<Diagnostic> {
    let told = |error: &_| Diagnostic::warning("unreadable-record", format!("{error}"));
    listing.unreadable.iter().map(told).collect()
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
