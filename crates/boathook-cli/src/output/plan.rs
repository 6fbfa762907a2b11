//! A plan as a table that a person can check in a review: phase, weight, step, what runs, what it may touch.

use boathook_core::authorize::describe;
use boathook_core::plan::{
    Fate, HookRun, HookStep, HookWait, Operation, Plan, PluginRun, StepAction, StepPhase,
};
use boathook_core::wasm_hook::Credential;

use super::safe;
use super::style::{DIM, HEADING, count, paint};
use super::table::{self, Align};

/// The whole text of `boathook plan`.
pub(crate) fn render(plan: &Plan, verbose: bool) -> String {
    let release = &plan.release;
    let verb = match plan.operation.as_str() {
        "run" => format!("Run {} of", plan.operation.events().next().map_or("", |event| event.as_str())),
        operation => {
            let (first, rest) = operation.split_at(1);
            first.to_uppercase() + rest
        }
    };
    let mut head = match (plan.operation, plan.basis.target) {
        (Operation::Install | Operation::Run(_), _) => {
            format!("{verb} {} into {} · revision {}", release.name, release.namespace, release.revision)
        }
        (_, Some(target)) => format!(
            "{verb} {} in {} to revision {target} · revision {}",
            release.name, release.namespace, release.revision
        ),
        _ => format!("{verb} {} in {} · revision {}", release.name, release.namespace, release.revision),
    };
    if !plan.chart.version.is_empty() {
        head += &format!(" · chart {} {}", plan.chart.name, plan.chart.version);
    }
    // A plan is what people read before they let a stranger's hooks run: no name or image may paint over it.
    let head = safe::line(&head);
    let mut out = format!("{}\n\n", paint(HEADING, &head));
    let rows = rows(plan, verbose);
    if !rows.is_empty() {
        let columns = [
            ("PHASE", Align::Left),
            ("WEIGHT", Align::Right),
            ("STEP", Align::Left),
            ("RUNS", Align::Left),
            ("MAY TOUCH", Align::Left),
        ];
        out += &table::render("  ", &columns, &rows);
        out.push('\n');
    }
    let hooks = plan.steps.iter().filter(|step| matches!(step.action, StepAction::Hook(_))).count();
    let waits = plan.steps_of(StepPhase::Wait).count();
    let objects = plan.steps.len() - hooks - waits;
    out += &format!("{}, {}. Nothing was changed.\n", count(hooks, "hook"), count(objects, "object"));
    out
}

fn rows(plan: &Plan, verbose: bool) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut last_phase: Option<StepPhase> = None;
    for step in &plan.steps {
        // The phase stands at its first step only.
        let is_first = last_phase.replace(step.phase) != Some(step.phase);
        let phase = if is_first { step.phase.to_string() } else { String::new() };
        match &step.action {
            StepAction::Hook(hook) => rows.extend(hook_rows(phase, hook)),
            StepAction::Resource(resource) if verbose => {
                rows.push(vec![
                    phase,
                    String::new(),
                    safe::line(&resource.reference.slug()),
                    "apply".to_owned(),
                ]);
            }
            StepAction::Resource(_) if is_first => {
                let objects = plan.steps.iter().filter(|other| other.phase == step.phase).count();
                rows.push(vec![
                    phase,
                    String::new(),
                    count(objects, "object"),
                    "apply".to_owned(),
                    paint(DIM, "(-v lists them)"),
                ]);
            }
            StepAction::Resource(_) => {}
            StepAction::Delete(delete) if verbose => {
                rows.push(vec![
                    phase,
                    String::new(),
                    safe::line(&delete.reference.slug()),
                    fate(delete.fate).to_owned(),
                ]);
            }
            StepAction::Delete(_) if is_first => rows.extend(deletions(plan, step.phase, phase)),
            StepAction::Delete(_) => {}
            StepAction::Wait(wait) => {
                let (what, until) = match plan.operation {
                    Operation::Uninstall => ("deleted objects", "they are gone"),
                    _ if wait.jobs => ("objects", "they are ready, Jobs complete"),
                    _ => ("objects", "they are ready"),
                };
                let until = format!("until {until}, at most {} s", wait.timeout.as_secs());
                rows.push(vec![phase, String::new(), what.to_owned(), until]);
            }
        }
    }
    rows
}

/// A row for each fate that objects have.
fn deletions(plan: &Plan, of: StepPhase, phase: String) -> Vec<Vec<String>> {
    let fates: Vec<Fate> = plan
        .steps_of(of)
        .filter_map(|step| match &step.action {
            StepAction::Delete(delete) => Some(delete.fate),
            _ => None,
        })
        .collect();
    let mut rows = Vec::new();
    for kind in [Fate::Delete, Fate::DeleteUnlessKept, Fate::Keep, Fate::Orphan] {
        let objects = fates.iter().filter(|fate| **fate == kind).count();
        if objects == 0 {
            continue;
        }
        let (phase, hint) = match rows.is_empty() {
            true => (phase.clone(), paint(DIM, "(-v lists them)")),
            false => Default::default(),
        };
        rows.push(vec![phase, String::new(), count(objects, "object"), fate(kind).to_owned(), hint]);
    }
    rows
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Delete => "delete",
        Fate::DeleteUnlessKept => "delete, unless kept on the cluster",
        Fate::Keep => "keep",
        Fate::Orphan => "leave",
    }
}

/// The hook's row; what it may touch goes on below it.
fn hook_rows(phase: String, hook: &HookStep) -> Vec<Vec<String>> {
    let mut touches = touches(hook).into_iter().map(|line| safe::line(&line));
    let first = vec![
        phase,
        hook.weight.to_string(),
        safe::line(&hook.slug()),
        safe::line(&runs(hook)),
        touches.next().unwrap_or_default(),
    ];
    let below = touches.map(|line| vec![String::new(), String::new(), String::new(), String::new(), line]);
    std::iter::once(first).chain(below).collect()
}

fn runs(hook: &HookStep) -> String {
    match &hook.run {
        HookRun::Plugin(run) => format!("{} ({})", run.plugin.name, run.plugin.origin),
        HookRun::Resource { objects, wait } => {
            let images: Vec<&str> = objects.iter().flat_map(images).collect();
            match (wait, images.as_slice()) {
                (HookWait::None, _) => "apply".to_owned(),
                (_, []) => "waits".to_owned(),
                (_, images) => format!("image {}, waits", images.join(", ")),
            }
        }
    }
}

fn images(object: &boathook_core::Object) -> Vec<&str> {
    let containers = object
        .get(&["spec", "template", "spec", "containers"])
        .or_else(|| object.get(&["spec", "containers"]));
    let containers =
        containers.and_then(|containers| containers.as_array()).map(Vec::as_slice).unwrap_or_default();
    containers.iter().filter_map(|container| container.get("image")?.as_str()).collect()
}

fn touches(hook: &HookStep) -> Vec<String> {
    let HookRun::Plugin(run) = &hook.run else { return Vec::new() };
    let PluginRun { permissions, credentials, .. } = run.as_ref();
    let mut lines = describe(permissions);
    lines.extend(credentials.iter().map(credential));
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}

fn credential(credential: &Credential) -> String {
    let source = match (&credential.secret_key_ref, &credential.env) {
        (Some(secret), _) => format!("Secret/{}", secret.name),
        (None, Some(variable)) => format!("environment {variable}"),
        (None, None) => "no source".to_owned(),
    };
    let seen = if credential.reveal { ", readable by the plugin" } else { "" };
    format!("credential {} ({source}{seen})", credential.name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use boathook_core::plan::{
        self, Chart, ChartInfo, HookOrder, PlanInput, PlanOptions, Plugins, ReleaseRef, WaitStrategy,
    };
    use boathook_core::release::basis::Basis;
    use boathook_core::{Source, dialect, manifest};

    use crate::flags::no_revision_options;

    #[test]
    fn no_name_of_a_manifest_drives_the_terminal() {
        let text = "{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: {helm.sh/hook: pre-install}}, \
                    spec: {containers: [{image: \"x\\e[2K\\rinnocent\\u202e\"}]}}";
        let source = Source { path: "a.yaml".to_owned(), text: text.to_owned() };
        let read = dialect::read(manifest::parse(&[source]).documents);
        let release = ReleaseRef { name: "web".to_owned(), namespace: "n".to_owned(), revision: 1 };
        let chart = Chart {
            info: ChartInfo {
                name: "c\u{1b}[2J".to_owned(),
                version: "1\n::error::x".to_owned(),
                app_version: None,
            },
            ..Chart::default()
        };
        let basis = Basis { revision: 1, ..Basis::default() };
        let input = PlanInput::install(basis, &release, chart, read, Vec::new(), &no_revision_options());
        let plan = plan::build(
            input,
            &Plugins::new(),
            &PlanOptions {
                timeout: Duration::from_secs(1),
                no_hooks: false,
                skip_hooks: Vec::new(),
                only_hooks: Vec::new(),
                hook_order: HookOrder::Helm,
                wait: WaitStrategy::HookOnly,
                wait_for_jobs: false,
            },
        );
        let shown = anstream::adapter::strip_str(&super::render(&plan, false)).to_string();
        assert!(shown.contains("image x\\u{1b}[2K\\u{d}innocent\\u{202e}, waits"), "{shown}");
        assert!(
            shown.starts_with("Install web into n · revision 1 · chart c\\u{1b}[2J 1\\u{a}::error::x\n"),
            "{shown}"
        );
    }
}
