//! What a case gave, as texts that are easy to read and to compare.

use boathook_core::effect::Effect;
use boathook_core::hook::{Action, OutputLogPolicy};
use boathook_core::plan::{HookRun, HookWait, StepAction};
use boathook_core::report::{ResourceReport, Withheld};
use boathook_core::{Hook, Severity, order};
use boathook_engine::release_store::Stored;
use serde_json::Value;

use crate::case::Reading;
use crate::world::{Chapter, Story};

/// A list as `a,b`, or `-` if there is none.
pub(crate) fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    if items.is_empty() { "-".to_owned() } else { items.iter().map(text).collect::<Vec<_>>().join(",") }
}

fn lines(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().map(|line| line + "\n").collect()
}

pub(crate) fn documents(reading: &Reading) -> String {
    lines(reading.documents.iter().map(|document| {
        let origin = &document.origin;
        format!("{} {} {}", origin.path, origin.document, Value::from(document.text.as_str()))
    }))
}

pub(crate) fn hooks(reading: &Reading) -> String {
    lines(reading.hooks.iter().map(hook))
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

pub(crate) fn manifest(reading: &Reading) -> String {
    reading.plan.revision.as_ref().map(|revision| revision.manifest.clone()).unwrap_or_default()
}

pub(crate) fn objects(reading: &Reading) -> String {
    let mut out = String::new();
    for step in &reading.plan.steps {
        match &step.action {
            StepAction::Resource(step) => out += &lines([Value::Object(step.object.0.clone()).to_string()]),
            StepAction::Hook(step) => {
                if let HookRun::Resource { objects, .. } = &step.run {
                    out += &lines(objects.iter().map(|object| Value::Object(object.0.clone()).to_string()));
                }
            }
            StepAction::Delete(_) | StepAction::Wait(_) => {}
        }
    }
    out
}

pub(crate) fn plan(reading: &Reading) -> String {
    lines(reading.plan.steps.iter().map(|step| match &step.action {
        StepAction::Resource(resource) => format!("{} {} apply", step.id, resource.reference.slug()),
        StepAction::Delete(delete) => format!("{} {} {:?}", step.id, delete.reference.slug(), delete.fate),
        StepAction::Wait(wait) => format!("{} {:?}", step.id, wait.strategy),
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

pub(crate) fn uninstall(reading: &Reading) -> String {
    let kinds: Vec<&str> = reading.resources.iter().map(|document| document.head.kind.as_str()).collect();
    lines(order::uninstall_order(&kinds).into_iter().map(|index| {
        let head = &reading.resources[index].head;
        format!("{}/{}", head.kind, head.name)
    }))
}

pub(crate) fn diagnostics(reading: &Reading) -> String {
    lines(reading.plan.diagnostics.iter().map(|diagnostic| {
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

/// Text of each operation, under its name where there are several.
fn chapters(story: &Story, text: impl Fn(&Chapter) -> String) -> String {
    let one = |chapter: &Chapter| match story.chapters.len() {
        1 => text(chapter),
        _ => format!("-- {}\n{}", chapter.operation, text(chapter)),
    };
    story.chapters.iter().map(one).collect()
}

pub(crate) fn requests(story: &Story) -> String {
    chapters(story, |chapter| lines(chapter.requests.iter().cloned()))
}

pub(crate) fn reads(story: &Story) -> String {
    chapters(story, |chapter| lines(chapter.reads.iter().cloned()))
}

/// What a dry run would have done, and to which fields.
pub(crate) fn withheld(story: &Story) -> String {
    let one = |withheld: &Withheld| {
        let (word, object, fields) = match &withheld.effect {
            Effect::Create { object, .. } => ("create", object, None),
            Effect::Change { object, fields } => ("change", object, fields.as_ref()),
            Effect::Delete { object } => ("delete", object, None),
            Effect::Send { request } => return format!("{} send {request}", withheld.step.0),
        };
        let value = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let fields = fields
            .into_iter()
            .flatten()
            .map(|field| format!("\n  {}: {} -> {}", field.path, value(&field.before), value(&field.after)));
        format!("{} {word} {}{}", withheld.step.0, object.slug(), fields.collect::<String>())
    };
    chapters(story, |chapter| match &chapter.report {
        Ok(report) => lines(report.withheld.iter().map(one)),
        Err(reason) => format!("{reason}\n"),
    })
}

/// All revisions, and the hooks of the newest.
pub(crate) fn stored(story: &Story) -> String {
    chapters(story, |chapter| {
        let Some(last) = chapter.history.last() else { return "no release\n".to_owned() };
        let head = |stored: &Stored| {
            let info = &stored.record.info;
            format!("revision {} {}: {}", stored.record.version, info.status, info.description)
        };
        lines(chapter.history.iter().map(head).chain(last.hooks().into_iter().map(|hook| {
            let policies = list(&hook.delete_policies, |policy| format!("{policy:?}"));
            let phase = if hook.last_run.phase.is_empty() { "-" } else { &hook.last_run.phase };
            format!("{}/{} delete={policies} phase={phase}", hook.kind, hook.name)
        })))
    })
}

/// How each operation ended, for its user.
pub(crate) fn outcome(story: &Story) -> String {
    chapters(story, |chapter| match &chapter.report {
        Err(reason) => format!("no report: {reason}\n"),
        Ok(report) => {
            let outcome = format!("{:?}", report.outcome).to_lowercase();
            let error =
                report.error.as_ref().map(|error| format!(" ({}): {}", report.exit_code, error.message));
            let mut out = vec![outcome + &error.unwrap_or_default()];
            out.extend(report.diagnostics.iter().map(|note| format!("note {}: {}", note.code, note.message)));
            let result = |resource: &ResourceReport| {
                format!("{} {}", format!("{:?}", resource.result).to_lowercase(), resource.object.slug())
            };
            out.extend(report.resources.iter().map(result));
            lines(out)
        }
    })
}

/// What hooks wrote, as it was streamed.
pub(crate) fn logs(story: &Story) -> String {
    chapters(story, |chapter| match &chapter.report {
        Err(_) => String::new(),
        Ok(report) => lines(report.hooks.iter().flat_map(|hook| {
            hook.logs.iter().map(move |line| format!("{}/{}: {line}", hook.kind, hook.name))
        })),
    })
}

pub(crate) fn left(story: &Story) -> String {
    lines(story.left.iter().cloned())
}

/// The report of the last operation.
pub(crate) fn report(story: &Story) -> String {
    let Some(Chapter { report: Ok(report), .. }) = story.chapters.last() else { return String::new() };
    let mut report = report.clone();
    report.duration_ms = 0;
    for hook in &mut report.hooks {
        hook.duration_ms = 0;
    }
    serde_json::to_string_pretty(&report).expect("a report is JSON") + "\n"
}
