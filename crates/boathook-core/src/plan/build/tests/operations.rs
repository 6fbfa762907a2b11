//! Plans of the operations that start from what is recorded.

use super::*;
use crate::plan::TestFilter;
use crate::release::companion::{CompanionHook, CompanionRecord, HookPlace};
use crate::release::{HookEntry, Record, Revision, Status, basis};

/// A revision as a history has it.
struct Kept {
    record: Record,
    companion: Option<CompanionRecord>,
    labels: BTreeMap<String, String>,
}

fn kept(version: u32, status: Status, manifest: &str) -> Kept {
    let mut record = Record { version, manifest: manifest.to_owned(), ..Record::default() };
    record.info.status = status;
    record.apply_method = Some("ssa".to_owned());
    record.chart = json!({"metadata": {"name": "c", "version": "1.0.0"}});
    Kept { record, companion: None, labels: BTreeMap::new() }
}

impl Kept {
    fn hook(mut self, kind: &str, name: &str, event: &str) -> Self {
        let entry = HookEntry {
            name: name.to_owned(),
            kind: kind.to_owned(),
            path: format!("{name}.yaml"),
            manifest: object(kind, name, &format!("helm.sh/hook: {event}")),
            events: vec![event.to_owned()],
            ..HookEntry::default()
        };
        self.record.hooks.push(entry);
        self
    }

    fn wasm(mut self, name: &str, event: &str) -> Self {
        let entry = HookEntry {
            name: name.to_owned(),
            kind: "WasmHook".to_owned(),
            path: "w.yaml".to_owned(),
            manifest: wasm_hook(name, event, "{plugin: p}"),
            events: vec![event.to_owned()],
            ..HookEntry::default()
        };
        let hooks = vec![CompanionHook { position: 0, entry }];
        self.companion = Some(CompanionRecord { hooks, ..CompanionRecord::default() });
        self
    }
}

/// Documents as a record holds them.
fn stored(objects: &[(&str, &str, &str)]) -> String {
    objects
        .iter()
        .map(|(kind, name, annotations)| {
            format!("---\n# Source: {name}.yaml\n{}", &object(kind, name, annotations)[4..])
        })
        .collect()
}

struct Past(Vec<Kept>);

impl Past {
    fn history(&self) -> Vec<Revision<'_>> {
        self.0
            .iter()
            .map(|kept| Revision {
                record: &kept.record,
                companion: kept.companion.as_ref(),
                labels: &kept.labels,
            })
            .collect()
    }

    fn basis(&self, operation: Operation, to: Option<u32>) -> Basis {
        let wish = basis::Wish { to, ..basis::Wish::default() };
        basis::find(operation, wish, "web", &self.history()).unwrap()
    }

    fn input(&self, operation: Operation, text: &str, options: &RevisionOptions) -> PlanInput {
        let basis = self.basis(operation, None);
        let release = ReleaseRef { name: "web".into(), namespace: "prod".into(), revision: basis.revision };
        let history = self.history();
        match operation {
            Operation::Upgrade => {
                let source = Source { path: "a.yaml".to_owned(), text: text.to_owned() };
                let read = dialect::read(manifest::parse(&[source]).documents);
                PlanInput::upgrade(basis, &release, &history, Chart::default(), read, options)
            }
            Operation::Rollback => PlanInput::rollback(basis, &release, &history, options),
            Operation::Uninstall => PlanInput::uninstall(basis, &release, &history, options),
            _ => PlanInput::test(basis, &release, &history, &TestFilter::default()),
        }
    }
}

fn planned(input: PlanInput) -> Plan {
    let plugins = BTreeMap::from([("p".to_owned(), Ok(plugin("p", Capability::Log, &[])))]);
    build(input, &plugins, &options())
}

#[test]
fn an_upgrade_applies_what_it_has_and_deletes_what_it_lacks() {
    let past = Past(vec![kept(
        1,
        Status::Deployed,
        &stored(&[("ConfigMap", "b", ""), ("ConfigMap", "gone", ""), ("Service", "old", "")]),
    )]);
    let text = object("ConfigMap", "a", "")
        + &object("ConfigMap", "b", "")
        + &object("Job", "before", "helm.sh/hook: pre-upgrade")
        + &object("Job", "not", "helm.sh/hook: pre-install");
    let plan = planned(past.input(Operation::Upgrade, &text, &revisions()));
    assert_eq!(
        ids(&plan),
        [
            "pre-upgrade/1 Job/before",
            "apply/1 ConfigMap/a",
            "apply/2 ConfigMap/b",
            "delete/1 ConfigMap/gone DeleteUnlessKept",
            "delete/2 Service/old DeleteUnlessKept",
        ]
    );
    let original = |index: usize| match &plan.steps[index].action {
        StepAction::Resource(step) => step.original.as_ref().map(|object| object.name().to_owned()),
        _ => panic!("no object"),
    };
    assert_eq!((original(1), original(2)), (None, Some("b".to_owned())));
    assert_eq!((plan.release.revision, plan.basis.base), (2, Some(1)));
}

#[test]
fn another_version_or_a_named_namespace_is_the_same_object() {
    let base = "---\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n---\napiVersion: v1\n\
                kind: ConfigMap\nmetadata: {name: b, namespace: prod}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: \
                {name: c, namespace: other}\n";
    let text = "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n---\napiVersion: v1\n\
                kind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let past = Past(vec![kept(1, Status::Deployed, base)]);
    let plan = planned(past.input(Operation::Upgrade, text, &revisions()));
    let deleted: Vec<String> = ids(&plan).into_iter().filter(|id| id.starts_with("delete/")).collect();
    assert_eq!(deleted, ["delete/1 ConfigMap/c DeleteUnlessKept"]);
}

/// D15.
#[test]
fn an_object_that_becomes_a_hook_is_deleted_after_it_and_that_is_said() {
    let past = Past(vec![kept(1, Status::Deployed, &stored(&[("ConfigMap", "a", "")]))]);
    let text = object("ConfigMap", "a", "helm.sh/hook: pre-upgrade");
    let plan = planned(past.input(Operation::Upgrade, &text, &revisions()));
    assert_eq!(ids(&plan), ["pre-upgrade/1 ConfigMap/a", "delete/1 ConfigMap/a DeleteUnlessKept"]);
    assert_eq!(plan.diagnostics[0].code, "hook-was-an-object");
}

#[test]
fn an_upgrade_records_what_helm_would() {
    let mut last = kept(3, Status::Deployed, "");
    last.record.info.first_deployed = Some("2026-01-01T00:00:00Z".parse().unwrap());
    last.labels = [("team", "a"), ("gone", "x"), ("boathook.dev/wasm-hooks", "3")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let past = Past(vec![kept(1, Status::Superseded, ""), kept(2, Status::Superseded, ""), last]);
    let labels = [("gone", "null"), ("new", "y")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let options = RevisionOptions { labels, history_max: 2, ..revisions() };
    let plan = planned(past.input(Operation::Upgrade, "", &options));
    let revision = plan.revision.unwrap();
    assert_eq!(revision.first_deployed, past.0[2].record.info.first_deployed);
    let labels: Vec<(&str, &str)> =
        revision.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("new", "y"), ("team", "a")], "no Wasm hooks, no pointer to any");
    assert_eq!(revision.prune, [1, 2]);
    let text = wasm_hook("w", "test", "{plugin: p}");
    let plan = planned(past.input(Operation::Upgrade, &text, &options));
    assert_eq!(plan.revision.unwrap().labels["boathook.dev/wasm-hooks"], "4");
}

#[test]
fn a_release_of_the_client_stays_so_until_told() {
    let mut old = kept(1, Status::Deployed, "");
    old.record.apply_method = None;
    let past = Past(vec![old]);
    let method = |server_side| {
        let options = RevisionOptions { server_side, ..revisions() };
        let plan = planned(past.input(Operation::Upgrade, "", &options));
        (plan.apply_method.as_str(), plan.migrate)
    };
    assert_eq!(method(ServerSide::Auto), ("csa", false));
    assert_eq!(method(ServerSide::Yes), ("ssa", true));
}

#[test]
fn a_rollback_is_the_target_revision_once_more() {
    let target = kept(1, Status::Superseded, &stored(&[("ConfigMap", "a", ""), ("ConfigMap", "b", "")]))
        .hook("Job", "h", "pre-rollback")
        .wasm("w", "post-rollback");
    let mut target = target;
    target.record.hooks[0].last_run.phase = "Succeeded".to_owned();
    let past = Past(vec![
        target,
        kept(2, Status::Deployed, &stored(&[("ConfigMap", "b", ""), ("ConfigMap", "c", "")])),
    ]);
    let plan = planned(past.input(Operation::Rollback, "", &revisions()));
    assert_eq!(
        ids(&plan),
        [
            "pre-rollback/1 Job/h",
            "apply/1 ConfigMap/a",
            "apply/2 ConfigMap/b",
            "delete/1 ConfigMap/c DeleteUnlessKept",
            "post-rollback/1 WasmHook/w",
        ]
    );
    assert_eq!((plan.release.revision, plan.basis.target), (3, Some(1)));
    assert_eq!(plan.hooks.places, [HookPlace::Ours(0), HookPlace::Helm(0)]);
    assert_eq!(plan.hooks.helm[0].last_run.phase, "Succeeded", "D29: results are copied");
    let revision = plan.revision.unwrap();
    assert_eq!(revision.manifest, past.0[0].record.manifest);
    assert_eq!(revision.labels["boathook.dev/wasm-hooks"], "3");
    assert_eq!(plan.chart.name, "c");
}

/// C41, D13, D14.
#[test]
fn an_uninstall_goes_backwards_and_keeps_what_says_so() {
    let manifest = stored(&[
        ("ServiceAccount", "sa", ""),
        ("Secret", "kept", "helm.sh/resource-policy: ' KEEP '"),
        ("ConfigMap", "other", "helm.sh/resource-policy: delete"),
        ("ConfigMap", "c", ""),
        ("Service", "s", ""),
    ]);
    let past = Past(vec![
        kept(1, Status::Superseded, ""),
        kept(2, Status::Deployed, &manifest).hook("Job", "h", "pre-delete").wasm("w", "pre-install"),
    ]);
    let plan = planned(past.input(Operation::Uninstall, "", &revisions()));
    assert_eq!(
        ids(&plan),
        [
            "pre-delete/1 Job/h",
            "delete/1 Service/s Delete",
            "delete/2 ConfigMap/other Orphan",
            "delete/3 ConfigMap/c Delete",
            "delete/4 Secret/kept Keep",
            "delete/5 ServiceAccount/sa Delete",
        ]
    );
    assert_eq!((plan.release.revision, plan.revision), (2, None));
}

/// Helm rolled back to a revision of ours: its copy has no Wasm hooks, and ours are found.
#[test]
fn wasm_hooks_are_found_after_a_rollback_of_helms() {
    let ours = kept(1, Status::Superseded, "").wasm("w", "pre-delete");
    let mut copy = kept(3, Status::Deployed, "").hook("Job", "h", "pre-delete");
    copy.record.info.rollback_revision = Some(1);
    let past = Past(vec![ours, kept(2, Status::Superseded, ""), copy]);
    let plan = planned(past.input(Operation::Uninstall, "", &revisions()));
    assert_eq!(ids(&plan), ["pre-delete/1 Job/h", "pre-delete/2 WasmHook/w"]);
    assert_eq!(plan.hooks.places, [HookPlace::Ours(0), HookPlace::Helm(0)]);

    let mut pruned = kept(3, Status::Deployed, "");
    pruned.record.info.rollback_revision = Some(1);
    pruned.labels.insert("boathook.dev/wasm-hooks".to_owned(), "1".to_owned());
    let past = Past(vec![kept(2, Status::Superseded, ""), pruned]);
    let plan = planned(past.input(Operation::Uninstall, "", &revisions()));
    assert_eq!(plan.diagnostics[0].code, "wasm-hooks-lost");
}

#[test]
fn what_is_uninstalled_already_has_only_records() {
    let past = Past(vec![kept(1, Status::Uninstalled, &stored(&[("ConfigMap", "c", "")])).hook(
        "Job",
        "h",
        "pre-delete",
    )]);
    let plan = planned(past.input(Operation::Uninstall, "", &revisions()));
    assert_eq!(ids(&plan), Vec::<String>::new());
}

/// D24, but for what is lost: the order that a filter leaves behind.
#[test]
fn a_filter_leaves_tests_out_and_puts_them_first() {
    let past = Past(vec![
        kept(1, Status::Deployed, "")
            .hook("Pod", "t1", "test")
            .hook("Job", "up", "pre-upgrade")
            .hook("Pod", "t2", "test")
            .hook("Pod", "t3", "test"),
    ]);
    let basis = past.basis(Operation::Test, None);
    let release = ReleaseRef { name: "web".into(), namespace: "prod".into(), revision: 1 };
    let with = |include: &[&str], exclude: &[&str]| {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let filter = TestFilter { include: own(include), exclude: own(exclude) };
        let plan = planned(PlanInput::test(basis.clone(), &release, &past.history(), &filter));
        let order: Vec<String> = plan.hooks.helm.iter().map(|hook| hook.name.clone()).collect();
        (ids(&plan).join(" "), order.join(" "))
    };
    let told = |ids: &str, order: &str| (ids.to_owned(), order.to_owned());
    assert_eq!(with(&[], &[]), told("test/1 Pod/t1 test/2 Pod/t2 test/3 Pod/t3", "t1 up t2 t3"));
    assert_eq!(with(&["t2"], &[]), told("test/1 Pod/t2", "t1 up t3 t2"));
    assert_eq!(with(&[], &["t1"]), told("test/1 Pod/t2 test/2 Pod/t3", "t1 up t2 t3"));
    assert_eq!(with(&["t2", "t3"], &["t3"]), told("test/1 Pod/t2", "t3 t1 up t2"));
    assert_eq!(with(&["none"], &[]), told("", "t1 up t2 t3"), "D39");
}

#[test]
fn a_failed_upgrade_would_go_back_to_the_last_success() {
    let past = Past(vec![
        kept(1, Status::Superseded, &stored(&[("ConfigMap", "a", "")])).hook("Job", "back", "pre-rollback"),
        kept(2, Status::Failed, ""),
    ]);
    let options = RevisionOptions { rollback_on_failure: true, ..revisions() };
    let text = object("ConfigMap", "new", "");
    let plan = planned(past.input(Operation::Upgrade, &text, &options));
    let OnFailure::Recover(recovery) = plan.on_failure else { panic!("{:?}", plan.on_failure) };
    assert_eq!(
        ids(&recovery),
        [
            "pre-rollback/1 Job/back",
            "apply/1 ConfigMap/a",
            "delete/1 ConfigMap/new DeleteUnlessKept",
            "wait/1 Watcher"
        ]
    );
    assert_eq!(
        (recovery.release.revision, recovery.basis.target, recovery.basis.base),
        (4, Some(1), Some(3))
    );

    let past = Past(vec![kept(1, Status::Failed, "")]);
    let plan = planned(past.input(Operation::Upgrade, &text, &options));
    assert!(matches!(plan.on_failure, OnFailure::NothingToRecover));
}

#[test]
fn a_failed_install_would_be_uninstalled_with_its_own_hooks() {
    let text = object("ConfigMap", "a", "") + &object("Job", "bye", "helm.sh/hook: post-delete");
    let source = Source { path: "a.yaml".to_owned(), text };
    let read = dialect::read(manifest::parse(&[source]).documents);
    let release = ReleaseRef { name: "web".into(), namespace: "prod".into(), revision: 1 };
    let options = RevisionOptions { rollback_on_failure: true, ..revisions() };
    let basis = Basis { revision: 1, ..Basis::default() };
    let plan = planned(PlanInput::install(basis, &release, Chart::default(), read, Vec::new(), &options));
    assert_eq!(ids(&plan), ["apply/1 ConfigMap/a", "wait/1 Watcher"], "else only hooks could fail");
    let OnFailure::Recover(recovery) = plan.on_failure else { panic!("{:?}", plan.on_failure) };
    assert_eq!(ids(&recovery), ["delete/1 ConfigMap/a Delete", "wait/1 Watcher", "post-delete/1 Job/bye"]);
    assert_eq!(recovery.basis, Basis { last: Some(1), base: Some(1), revision: 1, ..Basis::default() });
}

/// A release that Helm took although a key stands twice can be upgraded and uninstalled.
#[test]
fn what_is_recorded_is_read_as_helm_reads_it() {
    let manifest = "---\n# Source: a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, name: b}\n";
    let past = Past(vec![kept(1, Status::Deployed, manifest)]);
    let plan = planned(past.input(Operation::Uninstall, "", &revisions()));
    assert_eq!(ids(&plan), ["delete/1 ConfigMap/b Delete"]);
    assert_eq!(errors(&plan), Vec::<&Diagnostic>::new());
    let past = Past(vec![kept(1, Status::Deployed, "---\nkind: {x\n")]);
    let plan = planned(past.input(Operation::Uninstall, "", &revisions()));
    assert_eq!(errors(&plan)[0].path.as_deref(), Some("manifest of revision 1"));
}
