//! One case as its files give it, read and planned. Nothing is compared here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use boathook_core::manifest::{self, Document};
use boathook_core::plan::{self, ChartInfo, HookOrder, Operation, Plan, PlanInput, PlanOptions, ReleaseRef};
use boathook_core::{HookEvent, Source, dialect};
use serde::Deserialize;

/// `case.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What the case is there for.
    pub(crate) why: String,
    /// Its number in the list of conformance cases, and the test of Helm that it comes from.
    #[serde(rename = "source")]
    _source: String,
    /// `install` or `run`; absent: `install`.
    #[serde(default = "install")]
    operation: String,
    /// Which event is run.
    event: Option<HookEvent>,
    /// As on the command line.
    #[serde(default)]
    pub(crate) options: CaseOptions,
    /// Objects that the cluster holds before, as manifests.
    #[serde(default)]
    pub(crate) cluster: String,
    /// Requests that the cluster refuses.
    #[serde(default)]
    pub(crate) refuse: Vec<Refusal>,
    /// The folder of the case.
    #[serde(skip)]
    folder: PathBuf,
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
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct CaseOptions {
    no_hooks: bool,
    skip_hook: Vec<String>,
    only_hook: Vec<String>,
    hook_order_by_kind: bool,
    pub(crate) dry_run: bool,
    pub(crate) take_ownership: bool,
}

/// What reading and planning gave.
pub(crate) struct Outcome {
    /// The documents, in the order in which they were read.
    pub(crate) documents: Vec<Document>,
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
        let case: Self = toml::from_str(&std::fs::read_to_string(folder.join("case.toml"))?)?;
        Ok(Self { folder: folder.to_path_buf(), ..case })
    }

    /// Goes from the texts to the plan.
    pub(crate) fn plan(&self) -> datatest_stable::Result<Outcome> {
        let parsed = manifest::parse(&self.sources()?);
        let documents = parsed.documents.clone();
        let read = dialect::read(parsed.documents);
        let mut diagnostics = parsed.diagnostics;
        diagnostics.extend(read.diagnostics);
        let options = PlanOptions {
            timeout: Duration::from_secs(300),
            no_hooks: self.options.no_hooks,
            skip_hooks: self.options.skip_hook.clone(),
            only_hooks: self.options.only_hook.clone(),
            hook_order: if self.options.hook_order_by_kind { HookOrder::Kind } else { HookOrder::Helm },
        };
        let input = PlanInput {
            operation: self.operation()?,
            release: ReleaseRef { name: "web".to_owned(), namespace: "default".to_owned(), revision: 1 },
            chart: ChartInfo { name: "chart".to_owned(), version: "1.0.0".to_owned(), app_version: None },
            hooks: read.hooks,
            resources: read.resources.clone(),
            plugins: std::collections::BTreeMap::new(),
            diagnostics,
        };
        Ok(Outcome { documents, resources: read.resources, plan: plan::build(input, &options) })
    }

    fn operation(&self) -> datatest_stable::Result<Operation> {
        match (self.operation.as_str(), self.event) {
            ("install", None) => Ok(Operation::Install),
            ("run", Some(event)) => Ok(Operation::Run(event)),
            (other, event) => Err(format!("no operation {other:?} with event {event:?}").into()),
        }
    }

    /// `input.yaml`, or every file below `input/`, whatever its name: what a chart renders to.
    fn sources(&self) -> datatest_stable::Result<Vec<Source>> {
        let file = self.folder.join("input.yaml");
        if file.is_file() {
            return Ok(vec![Source { path: "input.yaml".to_owned(), text: std::fs::read_to_string(file)? }]);
        }
        let root = self.folder.join("input");
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
