//! Plans made by hand: what the planner would have decided.

use std::collections::BTreeSet;
use std::time::Duration;

use boathook_core::hook::{Action, DeletePolicy, Hook};
use boathook_core::plan::{
    ChartInfo, DeleteStep, Fate, HookRun, HookStep, HookWait, NewRevision, OnFailure, Operation, Plan,
    PluginRun, ReleaseRef, ResourceStep, Step, StepAction, StepId, StepPhase, WaitStep, WaitStrategy,
};
use boathook_core::plugin::{Declaration, PluginForm, PluginInfo, PluginOrigin};
use boathook_core::release::ApplyMethod;
use boathook_core::release::basis::Basis;
use boathook_core::release::companion::Divided;
use boathook_core::source::Origin;
use boathook_core::wasm_hook::{Credential, Limits};
use boathook_core::{HookEvent, Object};
use serde_json::{Map, Value, json};

/// A hook to be.
pub(crate) struct Draft {
    pub(crate) events: Vec<HookEvent>,
    pub(crate) policies: Vec<&'static str>,
    pub(crate) objects: Vec<Value>,
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) plugin: Option<PluginRun>,
    pub(crate) timeout: Duration,
}

/// A hook of one object; Jobs and Pods are waited for.
pub(crate) fn hook(kind: &'static str, name: &'static str, policies: &[&'static str]) -> Draft {
    let api_version = match kind {
        "Job" => "batch/v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "Widget" => "nope.example/v1",
        _ => "v1",
    };
    let mut metadata = json!({"namespace": "prod", "annotations": {"helm.sh/hook": "pre-install"}});
    if !name.is_empty() {
        metadata["name"] = json!(name);
    }
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
    if kind == "Pod" {
        object["spec"] = json!({"containers": [{"name": "main"}]});
    }
    Draft {
        events: vec![HookEvent::PreInstall],
        policies: policies.to_vec(),
        objects: vec![object],
        kind,
        name,
        plugin: None,
        timeout: Duration::from_secs(300),
    }
}

/// A `WasmHook` that runs plugin `demo`.
pub(crate) fn plugin(name: &'static str) -> Draft {
    let info = PluginInfo {
        name: "demo".to_owned(),
        origin: PluginOrigin::BuiltIn,
        digest: "sha256:00".to_owned(),
        size: 1,
        form: PluginForm::Component,
        declaration: Declaration::default(),
        imports: BTreeSet::new(),
    };
    let run = PluginRun {
        plugin: info,
        config: Map::from_iter([("a".to_owned(), json!(1))]),
        permissions: Default::default(),
        credentials: Vec::new(),
        backoff_limit: 0,
        limits: Limits::default(),
    };
    Draft { objects: Vec::new(), kind: "WasmHook", plugin: Some(run), ..hook("WasmHook", name, &[]) }
}

impl Draft {
    pub(crate) fn on(mut self, events: &[HookEvent]) -> Self {
        self.events = events.to_vec();
        self
    }

    pub(crate) fn retries(mut self, limit: u32) -> Self {
        self.plugin.as_mut().unwrap().backoff_limit = limit;
        self
    }

    pub(crate) fn credential(mut self, value: Value) -> Self {
        let credential: Credential = serde_json::from_value(value).unwrap();
        self.plugin.as_mut().unwrap().credentials.push(credential);
        self
    }

    fn stored(&self, document: usize) -> Hook {
        Hook {
            api_version: self.api_version(),
            kind: self.kind.to_owned(),
            name: self.name.to_owned(),
            origin: origin(document),
            events: self.events.clone(),
            weight: 0,
            delete_policies: self.written(),
            output_log_policies: Vec::new(),
            manifest: format!("kind: {}\n", self.kind),
            objects: Vec::new(),
            action: Action::ApplyResource,
            spec_places: Default::default(),
        }
    }

    fn api_version(&self) -> String {
        match (&self.plugin, self.objects.first()) {
            (Some(_), _) if self.kind == "WasmHook" => "boathook.dev/v1alpha1".to_owned(),
            (_, Some(object)) => object["apiVersion"].as_str().unwrap().to_owned(),
            _ => "v1".to_owned(),
        }
    }

    fn written(&self) -> Vec<DeletePolicy> {
        self.policies.iter().map(|policy| DeletePolicy::from((*policy).to_owned())).collect()
    }

    fn step(&self, document: usize, event: HookEvent, place: usize) -> Step {
        let mut delete_policies = self.written();
        if delete_policies.is_empty() {
            delete_policies.push(DeletePolicy::BeforeHookCreation);
        }
        let run = match &self.plugin {
            Some(plugin) => HookRun::Plugin(Box::new(plugin.clone())),
            None => HookRun::Resource {
                objects: self.objects.iter().cloned().filter_map(Object::from_value).collect(),
                wait: match self.kind {
                    "Job" => HookWait::Job,
                    "Pod" => HookWait::Pod,
                    _ => HookWait::None,
                },
            },
        };
        let hook = HookStep {
            event,
            api_version: self.api_version(),
            kind: self.kind.to_owned(),
            name: self.name.to_owned(),
            namespace: "prod".to_owned(),
            index: document,
            events: self.events.clone(),
            weight: 0,
            delete_policies,
            output_log_policies: Vec::new(),
            origin: origin(document),
            run,
            timeout: self.timeout,
        };
        Step {
            id: StepId(format!("{event}/{place}")),
            phase: StepPhase::Hooks(event),
            action: StepAction::Hook(Box::new(hook)),
        }
    }
}

fn origin(document: usize) -> Origin {
    Origin { path: "hooks.yaml".to_owned(), document, line: 1 }
}

/// Hooks run in the order given, an event written twice twice.
pub(crate) fn plan(operation: Operation, drafts: &[Draft], resources: &[Value]) -> Plan {
    let mut steps = Vec::new();
    for phase in operation.phases() {
        match phase {
            StepPhase::Hooks(event) => {
                let mut place = 0;
                for (document, draft) in drafts.iter().enumerate() {
                    for _ in draft.events.iter().filter(|own| **own == event) {
                        place += 1;
                        steps.push(draft.step(document, event, place));
                    }
                }
            }
            StepPhase::Apply => {
                steps.extend(resources.iter().enumerate().map(|(index, value)| resource_step(index, value)));
            }
            StepPhase::Crds | StepPhase::Delete | StepPhase::Wait => {}
        }
    }
    let hooks: Vec<Hook> =
        drafts.iter().enumerate().map(|(document, draft)| draft.stored(document)).collect();
    Plan {
        operation,
        release: ReleaseRef { name: "web".to_owned(), namespace: "prod".to_owned(), revision: 1 },
        chart: ChartInfo { name: "web".to_owned(), version: "1.2.0".to_owned(), app_version: None },
        steps,
        diagnostics: Vec::new(),
        basis: Basis { revision: 1, ..Basis::default() },
        hooks: Divided::of(&hooks),
        revision: Some(NewRevision {
            chart: json!({"metadata": {"name": "web", "version": "1.2.0"}}),
            manifest: "---\n# Source: a.yaml\nkind: ConfigMap\n".to_owned(),
            ..NewRevision::default()
        }),
        apply_method: ApplyMethod::ServerSide,
        migrate: false,
        description: None,
        keep_history: false,
        cleanup_on_fail: false,
        on_failure: OnFailure::Leave,
    }
}

/// The `pre-install` hooks alone, nothing recorded.
pub(crate) fn run(drafts: &[Draft]) -> Plan {
    plan(Operation::Run(HookEvent::PreInstall), drafts, &[])
}

/// A whole install.
pub(crate) fn install(drafts: &[Draft], resources: &[Value]) -> Plan {
    plan(Operation::Install, drafts, resources)
}

/// An operation on a history: objects to apply, each with what the base has of it, and references of those that leave.
pub(crate) fn on(
    operation: Operation,
    basis: Basis,
    drafts: &[Draft],
    resources: &[(Value, Option<Value>)],
    leaving: &[(Value, Fate)],
) -> Plan {
    let mut made = plan(operation, drafts, &[]);
    made.release.revision = basis.revision;
    made.basis = basis;
    if matches!(operation, Operation::Uninstall | Operation::Test) {
        made.revision = None;
    }
    let apply = resources.iter().enumerate().map(|(index, (value, original))| {
        let mut step = resource_step(index, value);
        if let StepAction::Resource(resource) = &mut step.action {
            resource.original = original.clone().and_then(Object::from_value);
        }
        step
    });
    let delete = leaving.iter().enumerate().map(|(index, (value, fate))| Step {
        id: StepId(format!("delete/{}", index + 1)),
        phase: StepPhase::Delete,
        action: StepAction::Delete(Box::new(DeleteStep {
            reference: Object::from_value(value.clone()).unwrap().reference(),
            origin: origin(0),
            fate: *fate,
        })),
    });
    made.steps.extend(apply.chain(delete).collect::<Vec<_>>());
    made
}

/// A whole install that waits for its objects, at most for a minute.
pub(crate) fn waiting(strategy: WaitStrategy, jobs: bool, resources: &[Value]) -> Plan {
    let mut plan = install(&[], resources);
    let wait = WaitStep { strategy, jobs, timeout: Duration::from_secs(60) };
    plan.steps.push(Step {
        id: StepId("wait/1".to_owned()),
        phase: StepPhase::Wait,
        action: StepAction::Wait(wait),
    });
    plan
}

/// A ConfigMap in `prod`.
pub(crate) fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "prod"}, "data": {"a": "1"}})
}

fn resource_step(index: usize, value: &Value) -> Step {
    let object = Object::from_value(value.clone()).unwrap();
    Step {
        id: StepId(format!("apply/{}", index + 1)),
        phase: StepPhase::Apply,
        action: StepAction::Resource(Box::new(ResourceStep {
            reference: object.reference(),
            object,
            origin: origin(0),
            original: None,
        })),
    }
}
