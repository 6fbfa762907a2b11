//! Our own record beside Helm's: the hooks that a plain Helm could not apply (kind `WasmHook`), and what the
//! operation did. It lives in a Secret that Helm's Secret owns, so that it goes when Helm purges the revision; a plain
//! Helm neither reads nor changes it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::codec::{DecodeError, Stamp, pack, secret, unpack};
use super::{HookEntry, Record};
use crate::Object;
use crate::hook::Hook;
use crate::operation::OperationRecord;
use crate::plan::StepId;
use crate::run_event::{HookResult, Outcome, RunError};
use crate::wasm_hook;

/// The type of our Secrets.
pub const SECRET_TYPE: &str = "boathook.dev/release.v1";
/// The label value by which they are found.
pub const OWNER: &str = "boathook";

/// What is kept of one revision besides Helm's record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanionRecord {
    /// The release.
    pub name: String,
    /// Where it lives.
    pub namespace: String,
    /// The revision.
    pub version: u32,
    /// The operation that made it.
    pub operation: String,
    /// Hooks that are not in Helm's record.
    pub hooks: Vec<CompanionHook>,
    /// How each hook that ran ended, in the order in which they ended.
    pub results: Vec<StepResult>,
    /// How the operation ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// What was intended and what was done, as [`OperationRecord`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Value>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A hook kept out of Helm's record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompanionHook {
    /// Its place among all hooks of the release, from 0.
    pub position: usize,
    /// As Helm would have stored it.
    #[serde(flatten)]
    pub entry: HookEntry,
}

/// Where the record of one hook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPlace {
    /// Index into Helm's `hooks[]`.
    Helm(usize),
    /// Index into ours.
    Ours(usize),
}

/// The hooks of a release, divided between Helm's record and ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Divided {
    /// In Helm's record.
    pub helm: Vec<HookEntry>,
    /// In ours.
    pub ours: Vec<CompanionHook>,
    /// Where each hook of the release is, in the release's order.
    pub places: Vec<HookPlace>,
}

impl Divided {
    /// Divides hooks in the release's order; each with whether it is ours.
    pub fn new(hooks: impl IntoIterator<Item = (HookEntry, bool)>) -> Self {
        let mut divided = Self::default();
        for (position, (entry, ours)) in hooks.into_iter().enumerate() {
            if ours {
                divided.places.push(HookPlace::Ours(divided.ours.len()));
                divided.ours.push(CompanionHook { position, entry });
            } else {
                divided.places.push(HookPlace::Helm(divided.helm.len()));
                divided.helm.push(entry);
            }
        }
        divided
    }

    /// The hooks of a source: kind `WasmHook` is ours, because a plain Helm could not apply it.
    pub fn of(hooks: &[Hook]) -> Self {
        let is_ours =
            |hook: &Hook| hook.kind == wasm_hook::KIND && hook.api_version == wasm_hook::API_VERSION;
        Self::new(hooks.iter().map(|hook| (HookEntry::new(hook), is_ours(hook))))
    }
}

/// How one hook ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// The step.
    pub step: StepId,
    /// How.
    pub result: HookResult,
}

impl CompanionRecord {
    /// The record of an operation that has not ended, if there is one that can be read.
    pub fn unfinished(&self) -> Option<OperationRecord> {
        let record = OperationRecord::read(self.record.clone()?).ok()?;
        record.end().is_none().then_some(record)
    }

    /// Helm's hooks and ours together, in the order in which the release has them, each with whether it is ours.
    pub fn merged_hooks<'a>(&'a self, record: &'a Record) -> Vec<(&'a HookEntry, bool)> {
        let mut all: Vec<_> = record.hooks.iter().map(|hook| (hook, false)).collect();
        for hook in &self.hooks {
            all.insert(hook.position.min(all.len()), (&hook.entry, true));
        }
        all
    }
}

/// `boathook.release.v1.NAME.vN`.
pub fn secret_name(release: &str, revision: u32) -> String {
    format!("boathook.release.v1.{release}.v{revision}")
}

/// The Secret of our record, owned by Helm's Secret with this UID.
pub fn encode(companion: &CompanionRecord, helm_uid: &str, stamp: Stamp) -> Object {
    let mut labels = Map::from_iter([
        ("name".to_owned(), json!(companion.name)),
        ("owner".to_owned(), json!(OWNER)),
        ("version".to_owned(), json!(companion.version.to_string())),
    ]);
    labels.extend([stamp.label()]);
    let mut object = secret(
        &secret_name(&companion.name, companion.version),
        &companion.namespace,
        SECRET_TYPE,
        labels.into(),
        &pack(companion),
    );
    let owner = json!([{
        "apiVersion": "v1",
        "kind": "Secret",
        "name": super::codec::secret_name(&companion.name, companion.version),
        "uid": helm_uid,
    }]);
    object.metadata_mut().insert("ownerReferences".to_owned(), owner);
    object
}

/// The record in one of our Secrets; `None` if the Secret belongs to another Helm Secret than the one with this UID
/// (a release of the same name that is gone).
///
/// # Errors
/// [`DecodeError`]; none of them shows the content.
pub fn decode(secret: &Object, helm_uid: &str) -> Result<Option<CompanionRecord>, DecodeError> {
    let owners = secret.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    let owned =
        owners.into_iter().flatten().any(|owner| owner.get("uid").and_then(Value::as_str) == Some(helm_uid));
    if owned { unpack(secret).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn companion() -> CompanionRecord {
        let entry = |name: &str| HookEntry { name: name.to_owned(), ..HookEntry::default() };
        CompanionRecord {
            name: "web".to_owned(),
            namespace: "prod".to_owned(),
            version: 2,
            operation: "op".to_owned(),
            hooks: vec![
                CompanionHook { position: 0, entry: entry("w0") },
                CompanionHook { position: 2, entry: entry("w2") },
            ],
            ..CompanionRecord::default()
        }
    }

    #[test]
    fn it_goes_with_the_helm_secret_it_was_made_for() {
        let secret = encode(&companion(), "u1", Stamp::Created(Timestamp::UNIX_EPOCH));
        assert_eq!(secret.name(), "boathook.release.v1.web.v2");
        assert_eq!(secret.str(&["type"]), Some("boathook.dev/release.v1"));
        assert_eq!(
            secret.get(&["metadata", "ownerReferences"]),
            Some(
                &json!([{"apiVersion": "v1", "kind": "Secret", "name": "sh.helm.release.v1.web.v2", "uid": "u1"}])
            )
        );
        assert_eq!(decode(&secret, "u1").unwrap(), Some(companion()));
        assert_eq!(decode(&secret, "u2").unwrap(), None);
    }

    #[test]
    fn hooks_come_back_in_the_order_of_the_release() {
        let helm = |name: &str| HookEntry { name: name.to_owned(), ..HookEntry::default() };
        let record = Record { hooks: vec![helm("h1"), helm("h3")], ..Record::default() };
        let companion = companion();
        let names: Vec<&str> =
            companion.merged_hooks(&record).iter().map(|(hook, _)| hook.name.as_str()).collect();
        assert_eq!(names, ["w0", "h1", "w2", "h3"]);
    }
}
