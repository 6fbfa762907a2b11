//! What a case gave, as texts that are easy to read and to compare.

use boathook_core::hook::{Action, OutputLogPolicy};
use boathook_core::plan::{HookRun, HookWait, StepAction};
use boathook_core::{Hook, Severity, order};
use serde_json::Value;

use crate::case::Outcome;
use crate::world::Story;

/// A list as `a,b`, or `-` if there is none.
pub(crate) fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    if items.is_empty() { "-".to_owned() } else { items.iter().map(text).collect::<Vec<_>>().join(",") }
}

fn lines(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().map(|line| line + "\n").collect()
}

pub(crate) fn documents(outcome: &Outcome) -> String {
    lines(outcome.documents.iter().map(|document| {
        let origin = &document.origin;
        format!("{} {} {}", origin.path, origin.document, Value::from(document.text.as_str()))
    }))
}

pub(crate) fn hooks(outcome: &Outcome) -> String {
    lines(outcome.plan.hooks.iter().map(hook))
}

fn hook(hook: &Hook) -> String {
    let log = |policy: &OutputLogPolicy| String::from(policy.clone());
    let plugin = match &hook.action {
        Action::CallPlugin(spec) => format!(" plugin={}", spec.plugin),
        Action::ApplyResource => String::new(),
    };
    format!(
        "{}/{} events={} weight={} delete={} log={}{plugin} {}:{}",
        hook.kind,
        hook.name,
        list(&hook.events, ToString::to_string),
        hook.weight,
        list(&hook.delete_policies, |policy| format!("{:?}", policy.as_str())),
        list(&hook.output_log_policies, |policy| format!("{:?}", log(policy))),
        hook.origin.path,
        hook.origin.document,
    )
}

pub(crate) fn manifest(outcome: &Outcome) -> String {
    outcome.plan.manifest.clone()
}

pub(crate) fn objects(outcome: &Outcome) -> String {
    let mut out = String::new();
    for step in &outcome.plan.steps {
        match &step.action {
            StepAction::Resource(step) => out += &lines([Value::Object(step.object.0.clone()).to_string()]),
            StepAction::Hook(step) => {
                if let HookRun::Resource { objects, .. } = &step.run {
                    out += &lines(objects.iter().map(|object| Value::Object(object.0.clone()).to_string()));
                }
            }
        }
    }
    out
}

pub(crate) fn plan(outcome: &Outcome) -> String {
    lines(outcome.plan.steps.iter().map(|step| match &step.action {
        StepAction::Resource(resource) => format!("{} {} apply", step.id, resource.reference.slug()),
        StepAction::Hook(hook) => {
            let run = match &hook.run {
                HookRun::Plugin(run) => format!("plugin {}", run.plugin.name),
                HookRun::Resource { wait: HookWait::Job, .. } => "create, wait for the Job".to_owned(),
                HookRun::Resource { wait: HookWait::Pod, .. } => "create, wait for the Pod".to_owned(),
                HookRun::Resource { wait: HookWait::None, .. } => "create".to_owned(),
            };
            let policies = list(&hook.delete_policies, |policy| format!("{:?}", policy.as_str()));
            format!("{} {} weight={} delete={policies} {run}", step.id, hook.slug(), hook.weight)
        }
    }))
}

pub(crate) fn uninstall(outcome: &Outcome) -> String {
    let kinds: Vec<&str> = outcome.resources.iter().map(|document| document.head.kind.as_str()).collect();
    lines(order::uninstall_order(&kinds).into_iter().map(|index| {
        let head = &outcome.resources[index].head;
        format!("{}/{}", head.kind, head.name)
    }))
}

pub(crate) fn diagnostics(outcome: &Outcome) -> String {
    lines(outcome.plan.diagnostics.iter().map(|diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let place = match (&diagnostic.path, diagnostic.line, diagnostic.column) {
            (Some(path), Some(line), Some(column)) => format!(" {path}:{line}:{column}"),
            (Some(path), ..) => format!(" {path}"),
            (None, ..) => String::new(),
        };
        format!("{severity} {}{place} {}", diagnostic.code, diagnostic.message)
    }))
}

pub(crate) fn requests(story: &Story) -> String {
    lines(story.requests.iter().cloned())
}

pub(crate) fn stored(story: &Story) -> String {
    let Some(stored) = &story.stored else { return "no release\n".to_owned() };
    let info = &stored.record.info;
    let head = format!("revision {} {}: {}", stored.record.version, info.status, info.description);
    lines(std::iter::once(head).chain(stored.hooks().into_iter().map(|hook| {
        let policies = list(&hook.delete_policies, |policy| format!("{policy:?}"));
        let phase = if hook.last_run.phase.is_empty() { "-" } else { &hook.last_run.phase };
        format!("{}/{} delete={policies} phase={phase}", hook.kind, hook.name)
    })))
}

pub(crate) fn report(story: &Story) -> String {
    let mut report = story.report.clone();
    report.duration_ms = 0;
    for hook in &mut report.hooks {
        hook.duration_ms = 0;
    }
    serde_json::to_string_pretty(&report).expect("a report is JSON") + "\n"
}
