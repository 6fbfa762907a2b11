//! Would a server-side apply change anything? Told from what the manager applied last, as `managedFields` record it, and
//! the live object, without asking the server: so an upgrade sends only what is not so already, and drift is still seen.
//!
//! [`ApplyEffect::Unchanged`] is a promise about the object and its `managedFields`; where only the server could know, the
//! answer is [`ApplyEffect::MayChange`], and sending the apply is what tells. A value that the server writes in another
//! form (`1000m` for `1`, a `false` that it leaves out) differs for ever. What an admission webhook changes at each
//! request, whatever is in it, nobody can tell beforehand.

use std::fmt;

use serde_json::Value;

use crate::Object;
use crate::field_set::{FieldSet, Items, items, step};
use crate::managed_fields::{self, SERVER_FIELDS};
use crate::schema::{ListKind, Type};

/// What an apply would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyEffect {
    /// Nothing: neither the object nor its `managedFields` would change.
    Unchanged,
    /// It may change something.
    MayChange(Why),
}

/// Why an apply may change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The live object is another one, or in another version.
    OtherObject,
    /// The live object is being deleted.
    BeingDeleted,
    /// The manager never applied this object.
    NeverApplied,
    /// An entry of `managedFields` is of another version of the kind, or of an earlier schema: an apply rewrites it.
    OldOwnership(String),
    /// A field that the manager does not own yet.
    NotOwned(String),
    /// A field that the manager owns and no longer applies.
    NoLongerApplied(String),
    /// The live value is another one.
    Differs(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherObject => write!(f, "the live object is another one"),
            Self::BeingDeleted => write!(f, "the live object is being deleted"),
            Self::NeverApplied => write!(f, "it was never applied"),
            Self::OldOwnership(manager) => write!(f, "the entry of {manager:?} in managedFields is outdated"),
            Self::NotOwned(path) => write!(f, "{path} was not applied before"),
            Self::NoLongerApplied(path) => write!(f, "{path} is no longer applied"),
            Self::Differs(path) => write!(f, "{path} has another value"),
        }
    }
}

/// Whether applying `desired` as `manager` would change the live object, which must come with its `managedFields`. `kind`
/// is [`Type::built_in`] or [`Type::custom`] with the schema that the server has; without it a custom object may always
/// change.
pub fn apply_effect(desired: &Object, live: &Object, manager: &str, kind: &Type) -> ApplyEffect {
    match unchanged(desired, live, manager, kind) {
        Ok(()) => ApplyEffect::Unchanged,
        Err(why) => ApplyEffect::MayChange(why),
    }
}

fn unchanged(desired: &Object, live: &Object, manager: &str, kind: &Type) -> Result<(), Why> {
    let same_place = desired.namespace().is_none_or(|namespace| live.namespace() == Some(namespace));
    let identity = |object: &Object| {
        (object.api_version().to_owned(), object.kind().to_owned(), object.name().to_owned())
    };
    if identity(desired) != identity(live) || !same_place {
        return Err(Why::OtherObject);
    }
    if live.get(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null()) {
        return Err(Why::BeingDeleted);
    }
    let (live, mut desired) = (live.clone().into_value(), desired.clone());
    // Written by many generators, and never taken by the server.
    if desired.get(&["metadata", "creationTimestamp"]).is_some_and(Value::is_null) {
        desired.metadata_mut().shift_remove("creationTimestamp");
    }
    if let Some(field) = SERVER_FIELDS.iter().find(|field| desired.get(&["metadata", field]).is_some()) {
        return Err(Why::Differs(format!(".metadata.{field}")));
    }
    let desired = desired.into_value();
    owns_exactly(&desired, &live, manager, kind)?;
    holds(Some(&live), &desired, kind, matches!(kind, Type::Named(_))).map_err(Why::Differs)
}

/// The manager's entry names the fields that are applied, no more and no less, and no other entry would be rewritten.
fn owns_exactly(desired: &Value, live: &Value, manager: &str, kind: &Type) -> Result<(), Why> {
    let entries = managed_fields::read(live);
    for entry in &entries {
        if desired["apiVersion"] != entry.api_version || entry.fields.splits_atomic(kind) {
            return Err(Why::OldOwnership(entry.manager.clone()));
        }
    }
    let mut own = entries.iter().filter(|entry| entry.is(manager, true, ""));
    let (Some(entry), None) = (own.next(), own.next()) else { return Err(Why::NeverApplied) };
    let mut fields = FieldSet::of(desired, kind);
    managed_fields::strip(&mut fields);
    let first_beyond = |all: &FieldSet, known: &FieldSet| {
        let mut rest = all.clone();
        rest.subtract(known);
        rest.paths().into_iter().next()
    };
    if let Some(path) = first_beyond(&fields, &entry.fields) {
        return Err(Why::NotOwned(path));
    }
    match first_beyond(&entry.fields, &fields) {
        Some(path) => Err(Why::NoLongerApplied(path)),
        None => Ok(()),
    }
}

/// Whether merging a value into the live one leaves it as it is; the path of the first place where it does not. With
/// `typed`, the server keeps objects as Go structs, which lose empty lists and maps.
fn holds(live: Option<&Value>, desired: &Value, kind: &Type, typed: bool) -> Result<(), String> {
    let differs = Err(String::new());
    let live = live.filter(|live| !live.is_null());
    match (live, desired) {
        (None, Value::Null) => Ok(()),
        (None, Value::Array(list)) if typed && list.is_empty() && kind.is_list() => Ok(()),
        (None, Value::Object(map)) if typed && map.is_empty() && kind.is_map() => Ok(()),
        (Some(live), _) if kind.is_leaf(desired) => {
            if live == desired {
                Ok(())
            } else {
                differs
            }
        }
        (Some(Value::Object(live)), Value::Object(desired)) => desired.iter().try_for_each(|(key, value)| {
            let within = match kind.field(key) {
                Some((field, _)) => holds(live.get(key), value, field, typed),
                None => Err(String::new()),
            };
            within.map_err(|path| format!(".{key}{path}"))
        }),
        (Some(Value::Array(live)), Value::Array(desired)) => {
            let (element, merge) = kind.list();
            let (Items::Each(live), Items::Each(desired)) = (items(live, merge), items(desired, merge))
            else {
                return differs;
            };
            // In their order: the rest of the live list may stand between them.
            let mut live = live.into_iter();
            desired.into_iter().try_for_each(|(path, item)| {
                let found = live.find(|(of, _)| *of == path).map(|(_, item)| item);
                let within = match found {
                    Some(_) if *merge == ListKind::Set => Ok(()),
                    Some(found) => holds(Some(found), item, element, typed),
                    None => Err(String::new()),
                };
                within.map_err(|inner| step(&path) + &inner)
            })
        }
        _ => differs,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;
    use crate::Gvk;
    use crate::managed_fields::Ownership;

    fn pod(metadata: Value, spec: Value) -> Object {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        if let (Value::Object(known), Value::Object(more)) = (&mut pod["metadata"], metadata) {
            known.extend(more);
        }
        Object::from_value(pod).unwrap()
    }

    fn kind() -> Type {
        Type::built_in(&Gvk::new("v1", "Pod")).unwrap()
    }

    /// The object as the server has it after helm applied it: with the ownership, and with what a test changes.
    fn applied(object: &Object, change: impl FnOnce(&mut Ownership)) -> Object {
        let mut live = object.clone().into_value();
        let mut fields = FieldSet::of(&live, &kind());
        managed_fields::strip(&mut fields);
        let mut entry = Ownership {
            manager: "helm".to_owned(),
            applied: true,
            subresource: String::new(),
            api_version: "v1".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
            fields,
        };
        change(&mut entry);
        managed_fields::write(&mut live, vec![entry]);
        Object::from_value(live).unwrap()
    }

    fn why(desired: &Object, live: &Object) -> String {
        match apply_effect(desired, live, "helm", &kind()) {
            ApplyEffect::Unchanged => "unchanged".to_owned(),
            ApplyEffect::MayChange(why) => why.to_string(),
        }
    }

    fn spec() -> Value {
        json!({"nodeName": "n", "containers": [{"name": "a", "ports": [{"containerPort": 80}]}]})
    }

    #[test_case(|_| {} => "unchanged")]
    #[test_case(|own| own.manager = "kubectl".to_owned() => "it was never applied"; "another manager")]
    #[test_case(|own| own.applied = false => "it was never applied"; "an update")]
    #[test_case(|own| own.subresource = "status".to_owned() => "it was never applied"; "a subresource")]
    #[test_case(|own| own.api_version = "v1beta1".to_owned() => "the entry of \"helm\" in managedFields is outdated"; "another version")]
    fn ownership(change: fn(&mut Ownership)) -> String {
        let pod = pod(json!({}), spec());
        why(&pod, &applied(&pod, change))
    }

    #[test]
    fn parts_of_what_is_one_value_now_are_an_old_ownership() {
        let pod = pod(json!({}), spec());
        let live = applied(&pod, |own| {
            own.manager = "kubectl".to_owned();
            own.fields =
                FieldSet::from_value(&json!({"f:spec": {"f:tolerations": {"k:{\"key\":\"a\"}": {}}}}));
        });
        assert_eq!(why(&pod, &live), "the entry of \"kubectl\" in managedFields is outdated");
    }

    #[test_case(json!({"name": "q"}) => "the live object is another one"; "another name")]
    #[test_case(json!({"namespace": "n"}) => "the live object is another one"; "another namespace")]
    #[test_case(json!({"resourceVersion": "1"}) => ".metadata.resourceVersion has another value"; "a precondition")]
    #[test_case(json!({"creationTimestamp": null}) => "unchanged"; "a time that generators write")]
    #[test_case(json!({"labels": {"a": "b"}}) => ".metadata.labels.a was not applied before"; "a label")]
    fn metadata(metadata: Value) -> String {
        why(&pod(metadata, spec()), &applied(&pod(json!({}), spec()), |_| {}))
    }

    #[test]
    fn an_object_that_is_being_deleted_is_left_to_the_server() {
        let live = applied(&pod(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), spec()), |_| {});
        assert_eq!(why(&pod(json!({}), spec()), &live), "the live object is being deleted");
    }

    /// Applied once, and read back without it.
    #[test_case(json!({"nodeSelector": {}}) => "unchanged"; "a map")]
    #[test_case(json!({"tolerations": []}) => "unchanged"; "a list")]
    #[test_case(json!({"nodeName": null}) => "unchanged"; "a null")]
    #[test_case(json!({"securityContext": {}}) => ".spec.securityContext has another value"; "a struct may be kept")]
    #[test_case(json!({"hostNetwork": false}) => ".spec.hostNetwork has another value"; "a flag may be kept")]
    fn what_the_server_leaves_out(extra: Value) -> String {
        let Value::Object(extra) = extra else { return String::new() };
        let mut full = spec();
        full.as_object_mut().unwrap().extend(extra.clone());
        let desired = pod(json!({}), full);
        let mut live = applied(&desired, |_| {});
        let Some(Value::Object(spec)) = live.0.get_mut("spec") else { return String::new() };
        spec.retain(|field, _| !extra.contains_key(field));
        why(&desired, &live)
    }
}
