//! From a plan to an exit code: the engine runs it, every run event goes to the chosen output, and the report is the fold
//! over all of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use boathook_core::Report;
use boathook_core::RunEvent;
use boathook_core::operation::Timings;
use boathook_core::plan::{Operation, ReleaseRef};
use boathook_core::release::ApplyMethod;
use boathook_core::run_event::{Outcome, RunError};
use boathook_engine::cluster::Propagation;
use boathook_engine::plugin_host::PluginHost;
use boathook_engine::{Context, Options, execute, retry};
use clap::Args;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::commands::plan;
use crate::error::{CliError, USAGE};
use crate::flags::DryRunArg;
use crate::holder;
use crate::output::{Printer, RunFormat, diagnostic, junit, live::Live, release, summary, test_logs};
use crate::planning::{NotPlanned, Planned, Refusal};
use crate::wiring::Session;

/// How the outcome is told.
#[derive(Args, Clone)]
pub(crate) struct OutputFlags {
    /// Format of the result on stdout
    #[arg(short, long, value_enum, default_value_t = RunFormat::Text, value_name = "FORMAT")]
    pub(crate) output: RunFormat,
    /// Also write the report to FILE: JSON, or JUnit if it ends in .xml
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// The logs of tests are printed once more, at the end.
    #[arg(skip)]
    pub(crate) logs: bool,
}

/// What the user chose about the execution.
#[derive(Default)]
pub(crate) struct Choices {
    pub(crate) create_namespace: bool,
    pub(crate) take_ownership: bool,
    pub(crate) dry_run: DryRunArg,
    pub(crate) force_conflicts: bool,
    pub(crate) propagation: Propagation,
    pub(crate) wait_for_lock: Duration,
}

/// Carries out what was planned, or says why nothing is done.
pub(crate) async fn carry_out(
    planned: Result<Planned, NotPlanned>,
    session: Session,
    host: Arc<dyn PluginHost>,
    choices: Choices,
    output: &OutputFlags,
    printer: &Printer,
) -> Result<u8, CliError> {
    let planned = match planned {
        Ok(planned) => planned,
        Err(NotPlanned::Error(error)) => return Err(error),
        Err(NotPlanned::Refused(refusal)) => return not_allowed(*refusal, output, printer),
    };
    if choices.force_conflicts && planned.plan.apply_method == ApplyMethod::ClientSide {
        return Err(CliError::new(USAGE, "forceConflicts enabled when serverSideApply disabled")
            .hint("--force-conflicts needs server-side apply: --server-side=true"));
    }
    if choices.dry_run == DryRunArg::Client {
        session.close().await?;
        return plan::show(planned, output.output.into(), printer);
    }
    if let Some(code) = refuse(&planned, output, printer)? {
        return Ok(code);
    }
    run(planned, session, host, choices, output, printer).await
}

/// A command that ends with a report, and what it says of itself.
pub(crate) struct Reporting {
    /// Its word.
    pub(crate) operation: &'static str,
    /// The release that it was given.
    pub(crate) release: String,
    pub(crate) output: OutputFlags,
}

impl Reporting {
    /// A report for a command that came to none, where one is asked for; the error itself is passed on.
    pub(crate) fn of(
        &self,
        result: Result<u8, CliError>,
        namespace: Option<&str>,
        printer: &Printer,
    ) -> Result<u8, CliError> {
        let Err(error) = &result else { return result };
        let wanted = self.output.output != RunFormat::Text || self.output.report.is_some();
        if wanted && !printer.reported.load(Ordering::Relaxed) {
            let namespace = namespace.unwrap_or_default().to_owned();
            let release = ReleaseRef { name: self.release.clone(), namespace, revision: 0 };
            let (code, told) = (error.exit_code, Some(RunError::from(error)));
            let report = Report::refused(self.operation, &release, Timestamp::now(), Vec::new(), code, told);
            finish(&report, &self.output, printer)?;
        }
        result
    }
}

/// The release's history says no.
fn not_allowed(refusal: Refusal, output: &OutputFlags, printer: &Printer) -> Result<u8, CliError> {
    let Refusal { operation, release, error } = refusal;
    let code = error.code.exit_code();
    let report =
        Report::refused(operation.as_str(), &release, Timestamp::now(), Vec::new(), code, Some(error));
    if output.output == RunFormat::Text {
        summary::print(printer, &report, &[]);
    }
    finish(&report, output, printer)?;
    Ok(code)
}

/// Says no before anything runs, if the input has errors: the exit code then. Warnings are shown in any case.
fn refuse(planned: &Planned, output: &OutputFlags, printer: &Printer) -> Result<Option<u8>, CliError> {
    diagnostic::print(printer, &planned.plan.diagnostics, &planned.texts.sources);
    let Some(code) = planned.refusal() else { return Ok(None) };
    let plan = &planned.plan;
    let report = Report::refused(
        plan.operation.as_str(),
        &plan.release,
        Timestamp::now(),
        plan.diagnostics.clone(),
        code,
        None,
    );
    finish(&report, output, printer)?;
    Ok(Some(code))
}

/// Runs a plan to its end, or to the user's.
async fn run(
    planned: Planned,
    session: Session,
    host: Arc<dyn PluginHost>,
    choices: Choices,
    output: &OutputFlags,
    printer: &Printer,
) -> Result<u8, CliError> {
    let plan = &planned.plan;
    let cancel = CancellationToken::new();
    let signalled = watch_signals(cancel.clone())?;
    let context = Context {
        cluster: session.cluster.clone(),
        plugins: host,
        cancel,
        environment: Arc::new(|name| std::env::var(name).ok()),
        clock: Arc::new(Timestamp::now),
        jitter: Arc::new(retry::seeded(seed())),
        alive: Arc::new(holder::is_alive),
        options: Options {
            operation_id: format!("{:016x}", seed()),
            holder: holder::name(),
            lock: Timings::default(),
            wait_for_lock: choices.wait_for_lock,
            create_namespace: choices.create_namespace,
            take_ownership: choices.take_ownership,
            dry_run: choices.dry_run == DryRunArg::Server,
            force_conflicts: choices.force_conflicts,
            propagation: choices.propagation,
        },
    };
    let mut events: Vec<RunEvent> = Vec::new();
    let mut live = (output.output == RunFormat::Text).then(|| Live::new(printer));
    let mut emit = |event: RunEvent| {
        match &mut live {
            Some(live) => live.show(&event),
            None if output.output == RunFormat::Jsonl => drop(printer.json_line(&event)),
            None => {}
        }
        events.push(event);
    };
    execute(plan, &context, &mut emit).await;
    let closed = session.close().await;
    let mut report =
        Report::from_events(&events).ok_or_else(|| CliError::internal("the engine reported nothing"))?;
    if report.outcome == Outcome::Interrupted {
        report.exit_code = signalled.load(Ordering::Relaxed);
    }
    if output.output == RunFormat::Text {
        summary::print(printer, &report, &summary::steps(plan));
        if report.outcome == Outcome::Succeeded && !report.dry_run {
            let notes = plan.revision.as_ref().and_then(|revision| revision.notes.as_ref());
            // A rollback brings the old notes back; Helm does not print them.
            let shown = notes.filter(|_| plan.operation != Operation::Rollback);
            printer.result(&release::notes(shown.and_then(|notes| notes.as_str())));
        }
        if output.logs {
            printer.result(&test_logs::render(&events));
        }
    }
    finish(&report, output, printer)?;
    closed?;
    Ok(report.exit_code)
}

/// The report in the chosen format, and in the file if one was asked for: in this order, because a file that cannot be
/// written must not cost the other.
fn finish(report: &Report, output: &OutputFlags, printer: &Printer) -> Result<(), CliError> {
    printer.reported.store(true, Ordering::Relaxed);
    match output.output {
        RunFormat::Text => {}
        RunFormat::Json => printer.json(report)?,
        RunFormat::Jsonl => printer.json_line(report)?,
    }
    output.report.as_ref().map_or(Ok(()), |file| write_report(report, file))
}

fn write_report(report: &Report, file: &Path) -> Result<(), CliError> {
    let text = if file.extension().is_some_and(|extension| extension == "xml") {
        junit::render(report)
    } else {
        serde_json::to_string_pretty(report).map_err(|error| CliError::internal(error.to_string()))? + "\n"
    };
    std::fs::write(file, text).map_err(|error| {
        CliError::internal(format!("cannot write the report to {}: {error}", file.display()))
    })
}

/// Cancels on the first SIGINT, SIGTERM or SIGHUP (a closed terminal leaves no release pending either), ends the process at the second. Gives the exit code of the first.
fn watch_signals(cancel: CancellationToken) -> Result<Arc<AtomicU8>, CliError> {
    let cannot = |error: std::io::Error| CliError::internal(format!("cannot watch for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut hangup = match hangup_is_ignored() {
        true => None,
        false => Some(signal(SignalKind::hangup()).map_err(cannot)?),
    };
    let code = Arc::new(AtomicU8::new(130));
    let first = code.clone();
    tokio::spawn(async move {
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
                () = next(&mut hangup) => 129,
            };
            if cancel.is_cancelled() {
                end_now(number);
            }
            first.store(number, Ordering::Relaxed);
            cancel.cancel();
        }
    });
    Ok(code)
}

/// The next signal of a kind that is watched, or never.
async fn next(watched: &mut Option<Signal>) {
    match watched {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether whoever started us wants us to outlive the terminal, as `nohup` does: a signal that is watched is not ignored
/// any more. Where the system does not say, it is taken for not ignored.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[expect(clippy::exit, reason = "the second signal means: at once, nothing more is written")]
fn end_now(code: u8) {
    std::process::exit(i32::from(code));
}

/// Different for each operation: the time in nanoseconds and the process.
pub(crate) fn seed() -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    u64::try_from(nanos & u128::from(u64::MAX)).unwrap_or(0) ^ (u64::from(std::process::id()) << 48)
}
