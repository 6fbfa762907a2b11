//! One case as its files give it: the operations, and what each is planned from. Nothing is compared here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use boathook_core::dialect::{self, Read};
use boathook_core::manifest::{self, Document};
use boathook_core::plan::{
    self, Chart, ChartInfo, HookOrder, Operation, Plan, PlanInput, PlanOptions, Plugins, ReleaseRef,
    RevisionOptions, TestFilter, WaitStrategy,
};
use boathook_core::release::basis::{self, Wish};
use boathook_core::release::{Revision, ServerSide};
use boathook_core::run_event::RunError;
use boathook_core::{Hook, HookEvent, Source};
use serde::Deserialize;

/// `case.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    why: String,
    /// Its number in the list of conformance cases, and the test of Helm that it comes from.
    #[serde(rename = "source")]
    _source: String,
    #[serde(default = "install")]
    operation: String,
    event: Option<HookEvent>,
    input: Option<String>,
    crds: Option<String>,
    #[serde(default)]
    options: CaseOptions,
    #[serde(default)]
    cluster: String,
    #[serde(default)]
    refuse: Vec<Refusal>,
    interrupt: Option<String>,
    kill: Option<String>,
    #[serde(default)]
    records: Vec<String>,
    #[serde(default)]
    then: Vec<Doing>,
}

/// A case.
pub(crate) struct Case {
    /// What the case is there for.
    pub(crate) why: String,
    /// The operations, one after another on one cluster.
    pub(crate) doings: Vec<Doing>,
    /// The folder of the case.
    folder: PathBuf,
}

/// One operation.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Doing {
    /// `install`, `upgrade`, `rollback`, `uninstall`, `test` or `run`.
    pub(crate) operation: String,
    /// Which event is run.
    event: Option<HookEvent>,
    /// The file or folder with the manifests; absent: `input.yaml`, or `input/`.
    input: Option<String>,
    /// The file with the definitions of `crds/`.
    crds: Option<String>,
    /// As on the command line.
    #[serde(default)]
    pub(crate) options: CaseOptions,
    /// Objects that somebody makes before, or puts in the place of what is there, as manifests.
    #[serde(default)]
    pub(crate) cluster: String,
    /// Requests that the cluster refuses.
    #[serde(default)]
    pub(crate) refuse: Vec<Refusal>,
    /// The user's signal comes with this request.
    pub(crate) interrupt: Option<String>,
    /// The process is killed before this request.
    pub(crate) kill: Option<String>,
    /// Release records that another tool made before, as JSON.
    #[serde(default)]
    pub(crate) records: Vec<String>,
}

/// A request that the cluster refuses, as it would for want of rights.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    /// `create ConfigMap/a`, as requests.txt shows it.
    pub(crate) request: String,
    /// What it answers.
    pub(crate) message: String,
}

/// Options of the operation.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct CaseOptions {
    no_hooks: bool,
    skip_hook: Vec<String>,
    only_hook: Vec<String>,
    hook_order_by_kind: bool,
    pub(crate) dry_run: bool,
    pub(crate) take_ownership: bool,
    pub(crate) force_conflicts: bool,
    timeout_seconds: Option<u64>,
    wait: bool,
    install: bool,
    to: Option<u32>,
    server_side: Option<bool>,
    history_max: Option<u32>,
    description: Option<String>,
    cleanup_on_fail: bool,
    rollback_on_failure: bool,
    keep_history: bool,
    include: Vec<String>,
    exclude: Vec<String>,
}

/// What reading gave.
pub(crate) struct Reading {
    /// The documents, in the order in which they were read.
    pub(crate) documents: Vec<Document>,
    /// The hooks, in stored order.
    pub(crate) hooks: Vec<Hook>,
    /// The ordinary ones, in stored order.
    pub(crate) resources: Vec<Document>,
    /// The plan, with every diagnostic.
    pub(crate) plan: Plan,
}

fn install() -> String {
    "install".to_owned()
}

impl Case {
    pub(crate) fn read(folder: &Path) -> datatest_stable::Result<Self> {
        let file: CaseFile = toml::from_str(&std::fs::read_to_string(folder.join("case.toml"))?)?;
        let CaseFile { why, then, operation, event, input, crds, .. } = file;
        let CaseFile { options, cluster, refuse, interrupt, kill, records, .. } = file;
        let first =
            Doing { operation, event, input, crds, options, cluster, refuse, interrupt, kill, records };
        let doings = std::iter::once(first).chain(then).collect();
        Ok(Self { why, doings, folder: folder.to_path_buf() })
    }

    /// The plan of an operation over a history, or why there is none.
    pub(crate) fn plan(
        &self,
        doing: &Doing,
        history: &[Revision<'_>],
    ) -> datatest_stable::Result<Result<Reading, Box<RunError>>> {
        let release = ReleaseRef { name: "web".to_owned(), namespace: "default".to_owned(), revision: 1 };
        let chart = Chart {
            info: ChartInfo { name: "chart".to_owned(), version: "1.0.0".to_owned(), app_version: None },
            ..Chart::default()
        };
        let (operation, wish) = doing.operation(history)?;
        let basis = match basis::find(operation, wish, &release.name, history) {
            Ok(basis) => basis,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let release = ReleaseRef { revision: basis.revision, ..release };
        let revision = doing.revision_options();
        let sourced = matches!(operation, Operation::Install | Operation::Upgrade | Operation::Run(_));
        let (documents, read) = if sourced { self.sorted(doing)? } else { Default::default() };
        let (hooks, resources) = (read.hooks.clone(), read.resources.clone());
        let input = match operation {
            Operation::Install => {
                PlanInput::install(basis, &release, chart, read, self.crds(doing)?, &revision)
            }
            Operation::Upgrade => PlanInput::upgrade(basis, &release, history, chart, read, &revision),
            Operation::Rollback => PlanInput::rollback(basis, &release, history, &revision),
            Operation::Uninstall => PlanInput::uninstall(basis, &release, history, &revision),
            Operation::Test => {
                let CaseOptions { include, exclude, .. } = doing.options.clone();
                PlanInput::test(basis, &release, history, &TestFilter { include, exclude })
            }
            Operation::Run(event) => PlanInput::run(event, &release, &chart, read),
        };
        let plan = plan::build(input, &Plugins::new(), &doing.plan_options());
        Ok(Ok(Reading { documents, hooks, resources, plan }))
    }

    fn sorted(&self, doing: &Doing) -> datatest_stable::Result<(Vec<Document>, Read)> {
        let parsed = manifest::parse(&self.sources(doing.input.as_deref())?);
        let documents = parsed.documents.clone();
        let mut read = dialect::read(parsed.documents);
        read.diagnostics.splice(0..0, parsed.diagnostics);
        Ok((documents, read))
    }

    fn crds(&self, doing: &Doing) -> datatest_stable::Result<Vec<Document>> {
        let Some(file) = &doing.crds else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(self.folder.join(file))?;
        Ok(manifest::parse(&[Source { path: file.clone(), text }]).documents)
    }

    /// A file, or every file below a folder, whatever its name: what a chart renders to.
    fn sources(&self, named: Option<&str>) -> datatest_stable::Result<Vec<Source>> {
        let file = self.folder.join(named.unwrap_or("input.yaml"));
        if file.is_file() {
            return Ok(vec![Source { path: "input.yaml".to_owned(), text: std::fs::read_to_string(file)? }]);
        }
        let root = self.folder.join(named.unwrap_or("input"));
        let mut sources = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let shown = path.strip_prefix(&root)?.to_string_lossy().into_owned();
                    sources.push(Source { path: shown, text: std::fs::read_to_string(&path)? });
                }
            }
        }
        Ok(sources)
    }
}

impl Doing {
    /// `upgrade` with `install` is what the command makes of it.
    fn operation(&self, history: &[Revision<'_>]) -> datatest_stable::Result<(Operation, Wish)> {
        let CaseOptions { to, keep_history, .. } = self.options;
        let gone = history.last().is_none_or(|last| last.status().as_str() == "uninstalled");
        let replace = self.options.install && gone && !history.is_empty();
        let operation = match (self.operation.as_str(), self.event) {
            ("install", None) => Operation::Install,
            ("upgrade", None) if self.options.install && gone => Operation::Install,
            ("upgrade", None) => Operation::Upgrade,
            ("rollback", None) => Operation::Rollback,
            ("uninstall", None) => Operation::Uninstall,
            ("test", None) => Operation::Test,
            ("run", Some(event)) => Operation::Run(event),
            (other, event) => return Err(format!("no operation {other:?} with event {event:?}").into()),
        };
        Ok((operation, Wish { to, replace, keep_history, anew: false }))
    }

    fn revision_options(&self) -> RevisionOptions {
        let options = &self.options;
        RevisionOptions {
            labels: Default::default(),
            server_side: match options.server_side {
                None if self.operation == "install" => ServerSide::Yes,
                None => ServerSide::Auto,
                Some(true) => ServerSide::Yes,
                Some(false) => ServerSide::No,
            },
            history_max: options.history_max.unwrap_or(10),
            description: options.description.clone(),
            cleanup_on_fail: options.cleanup_on_fail,
            rollback_on_failure: options.rollback_on_failure,
            keep_history: options.keep_history,
        }
    }

    fn plan_options(&self) -> PlanOptions {
        let options = &self.options;
        PlanOptions {
            timeout: Duration::from_secs(options.timeout_seconds.unwrap_or(300)),
            no_hooks: options.no_hooks,
            skip_hooks: options.skip_hook.clone(),
            only_hooks: options.only_hook.clone(),
            hook_order: if options.hook_order_by_kind { HookOrder::Kind } else { HookOrder::Helm },
            wait: if options.wait { WaitStrategy::Watcher } else { WaitStrategy::HookOnly },
            wait_for_jobs: false,
        }
    }
}
