//! One file per command: the arguments, whose doc comments are the help, then one function.

pub(crate) mod completion;
pub(crate) mod embedded;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod install;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod template;

use boathook_core::HookEvent;
use boathook_engine::release_store::{Listing, ReleaseStore, StoreError, Stored};

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

/// One revision of a release, the newest unless a revision is named.
async fn find(session: &Session, name: &str, revision: Option<u32>) -> Result<Stored, CliError> {
    let store = ReleaseStore::new(session.cluster.as_ref());
    let namespace = session.namespace.as_str();
    let revision = match revision {
        Some(revision) => revision,
        None => match store.last(namespace, name).await? {
            Some(last) => last.record.version,
            None => return Err(no_release(name, namespace)),
        },
    };
    match store.get(namespace, name, revision).await {
        Ok(stored) => Ok(stored),
        Err(StoreError::NotFound) => Err(CliError::new(
            FAILED,
            format!("release {name} has no revision {revision} in namespace {namespace}"),
        )
        .hint(format!("`boathook history {name} -n {namespace}` lists its revisions"))),
        Err(error) => Err(error.into()),
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
            StoreError::Cluster(error) => error.into(),
            StoreError::Decode(error) => Self::new(BAD_INPUT, error.to_string()),
            other => Self::new(FAILED, other.to_string()),
        }
    }
}
