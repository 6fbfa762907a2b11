//! Helm's release record as data: what `helm list`, `status`, `history` and `rollback` read. Typed where Boathook
//! needs it; every field it does not know is kept and written back. Nothing here reads a clock or a cluster; the
//! form on the wire is in [`codec`], our own record beside Helm's in [`companion`]. From which revisions an operation starts
//! is in [`basis`], what it writes when in [`lifecycle`].

pub mod apply_method;
pub mod basis;
pub mod codec;
pub mod companion;
pub mod lifecycle;
pub mod wasm_hooks;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hook::Hook;
use crate::run_event::Phase;

pub use apply_method::{ApplyMethod, ServerSide};
use companion::CompanionRecord;

/// One revision with everything that is kept of it, borrowed from whoever read it.
#[derive(Clone, Copy, Debug)]
pub struct Revision<'a> {
    /// Helm's record.
    pub record: &'a Record,
    /// Ours, if this revision has one of its own.
    pub companion: Option<&'a CompanionRecord>,
    /// Labels on Helm's Secret besides Helm's own.
    pub labels: &'a BTreeMap<String, String>,
}

impl<'a> Revision<'a> {
    /// A revision of which only Helm's record is known.
    pub fn of(record: &'a Record) -> Self {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        Self { record, companion: None, labels: &NONE }
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.record.version
    }

    /// Its status.
    pub fn status(&self) -> &'a Status {
        &self.record.info.status
    }
}

/// One revision of one release, as Helm stores it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The release.
    pub name: String,
    /// Times, status, texts.
    pub info: Info,
    /// `metadata`, `templates`, `values`, … as Helm stores them. `helm list` needs `metadata.name` and `.version`.
    #[serde(default)]
    pub chart: Value,
    /// The user's values only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// The ordinary documents, each as `---`, `# Source: path`, text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// All hooks, of every event, in install order. Never a kind that a plain Helm could not apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub hooks: Vec<HookEntry>,
    /// The revision.
    pub version: u32,
    /// Where it lives.
    #[serde(default)]
    pub namespace: String,
    /// `ssa`, `csa`; absent means client-side. Written by Helm 4 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_method: Option<String>,
    /// What Boathook does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// `info` of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// When revision 1 was made.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub first_deployed: Option<Timestamp>,
    /// When this revision was made.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub last_deployed: Option<Timestamp>,
    /// When it was uninstalled.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
    /// What happened last, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The status; the label of the Secret always says the same.
    #[serde(default)]
    pub status: Status,
    /// The revision that a rollback made this one from. Helm 4.3 and later write it, older ones drop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_revision: Option<u32>,
    /// What Boathook does not know, `notes` among it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The status of a revision. A word that Helm does not know is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// Nobody knows.
    #[default]
    Unknown,
    /// It is what runs.
    Deployed,
    /// It is gone, its history was kept.
    Uninstalled,
    /// A later revision took its place.
    Superseded,
    /// A step failed.
    Failed,
    /// Being deleted, or failed at that.
    Uninstalling,
    /// An install is under way, or died.
    PendingInstall,
    /// An upgrade is under way, or died.
    PendingUpgrade,
    /// A rollback is under way, or died.
    PendingRollback,
    /// A word of another tool.
    Other(String),
}

impl Status {
    /// Helm's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
            Self::Other(word) => word,
        }
    }

    /// Whether an operation is, or was, in the middle of it.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "" | "unknown" => Self::Unknown,
            "deployed" => Self::Deployed,
            "uninstalled" => Self::Uninstalled,
            "superseded" => Self::Superseded,
            "failed" => Self::Failed,
            "uninstalling" => Self::Uninstalling,
            "pending-install" => Self::PendingInstall,
            "pending-upgrade" => Self::PendingUpgrade,
            "pending-rollback" => Self::PendingRollback,
            _ => Self::Other(word),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

/// One hook of a record. Events, policies and phase are words: Helm keeps those it does not know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HookEntry {
    /// `metadata.name`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `kind`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The path of its template.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// When it fires.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub events: Vec<String>,
    /// Its last run.
    #[serde(default)]
    pub last_run: LastRun,
    /// Ascending.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: i64,
    /// Empty until the hook runs for the first time: then Helm writes its default here.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub delete_policies: Vec<String>,
    /// When logs are printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub output_log_policies: Vec<String>,
    /// What Boathook does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl HookEntry {
    /// A hook that never ran.
    pub fn new(hook: &Hook) -> Self {
        Self {
            name: hook.name.clone(),
            kind: hook.kind.clone(),
            path: hook.origin.path.clone(),
            manifest: hook.manifest.clone(),
            events: hook.events.iter().map(|event| event.as_str().to_owned()).collect(),
            last_run: LastRun::default(),
            weight: hook.weight,
            delete_policies: hook.delete_policies.iter().map(|policy| policy.as_str().to_owned()).collect(),
            output_log_policies: hook.output_log_policies.iter().cloned().map(String::from).collect(),
            rest: Map::new(),
        }
    }
}

/// The last run of a hook. Times are left out while they are zero, as Helm 4 does; empty, null and missing ones
/// are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it was started.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its end was seen.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Empty (never run), `Unknown`, `Running`, `Succeeded`, `Failed`.
    #[serde(default)]
    pub phase: String,
    /// What Boathook does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl LastRun {
    /// A run that has just begun.
    pub fn begun(now: Timestamp) -> Self {
        Self { started_at: Some(now), phase: phase_word(Phase::Running).to_owned(), ..Self::default() }
    }
}

/// Helm's word for a phase; a hook that never ran has the empty one.
pub fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Unknown => "Unknown",
        Phase::Running => "Running",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
        Phase::Skipped => "",
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Go writes a nil slice as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Times as both Helms write and read them: RFC 3339; zero is absent, null, `""` or Go's year 1.
mod helm_time {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    const GO_ZERO: &str = "0001-01-01T00:00:00Z";

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("" | GO_ZERO) => Ok(None),
            Some(text) => text.parse().map(Some).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// C55 and C56.
    #[test]
    fn zero_times_are_left_out_and_read_in_every_form() {
        let never: LastRun = serde_json::from_value(json!({"phase": ""})).unwrap();
        for zero in [json!(""), json!(null), json!("0001-01-01T00:00:00Z")] {
            let read: LastRun =
                serde_json::from_value(json!({"started_at": zero, "completed_at": zero, "phase": ""}))
                    .unwrap();
            assert_eq!(read, never);
        }
        assert_eq!(serde_json::to_value(&never).unwrap(), json!({"phase": ""}));
        let begun = LastRun::begun("2026-01-02T03:04:05.5Z".parse().unwrap());
        assert_eq!(
            serde_json::to_value(&begun).unwrap(),
            json!({"started_at": "2026-01-02T03:04:05.5Z", "phase": "Running"})
        );
    }

    #[test]
    fn a_time_that_is_none_is_an_error() {
        assert!(
            serde_json::from_value::<LastRun>(json!({"started_at": "invalid-time", "phase": ""})).is_err()
        );
        assert!(serde_json::from_value::<Info>(json!({"last_deployed": "invalid-time"})).is_err());
    }

    /// C57.
    #[test]
    fn info_reads_zero_times_in_every_form() {
        for zero in [json!(""), json!(null)] {
            let info: Info = serde_json::from_value(
                json!({"first_deployed": zero, "deleted": zero, "status": "deployed"}),
            )
            .unwrap();
            assert_eq!(serde_json::to_value(&info).unwrap(), json!({"status": "deployed"}));
        }
    }

    #[test]
    fn words_of_other_tools_are_kept() {
        let status: Status = serde_json::from_value(json!("paused")).unwrap();
        assert_eq!(serde_json::to_value(&status).unwrap(), json!("paused"));
        let entry = json!({"events": ["example.com/x"], "last_run": {"phase": "Paused"}, "owner": {"a": 1}});
        let read: HookEntry = serde_json::from_value(entry.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), entry);
    }

    #[test]
    fn what_is_empty_is_left_out_as_helm_leaves_it_out() {
        let record = serde_json::to_value(Record::default()).unwrap();
        assert_eq!((record.get("hooks"), record.get("manifest"), record.get("config")), (None, None, None));
    }

    #[test]
    fn null_lists_read_as_empty() {
        let record: Record =
            serde_json::from_value(json!({"name": "a", "info": {}, "version": 1, "hooks": null})).unwrap();
        assert!(record.hooks.is_empty());
    }
}
