//! Builds the plan: which steps, in which order, with every default, policy, timeout and right resolved. Faults of the
//! input become diagnostics, all of them, and a plan with an error among them is never executed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::authorize;
use crate::hook::{Action, DeletePolicy, Hook, HookEvent};
use crate::manifest::Document;
use crate::order;
use crate::plan::changes::{self, Index};
use crate::plan::{
    HookRun, HookStep, HookWait, NOT_GRANTED, OnFailure, Operation, Plan, PlanInput, PluginRun, ResourceStep,
    Step, StepAction, StepId, StepPhase, WaitStep, WaitStrategy, schema_work, suggest,
};
use crate::plugin::{Capability, PluginInfo};
use crate::wasm_hook::WasmHookSpec;
use crate::{Diagnostic, Object};

/// What is known of each plugin that the hooks name, by that name: the plugin, or why it cannot be used.
pub type Plugins = BTreeMap<String, Result<PluginInfo, UnusablePlugin>>;

/// Why a plugin cannot be used, for the hook that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusablePlugin {
    /// One sentence.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

/// What the user may choose about a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanOptions {
    /// Of each step that sets none of its own.
    pub timeout: Duration,
    /// No hooks at all.
    pub no_hooks: bool,
    /// `KIND/NAME` of hooks to leave out.
    pub skip_hooks: Vec<String>,
    /// `KIND/NAME` of the only hooks to run; empty: all.
    pub only_hooks: Vec<String>,
    /// How hooks of one weight are ordered.
    pub hook_order: HookOrder,
    /// What is waited for besides hooks.
    pub wait: WaitStrategy,
    /// Ordinary Jobs are waited for until they are complete.
    pub wait_for_jobs: bool,
}

/// How hooks of one event are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookOrder {
    /// As Helm's code does it: weight, name, kind.
    Helm,
    /// As Helm's documentation says: weight, kind, name.
    Kind,
}

/// Names of the plugins that the operation's hooks call, each once: what has to be looked up before [`build`].
pub fn plugins_needed(input: &PlanInput) -> BTreeSet<String> {
    let events: Vec<HookEvent> = input.operation.events().collect();
    let own =
        input.hooks.iter().filter(|hook| hook.events.iter().any(|event| events.contains(event))).filter_map(
            |hook| match &hook.action {
                Action::CallPlugin(spec) => Some(spec.plugin.clone()),
                Action::ApplyResource => None,
            },
        );
    let mut names: BTreeSet<String> = own.collect();
    if let OnFailure::Recover(recovery) = &input.on_failure {
        names.extend(plugins_needed(recovery));
    }
    names
}

/// Builds the plan.
pub fn build(input: PlanInput, plugins: &Plugins, options: &PlanOptions) -> Plan {
    let mut options = options.clone();
    // What is to be undone on failure has to be looked at for failures, and so has what undoes it.
    if options.wait == WaitStrategy::HookOnly && !matches!(input.on_failure, OnFailure::Leave) {
        options.wait = WaitStrategy::Watcher;
    }
    let options = &options;
    let mut builder =
        Builder { input: &input, plugins, options, diagnostics: Vec::new(), checked: BTreeSet::new() };
    builder.check_selection();
    let mut steps = Vec::new();
    for phase in input.operation.phases() {
        let actions = match phase {
            StepPhase::Crds => builder.resources(&input.crds),
            StepPhase::Hooks(event) => builder.hooks(event),
            StepPhase::Apply => builder.resources(&input.resources),
            StepPhase::Delete => builder.deletions(),
            StepPhase::Wait => builder.waits(),
        };
        steps.extend(actions.into_iter().enumerate().map(|(index, action)| Step {
            id: StepId(format!("{phase}/{}", index + 1)),
            phase,
            action,
        }));
    }
    let found = builder.diagnostics;
    let mut diagnostics = input.diagnostics;
    diagnostics.extend(found);
    let on_failure = match input.on_failure {
        OnFailure::Leave => OnFailure::Leave,
        OnFailure::NothingToRecover => OnFailure::NothingToRecover,
        OnFailure::Recover(recovery) => {
            let mut recovery = build(*recovery, plugins, options);
            let new = |diagnostic: &Diagnostic| !diagnostics.contains(diagnostic);
            diagnostics.extend(recovery.diagnostics.drain(..).filter(new).collect::<Vec<_>>());
            OnFailure::Recover(Box::new(recovery))
        }
    };
    Plan {
        operation: input.operation,
        release: input.release,
        chart: input.chart,
        steps,
        diagnostics,
        basis: input.basis,
        hooks: input.stored_hooks,
        revision: input.revision,
        apply_method: input.apply_method,
        migrate: input.migrate,
        description: input.description,
        keep_history: input.keep_history,
        cleanup_on_fail: input.cleanup_on_fail,
        on_failure,
    }
}

struct Builder<'a> {
    input: &'a PlanInput,
    plugins: &'a Plugins,
    options: &'a PlanOptions,
    diagnostics: Vec<Diagnostic>,
    /// Hooks whose plugin was checked: one that runs at two events is reported once.
    checked: BTreeSet<usize>,
}

impl Builder<'_> {
    /// A name after `--skip-hook` or `--only-hook` that matches nothing is a slip, not a wish.
    fn check_selection(&mut self) {
        let known: BTreeSet<String> = self.input.hooks.iter().map(slug).collect();
        for name in self.options.skip_hooks.iter().chain(&self.options.only_hooks) {
            if !known.contains(name) {
                let names = known.iter().cloned().collect::<Vec<_>>().join(", ");
                self.diagnostics.push(
                    Diagnostic::error("no-such-hook", format!("no hook {name:?} in this source"))
                        .help(format!("hooks are named KIND/NAME; there are: {names}")),
                );
            }
        }
    }

    fn hooks(&mut self, event: HookEvent) -> Vec<StepAction> {
        if self.options.no_hooks {
            return Vec::new();
        }
        let mut order: Vec<usize> = order::run_order(&self.input.hooks, event);
        if self.options.hook_order == HookOrder::Kind {
            let hooks = &self.input.hooks;
            order.sort_by(|a, b| {
                let (a, b) = (&hooks[*a], &hooks[*b]);
                let by_kind = || order::by_install_kind(&a.kind, &b.kind);
                a.weight.cmp(&b.weight).then_with(by_kind).then_with(|| a.name.cmp(&b.name))
            });
        }
        order.retain(|index| self.selected(&self.input.hooks[*index]));
        order.into_iter().map(|index| self.hook(index, event)).collect()
    }

    fn selected(&self, hook: &Hook) -> bool {
        let name = slug(hook);
        !self.options.skip_hooks.contains(&name)
            && (self.options.only_hooks.is_empty() || self.options.only_hooks.contains(&name))
    }

    fn hook(&mut self, index: usize, event: HookEvent) -> StepAction {
        let hook = &self.input.hooks[index];
        let namespace =
            hook.objects.first().and_then(Object::namespace).unwrap_or(&self.input.release.namespace);
        let (run, timeout) = match &hook.action {
            Action::CallPlugin(spec) => (self.plugin_run(index, spec), spec.timeout),
            Action::ApplyResource => (self.resource_run(hook), None),
        };
        // Helm fills the default in only where the stored list is empty (hookSetDeletePolicy).
        let delete_policies = match hook.delete_policies.as_slice() {
            [] => vec![DeletePolicy::BeforeHookCreation],
            written => written.to_vec(),
        };
        StepAction::Hook(Box::new(HookStep {
            event,
            api_version: hook.api_version.clone(),
            kind: hook.kind.clone(),
            name: hook.name.clone(),
            namespace: namespace.to_owned(),
            index,
            events: hook.events.clone(),
            weight: hook.weight,
            delete_policies,
            output_log_policies: hook.output_log_policies.clone(),
            origin: hook.origin.clone(),
            run,
            timeout: timeout.unwrap_or(self.options.timeout),
        }))
    }

    fn resource_run(&self, hook: &Hook) -> HookRun {
        let objects = hook.objects.iter().map(|object| self.with_namespace(object)).collect();
        let wait = match hook.kind.as_str() {
            "Job" => HookWait::Job,
            "Pod" => HookWait::Pod,
            _ => HookWait::None,
        };
        HookRun::Resource { objects, wait }
    }

    fn plugin_run(&mut self, index: usize, spec: &WasmHookSpec) -> HookRun {
        let hook = &self.input.hooks[index];
        let first_time = self.checked.insert(index);
        match self.plugins.get(&spec.plugin) {
            Some(Ok(plugin)) => {
                if first_time {
                    self.check_plugin(hook, spec, plugin);
                }
                HookRun::Plugin(Box::new(PluginRun {
                    plugin: plugin.clone(),
                    config: spec.config.clone(),
                    permissions: spec.permissions.clone(),
                    credentials: spec.credentials.clone(),
                    backoff_limit: spec.backoff_limit,
                    limits: spec.limits,
                }))
            }
            unusable => {
                if first_time {
                    let (message, help) = match unusable {
                        Some(Err(why)) => (why.message.clone(), why.help.clone()),
                        _ => (format!("no plugin {:?}", spec.plugin), None),
                    };
                    let mut diagnostic =
                        at_hook(hook, "plugin", Diagnostic::error("unusable-plugin", message));
                    diagnostic.help = help;
                    self.diagnostics.push(diagnostic);
                }
                // The plan carries an error and is never executed: what runs here does not matter.
                HookRun::Resource { objects: Vec::new(), wait: HookWait::None }
            }
        }
    }

    fn check_plugin(&mut self, hook: &Hook, spec: &WasmHookSpec, plugin: &PluginInfo) {
        self.check_config(hook, spec, plugin);
        for problem in authorize::problems(&spec.permissions) {
            self.diagnostics.push(at_hook(
                hook,
                "permissions",
                Diagnostic::error("invalid-permission", problem),
            ));
        }
        for declared in &plugin.declaration.capabilities {
            let granted = match declared.capability {
                Capability::Kubernetes => !spec.permissions.kubernetes.is_empty(),
                Capability::Http => !spec.permissions.http.is_empty(),
                Capability::Context | Capability::Log | Capability::Outputs => true,
            };
            if !granted {
                let lines = suggest::missing(declared, &spec.config, &self.input.release.namespace);
                self.diagnostics.push(
                    at_hook(
                        hook,
                        "",
                        Diagnostic::error(
                            NOT_GRANTED,
                            format!(
                                "{} needs permission for {}, and the hook grants none{}",
                                plugin.name,
                                declared.capability,
                                if declared.why.is_empty() {
                                    String::new()
                                } else {
                                    format!(" ({})", declared.why)
                                }
                            ),
                        ),
                    )
                    .help(format!("if this is what you want, add to the hook's spec:\n{lines}")),
                );
            }
        }
    }

    fn check_config(&mut self, hook: &Hook, spec: &WasmHookSpec, plugin: &PluginInfo) {
        for violation in config_violations(plugin, &spec.config) {
            let message = format!("config of plugin {}: {violation}", plugin.name);
            self.diagnostics.push(
                at_hook(hook, "config", Diagnostic::error("invalid-config", message))
                    .help(format!("see `boathook plugin inspect {}` for its settings", spec.plugin)),
            );
        }
    }

    /// Documents to apply, each with what the revision before has in its place.
    fn resources(&self, documents: &[Document]) -> Vec<StepAction> {
        let mut base = Index::of(self.input.base.iter().flat_map(|document| &document.objects), |object| {
            self.with_namespace(object)
        });
        let mut steps = Vec::new();
        for document in documents {
            for object in &document.objects {
                let object = self.with_namespace(object);
                steps.push(StepAction::Resource(Box::new(ResourceStep {
                    reference: object.reference(),
                    original: base.take(&object),
                    object,
                    origin: document.origin.clone(),
                })));
            }
        }
        steps
    }

    /// What leaves the release: everything in an uninstall, else what the revision before has and this one has not.
    fn deletions(&mut self) -> Vec<StepAction> {
        let namespace = |object: &Object| self.with_namespace(object);
        let steps = if self.input.operation == Operation::Uninstall {
            changes::uninstalled(&self.input.resources, namespace)
        } else {
            changes::removed(&self.input.base, &self.input.resources, namespace)
        };
        self.diagnostics.extend(changes::hooks_removed(&steps, &self.input.hooks, self.input.operation));
        steps.into_iter().map(|step| StepAction::Delete(Box::new(step))).collect()
    }

    /// One step for all objects. Those that an upgrade or a rollback deletes are not waited for.
    fn waits(&self) -> Vec<StepAction> {
        let PlanOptions { wait: strategy, wait_for_jobs: jobs, timeout, .. } = *self.options;
        let waits = strategy != WaitStrategy::HookOnly && !self.input.resources.is_empty();
        waits.then_some(StepAction::Wait(WaitStep { strategy, jobs, timeout })).into_iter().collect()
    }

    /// Fills in the release's namespace where the manifest names none.
    fn with_namespace(&self, object: &Object) -> Object {
        let mut object = object.clone();
        if object.namespace().is_none() && !is_cluster_scoped(&object) {
            let namespace = self.input.release.namespace.clone();
            object.metadata_mut().insert("namespace".to_owned(), namespace.into());
        }
        object
    }
}

/// Every violation of the plugin's own schema, with the path of the field in `config`.
pub fn config_violations(
    plugin: &PluginInfo,
    config: &serde_json::Map<String, serde_json::Value>,
) -> Vec<String> {
    let Some(schema) = &plugin.declaration.config_schema else { return Vec::new() };
    if let Err(reason) = schema_work::check(schema, config) {
        return vec![format!("the plugin's own schema cannot be used: {reason}")];
    }
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => return vec![format!("the plugin's own schema is no JSON Schema: {error}")],
    };
    let config = serde_json::Value::Object(config.clone());
    validator
        .iter_errors(&config)
        .map(|error| {
            let path = error.instance_path().to_string();
            // Values stay out of the message: a config may hold what its owner takes for a secret.
            let reason = error.masked().to_string();
            if path.is_empty() { reason } else { format!("{path}: {reason}") }
        })
        .collect()
}

/// Kinds of Kubernetes itself that have no namespaces: an object of one never gets the release's in its metadata. For other
/// kinds only the cluster knows; there the executor drops what does not belong.
fn is_cluster_scoped(object: &Object) -> bool {
    const KINDS: [&str; 20] = [
        "APIService",
        "CSIDriver",
        "CSINode",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "FlowSchema",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    ];
    let group = object.api_version().split_once('/').map_or("", |(group, _)| group);
    let built_in = group.is_empty() || !group.contains('.') || group.ends_with(".k8s.io");
    built_in && KINDS.contains(&object.kind())
}

fn slug(hook: &Hook) -> String {
    format!("{}/{}", hook.kind, hook.name)
}

/// Puts a finding at the field of the hook's spec it is about.
fn at_hook(hook: &Hook, field: &str, diagnostic: Diagnostic) -> Diagnostic {
    let (line, column) = hook.spec_place(field);
    diagnostic.at(&hook.origin.path, line, column)
}

#[cfg(test)]
mod tests;
