//! Plan files: `boathook plan … --out FILE` writes one, `boathook install --plan FILE` and `upgrade --plan FILE` carry it
//! out. One holds what was rendered and shown, not what it was rendered from: the same plan is built of it again, if the
//! release is as it was.
//!
//! Two lines: what the file is, with a digest of the second; and everything else, Secrets of the chart included, so that the
//! file is its owner's alone.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use boathook_core::operation::Unfinished;
use boathook_core::plan::{Operation, Plan, PlanDocument, PlanOptions, RevisionOptions};
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::wasm_hook::API_VERSION;
use boathook_engine::plugin_host::PluginHost;
use boathook_engine::release_store::{Listing, Stored};
use clap::Arg;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    InstallChoices, Material, NotPlanned, Planned, Planner, Refusal, Texts, UpgradeChoices, check_names,
    install, upgrade,
};
use crate::error::{BAD_INPUT, CliError, FAILED, USAGE};
use crate::global::GlobalArgs;
use crate::input::{Input, Recorded, ValuesMode};
use crate::wiring::Session;

const KIND: &str = "PlanFile";
/// What this program writes, and the newest that it reads.
const FORMAT: u32 = 1;
/// Bytes of a file: a chart as large as charts may be, rendered.
const MAX_BYTES: u64 = 256 << 20;

/// What a plan says of its operation: it can be said once only.
pub(crate) const PLANNED: [&str; 23] = [
    "source",
    "values",
    "set",
    "set_string",
    "set_file",
    "set_json",
    "set_literal",
    "version",
    "repo",
    "plain_http",
    "skip_schema_validation",
    "render_subchart_notes",
    "lookup_grant",
    "render_timeout",
    "helm",
    "timeout",
    "no_hooks",
    "skip_hook",
    "only_hook",
    "hook_order",
    "wait",
    "wait_for_jobs",
    "skip_crds",
];

/// What the file is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
    #[serde(default)]
    format: u32,
    /// Of the second line, without its end.
    #[serde(default)]
    digest: String,
}

/// A plan, and what it is made of.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanFile {
    /// The command whose plan it is. That of an upgrade may be an install (`--install`).
    command: Command,
    /// What was shown.
    plan: PlanDocument,
    /// The revisions that there were.
    history: Vec<Past>,
    options: PlanOptions,
    skip_crds: bool,
    input: Input,
}

/// A command that carries out plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Command {
    Install,
    Upgrade,
}

/// A revision, as far as it tells one history from another.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Past {
    revision: u32,
    status: String,
    deployed: Option<Timestamp>,
}

impl Command {
    fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
        }
    }
}

impl PlanFile {
    /// What is to be kept of a plan, which starts from this history.
    pub(crate) fn new(
        command: Command,
        planned: &Planned,
        history: &Listing,
        options: PlanOptions,
        skip_crds: bool,
    ) -> Self {
        let Planned { plan, texts: Texts { sources, crds, base } } = planned;
        let Plan { revision, chart, .. } = plan;
        let new = revision.clone().unwrap_or_default();
        let config = match new.config {
            Some(Value::Object(config)) => config,
            _ => Default::default(),
        };
        let notes = new.notes.as_ref().and_then(Value::as_str).map(str::to_owned);
        Self {
            command,
            plan: PlanDocument::from(plan),
            history: pasts(history),
            options,
            skip_crds,
            input: Input {
                sources: sources.clone(),
                crds: crds.clone(),
                base: base.clone(),
                chart: chart.clone(),
                recorded: Recorded { chart: Some(new.chart), config, notes },
                // They were shown with the plan; what the manifests themselves are warned of is found again.
                diagnostics: Vec::new(),
            },
        }
    }

    /// Writes it, readable by its owner only; a file that was there is replaced at once, or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), CliError> {
        let content = serde_json::to_string(self).map_err(|error| CliError::internal(error.to_string()))?;
        let (api_version, kind) = (API_VERSION.to_owned(), KIND.to_owned());
        let head = Head { api_version, kind, format: FORMAT, digest: digest(content.as_bytes()) };
        let head = serde_json::to_string(&head).map_err(|error| CliError::internal(error.to_string()))?;
        let cannot = |reason: &str| {
            CliError::new(FAILED, format!("cannot write the plan to {}: {reason}", path.display()))
        };
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(cannot("it is no regular file"));
        }
        let write = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            // Made for its owner alone.
            let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
            file.write_all(format!("{head}\n{content}\n").as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => cannot("there is no such folder"),
            std::io::ErrorKind::PermissionDenied => cannot("permission denied"),
            _ => cannot(&error.to_string()),
        })
    }

    /// Reads the one that a command was given, if it was, and gives the flags with the namespace of the plan.
    pub(crate) fn given(
        path: Option<&Path>,
        command: Command,
        release: &str,
        global: &GlobalArgs,
    ) -> Result<(Option<Self>, GlobalArgs), CliError> {
        let Some(path) = path else {
            check_names(release, global.namespace.as_deref())?;
            return Ok((None, global.clone()));
        };
        let file = Self::read(path, command, release, global.namespace.as_deref())?;
        let namespace = Some(file.plan.release.namespace.clone());
        Ok((Some(file), GlobalArgs { namespace, ..global.clone() }))
    }

    /// Reads one for a command, a release (empty: whichever it is) and a namespace.
    fn read(path: &Path, command: Command, release: &str, namespace: Option<&str>) -> Result<Self, CliError> {
        let file = Self::open(path)?;
        let shown = path.display();
        let planned = &file.plan.release;
        let other = |what: &str, planned: &str, asked: &str| {
            CliError::new(USAGE, format!("{shown} holds a plan for {what} {planned}, not {asked}"))
                .hint(format!("carry it out with `{}`, or plan anew", file.carry_out(path)))
        };
        if file.command != command {
            return Err(other("command", file.command.as_str(), command.as_str()));
        }
        if !release.is_empty() && release != planned.name {
            return Err(other("release", &planned.name, release));
        }
        match namespace {
            Some(namespace) if namespace != planned.namespace => {
                Err(other("namespace", &planned.namespace, namespace))
            }
            _ => Ok(file),
        }
    }

    fn open(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let bad = |reason: String| CliError::new(BAD_INPUT, format!("{shown}{reason}"));
        let again = "plan again: `boathook plan … --out FILE`";
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| CliError::new(BAD_INPUT, format!("cannot read {shown}: {error}")))?;
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let head = lines.next().and_then(|line| serde_json::from_slice::<Head>(line).ok());
        let Some(head) = head.filter(|head| head.kind == KIND) else {
            return Err(bad(" is no plan file".to_owned()).hint(again));
        };
        if head.format > FORMAT {
            let message =
                format!(" has format {}, and this program knows {FORMAT}: a newer one wrote it", head.format);
            return Err(bad(message).hint("carry it out with that program, or plan again with this one"));
        }
        let damaged = || bad(" is damaged: its content does not have its digest".to_owned()).hint(again);
        let content = lines.next().and_then(|rest| rest.strip_suffix(b"\n")).ok_or_else(damaged)?;
        if digest(content) != head.digest {
            return Err(damaged());
        }
        serde_json::from_slice(content).map_err(|error| bad(format!(" cannot be read: {error}")).hint(again))
    }

    /// The command that carries it out.
    pub(crate) fn carry_out(&self, path: &Path) -> String {
        let release = &self.plan.release;
        let (command, path) = (self.command.as_str(), path.display());
        format!("boathook {command} {} -n {} --plan {path}", release.name, release.namespace)
    }

    /// The same plan once more, if the release is as it was.
    pub(crate) async fn planned(
        self,
        session: &Session,
        host: &dyn PluginHost,
        revision: RevisionOptions,
    ) -> Result<Planned, NotPlanned> {
        let Self { command, plan, history: then, options, skip_crds, input } = self;
        let planner = Planner {
            name: &plan.release.name,
            namespace: &plan.release.namespace,
            options,
            host,
            patience: Duration::ZERO,
        };
        let history = planner.history(session).await?;
        let installs = plan.operation == Command::Install.as_str();
        unchanged(&plan, installs, &then, &before(&history, then.len()))?;
        let material = Material::Kept(Box::new(input));
        let planned = match command {
            Command::Install => {
                let choices = InstallChoices { skip_crds, replace: false, revision };
                install(&planner, &history, material, &choices).await?
            }
            Command::Upgrade => {
                // The values are in the input.
                let values = ValuesMode::Reset;
                let choices = UpgradeChoices { install: installs, skip_crds, values, revision };
                upgrade(&planner, &history, material, &choices).await?
            }
        };
        same_steps(&plan, planned)
    }
}

/// The words of the command line that a plan file says, too, need not be there beside one.
pub(crate) fn or_plan(arg: Arg) -> Arg {
    if !["name", "source"].contains(&arg.get_id().as_str()) {
        return arg;
    }
    arg.required(false).required_unless_present("plan").default_value("").hide_default_value(true)
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(content))
}

fn pasts(history: &Listing) -> Vec<Past> {
    let past = |stored: &Stored| Past {
        revision: stored.record.version,
        status: stored.record.info.status.to_string(),
        deployed: stored.record.info.last_deployed,
    };
    history.releases.iter().map(past).collect()
}

/// The revisions that there were before a command that was to carry out this very plan, and died.
fn before(history: &Listing, planned_on: usize) -> Vec<Past> {
    let mut pasts = pasts(history);
    let unfinished = history.releases.last().is_some_and(|last| Unfinished::left(&last.revision()).is_some());
    // Whether it was this very plan shows when it is built again.
    if unfinished && pasts.len() > planned_on {
        pasts.pop();
    }
    pasts
}

/// The history has to be the one that the plan was made on: with another one, other objects would change.
fn unchanged(plan: &PlanDocument, installs: bool, then: &[Past], now: &[Past]) -> Result<(), NotPlanned> {
    if then == now {
        return Ok(());
    }
    let last = |history: &[Past]| match history.last() {
        Some(past) => format!("revision {} ({})", past.revision, past.status),
        None => "no revision".to_owned(),
    };
    let (release, then, now) = (&plan.release.name, last(then), last(now));
    let changed = if then == now { format!("another {now}") } else { now };
    let message =
        format!("release {release} was changed since this plan was made: there was {then}, now {changed}");
    let hint = Some("nothing was done: plan again, and look at what is different".to_owned());
    let error = RunError { hint, ..RunError::new(ErrorCode::Locked, message) };
    let operation = if installs { Operation::Install } else { Operation::Upgrade };
    Err(NotPlanned::Refused(Box::new(Refusal { operation, release: plan.release.clone(), error })))
}

/// What would run has to be what was shown: a plugin may be another one by now. Waits aside: that objects are waited for may
/// be said when the plan is carried out (`--rollback-on-failure`).
fn same_steps(plan: &PlanDocument, planned: Planned) -> Result<Planned, NotPlanned> {
    let has_errors = planned.refusal().is_some();
    let now = PlanDocument::from(&planned.plan);
    let steps = |plan: &PlanDocument| -> Vec<Value> {
        let steps = plan.steps.iter().filter(|step| step.phase != "wait");
        steps.filter_map(|step| serde_json::to_value(step).ok()).collect()
    };
    let (then, now) = (steps(plan), steps(&now));
    // Errors say more.
    if has_errors || then == now {
        return Ok(planned);
    }
    let first = then.iter().zip(&now).find(|(then, now)| then != now).map(|(then, _)| then);
    let id = first.and_then(|step| step["id"].as_str()).unwrap_or("the number of steps");
    let digest = |step: &Value| step["run"]["plugin"]["digest"].clone();
    let reason = match first {
        Some(step) if now.iter().any(|now| now["id"] == step["id"] && digest(now) != digest(step)) => {
            format!("{id} would run another plugin than was planned")
        }
        _ => format!("{id} would be another one than was planned"),
    };
    Err(NotPlanned::Error(CliError::new(BAD_INPUT, reason).hint("plan again with what there is now")))
}
