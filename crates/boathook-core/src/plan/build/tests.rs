//! What a plan decides: order, defaults, selection, and everything that is refused before anything runs.

use serde_json::json;

use super::*;
use crate::dialect::Read;
use crate::plan::{Chart, ReleaseRef, RevisionOptions};
use crate::plugin::{Declaration, DeclaredCapability, PluginForm, PluginOrigin};
use crate::release::ServerSide;
use crate::release::basis::Basis;
use crate::{Severity, Source, dialect, manifest};

fn plugin(name: &str, capability: Capability, uses: &[&str]) -> PluginInfo {
    PluginInfo {
        name: name.to_owned(),
        origin: PluginOrigin::BuiltIn,
        digest: "sha256:0".to_owned(),
        size: 1,
        form: PluginForm::Component,
        declaration: Declaration {
            name: name.to_owned(),
            config_schema: Some(json!({
                "type": "object",
                "properties": {"a": {"type": "string"}, "object": {"type": "object"}, "url": {"type": "string"}},
                "additionalProperties": false
            })),
            capabilities: vec![DeclaredCapability {
                capability,
                why: "to do its work".to_owned(),
                uses: uses.iter().map(|word| (*word).to_owned()).collect(),
            }],
            ..Declaration::default()
        },
        imports: BTreeSet::from([capability]),
    }
}

fn options() -> PlanOptions {
    PlanOptions {
        timeout: Duration::from_secs(300),
        no_hooks: false,
        skip_hooks: Vec::new(),
        only_hooks: Vec::new(),
        hook_order: HookOrder::Helm,
        wait: WaitStrategy::HookOnly,
        wait_for_jobs: false,
    }
}

fn plan_with(text: &str, operation: Operation, options: &PlanOptions) -> Plan {
    let source = Source { path: "a.yaml".to_owned(), text: text.to_owned() };
    let parsed = manifest::parse(&[source]);
    let read = dialect::read(parsed.documents);
    let mut diagnostics = parsed.diagnostics;
    diagnostics.extend(read.diagnostics);
    let unusable =
        UnusablePlugin { message: "no plugin \"gone\"".to_owned(), help: Some("there is: p".to_owned()) };
    let known = BTreeMap::from([
        ("p".to_owned(), Ok(plugin("p", Capability::Log, &[]))),
        ("k".to_owned(), Ok(plugin("k", Capability::Kubernetes, &["get", "create"]))),
        ("h".to_owned(), Ok(plugin("h", Capability::Http, &["POST"]))),
        ("gone".to_owned(), Err(unusable)),
    ]);
    let read = Read { diagnostics, ..read };
    let release = ReleaseRef { name: "web".to_owned(), namespace: "prod".to_owned(), revision: 1 };
    let input = match operation {
        Operation::Run(event) => PlanInput::run(event, &release, &Chart::default(), read),
        _ => {
            let basis = Basis { revision: 1, ..Basis::default() };
            PlanInput::install(basis, &release, Chart::default(), read, Vec::new(), &revisions())
        }
    };
    let plugins = plugins_needed(&input)
        .into_iter()
        .filter_map(|name| known.get(&name).map(|plugin| (name, plugin.clone())))
        .collect();
    build(input, &plugins, options)
}

fn revisions() -> RevisionOptions {
    RevisionOptions {
        labels: BTreeMap::new(),
        server_side: ServerSide::Auto,
        history_max: 10,
        description: None,
        cleanup_on_fail: false,
        rollback_on_failure: false,
        keep_history: false,
    }
}

fn install(text: &str) -> Plan {
    plan_with(text, Operation::Install, &options())
}

fn object(kind: &str, name: &str, hook: &str) -> String {
    let api_version = if kind == "Job" { "batch/v1" } else { "v1" };
    format!(
        "---\napiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n  annotations: {{{hook}}}\n"
    )
}

fn wasm_hook(name: &str, event: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: boathook.dev/v1alpha1\nkind: WasmHook\nmetadata:\n  name: {name}\n  annotations: \
         {{helm.sh/hook: {event}}}\nspec: {spec}\n"
    )
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| match &step.action {
            StepAction::Hook(hook) => format!("{} {}", step.id, hook.slug()),
            StepAction::Resource(resource) => format!("{} {}", step.id, resource.reference.slug()),
            StepAction::Delete(step_) => format!("{} {} {:?}", step.id, step_.reference.slug(), step_.fate),
            StepAction::Wait(wait) => format!("{} {:?}", step.id, wait.strategy),
        })
        .collect()
}

fn errors(plan: &Plan) -> Vec<&Diagnostic> {
    plan.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect()
}

mod operations;

#[test]
fn an_install_is_hooks_objects_hooks() {
    let text = object("ConfigMap", "app", "")
        + &object("Job", "after", "helm.sh/hook: post-install")
        + &object("ServiceAccount", "before", "helm.sh/hook: \"pre-install,pre-upgrade\"")
        + &object("Job", "never", "helm.sh/hook: pre-rollback");
    let plan = install(&text);
    assert_eq!(
        ids(&plan),
        ["pre-install/1 ServiceAccount/before", "apply/1 ConfigMap/app", "post-install/1 Job/after"]
    );
    assert_eq!(plan.hooks.places.len(), 3, "the release has the hooks of every event");
}

#[test]
fn run_takes_one_event_only() {
    let text = object("Job", "a", "helm.sh/hook: \"test,pre-install\"") + &object("ConfigMap", "app", "");
    let plan = plan_with(&text, Operation::Run(HookEvent::Test), &options());
    assert_eq!(ids(&plan), ["test/1 Job/a"]);
}

#[test]
fn the_documented_order_is_an_option() {
    let text =
        object("Job", "a", "helm.sh/hook: test") + &object("ServiceAccount", "b", "helm.sh/hook: test");
    let run = Operation::Run(HookEvent::Test);
    assert_eq!(ids(&plan_with(&text, run, &options())), ["test/1 Job/a", "test/2 ServiceAccount/b"]);
    let by_kind = PlanOptions { hook_order: HookOrder::Kind, ..options() };
    assert_eq!(ids(&plan_with(&text, run, &by_kind)), ["test/1 ServiceAccount/b", "test/2 Job/a"]);
}

#[test]
fn the_default_policy_is_filled_in_only_where_none_is_written() {
    let policies = |annotations: &str| {
        let plan = install(&object("Job", "a", &format!("helm.sh/hook: pre-install{annotations}")));
        match &plan.steps[0].action {
            StepAction::Hook(hook) => hook.delete_policies.clone(),
            _ => panic!("no hook"),
        }
    };
    assert_eq!(policies(""), [DeletePolicy::BeforeHookCreation]);
    assert_eq!(policies(", helm.sh/hook-delete-policy: never"), [DeletePolicy::Other("never".to_owned())]);
    assert_eq!(policies(", helm.sh/hook-delete-policy: \"\""), [DeletePolicy::Other(String::new())]);
}

#[test]
fn hooks_can_be_left_out_by_name() {
    let text = object("Job", "a", "helm.sh/hook: test") + &object("Job", "b", "helm.sh/hook: test");
    let run = Operation::Run(HookEvent::Test);
    let skip = PlanOptions { skip_hooks: vec!["Job/a".to_owned()], ..options() };
    assert_eq!(ids(&plan_with(&text, run, &skip)), ["test/1 Job/b"]);
    let only = PlanOptions { only_hooks: vec!["Job/a".to_owned()], ..options() };
    assert_eq!(ids(&plan_with(&text, run, &only)), ["test/1 Job/a"]);
    let slip = PlanOptions { skip_hooks: vec!["Job/c".to_owned()], ..options() };
    let plan = plan_with(&text, run, &slip);
    assert_eq!(errors(&plan)[0].code, "no-such-hook");
    let none = PlanOptions { no_hooks: true, ..options() };
    assert!(plan_with(&text, run, &none).steps.is_empty());
}

#[test]
fn namespaces_are_filled_in_where_the_kind_has_them() {
    let text = object("ConfigMap", "a", "") + &object("Namespace", "b", "");
    let namespaces: Vec<Option<String>> = install(&text)
        .steps
        .iter()
        .map(|step| match &step.action {
            StepAction::Resource(resource) => resource.reference.namespace.clone(),
            _ => panic!("no object"),
        })
        .collect();
    assert_eq!(namespaces, [None, Some("prod".to_owned())], "Namespace sorts first");
}

#[test]
fn a_plugin_that_cannot_be_used_is_an_error_at_its_hook() {
    let plan = install(&wasm_hook("x", "pre-install", "{plugin: gone}"));
    let error = errors(&plan)[0];
    assert_eq!(
        (error.code.as_str(), error.line, error.help.as_deref()),
        ("unusable-plugin", Some(7), Some("there is: p"))
    );
}

#[test]
fn every_violation_of_the_schema_is_told_without_its_value() {
    let plan = install(&wasm_hook("x", "pre-install", "{plugin: p, config: {a: 815, b: 1}}"));
    let messages: Vec<&str> = errors(&plan).iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages.iter().any(|message| message.contains("/a: ") && message.contains("string")),
        "{messages:?}"
    );
    assert!(messages.iter().any(|message| message.contains("'b'")), "{messages:?}");
    assert!(messages.iter().all(|message| !message.contains("815")), "{messages:?}");
}

#[test]
fn a_declared_need_without_a_grant_is_refused_with_the_lines_to_add() {
    let config = "{object: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}}";
    let plan = install(&wasm_hook("x", "pre-install", &format!("{{plugin: k, config: {config}}}")));
    let [error] = errors(&plan)[..] else { panic!("{:?}", plan.diagnostics) };
    assert_eq!(error.code, NOT_GRANTED);
    let help = error.help.as_deref().unwrap_or_default();
    assert!(help.contains("resources: [configmaps], verbs: [get, create], resourceNames: [c]"), "{help}");
    let granted = "permissions: {kubernetes: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get]}]}";
    let plan =
        install(&wasm_hook("x", "pre-install", &format!("{{plugin: k, config: {config}, {granted}}}")));
    assert_eq!(errors(&plan), Vec::<&Diagnostic>::new());
}

#[test]
fn plugins_of_other_events_are_not_looked_up() {
    let plan = install(&wasm_hook("x", "pre-delete", "{plugin: gone}"));
    assert_eq!(errors(&plan), Vec::<&Diagnostic>::new());
}

#[test]
fn a_hook_of_two_events_is_reported_once() {
    let plan = install(&wasm_hook("x", "\"pre-install,post-install\"", "{plugin: gone}"));
    assert_eq!(errors(&plan).len(), 1);
}
