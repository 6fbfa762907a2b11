//! Operations on a history: what stops them at the beginning, which records they write when, how objects change.

use boathook_core::plan::{Fate, OnFailure, Operation, Plan};
use boathook_core::release::ApplyMethod;
use boathook_core::release::basis::Basis;
use boathook_core::run_event::ResourceResult;
use serde_json::Value;

use super::*;

fn history_of(statuses: &[&str]) -> Vec<Record> {
    let record = |(index, status): (usize, &&str)| {
        let version = u32::try_from(index).unwrap() + 1;
        let mut record =
            Record { name: "web".into(), namespace: "prod".into(), version, ..Record::default() };
        record.info.status = Status::from((*status).to_owned());
        record
    };
    statuses.iter().enumerate().map(record).collect()
}

async fn with_history(statuses: &[&str]) -> Bench {
    let bench = Bench::new();
    for record in history_of(statuses) {
        let store = ReleaseStore::new(bench.cluster.as_ref());
        store.create(record, Default::default(), Timestamp::UNIX_EPOCH).await.unwrap();
    }
    bench
}

async fn statuses(bench: &Bench) -> Vec<String> {
    let listing = ReleaseStore::new(bench.cluster.as_ref()).history("prod", "web").await.unwrap();
    listing.releases.iter().map(|stored| stored.record.info.status.to_string()).collect()
}

fn from(last: u32, base: u32) -> Basis {
    Basis { last: Some(last), base: Some(base), revision: last + 1, ..Basis::default() }
}

fn upgrade(basis: Basis, drafts: &[plans::Draft], resources: &[(Value, Option<Value>)]) -> Plan {
    plans::on(Operation::Upgrade, basis, drafts, resources, &[])
}

#[tokio::test(start_paused = true)]
async fn a_plan_for_another_history_is_not_executed() {
    let bench = with_history(&["superseded", "deployed"]).await;
    let story = bench.execute(&upgrade(from(1, 1), &[], &[(config_map("a"), None)])).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Refused, 5));
    assert_eq!(story.error().message, "release web was changed since this plan was made");
    assert_eq!(bench.cluster.effects(), Vec::<String>::new());
}

/// Two upgrades at once: the revision is made once.
#[tokio::test(start_paused = true)]
async fn of_two_operations_the_slower_one_is_refused() {
    let bench = with_history(&["deployed"]).await;
    let record = "create Secret prod/sh.helm.release.v1.web.v2";
    bench.cluster.fail(record, ClusterErrorKind::AlreadyExists, "already exists");
    let story = bench.execute(&upgrade(from(1, 1), &[], &[(config_map("a"), None)])).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Refused, 5));
    assert_eq!(story.error().message, "release: already exists");
    assert_eq!(bench.cluster.effects(), Vec::<String>::new());
}

/// The points of Helm: the new revision first, the old one once all is done, then the new one again.
#[tokio::test(start_paused = true)]
async fn an_upgrade_is_recorded_at_helms_points() {
    let bench = with_history(&["superseded", "deployed", "failed"]).await;
    let mut plan = upgrade(from(3, 2), &[hook("ConfigMap", "h", &[]).on(&[HookEvent::PreUpgrade])], &[]);
    plan.revision.as_mut().unwrap().prune = vec![1];
    let before = bench.cluster.calls().len();
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
    let written: Vec<String> = bench.cluster.calls()[before..]
        .iter()
        .filter(|call| {
            call.contains("sh.helm.release") && !call.starts_with("get ") && !call.starts_with("list ")
        })
        .cloned()
        .collect();
    assert_eq!(
        written,
        [
            "delete Secret prod/sh.helm.release.v1.web.v1",
            "create Secret prod/sh.helm.release.v1.web.v4",
            "replace Secret prod/sh.helm.release.v1.web.v4",
            "replace Secret prod/sh.helm.release.v1.web.v2",
            "replace Secret prod/sh.helm.release.v1.web.v4",
        ]
    );
    assert_eq!(statuses(&bench).await, ["superseded", "failed", "deployed"]);
}

/// As with Helm: of two deployed revisions the newest counts.
#[tokio::test(start_paused = true)]
async fn an_old_revision_that_cannot_be_marked_does_not_fail_the_upgrade() {
    let bench = with_history(&["deployed"]).await;
    bench.cluster.fail(
        "replace Secret prod/sh.helm.release.v1.web.v1",
        ClusterErrorKind::Unavailable,
        "busy",
    );
    assert_eq!(bench.execute(&upgrade(from(1, 1), &[], &[])).await.outcome, Outcome::Succeeded);
    assert_eq!(statuses(&bench).await, ["deployed", "deployed"]);
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_make_room_refuse_the_upgrade() {
    let bench = with_history(&["superseded", "deployed"]).await;
    bench.cluster.fail("delete Secret prod/sh.helm.release.v1.web.v1", ClusterErrorKind::Forbidden, "no");
    let mut plan = upgrade(from(2, 2), &[], &[]);
    plan.revision.as_mut().unwrap().prune = vec![1];
    let story = bench.execute(&plan).await;
    assert_eq!((story.outcome, story.error().message.as_str()), (Outcome::Refused, "no"));
}

fn results(story: &crate::testing::Story) -> Vec<ResourceResult> {
    let result = |what: &Happening| match what {
        Happening::ResourceFinished { result, .. } => Some(*result),
        _ => None,
    };
    story.events.iter().filter_map(|event| result(&event.what)).collect()
}

/// Client-side: created by POST, patched by comparing three objects, nothing sent where nothing differs.
#[tokio::test(start_paused = true)]
async fn a_release_of_the_client_is_patched_by_it() {
    let bench = with_history(&["deployed"]).await;
    bench.cluster.put(config_map("old"));
    let mut same = config_map("same");
    same["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
    same["metadata"]["annotations"] =
        json!({"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "prod"});
    bench.cluster.put(same);
    let mut changed = config_map("old");
    changed["data"] = json!({"a": "2"});
    let resources = [
        (config_map("new"), None),
        (changed, Some(config_map("old"))),
        (config_map("same"), Some(config_map("same"))),
    ];
    let hooks = [hook("ConfigMap", "h", &[]).on(&[HookEvent::PreUpgrade])];
    let mut plan = upgrade(from(1, 1), &hooks, &resources);
    plan.apply_method = ApplyMethod::ClientSide;
    let story = bench.execute(&plan).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    let effects = bench.cluster.effects();
    assert_eq!(effects[..2], ["create ConfigMap prod/h", "create ConfigMap prod/new"]);
    assert!(
        effects[2].starts_with("strategic ConfigMap prod/old {")
            && effects[2].contains(r#""data":{"a":"2"}"#)
    );
    assert_eq!(effects.len(), 3, "nothing is sent for what is the same: {effects:?}");
    assert_eq!(results(&story)[2], ResourceResult::Unchanged);
    let stored = ReleaseStore::new(bench.cluster.as_ref()).get("prod", "web", 2).await.unwrap();
    assert_eq!(stored.record.apply_method.as_deref(), Some("csa"));
}

/// A hook of the client is created, and an object in its way is an error, as with Helm.
#[tokio::test(start_paused = true)]
async fn a_hook_of_the_client_does_not_patch() {
    let bench = with_history(&["deployed"]).await;
    let mut there = config_map("h");
    there["metadata"]["annotations"] = json!({"helm.sh/hook": "pre-upgrade"});
    bench.cluster.put(there);
    let hooks = [hook("ConfigMap", "h", &["hook-failed"]).on(&[HookEvent::PreUpgrade])];
    let mut plan = upgrade(from(1, 1), &hooks, &[]);
    plan.apply_method = ApplyMethod::ClientSide;
    let story = bench.execute(&plan).await;
    assert_eq!(
        story.error().message,
        "warning: Hook pre-upgrade hooks.yaml failed: ConfigMap prod/h already exists"
    );
}

/// The fields that a client-side Helm set are handed over before the first server-side apply; by force if asked.
#[tokio::test(start_paused = true)]
async fn fields_of_the_client_move_to_the_server() {
    let mut bench = with_history(&["deployed"]).await;
    bench.options.force_conflicts = true;
    let mut there = config_map("a");
    there["metadata"]["managedFields"] = json!([
        {"manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}}
    ]);
    bench.cluster.put(there);
    let mut plan = upgrade(from(1, 1), &[], &[(config_map("a"), Some(config_map("a")))]);
    plan.migrate = true;
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
    let effects = bench.cluster.effects();
    assert!(
        effects[0].starts_with(r#"json ConfigMap prod/a [{"op":"replace","path":"/metadata/managedFields""#)
    );
    assert_eq!(effects[1..], ["force ConfigMap prod/a"]);
}

/// Undoing works also after a signal, which stopped the operation and does not stop this.
#[tokio::test(start_paused = true)]
async fn an_interrupted_operation_is_undone_if_asked() {
    let bench = with_history(&["deployed"]).await;
    bench.cluster.script("Job prod/j", [Change::Cancel(bench.cancel.clone())]);
    let hooks = [hook("Job", "j", &[]).on(&[HookEvent::PreUpgrade])];
    let mut plan = upgrade(from(1, 1), &hooks, &[]);
    let basis = Basis { last: Some(2), base: Some(2), target: Some(1), revision: 3, ..Basis::default() };
    let back = plans::on(Operation::Rollback, basis, &[], &[(config_map("a"), None)], &[]);
    plan.on_failure = OnFailure::Recover(Box::new(back));
    let story = bench.execute(&plan).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Interrupted, 130));
    assert_eq!(statuses(&bench).await, ["superseded", "failed", "deployed"]);
    let recovered =
        |what: &Happening| matches!(what, Happening::RecoveryFinished { outcome: Outcome::Succeeded, .. });
    assert!(story.events.iter().any(|event| recovered(&event.what)));
}

/// What was refused changed nothing: there is nothing to undo.
#[tokio::test(start_paused = true)]
async fn a_refused_operation_is_not_undone() {
    let bench = with_history(&["pending-upgrade"]).await;
    let mut plan = upgrade(from(1, 1), &[], &[]);
    let basis = Basis { last: Some(2), base: Some(2), target: Some(1), revision: 3, ..Basis::default() };
    plan.on_failure = OnFailure::Recover(Box::new(plans::on(Operation::Rollback, basis, &[], &[], &[])));
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Refused);
    assert_eq!(statuses(&bench).await, ["pending-upgrade"]);
}

/// Records go oldest first; a failure leaves the others, and the next uninstall goes on.
#[tokio::test(start_paused = true)]
async fn an_uninstall_that_cannot_remove_records_can_be_repeated() {
    let bench = with_history(&["superseded", "deployed"]).await;
    bench.cluster.fail("delete Secret prod/sh.helm.release.v1.web.v2", ClusterErrorKind::Unavailable, "busy");
    let basis = Basis { last: Some(2), base: Some(2), revision: 2, ..Basis::default() };
    let plan = plans::on(Operation::Uninstall, basis, &[], &[], &[(config_map("a"), Fate::Delete)]);
    let story = bench.execute(&plan).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Failed, 4));
    assert_eq!(statuses(&bench).await, ["uninstalling"]);
    assert_eq!(bench.execute(&plan).await.outcome, Outcome::Succeeded);
    assert_eq!(statuses(&bench).await, Vec::<String>::new());
}

/// crds/ come before everything, and a definition that never gets established ends the install with nothing recorded.
#[tokio::test(start_paused = true)]
async fn definitions_are_awaited_before_anything_is_recorded() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"}});
    let with_crds = || {
        let mut plan = plans::install(&[], &[config_map("a")]);
        let mut step = plan.steps[0].clone();
        step.phase = boathook_core::plan::StepPhase::Crds;
        step.id = boathook_core::plan::StepId("crds/1".to_owned());
        if let boathook_core::plan::StepAction::Resource(resource) = &mut step.action {
            resource.object = boathook_core::Object::from_value(definition.clone()).unwrap();
            resource.reference = resource.object.reference();
        }
        plan.steps.insert(0, step);
        plan
    };
    let bench = Bench::new();
    let began = tokio::time::Instant::now();
    let story = bench.execute(&with_crds()).await;
    assert_eq!((story.outcome, began.elapsed().as_secs()), (Outcome::Failed, 60));
    assert!(story.error().message.contains("were not established in time: widgets.example.com"));
    assert_eq!(records(&bench), Vec::<String>::new());

    let bench = Bench::new();
    let established = json!({"conditions": [{"type": "Established", "status": "True"}]});
    bench.cluster.script("CustomResourceDefinition widgets.example.com", [Change::Status(established)]);
    assert_eq!(bench.execute(&with_crds()).await.outcome, Outcome::Succeeded);

    let bench = Bench::new();
    bench.cluster.fail("create CustomResourceDefinition", ClusterErrorKind::Forbidden, "no");
    let story = bench.execute(&with_crds()).await;
    assert_eq!(story.error().message, "failed to install CRD a.yaml: no".replace("a.yaml", "hooks.yaml"));
}
