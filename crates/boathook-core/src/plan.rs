//! The plan of one operation: every step, in the order in which it will run, with everything decided. The executor
//! only does what stands here.

mod build;
mod changes;
mod digest;
mod document;
mod input;
mod operation;
mod schema_work;
mod suggest;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hook::{DeletePolicy, OutputLogPolicy};
use crate::permissions::Permissions;
use crate::plugin::PluginInfo;
use crate::release::ApplyMethod;
use crate::release::basis::Basis;
use crate::release::companion::Divided;
use crate::release::lifecycle::Subject;
use crate::source::Origin;
use crate::wasm_hook::{Credential, Limits};
use crate::{Diagnostic, HookEvent, Object, ObjectRef};

pub use build::{HookOrder, PlanOptions, Plugins, UnusablePlugin, build, config_violations, plugins_needed};
pub use document::PlanDocument;
pub use input::{Chart, NewRevision, OnFailure, PlanInput, RevisionOptions, TestFilter};
pub use operation::{Operation, StepPhase, WaitStrategy};

/// [`Diagnostic::code`] of a plugin's need that the hook does not grant: the only error with an exit code of its own.
pub const NOT_GRANTED: &str = "permission-not-granted";

/// [`Diagnostic::code`] of a template that gives another text each time: its path stands in the plan's document, too.
pub const NOT_DETERMINISTIC: &str = "not-deterministic";

/// Which release, and which of its revisions the operation makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseRef {
    /// The release.
    pub name: String,
    /// The namespace it lives in.
    pub namespace: String,
    /// Counts from 1.
    pub revision: u32,
}

/// What the release's chart says of itself; for plain manifests the name is the source's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartInfo {
    /// `name` of Chart.yaml.
    pub name: String,
    /// `version` of Chart.yaml.
    pub version: String,
    /// `appVersion` of Chart.yaml.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app_version: Option<String>,
}

/// Everything one operation will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the user asked for.
    pub operation: Operation,
    /// For which release.
    pub release: ReleaseRef,
    /// Its chart.
    pub chart: ChartInfo,
    /// In the order in which they run.
    pub steps: Vec<Step>,
    /// What is to be said of the input; a plan with an error among them is never executed.
    pub diagnostics: Vec<Diagnostic>,
    /// The revisions it starts from. An executor that finds others does nothing.
    pub basis: Basis,
    /// All hooks of the release, of every event, as they will be recorded.
    pub hooks: Divided,
    /// What the record of a new revision holds besides; nothing where none is made.
    pub revision: Option<NewRevision>,
    /// How objects are written.
    pub apply_method: ApplyMethod,
    /// The release was written by the client so far: its fields move to the server-side manager.
    pub migrate: bool,
    /// The user's text for the history.
    pub description: Option<String>,
    /// An uninstall keeps the records.
    pub keep_history: bool,
    /// A failed upgrade or rollback deletes the objects that it created.
    pub cleanup_on_fail: bool,
    /// What is done when it fails.
    pub on_failure: OnFailure<Plan>,
}

impl Plan {
    /// What the records' table needs to know of it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            operation: self.operation,
            name: &self.release.name,
            target: self.basis.target,
            description: self.description.as_deref(),
            keep_history: self.keep_history,
        }
    }

    /// The steps of a phase.
    pub fn steps_of(&self, phase: StepPhase) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.phase == phase)
    }
}

/// The identity of a step: its phase and its place in it, from 1: `pre-install/1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing to do.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its identity in plan, run events and report.
    pub id: StepId,
    /// The phase it belongs to.
    pub phase: StepPhase,
    /// What to do.
    pub action: StepAction,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepAction {
    /// Run one hook once.
    Hook(Box<HookStep>),
    /// Create or change one ordinary object, or create one definition of `crds/`.
    Resource(Box<ResourceStep>),
    /// Delete one ordinary object, or leave it.
    Delete(Box<DeleteStep>),
    /// Wait for the objects of the phases before.
    Wait(WaitStep),
}

/// One hook at one event, with its policies and waits decided.
#[derive(Clone, Debug)]
pub struct HookStep {
    /// The event at which it runs.
    pub event: HookEvent,
    /// `apiVersion` as Helm reads it.
    pub api_version: String,
    /// `kind` as Helm reads it.
    pub kind: String,
    /// `metadata.name`; may be empty.
    pub name: String,
    /// The manifest's namespace, else the release's.
    pub namespace: String,
    /// Its place in [`Plan::hooks`].
    pub index: usize,
    /// All events of the hook, as written.
    pub events: Vec<HookEvent>,
    /// Its weight.
    pub weight: i64,
    /// Helm's default filled in.
    pub delete_policies: Vec<DeletePolicy>,
    /// As written.
    pub output_log_policies: Vec<OutputLogPolicy>,
    /// Where it stands.
    pub origin: Origin,
    /// What runs.
    pub run: HookRun,
    /// Wall clock: of one attempt for a plugin; of each wait for a resource.
    pub timeout: Duration,
}

impl HookStep {
    /// Whether a policy is in the list.
    pub fn has_policy(&self, policy: &DeletePolicy) -> bool {
        self.delete_policies.contains(policy)
    }

    /// `WasmHook/ensure-config`, as plans, reports and flags name a hook.
    pub fn slug(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

/// What runs when a hook fires.
#[derive(Clone, Debug)]
pub enum HookRun {
    /// A plugin, under a grant.
    Plugin(Box<PluginRun>),
    /// Objects, created together and then waited for.
    Resource {
        /// The objects, with the release's namespace filled in where the manifest names none.
        objects: Vec<Object>,
        /// What "done" means.
        wait: HookWait,
    },
}

/// When a resource hook is done: Helm looks at Jobs and Pods only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum HookWait {
    /// Condition Complete or Failed.
    Job,
    /// Phase Succeeded or Failed.
    Pod,
    /// Once it is created.
    None,
}

/// A plugin with its grant and settings, checked against its declaration and schema.
#[derive(Clone, Debug)]
pub struct PluginRun {
    /// The plugin that was found.
    pub plugin: PluginInfo,
    /// Its settings.
    pub config: Map<String, Value>,
    /// Its rights.
    pub permissions: Permissions,
    /// Values that the host fills in.
    pub credentials: Vec<Credential>,
    /// Extra attempts after retryable failures.
    pub backoff_limit: u32,
    /// Caps of one run.
    pub limits: Limits,
}

/// One ordinary object to create or change.
#[derive(Clone, Debug)]
pub struct ResourceStep {
    /// The object, with the release's namespace filled in where the manifest names none (whether its kind has
    /// namespaces is known to the cluster only).
    pub object: Object,
    /// What names it.
    pub reference: ObjectRef,
    /// Where it stands.
    pub origin: Origin,
    /// The same object as the revision before has it; nothing if it has none. Another version of the same kind is the same.
    pub original: Option<Object>,
}

/// One ordinary object that leaves the release.
#[derive(Clone, Debug)]
pub struct DeleteStep {
    /// Which.
    pub reference: ObjectRef,
    /// Where it stood.
    pub origin: Origin,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an object that leaves the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Fate {
    /// It is deleted, if it is the release's.
    Delete,
    /// It is deleted, unless the object on the cluster says `helm.sh/resource-policy: keep`.
    DeleteUnlessKept,
    /// Its manifest says `keep`.
    Keep,
    /// Neither kept nor deleted, as Helm has it: its policy is another word, or it is a hook among ordinary objects.
    Orphan,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitStep {
    /// By which rules.
    pub strategy: WaitStrategy,
    /// Jobs are waited for until they are complete; else it is enough that they have started.
    pub jobs: bool,
    /// For all objects together.
    pub timeout: Duration,
}
