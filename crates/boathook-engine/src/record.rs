//! The release record of one operation: what is written into it, and when. The points are Helm's: before the first
//! hook, when a hook begins, and at the end. An operation that records nothing has an empty recorder.

use std::time::Duration;

use boathook_core::hook::Hook;
use boathook_core::plan::{HookStep, Plan, StepId};
use boathook_core::release::companion::{CompanionHook, CompanionRecord, StepResult};
use boathook_core::release::{HookEntry, Info, LastRun, Record, Status, phase_word};
use boathook_core::run_event::{HookResult, Outcome, Phase, RunError};
use boathook_core::wasm_hook;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::hook_runner::End;
use crate::release_store::{ReleaseStore, StoreError, Stored};

/// An operation that was cancelled still writes its end, but nobody waits longer than this for it.
const LAST_WRITE: Duration = Duration::from_secs(4);

/// Keeps the record of the revision that the operation makes.
#[derive(Default)]
pub(crate) struct Recorder {
    stored: Option<Stored>,
    /// Where each hook of the plan is kept.
    places: Vec<Place>,
}

#[derive(Clone, Copy)]
enum Place {
    /// Index into Helm's `hooks[]`.
    Helm(usize),
    /// Index into ours.
    Ours(usize),
}

impl Recorder {
    /// Stores the revision as `pending-install`; an uninstalled one before it is marked as superseded. If it fails with
    /// a status, Helm's record was made and the end must be written into it.
    pub(crate) async fn begin(
        &mut self,
        plan: &Plan,
        context: &Context,
        replaced: Option<Stored>,
    ) -> Result<(), StoreError> {
        let now = (context.clock)();
        let store = ReleaseStore::new(context.cluster.as_ref());
        if let Some(mut replaced) = replaced {
            replaced.record.info.status = Status::Superseded;
            replaced.record.info.description = "superseded by new release".to_owned();
            store.update(&mut replaced, now).await?;
        }
        let (helm, ours) = self.split(&plan.hooks);
        let mut stored =
            store.create(new_record(plan, context, helm, now), context.options.labels.clone(), now).await?;
        if !plan.hooks.is_empty() {
            stored.companion = Some(CompanionRecord {
                name: plan.release.name.clone(),
                namespace: plan.release.namespace.clone(),
                version: plan.release.revision,
                operation: context.options.operation_id.clone(),
                hooks: ours,
                ..CompanionRecord::default()
            });
        }
        let stored = self.stored.insert(stored);
        store.write_companion(stored, now).await
    }

    fn split(&mut self, hooks: &[Hook]) -> (Vec<HookEntry>, Vec<CompanionHook>) {
        let (mut helm, mut ours) = (Vec::new(), Vec::new());
        self.places.clear();
        for (position, hook) in hooks.iter().enumerate() {
            let entry = HookEntry::new(hook);
            if hook.kind == wasm_hook::KIND && hook.api_version == wasm_hook::API_VERSION {
                self.places.push(Place::Ours(ours.len()));
                ours.push(CompanionHook { position, entry });
            } else {
                self.places.push(Place::Helm(helm.len()));
                helm.push(entry);
            }
        }
        (helm, ours)
    }

    /// A hook is reached: the default policy is written down, as Helm does it only now.
    pub(crate) fn reached(&mut self, plan: &Plan, hook: &HookStep) {
        if let Some((entry, _)) = self.entry(plan, hook)
            && entry.delete_policies.is_empty()
        {
            entry.delete_policies =
                hook.delete_policies.iter().map(|policy| policy.as_str().to_owned()).collect();
        }
    }

    /// A hook begins: one write. That it fails is logged only: the hook is not to blame.
    pub(crate) async fn running(&mut self, plan: &Plan, hook: &HookStep, context: &Context) {
        let now = (context.clock)();
        let Some((entry, place)) = self.entry(plan, hook) else { return };
        entry.last_run = LastRun::begun(now);
        let store = ReleaseStore::new(context.cluster.as_ref());
        if let Some(stored) = &mut self.stored {
            let written = match place {
                Place::Helm(_) => store.update(stored, now).await,
                Place::Ours(_) => store.write_companion(stored, now).await,
            };
            if let Err(error) = written {
                tracing::warn!(hook = hook.slug(), %error, "cannot record that a hook runs");
            }
        }
        // Only a wait that was cut off leaves this word behind.
        if let Some((entry, _)) = self.entry(plan, hook) {
            phase_word(Phase::Unknown).clone_into(&mut entry.last_run.phase);
        }
    }

    /// A hook ended: in memory only, as with Helm.
    pub(crate) fn ended(
        &mut self,
        plan: &Plan,
        id: &StepId,
        hook: &HookStep,
        end: &End,
        result: &HookResult,
        now: Timestamp,
    ) {
        let phase = match end {
            End::Succeeded => Some(Phase::Succeeded),
            End::Failed(_) | End::NotCreated(_) => Some(Phase::Failed),
            End::NotStarted(_) | End::Interrupted => None,
        };
        if let (Some(phase), Some((entry, _))) = (phase, self.entry(plan, hook)) {
            entry.last_run.completed_at = Some(now);
            phase_word(phase).clone_into(&mut entry.last_run.phase);
        }
        if let Some(companion) = self.stored.as_mut().and_then(|stored| stored.companion.as_mut()) {
            companion.results.push(StepResult { step: id.clone(), result: result.clone() });
        }
    }

    /// The operation ended: the last write of both records.
    pub(crate) async fn finish(
        &mut self,
        context: &Context,
        status: Status,
        description: String,
        outcome: Outcome,
        error: Option<&RunError>,
    ) -> Result<(), String> {
        let Some(stored) = &mut self.stored else { return Ok(()) };
        stored.record.info.status = status;
        stored.record.info.description = description;
        if let Some(companion) = &mut stored.companion {
            companion.outcome = Some(outcome);
            companion.error = error.cloned();
        }
        let now = (context.clock)();
        let store = ReleaseStore::new(context.cluster.as_ref());
        let writing = async {
            store.update(stored, now).await?;
            store.write_companion(stored, now).await
        };
        if outcome == Outcome::Interrupted {
            let written = tokio::time::timeout(LAST_WRITE, writing).await;
            written.map_err(|_| "the API did not answer in time".to_owned())?.map_err(|e| e.to_string())
        } else {
            writing.await.map_err(|error| error.to_string())
        }
    }

    /// The release's status as the record has it; nothing where nothing is recorded.
    pub(crate) fn status(&self) -> Option<String> {
        self.stored.as_ref().map(|stored| stored.record.info.status.to_string())
    }

    fn entry(&mut self, plan: &Plan, hook: &HookStep) -> Option<(&mut HookEntry, Place)> {
        let stored = self.stored.as_mut()?;
        let index = plan.hooks.iter().position(|candidate| {
            candidate.origin.path == hook.origin.path
                && candidate.origin.document == hook.origin.document
                && candidate.kind == hook.kind
                && candidate.name == hook.name
        })?;
        let place = *self.places.get(index)?;
        let entry = match place {
            Place::Helm(index) => stored.record.hooks.get_mut(index)?,
            Place::Ours(index) => &mut stored.companion.as_mut()?.hooks.get_mut(index)?.entry,
        };
        Some((entry, place))
    }
}

fn new_record(plan: &Plan, context: &Context, hooks: Vec<HookEntry>, now: Timestamp) -> Record {
    let options = &context.options;
    let mut info = Info {
        first_deployed: Some(now),
        last_deployed: Some(now),
        status: Status::PendingInstall,
        description: "Initial install underway".to_owned(),
        ..Info::default()
    };
    if let Some(notes) = &options.notes {
        info.rest.insert("notes".to_owned(), json!(notes));
    }
    Record {
        name: plan.release.name.clone(),
        namespace: plan.release.namespace.clone(),
        version: plan.release.revision,
        info,
        chart: options.chart.clone().unwrap_or_else(|| bare_chart(plan)),
        config: (!options.config.is_empty()).then(|| Value::Object(options.config.clone())),
        manifest: plan.manifest.clone(),
        hooks,
        apply_method: Some("ssa".to_owned()),
        rest: Map::new(),
    }
}

/// What `helm list`, `history` and `rollback` need of a chart that was never one.
fn bare_chart(plan: &Plan) -> Value {
    let chart = &plan.chart;
    let version = if chart.version.is_empty() { "0.0.0" } else { chart.version.as_str() };
    let mut metadata = json!({"name": chart.name, "version": version, "apiVersion": "v2"});
    if let Some(app_version) = &chart.app_version {
        metadata["appVersion"] = json!(app_version);
    }
    json!({"metadata": metadata, "lock": null, "templates": [], "values": {}, "schema": null, "files": []})
}
