//! The release records of one operation: what is written into them, and when. The points are Helm's: before the first hook,
//! when a hook begins, and at the end; what is written there is a table of core. An operation that records nothing has an
//! empty recorder. Nothing else in the engine writes a record.

use std::time::Duration;

use boathook_core::operation::{ItemOutcome, OperationRecord, Touched, UNFINISHED, Unfinished};
use boathook_core::plan::{HookStep, NewRevision, Operation, Plan, StepId};
use boathook_core::release::companion::{CompanionRecord, HookPlace, StepResult};
use boathook_core::release::lifecycle::{Ending, Own, Superseded, Written, abandoned, beginning};
use boathook_core::release::{HookEntry, Info, LastRun, Record, Status, phase_word};
use boathook_core::run_event::{HookResult, Outcome, Phase, RunError};
use jiff::Timestamp;

use crate::context::Context;
use crate::hook_runner::End;
use crate::journal::{Intent, Journal};
use crate::release_store::{ReleaseStore, StoreError, Stored};

/// An operation that was cancelled still writes its end, but nobody waits longer than this for it.
const LAST_WRITE: Duration = Duration::from_secs(4);

/// Keeps the records of a release while an operation runs.
#[derive(Default)]
pub(crate) struct Recorder {
    /// The revision at hand.
    stored: Option<Stored>,
    /// The others, oldest first.
    others: Vec<Stored>,
    /// What the revision at hand said before an operation that makes no new one.
    former: Option<Info>,
    /// What was changed in Helm's record and is not written.
    unwritten: bool,
    /// What was intended and done; nothing for operations that make no revision.
    journal: Option<Journal>,
    places: Vec<HookPlace>,
}

impl Recorder {
    /// Takes over the history, and stores the new revision, if one is made. If it fails with a status, Helm's record was made
    /// and the end must be written into it.
    pub(crate) async fn begin(
        &mut self,
        plan: &Plan,
        context: &Context,
        history: Vec<Stored>,
    ) -> Result<(), StoreError> {
        self.others = history;
        self.places.clone_from(&plan.hooks.places);
        let now = (context.clock)();
        match &plan.revision {
            Some(revision) if plan.basis.resumes => self.resume(plan, revision, context, now).await,
            Some(revision) => self.create(plan, revision, context, now).await,
            None => {
                self.take_up(plan, now);
                Ok(())
            }
        }
    }

    async fn create(
        &mut self,
        plan: &Plan,
        revision: &NewRevision,
        context: &Context,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let store = ReleaseStore::new(context.cluster.as_ref());
        if let Some(last) = self.others.last_mut() {
            abandon(last, context, &store, now).await?;
        }
        for number in &revision.prune {
            if let Some(place) = self.others.iter().position(|other| other.record.version == *number) {
                store.delete(&self.others[place]).await?;
                self.others.remove(place);
            }
        }
        if plan.operation == Operation::Install
            && let Some(replaced) = self.others.last_mut()
            && replaced.record.info.status == Status::Uninstalled
        {
            replaced.record.info.status = Status::Superseded;
            replaced.record.info.description = "superseded by new release".to_owned();
            store.update(replaced, now).await?;
        }
        let record = new_record(plan, revision, now);
        let mut labels = revision.labels.clone();
        Unfinished::of(plan).mark(&mut labels);
        let stored = self.stored.insert(store.create(record, labels, now).await?);
        stored.companion = Some(companion(plan, context));
        self.journal = Some(Journal::begin(plan, context));
        // The journal has nothing to tell before a hook begins; the hooks that Helm cannot store belong to the revision.
        if plan.hooks.ours.is_empty() { Ok(()) } else { self.write_journal(context).await }
    }

    /// Goes on with a revision that the same command began. Both records are written, so that whoever was at it before cannot
    /// write either any more.
    async fn resume(
        &mut self,
        plan: &Plan,
        revision: &NewRevision,
        context: &Context,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let own = self.others.pop().ok_or(StoreError::NotFound)?;
        let stored = self.stored.insert(own);
        let begun = new_record(plan, revision, now);
        match stored.companion.as_ref().and_then(CompanionRecord::unfinished) {
            Some(record) => {
                self.journal = Journal::take_over(record, plan, context);
                (stored.record.info.status, stored.record.info.description) =
                    (begun.info.status, begun.info.description);
            }
            // No hook was begun.
            None => {
                stored.record = begun;
                stored.companion = Some(companion(plan, context));
                self.journal = Some(Journal::begin(plan, context));
            }
        }
        if self.journal.is_none() {
            return Err(StoreError::Conflict {
                name: plan.release.name.clone(),
                revision: plan.release.revision,
            });
        }
        if let Some(companion) = &mut stored.companion {
            (companion.outcome, companion.error) = (None, None);
        }
        let known = stored.has_companion() || !plan.hooks.ours.is_empty();
        ReleaseStore::new(context.cluster.as_ref()).update(stored, now).await?;
        if known { self.write_journal(context).await } else { Ok(()) }
    }

    /// The journal, where the operation has one.
    pub(crate) fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut()
    }

    /// The id that objects and plugins are told: it stays when somebody takes the operation over.
    pub(crate) fn operation<'a>(&'a self, context: &'a Context) -> &'a str {
        self.journal.as_ref().map_or(&context.options.operation_id, Journal::operation)
    }

    /// Writes the journal, if nobody else did since.
    pub(crate) async fn write_journal(&mut self, context: &Context) -> Result<(), StoreError> {
        let (Some(stored), Some(journal)) = (&mut self.stored, &self.journal) else { return Ok(()) };
        if let Some(companion) = &mut stored.companion {
            companion.record = journal.to_value();
        }
        ReleaseStore::new(context.cluster.as_ref()).write_companion(stored, (context.clock)()).await
    }

    /// What a hook of this revision said when it ended, before the operation was taken over.
    pub(crate) fn result(&self, id: &StepId) -> Option<HookResult> {
        let companion = self.stored.as_ref()?.companion.as_ref()?;
        companion.results.iter().find(|result| result.step == *id).map(|result| result.result.clone())
    }

    /// A hook is going to begin: that is written before anything else of it.
    pub(crate) async fn intend(
        &mut self,
        id: &StepId,
        hook: &HookStep,
        context: &Context,
    ) -> Result<Intent, StoreError> {
        let Some(journal) = &mut self.journal else { return Ok(Intent::default()) };
        let intent = journal.intend(id);
        if let Some((entry, HookPlace::Ours(_))) = self.entry(hook) {
            entry.last_run = LastRun::begun((context.clock)());
        }
        self.write_journal(context).await?;
        Ok(intent)
    }

    /// An operation on a revision that is there: its changes are written when the first hook begins.
    fn take_up(&mut self, plan: &Plan, now: Timestamp) {
        let own = self.others.iter().position(|other| other.record.version == plan.release.revision);
        let Some(own) = own else { return };
        let mut stored = self.others.remove(own);
        let info = &mut stored.record.info;
        self.former = Some(info.clone());
        // Of a release that is uninstalled only records are left: nothing begins.
        if info.status != Status::Uninstalled
            && let Some(Written { status, description }) = beginning(&plan.subject())
        {
            (info.status, info.description) = (status, description);
            info.deleted = Some(now);
            self.unwritten = true;
        }
        // A filter of tests leaves the hooks in another order.
        let reordered = plan.operation == Operation::Test;
        if reordered {
            stored.record.hooks.clone_from(&plan.hooks.helm);
        }
        match &mut stored.companion {
            Some(companion) if reordered => companion.hooks.clone_from(&plan.hooks.ours),
            // Hooks that Helm's rollback left behind are this revision's from now on.
            None if !plan.hooks.ours.is_empty() => {
                stored.companion = Some(CompanionRecord {
                    name: plan.release.name.clone(),
                    namespace: plan.release.namespace.clone(),
                    version: plan.release.revision,
                    hooks: plan.hooks.ours.clone(),
                    ..CompanionRecord::default()
                });
            }
            Some(_) | None => {}
        }
        self.stored = Some(stored);
    }

    /// Writes what was changed so far. That it fails is logged only, as with Helm: the next write says the same.
    pub(crate) async fn persist(&mut self, context: &Context) {
        let now = (context.clock)();
        let store = ReleaseStore::new(context.cluster.as_ref());
        if let Some(stored) = &mut self.stored
            && self.unwritten
        {
            match store.update(stored, now).await {
                Ok(()) => self.unwritten = false,
                Err(error) => tracing::warn!(%error, "cannot record how far the operation is"),
            }
        }
    }

    /// A hook is reached: the default policy is written down, as Helm does it only now.
    pub(crate) fn reached(&mut self, hook: &HookStep) {
        if let Some((entry, _)) = self.entry(hook)
            && entry.delete_policies.is_empty()
        {
            entry.delete_policies =
                hook.delete_policies.iter().map(|policy| policy.as_str().to_owned()).collect();
        }
    }

    /// A hook begins: one write. That it fails is logged only: the hook is not to blame.
    pub(crate) async fn running(&mut self, hook: &HookStep, context: &Context) {
        let now = (context.clock)();
        let written = self.journal.is_some();
        let Some((entry, place)) = self.entry(hook) else { return };
        if !written || matches!(place, HookPlace::Helm(_)) {
            entry.last_run = LastRun::begun(now);
        }
        match place {
            HookPlace::Helm(_) => self.unwritten = true,
            HookPlace::Ours(_) if self.journal.is_some() => {}
            HookPlace::Ours(_) => {
                let store = ReleaseStore::new(context.cluster.as_ref());
                if let Some(stored) = &mut self.stored
                    && let Err(error) = store.write_companion(stored, now).await
                {
                    tracing::warn!(hook = hook.slug(), %error, "cannot record that a hook runs");
                }
            }
        }
        self.persist(context).await;
        // Only a wait that was cut off leaves this word behind.
        if let Some((entry, _)) = self.entry(hook) {
            phase_word(Phase::Unknown).clone_into(&mut entry.last_run.phase);
        }
    }

    /// A hook ended: in memory only, as with Helm.
    pub(crate) fn ended(
        &mut self,
        id: &StepId,
        hook: &HookStep,
        end: &End,
        objects: Vec<Touched>,
        result: &HookResult,
        now: Timestamp,
    ) {
        let outcome = match end {
            End::Succeeded => Some(ItemOutcome::Succeeded),
            End::Failed(error) | End::NotCreated(error) | End::NotStarted(error) => {
                Some(ItemOutcome::Failed(error.message.clone()))
            }
            End::Interrupted => None,
        };
        if let (Some(journal), Some(outcome)) = (&mut self.journal, outcome) {
            journal.done(id, outcome, objects);
        }
        let phase = match end {
            End::Succeeded => Some(Phase::Succeeded),
            End::Failed(_) | End::NotCreated(_) => Some(Phase::Failed),
            End::NotStarted(_) | End::Interrupted => None,
        };
        if let (Some(phase), Some((entry, _))) = (phase, self.entry(hook)) {
            entry.last_run.completed_at = Some(now);
            phase_word(phase).clone_into(&mut entry.last_run.phase);
        }
        if let Some(companion) = self.stored.as_mut().and_then(|stored| stored.companion.as_mut()) {
            companion.results.retain(|other| other.step != *id);
            companion.results.push(StepResult { step: id.clone(), result: result.clone() });
        }
    }

    /// The operation ended: the last write of all records that it concerns.
    pub(crate) async fn finish(
        &mut self,
        plan: &Plan,
        context: &Context,
        ending: Ending,
        outcome: Outcome,
        error: Option<&RunError>,
    ) -> Result<(), String> {
        let writing = self.write_end(plan, context, ending, outcome, error);
        if outcome == Outcome::Interrupted {
            let written = tokio::time::timeout(LAST_WRITE, writing).await;
            written.map_err(|_| "the API did not answer in time".to_owned())?.map_err(|e| e.to_string())
        } else {
            writing.await.map_err(|error| error.to_string())
        }
    }

    async fn write_end(
        &mut self,
        plan: &Plan,
        context: &Context,
        ending: Ending,
        outcome: Outcome,
        error: Option<&RunError>,
    ) -> Result<(), StoreError> {
        let Some(stored) = &mut self.stored else { return Ok(()) };
        if let Some(journal) = &mut self.journal {
            journal.finish(outcome);
            if outcome != Outcome::Interrupted {
                stored.labels.remove(UNFINISHED);
            }
        }
        if let (Some(companion), Some(journal)) = (&mut stored.companion, &self.journal) {
            companion.record = journal.to_value();
        }
        let now = (context.clock)();
        let store = ReleaseStore::new(context.cluster.as_ref());
        let former = self.former.take();
        if let (Some(companion), None) = (&mut stored.companion, &former) {
            companion.outcome = Some(outcome);
            companion.error = error.cloned();
        }
        match ending.own {
            Own::Purged => {
                for revision in self.others.iter().chain([&*stored]) {
                    store.delete(revision).await?;
                }
                stored.record.info.status = Status::Uninstalled;
                return Ok(());
            }
            Own::Set(Written { status, description }) => {
                stored.record.info.status = status;
                stored.record.info.description = description;
            }
            Own::Former => {
                if let Some(former) = former {
                    stored.record.info = former;
                }
            }
            Own::AsBegun => {}
        }
        // Helm supersedes before it writes the new revision, but after it wrote an uninstalled one.
        if plan.operation != Operation::Uninstall {
            supersede(&mut self.others, plan, ending.superseded, &store, now).await;
        }
        store.update(stored, now).await?;
        let tells = |ours: &CompanionRecord| !ours.hooks.is_empty() || !ours.results.is_empty();
        if stored.has_companion() || stored.companion.as_ref().is_some_and(tells) {
            store.write_companion(stored, now).await?;
        }
        if plan.operation == Operation::Uninstall {
            supersede(&mut self.others, plan, ending.superseded, &store, now).await;
        }
        Ok(())
    }

    /// The release's status as the record has it; nothing where nothing is recorded.
    pub(crate) fn status(&self) -> Option<String> {
        self.stored.as_ref().map(|stored| stored.record.info.status.to_string())
    }

    fn entry(&mut self, hook: &HookStep) -> Option<(&mut HookEntry, HookPlace)> {
        let stored = self.stored.as_mut()?;
        let place = *self.places.get(hook.index)?;
        let entry = match place {
            HookPlace::Helm(index) => stored.record.hooks.get_mut(index)?,
            HookPlace::Ours(index) => &mut stored.companion.as_mut()?.hooks.get_mut(index)?.entry,
        };
        Some((entry, place))
    }
}

/// Ends what an earlier command began with another plan and did not finish: another revision comes in its place. Nobody who is
/// still at it can write either record any more.
async fn abandon(
    last: &mut Stored,
    context: &Context,
    store: &ReleaseStore<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if Unfinished::left(&last.revision()).is_none() {
        return Ok(());
    }
    last.labels.remove(UNFINISHED);
    if last.record.info.status.is_pending() {
        let Written { status, description } = abandoned(&last.record.name);
        (last.record.info.status, last.record.info.description) = (status, description);
    }
    store.update(last, now).await?;
    let Some(companion) = &mut last.companion else { return Ok(()) };
    let Some(mut record) = companion.unfinished() else { return Ok(()) };
    if record.abandon(&context.options.holder).is_ok() {
        companion.record = OperationRecord::to_value(&record);
    }
    store.write_companion(last, now).await
}

/// Marks other revisions. That it fails is logged only, as with Helm: of several deployed revisions the newest counts.
async fn supersede(
    others: &mut [Stored],
    plan: &Plan,
    which: Superseded,
    store: &ReleaseStore<'_>,
    now: Timestamp,
) {
    for other in others {
        let is_meant = match which {
            Superseded::None => false,
            Superseded::Base => Some(other.record.version) == plan.basis.base,
            Superseded::Deployed => other.record.info.status == Status::Deployed,
        };
        if is_meant {
            other.record.info.status = Status::Superseded;
            if let Err(error) = store.update(other, now).await {
                tracing::warn!(revision = other.record.version, %error, "cannot mark a revision as superseded");
            }
        }
    }
}

fn companion(plan: &Plan, context: &Context) -> CompanionRecord {
    CompanionRecord {
        name: plan.release.name.clone(),
        namespace: plan.release.namespace.clone(),
        version: plan.release.revision,
        operation: context.options.operation_id.clone(),
        hooks: plan.hooks.ours.clone(),
        ..CompanionRecord::default()
    }
}

fn new_record(plan: &Plan, revision: &NewRevision, now: Timestamp) -> Record {
    let begun = beginning(&plan.subject());
    let (status, description) =
        begun.map(|Written { status, description }| (status, description)).unwrap_or_default();
    let mut info = Info {
        first_deployed: Some(revision.first_deployed.unwrap_or(now)),
        last_deployed: Some(now),
        status,
        description,
        rollback_revision: plan.basis.target,
        ..Info::default()
    };
    info.rest.extend(revision.notes.clone().map(|notes| ("notes".to_owned(), notes)));
    Record {
        name: plan.release.name.clone(),
        namespace: plan.release.namespace.clone(),
        version: plan.release.revision,
        info,
        chart: revision.chart.clone(),
        config: revision.config.clone(),
        manifest: revision.manifest.clone(),
        hooks: plan.hooks.helm.clone(),
        apply_method: Some(plan.apply_method.as_str().to_owned()),
        ..Record::default()
    }
}
