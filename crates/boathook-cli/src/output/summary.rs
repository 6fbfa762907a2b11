//! The end of an operation, for people: the reason first if it failed, then what ran, what changed, how long it took.

use boathook_core::Report;
use boathook_core::plan::{HookRun, OnFailure, Plan, Step, StepAction};
use boathook_core::report::{HookReport, Recovery};
use boathook_core::run_event::{ErrorCode, Outcome, Phase, ResourceResult};

use super::style::{DIM, ERROR, OK, WARNING, count, duration, indent, paint};
use super::{Printer, safe, withheld};

/// How many of a failed hook's last log lines are shown.
const LAST_LINES: usize = 10;

/// The steps of a plan, and of what would undo it.
pub(crate) fn steps(plan: &Plan) -> Vec<&Step> {
    let recovery = match &plan.on_failure {
        OnFailure::Recover(recovery) => recovery.steps.as_slice(),
        OnFailure::Leave | OnFailure::NothingToRecover => &[],
    };
    plan.steps.iter().chain(recovery).collect()
}

/// Prints the end of an operation: why it failed to stderr, what became of it to stdout.
pub(crate) fn print(printer: &Printer, report: &Report, steps: &[&Step]) {
    if let Some(text) = failure(report, steps) {
        printer.note(&text);
    }
    printer.result(&(withheld::render(report, printer.verbose) + &end(report)));
}

/// Why the operation failed, if it did.
fn failure(report: &Report, steps: &[&Step]) -> Option<String> {
    let error = report.error.as_ref()?;
    let hook = error.hook.as_ref().and_then(|id| report.hooks.iter().find(|hook| hook.id == *id));
    let word = match report.outcome {
        Outcome::Interrupted => "interrupted",
        Outcome::Refused => "refused",
        Outcome::Succeeded | Outcome::Failed => "failed",
    };
    let place =
        hook.map(|hook| format!("{}/{} ({}): ", hook.kind, hook.name, hook.event)).unwrap_or_default();
    let mut out = format!(
        "\n{} {}\n",
        paint(ERROR, &format!("{word}:")),
        safe::lines(&format!("{place}{}", error.message))
    );
    let mut facts = String::new();
    if let Some(hook) = hook {
        facts += &hook_facts(hook, steps);
    }
    for (index, detail) in error.details.iter().enumerate() {
        let title = if index == 0 { "  details  " } else { "           " };
        facts += &indent(&safe::lines(detail), title, "           ");
    }
    if let Some(hook) = hook {
        let first = hook.logs.len().saturating_sub(LAST_LINES);
        for (index, line) in hook.logs[first..].iter().enumerate() {
            let title = if index == 0 { "log      " } else { "         " };
            facts += &format!("  {title}{}\n", safe::line(line));
        }
    }
    if !facts.is_empty() {
        out += &format!("\n{facts}");
    }
    if let Some(hint) = &error.hint {
        // Where nothing can allow it the hint is a sentence.
        let has_lines = error.code == ErrorCode::PermissionDenied && hint.contains(":\n");
        let lead = if has_lines { "  If this is what you want, add to the hook's spec:\n" } else { "" };
        let margin = if has_lines { "      " } else { "  " };
        out += &format!("\n{lead}{}", indent(&safe::lines(hint), margin, margin));
    }
    Some(out + "\n")
}

fn hook_facts(hook: &HookReport, steps: &[&Step]) -> String {
    let step = steps.iter().find(|step| step.id == hook.id);
    let Some(StepAction::Hook(step)) = step.map(|step| &step.action) else { return String::new() };
    let mut out = format!("  hook     {}:{}\n", safe::line(&step.origin.path), step.origin.line);
    if let HookRun::Plugin(run) = &step.run {
        let digest: String = run.plugin.digest.chars().take("sha256:".len() + 8).collect();
        let version = &run.plugin.declaration.version;
        let name = if version.is_empty() {
            run.plugin.name.clone()
        } else {
            format!("{} {version}", run.plugin.name)
        };
        out += &format!(
            "  plugin   {} ({}, {digest}…)\n",
            safe::line(&name),
            safe::line(&run.plugin.origin.to_string())
        );
    }
    if hook.attempts > 1 {
        out += &format!("  attempts {}\n", hook.attempts);
    }
    out
}

/// What became of the operation.
fn end(report: &Report) -> String {
    let release = &report.release;
    let took = duration(report.duration_ms);
    let (style, what) = match (&release.status, report.outcome) {
        (_, Outcome::Refused) => (ERROR, "Refused: nothing was changed".to_owned()),
        (_, Outcome::Succeeded) if report.dry_run => (OK, "Dry run: nothing was changed".to_owned()),
        (_, Outcome::Failed) if report.dry_run => (ERROR, "Dry run failed: nothing was changed".to_owned()),
        (Some(status), outcome) => {
            let style = if outcome == Outcome::Succeeded { OK } else { ERROR };
            (
                style,
                format!(
                    "Release {} is {status} in {}, revision {}",
                    release.name, release.namespace, release.revision
                ),
            )
        }
        (None, Outcome::Succeeded) => {
            (OK, format!("Done for release {} in {}", release.name, release.namespace))
        }
        (None, Outcome::Interrupted) => (WARNING, "Interrupted".to_owned()),
        (None, Outcome::Failed) => {
            (ERROR, format!("Failed for release {} in {}", release.name, release.namespace))
        }
    };
    let exit =
        if report.exit_code == 0 { String::new() } else { format!(" (exit code {})", report.exit_code) };
    let mut out = format!("{} · {took}{exit}\n", paint(style, &what));
    if let Some(recovery) = &report.recovery {
        out += &recovered(recovery);
    }
    out += &hooks(report);
    out += &objects(report);
    for diagnostic in &report.diagnostics {
        let lead = format!("  {} ", paint(WARNING, "note"));
        out += &indent(&safe::lines(&diagnostic.message), &lead, "       ");
        // What is said of the input was shown with its place, and its way out.
        let help = diagnostic.help.as_deref().filter(|_| diagnostic.path.is_none()).unwrap_or_default();
        out += &indent(&safe::lines(help), "       ", "       ");
    }
    out
}

/// What undid the operation.
fn recovered(recovery: &Recovery) -> String {
    let Recovery { operation, revision, outcome, status } = recovery;
    let status = status.as_deref().unwrap_or("unknown");
    let (style, word) = match outcome {
        Outcome::Succeeded => (OK, "done"),
        Outcome::Failed | Outcome::Interrupted | Outcome::Refused => (ERROR, "failed"),
    };
    format!("  {operation}: {}, revision {revision} is {status}\n", paint(style, word))
}

fn hooks(report: &Report) -> String {
    if report.hooks.is_empty() {
        return String::new();
    }
    let phase = |phase: Phase| report.hooks.iter().filter(|hook| hook.phase == phase).count();
    let mut parts = vec![format!("{} succeeded", phase(Phase::Succeeded))];
    for (number, word) in [
        (phase(Phase::Failed), "failed"),
        (phase(Phase::Unknown) + phase(Phase::Running), "unfinished"),
        (phase(Phase::Skipped), "not reached"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    let simulated = report.hooks.iter().filter(|hook| hook.simulated).count();
    if simulated > 0 {
        parts.push(format!("{simulated} simulated by the embedded cluster"));
    }
    let deleted = report.hooks.iter().filter(|hook| hook.deleted).count();
    if deleted > 0 {
        parts.push(format!("{deleted} deleted by policy"));
    }
    format!("  {}: {}\n", count(report.hooks.len(), "hook"), parts.join(", "))
}

fn objects(report: &Report) -> String {
    if report.resources.is_empty() {
        return String::new();
    }
    let mut parts = Vec::new();
    for (result, word) in [
        (ResourceResult::Created, "created"),
        (ResourceResult::Configured, "configured"),
        (ResourceResult::Unchanged, "unchanged"),
        (ResourceResult::Deleted, "deleted"),
        (ResourceResult::Kept, "kept"),
        (ResourceResult::Orphaned, "orphaned"),
        (ResourceResult::Failed, "failed"),
    ] {
        let of: Vec<String> =
            report.resources.iter().filter(|one| one.result == result).map(|one| one.object.slug()).collect();
        if !of.is_empty() {
            let names = if of.len() <= 5 {
                format!(" {}", paint(DIM, &format!("({})", safe::line(&of.join(", ")))))
            } else {
                String::new()
            };
            parts.push(format!("{} {word}{names}", of.len()));
        }
    }
    format!("  {}: {}\n", count(report.resources.len(), "object"), parts.join(", "))
}
