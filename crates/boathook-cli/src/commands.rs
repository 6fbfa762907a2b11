//! One file per command: the arguments, whose doc comments are the help, then one function.

pub(crate) mod completion;
pub(crate) mod embedded;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod install;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod template;
pub(crate) mod test;
pub(crate) mod uninstall;
pub(crate) mod upgrade;

use boathook_core::HookEvent;
use boathook_core::release::HookEntry;
use boathook_core::release::wasm_hooks::{self, Carried};
use boathook_engine::cluster::ClusterErrorKind;
use boathook_engine::release_store::{Listing, ReleaseStore, StoreError, Stored, revisions};

use crate::error::{BAD_INPUT, CliError, FAILED};
use crate::output::{Printer, safe};
use crate::wiring::Session;

/// Reads one of Helm's event names.
pub(crate) fn event(text: &str) -> Result<HookEvent, String> {
    HookEvent::ALL.into_iter().find(|event| event.as_str() == text).ok_or_else(|| {
        let names: Vec<&str> = HookEvent::ALL.into_iter().map(HookEvent::as_str).collect();
        format!("no hook event; the events are: {}", names.join(", "))
    })
}

/// A release's history, and the place of one revision in it: the newest unless one is named.
async fn find(
    session: &Session,
    name: &str,
    revision: Option<u32>,
    printer: &Printer,
) -> Result<(Vec<Stored>, usize), CliError> {
    let namespace = session.namespace.as_str();
    let listing = ReleaseStore::new(session.cluster.as_ref()).history(namespace, name).await?;
    warn_unreadable(&listing, printer);
    let history = listing.releases;
    let found = match revision {
        Some(revision) => history.iter().position(|stored| stored.record.version == revision),
        None => history.len().checked_sub(1),
    };
    match found {
        Some(place) => Ok((history, place)),
        None if history.is_empty() => Err(no_release(name, namespace)),
        None => {
            let revision = revision.unwrap_or_default();
            let message = format!("release {name} has no revision {revision} in namespace {namespace}");
            let hint = format!("`boathook history {name} -n {namespace}` lists its revisions");
            Err(CliError::new(FAILED, message).hint(hint))
        }
    }
}

/// All hooks of one revision of a history, those included that a rollback of Helm's left with an earlier one.
fn hooks(history: &[Stored], place: usize) -> Vec<&HookEntry> {
    let revisions = revisions(history);
    let revision = revisions[place];
    let carried = wasm_hooks::carried(&revisions, &revision);
    wasm_hooks::all_hooks(&revision, carried).into_iter().map(|(hook, _)| hook).collect()
}

/// Where a revision's Wasm hooks are, if not with itself.
fn carried(history: &[Stored], place: usize) -> Option<String> {
    let revisions = revisions(history);
    let revision = revisions[place];
    match wasm_hooks::carried(&revisions, &revision) {
        Carried::Of(number, _) => Some(format!("of revision {number}, of which Helm made this one")),
        lost @ Carried::Lost(_) => lost.diagnostic(revision.number()).map(|diagnostic| diagnostic.message),
        Carried::Own(_) | Carried::Nothing => None,
    }
}

fn no_release(name: &str, namespace: &str) -> CliError {
    CliError::new(FAILED, format!("release {name} not found in namespace {namespace}"))
        .hint("`boathook list --all-namespaces` lists every release; `-n` names a namespace")
}

/// What could not be read is said, and the rest is shown.
fn warn_unreadable(listing: &Listing, printer: &Printer) {
    for error in &listing.unreadable {
        printer.note(&format!("warning: {}\n", safe::line(&error.to_string())));
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cluster(error) if error.kind == ClusterErrorKind::Forbidden => Self::from(error)
                .hint("releases are Secrets of their namespace: it must let you read and write them"),
            StoreError::Cluster(error) => error.into(),
            StoreError::Decode(error) => Self::new(BAD_INPUT, error.to_string()),
            other => Self::new(FAILED, other.to_string()),
        }
    }
}
