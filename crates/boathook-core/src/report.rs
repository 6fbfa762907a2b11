//! The report of one operation: a pure fold over its run events, so that a report made from recorded events equals the
//! live one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::Effect;
use crate::hook::HookEvent;
use crate::plan::{ReleaseRef, StepId};
use crate::run_event::{
    Calls, Happening, HookLabel, HookResult, Outcome, Phase, PluginLabel, ResourceResult, RunError, RunEvent,
};
use crate::wasm_hook::API_VERSION;
use crate::{Diagnostic, ObjectRef};

/// What one operation did, as data: `-o json` of every life-cycle command, and the last line of `-o jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// [`API_VERSION`].
    pub api_version: String,
    /// `Report`.
    pub kind: String,
    /// `install`, `run`, …
    pub operation: String,
    /// Which release, and what became of it.
    pub release: ReportedRelease,
    /// Nothing was kept: see `withheld`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub dry_run: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code of the command.
    pub exit_code: u8,
    /// UTC.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub started_at: Timestamp,
    /// Of the whole operation.
    pub duration_ms: u64,
    /// Every hook that was to run, in order.
    pub hooks: Vec<HookReport>,
    /// The ordinary objects, in the order in which they were done.
    pub resources: Vec<ResourceReport>,
    /// What a dry run left undone, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub withheld: Vec<Withheld>,
    /// What is to be said besides.
    pub diagnostics: Vec<Diagnostic>,
    /// The operation that undid this one after its failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery: Option<Recovery>,
    /// What stopped the operation.
    pub error: Option<RunError>,
}

/// One thing that a step would have done, had it been no dry run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Withheld {
    /// The step's id.
    pub step: StepId,
    /// What.
    pub effect: Effect,
}

/// The release of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportedRelease {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision of this operation.
    pub revision: u32,
    /// Helm's status afterwards; absent where nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<String>,
}

/// What undid a failed operation. Its hooks and objects stand among the report's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recovery {
    /// `rollback`, `uninstall`.
    pub operation: String,
    /// The revision that it made, or removed.
    pub revision: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The status of its revision afterwards.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<String>,
}

/// One hook of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HookReport {
    /// The step's id.
    pub id: StepId,
    /// When it fires.
    pub event: HookEvent,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: i64,
    /// How it ended.
    pub phase: Phase,
    /// How often it was tried.
    pub attempts: u32,
    /// From its start.
    pub duration_ms: u64,
    /// The plugin that ran, if one did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plugin: Option<PluginLabel>,
    /// What it says it did.
    pub message: String,
    /// Whether it changed anything, if it says.
    pub changed: Option<bool>,
    /// Whether its object was deleted after it ran.
    pub deleted: bool,
    /// The cluster only simulates what runs in it.
    pub simulated: bool,
    /// Calls that a plugin made.
    pub calls: Calls,
    /// What a plugin put out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub outputs: BTreeMap<String, Value>,
    /// Its log lines, as `source: text` where more than one source writes.
    pub logs: Vec<String>,
    /// Why it failed.
    pub error: Option<RunError>,
}

impl HookReport {
    fn planned(label: &HookLabel) -> Self {
        Self {
            id: label.id.clone(),
            event: label.event,
            kind: label.kind.clone(),
            name: label.name.clone(),
            weight: label.weight,
            phase: Phase::Skipped,
            attempts: 0,
            duration_ms: 0,
            plugin: label.plugin.clone(),
            message: String::new(),
            changed: None,
            deleted: false,
            simulated: false,
            calls: Calls::default(),
            outputs: BTreeMap::new(),
            logs: Vec::new(),
            error: None,
        }
    }

    fn finish(&mut self, result: &HookResult) {
        self.phase = result.phase;
        self.attempts = result.attempts;
        self.duration_ms = result.duration_ms;
        self.message.clone_from(&result.message);
        self.changed = result.changed;
        self.simulated = result.simulated;
        self.calls = result.calls;
        self.outputs.clone_from(&result.outputs);
        self.error.clone_from(&result.error);
    }
}

/// One ordinary object of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResourceReport {
    /// The object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// What became of it.
    pub result: ResourceResult,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<RunError>,
}

impl Report {
    /// The report of an operation that was refused before anything ran.
    pub fn refused(
        operation: &str,
        release: &ReleaseRef,
        at: Timestamp,
        diagnostics: Vec<Diagnostic>,
        exit_code: u8,
        error: Option<RunError>,
    ) -> Self {
        Self {
            outcome: Outcome::Refused,
            exit_code,
            diagnostics,
            error,
            ..Self::begun(operation, release, at)
        }
    }

    /// Folds the events of one operation. Events that end too early give an interrupted operation: that is what a
    /// recording of a killed process shows.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Option<Self> {
        let mut events = events.into_iter();
        let mut report = events.find_map(Self::started)?;
        for event in events {
            report.add(&event.what);
        }
        Some(report)
    }

    fn started(event: &RunEvent) -> Option<Self> {
        match &event.what {
            Happening::OperationStarted { operation, release, hooks, dry_run, .. } => Some(Self {
                dry_run: *dry_run,
                hooks: hooks.iter().map(HookReport::planned).collect(),
                ..Self::begun(operation, release, event.time)
            }),
            _ => None,
        }
    }

    fn begun(operation: &str, release: &ReleaseRef, at: Timestamp) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Report".to_owned(),
            operation: operation.to_owned(),
            release: ReportedRelease {
                name: release.name.clone(),
                namespace: release.namespace.clone(),
                revision: release.revision,
                status: None,
            },
            dry_run: false,
            outcome: Outcome::Interrupted,
            exit_code: 130,
            started_at: at,
            duration_ms: 0,
            hooks: Vec::new(),
            resources: Vec::new(),
            withheld: Vec::new(),
            diagnostics: Vec::new(),
            recovery: None,
            error: None,
        }
    }

    fn hook(&mut self, step: &StepId) -> Option<&mut HookReport> {
        self.hooks.iter_mut().find(|hook| hook.id == *step)
    }

    fn add(&mut self, what: &Happening) {
        match what {
            Happening::OperationStarted { .. } | Happening::StepProgress { .. } => {}
            Happening::StepStarted { step, .. } => {
                if let Some(hook) = self.hook(step) {
                    hook.phase = Phase::Running;
                }
            }
            Happening::Log { step, line, .. } => {
                if let Some(hook) = self.hook(step) {
                    hook.logs.push(line.clone());
                }
            }
            Happening::AttemptFailed { step, attempt, .. } => {
                if let Some(hook) = self.hook(step) {
                    hook.attempts = *attempt;
                }
            }
            Happening::HookDeleted { step, policy, .. } => {
                let after = policy != "before-hook-creation";
                if let Some(hook) = self.hook(step) {
                    hook.deleted |= after;
                }
            }
            Happening::HookFinished { step, result } => {
                if let Some(hook) = self.hook(step) {
                    hook.finish(result);
                }
            }
            Happening::ResourceFinished { resource, result, error, .. } => {
                self.resources.push(ResourceReport {
                    object: resource.clone(),
                    result: *result,
                    error: error.clone(),
                });
            }
            Happening::Withheld { step, effect } => {
                self.withheld.push(Withheld { step: step.clone(), effect: effect.clone() });
            }
            Happening::RecoveryStarted { operation, revision, hooks, .. } => {
                self.hooks.extend(hooks.iter().map(HookReport::planned));
                self.recovery = Some(Recovery {
                    operation: operation.clone(),
                    revision: *revision,
                    outcome: Outcome::Interrupted,
                    status: None,
                });
            }
            Happening::RecoveryFinished { outcome, status } => {
                if let Some(recovery) = &mut self.recovery {
                    recovery.outcome = *outcome;
                    recovery.status.clone_from(status);
                }
            }
            Happening::Noted { diagnostic } => self.diagnostics.push(diagnostic.clone()),
            Happening::OperationFinished { outcome, exit_code, status, duration_ms, error } => {
                self.outcome = *outcome;
                self.exit_code = *exit_code;
                self.release.status.clone_from(status);
                self.duration_ms = *duration_ms;
                self.error.clone_from(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_event::ErrorCode;

    fn at(millis: i64, what: Happening) -> RunEvent {
        RunEvent { time: Timestamp::from_millisecond(millis).unwrap(), what }
    }

    fn label(id: &str) -> HookLabel {
        HookLabel {
            id: StepId(id.to_owned()),
            event: HookEvent::PreInstall,
            kind: "WasmHook".to_owned(),
            name: "a".to_owned(),
            weight: 1,
            plugin: None,
        }
    }

    fn story() -> Vec<RunEvent> {
        let first = StepId("pre-install/1".to_owned());
        let object = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some("prod".to_owned()),
            name: "c".to_owned(),
        };
        vec![
            at(
                1_000,
                Happening::OperationStarted {
                    operation: "install".to_owned(),
                    release: ReleaseRef { name: "web".into(), namespace: "prod".into(), revision: 1 },
                    hooks: vec![label("pre-install/1"), label("pre-install/2")],
                    resources: 1,
                    dry_run: false,
                },
            ),
            at(1_001, Happening::StepStarted { step: first.clone(), resource: None }),
            at(
                1_002,
                Happening::HookDeleted {
                    step: first.clone(),
                    object: object.clone(),
                    policy: "before-hook-creation".to_owned(),
                },
            ),
            at(
                1_003,
                Happening::HookFinished {
                    step: first.clone(),
                    result: HookResult {
                        phase: Phase::Failed,
                        attempts: 2,
                        duration_ms: 7,
                        message: String::new(),
                        changed: None,
                        simulated: true,
                        calls: Calls { kubernetes: 2, http: 0 },
                        outputs: BTreeMap::new(),
                        error: Some(RunError::new(ErrorCode::PluginFailed, "no")),
                    },
                },
            ),
            at(1_004, Happening::HookDeleted { step: first, object, policy: "hook-failed".to_owned() }),
            at(
                1_005,
                Happening::OperationFinished {
                    outcome: Outcome::Failed,
                    exit_code: 1,
                    status: Some("failed".to_owned()),
                    duration_ms: 5,
                    error: Some(RunError::new(ErrorCode::PluginFailed, "no")),
                },
            ),
        ]
    }

    #[test]
    fn folds_what_happened_to_each_hook() {
        let report = Report::from_events(&story()).unwrap();
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(report.release.status.as_deref(), Some("failed"));
        assert_eq!(report.hooks[0].phase, Phase::Failed);
        assert_eq!(report.hooks[0].attempts, 2);
        assert!(report.hooks[0].deleted && report.hooks[0].simulated);
        assert_eq!(report.hooks[1].phase, Phase::Skipped, "a hook that was never reached says so");
    }

    #[test]
    fn a_deletion_before_creation_does_not_count_as_deleted() {
        let mut events = story();
        events.remove(4);
        assert!(!Report::from_events(&events).unwrap().hooks[0].deleted);
    }

    #[test]
    fn a_recording_that_ends_early_is_an_interrupted_operation() {
        let report = Report::from_events(&story()[..2]).unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::Interrupted, 130));
        assert_eq!(report.hooks[0].phase, Phase::Running);
    }

    #[test]
    fn replayed_events_give_the_live_report() {
        let live = Report::from_events(&story());
        let lines: Vec<String> = story().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let replayed: Vec<RunEvent> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(Report::from_events(&replayed), live);
    }
}
