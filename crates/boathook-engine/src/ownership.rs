//! To which release an ordinary object belongs: Helm's own marks, and its own words when they are missing. Pure.
//! Hooks are not marked this way; see `hook_object`.

use boathook_core::Object;
use boathook_core::names::Target;
use boathook_core::plan::ReleaseRef;
use serde_json::{Map, Value};

pub(crate) const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
pub(crate) const MANAGED_BY: &str = "Helm";
pub(crate) const RELEASE_NAME: &str = "meta.helm.sh/release-name";
pub(crate) const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// Puts Helm's marks on an ordinary object.
pub(crate) fn stamp(object: &mut Object, release: &ReleaseRef) {
    set(object, "labels", MANAGED_BY_LABEL, MANAGED_BY);
    set(object, "annotations", RELEASE_NAME, &release.name);
    set(object, "annotations", RELEASE_NAMESPACE, &release.namespace);
}

/// Sets one label or annotation.
pub(crate) fn set(object: &mut Object, map: &str, key: &str, value: &str) {
    let entries = object.metadata_mut().entry(map).or_insert_with(|| Value::Object(Map::new()));
    if !entries.is_object() {
        *entries = Value::Object(Map::new());
    }
    if let Value::Object(entries) = entries {
        entries.insert(key.to_owned(), value.into());
    }
}

/// Whose an object is that carries the marks of another release; nothing where it carries none.
pub(crate) fn of_another(existing: &Object, release: &ReleaseRef) -> Option<String> {
    let name = existing.annotation(RELEASE_NAME)?;
    let namespace = existing.annotation(RELEASE_NAMESPACE).unwrap_or(&release.namespace);
    (name != release.name || namespace != release.namespace)
        .then(|| format!("it belongs to release {name} in namespace {namespace}"))
}

/// Whether an existing object may become part of the release: all three marks must match.
///
/// # Errors
/// Helm's message, word for word.
pub(crate) fn check(existing: &Object, target: &Target, release: &ReleaseRef) -> Result<(), String> {
    let wrong: Vec<String> = [
        ("label", "labels", MANAGED_BY_LABEL, MANAGED_BY),
        ("annotation", "annotations", RELEASE_NAME, release.name.as_str()),
        ("annotation", "annotations", RELEASE_NAMESPACE, release.namespace.as_str()),
    ]
    .into_iter()
    .filter_map(|(word, map, key, expected)| {
        let found = existing.str(&["metadata", map, key]);
        match found {
            Some(value) if value == expected => None,
            Some(value) => Some(format!(
                "{word} validation error: key {key:?} must equal {expected:?}: current value is {value:?}"
            )),
            None => {
                Some(format!("{word} validation error: missing key {key:?}: must be set to {expected:?}"))
            }
        }
    })
    .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} exists and cannot be imported into the current release: invalid ownership metadata; {}",
        helms_name(target),
        wrong.join("; ")
    ))
}

/// `ConfigMap "a" in namespace "prod"`; without a namespace it is an empty one.
pub(crate) fn helms_name(target: &Target) -> String {
    let namespace = target.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{} {:?} in namespace {namespace:?}", target.resource.gvk.kind, target.name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::target;

    fn release() -> ReleaseRef {
        ReleaseRef { name: "web".into(), namespace: "prod".into(), revision: 1 }
    }

    fn object(metadata: Value) -> Object {
        Object::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})).unwrap()
    }

    #[test]
    fn a_stamped_object_is_the_releases() {
        let mut object = object(json!({"name": "a", "labels": {"x": "y"}}));
        stamp(&mut object, &release());
        assert_eq!(object.str(&["metadata", "labels", "x"]), Some("y"));
        assert_eq!(check(&object, &target("ConfigMap", "prod", "a"), &release()), Ok(()));
    }

    #[test]
    fn missing_marks_are_listed_label_first() {
        assert_eq!(
            check(&object(json!({"name": "a"})), &target("ConfigMap", "prod", "a"), &release()).unwrap_err(),
            "ConfigMap \"a\" in namespace \"prod\" exists and cannot be imported into the current release: invalid \
             ownership metadata; label validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \
             \"Helm\"; annotation validation error: missing key \"meta.helm.sh/release-name\": must be set to \"web\"; \
             annotation validation error: missing key \"meta.helm.sh/release-namespace\": must be set to \"prod\""
        );
    }

    #[test]
    fn a_mark_of_another_release_is_shown() {
        let mut object = object(json!({"name": "a"}));
        stamp(&mut object, &ReleaseRef { name: "other".into(), ..release() });
        assert_eq!(
            check(&object, &target("ConfigMap", "prod", "a"), &release()).unwrap_err(),
            "ConfigMap \"a\" in namespace \"prod\" exists and cannot be imported into the current release: invalid \
             ownership metadata; annotation validation error: key \"meta.helm.sh/release-name\" must equal \"web\": \
             current value is \"other\""
        );
    }
}
