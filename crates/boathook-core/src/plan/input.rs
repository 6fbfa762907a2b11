//! What a plan is made of, for each operation: of a source (install, upgrade, the hooks of one event), or of what the records
//! of a release hold (rollback, uninstall, test: `recorded`). Pure: whoever reads sources and records hands them over.

mod recorded;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{ChartInfo, Operation, ReleaseRef};
use crate::dialect::Read;
use crate::hook::Hook;
use crate::manifest::Document;
use crate::operation::UNFINISHED;
use crate::release::basis::{self, Basis};
use crate::release::companion::Divided;
use crate::release::wasm_hooks::POINTER;
use crate::release::{ApplyMethod, Revision, ServerSide};
use crate::{Diagnostic, HookEvent};

/// Everything a plan is made of.
#[derive(Clone, Debug)]
pub struct PlanInput {
    /// What the user asked for.
    pub operation: Operation,
    /// The revisions it starts from.
    pub basis: Basis,
    /// For which release, and which revision of it is made or worked on.
    pub release: ReleaseRef,
    /// Its chart.
    pub chart: ChartInfo,
    /// All hooks, in the order of the release.
    pub hooks: Vec<Hook>,
    /// The same as they will be recorded.
    pub stored_hooks: Divided,
    /// Definitions of `crds/`.
    pub crds: Vec<Document>,
    /// The ordinary documents, in install order.
    pub resources: Vec<Document>,
    /// Those of the revision whose objects are on the cluster.
    pub base: Vec<Document>,
    /// What a new revision records besides.
    pub revision: Option<NewRevision>,
    /// How objects are written.
    pub apply_method: ApplyMethod,
    /// Fields that the client wrote so far move to the server-side manager.
    pub migrate: bool,
    /// The user's text for the history.
    pub description: Option<String>,
    /// An uninstall keeps the records.
    pub keep_history: bool,
    /// A failure deletes the objects that were created.
    pub cleanup_on_fail: bool,
    /// What is done when it fails.
    pub on_failure: OnFailure<PlanInput>,
    /// What reading had to say.
    pub diagnostics: Vec<Diagnostic>,
}

/// What is done when an operation fails.
#[derive(Clone, Debug, Default)]
pub enum OnFailure<T> {
    /// Nothing.
    #[default]
    Leave,
    /// Another operation, that undoes it (`--rollback-on-failure`).
    Recover(Box<T>),
    /// Nothing, although it was asked for: there is no earlier success.
    NothingToRecover,
}

/// What a new revision's record holds besides hooks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRevision {
    /// The chart as Helm stores it.
    pub chart: Value,
    /// The user's values.
    pub config: Option<Value>,
    /// The rendered notes.
    pub notes: Option<Value>,
    /// The ordinary documents as Helm stores them (`---`, `# Source: path`, text).
    pub manifest: String,
    /// Labels on the record besides Helm's own.
    pub labels: BTreeMap<String, String>,
    /// When revision 1 was made; nothing if this is it.
    pub first_deployed: Option<Timestamp>,
    /// Revisions whose records make room for it.
    pub prune: Vec<u32>,
}

/// A chart, as far as plan and record need it.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What it says of itself.
    pub info: ChartInfo,
    /// As Helm stores it; nothing for plain manifests.
    pub record: Option<Value>,
    /// The user's values.
    pub config: Map<String, Value>,
    /// The rendered notes.
    pub notes: Option<String>,
}

/// What the user may choose about revisions and records.
#[derive(Clone, Debug)]
pub struct RevisionOptions {
    /// Labels on the record; an upgrade merges them, `null` removes one.
    pub labels: BTreeMap<String, String>,
    /// How objects are written.
    pub server_side: ServerSide,
    /// How many records are kept; 0: all.
    pub history_max: u32,
    /// The user's text for the history.
    pub description: Option<String>,
    /// A failure deletes the objects that were created.
    pub cleanup_on_fail: bool,
    /// A failed install is uninstalled, a failed upgrade rolled back.
    pub rollback_on_failure: bool,
    /// An uninstall keeps the records.
    pub keep_history: bool,
}

/// Which tests run, by name (`--filter`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestFilter {
    /// Only these, if any is named.
    pub include: Vec<String>,
    /// All but these.
    pub exclude: Vec<String>,
}

impl ChartInfo {
    /// What `metadata` of a chart says.
    pub fn of(metadata: &Value) -> Self {
        let field = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            name: field("name").unwrap_or_default(),
            version: field("version").unwrap_or_default(),
            app_version: field("appVersion"),
        }
    }
}

impl PlanInput {
    fn empty(operation: Operation, basis: Basis, name: &str, namespace: &str) -> Self {
        let revision = basis.revision;
        Self {
            operation,
            basis,
            release: ReleaseRef { name: name.to_owned(), namespace: namespace.to_owned(), revision },
            chart: ChartInfo::default(),
            hooks: Vec::new(),
            stored_hooks: Divided::default(),
            crds: Vec::new(),
            resources: Vec::new(),
            base: Vec::new(),
            revision: None,
            apply_method: ApplyMethod::ServerSide,
            migrate: false,
            description: None,
            keep_history: false,
            cleanup_on_fail: false,
            on_failure: OnFailure::Leave,
            diagnostics: Vec::new(),
        }
    }

    fn with_source(mut self, chart: &Chart, read: Read) -> Self {
        self.chart = chart.info.clone();
        self.stored_hooks = Divided::of(&read.hooks);
        self.hooks = read.hooks;
        self.resources = read.resources;
        self.diagnostics = read.diagnostics;
        self
    }

    /// The hooks of one event.
    pub fn run(event: HookEvent, release: &ReleaseRef, chart: &Chart, read: Read) -> Self {
        let basis = Basis { revision: release.revision, ..Basis::default() };
        Self::empty(Operation::Run(event), basis, &release.name, &release.namespace).with_source(chart, read)
    }

    /// An install.
    pub fn install(
        basis: Basis,
        release: &ReleaseRef,
        chart: Chart,
        read: Read,
        crds: Vec<Document>,
        options: &RevisionOptions,
    ) -> Self {
        let mut input = Self::empty(Operation::Install, basis, &release.name, &release.namespace)
            .with_source(&chart, read);
        input.crds = crds;
        input.apply_method = options.server_side.resolve(Some(ApplyMethod::ServerSide.as_str()));
        // Objects that are adopted may have been written by an older Helm.
        input.migrate = input.apply_method == ApplyMethod::ServerSide;
        input.description.clone_from(&options.description);
        input.revision = Some(input.new_revision(chart, options.labels.clone()));
        if options.rollback_on_failure {
            let recovery = Self { crds: Vec::new(), revision: None, ..input.clone() };
            input.on_failure = OnFailure::Recover(Box::new(recovery.undone()));
        }
        input
    }

    /// The uninstall of what this input installs.
    fn undone(mut self) -> Self {
        let revision = self.release.revision;
        self.operation = Operation::Uninstall;
        self.basis = Basis { last: Some(revision), base: Some(revision), revision, ..Basis::default() };
        self.description = None;
        self.diagnostics.clear();
        self.on_failure = OnFailure::Leave;
        self
    }

    /// An upgrade over a history whose basis was found.
    pub fn upgrade(
        basis: Basis,
        release: &ReleaseRef,
        history: &[Revision<'_>],
        chart: Chart,
        read: Read,
        options: &RevisionOptions,
    ) -> Self {
        let mut input = Self::empty(Operation::Upgrade, basis.clone(), &release.name, &release.namespace)
            .with_source(&chart, read);
        let (last, base) = (numbered(history, basis.last), numbered(history, basis.base));
        let method = |revision: Option<&Revision<'_>>| revision?.record.apply_method.clone();
        input.apply_method = options.server_side.resolve(method(last).as_deref());
        input.migrate = input.apply_method == ApplyMethod::ServerSide
            && ApplyMethod::recorded(method(base).as_deref()) == ApplyMethod::ClientSide;
        input.take_base(base);
        input.description.clone_from(&options.description);
        input.cleanup_on_fail = options.cleanup_on_fail;
        let mut labels = last.map(|last| last.labels.clone()).unwrap_or_default();
        labels.extend(options.labels.clone());
        labels.retain(|_, value| value != "null");
        let mut revision = input.new_revision(chart, labels);
        revision.first_deployed = base.and_then(|base| base.record.info.first_deployed);
        revision.prune = basis::to_prune(history, options.history_max);
        input.revision = Some(revision);
        if options.rollback_on_failure {
            input.on_failure = input.rolled_back(history, options);
        }
        input
    }

    /// The rollback of a failed upgrade.
    fn rolled_back(&self, history: &[Revision<'_>], options: &RevisionOptions) -> OnFailure<Self> {
        let Some(target) = basis::recovery_target(history) else { return OnFailure::NothingToRecover };
        let failed = self.release.revision;
        let revision = failed.saturating_add(1);
        let basis =
            Basis { last: Some(failed), base: Some(failed), target: Some(target), revision, resumes: false };
        let options =
            RevisionOptions { description: None, cleanup_on_fail: false, history_max: 0, ..options.clone() };
        let mut recovery = Self::rollback(basis, &self.release, history, &options);
        recovery.base.clone_from(&self.resources);
        if let (Some(recovery), Some(own)) = (&mut recovery.revision, &self.revision) {
            recovery.first_deployed = own.first_deployed;
        }
        OnFailure::Recover(Box::new(recovery))
    }

    fn new_revision(&self, chart: Chart, labels: BTreeMap<String, String>) -> NewRevision {
        NewRevision {
            chart: chart.record.unwrap_or_else(|| bare_chart(&chart.info)),
            config: (!chart.config.is_empty()).then_some(Value::Object(chart.config)),
            notes: chart.notes.map(Value::from),
            manifest: self.resources.iter().map(Document::stored).collect(),
            labels: self.pointed(labels),
            first_deployed: None,
            prune: Vec::new(),
        }
    }

    /// Labels, with the one that says where the Wasm hooks of the new revision are kept.
    fn pointed(&self, mut labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
        labels.remove(POINTER);
        labels.remove(UNFINISHED);
        if !self.stored_hooks.ours.is_empty() {
            labels.insert(POINTER.to_owned(), self.release.revision.to_string());
        }
        labels
    }
}

fn numbered<'h, 'a>(history: &'h [Revision<'a>], number: Option<u32>) -> Option<&'h Revision<'a>> {
    history.iter().find(|revision| Some(revision.number()) == number)
}

/// What `helm list`, `history` and `rollback` need of a chart that was never one.
fn bare_chart(chart: &ChartInfo) -> Value {
    let version = if chart.version.is_empty() { "0.0.0" } else { chart.version.as_str() };
    let mut metadata = json!({"name": chart.name, "version": version, "apiVersion": "v2"});
    if let Some(app_version) = &chart.app_version {
        metadata["appVersion"] = json!(app_version);
    }
    json!({"metadata": metadata, "lock": null, "templates": [], "values": {}, "schema": null, "files": []})
}
