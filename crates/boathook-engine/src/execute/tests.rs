//! Whole installs: what is refused, what is recorded and when, what an end by failure or signal leaves.

use boathook_core::HookEvent;
use boathook_core::plan::ReleaseRef;
use boathook_core::release::basis::Basis;
use boathook_core::release::{Record, Status};
use boathook_core::run_event::{ErrorCode, Happening, Outcome};
use jiff::Timestamp;
use serde_json::json;

use crate::cluster::{Cluster as _, ClusterErrorKind};
use crate::release_store::{ReleaseStore, Stored};
use crate::testing::cluster::Change;
use crate::testing::plans::{self, config_map, hook};
use crate::testing::plugins::Attempt;
use crate::testing::{Bench, target};

mod life_cycle;

async fn stored(bench: &Bench) -> Stored {
    ReleaseStore::new(bench.cluster.as_ref()).get("prod", "web", 1).await.unwrap()
}

fn records(bench: &Bench) -> Vec<String> {
    let record = |call: &String| call.contains("release.v1.web") && !call.starts_with("get ");
    bench.cluster.calls().into_iter().filter(record).collect()
}

fn failed_job() -> Change {
    Change::Status(
        json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}),
    )
}

fn complete() -> Change {
    Change::Status(json!({"conditions": [{"type": "Complete", "status": "True"}]}))
}

#[tokio::test(start_paused = true)]
async fn an_install_is_recorded_at_helms_points() {
    let bench = Bench::new();
    bench.plugins.script([Attempt::Ends(Vec::new(), Ok(Default::default()))]);
    bench.cluster.script("Job prod/j", [complete()]);
    let after = hook("Job", "j", &[]).on(&[HookEvent::PostInstall]);
    let other = hook("Pod", "t", &["hook-failed"]).on(&[HookEvent::Test]);
    let mut plan = plans::install(&[plans::plugin("p"), after, other], &[config_map("c")]);
    let revision = plan.revision.as_mut().unwrap();
    revision.notes = Some(json!("hello"));
    revision.labels = [("team".to_owned(), "a".to_owned())].into();
    let story = bench.execute(&plan).await;
    assert_eq!((story.outcome, story.end()), (Outcome::Succeeded, (0, None)));
    assert_eq!(bench.cluster.effects(), ["apply ConfigMap prod/c", "apply Job prod/j", "wait Job prod/j"]);
    assert_eq!(
        records(&bench),
        [
            "create Secret prod/sh.helm.release.v1.web.v1",
            "create Secret prod/boathook.release.v1.web.v1",
            "replace Secret prod/boathook.release.v1.web.v1", // the plugin hook is going to run
            "replace Secret prod/boathook.release.v1.web.v1", // it is done, before objects change
            "replace Secret prod/boathook.release.v1.web.v1", // the Job hook is going to run
            "replace Secret prod/sh.helm.release.v1.web.v1",  // the Job hook runs
            "replace Secret prod/sh.helm.release.v1.web.v1",  // the end
            "replace Secret prod/boathook.release.v1.web.v1",
        ]
    );
    let stored = stored(&bench).await;
    let Record { info, hooks, .. } = &stored.record;
    assert_eq!((&info.status, info.description.as_str()), (&Status::Deployed, "Install complete"));
    assert_eq!(info.rest.get("notes"), Some(&json!("hello")));
    assert_eq!(stored.labels["team"], "a");
    assert_eq!(stored.record.apply_method.as_deref(), Some("ssa"));
    assert_eq!(stored.record.chart["metadata"], json!({"name": "web", "version": "1.2.0"}));
    let names: Vec<&str> = hooks.iter().map(|hook| hook.name.as_str()).collect();
    assert_eq!(names, ["j", "t"], "a plain Helm must not meet a WasmHook");
    let all: Vec<&str> = stored.hooks().iter().map(|hook| hook.name.as_str()).collect();
    assert_eq!(all, ["p", "j", "t"]);
    let phases: Vec<&str> = stored.hooks().iter().map(|hook| hook.last_run.phase.as_str()).collect();
    assert_eq!(phases, ["Succeeded", "Succeeded", ""]);
    assert_eq!(
        hooks[0].delete_policies,
        ["before-hook-creation"],
        "C22: the default is written when it runs"
    );
    assert!(hooks[0].last_run.completed_at > hooks[0].last_run.started_at);
    assert_eq!(hooks[1].delete_policies, ["hook-failed"]);
    let companion = stored.companion.as_ref().unwrap();
    assert_eq!((companion.outcome, companion.results.len()), (Some(Outcome::Succeeded), 2));
    let secret = bench.cluster.object("Secret prod/sh.helm.release.v1.web.v1").unwrap();
    assert_eq!(secret.str(&["metadata", "labels", "status"]), Some("deployed"));
    assert!(matches!(&story.events.last().unwrap().what,
        Happening::OperationFinished { status: Some(status), .. } if status == "deployed"));
}

/// While a hook runs, storage says `Running`: what a killed process leaves.
#[tokio::test(start_paused = true)]
async fn a_running_hook_is_stored_as_running() {
    let bench = Bench::new();
    let plan = plans::install(&[hook("Job", "j", &[])], &[]);
    let context = bench.context();
    let mut nothing = |_| {};
    let running = crate::execute(&plan, &context, &mut nothing);
    let killed = tokio::time::timeout(std::time::Duration::from_secs(5), running).await;
    assert!(killed.is_err());
    let stored = stored(&bench).await;
    assert_eq!(stored.record.info.status, Status::PendingInstall);
    assert_eq!(stored.record.info.description, "Initial install underway");
    assert_eq!(stored.record.hooks[0].last_run.phase, "Running");
    assert_eq!(stored.record.hooks[0].last_run.completed_at, None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_pre_install_hook_leaves_a_failed_release() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/b", [failed_job()]);
    let hooks = [hook("ConfigMap", "a", &[]), hook("Job", "b", &[]), hook("Job", "c", &[])];
    let story = bench.execute(&plans::install(&hooks, &[config_map("o")])).await;
    assert_eq!(story.outcome, Outcome::Failed);
    assert!(bench.cluster.object("ConfigMap prod/o").is_none(), "no ordinary object was created");
    let stored = stored(&bench).await;
    assert_eq!(stored.record.info.status, Status::Failed);
    let description = &stored.record.info.description;
    assert!(
        description
            .starts_with("Release \"web\" failed: failed pre-install: job b failed: BackoffLimitExceeded"),
        "{description}"
    );
    let phases: Vec<&str> = stored.record.hooks.iter().map(|hook| hook.last_run.phase.as_str()).collect();
    assert_eq!(phases, ["Succeeded", "Failed", ""]);
    assert_eq!(stored.companion.unwrap().error.as_ref(), Some(story.error()));
}

/// C29.
#[tokio::test(start_paused = true)]
async fn a_failed_post_install_hook_leaves_everything_in_place() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/b", [failed_job()]);
    let after = hook("Job", "b", &[]).on(&[HookEvent::PostInstall]);
    bench.execute(&plans::install(&[after], &[config_map("o")])).await;
    assert!(bench.cluster.object("ConfigMap prod/o").is_some());
    let info = stored(&bench).await.record.info;
    assert_eq!(info.status, Status::Failed);
    assert!(info.description.contains("failed post-install: "), "{}", info.description);
}

#[tokio::test(start_paused = true)]
async fn a_refused_object_leaves_a_failed_release_without_a_prefix() {
    let bench = Bench::new();
    bench.cluster.fail("apply ConfigMap prod/o", ClusterErrorKind::Invalid, "bad");
    let after = hook("Job", "b", &[]).on(&[HookEvent::PostInstall]);
    bench.execute(&plans::install(&[after], &[config_map("o")])).await;
    let stored = stored(&bench).await;
    assert_eq!(
        stored.record.info.description,
        "Release \"web\" failed: server-side apply failed for object prod/o /v1, Kind=ConfigMap: bad"
    );
    assert_eq!(stored.record.hooks[0].last_run.phase, "");
}

/// The phases of 3.1: an error before a hook is recorded leaves its phase empty.
#[tokio::test(start_paused = true)]
async fn a_hook_that_was_not_started_has_no_phase() {
    let bench = Bench::new();
    bench.execute(&plans::install(&[hook("Widget", "w", &[])], &[])).await;
    let stored = stored(&bench).await;
    assert_eq!(stored.record.hooks[0].last_run.phase, "");
    assert_eq!(stored.record.hooks[0].delete_policies, ["before-hook-creation"]);
    assert!(stored.record.info.description.contains("failed pre-install: unable to build kubernetes object"));
}

/// D21.
#[tokio::test(start_paused = true)]
async fn an_interrupted_install_is_recorded_as_failed() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/j", [Change::Cancel(bench.cancel.clone())]);
    let story =
        bench.execute(&plans::install(&[hook("Job", "j", &["hook-failed"])], &[config_map("o")])).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Interrupted, 130));
    let stored = stored(&bench).await;
    assert_eq!(stored.record.info.status, Status::Failed);
    assert_eq!(stored.record.info.description, "Release \"web\" failed: context canceled");
    assert_eq!(stored.record.hooks[0].last_run.phase, "Unknown");
    assert_eq!(stored.record.hooks[0].last_run.completed_at, None);
    assert!(bench.cluster.object("Job prod/j").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_name_in_use_is_refused_and_nothing_is_touched() {
    let bench = Bench::new();
    let plan = plans::install(&[hook("ConfigMap", "a", &[])], &[]);
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
    let before = bench.cluster.effects().len();
    let story = bench.execute(&plan).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Refused, 1));
    assert_eq!(story.error().code, ErrorCode::ReleaseConflict);
    assert_eq!(story.error().message, "release name check failed: cannot reuse a name that is still in use");
    assert_eq!(bench.cluster.effects().len(), before);
}

#[tokio::test(start_paused = true)]
async fn an_uninstalled_name_is_free_for_the_next_revision_only() {
    for (revision, outcome) in [(1, Outcome::Refused), (2, Outcome::Succeeded), (3, Outcome::Refused)] {
        let bench = Bench::new();
        let store = ReleaseStore::new(bench.cluster.as_ref());
        let mut gone =
            Record { name: "web".into(), namespace: "prod".into(), version: 1, ..Record::default() };
        gone.info.status = Status::Uninstalled;
        store.create(gone, Default::default(), Timestamp::UNIX_EPOCH).await.unwrap();
        let mut plan = plans::install(&[], &[]);
        plan.release = ReleaseRef { revision, ..plan.release };
        plan.basis = Basis { last: (revision > 1).then_some(revision - 1), revision, ..Basis::default() };
        assert_eq!(bench.execute(&plan).await.outcome, outcome, "revision {revision}");
        let old = store.get("prod", "web", 1).await.unwrap().record.info;
        let replaced = old.description == "superseded by new release" && old.status == Status::Superseded;
        assert_eq!(replaced, outcome == Outcome::Succeeded);
    }
}

#[tokio::test(start_paused = true)]
async fn the_namespace_must_exist_or_be_asked_for() {
    let mut plan = plans::install(&[], &[]);
    plan.release.namespace = "new".to_owned();
    let mut bench = Bench::new();
    let story = bench.execute(&plan).await;
    assert_eq!(story.outcome, Outcome::Refused);
    assert_eq!(story.error().message, "namespaces \"new\" not found");
    assert!(story.error().hint.as_ref().unwrap().contains("--create-namespace"));
    bench.options.create_namespace = true;
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
    let namespace = bench.cluster.object("Namespace new").unwrap();
    assert_eq!(namespace.str(&["metadata", "labels", "name"]), Some("new"));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_see_namespaces_may_still_install() {
    let bench = Bench::new();
    bench.cluster.fail("get Namespace prod", ClusterErrorKind::Forbidden, "no");
    assert_eq!(bench.execute(&plans::install(&[], &[])).await.outcome, Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_refused_before_anything_is_written() {
    let mut bench = Bench::new();
    bench.cluster.put(config_map("b"));
    let plan = plans::install(&[hook("ConfigMap", "h", &[])], &["a", "b"].map(config_map));
    let story = bench.execute(&plan).await;
    assert_eq!(story.outcome, Outcome::Refused);
    assert!(
        story.error().message.starts_with(
            "unable to continue with install: ConfigMap \"b\" in namespace \"prod\" exists and cannot be imported into the \
             current release: invalid ownership metadata; label validation error: missing key"
        ),
        "{:?}",
        story.error()
    );
    assert_eq!(bench.cluster.effects(), Vec::<String>::new());
    bench.options.take_ownership = true;
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_nobody_serves_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    let widget = json!({"apiVersion": "nope.example/v1", "kind": "Widget", "metadata": {"name": "w"}});
    let story = bench.execute(&plans::install(&[], &[widget])).await;
    assert_eq!(story.outcome, Outcome::Refused);
    assert!(
        story.error().message.starts_with(
            "unable to build kubernetes objects from release manifest: resource mapping not found for name: \"w\""
        ),
        "{:?}",
        story.error()
    );
}

#[tokio::test(start_paused = true)]
async fn running_one_event_records_nothing() {
    let bench = Bench::new();
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &[])])).await;
    assert_eq!(bench.cluster.effects(), ["apply ConfigMap prod/a"]);
    assert_eq!(records(&bench), Vec::<String>::new());
    assert!(matches!(&story.events.last().unwrap().what, Happening::OperationFinished { status: None, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_records_nothing() {
    let mut bench = Bench::new();
    bench.options.dry_run = true;
    bench.plugins.script([Attempt::Ends(Vec::new(), Ok(Default::default()))]);
    let story = bench.execute(&plans::install(&[plans::plugin("p")], &[config_map("c")])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert!(bench.plugins.calls()[0].run.dry_run);
    assert_eq!(bench.cluster.effects(), ["dry-apply ConfigMap prod/c"]);
    assert_eq!(records(&bench), Vec::<String>::new());
}

/// A hook is not to blame for a record that cannot be written; a release that cannot be recorded is no success.
#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_written() {
    let bench = Bench::new();
    bench.cluster.fail("replace Secret prod/sh.helm", ClusterErrorKind::Unavailable, "busy");
    let plan = plans::install(&[hook("ConfigMap", "a", &[])], &[]);
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded, "the mark of a running hook");

    let bench = Bench::new();
    bench.cluster.fail("replace Secret prod/sh.helm", ClusterErrorKind::Unavailable, "busy");
    let story = bench.execute(&plans::install(&[], &[config_map("c")])).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Failed, 4), "the end");
    assert!(story.error().message.contains("could not be recorded: busy"), "{:?}", story.error());
}

/// Another operation took the record over: it is not written over.
#[tokio::test(start_paused = true)]
async fn a_record_changed_by_somebody_else_is_left() {
    let bench = Bench::new();
    let place = target("Secret", "prod", "sh.helm.release.v1.web.v1");
    bench
        .cluster
        .script("Job prod/j", [Change::Replace("Secret prod/sh.helm.release.v1.web.v1"), complete()]);
    let story = bench.execute(&plans::install(&[hook("Job", "j", &[])], &[])).await;
    assert_eq!(story.outcome, Outcome::Failed);
    assert!(story.error().message.contains("was changed by another operation"), "{:?}", story.error());
    assert_eq!(
        bench.cluster.get(&place).await.unwrap().str(&["metadata", "labels", "status"]),
        Some("pending-install")
    );
}

/// A controller runs many operations at once, each a task.
#[test]
fn an_operation_can_be_a_task() {
    fn task(_: impl Send) {}
    let (bench, plan) = (Bench::new(), plans::run(&[]));
    let (context, mut nothing) = (bench.context(), |_| {});
    task(crate::execute(&plan, &context, &mut nothing));
}

#[tokio::test(start_paused = true)]
async fn the_first_event_says_what_is_going_to_run() {
    let bench = Bench::new();
    let mut plan = plans::install(&[hook("ConfigMap", "a", &[])], &[config_map("c")]);
    plan.diagnostics.push(boathook_core::Diagnostic::warning("unknown-event", "m"));
    let story = bench.execute(&plan).await;
    let Happening::OperationStarted { operation, hooks, resources, .. } = &story.events[0].what else {
        panic!("{:?}", story.events[0])
    };
    assert_eq!((operation.as_str(), hooks.len(), *resources), ("install", 1, 1));
    assert_eq!(story.notes(), ["unknown-event"]);
}
