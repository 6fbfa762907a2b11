//! To which release an object of a hook belongs. Helm marks hook objects with nothing, so that two releases with
//! equally named hooks delete each other's objects; we label ours, and leave alone what is somebody else's. Pure.

use boathook_core::plan::ReleaseRef;
use boathook_core::{Object, ObjectRef};

use crate::ownership;

pub(crate) const RELEASE: &str = "boathook.dev/release";
pub(crate) const RELEASE_NAMESPACE: &str = "boathook.dev/release-namespace";
pub(crate) const REVISION: &str = "boathook.dev/revision";
pub(crate) const OPERATION: &str = "boathook.dev/operation";
/// The step that made it, `.` for `/`.
pub(crate) const STEP: &str = "boathook.dev/step";
const HELM_HOOK: &str = "helm.sh/hook";

/// Puts our labels on an object of a hook.
pub(crate) fn stamp(object: &mut Object, release: &ReleaseRef, operation: &str) {
    ownership::set(object, "labels", RELEASE, &release.name);
    ownership::set(object, "labels", RELEASE_NAMESPACE, &release.namespace);
    ownership::set(object, "labels", REVISION, &release.revision.to_string());
    ownership::set(object, "labels", OPERATION, operation);
}

/// Whose an existing object of a hook's name is: nothing if the release may replace it, else the words for whose.
///
/// Ours are: our labels with this release; Helm's marks of an ordinary object of this release (the object became a
/// hook); and, where no release is named at all, the annotation `helm.sh/hook`, which every hook object that Helm made
/// carries. Everything else is foreign: another release's, or of somebody who knows nothing of hooks.
pub(crate) fn foreign(existing: &Object, release: &ReleaseRef) -> Option<String> {
    let label = |key| existing.str(&["metadata", "labels", key]);
    let named = label(RELEASE)
        .map(|name| (name, label(RELEASE_NAMESPACE)))
        .or_else(|| {
            existing
                .annotation(ownership::RELEASE_NAME)
                .map(|name| (name, existing.annotation(ownership::RELEASE_NAMESPACE)))
        })
        .or_else(|| {
            // What a plugin made carries `NAMESPACE/NAME` as an annotation.
            let (namespace, name) = existing.annotation(RELEASE)?.split_once('/')?;
            Some((name, Some(namespace)))
        });
    match named {
        Some((name, namespace)) => {
            let namespace = namespace.unwrap_or(&release.namespace);
            (name != release.name || namespace != release.namespace)
                .then(|| format!("belongs to release {name} in namespace {namespace}"))
        }
        None if existing.annotation(HELM_HOOK).is_some() => None,
        None => Some("was made by no release".to_owned()),
    }
}

/// The refusal to touch a foreign object, and the way out.
pub(crate) fn refusal(object: &ObjectRef, whose: &str) -> (String, String) {
    (
        format!("{object} exists and {whose}: a hook neither deletes nor changes it"),
        "rename the hook's object, delete the existing one yourself, or use --take-ownership".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use test_case::test_case;

    use super::*;

    fn release() -> ReleaseRef {
        ReleaseRef { name: "web".into(), namespace: "prod".into(), revision: 2 }
    }

    #[test_case(json!({}) => Some("was made by no release".to_owned()); "unmarked")]
    #[test_case(json!({"annotations": {"helm.sh/hook": "pre-install"}}) => None; "made by helm")]
    #[test_case(json!({"annotations": {"helm.sh/hook": "test"}, "labels": {"boathook.dev/release": "web", "boathook.dev/release-namespace": "prod"}}) => None; "ours")]
    #[test_case(json!({"annotations": {"helm.sh/hook": "test"}, "labels": {"boathook.dev/release": "other", "boathook.dev/release-namespace": "prod"}}) => Some("belongs to release other in namespace prod".to_owned()); "a neighbour's hook")]
    #[test_case(json!({"labels": {"boathook.dev/release": "web", "boathook.dev/release-namespace": "dev"}}) => Some("belongs to release web in namespace dev".to_owned()); "same name elsewhere")]
    #[test_case(json!({"annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "prod"}}) => None; "an ordinary object became a hook")]
    #[test_case(json!({"annotations": {"meta.helm.sh/release-name": "db", "meta.helm.sh/release-namespace": "prod", "helm.sh/hook": "test"}}) => Some("belongs to release db in namespace prod".to_owned()); "an ordinary object of a neighbour")]
    #[test_case(json!({"annotations": {"boathook.dev/release": "prod/web"}}) => None; "made by our plugin")]
    #[test_case(json!({"annotations": {"boathook.dev/release": "prod/db"}}) => Some("belongs to release db in namespace prod".to_owned()); "made by a neighbours plugin")]
    fn whose(metadata: Value) -> Option<String> {
        foreign(&Object::from_value(json!({"metadata": metadata})).unwrap(), &release())
    }

    #[test]
    fn what_we_stamp_is_ours() {
        let mut object = Object::default();
        stamp(&mut object, &release(), "op-1");
        assert_eq!(foreign(&object, &release()), None);
        assert_eq!(
            foreign(&object, &ReleaseRef { revision: 9, ..release() }),
            None,
            "also in a later revision"
        );
        assert_eq!(object.str(&["metadata", "labels", OPERATION]), Some("op-1"));
        assert_eq!(object.str(&["metadata", "labels", REVISION]), Some("2"));
    }
}
