//! What no hook can grant to a plugin, and why: each of these would let it become somebody else, or change the records
//! that Boathook and Helm keep of themselves. Wildcards and exact rules alike do not help.

use serde_json::Value;

use super::body::PatchBody;
use super::kubernetes::{KubernetesRequest, Payload, Subresource};
use crate::Object;
use crate::release::{codec, companion};

/// Types of Secret that are a token of somebody, or a record of Helm's.
const SECRET_TYPES: [(&str, &str); 3] = [
    ("helm.sh/release.v1", "release records belong to Helm and Boathook"),
    ("kubernetes.io/service-account-token", "it is a token of a ServiceAccount"),
    ("bootstrap.kubernetes.io/token", "it is a token that nodes join with"),
];
/// Names under which Helm and Boathook keep records, in Secrets or ConfigMaps, and hold leases.
const RECORD_PREFIXES: [&str; 2] = ["sh.helm.release.v", "boathook."];

/// Values of the label `owner` on records.
const RECORD_OWNERS: [&str; 2] = [codec::OWNER, companion::OWNER];

/// Why no rule allows the request, if none does.
pub(super) fn never(request: &KubernetesRequest) -> Option<&'static str> {
    let (group, plural) = (request.resource.gvk.group.as_str(), request.resource.plural.as_str());
    let writes = request.call.verbs().iter().any(|verb| verb.writes());
    if let Some(reason) = request.subresource.and_then(|subresource| never_subresource(plural, subresource)) {
        return Some(reason);
    }
    match (group, plural) {
        ("authentication.k8s.io" | "authorization.k8s.io", _) => {
            return Some("what somebody is or may do is not for plugins to ask");
        }
        ("admissionregistration.k8s.io", _) => return Some("admission rules decide over the whole cluster"),
        ("apiregistration.k8s.io", _) => return Some("API services decide where the cluster's requests go"),
        ("rbac.authorization.k8s.io", _) if writes => {
            return Some("RBAC objects would give rights to others");
        }
        ("boathook.dev", _) if writes => return Some("hooks are not for plugins to write"),
        ("", "bindings") => return Some("pods are bound to nodes by the scheduler"),
        _ => {}
    }
    if let Some(name) = &request.name
        && holds_records(group, plural)
        && is_record_name(name.as_str())
    {
        return Some("release records and leases belong to Helm and Boathook");
    }
    if holds_records(group, plural) && marks_record(&request.payload) {
        return Some("the label owner marks release records, which belong to Helm and Boathook");
    }
    request.is_secret().then(|| secret_type(&request.payload)).flatten().and_then(never_secret_type)
}

/// Whether an answer is one that no plugin may see: a record of a release, by name or by type.
pub(super) fn is_record(group: &str, plural: &str, object: &Object) -> bool {
    holds_records(group, plural)
        && (is_record_name(object.name()) || object.str(&["type"]).is_some_and(|ty| ty == SECRET_TYPES[0].0))
}

/// Why a rule on this resource word grants nothing, for lint: `pods/exec`.
pub(super) fn never_word(word: &str) -> Option<&'static str> {
    let (plural, subresource) = word.split_once('/')?;
    never_subresource(plural, Subresource::parse(subresource).ok()?)
}

fn never_subresource(plural: &str, subresource: Subresource) -> Option<&'static str> {
    match (plural, subresource) {
        ("nodes", _) => Some("nodes' own interfaces reach every pod on them"),
        (_, Subresource::Exec | Subresource::Attach | Subresource::EphemeralContainers) => {
            Some("it would run commands in other pods")
        }
        (_, Subresource::PortForward | Subresource::Proxy) => {
            Some("it would reach other pods around every rule")
        }
        (_, Subresource::Token) => Some("it is a token of a ServiceAccount"),
        (_, Subresource::Approval) => Some("it would issue certificates"),
        (_, Subresource::Binding) => Some("pods are bound to nodes by the scheduler"),
        (_, Subresource::Finalize) => Some("it would skip what must happen before a deletion"),
        (_, Subresource::Status | Subresource::Scale | Subresource::Log | Subresource::Eviction) => None,
    }
}

fn holds_records(group: &str, plural: &str) -> bool {
    matches!((group, plural), ("", "secrets" | "configmaps") | ("coordination.k8s.io", "leases"))
}

fn is_record_name(name: &str) -> bool {
    RECORD_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a write would make its object look like a release record: Helm finds records by this label, whatever their
/// name and type are, and applies what they hold with the rights of whoever rolls back.
fn marks_record(payload: &Payload) -> bool {
    let label = |object: &Value| {
        object
            .pointer("/metadata/labels/owner")
            .and_then(Value::as_str)
            .is_some_and(|it| RECORD_OWNERS.contains(&it))
    };
    match payload {
        Payload::Object(object) => {
            object.str(&["metadata", "labels", "owner"]).is_some_and(|it| RECORD_OWNERS.contains(&it))
        }
        Payload::Patch(PatchBody::JsonMerge(patch) | PatchBody::StrategicMerge(patch)) => label(patch),
        Payload::Patch(PatchBody::Json(operations)) => operations.as_array().is_some_and(|operations| {
            operations.iter().any(|operation| {
                let text = |field: &str| operation.get(field).and_then(Value::as_str);
                // What `copy` and `move` would put there is not in the patch.
                let unseen = matches!(text("op"), Some("copy" | "move"));
                text("path") == Some("/metadata/labels/owner")
                    && (unseen || text("value").is_some_and(|it| RECORD_OWNERS.contains(&it)))
            })
        }),
        Payload::None | Payload::Selectors(..) | Payload::Wait(_) => false,
    }
}

fn never_secret_type(secret_type: &str) -> Option<&'static str> {
    SECRET_TYPES.iter().find(|(name, _)| *name == secret_type).map(|(_, reason)| *reason)
}

fn secret_type(payload: &Payload) -> Option<&str> {
    match payload {
        Payload::Object(object) => object.str(&["type"]),
        Payload::Patch(PatchBody::JsonMerge(patch) | PatchBody::StrategicMerge(patch)) => {
            patch.get("type").and_then(Value::as_str)
        }
        Payload::Patch(PatchBody::Json(operations)) => operations
            .as_array()?
            .iter()
            .filter(|operation| operation.get("path").and_then(Value::as_str) == Some("/type"))
            .find_map(|operation| operation.get("value")?.as_str()),
        Payload::None | Payload::Selectors(..) | Payload::Wait(_) => None,
    }
}
