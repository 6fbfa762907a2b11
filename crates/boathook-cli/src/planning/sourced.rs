//! Plans of what is read from a source: an install, an upgrade, the hooks of one event.

use boathook_core::dialect::{self, Read};
use boathook_core::manifest::{self, Document};
use boathook_core::operation::Unfinished;
use boathook_core::plan::{Chart, Operation, PlanInput, ReleaseRef, RevisionOptions};
use boathook_core::release::Status;
use boathook_core::release::basis::Wish;
use boathook_core::{Diagnostic, HookEvent};
use boathook_engine::release_store::{Listing, revisions};
use serde_json::{Map, Value};

use super::{NotPlanned, Planned, Planner, Texts, check_names, is_another, unreadable};
use crate::error::CliError;
use crate::input::{self, Charts, Input, Lent, Rendering, SourceArgs, ValuesMode};

/// What an operation is planned from.
#[derive(Clone)]
pub(crate) enum Material<'a> {
    /// A source, which is read and rendered now.
    Source(&'a SourceArgs, &'a Charts<'a>),
    /// One that was read for a plan, and kept with it.
    Kept(Box<Input>),
}

/// A source that was read and sorted.
struct Sorted {
    texts: Texts,
    chart: Chart,
    read: Read,
    crds: Vec<Document>,
}

async fn read(material: Material<'_>, rendering: &Rendering<'_>) -> Result<Sorted, CliError> {
    let Input { sources, crds: definitions, base, chart, recorded, mut diagnostics } = match material {
        Material::Source(args, charts) => input::read(args, rendering, charts).await?,
        Material::Kept(input) => *input,
    };
    let parsed = manifest::parse(&sources);
    let mut read = dialect::read(parsed.documents);
    let crds = manifest::parse(&definitions);
    diagnostics.extend(parsed.diagnostics);
    diagnostics.extend(crds.diagnostics);
    diagnostics.append(&mut read.diagnostics);
    read.diagnostics = diagnostics;
    let chart = Chart { info: chart, record: recorded.chart, config: recorded.config, notes: recorded.notes };
    let texts = Texts { sources, crds: definitions, base };
    Ok(Sorted { texts, chart, read, crds: crds.documents })
}

/// The hooks of one event.
pub(crate) async fn run(
    planner: &Planner<'_>,
    event: HookEvent,
    source: &SourceArgs,
    charts: &Charts<'_>,
) -> Result<Planned, NotPlanned> {
    check_names(planner.name, Some(planner.namespace))?;
    let release =
        ReleaseRef { name: planner.name.to_owned(), namespace: planner.namespace.to_owned(), revision: 1 };
    let is_upgrade = is_upgrade(event);
    let rendering = Rendering { release: &release, is_upgrade, recorded: false, lent: None };
    let Sorted { texts, chart, read, .. } = read(Material::Source(source, charts), &rendering).await?;
    let input = PlanInput::run(event, &release, &chart, read);
    Ok(planner.finish(input, texts).await)
}

/// What the templates are told: `.Release.IsInstall` or `.Release.IsUpgrade`. Hooks that a real Helm renders at an install
/// serve deletions and tests, too.
fn is_upgrade(event: HookEvent) -> bool {
    use HookEvent::{PostRollback, PostUpgrade, PreRollback, PreUpgrade};
    matches!(event, PreUpgrade | PostUpgrade | PreRollback | PostRollback)
}

/// What an install may be told besides.
pub(crate) struct InstallChoices {
    /// Leave `crds/` alone.
    pub(crate) skip_crds: bool,
    /// Use a name whose history ended.
    pub(crate) replace: bool,
    /// For the record.
    pub(crate) revision: RevisionOptions,
}

/// An install; without a cluster at hand the history is taken for empty.
pub(crate) async fn install(
    planner: &Planner<'_>,
    history: &Listing,
    material: Material<'_>,
    choices: &InstallChoices,
) -> Result<Planned, NotPlanned> {
    check_names(planner.name, Some(planner.namespace))?;
    let planned = install_once(planner, history, material.clone(), choices, false).await?;
    match is_another(&planned, &revisions(&history.releases)) {
        true => install_once(planner, history, material, choices, true).await,
        false => Ok(planned),
    }
}

async fn install_once(
    planner: &Planner<'_>,
    history: &Listing,
    material: Material<'_>,
    choices: &InstallChoices,
    anew: bool,
) -> Result<Planned, NotPlanned> {
    let past = revisions(&history.releases);
    let wish = Wish { replace: choices.replace, anew, ..Wish::default() };
    let basis = planner.basis(Operation::Install, wish, &past)?;
    let release = planner.release(&basis);
    // Templates of an install are told revision 1, also where a history is replaced: so it is with Helm.
    let told = ReleaseRef { revision: 1, ..release.clone() };
    let rendering = Rendering { release: &told, is_upgrade: false, recorded: true, lent: None };
    let Sorted { texts, chart, read, crds } = read(material, &rendering).await?;
    let crds = if choices.skip_crds { Vec::new() } else { crds };
    let mut input = PlanInput::install(basis, &release, chart, read, crds, &choices.revision);
    input.diagnostics.extend(unreadable(history));
    Ok(planner.finish(input, texts).await)
}

/// What an upgrade may be told besides.
pub(crate) struct UpgradeChoices {
    /// Install what is not there.
    pub(crate) install: bool,
    /// Leave `crds/` alone, if it comes to an install.
    pub(crate) skip_crds: bool,
    /// Which values it starts from.
    pub(crate) values: ValuesMode,
    /// For the record.
    pub(crate) revision: RevisionOptions,
}

/// An upgrade, or an install where there is nothing to upgrade and that was asked for.
pub(crate) async fn upgrade(
    planner: &Planner<'_>,
    history: &Listing,
    material: Material<'_>,
    choices: &UpgradeChoices,
) -> Result<Planned, NotPlanned> {
    check_names(planner.name, Some(planner.namespace))?;
    let past = revisions(&history.releases);
    let uninstalled = past.last().is_some_and(|last| *last.status() == Status::Uninstalled);
    let unfinished = past.last().and_then(Unfinished::left);
    let begun = unfinished.is_some_and(|left| left.command == Operation::Install.as_str());
    if choices.install && (past.is_empty() || uninstalled || begun) {
        let choices = InstallChoices {
            skip_crds: choices.skip_crds,
            replace: uninstalled,
            revision: choices.revision.clone(),
        };
        let mut planned = install_once(planner, history, material.clone(), &choices, false).await?;
        // With anything else than what was begun it is an upgrade from there.
        if !is_another(&planned, &past) {
            let message = format!("release {:?} does not exist: it is installed", planner.name);
            let diagnostic = Diagnostic::new(boathook_core::Severity::Info, "installs", message);
            planned.plan.diagnostics.extend((!begun).then_some(diagnostic));
            return Ok(planned);
        }
    }
    let planned = upgrade_once(planner, history, material.clone(), choices, false).await?;
    match is_another(&planned, &past) {
        true => upgrade_once(planner, history, material, choices, true).await,
        false => Ok(planned),
    }
}

async fn upgrade_once(
    planner: &Planner<'_>,
    history: &Listing,
    material: Material<'_>,
    choices: &UpgradeChoices,
    anew: bool,
) -> Result<Planned, NotPlanned> {
    let past = revisions(&history.releases);
    let basis = planner.basis(Operation::Upgrade, Wish { anew, ..Wish::default() }, &past)?;
    let release = planner.release(&basis);
    let current = past.iter().find(|revision| Some(revision.number()) == basis.base);
    let none = Map::new();
    let map = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
    let config = current.and_then(|current| map(current.record.config.as_ref())).unwrap_or_default();
    let defaults = current.and_then(|current| map(current.record.chart.get("values")));
    let lent = Lent { config: &config, defaults: defaults.as_ref().unwrap_or(&none), mode: choices.values };
    let rendering = Rendering { release: &release, is_upgrade: true, recorded: true, lent: Some(lent) };
    let Sorted { texts, chart, read, .. } = read(material, &rendering).await?;
    let mut input = PlanInput::upgrade(basis, &release, &past, chart, read, &choices.revision);
    input.diagnostics.extend(unreadable(history));
    Ok(planner.finish(input, texts).await)
}
