//! The plan as a JSON document: `boathook plan -o json`. A view of [`Plan`]; texts of objects and settings stay out, so that
//! a plan can be shown to anyone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{
    Fate, HookRun, HookStep, HookWait, NOT_DETERMINISTIC, Plan, ReleaseRef, Step, StepAction, StepId,
    WaitStep, WaitStrategy,
};
use crate::hook::HookEvent;
use crate::permissions::Permissions;
use crate::plugin::PluginOrigin;
use crate::source::Origin;
use crate::wasm_hook::API_VERSION;
use crate::{Diagnostic, ObjectRef};

/// A plan, for scripts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanDocument {
    /// [`API_VERSION`].
    pub api_version: String,
    /// `Plan`.
    pub kind: String,
    /// `install`, `run`, …
    pub operation: String,
    /// For which release.
    pub release: ReleaseRef,
    /// In the order in which they will run.
    pub steps: Vec<StepDocument>,
    /// Templates that give another text each time they are rendered.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub not_deterministic: Vec<String>,
    /// What is to be said of the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepDocument {
    /// Its identity.
    pub id: StepId,
    /// `pre-install`, `apply`, …
    pub phase: String,
    /// What it does.
    #[serde(flatten)]
    pub action: ActionDocument,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ActionDocument {
    /// A hook runs.
    Hook {
        /// Which.
        hook: Box<HookDocument>,
        /// What runs.
        run: RunDocument,
        /// Wall clock of one attempt, or of one wait.
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        timeout_seconds: Number,
    },
    /// An object is applied, or leaves the release.
    Resource {
        /// Which.
        resource: ObjectRef,
        /// What becomes of one that leaves.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        fate: Option<Fate>,
    },
    /// The objects of the phases before are waited for.
    Wait {
        /// By which rules.
        strategy: WaitStrategy,
        /// Jobs are waited for until they are complete.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        jobs: bool,
        /// Wall clock for all of them.
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        timeout_seconds: Number,
    },
}

/// A hook of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HookDocument {
    /// `boathook.dev/v1alpha1`
    pub api_version: String,
    /// `WasmHook`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, the release's where the manifest names none.
    pub namespace: String,
    /// All its events.
    pub events: Vec<HookEvent>,
    /// Its weight.
    pub weight: i64,
    /// With Helm's default filled in.
    pub delete_policies: Vec<String>,
    /// Where it stands.
    pub source: Origin,
}

/// What runs when a hook fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RunDocument {
    /// A plugin.
    Plugin(PluginDocument),
    /// Objects are created.
    Resource {
        /// What "done" means.
        wait: HookWait,
    },
}

/// A plugin of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PluginDocument {
    /// Its name.
    pub name: String,
    /// `built-in`, or the file.
    pub origin: String,
    /// `sha256:…`
    pub digest: String,
    /// What the hook grants it.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub permissions: Permissions,
    /// Names of the credentials it may use.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub credentials: Vec<String>,
}

impl From<&Plan> for PlanDocument {
    fn from(plan: &Plan) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Plan".to_owned(),
            operation: plan.operation.as_str().to_owned(),
            release: plan.release.clone(),
            steps: plan.steps.iter().map(StepDocument::from).collect(),
            not_deterministic: plan
                .diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.code == NOT_DETERMINISTIC)
                .filter_map(|diagnostic| diagnostic.path.clone())
                .collect(),
            diagnostics: plan.diagnostics.clone(),
        }
    }
}

impl From<&Step> for StepDocument {
    fn from(step: &Step) -> Self {
        let action = match &step.action {
            StepAction::Hook(hook) => ActionDocument::Hook {
                hook: Box::new(HookDocument::from(hook.as_ref())),
                run: RunDocument::from(&hook.run),
                timeout_seconds: seconds(hook.timeout),
            },
            StepAction::Resource(resource) => {
                ActionDocument::Resource { resource: resource.reference.clone(), fate: None }
            }
            StepAction::Delete(step) => {
                ActionDocument::Resource { resource: step.reference.clone(), fate: Some(step.fate) }
            }
            StepAction::Wait(WaitStep { strategy, jobs, timeout }) => {
                ActionDocument::Wait { strategy: *strategy, jobs: *jobs, timeout_seconds: seconds(*timeout) }
            }
        };
        Self { id: step.id.clone(), phase: step.phase.to_string(), action }
    }
}

/// Whole seconds as an integer, others as a fraction.
fn seconds(duration: Duration) -> Number {
    match duration.subsec_nanos() {
        0 => duration.as_secs().into(),
        _ => Number::from_f64(duration.as_secs_f64()).unwrap_or_else(|| duration.as_secs().into()),
    }
}

impl From<&HookStep> for HookDocument {
    fn from(hook: &HookStep) -> Self {
        Self {
            api_version: hook.api_version.clone(),
            kind: hook.kind.clone(),
            name: hook.name.clone(),
            namespace: hook.namespace.clone(),
            events: hook.events.clone(),
            weight: hook.weight,
            delete_policies: hook.delete_policies.iter().map(|policy| policy.as_str().to_owned()).collect(),
            source: hook.origin.clone(),
        }
    }
}

impl From<&HookRun> for RunDocument {
    fn from(run: &HookRun) -> Self {
        match run {
            HookRun::Plugin(run) => Self::Plugin(PluginDocument {
                name: run.plugin.name.clone(),
                origin: match &run.plugin.origin {
                    PluginOrigin::BuiltIn => "built-in".to_owned(),
                    PluginOrigin::Installed(path) | PluginOrigin::File(path) => path.clone(),
                },
                digest: run.plugin.digest.clone(),
                permissions: run.permissions.clone(),
                credentials: run.credentials.iter().map(|credential| credential.name.clone()).collect(),
            }),
            HookRun::Resource { wait, .. } => Self::Resource { wait: *wait },
        }
    }
}
