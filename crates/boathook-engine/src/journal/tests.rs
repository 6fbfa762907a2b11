//! A command is killed at each of its writes, before it lands and after; the next one goes on. What must hold then is the same
//! for every place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use boathook_core::HookEvent;
use boathook_core::operation::{End, Item, OperationRecord, UNFINISHED, Unfinished};
use boathook_core::plan::{Operation, Plan, StepAction};
use boathook_core::release::basis::{self, Wish};
use boathook_core::release::{Status, companion};
use boathook_core::run_event::{ErrorCode, Outcome};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::cluster::{ClusterError, ClusterErrorKind};
use crate::context::Context;
use crate::fence::{Fence, Gate};
use crate::release_store::{ReleaseStore, Stored, revisions};
use crate::testing::Bench;
use crate::testing::cluster::Change;
use crate::testing::plans::{self, config_map, hook};
use crate::testing::plugins::Attempt;

/// Where a process dies.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// The request never leaves.
    Before,
    /// It lands, and nobody hears the answer.
    After,
}

/// The gate of a process that dies at one of its writes: then nothing is ever answered.
struct Mortal {
    left: AtomicUsize,
    death: Death,
    dead: CancellationToken,
}

impl Gate for Mortal {
    async fn pass<T: Send>(
        &self,
        write: impl Future<Output = Result<T, ClusterError>> + Send,
    ) -> Result<T, ClusterError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok_and(|left| left > 1) {
            return write.await;
        }
        if left.is_ok() && matches!(self.death, Death::After) {
            drop(write.await);
        }
        self.dead.cancel();
        std::future::pending().await
    }
}

/// A plugin, a Job that is kept, one that goes, objects, and a hook after them, which has the name of the first Job.
fn mixed(operation: Operation) -> Plan {
    let (pre, post) = match operation {
        Operation::Install => (HookEvent::PreInstall, HookEvent::PostInstall),
        Operation::Rollback => (HookEvent::PreRollback, HookEvent::PostRollback),
        _ => (HookEvent::PreUpgrade, HookEvent::PostUpgrade),
    };
    let hooks = [
        plans::plugin("p").on(&[pre]),
        hook("Job", "kept", &[]).on(&[pre, post]),
        hook("Job", "gone", &["hook-succeeded"]).on(&[pre]),
    ];
    plans::plan(operation, &hooks, &["a", "b"].map(config_map))
}

async fn history(bench: &Bench) -> Vec<Stored> {
    ReleaseStore::new(bench.cluster.as_ref()).history("prod", "web").await.unwrap().releases
}

/// The plan as it is made now.
async fn planned(bench: &Bench, operation: Operation) -> Plan {
    let history = history(bench).await;
    let basis = basis::find(operation, Wish::default(), "web", &revisions(&history)).unwrap();
    let mut plan = mixed(operation);
    plan.release.revision = basis.revision;
    plan.basis = basis;
    plan
}

fn world() -> Bench {
    let bench = Bench::new();
    bench.plugins.script((0..9).map(|_| Attempt::Ends(Vec::new(), Ok(Default::default()))));
    for job in ["Job prod/kept", "Job prod/gone"] {
        let complete = || Change::Status(json!({"conditions": [{"type": "Complete", "status": "True"}]}));
        bench.cluster.script(job, (0..9).map(|_| complete()));
    }
    bench
}

/// Runs a command that dies at its `n`th write; whether it came so far.
async fn killed(bench: &Bench, operation: Operation, n: usize, death: Death) -> bool {
    let dead = CancellationToken::new();
    let cluster = Fence {
        cluster: bench.cluster.clone(),
        gate: Mortal { left: AtomicUsize::new(n), death, dead: dead.clone() },
    };
    let context = Context { cluster: Arc::new(cluster), ..bench.context() };
    let plan = planned(bench, operation).await;
    let mut nothing = |_| {};
    tokio::select! {
        biased;
        () = dead.cancelled() => true,
        _ = crate::execute(&plan, &context, &mut nothing) => false,
    }
}

/// The hooks that the journal says are done.
async fn done(bench: &Bench, revision: u32) -> Vec<String> {
    let key = format!("Secret prod/{}", companion::secret_name("web", revision));
    if bench.cluster.object(&key).is_none() {
        return Vec::new();
    }
    let history = history(bench).await;
    let stored = history.last().and_then(|last| last.companion.clone()).unwrap();
    let record = OperationRecord::read(stored.record.unwrap()).unwrap();
    let entries = record.journal().iter().filter(|entry| entry.outcome.is_some());
    let hooks = entries.filter_map(|entry| match &entry.item {
        Item::Hook(step) => Some(step.0.clone()),
        _ => None,
    });
    hooks.collect()
}

async fn every_death(operation: Operation, revision: u32) {
    for death in [Death::Before, Death::After] {
        let mut survived = false;
        for n in 1..60 {
            let mut bench = world();
            let before = match operation {
                Operation::Install => &[][..],
                Operation::Upgrade => &[Operation::Install],
                _ => &[Operation::Install, Operation::Upgrade],
            };
            for earlier in before {
                let plan = planned(&bench, *earlier).await;
                assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
            }
            let rounds = before.len() + 1;
            let before = bench.plugins.calls().len();
            if !killed(&bench, operation, n, death).await {
                survived = true;
                break;
            }
            let place = format!("{death:?} write {n}: {:?}", bench.cluster.calls().last());
            // The last write may have been the one that ended it all.
            if history(&bench).await.last().is_some_and(|last| {
                last.record.version == revision && last.record.info.status == Status::Deployed
            }) {
                continue;
            }
            let finished = done(&bench, revision).await;
            let called = bench.plugins.calls().len();
            let made = bench.cluster.effects().len();
            bench.options.holder = "two".to_owned();
            bench.options.operation_id = "op-2".to_owned();
            let plan = planned(&bench, operation).await;
            let story = bench.execute(&plan).await;
            assert_eq!(story.outcome, Outcome::Succeeded, "{place}: {:#?}", story.events);
            let history = history(&bench).await;
            let statuses: Vec<&Status> = history.iter().map(|stored| &stored.record.info.status).collect();
            let mut expected = vec![&Status::Superseded; rounds - 1];
            expected.push(&Status::Deployed);
            assert_eq!(statuses, expected, "{place}");
            assert_eq!(bench.cluster.object("Lease prod/boathook.web"), None, "{place}");
            // What was done does not run again, and no Job is made twice for one step.
            let calls = bench.plugins.calls();
            let phase = format!("pre-{}", operation.as_str());
            if finished.contains(&format!("{phase}/1")) {
                assert_eq!(calls.len(), called, "{place}");
            }
            assert!(calls.len() - before <= 2, "{place}");
            if let [.., one, two] = &calls[before..] {
                assert_eq!((one.run.attempt, two.run.attempt), (1, 2), "{place}");
                assert_eq!(one.run.id, two.run.id, "{place}: the key of both");
            }
            let effects = bench.cluster.effects();
            let count =
                |effect: &str| effects[made.min(effects.len())..].iter().filter(|e| *e == effect).count();
            if finished.contains(&format!("{phase}/3")) {
                assert_eq!(count("apply Job prod/gone"), 0, "{place}");
            }
            let all = |effect: &str| effects.iter().filter(|e| *e == effect).count();
            assert_eq!(all("apply Job prod/gone"), rounds, "{place}: {effects:#?}");
            assert_eq!(all("apply Job prod/kept"), 2 * rounds, "{place}: {effects:#?}");
            assert_eq!(bench.cluster.object("Job prod/gone"), None, "{place}");
        }
        assert!(survived, "the last write was not reached");
    }
}

#[tokio::test(start_paused = true)]
async fn an_install_killed_at_any_write_is_finished_by_the_next() {
    every_death(Operation::Install, 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_killed_at_any_write_is_finished_by_the_next() {
    every_death(Operation::Upgrade, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_killed_at_any_write_is_finished_by_the_next() {
    every_death(Operation::Rollback, 3).await;
}

#[tokio::test(start_paused = true)]
async fn another_plan_is_refused_and_begun_anew_it_ends_what_was_begun_as_failed() {
    let bench = world();
    assert!(killed(&bench, Operation::Install, 6, Death::After).await);
    let mut plan = planned(&bench, Operation::Install).await;
    plan.revision.as_mut().unwrap().manifest.push_str("# changed\n");
    let story = bench.execute(&plan).await;
    assert_eq!((story.outcome, story.error().code), (Outcome::Refused, ErrorCode::Locked));
    let history_of = history(&bench).await;
    let wish = Wish { anew: true, ..Wish::default() };
    let basis = basis::find(Operation::Upgrade, wish, "web", &revisions(&history_of)).unwrap();
    let mut anew = mixed(Operation::Upgrade);
    (anew.release.revision, anew.basis) = (basis.revision, basis);
    assert_eq!(bench.execute(&anew).await.outcome, Outcome::Succeeded);
    let history = history(&bench).await;
    let told: Vec<String> = history
        .iter()
        .map(|stored| format!("{} {}", stored.record.info.status, stored.record.info.description))
        .collect();
    assert_eq!(
        told,
        [
            "superseded Release \"web\" failed: not finished by the command that began it",
            "deployed Upgrade complete"
        ]
    );
    let record = OperationRecord::read(history[0].companion.clone().unwrap().record.unwrap()).unwrap();
    assert_eq!(record.end(), Some(End::Abandoned));
    assert!(history.iter().all(|stored| !stored.labels.contains_key(UNFINISHED)));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_operation_is_failed_for_helm_and_gone_on_with() {
    let bench = Bench::new();
    bench.plugins.script([Attempt::Ends(Vec::new(), Ok(Default::default()))]);
    let complete = || Change::Status(json!({"conditions": [{"type": "Complete", "status": "True"}]}));
    bench.cluster.script("Job prod/kept", [complete(), complete()]);
    // The second Job hangs until the user has enough.
    let plan = planned(&bench, Operation::Install).await;
    let cancel = bench.cancel.clone();
    let (story, ()) = tokio::join!(bench.execute(&plan), async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    });
    assert_eq!(story.outcome, Outcome::Interrupted);
    assert_eq!(
        story.error().hint.as_deref(),
        Some("run the same command again: it goes on where this one stopped")
    );
    assert_eq!(history(&bench).await[0].record.info.status, Status::Failed);
    assert_eq!(bench.cluster.object("Lease prod/boathook.web"), None);
    bench.cluster.script("Job prod/gone", [complete()]);
    let bench = Bench { cancel: CancellationToken::new(), ..bench };
    let plan = planned(&bench, Operation::Install).await;
    assert!(plan.basis.resumes);
    let story = bench.execute(&plan).await;
    assert_eq!(story.outcome, Outcome::Succeeded, "{:#?}", story.events);
    assert_eq!(bench.plugins.calls().len(), 1, "it was done");
    let made = bench.cluster.effects();
    assert_eq!(made.iter().filter(|effect| *effect == "apply Job prod/gone").count(), 1, "it was adopted");
    assert_eq!(history(&bench).await[0].record.info.status, Status::Deployed);
}

#[test]
fn more_patience_is_the_same_plan_and_other_values_are_another() {
    let own = Unfinished::of(&mixed(Operation::Upgrade));
    let mut patient = mixed(Operation::Upgrade);
    for step in &mut patient.steps {
        if let StepAction::Hook(hook) = &mut step.action {
            hook.timeout += Duration::from_secs(60);
        }
    }
    assert_eq!(Unfinished::of(&patient), own);
    let mut other = mixed(Operation::Upgrade);
    other.revision.as_mut().unwrap().config = Some(json!({"a": 1}));
    assert_ne!(Unfinished::of(&other), own);
}

/// Nobody can tell then whether the other command is dead; one that was interrupted has ended.
#[tokio::test(start_paused = true)]
async fn without_a_lease_only_what_has_ended_is_gone_on_with() {
    for (status, expected) in [("pending-install", Outcome::Refused), ("failed", Outcome::Succeeded)] {
        let bench = world();
        assert!(killed(&bench, Operation::Install, 6, Death::After).await);
        let store = ReleaseStore::new(bench.cluster.as_ref());
        let mut left = history(&bench).await.remove(0);
        left.record.info.status = Status::from(status.to_owned());
        store.update(&mut left, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        let plan = planned(&bench, Operation::Install).await;
        let denied = "leases.coordination.k8s.io is forbidden";
        bench.cluster.fail("create Lease", ClusterErrorKind::Forbidden, denied);
        let story = bench.execute(&plan).await;
        assert_eq!(story.outcome, expected, "{:#?}", story.events);
        assert_eq!(story.notes().first(), Some(&"not-locked"));
    }
}

#[tokio::test(start_paused = true)]
async fn without_hooks_of_its_own_nothing_is_written_but_what_helm_writes_and_the_lease() {
    let bench = Bench::new();
    let plan = plans::install(&[], &[config_map("a")]);
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
    let reads = |call: &String| call.starts_with("get ") || call.starts_with("list ");
    let writes: Vec<String> = bench.cluster.calls().into_iter().filter(|call| !reads(call)).collect();
    assert_eq!(
        writes,
        [
            "create Lease prod/boathook.web",
            "create Secret prod/sh.helm.release.v1.web.v1",
            "apply ConfigMap prod/a",
            "replace Secret prod/sh.helm.release.v1.web.v1",
            "delete Lease prod/boathook.web"
        ]
    );
}
