//! A hook: one document with Helm's hook annotations, typed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Object, source::Origin, wasm_hook::WasmHookSpec};

/// When a hook fires. The nine events of Helm; `test-success` is read as [`HookEvent::Test`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum HookEvent {
    /// Before the first object of an install.
    PreInstall,
    /// After the objects of an install.
    PostInstall,
    /// Before the objects of an uninstall are deleted.
    PreDelete,
    /// After the objects of an uninstall are deleted.
    PostDelete,
    /// Before the objects of an upgrade change.
    PreUpgrade,
    /// After the objects of an upgrade changed.
    PostUpgrade,
    /// Before the objects of a rollback change.
    PreRollback,
    /// After the objects of a rollback changed.
    PostRollback,
    /// `helm test`.
    Test,
}

impl HookEvent {
    /// All events, in the order of Helm's documentation.
    pub const ALL: [Self; 9] = [
        Self::PreInstall,
        Self::PostInstall,
        Self::PreDelete,
        Self::PostDelete,
        Self::PreUpgrade,
        Self::PostUpgrade,
        Self::PreRollback,
        Self::PostRollback,
        Self::Test,
    ];

    /// Helm's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreDelete => "pre-delete",
            Self::PostDelete => "post-delete",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
            Self::PreRollback => "pre-rollback",
            Self::PostRollback => "post-rollback",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for HookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a hook's object is deleted. Helm keeps words it does not know: they do nothing, but a list that holds
/// one is not empty, so the default does not apply.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum DeletePolicy {
    /// Before the hook is created; the default where no policy is given.
    BeforeHookCreation,
    /// After the whole event succeeded.
    HookSucceeded,
    /// When this hook failed.
    HookFailed,
    /// A word that Helm does not know (or the empty one).
    Other(String),
}

impl DeletePolicy {
    /// Helm's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::BeforeHookCreation => "before-hook-creation",
            Self::HookSucceeded => "hook-succeeded",
            Self::HookFailed => "hook-failed",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for DeletePolicy {
    fn from(word: String) -> Self {
        match word.as_str() {
            "before-hook-creation" => Self::BeforeHookCreation,
            "hook-succeeded" => Self::HookSucceeded,
            "hook-failed" => Self::HookFailed,
            _ => Self::Other(word),
        }
    }
}

impl From<DeletePolicy> for String {
    fn from(policy: DeletePolicy) -> Self {
        policy.as_str().to_owned()
    }
}

/// When a hook's container logs are printed at its end (`helm.sh/hook-output-log-policy`). Unknown words are
/// kept and do nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum OutputLogPolicy {
    /// After the event succeeded.
    HookSucceeded,
    /// When this hook failed.
    HookFailed,
    /// A word that Helm does not know.
    Other(String),
}

impl From<String> for OutputLogPolicy {
    fn from(word: String) -> Self {
        match word.as_str() {
            "hook-succeeded" => Self::HookSucceeded,
            "hook-failed" => Self::HookFailed,
            _ => Self::Other(word),
        }
    }
}

impl From<OutputLogPolicy> for String {
    fn from(policy: OutputLogPolicy) -> Self {
        match policy {
            OutputLogPolicy::HookSucceeded => "hook-succeeded".to_owned(),
            OutputLogPolicy::HookFailed => "hook-failed".to_owned(),
            OutputLogPolicy::Other(word) => word,
        }
    }
}

/// What a hook does when its event fires.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Its objects are created; Jobs and Pods are waited for.
    ApplyResource,
    /// A plugin runs: kind `WasmHook`, or a Job with the annotation `boathook.dev/wasm-hook`.
    CallPlugin(Box<WasmHookSpec>),
}

/// One hook of a release, whatever its events.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// `apiVersion` as Helm reads it.
    pub api_version: String,
    /// `kind` as Helm reads it.
    pub kind: String,
    /// `metadata.name`; empty if there is none (`generateName`), which sorts first.
    pub name: String,
    /// Where it stands.
    pub origin: Origin,
    /// In written order; an event written twice stands twice, and the hook runs twice.
    pub events: Vec<HookEvent>,
    /// Ascending; 0 where it is absent or no number.
    pub weight: i64,
    /// As written; empty where the annotation is absent (the default is resolved by the plan, as Helm does it).
    pub delete_policies: Vec<DeletePolicy>,
    /// As written.
    pub output_log_policies: Vec<OutputLogPolicy>,
    /// The document's text, as Helm stores it.
    pub manifest: String,
    /// The objects that Helm builds from the text: usually one; a `List` gives its items.
    pub objects: Vec<Object>,
    /// What happens when an event fires.
    pub action: Action,
    /// Where the fields of a plugin hook's spec stand in the file, by name (`plugin`, `config`, …), as (line, column);
    /// the empty name is the spec itself.
    pub spec_places: BTreeMap<String, (usize, usize)>,
}

impl Hook {
    /// Where a field of the spec stands, else the spec, else the document.
    pub fn spec_place(&self, field: &str) -> (usize, usize) {
        let place = self.spec_places.get(field).or_else(|| self.spec_places.get(""));
        place.copied().unwrap_or((self.origin.line, 1))
    }
}
