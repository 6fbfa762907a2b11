//! What a running operation shows on stderr: on a terminal one live line per active hook with finished ones above it,
//! elsewhere plain lines as things happen. A fold over run events; it decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use boathook_core::RunEvent;
use boathook_core::plan::StepId;
use boathook_core::run_event::{Happening, HookLabel, HookResult, LogLevel, Phase};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::{DIM, ERROR, OK, WARNING, duration, paint};
use super::{Printer, safe};

/// Columns that kinds and names are padded to; longer ones stand out. Rust's padding panics above 65,535.
const WIDEST: usize = 80;

/// Shows run events as they happen.
pub(crate) struct Live<'a> {
    printer: &'a Printer,
    hooks: BTreeMap<StepId, HookLabel>,
    width: usize,
    terminal: Option<Terminal>,
    objects: usize,
}

struct Terminal {
    lines: MultiProgress,
    active: Option<ProgressBar>,
}

impl<'a> Live<'a> {
    pub(crate) fn new(printer: &'a Printer) -> Self {
        let terminal = printer.is_live().then(|| Terminal {
            lines: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            active: None,
        });
        Self { printer, hooks: BTreeMap::new(), width: 0, terminal, objects: 0 }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &RunEvent) {
        if self.printer.quiet {
            return;
        }
        match &event.what {
            Happening::OperationStarted { hooks, .. } => {
                self.width = hooks
                    .iter()
                    .map(|hook| hook.kind.len() + hook.name.len() + 1)
                    .max()
                    .unwrap_or(0)
                    .min(WIDEST);
                self.hooks = hooks.iter().map(|hook| (hook.id.clone(), hook.clone())).collect();
            }
            Happening::StepStarted { step, .. } => self.start(step),
            Happening::StepProgress { step, message, percent } => {
                let percent = percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
                self.say(event, step, &format!("{}{percent}", safe::line(message)));
            }
            Happening::Log { step, source, level, line } => {
                let (source, line) = (safe::line(source), safe::line(line));
                let text = match level {
                    LogLevel::Error => format!("{source}: {}", paint(ERROR, &line)),
                    LogLevel::Warn => format!("{source}: {}", paint(WARNING, &line)),
                    LogLevel::Info => format!("{source}: {line}"),
                    LogLevel::Debug | LogLevel::Trace if self.printer.verbose => {
                        format!("{source}: {}", paint(DIM, &line))
                    }
                    LogLevel::Debug | LogLevel::Trace => return,
                };
                self.say(event, step, &text);
            }
            Happening::AttemptFailed { step, attempt, error, retry_in_ms } => {
                let text = format!(
                    "attempt {attempt} failed: {}; again in {}",
                    safe::line(&error.message),
                    duration(*retry_in_ms)
                );
                self.say(event, step, &paint(WARNING, &text));
            }
            Happening::HookDeleted { step, object, policy } => {
                if self.printer.verbose {
                    self.say(
                        event,
                        step,
                        &paint(DIM, &format!("deleted {} ({policy})", safe::line(&object.slug()))),
                    );
                }
            }
            Happening::HookFinished { step, result } => self.finish(step, result),
            Happening::ResourceFinished { .. } => self.objects += 1,
            Happening::RecoveryStarted { operation, hooks, .. } => {
                self.hooks.extend(hooks.iter().map(|hook| (hook.id.clone(), hook.clone())));
                self.permanent(&paint(WARNING, &format!("  it failed: {operation} begins")));
            }
            Happening::Withheld { .. } | Happening::Noted { .. } | Happening::RecoveryFinished { .. } => {}
            Happening::OperationFinished { .. } => self.end(),
        }
    }

    fn label(&self, step: &StepId) -> Option<String> {
        let hook = self.hooks.get(step)?;
        let name = safe::line(&format!("{}/{}", hook.kind, hook.name));
        Some(format!("{:<13} {name:<width$}", hook.event.as_str(), width = self.width))
    }

    fn start(&mut self, step: &StepId) {
        let label = self.label(step);
        if let (Some(terminal), Some(label)) = (&mut self.terminal, label) {
            let bar = terminal.lines.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner}     {prefix}  {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(label);
            bar.enable_steady_tick(Duration::from_millis(100));
            terminal.active = Some(bar);
        }
    }

    /// What a running hook says: its live line's text on a terminal, a line of its own elsewhere.
    fn say(&mut self, event: &RunEvent, step: &StepId, text: &str) {
        match &mut self.terminal {
            Some(Terminal { active: Some(bar), .. }) => bar.set_message(format!("· {text}")),
            _ => {
                let time = event.time.strftime("%H:%M:%S");
                let name = self.hooks.get(step).map_or_else(|| step.to_string(), |hook| hook.name.clone());
                self.printer.note(&format!(
                    "  {} {}  {text}\n",
                    paint(DIM, &time.to_string()),
                    safe::line(&name)
                ));
            }
        }
    }

    fn finish(&mut self, step: &StepId, result: &HookResult) {
        let Some(label) = self.label(step) else { return };
        let (style, word) = match result.phase {
            Phase::Succeeded => (OK, "ok"),
            Phase::Failed => (ERROR, "failed"),
            Phase::Unknown | Phase::Running => (WARNING, "unknown"),
            Phase::Skipped => (DIM, "skipped"),
        };
        let message = match &result.error {
            Some(error) => &error.message,
            None => &result.message,
        };
        let simulated = if result.simulated { " (simulated: no container ran)" } else { "" };
        let line = format!(
            "  {}{} {label}  {}{simulated}  {}",
            paint(style, word),
            " ".repeat(7usize.saturating_sub(word.len())),
            safe::line(message),
            paint(DIM, &duration(result.duration_ms)),
        );
        self.permanent(&line);
    }

    /// A line that stays: above the live ones.
    fn permanent(&mut self, line: &str) {
        if let Some(terminal) = &mut self.terminal
            && let Some(bar) = terminal.active.take()
        {
            bar.finish_and_clear();
        }
        self.printer.note(&format!("{line}\n"));
    }

    fn end(&mut self) {
        if let Some(terminal) = &mut self.terminal
            && let Some(bar) = terminal.active.take()
        {
            bar.finish_and_clear();
        }
    }
}
