//! Ordinary objects that leave a release: which are deleted, which stay, and what is said of them.

use boathook_core::plan::{Fate, Operation, Plan, StepAction, WaitStep, WaitStrategy};
use boathook_core::plan::{Step, StepId, StepPhase};
use boathook_core::release::basis::Basis;
use boathook_core::release::{Record, Status};
use boathook_core::run_event::{ErrorCode, Happening, Outcome, ResourceResult};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::{ClusterErrorKind, Propagation};
use crate::release_store::ReleaseStore;
use crate::testing::plans::{self, config_map, hook};
use crate::testing::{Bench, Story};

/// An object of this release.
fn owned(name: &str) -> Value {
    let mut object = config_map(name);
    object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
    object["metadata"]["annotations"] =
        json!({"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "prod"});
    object
}

fn annotated(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["annotations"][key] = json!(value);
    object
}

/// A bench with one deployed revision.
async fn bench() -> Bench {
    let bench = Bench::new();
    let mut record = Record { name: "web".into(), namespace: "prod".into(), version: 1, ..Record::default() };
    record.info.status = Status::Deployed;
    record.info.description = "Install complete".to_owned();
    let store = ReleaseStore::new(bench.cluster.as_ref());
    store.create(record, Default::default(), Timestamp::UNIX_EPOCH).await.unwrap();
    bench
}

fn upgrade(leaving: &[Value]) -> Plan {
    let basis = Basis { last: Some(1), base: Some(1), revision: 2, ..Basis::default() };
    let leaving: Vec<(Value, Fate)> =
        leaving.iter().map(|object| (object.clone(), Fate::DeleteUnlessKept)).collect();
    plans::on(Operation::Upgrade, basis, &[], &[], &leaving)
}

fn uninstall(drafts: &[plans::Draft], leaving: &[(Value, Fate)]) -> Plan {
    let basis = Basis { last: Some(1), base: Some(1), revision: 1, ..Basis::default() };
    plans::on(Operation::Uninstall, basis, drafts, &[], leaving)
}

fn results(story: &Story) -> Vec<(String, ResourceResult)> {
    let result = |what: &Happening| match what {
        Happening::ResourceFinished { resource, result, .. } => Some((resource.name.clone(), *result)),
        _ => None,
    };
    story.events.iter().filter_map(|event| result(&event.what)).collect()
}

fn told(story: &Story) -> Vec<String> {
    let note = |what: &Happening| match what {
        Happening::Noted { diagnostic } => Some(diagnostic.message.clone()),
        _ => None,
    };
    story.events.iter().filter_map(|event| note(&event.what)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_deletes_what_left_unless_the_live_object_says_keep() {
    let bench = bench().await;
    bench.cluster.put(owned("plain"));
    bench.cluster.put(annotated(owned("kept"), "helm.sh/resource-policy", "keep"));
    bench.cluster.put(annotated(owned("almost"), "helm.sh/resource-policy", " KEEP "));
    bench.cluster.put(config_map("unmarked"));
    bench.cluster.put(annotated(owned("theirs"), "meta.helm.sh/release-name", "other"));
    let secret = |name: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    bench.cluster.put(secret("unseen"));
    bench.cluster.fail("get Secret prod/unseen", ClusterErrorKind::Forbidden, "forbidden");
    let names = ["plain", "kept", "almost", "unmarked", "theirs", "absent"];
    let leaving = [&names.map(config_map)[..], &[secret("unseen")]].concat();
    let story = bench.execute(&upgrade(&leaving)).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    use ResourceResult::{Deleted, Kept, Orphaned};
    // What is not deleted is told first.
    let expected = [
        ("kept", Kept),
        ("theirs", Orphaned),
        ("absent", Deleted),
        ("unseen", Orphaned),
        ("plain", Deleted),
        ("almost", Deleted),
        ("unmarked", Deleted),
    ];
    assert_eq!(results(&story), expected.map(|(name, result)| (name.to_owned(), result)));
    assert_eq!(
        told(&story),
        [
            "ConfigMap/theirs left the release and was not deleted: it belongs to release other in namespace prod",
            "Secret/unseen left the release and was not deleted: forbidden",
        ]
    );
    assert!(bench.cluster.object("ConfigMap prod/theirs").is_some());
}

#[tokio::test(start_paused = true)]
async fn deletions_that_fail_are_collected_and_fail_the_upgrade() {
    let bench = bench().await;
    for name in ["a", "b", "c"] {
        bench.cluster.put(owned(name));
    }
    bench.cluster.fail("delete ConfigMap prod/a", ClusterErrorKind::Forbidden, "no");
    bench.cluster.fail("delete ConfigMap prod/c", ClusterErrorKind::Forbidden, "never");
    let story = bench.execute(&upgrade(&["a", "b", "c"].map(config_map))).await;
    assert_eq!(
        story.error().message,
        "failed to delete resource namespace=prod, name=a, kind=ConfigMap: no && failed to delete resource namespace=prod, \
         name=c, kind=ConfigMap: never"
    );
    assert!(bench.cluster.object("ConfigMap prod/b").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_nobody_serves_ends_the_upgrade_before_anything_is_written() {
    let bench = bench().await;
    let widget = json!({"apiVersion": "nope.example/v1", "kind": "Widget", "metadata": {"name": "w"}});
    let before = bench.cluster.calls().len();
    let story = bench.execute(&upgrade(&[widget])).await;
    assert_eq!(story.outcome, Outcome::Refused);
    let message = &story.error().message;
    assert!(
        message.starts_with("unable to build kubernetes objects from current release manifest: "),
        "{message}"
    );
    let read =
        |call: &String| call.starts_with("get ") || call.starts_with("list ") || call.contains(" Lease ");
    assert!(bench.cluster.calls()[before..].iter().all(read));
}

/// C68.
#[tokio::test(start_paused = true)]
async fn an_uninstall_deletes_what_is_the_releases_and_lists_the_rest() {
    let bench = bench().await;
    bench.cluster.put(owned("mine"));
    bench.cluster.put(config_map("unmarked"));
    bench.cluster.put(owned("unseen"));
    bench.cluster.put(owned("kept"));
    bench.cluster.fail("get ConfigMap prod/unseen", ClusterErrorKind::Forbidden, "forbidden");
    let all = ["mine", "unmarked", "unseen", "absent"].map(|name| (config_map(name), Fate::Delete));
    let kept = [(config_map("kept"), Fate::Keep), (config_map("odd"), Fate::Orphan)];
    let story = bench.execute(&uninstall(&[], &[&all[..], &kept].concat())).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert_eq!(
        told(&story),
        [
            "These resources were kept due to the resource policy:\n[ConfigMap] kept",
            "1 resource(s) were not deleted because they are not owned by this release:\n[ConfigMap] unmarked",
            "1 resource(s) were not deleted because their ownership could not be verified:\n[ConfigMap] unseen: forbidden",
        ]
    );
    assert!(bench.cluster.object("ConfigMap prod/mine").is_none());
    for name in ["unmarked", "unseen", "kept"] {
        assert!(bench.cluster.object(&format!("ConfigMap prod/{name}")).is_some(), "{name}");
    }
    assert!(bench.cluster.object("Secret prod/sh.helm.release.v1.web.v1").is_none(), "the record is gone");
}

/// Between the look and the deletion somebody else made an object of the name: it is not ours.
#[tokio::test(start_paused = true)]
async fn only_the_object_that_was_looked_at_is_deleted() {
    let bench = bench().await;
    bench.cluster.put(owned("a"));
    bench.cluster.race("delete ConfigMap prod/a", config_map("a"));
    let story = bench.execute(&uninstall(&[], &[(config_map("a"), Fate::Delete)])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert!(bench.cluster.object("ConfigMap prod/a").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_owned_objects_own_goes_as_asked() {
    for (propagation, word) in
        [(Propagation::Foreground, "delete-foreground"), (Propagation::Orphan, "delete-orphan")]
    {
        let mut bench = bench().await;
        bench.options.propagation = propagation;
        bench.cluster.put(owned("a"));
        bench.execute(&uninstall(&[], &[(config_map("a"), Fate::Delete)])).await;
        assert_eq!(bench.cluster.effects(), [format!("{word} ConfigMap prod/a")]);
    }
}

/// C43: everything is tried, post-delete hooks are not run, the status says how far it is.
#[tokio::test(start_paused = true)]
async fn a_refused_deletion_stops_the_uninstall() {
    let bench = bench().await;
    bench.cluster.put(owned("a"));
    bench.cluster.put(owned("b"));
    bench.cluster.fail("delete ConfigMap prod/a", ClusterErrorKind::Forbidden, "no");
    let after = hook("ConfigMap", "bye", &[]).on(&[boathook_core::HookEvent::PostDelete]);
    let leaving = ["a", "b"].map(|name| (config_map(name), Fate::Delete));
    let story = bench.execute(&uninstall(&[after], &leaving)).await;
    let error = story.error();
    assert_eq!(
        (error.message.as_str(), error.details.as_slice()),
        ("failed to delete release: web", &["no".to_owned()][..])
    );
    assert!(bench.cluster.object("ConfigMap prod/bye").is_none());
    let stored = ReleaseStore::new(bench.cluster.as_ref()).get("prod", "web", 1).await.unwrap();
    assert_eq!(stored.record.info.status, Status::Uninstalling);
    assert!(stored.record.info.deleted.is_some());
}

/// C42 and C50: one deadline for all; what lives on is named, the rest is done.
#[tokio::test(start_paused = true)]
async fn deleted_objects_are_waited_for_if_asked() {
    let bench = bench().await;
    for name in ["a", "b", "c"] {
        bench.cluster.put(owned(name));
    }
    bench.cluster.linger("ConfigMap prod/a");
    bench.cluster.linger("ConfigMap prod/c");
    let leaving = ["a", "b", "c"].map(|name| (config_map(name), Fate::Delete));
    let mut plan = uninstall(&[], &leaving);
    let (strategy, timeout) = (WaitStrategy::Watcher, std::time::Duration::from_secs(10));
    plan.steps.push(Step {
        id: StepId("wait/1".to_owned()),
        phase: StepPhase::Wait,
        action: StepAction::Wait(WaitStep { strategy, jobs: false, timeout }),
    });
    let began = tokio::time::Instant::now();
    let story = bench.execute(&plan).await;
    assert_eq!(began.elapsed(), timeout);
    assert_eq!(story.error().code, ErrorCode::Timeout);
    let still = |name| {
        format!(
            "resource ConfigMap/prod/{name} still exists. status: Terminating, message: Resource scheduled for deletion\n"
        )
    };
    assert_eq!(
        story.error().message,
        format!(
            "uninstallation completed with 1 error(s): {}{}context deadline exceeded",
            still("a"),
            still("c")
        )
    );
    assert!(
        bench.cluster.object("Secret prod/sh.helm.release.v1.web.v1").is_none(),
        "the record is gone all the same"
    );
}
